"""Estate files: what they say becomes the estate, what is wrong is told with its position, all of it at once."""

# ruff: noqa: E501 - a case a line can be read and compared.
from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import Field

from drills import plugins
from drills.checked import Checked, _model_within
from drills.durations import seconds, written
from drills.errors import ConfigurationError, UsageError
from drills.estate import REFERENCE, parse_estate, read_estate
from drills.estate_file import EstatePart, StorePart
from drills.estate_reference import RECORD_FORMS
from drills.locations_in_yaml import read_yaml
from drills.model import Estate, ProtectionUse
from drills.record_file import RecordsFrom
from drills.record_forms import FORMS
from drills.record_scalar_forms import Form
from drills.records import Presence, read_attributes

GOOD = """\
summary: Two tables.
accounts:
  production: {id: 012345678901, region: eu-west-1}
stores:
  - name: orders
    kind: shelf
    key: {partition: order_id}
    records: {order_id: uuid, total: {decimal: {max: 10}}}
    protections: [copies, {snapshots: {every: 1h}}]
    objectives: {rto: 4h, rpo: 1h30m}
    production: {size_gb: 800, items: 800_000_000}
  - name: clients
    kind: shelf
    key: {partition: id}
    records: {id: {sequence: 1}, email: email}
    share: 0.5
    workload: {writes_per_minute: 12, inserts: 1, updates: 2, deletes: 3, erasures: 0.5}
    protections: [snapshots]
    objectives: {rto: 90s, rpo: 1d}
    production: {size_gb: 1.5, items: 1}
modules:
  data: [orders, orders/copies]
response:
  detect: {default: 10m, bulk_erase: 2h}
  decide: 5m
  cut_over: 30s
workload_minutes: 20
"""


class ShelfConfig(Checked):
    key: ShelfKey
    label: str = Field(default="", alias="label")


class ShelfKey(Checked):
    partition: str
    sort: str | None = None


class Shelf:
    """A kind of store for these tests: what an estate file asks of one, and no more."""

    name = "shelf"
    model = ShelfConfig

    def parse(self, node: Mapping[str, Any]) -> ShelfConfig:
        return ShelfConfig.model_validate(node)

    def key_of(self, config: ShelfConfig, record: Mapping[str, Any]) -> str:
        return json.dumps([record[name] for name in (config.key.partition, config.key.sort) if name])

    def encode(self, config: ShelfConfig, record: Mapping[str, Any]) -> bytes:
        if "refuse" in record:
            raise ValueError("the shelf refuses it")
        return repr(record).encode()

    def expires_at(self, config: ShelfConfig, record: Mapping[str, Any]) -> None:
        return None


class Snapshots:
    name = "snapshots"
    kind = "shelf"
    summary = "snapshots"

    def check(self, options: Mapping[str, Any]) -> None:
        for option in options:
            if option != "every":
                raise ValueError(f"{option}: there is no such option; expected every")
        seconds(options.get("every", "1h"))


class Copies(Snapshots):
    name = "copies"


class Films(Snapshots):
    name = "films"
    kind = "reel"


@pytest.fixture(autouse=True)
def shelf(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {
        "protection": {"snapshots": Snapshots(), "copies": Copies(), "films": Films()},
        "kind": {"shelf": Shelf()},
    }
    monkeypatch.setattr(plugins, "_modules", lambda package, attribute: found[attribute])


def parse(text: str) -> Estate:
    return parse_estate(text, file="fixtures/e.yaml", name="e", folder=Path("nowhere"))


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        parse(text)
    return [line.removeprefix("fixtures/e.yaml:") for line in str(caught.value).splitlines()]


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) >= 1
    return GOOD.replace(old, new, 1)


def test_what_the_file_says_is_the_estate() -> None:
    estate = parse(GOOD)
    assert estate.name == "e"
    assert estate.source == GOOD
    assert estate.accounts["production"].id == "012345678901"
    assert {a.role: (a.id, a.region) for a in estate.accounts.values()}["vault"] == ("222222222222", "eu-central-1")
    orders, clients = estate.stores
    assert orders.protections == (ProtectionUse("copies"), ProtectionUse("snapshots", {"every": "1h"}))
    assert (orders.objectives.rto_seconds, orders.objectives.rpo_seconds) == (14_400, 5_400)
    assert (clients.objectives.rto_seconds, clients.objectives.rpo_seconds) == (90, 86_400)
    assert (orders.production.size_gb, orders.production.items) == (800, 800_000_000)
    assert (clients.share, clients.workload.erasures, clients.workload.writes_per_minute) == (0.5, 0.5, 12)
    assert orders.records.keys == {"order_id"}
    assert estate.modules[0].resources == ("orders", "orders/copies")
    assert estate.response.detect("bulk_erase:overwrite") == 7200
    assert estate.response.detect("account_loss") == 600
    assert (estate.response.decide_seconds, estate.response.cut_over_seconds) == (300, 30)
    assert estate.workload_minutes == 20


