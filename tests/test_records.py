"""Records: made by forms and pools, or read from a file; always the same for a seed."""

from __future__ import annotations

import base64
import hashlib
import os
import random
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.errors import ConfigurationError
from drills.locations_in_yaml import read_yaml
from drills.record_file import FileRecords, RecordsFrom, read_file
from drills.records import MadeRecords, RecordMaker, make_records, read_attributes, with_keys

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
EVERYTHING = """
order_id: {sequence: "ORD-{n:08d}"}
number: {sequence: 1000}
id: uuid
client_id: {sequence: {of: "C-{n:06d}", among: 500}}
name: name
email: email
city: {faker: {provider: city, locale: de_DE}}
born: date_of_birth
code: {faker: {provider: bothify, with: {text: "??-####"}}}
status: {choice: [new, paid, shipped]}
plan: {choice: {free: 9, gold: 1}}
total: {decimal: {min: 0.50, max: 999.99}}
huge_number: {decimal: {digits: 38, places: 10}}
quantity: {number: {min: -5, max: 5}}
thumbnail: {bytes: 48}
blob: {bytes: {min: 1, max: 9}}
tags: {set: {of: {choice: [red, green, blue]}, size: [1, 3]}}
sizes: {set: {of: {number: {max: 1000}}}}
keys: {set: {of: {bytes: 4}, size: 2}}
lines: {list: {of: {map: {sku: ean13, price: {decimal: {max: 10}}}}, size: [0, 3]}}
address: {map: {street: street_address, at: {map: {lat: latitude}}}}
note: {either: [{const: ""}, {const: null}, {const: true}, {const: "𝒜 e\\u0301 🚢"}, sentence]}
expires_at: {time: {from: -1h, to: 7d}}
updated: {time: {from: -30d, as: iso}}
greeting: {template: "{name} <{email}> no. {n:03d} {{}}"}
again: {ref: email}
gift: {choice: [card, ribbon], share: 0.25}
manual: {text: 380KB, count: 2}
"""


def spec_of(text: str, store: str = "orders") -> MadeRecords:
    spec, complaints = read_attributes(store, read_yaml(text, "test.yaml").data, ())
    assert complaints == []
    assert spec is not None
    return spec


def maker_of(text: str, seed: int = 7, keys: frozenset[str] = frozenset()) -> RecordMaker:
    return make_records(with_keys(spec_of(text), keys), seed, START)


def complaints_of(text: str) -> list[str]:
    spec, complaints = read_attributes("orders", read_yaml(text, "test.yaml").data, ())
    assert spec is None
    return [complaint.message for complaint in complaints]


def canonical(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{canonical(value[key])}" for key in value) + "}"
    if isinstance(value, set):
        return "<" + ",".join(sorted(map(canonical, value))) + ">"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return repr(value)


def digest_of(maker: RecordMaker, count: int) -> str:
    return hashlib.sha256("".join(canonical(maker.record(n)) for n in range(count)).encode()).hexdigest()


def test_every_form_gives_what_it_says() -> None:
    record = maker_of(EVERYTHING).record(1)
    assert record["order_id"] == "ORD-00000001"
    assert record["number"] == 1001
    assert len(record["id"]) == 36
    assert record["client_id"] < "C-000500"
    assert "@" in record["email"]
    assert record["again"] == record["email"]
    assert record["greeting"] == f"{record['name']} <{record['email']}> no. 001 {{}}"
    assert datetime.fromisoformat(record["born"]) < START.replace(tzinfo=None)
    assert record["code"][2] == "-"
    assert Decimal("0.50") <= record["total"] <= Decimal("999.99")
    assert len(record["huge_number"].as_tuple().digits) == 38
    assert record["huge_number"].as_tuple().exponent == -10
    assert len(record["thumbnail"]) == 48
    assert {type(member) for member in record["keys"]} == {bytes}
    assert isinstance(record["address"]["at"]["lat"], Decimal)
    assert len(record["manual"].encode()) == 380 * 1024
    assert START - timedelta(days=30) <= datetime.fromisoformat(record["updated"]) <= START
    assert START.timestamp() - 3600 <= record["expires_at"] <= START.timestamp() + 7 * 86400


