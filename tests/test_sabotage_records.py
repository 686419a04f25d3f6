"""Sabotage of records: whatever is wrong about one of them, by however little, is told by its key."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from drills.model import Location, Write
from drills.plugins import load_store_kind
from drills.simulator import SimulatedAWS
from drills.site import Site
from drills.stores import Outgoing
from drills.stores.dynamodb_items import item_of, key_text
from tests.small_drill import TEXT, attempt, change_restored, drill, failed, forget_setting, production, table, vault

COPY = "dynamodb_stream_copy"
Item = dict[str, Any]


def a_byte(item: Item) -> Item:
    portrait = item["portrait"]["B"]
    return {**item, "portrait": {"B": bytes([portrait[0] ^ 1]) + portrait[1:]}}


def a_type(item: Item) -> Item:
    return {**item, "visits": {"S": item["visits"]["N"]}}


def a_float(item: Item) -> Item:
    return {**item, "balance": {"N": repr(float(item["balance"]["N"]))}}


def empty_to_null(item: Item) -> Item:
    return {**item, "nickname": {"NULL": True}}


def a_list_reordered(item: Item) -> Item:
    return {**item, "addresses": {"L": item["addresses"]["L"][::-1]}}


def a_nested_member_lost(item: Item) -> Item:
    first, *others = item["addresses"]["L"]
    return {**item, "addresses": {"L": [{"M": {"street": first["M"]["street"]}}, *others]}}


def an_attribute_more(item: Item) -> Item:
    return {**item, "copied_by": {"S": "drills"}}


def a_set_to_a_list(item: Item) -> Item:
    return {**item, "consents": {"L": [{"S": one} for one in item["consents"]["SS"]]}}


@dataclass(frozen=True)
class Spoiled:
    """A change to one record of the copy, and the attribute that the mismatch must show changed."""

    how: Callable[[Item], Item]
    attribute: str


SPOILED = (
    Spoiled(a_byte, "portrait"),
    Spoiled(a_type, "visits"),
    Spoiled(a_float, "balance"),
    Spoiled(empty_to_null, "nickname"),
    Spoiled(a_list_reordered, "addresses"),
    Spoiled(a_nested_member_lost, "addresses"),
    Spoiled(an_attribute_more, "copied_by"),
    Spoiled(a_set_to_a_list, "consents"),
)


def test_every_small_change_of_a_record_is_told_by_its_key(tmp_path: Path) -> None:
    spoiled: dict[str, str] = {}

    def spoil(aws: SimulatedAWS) -> None:
        client = vault(aws, "dynamodb")
        name = table(client, "-copy")
        lasting = (item for item in client.scan(TableName=name)["Items"] if "expires_at" not in item)
        for change, item in zip(SPOILED, lasting, strict=False):
            client.put_item(TableName=name, Item=change.how(item))
            spoiled[key_text(item, ["person_id"])] = change.attribute

    report, _ = drill(tmp_path, "account_loss", at_failure=spoil)
    assert report.verdict == "fail"
    assert failed(report)["records.corrupt"].observed.startswith(f"{len(SPOILED)} records")
    told = {one.key: one for one in attempt(report, COPY).mismatches}
    assert told.keys() == spoiled.keys()
    assert {one.record_class for one in told.values()} == {"corrupt"}
    for key, attribute in spoiled.items():
        assert f'"{attribute}"' in f"{told[key].expected}{told[key].observed}"


def test_records_that_nobody_wrote(tmp_path: Path) -> None:
    """One with a key of its own, and one whose key differs from another's by its Unicode normalisation alone."""
    keys: list[str] = []

    def add(aws: SimulatedAWS) -> None:
        client = vault(aws, "dynamodb")
        name = table(client, "-copy")
        item = client.scan(TableName=name)["Items"][0]
        for form in ("NFC", "NFD"):
            other = {**item, "person_id": {"S": unicodedata.normalize(form, "Ren\u00e9e")}}
            client.put_item(TableName=name, Item=other)
            keys.append(key_text(other, ["person_id"]))

    report, _ = drill(tmp_path, "account_loss", at_failure=add)
    assert len(set(keys)) == 2
    assert failed(report)["records.corrupt"].observed.startswith("2 records")
    assert {(one.key, one.record_class) for one in attempt(report, COPY).mismatches} == {
        (key, "corrupt") for key in keys
    }


def test_acknowledged_writes_that_the_store_lost(tmp_path: Path) -> None:
    """Lost at the source, so that every protection is faithful to what it was given; only the ledger knows."""
    lost: list[str] = []

    def lose(aws: SimulatedAWS) -> None:
        client = production(aws, "dynamodb")
        name = table(client, "-people")
        for item in [one for one in client.scan(TableName=name)["Items"] if "expires_at" not in one][:6]:
            client.delete_item(TableName=name, Key={"person_id": item["person_id"]})
            lost.append(key_text(item, ["person_id"]))

    report, _ = drill(tmp_path, "table_deletion", at_failure=lose)
    assert report.verdict == "fail"
    told = {one.key: one.record_class for one in attempt(report, "dynamodb_system_backup").mismatches}
    assert told == dict.fromkeys(lost, "lost")


@pytest.mark.parametrize(
    ("scenario", "protection"),
    [
        ("bulk_erase", "dynamodb_pitr"),
        ("bulk_erase", "dynamodb_backup"),
        ("table_deletion", "dynamodb_system_backup"),
        ("account_loss", COPY),
    ],
)
def test_an_erased_person_is_back_whatever_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenario: str, protection: str
) -> None:
    """Brought back once the erasures were replayed: by a late duplicate, by a redrive, by a helping hand."""
    erased = remember_erased(monkeypatch)
    change_restored(
        monkeypatch, lambda client, name: client.put_item(TableName=name, Item=item_of(next(iter(erased.values()))))
    )
    text = TEXT.replace("dynamodb_pitr,", f"{protection},") if protection == "dynamodb_backup" else TEXT
    report, _ = drill(tmp_path, scenario, text=text)
    found = {one.check: one for one in attempt(report, protection).findings}["records.erased"]
    assert found.verdict == "fail"
    assert next(iter(erased)) in found.observed


def remember_erased(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The last item of everybody who is erased, by key, filled as the drill goes on."""
    kind: Any = load_store_kind("dynamodb")
    write_one, seed_all = kind.write, kind.seed
    last: dict[str, bytes] = {}
    erased: dict[str, bytes] = {}

    def seed(site: Site, at: Location, records: Iterable[Outgoing]) -> None:
        kept = list(records)
        last.update((record.key, record.item) for record in kept)
        seed_all(site, at, kept)

    def write(site: Site, at: Location, write: Write, payload: Any) -> None:
        if write.item is not None:
            last[write.key] = write.item
        elif write.kind == "erase":
            erased[write.key] = last[write.key]
        write_one(site, at, write, payload)

    monkeypatch.setattr(kind, "seed", seed, raising=False)
    monkeypatch.setattr(kind, "write", write, raising=False)
    return erased


def test_an_expired_record_is_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither purged by the recovery nor by a time to live that was put back."""
    kind: Any = load_store_kind("dynamodb")
    monkeypatch.setattr(kind, "purge_expired", lambda site, at: 0, raising=False)
    forget_setting(monkeypatch, "ttl")
    text = TEXT.replace("to: 20d}, share: 0.2", "to: 150m}, share: 0.5")
    report, _ = drill(tmp_path, "bulk_erase", text=text)
    assert failed(report)["records.expired"].verdict == "fail"
    assert "resurrected" in {one.record_class for one in attempt(report, "dynamodb_pitr").mismatches}