def test_aliases_and_merge_keys() -> None:
    text = changed("objectives: {rto: 4h, rpo: 1h30m}", "objectives: &demand {rto: 4h, rpo: 1h30m}")
    text = text.replace("objectives: {rto: 90s, rpo: 1d}", "objectives: {<<: *demand, rto: 90s}")
    orders, clients = parse(text).stores
    assert (orders.objectives.rto_seconds, orders.objectives.rpo_seconds) == (14_400, 5_400)
    assert (clients.objectives.rto_seconds, clients.objectives.rpo_seconds) == (90, 5_400)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("objectives: {rto: 4h", "objetives: {rto: 4h",
         "10:5: unknown key 'objetives' in store 'orders'; did you mean 'objectives'?"),
        ("key: {partition: order_id}", "kye: {partition: order_id}",
         "7:5: unknown key 'kye' in store 'orders'; did you mean 'key'?"),
        ("key: {partition: order_id}", "key: {partion: order_id}",
         "7:11: unknown key 'partion' of 'key' in store 'orders'; did you mean 'partition'?"),
        ("key: {partition: order_id}", "key: order_id",
         "7:10: 'key' in store 'orders': expected a mapping, found 'order_id'"),
        ("workload_minutes: 20", "workload_minuets: 20",
         "27:1: unknown key 'workload_minuets'; did you mean 'workload_minutes'?"),
        ("  decide: 5m", "  decid: 5m", "25:3: unknown key 'decid' of 'response'; did you mean 'decide'?"),
        ("rto: 4h", "rto: 4",
         "10:23: 'objectives.rto' in store 'orders': expected a duration with its unit, such as 90s, 15m, 4h or 1d, found 4"),
        ("rto: 4h", "rto: 4 hours",
         "10:23: 'objectives.rto' in store 'orders': expected a duration with its unit, such as 90s, 15m, 4h or 1d, "
         "found '4 hours'"),
        ("{rto: 4h, rpo: 1h30m}", "{rto: 4h}", "10:5: the key 'rpo' of 'objectives' is missing in store 'orders'"),
        ("    production: {size_gb: 800, items: 800_000_000}\n", "", "5:5: the key 'production' is missing in store 'orders'"),
        ("size_gb: 800", "size_gb: lots", "11:27: 'production.size_gb' in store 'orders': expected a number, found 'lots'"),
        ("size_gb: 800", "size_gb: -1", "11:27: 'production.size_gb' in store 'orders': expected a number greater than 0, found -1"),
        ("size_gb: 800", "size_gb: true", "11:27: 'production.size_gb' in store 'orders': expected a number, found true"),
        ("name: orders", "name: or ders",
         "5:11: 'name' in store 'or ders': expected a name of letters, digits, '_', '-' and '.', at most 100, found 'or ders'"),
        ("name: orders", "nam: orders", "5:5: unknown key 'nam' in store 'number 1'; did you mean 'name'?"),
        ("kind: shelf", "kind: shelv", "6:11: unknown kind of store 'shelv'; did you mean 'shelf'?"),
        ("[copies, {", "[copis, {", "9:19: store 'orders': unknown protection 'copis'; did you mean 'copies'?"),
        ("[copies, {", "[films, {",
         "9:19: the protection 'films' in store 'orders' is for stores of kind 'reel', found kind 'shelf'"),
        ("{every: 1h}", "{evry: 1h}",
         "9:40: the protection 'snapshots' in store 'orders': evry: there is no such option; expected every"),
        ("{snapshots: {every: 1h}}", "{snapshots: {every: 1h}, films: {}}",
         "9:27: a protection in store 'orders': expected its name, or {name: {option: value}}, found a mapping"),
        ("[copies, {", "[copies, copies, {", "9:27: the protection 'copies' stands twice in store 'orders'; expected once"),
        ("[copies, {snapshots: {every: 1h}}]", "[]",
         "9:18: 'protections' in store 'orders': expected at least 1 item, found none"),
        ("[copies, {snapshots: {every: 1h}}]", "copies", "9:18: 'protections' in store 'orders': expected a list, found 'copies'"),
        ("[orders, orders/copies]", "[order]",
         "22:10: module 'data' names the store 'order', which does not exist; did you mean 'orders'?"),
        ("[orders, orders/copies]", "[orders, orders/copis]",
         "22:18: module 'data' names the protection 'copis' of store 'orders', which has none of that name; "
         "did you mean 'copies'?"),
        ("bulk_erase: 2h", "bulk_eras: 2h",
         "24:26: unknown scenario 'bulk_eras' in 'response.detect'; did you mean 'bulk_erase'?"),
        ("default: 10m, ", "", "24:3: 'response.detect': the key 'default' is missing, for every other scenario"),
        ("id: 012345678901", "id: 1234", "3:20: 'accounts.production.id': expected an account id of 12 digits, found 1234"),
        ("id: 012345678901", "id: '222222222222'",
         "3:3: account 'vault' has the id 222222222222 of account 'production'; expected an account of its own"),
        ("region: eu-west-1", "region: ireland",
         "3:42: 'accounts.production.region': expected a region such as eu-west-1, found 'ireland'"),
        ("  production: {id", "  prodution: {id", "3:3: unknown key 'prodution' of 'accounts'; did you mean 'production'?"),
        ("name: clients", "name: orders", "12:11: a second store is named 'orders'; expected a name of its own"),
        ("    share: 0.5", "    share: 0.5\n    share: 0.6",
         "17:5: the key 'share' stands here a second time; the first is in line 16"),
        ("{order_id: uuid, total", "{order_id: name, total",
         "8:14: the key of store 'orders' is made of 'order_id', whose values repeat; make one of them unique with uuid, "
         "sequence or a template with {n}"),
        ("{order_id: uuid, total", "{id: uuid, total", "7:22: record 1 of store 'orders' lacks 'order_id', which the store needs; it has 'id' and 'total'"),
        ("{order_id: uuid, total", "{order_id: uuid, refuse",
         "8:14: record 1 of store 'orders' cannot be stored: ValueError: the shelf refuses it"),
        ("{order_id: uuid, total", "{order_id: {uuiid: }, total",
         "8:26: attribute 'order_id' in store 'orders': unknown form 'uuiid'; did you mean 'uuid'?"),
        ("    records: {order_id: uuid, total: {decimal: {max: 10}}}\n", "",
         "5:5: expected either 'records' or 'records_from' in store 'orders', found neither"),
        ("    records: {order_id: uuid, total: {decimal: {max: 10}}}\n", "    records_from: orders.jsonl\n",
         "8:19: store 'orders': the file 'orders.jsonl' beside the estate cannot be read: No such file or directory"),
        ("inserts: 1, updates: 2, deletes: 3, erasures: 0.5", "inserts: 0, updates: 0, deletes: 0",
         "17:15: 'workload' in store 'clients': expected one of inserts, updates, deletes, erasures above zero, found none"),
        ("share: 0.5", "share: .inf", "16:12: expected a finite number, found '.inf'"),
        ("share: 0.5", "share: !percent 5", "16:12: the tag !percent means nothing here; leave it out"),
        ("share: 0.5", "share: 2020-01-01", "16:12: 'share' in store 'clients': expected a number, found '2020-01-01'"),
        ("{default: 10m, bulk_erase: 2h}", "15m", "24:11: 'response.detect': expected a mapping, found '15m'"),
        ("summary: Two tables.", "summary: [Two, tables]", "1:10: 'summary': expected text, found a list"),
        ("summary: Two tables.", 'summary: "\\ud800"', "1:10: expected text of Unicode characters, found '\\ud800'"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_the_likely_word(old: str, new: str, problem: str) -> None:
    found = problems(changed(old, new))
    assert found == [problem]


def test_all_mistakes_of_a_file_are_told_at_once_in_the_order_of_the_file() -> None:
    text = GOOD.replace("objectives: {rto: 4h", "objetives: {rto: 4h").replace("email: email", "email: emial")
    text = text.replace("[orders, orders/copies]", "[invoices]").replace("share: 0.5", "share: 0.5\n    share: 1")
    text = text.replace("summary: Two", "sumary: Two")
    assert [line.split(":")[0] for line in problems(text)] == ["1", "10", "15", "17", "23"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("stores: [1", "1:11: this is not YAML: expected ',' or ']'"),
        ("a: b: c", "1:5: this is not YAML: mapping values are not allowed here"),
        ("stores:\n\t- a", "2:1: a tab; YAML is indented with spaces"),
        ("a: *nowhere", "1:4: this is not YAML: found undefined alias 'nowhere'"),
        ("--- a\n--- b", "2:1: this is not YAML: but found another document"),
        ("name: e\na: \x00", "2:4: a character that YAML does not allow, U+0000"),
        ("[" * 5000, "the file is nested too deeply to be read"),
        ("", "1:1: expected an estate as a mapping with the key 'stores', found nothing"),
        ("[]", "1:1: expected an estate as a mapping with the key 'stores', found an empty list"),
        ("just words", "found 'just words'"),
        ("{}", "1:1: the key 'stores' is missing"),
        ("stores: []", "1:9: 'stores': expected at least 1 item"),
        ("stores: [orders]", "1:10: expected a store as a mapping with a name and a kind, found 'orders'"),
        ("stores: &a [*a]", "1:9: the alias *a contains itself"),
        ("stores: [{? [a] : b}]", "a key must be a word"),
        ("stores: !!python/object:os.system []", "the tag !!python/object:os.system means nothing here"),
        (f"stores: {'9' * 5000}", "expected a whole number of fewer than 4,300 digits"),
    ],
)
def test_what_is_no_estate_at_all(text: str, problem: str) -> None:
    assert any(problem in line for line in problems(text))