def test_choices_shares_and_counts() -> None:
    maker = maker_of(EVERYTHING)
    records = [maker.record(n) for n in range(2000)]
    assert sum("manual" in record for record in records) == 2
    assert 380 < sum("gift" in record for record in records) < 620
    plans = Counter(record["plan"] for record in records)
    assert 1650 < plans["free"] < 1950
    assert {type(record["note"]) for record in records} == {str, bool, type(None)}
    assert "" in {record["note"] for record in records}
    assert {len(record["tags"]) for record in records} == {1, 2, 3}
    assert {len(record["lines"]) for record in records} == {0, 1, 2, 3}


def test_same_seed_same_bytes_in_another_process_with_other_hashes() -> None:
    program = (
        "from tests.test_records import *; print(digest_of(maker_of(EVERYTHING), 200))\n"
        "import sys; assert 'moto' not in sys.modules"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        ).stdout.strip()
        for hash_seed in ("1", "2")
    }
    assert found == {digest_of(maker_of(EVERYTHING), 200)}


def test_bytes_do_not_depend_on_the_version_of_python() -> None:
    """Recorded once; forms that use Faker are left out, as its data changes from release to release."""
    text = "\n".join(
        line
        for line in EVERYTHING.splitlines()
        if not any(
            word in line for word in ("name", "email", "city", "born", "bothify", "ean13", "street", "sentence", "text")
        )
    )
    assert digest_of(maker_of(text), 100) == "b51903da785f87fdcc92e9c3cb4b5c27729a3b31b5070b803297e46ef3ec8d87"


def test_a_pool_does_not_depend_on_today() -> None:
    import time_machine

    from drills import record_pools

    found = []
    for today in (datetime(2026, 3, 1, tzinfo=UTC), datetime(2031, 3, 1, tzinfo=UTC)):
        record_pools._pool.cache_clear()
        with time_machine.travel(today, tick=False):
            found.append(digest_of(maker_of("id: uuid\nborn: date_of_birth\nseen: past_datetime"), 50))
    assert found[0] == found[1]


def test_record_n_does_not_depend_on_the_order_of_asking() -> None:
    forwards, backwards = maker_of(EVERYTHING), maker_of(EVERYTHING)
    first = [canonical(forwards.record(n)) for n in range(20)]
    assert first == [canonical(backwards.record(n)) for n in reversed(range(20))][::-1]


def test_seeds_and_stores_differ() -> None:
    uuids = {maker_of("id: uuid", seed).record(0)["id"] for seed in range(20)}
    uuids |= {make_records(spec_of("id: uuid", "clients"), 7, START).record(0)["id"]}
    assert len(uuids) == 21


def test_keys_never_repeat() -> None:
    spec = spec_of(EVERYTHING)
    assert spec.unique() == {"order_id", "number", "id", "greeting"}
    maker = maker_of(EVERYTHING.replace("manual: {text: 380KB, count: 2}", ""))
    records = [maker.record(n) for n in range(3000)]
    for name in spec.unique():
        assert len({record[name] for record in records}) == len(records)


def test_an_attribute_that_is_sometimes_absent_is_no_key() -> None:
    assert spec_of("id: {sequence: 1, share: 0.5}").unique() == set()


@given(st.integers(0, 10_000), st.integers(0, 2**32))
def test_an_update_changes_something_and_never_the_key(n: int, seed: int) -> None:
    maker = UPDATED
    record = maker.record(n)
    before = canonical(record)
    changed = maker.changed(record, random.Random(seed))
    assert changed["order_id"] == record["order_id"]
    assert changed["email"] == record["email"]
    assert canonical(changed) != before
    assert canonical(record) == before
    assert changed.keys() == record.keys()


UPDATED = maker_of(EVERYTHING.replace("380KB, count: 2", "64, count: 2"), keys=frozenset({"order_id", "email"}))


def test_an_update_of_what_hardly_varies_changes_it_nevertheless() -> None:
    maker = maker_of("id: uuid\nplan: {choice: {free: 99, gold: 1}}\nfixed: {choice: [one]}", keys=frozenset({"id"}))
    changed = [maker.changed({"id": "a", "plan": "free", "fixed": "one"}, random.Random(seed)) for seed in range(50)]
    assert sum(record == {"id": "a", "plan": "gold", "fixed": "one"} for record in changed) > 40


