"""Mistakes in an estate file as a new user meets them: through `drills plan --estate FILE`, which writes nothing."""

# ruff: noqa: E501 - a case a line can be read and compared.
from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from drills.cli import main

GOOD = """\
summary: One table.
accounts:
  production: {id: "111111111111", region: eu-west-1}
stores:
  - name: orders
    kind: dynamodb
    key: {partition: order_id}
    stream: new_and_old_images
    tags: {team: a}
    records:
      order_id: uuid
      total: {decimal: {max: 10}}
    workload: {writes_per_minute: 12}
    protections: [dynamodb_pitr, dynamodb_stream_copy]
    objectives: {rto: 4h, rpo: 5m}
    production: {size_gb: 10, items: 1000}
modules:
  data: [orders]
response:
  detect: {default: 10m}
"""
RECORDS = "    records:\n      order_id: uuid\n      total: {decimal: {max: 10}}\n"
KIND = "    kind: dynamodb\n"
UUID = "order_id: uuid\n"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
)

MISTAKES = {
    "an unknown key": (KIND, KIND + "    colour: red\n", "7:5", ["'colour'", "store 'orders'", "expected one of: billing"]),
    "a key misspelt": ("objectives:", "objektives:", "15:5", ["'objektives'", "did you mean 'objectives'?"]),
    "a key of the file misspelt": ("modules:", "moduls:", "17:1", ["'moduls'", "did you mean 'modules'?"]),
    "a key within misspelt": ("{partition:", "{partiton:", "7:11", ["'partiton' of 'key'", "did you mean 'partition'?"]),
    "a key left out": ("    objectives: {rto: 4h, rpo: 5m}\n", "", "5:5", ["the key 'objectives' is missing"]),
    "a key twice": (KIND, KIND + KIND, "7:5", ["'kind' stands here a second time", "line 6"]),
    "a wrong type": ("minute: 12", "minute: many", "13:35", ["writes_per_minute", "expected a number, found 'many'"]),
    "a list for a mapping": ("{rto: 4h, rpo: 5m}", "[4h]", "15:17", ["'objectives'", "expected a mapping, found a list"]),
    "yes for true": (KIND, KIND + "    deletion_protection: yes\n", "7:26", ["expected true or false, found 'yes'"]),
    "no attribute for the key": ("      order_id: uuid\n", "", "7:22", ["lacks 'order_id'", "it has 'total'"]),
    "the key's attribute misspelt": (": order_id}", ": order_di}", "7:22", ["'order_di'", "did you mean 'order_id'?"]),
    "a tab": ("    kind: dynamodb", "\tkind: dynamodb", "6:1", ["a tab", "spaces"]),
    "a bracket left open": ("order_id}", "order_id", "8:11", ["not YAML", "expected ',' or '}'"]),
    "a duration without unit": ("rto: 4h", "rto: 4", "15:23", ["objectives.rto", "15m", "found 4"]),
    "a duration in words": ("rto: 4h", "rto: 4 hours", "15:23", ["objectives.rto", "15m", "found '4 hours'"]),
    "a wide character": ("rto: 4h", "rto: 🛒", "15:23", ["objectives.rto", "found '🛒'"]),
    "an unknown protection": ("dynamodb_pitr", "dynamodb_pirt", "14:19", ["'dynamodb_pirt'", "did you mean 'dynamodb_pitr'"]),
    "an unknown option": (
        "[dynamodb_pitr", "[{dynamodb_pitr: {period_day: 3}}", "14:36", ["'dynamodb_pitr'", "period_day", "period_days"]
    ),
    "an unknown kind": ("kind: dynamodb", "kind: dynamo", "6:11", ["'dynamo'", "did you mean 'dynamodb'?"]),
    "an unknown provider": (UUID, UUID + "      name: nmae\n", "12:13", ["'nmae'", "did you mean 'name'"]),
    "an unknown locale": (
        UUID, UUID + "      name: {faker: {provider: name, locale: de_DD}}\n", "12:21", ["'de_DD'", "did you mean 'de_DE'"]
    ),
    "an unknown attribute in a template": (
        UUID, UUID + "      mail: {template: '{oder_id}@x'}\n", "12:13", ["'oder_id'", "did you mean 'order_id'?"]
    ),
    "no file of records": (RECORDS, "    records_from: absent.jsonl\n", "10:19", ["'absent.jsonl'", "No such file"]),
    "a folder of records": (RECORDS, "    records_from: .\n", "10:19", ["'.'", "Is a directory"]),
    "a line that is no JSON": (RECORDS, "    records_from: bad.jsonl\n", "10:19", ["bad.jsonl:2:18", "not JSON"]),
    "a name twice in JSON": (RECORDS, "    records_from: twice.jsonl\n", "10:19", ["twice.jsonl:1:1", "'order_id' stands twice"]),
    "records with one key": (RECORDS, "    records_from: same.jsonl\n", "10:19", ["records 1 and 2", "same key"]),
    "a field too few": (RECORDS, "    records_from: few.csv\n", "10:19", ["few.csv:3:1", "expected 2 fields", "fewer"]),
    "a header misspelt": (RECORDS, "    records_from: header.csv\n", "7:22", ["'order_id'", "did you mean 'orderid'?"]),
    "a header twice": (RECORDS, "    records_from: total.csv\n", "10:19", ["total.csv:1:1", "'total' twice"]),
    "one account for two": (
        "region: eu-west-1}\n", 'region: eu-west-1}\n  vault: {id: "111111111111"}\n', "4:15", ["'vault'", "'production'", "of its own"]
    ),
    "half a region": ("eu-west-1", "eu-west", "3:44", ["production.region", "such as eu-west-1", "'eu-west'"]),
    "an unknown region": ("eu-west-1", "eu-wesst-1", "3:44", ["'eu-wesst-1'", "did you mean 'eu-west-1'"]),
    "a module of an unknown store": ("data: [orders]", "data: [ordesr]", "18:10", ["'data'", "'ordesr'", "did you mean 'orders'?"]),
    "a module of a protection that is not there": (
        "data: [orders]", "data: [orders/dynamodb_pit]", "18:10", ["'dynamodb_pit'", "did you mean 'dynamodb_pitr'"]
    ),
    "an unknown scenario": ("{default: 10m}", "{default: 10m, bulk_erace: 1h}", "20:26", ["'bulk_erace'", "did you mean 'bulk_erase'?"]),
    "a negative share": (KIND, KIND + "    share: -1\n", "7:12", ["'share'", "expected a number greater than 0, found -1"]),
    "a huge number": ("items: 1000", "items: 1" + "0" * 400, "16:38", ["production.items", "less than or equal to"]),
    "a number of 5,000 digits": ("items: 1000", "items: 1" + "0" * 5000, "16:38", ["a whole number of fewer than"]),
    "an infinite number": ("size_gb: 10", "size_gb: 1e999", "16:27", ["production.size_gb", "expected a finite number"]),
    "an alias bomb": ("summary:", BOMB + "summary:", "1:1", ["more than 100,000 values", "aliases"]),
    "an alias in itself": ("{team: a}", "&t {team: *t}", "9:11", ["*t contains itself"]),
    "two documents": (GOOD, GOOD + "---\n" + GOOD, "21:1", ["another document"]),
    "nothing at all": (GOOD, "", "1:1", ["expected an estate", "'stores'", "found nothing"]),
    "a list": (GOOD, "- a\n", "1:1", ["expected an estate", "'stores'", "found a list"]),
    "a control character": ("One table", "One \x07 table", "1:14", ["U+0007"]),
}  # fmt: skip
FILES = {
    "bad.jsonl": '{"order_id": "a"}\n{"order_id": "b",}\n',
    "twice.jsonl": '{"order_id": "a", "order_id": "b"}\n',
    "same.jsonl": '{"order_id": "a"}\n{"order_id": "a"}\n',
    "few.csv": "order_id,total\na,1\nb\n",
    "header.csv": "orderid,total\na,1\nb,2\n",
    "total.csv": "order_id,total,total\na,1,2\n",
}
BYTES: Mapping[str, tuple[bytes, str, list[str]]] = {
    "Latin-1": (GOOD.replace("One", "Käse").encode("latin-1"), "1:11", ["expected UTF-8", "0xe4", "save the file as UTF-8"]),
    "UTF-16": (GOOD.encode("utf-16"), "1:1", ["expected UTF-8"]),
    "a NUL": (GOOD.encode() + b"\0\n", "21:1", ["U+0000"]),
    "lines ended as on Windows": (GOOD.replace("4h", "x").replace("\n", "\r\n").encode(), "15:23", ["objectives.rto"]),
}  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        Path(name).write_text(text)
    return tmp_path


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What is told on stderr by a command that is refused with code 2, says nothing else and writes nothing."""
    before = sorted(os.listdir())
    with pytest.raises(SystemExit) as left:
        main(arguments)
    captured = capsys.readouterr()
    assert left.value.code == 2
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert sorted(os.listdir()) == before
    return captured.err


def test_without_a_mistake_it_is_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    for encoding in ("utf-8", "utf-8-sig"):
        Path("estate.yaml").write_text(GOOD, encoding=encoding)
        with pytest.raises(SystemExit) as left:
            main(["plan", "bulk_erase", "--estate", "estate.yaml"])
        assert left.value.code == 0
        assert "protect it by dynamodb_pitr" in capsys.readouterr().out


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake(mistake: str, capsys: pytest.CaptureFixture[str]) -> None:
    right, wrong, place, said = MISTAKES[mistake]
    assert GOOD.count(right) == 1
    Path("estate.yaml").write_text(GOOD.replace(right, wrong), encoding="utf-8")
    told = refusal(capsys, "plan", "bulk_erase", "--estate", "estate.yaml")
    assert told.startswith(f"error: estate.yaml:{place}: ")
    assert len(told.splitlines()) == 1
    for words in said:
        assert words in told


@pytest.mark.parametrize("mistake", BYTES)
def test_wrong_bytes(mistake: str, capsys: pytest.CaptureFixture[str]) -> None:
    content, place, said = BYTES[mistake]
    Path("estate.yaml").write_bytes(content)
    told = refusal(capsys, "plan", "bulk_erase", "--estate", "estate.yaml")
    assert told.startswith(f"error: estate.yaml:{place}: ")
    for words in said:
        assert words in told


def test_several_mistakes_are_told_at_once_in_the_order_of_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    text = GOOD.replace("eu-west-1", "eu-west").replace("4h", "4").replace("[orders]", "[order]")
    Path("estate.yaml").write_text(text)
    told = refusal(capsys, "plan", "--estate", "estate.yaml").splitlines()
    assert [line.removeprefix("error: ").split(" ")[0] for line in told] == [
        "estate.yaml:3:44:",
        "estate.yaml:15:23:",
        "estate.yaml:18:10:",
    ]


def test_what_is_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("folder.yaml").mkdir()
    Path("loop.yaml").symlink_to("loop.yaml")
    for name, said in (
        ("absent.yaml", "there is no estate file absent.yaml"),
        ("folder.yaml", "folder.yaml is a folder; expected an estate file"),
        ("loop.yaml", "loop.yaml cannot be read: Too many levels of symbolic links"),
    ):
        assert said in refusal(capsys, "plan", "--estate", name)


def test_the_command_itself_says_it_the_same_way() -> None:
    Path("estate.yaml").write_text(GOOD.replace("objectives:", "objektives:"))
    program = [sys.executable, "-c", "from drills.cli import main; main()", "plan", "--estate", "estate.yaml"]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: estate.yaml:15:5: unknown key 'objektives' in store 'orders'; did you mean 'objectives'?\n"
    )