def test_aliases_within_aliases_do_not_fill_the_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert any("more than 100,000 values" in line for line in problems("\n".join(lines)))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be read: No such file or directory"):
        read_estate(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(
        ConfigurationError, match=r"bad.yaml:2:4: expected UTF-8, found the byte 0xff; save the file as UTF-8"
    ):
        read_estate(tmp_path / "bad.yaml")


def test_records_from_a_file_beside_the_estate(tmp_path: Path) -> None:
    old = "records: {order_id: uuid, total: {decimal: {max: 10}}}"
    path = tmp_path / "own.yaml"
    path.write_text(GOOD.replace(old, "records_from: orders.jsonl"))
    (tmp_path / "orders.jsonl").write_text('{"order_id": "a"}\n{"order_id": "b"}\n')
    estate = read_estate(path)
    assert estate.name == "own"
    assert estate.stores[0].records.keys == {"order_id"}
    (tmp_path / "orders.jsonl").write_text('{"order_id": "a"}\n{"order_id": "a"}\n')
    with pytest.raises(ConfigurationError, match=r"own.yaml:8:19: records 1 and 2 of store 'orders' have the same key"):
        read_estate(path)
    path.write_text(GOOD.replace(old, "records_from: {file: orders.jsonl, type: {}}"))
    with pytest.raises(
        ConfigurationError, match=r"unknown key 'type' in 'records_from' in store 'orders'; did you mean 'types'"
    ):
        read_estate(path)


def test_a_scenario_beside_the_estate_is_known(tmp_path: Path) -> None:
    (tmp_path / "fixtures").mkdir()
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "leaked_key.py").touch()
    path = tmp_path / "fixtures" / "own.yaml"
    path.write_text(GOOD.replace("bulk_erase: 2h", "leaked_key: 2h"))
    assert read_estate(path).response.detect("leaked_key") == 7200


