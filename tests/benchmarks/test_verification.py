"""Verifying what was read back, beside reading it: the floor under any verification is what boto3 needs to read."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from drills.evidence import Evidence, EvidenceFile, read_inventory, read_ledger
from drills.ledger import Ledger
from drills.model import Observed, Write
from drills.simulator import SimulatedAWS
from drills.stores.dynamodb_items import canonical, item_of
from drills.verify import Expectations, Reading, Verification, verify
from tests.benchmarks.stock_parser import stock_parser

pytestmark = pytest.mark.benchmark
RECORDS = 100_000
READ_THROUGH_BOTO3 = 20_000
READING = Reading(0, 0)


def item(number: int) -> bytes:
    """A record of about 400 bytes with every common type."""
    return canonical(
        {
            "id": {"S": f"{number:032x}"},
            "name": {"S": f"Somebody with a name and a number {number}"},
            "balance": {"N": f"{number}.123456789012345678901"},
            "address": {
                "M": {"street": {"S": f"{number} Long Street"}, "city": {"S": "Zürich"}, "code": {"N": "8001"}}
            },
            "consents": {"SS": ["mail", "phone", "post"]},
            "text": {"S": "x" * 120},
        }
    )


def key(number: int) -> str:
    return f'{{"id":{{"S":"{number:032x}"}}}}'


def written(folder: Path) -> tuple[EvidenceFile, EvidenceFile]:
    """A ledger of all records, every tenth written twice, and their inventory in another order."""
    ledger = Ledger()
    for number in range(RECORDS):
        if number % 10 == 0:
            ledger.append(Write(len(ledger) + 1, key(number), "put", b'{"id":{"S":"before"}}', 1, 2))
        ledger.append(Write(len(ledger) + 1, key(number), "put", item(number), 3, 4))
    evidence = Evidence.create(folder, {"drill": {"id": "b"}})
    order = ((number * 7919) % RECORDS for number in range(RECORDS))
    observed = (Observed(key(number), item(number)) for number in order)
    return evidence.write_ledger("s", "t", ledger), evidence.write_inventory("s", "t", "p", observed)


def verified(folder: Path, ledger: EvidenceFile, inventory: EvidenceFile) -> Verification:
    return verify(Expectations(read_ledger(folder, ledger)), read_inventory(folder, inventory), READING)


def seconds_to_read() -> float:
    """Seconds for one item, read by scans through a plain boto3 client on the simulated AWS.

    With botocore's own parser, as it is for a client who reads from a real account.
    """
    with SimulatedAWS(seed=1), stock_parser():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        client.create_table(
            TableName="people",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        for batch in batches():
            client.batch_write_item(RequestItems={"people": batch})
        began = time.perf_counter()
        pages = client.get_paginator("scan").paginate(TableName="people")
        read = sum(len(page["Items"]) for page in pages)
        assert read == READ_THROUGH_BOTO3
        return (time.perf_counter() - began) / read


def batches() -> Iterator[list[Any]]:
    for first in range(0, READ_THROUGH_BOTO3, 25):
        yield [{"PutRequest": {"Item": item_of(item(number))}} for number in range(first, first + 25)]


def test_verification_takes_at_most_a_quarter_of_the_reading(tmp_path: Path) -> None:
    ledger, inventory = written(tmp_path / "d")
    runs = []
    for _ in range(3):
        began = time.perf_counter()
        found = verified(tmp_path / "d", ledger, inventory)
        runs.append((time.perf_counter() - began) / RECORDS)
    assert (found.counts.expected, found.counts.recovered) == (RECORDS, RECORDS)
    reading = seconds_to_read()
    ratio = min(runs) / reading
    print(  # noqa: T201
        f"{RECORDS:,} records verified against their ledger at {min(runs) * 1e6:.2f} µs each, "
        f"read through boto3 at {reading * 1e6:.0f} µs each: {ratio:.1%} of the reading"
    )
    assert ratio <= 0.25


def test_a_hundred_thousand_records_fit_easily(tmp_path: Path) -> None:
    ledger, inventory = written(tmp_path / "d")
    tracemalloc.start()
    try:
        verified(tmp_path / "d", ledger, inventory)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    on_disk = (tmp_path / "d" / ledger.file).stat().st_size
    print(f"peak {peak / 1e6:.0f} MB for a ledger of {on_disk / 1e6:.0f} MB: {peak / on_disk:.1f} times as much")  # noqa: T201
    assert peak / RECORDS < 2000
