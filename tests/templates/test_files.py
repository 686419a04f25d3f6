"""``drills template``: the files, their bytes, and what is said to a user who asks for something else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from drills.cli import main
from drills.templates import load, names
from drills.templates.writing import written

ESTATE = """
accounts: {production: {id: "111111111111", region: eu-west-1}}
stores:
  - {name: bookings, exists: prod-bookings, kind: dynamodb, key: {partition: guest, sort: night},
     protections: [{dynamodb_stream_copy: {batch_size: 9}}]}
  - {name: invoices, exists: prod-invoices, kind: s3, protections: [s3_replication]}
  - {name: guests, exists: prod-guests, kind: s3, protections: [s3_versioning]}
"""
OPTIONS: dict[str, Sequence[Sequence[str]]] = {
    "stream-copy": ([], ["batch_size=7", "alarm_topic=arn:aws:sns:eu-west-1:111111111111:people"]),
    "bucket-copy": ([], ["replication_time=true", "noncurrent_days=40", "lock_mode=compliance"]),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("hotel.yaml").write_text(ESTATE)
    return tmp_path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(["template", *arguments])
    assert isinstance(left.value.code, int)
    return left.value.code


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def lint(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = "import sys; from cfnlint.runner import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "--format", "parseable", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def variants() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name in names():
        for options in OPTIONS.get(name, ([],)):
            given = [word for one in options for word in ("--option", one)]
            found += [(name, *given), (name, *given, "--format", "json")]
    return [*found, ("stream-copy", "--estate", "hotel.yaml"), ("bucket-copy", "--estate", "hotel.yaml")]


def test_every_template_is_without_a_complaint_of_cfn_lint(folder: Path) -> None:
    paths = []
    for number, variant in enumerate(variants()):
        assert run(*variant, "--out", str(number)) == 0
        paths += [str(path) for path in (folder / str(number)).iterdir() if path.suffix in (".yaml", ".json")]
    assert len(paths) >= 20
    linted = lint("--include-checks", "I", "--template", *paths)
    # I3042: that ARNs name their partition, as the policies do that are put by API.
    told = [line for line in linted.stdout.splitlines() if "I3042" not in line]
    assert not told, "\n".join(told)
    assert not linted.stderr


def test_it_is_linted_at_all(folder: Path) -> None:
    document: Any = json.loads(json.dumps(load("stream-copy").of_any({}).templates[0].structure()))
    document["Resources"]["Function"]["Properties"]["Memory"] = 1
    Path("wrong.json").write_text(json.dumps(document))
    assert "E3002" in lint("--template", "wrong.json").stdout


def test_two_processes_write_the_same_bytes(folder: Path) -> None:
    program = "import sys; from drills.cli import main; main(sys.argv[1:])"
    for out, seed in (("one", "1"), ("two", "2")):
        for name in names():
            command = [sys.executable, "-c", program, "template", name, "--out", f"{out}/{name}"]
            subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True)
    for name in names():
        assert files(folder / "one" / name) == files(folder / "two" / name)
        assert len(files(folder / "one" / name)) >= 2


def test_a_package_is_the_same_whatever_its_file_looks_like(folder: Path) -> None:
    import zipfile

    assert run("stream-copy") == 0
    (package,) = Path("stream-copy").glob("*.zip")
    with zipfile.ZipFile(package) as archive:
        entries = archive.infolist()
        handlers = Path(sys.modules["drills"].__file__ or "").parent / "handlers"
        modules = sorted((handlers / "stream_copy").glob("*.py"))
        assert [entry.filename for entry in entries] == [f"stream_copy/{module.name}" for module in modules]
        for entry, module in zip(entries, modules, strict=True):
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            # What deflating gives depends on the version of zlib.
            assert entry.compress_type == zipfile.ZIP_STORED
            assert entry.create_system == 3
            assert archive.read(entry) == module.read_bytes()


@pytest.mark.parametrize("name", ["stream-copy", "bucket-copy"])
def test_yaml_and_json_say_the_same(name: str) -> None:
    for template in load(name).of_any({}).templates:
        document = json.loads(written(template.structure(), "json"))
        for version in ("1.1", "1.2"):
            yaml = YAML(typ="safe", pure=True)
            yaml.version = version
            assert yaml.load(written(template.structure(), "yaml").decode()) == document


def test_a_store_of_an_estate(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("stream-copy", "--estate", "hotel.yaml") == 0
    told = capsys.readouterr().out
    assert "wrote stream-copy/production.yaml: a stack in 111111111111, eu-west-1" in told
    document = YAML(typ="safe", pure=True).load(Path("stream-copy/production.yaml").read_text())
    parameters = document["Parameters"]
    assert {"Name", "SourceAccount", "VaultAccount", "ExternalId"}.isdisjoint(parameters)
    assert parameters["BatchSize"]["Default"] == 9
    assert document["Resources"]["Function"]["Properties"]["FunctionName"] == "drills-hotel-bookings-copy"
    vault = YAML(typ="safe", pure=True).load(Path("stream-copy/vault.yaml").read_text())["Parameters"]
    assert (vault["PartitionKey"]["Default"], vault["SortKey"]["Default"]) == ("guest", "night")


def test_other_accounts_than_the_estates(folder: Path) -> None:
    Path("accounts.yaml").write_text('accounts: {vault: {profile: p, id: "444444444444", region: eu-west-3}}')
    assert run("bucket-copy", "--estate", "hotel.yaml", "--on", "accounts.yaml") == 0
    assert b"444444444444" in Path("bucket-copy/production.yaml").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["strem-copy"], "there is no template 'strem-copy'; did you mean 'stream-copy'"),
        (["stream-copy", "--option", "batch_size=0"], "batch_size: expected a whole number from 1 to 10000, found 0"),
        (["stream-copy", "--option", "batchsize=3"], "batchsize: there is no such option; expected one of"),
        (["stream-copy", "--option", "batch_size"], "--option batch_size: expected NAME=VALUE"),
        (["stream-copy", "--option", "batch_size=["], "expected a value as in an estate file"),
        (["stream-copy", "--store", "bookings"], "expected --estate beside them"),
        (["stream-copy", "--estate", "hotel.yaml", "--option", "batch_size=3"], "Change the estate instead"),
        (["stream-copy", "--estate", "hotel.yaml", "--store", "booking"], "did you mean 'bookings'?"),
        (["stream-copy", "--estate", "hotel.yaml", "--store", "invoices"], "the protection dynamodb_stream_copy"),
        (["bucket-copy", "--estate", "hotel.yaml", "--store", "guests"], "the protection s3_replication"),
        (["stream-copy", "--estate", "shop"], "found none"),
        (["stream-copy", "--estate", "motel.yaml"], "there is no estate file motel.yaml"),
        (["stream-copy", "--out", "hotel.yaml"], "hotel.yaml"),
    ],
)
def test_mistakes(arguments: list[str], told: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    assert told in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["hotel.yaml"]


def test_what_exists_is_only_overwritten_when_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("stream-copy") == 0
    assert run("stream-copy") == 0, "the same bytes again are no harm"
    mine = Path("stream-copy/vault.yaml")
    good = mine.read_bytes()
    mine.write_text("# changed by hand\n")
    before = files(folder / "stream-copy")
    assert run("stream-copy", "--option", "batch_size=7") == 2
    told = capsys.readouterr().err
    assert "stream-copy/vault.yaml" in told
    assert "--force" in told
    assert files(folder / "stream-copy") == before
    assert run("stream-copy", "--force") == 0
    assert mine.read_bytes() == good