# --- Any text at all -----------------------------------------------------------------------------------------------


def either_an_estate_or_an_error_with_a_place(text: str) -> None:
    try:
        outcome: Estate | ConfigurationError = parse(text)
    except ConfigurationError as error:
        outcome = error
    if isinstance(outcome, ConfigurationError):
        assert str(outcome).startswith("fixtures/e.yaml:")
        assert outcome.line >= 1
        assert outcome.column >= 1


@given(st.text())
@example("\ud800")
@example("%YAML 9.9\n---\n")
@example("? ")
@example("<<: [1]")
@example("a: 0o")
@example("a: !!binary '='")
@example("a: !!float x")
@example("'': ''\n'': ''")
def test_any_text(text: str) -> None:
    either_an_estate_or_an_error_with_a_place(text)


TEXTS = st.text() | st.text(alphabet="{}[],:&*!?|>'\"#%@`-\n ab01.~<_\\")
PARTS = st.sampled_from(
    [*"{}[],:&*!?|>'\"#%@`-\n ", "  ", "\n  - ", "<<", "~", "null", "true", "1e400", "-1", "0x", "5m", "&a", "*a", "!!int", "é", "𝒜"]
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, len(GOOD)), st.integers(0, 12), PARTS), min_size=1, max_size=4))
def test_any_damage_to_a_good_file(damages: list[tuple[int, int, str]]) -> None:
    text = GOOD
    for at, length, part in damages:
        text = text[:at] + part + text[at + length :]
    either_an_estate_or_an_error_with_a_place(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.sampled_from(["15m", "uuid"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from([*EstatePart.model_fields, *StorePart.model_fields, *FORMS, "a", "of", "size", "key", "partition"]),
        inner,
        max_size=5,
    ),
    max_leaves=12,
)  # fmt: skip


PLACES = ["stores", "modules", "response", "accounts", "records", "records_from", "protections", "key", "objectives"]


def put_in_place(value: Any, place: str) -> None:
    data = read_yaml(GOOD, "good").data
    holder = data if place in data else data["stores"][0]
    holder[place] = value
    either_an_estate_or_an_error_with_a_place(json.dumps(data, default=str))


@settings(deadline=None)
@given(JSON, st.sampled_from(PLACES))
def test_any_value_in_any_place(value: Any, place: str) -> None:
    put_in_place(value, place)


@pytest.mark.soak
@settings(max_examples=4000, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS)
def test_any_text_for_long(text: str) -> None:
    either_an_estate_or_an_error_with_a_place(text)


@pytest.mark.soak
@settings(max_examples=3000, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(JSON, st.sampled_from(PLACES))
def test_any_value_in_any_place_for_long(value: Any, place: str) -> None:
    put_in_place(value, place)


# --- The reference -------------------------------------------------------------------------------------------------


def keys_of(model: type[Any]) -> set[str]:
    """The keys of a model and of the models within it."""
    found = set()
    for name, info in model.model_fields.items():
        found.add(info.alias or name)
        inner = _model_within(info.annotation)
        found |= keys_of(inner) if inner is not None and inner is not Form else set()
    return found


def test_the_reference_has_every_key_and_every_form() -> None:
    shorthands = {form.shorthand for form in FORMS.values()} - {"of", "provider"}
    models: list[type[Any]] = [EstatePart, StorePart, RecordsFrom, Presence, *FORMS.values()]
    known = {key for model in models for key in keys_of(model)}
    for key in sorted(known | set(FORMS)):
        if key not in shorthands or key in FORMS:
            assert re.search(rf"[`.{{\s]{key}[`:.]", REFERENCE), key


def test_every_form_of_the_reference_is_accepted() -> None:
    """What the table shows can be copied from it."""
    rows = RECORD_FORMS.splitlines()[2:]
    forms = [form for row in rows if row.startswith("|") for form in re.findall(r"`([^`]+)`", row.split(" | ")[0])]
    assert len(forms) > 15
    for form in forms:
        spec, wrong = read_attributes("s", read_yaml(f"email: email\na: {form}", "f").data, ())
        assert wrong == []
        assert spec is not None


def test_durations() -> None:
    assert [seconds(text) for text in ("90s", "15m", "4h", "1d", "1h30m", "0.5h", "1h 5s")] == [
        90, 900, 14_400, 86_400, 5_400, 1_800, 3_605
    ]  # fmt: skip
    for wrong in ("", "4", "h", "4x", "-4h", "4h!", 4, None, True, "9" * 30 + "d", "999999999d"):
        with pytest.raises(ValueError, match="expected a duration"):
            seconds(wrong)
    assert [written(value) for value in (0, 4.25, 59.9, 60, 750, 3720, 100_000, None)] == [
        "0s", "4.25s", "59.9s", "1m", "12m 30s", "1h 02m", "1d 03h", "–"
    ]  # fmt: skip


def test_the_text_is_what_the_evidence_keeps() -> None:
    text = textwrap.dedent(GOOD) + "# a remark\n"
    assert parse(text).source == text
