"""What the canonical form of an item and its digest cost, beside the plain way to get there."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer

from drills.estate import parse_estate
from drills.records import make_records
from drills.stores.dynamodb_items import Item, canonical, encoded, item_of
from tests.stores.table_site import estate_text

pytestmark = pytest.mark.benchmark
ITEMS = 20_000
PEOPLE = """
    key: {partition: id}
    records:
      id: {sequence: "C-{n:08d}"}
      name: name
      email: {template: "{name}.{n}@example.org"}
      phone: phone_number
      address: {map: {street: street_address, city: city, country: country}}
      balance: {decimal: {min: -999, max: 99999, places: 2}}
      points: {number: {min: 0, max: 250000}}
      active: {choice: [true, false]}
      joined_at: {time: {from: -1000d, to: 0s, as: milliseconds}}
"""


def people(more: str = "") -> list[dict[str, Any]]:
    """Items as boto3 gives them, about 400 B each in JSON."""
    estate = parse_estate(estate_text(PEOPLE + more), file="f.yaml", name="f", folder=Path())
    maker = make_records(estate.stores[0].records, 1, datetime(2026, 1, 5, 9, tzinfo=UTC))
    return [item_of(encoded(maker.record(n))) for n in range(ITEMS)]


def per_second(digest: Callable[[Item], bytes], items: Sequence[Item]) -> float:
    """Items in a second of one core's time: the best of five runs, as others share the machine."""
    best = float("inf")
    for _ in range(5):
        began = time.process_time()
        for item in items:
            digest(item)
        best = min(best, time.process_time() - began)
    return len(items) / best


def compared(what: str, items: Sequence[Item]) -> float:
    """How many times as fast as the plain way; told with the figures."""
    ours, naive = per_second(quick, items), per_second(plain, items[:4000])
    size = sum(len(canonical(item)) for item in items) / len(items)
    print(f"canonical form and digest, {what}, {size:.0f} B: {ours:,.0f} items/s, {ours / naive:.1f}x plain")  # noqa: T201
    return ours / naive


def quick(item: Item) -> bytes:
    return hashlib.sha256(canonical(item)).digest()


def plain(item: Item) -> bytes:
    deserialize: Callable[[Any], Any] = TypeDeserializer().deserialize
    values = {name: deserialize(value) for name, value in item.items()}
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=_plain).encode()).digest()


def _plain(value: Any) -> Any:
    return sorted(map(str, value)) if isinstance(value, set) else str(value)


def test_plain_numbers_and_no_sets() -> None:
    assert compared("plain numbers, no sets", people()) > 2.5


def test_sets() -> None:
    of_text = "      consents: {set: {of: {choice: [a, b, c, d]}, size: [2, 3]}}\n"
    of_numbers = "      sizes: {set: {of: {number: {max: 99}}, size: 3}}\n"
    assert compared("a set of text", people(of_text)) > 1.3
    assert compared("a set of numbers", people(of_numbers)) > 1.3


def test_numbers_that_must_be_rewritten() -> None:
    items = [{**item, "balance": {"N": f"{Decimal(item['balance']['N']):.4f}"}} for item in people()]
    assert compared("a number with needless zeros", items) > 1.3
