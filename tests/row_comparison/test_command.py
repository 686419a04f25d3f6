"""``drills compare`` as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from drills.cli import main
from tests.row_comparison.conftest import MASTER, Databases, run


def url(place: str) -> str:
    parts = psycopg.conninfo.conninfo_to_dict(place)
    return f"postgresql://{MASTER.user}:{quote(MASTER.password)}@{parts['host']}:{parts['port']}/{parts['dbname']}"


@pytest.fixture
def places(databases: Databases) -> tuple[str, str]:
    databases.both(
        "CREATE TABLE orders (id int PRIMARY KEY, total numeric(9,2))",
        "INSERT INTO orders SELECT g, g FROM generate_series(1, 1500) AS g",
        "CREATE TABLE other (v text)",
    )
    return url(databases.source), url(databases.target)


def test_the_same(places: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main_code("compare", *places) == 0
    assert capsys.readouterr().out == (
        "public.orders: 1,500 rows, all the same\n"
        "public.other: 0 rows, all the same (without a key: matched by all columns)\n"
        "The same\n"
    )


def test_not_the_same(databases: Databases, places: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    run(
        databases.target,
        "UPDATE orders SET total = 0.10 WHERE id = 3",
        "DELETE FROM orders WHERE id IN (5, 6)",
        "INSERT INTO other VALUES ('new')",
    )
    assert main_code("compare", *places, "--limit", "2") == 1
    assert capsys.readouterr().out == (
        "public.orders: 1,500 rows in the source, 1,498 in the target; 2 missing, 1 different\n"
        "  missing id = 5\n"
        "  missing id = 6\n"
        "  and 1 more\n"
        "public.other: 0 rows in the source, 1 in the target; 1 extra (without a key: matched by all columns)\n"
        "  extra v = new\n"
        "Not the same\n"
    )


def test_json_has_all_rows_and_a_summary(
    databases: Databases, places: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    run(databases.target, "UPDATE orders SET total = NULL")
    assert main_code("compare", *places, "--json", "--table", "orders") == 1
    *rows, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert rows[0] == {
        "table": "public.orders",
        "row": "different",
        "key": {"id": "1"},
        "columns": {"total": {"source": "1.00", "target": None}},
    }
    assert len(rows) == summary["tables"][0]["different"] == 1500
    assert summary["same"] is False


def test_a_service(places: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = psycopg.conninfo.conninfo_to_dict(places[0])
    names = ("host", "port", "user", "dbname")
    (tmp_path / "services").write_text("[live]\n" + "".join(f"{name}={parts[name]}\n" for name in names))
    passwords = tmp_path / "pgpass"
    passwords.write_text(f"*:*:*:{MASTER.user}:{MASTER.password}\n")
    passwords.chmod(0o600)
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    assert main_code("compare", "live", places[1]) == 0


def test_passwords_are_never_printed(places: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in (
        places[1].replace("/shop", "/nowhere"),
        places[1].replace("s3cret", "s3cretive"),
        "postgresql://a:s3cret%",
    ):
        assert main_code("compare", places[0], wrong) == 2
        told = capsys.readouterr()
        assert "error: The target" in told.err
        assert "s3cret" not in told.out + told.err


def test_usage(places: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main_code("compare", places[0]) == 2
    assert main_code("compare", *places, "--table", "ordres") == 2
    assert "Neither side has a table 'ordres'" in capsys.readouterr().err


def main_code(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert isinstance(left.value.code, int)
    return left.value.code