def test_records_share_nothing_that_can_be_changed() -> None:
    maker = maker_of("a: {const: {b: [1]}}\nc: {choice: [[1]]}\nd: {faker: {provider: pylist, with: {nb_elements: 2}}}")
    first = maker.record(0)
    before = canonical(maker.record(0))
    first["a"]["b"].append(2)
    first["c"].append(2)
    first["d"].append(2)
    assert canonical(maker.record(0)) == before


def test_numbers_written_in_the_file_stay_exact() -> None:
    record = maker_of(
        "big: {const: 12345678901234567890123456789012345678}\n"
        "exact: {const: 1234567890.12345678901234567890}\n"
        "list: {const: [0.1]}"
    ).record(0)
    assert record["big"] == 12345678901234567890123456789012345678
    assert record["exact"] == Decimal("1234567890.12345678901234567890")
    assert record["list"] == [Decimal("0.1")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: nmae", "unknown Faker provider 'nmae'; did you mean 'name'"),
        ("a: {faker: {provider: name, locale: de_DD}}", "unknown Faker locale 'de_DD'; did you mean 'de_DE'"),
        ("a: {faker: {provider: name, with: {nope: 1}}}", "Faker's 'name' does not work here: TypeError"),
        (
            "a: {faker: {provder: name}}",
            "unknown key 'provder' in 'faker' of attribute 'a' in store 'orders'; did you mean",
        ),
        ("a: seed_instance", "unknown Faker provider 'seed_instance'"),
        ("a: {sequnce: 1}", "unknown form 'sequnce'; did you mean 'sequence'?"),
        ("a: {sequence: 1, number: {max: 2}}", "expected one form, found 2: sequence, number"),
        ("a: {sequence: ORD}", "with {n} once"),
        ("a: {sequence: '{n:99999d}'}", "expected a width such as {n:08d}"),
        ("a: {template: '{b}'}", "is made from 'b', which must be an attribute that stands before it"),
        ("ab: name\na: {template: '{abb}'}", "did you mean 'ab'?"),
        ("a: {template: '{'}", "is no template"),
        ("a: {template: '{n.real}'}", "braces hold an attribute's name"),
        ("a: {ref: a}", "is made from 'a', which must be an attribute that stands before it"),
        ("a: {number: {min: 5, max: 2}}", "expected the smaller value first, found 5 to 2"),
        ("a: {number: {}}", "the key 'max' is missing in 'number' of attribute 'a'"),
        (
            "a: {number: {max: many}}",
            "'max' in 'number' of attribute 'a' in store 'orders': expected a whole number, found 'many'",
        ),
        ("a: {decimal: {max: 3, digits: 4}}", "expected either 'max' (and 'min') or 'digits'"),
        ("a: {bytes: 1MB}", "expected a size such as 64 or '380KB'"),
        ("a: {text: 500KB}", "less than or equal to 409600"),
        ("a: {set: {of: name, size: 0}}", "DynamoDB has no empty sets"),
        ("a: {set: {of: {map: {b: name}}}}", "expected a set of text, numbers or bytes, found a set of maps"),
        ("a: {list: {of: nmae}}", "unknown Faker provider 'nmae'"),
        ("a: {map: {b: nmae}}", "attribute 'a.b' in store 'orders': unknown Faker provider"),
        ("a: {map: [1]}", "expected a mapping, found a list"),
        ("a: {either: []}", "at least 1 item"),
        ("a: {choice: []}", "expected at least one value to choose from"),
        ("a: {choice: {x: 0}}", "one above zero"),
        ("a: {time: {from: 1h, to: 5}}", "expected a duration with its unit"),
        ("a: {time: {from: 1h, to: -1h}}", "expected the smaller value first"),
        ("a: {time: {as: julian}}", "expected 'epoch', 'milliseconds' or 'iso', found 'julian'"),
        (
            "a: {share: 2, choice: [a]}",
            "'share' in attribute 'a' in store 'orders': expected a number less than or equal to 1",
        ),
        ("a: {share: 0.5}", "expected a Faker provider or a form"),
        ("a: 5", "expected a Faker provider or a form such as {choice: [a, b]}, found 5"),
        ("a:", "expected a Faker provider or a form such as {choice: [a, b]}, found nothing"),
        ("[a]", "expected a mapping of attributes, found a list"),
        ("{}", "expected a mapping of attributes, found an empty mapping"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    found = complaints_of(text)
    assert len(found) == 1
    assert message in found[0]


def test_all_that_is_wrong_is_named_at_once() -> None:
    assert len(complaints_of("a: nmae\nb: emial\nc: {numbr: 5}\nd: name")) == 3


# --- Records from a file -------------------------------------------------------------------------------------------


def write(folder: Path, name: str, content: str) -> RecordsFrom:
    (folder / name).write_text(content, encoding="utf-8")
    return RecordsFrom(file=name)


def test_json_lines(tmp_path: Path) -> None:
    photo = base64.b64encode(b"\x00\xff").decode()
    given_file = write(
        tmp_path,
        "clients.jsonl",
        f'{{"id": 1, "balance": 12345678901234567890.12345678901234567, "photo": "{photo}", "tags": ["a", "b"]}}\n\n'
        '{"id": 2, "balance": 0.1, "photo": "", "tags": ["é"]}\n',
    )
    spec = read_file("clients", RecordsFrom(file=given_file.file, types={"photo": "base64", "tags": "set"}), tmp_path)
    assert spec.records[0] == {
        "id": 1,
        "balance": Decimal("12345678901234567890.12345678901234567"),
        "photo": b"\x00\xff",
        "tags": {"a", "b"},
    }


def test_csv(tmp_path: Path) -> None:
    write(tmp_path, "clients.csv", 'id,active,balance,extra\n7,true,1.50,"{""a"": [1.1]}"\n')
    types = RecordsFrom(file="clients.csv", types={"active": "boolean", "balance": "number", "extra": "json"})
    assert read_file("clients", types, tmp_path).records == (
        {"id": "7", "active": True, "balance": Decimal("1.50"), "extra": {"a": [Decimal("1.1")]}},
    )


@pytest.mark.parametrize(
    ("values", "key"),
    [([1, 5], "number"), (["a", "b"], "text"), ([b"\x00", b"\x01"], "bytes"), ([Decimal("0.5"), 9], "both")],
)
def test_a_file_that_is_used_up_goes_on_with_new_keys(values: list[Any], key: str) -> None:
    spec = FileRecords("clients", tuple({"id": value, "v": n} for n, value in enumerate(values)), frozenset({"id"}))
    maker = make_records(spec, 0, START)
    assert len({maker.record(n)["id"] for n in range(50)}) == 50, key
    changed = maker.changed(maker.record(4), random.Random(1))
    assert changed == {"id": maker.record(4)["id"], "v": 1}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"id": 1}\n{"id": }\n', "a.jsonl:2:8: this line is not JSON"),
        ("a.jsonl", '{"id": NaN}', "a.jsonl:1:1: this line is not JSON that a record can hold: NaN"),
        ("a.jsonl", "[1]", "a.jsonl:1:1: expected a record as a JSON object, found a list"),
        ("a.jsonl", "", "expected at least one record, found none"),
        ("a.csv", "id,b\n1,2,3\n", "a.csv:2:1: expected 2 fields as in the first line, found more"),
        ("a.csv", "id,b\n1\n", "a.csv:2:1: expected 2 fields as in the first line, found fewer"),
        ("a.csv", 'id,b\n"1,2\n', "this is not CSV"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_file("clients", write(tmp_path, name, content), tmp_path)
    assert message in str(caught.value)


def test_types_of_a_file_are_checked(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "id,balance\n1,much\n")
    with pytest.raises(ConfigurationError, match=r"a.csv:2:1: 'balance': expected a number, found 'much'"):
        read_file("clients", RecordsFrom(file="a.csv", types={"balance": "number"}), tmp_path)
    with pytest.raises(ConfigurationError, match=r"no record has the attribute 'balanse'.*did you mean 'balance'"):
        read_file("clients", RecordsFrom(file="a.csv", types={"balanse": "string"}), tmp_path)


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"id\n1\n\xff\n")
    with pytest.raises(ConfigurationError, match=r"a.csv:3:1: expected UTF-8, found the byte 0xff"):
        read_file("clients", RecordsFrom(file="a.csv"), tmp_path)
