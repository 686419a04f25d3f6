"""The simulated DynamoDB beside plain moto and beside the floor: botocore's own parser on the same bytes.

Times are of the processor, so that what else the machine does counts little. Plain moto is measured on fewer items, as
it takes about a millisecond for each whatever the table's size. All calls go through plain boto3 clients. Of a scan's
time nearly all is the client's: with botocore's parser as it is, a scan is fifteen times as fast as plain moto's, so
while a simulated AWS is active two functions of the parser are replaced (simulator/dynamodb/client_parsing.py).
"""

from __future__ import annotations

import gc
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.parsers import create_parser
from moto import mock_aws

from drills.simulator import SimulatedAWS
from tests.benchmarks.stock_parser import stock_parser

pytestmark = pytest.mark.benchmark


MOTO_ITEMS = 2_000
MOTO_SCANNED = 5_000
CREDENTIALS = {"region_name": "eu-west-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}


def person(n: int) -> dict[str, Any]:
    """About 400 bytes of DynamoDB JSON with a nested map."""
    return {
        "id": {"S": f"person-{n:08}"},
        "name": {"S": f"Alexandra Example {n}"},
        "email": {"S": f"alexandra.example.{n}@example.org"},
        "phone": {"S": "+49 30 1234567"},
        "age": {"N": str(n % 90)},
        "balance": {"N": f"{n % 1000}.25"},
        "active": {"BOOL": True},
        "address": {
            "M": {
                "street": {"S": "Long Street 12345"},
                "city": {"S": "Some City"},
                "code": {"S": "12345"},
                "country": {"S": "DE"},
            }
        },
        "tags": {"SS": ["new", "paying"]},
    }


@contextmanager
def simulated() -> Iterator[Any]:
    with SimulatedAWS():
        yield boto3.client("dynamodb", **CREDENTIALS)  # type: ignore[call-overload]


@contextmanager
def plain_moto() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("dynamodb", **CREDENTIALS)  # type: ignore[call-overload]


def make(client: Any, name: str = "people", **more: Any) -> None:
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )


def fill(client: Any, count: int, name: str = "people") -> float:
    """Seconds an item."""
    began = time.process_time()
    for start in range(0, count, 25):
        puts = [{"PutRequest": {"Item": person(n)}} for n in range(start, min(start + 25, count))]
        client.batch_write_item(RequestItems={name: puts})
    return (time.process_time() - began) / count


def scan(client: Any, name: str = "people") -> int:
    """Read every page and drop it."""
    seen = 0
    arguments: dict[str, Any] = {"TableName": name}
    while True:
        page = client.scan(**arguments)
        seen += len(page["Items"])
        if "LastEvaluatedKey" not in page:
            return seen
        arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def seconds(action: Callable[[], object], times: int = 3) -> float:
    """The best of some runs: what else goes on in the machine only adds."""
    taken = []
    for _ in range(times):
        gc.collect()
        began = time.process_time()
        action()
        taken.append(time.process_time() - began)
    return min(taken)


def say(line: str) -> None:
    sys.stdout.write(f"\n{line}\n")


def test_a_scan_is_twenty_times_as_fast_as_plain_moto_and_flat() -> None:
    with plain_moto() as client:
        make(client)
        fill(client, MOTO_SCANNED)
        moto = seconds(lambda: scan(client)) / MOTO_SCANNED
    per_item = {}
    with simulated() as client:
        for count in (10_000, 100_000):
            name = f"people-{count}"
            make(client, name)
            fill(client, count, name)
            assert scan(client, name) == count
            per_item[count] = seconds(lambda name=name: scan(client, name)) / count  # type: ignore[misc]
        floor = parsing_floor(client)
    ratio = moto / per_item[100_000]
    say(
        f"scan of 100,000 items: {per_item[100_000] * 1e6:.0f} µs an item, {ratio:.0f}x as fast as plain moto "
        f"({moto * 1e6:.0f} µs); of 10,000: {per_item[10_000] * 1e6:.0f} µs; botocore's parser alone "
        f"{floor * 1e6:.0f} µs, so {per_item[100_000] / floor:.2f}x the floor"
    )
    assert ratio >= 20
    assert per_item[100_000] < 1.25 * per_item[10_000]


def parsing_floor(client: Any) -> float:
    """Seconds an item that botocore's own parser takes for the bytes of one page."""
    bodies: list[Any] = []
    client.meta.events.register("before-parse.dynamodb.Scan", lambda response_dict, **_: bodies.append(response_dict))
    count = int(client.scan(TableName="people-10000")["Count"])
    shape = client.meta.service_model.operation_model("Scan").output_shape
    with stock_parser():
        parser = create_parser("json")
        return seconds(lambda: parser.parse(bodies[0], shape), times=7) / count


def make_rows(client: Any, count: int) -> str:
    """A table of ten rows for each partition, and an index that has ten for each of its own."""
    name = f"rows-{count}"
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
            {"AttributeName": "slot", "AttributeType": "N"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-slot",
                "KeySchema": [{"AttributeName": "slot", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for start in range(0, count, 25):
        rows = [
            {"pk": {"S": f"{n % (count // 10)}"}, "sk": {"N": f"{n}"}, "slot": {"N": f"{n // 10}"}}
            for n in range(start, start + 25)
        ]
        client.batch_write_item(RequestItems={name: [{"PutRequest": {"Item": row}} for row in rows]})
    return name


def query_both(client: Any, name: str) -> None:
    """A hundred queries of the table and a hundred of its index, newest five first."""
    asked = {"TableName": name, "ScanIndexForward": False, "Limit": 5}
    of_table = {"KeyConditionExpression": "pk = :p AND sk > :s"}
    of_index = {"IndexName": "by-slot", "KeyConditionExpression": "slot = :p"}
    for _ in range(100):
        given = {"ExpressionAttributeValues": {":p": {"S": "7"}, ":s": {"N": "20"}}}
        assert client.query(**asked, **of_table, **given)["Count"] == 5
        assert client.query(**asked, **of_index, ExpressionAttributeValues={":p": {"N": "7"}})["Count"] == 5


def test_a_query_does_not_depend_on_the_size_of_the_table() -> None:
    with simulated() as client:
        names = [make_rows(client, count) for count in (1_000, 100_000)]
        for name in names:
            query_both(client, name)
        # By turns, so that what else goes on in the machine falls on both.
        rounds = [[seconds(lambda name=name: query_both(client, name), 1) for name in names] for _ in range(9)]  # type: ignore[misc]
    small, big = map(min, zip(*rounds, strict=True))
    say(f"200 queries of a table of 100,000 items take {big / small:.2f}x the time of 1,000 items")
    assert big / small < 1.25


def test_writes_are_faster_than_plain_motos() -> None:
    taken: dict[str, dict[str, float]] = {}
    for name, ground in (("moto", plain_moto), ("simulated", simulated)):
        with ground() as client:
            make(client)
            taken[name] = {"batch": fill(client, MOTO_ITEMS)}

            def each(call: str, client: Any = client) -> float:
                began = time.process_time()
                for n in range(500):
                    key = {"id": person(n)["id"]}
                    if call == "put":
                        client.put_item(TableName="people", Item=person(n))
                    elif call == "get":
                        client.get_item(TableName="people", Key=key)
                    elif call == "update":
                        update = {"UpdateExpression": "ADD age :n", "ExpressionAttributeValues": {":n": {"N": "1"}}}
                        client.update_item(TableName="people", Key=key, **update)
                    else:
                        put = {"Put": {"TableName": "people", "Item": person(n)}}
                        client.transact_write_items(TransactItems=[put])
                return (time.process_time() - began) / 500

            for call in ("put", "get", "update"):
                taken[name][call] = each(call)
            if name == "simulated":
                taken[name]["transaction"] = each("transaction")
            else:
                # A copy of the table for each: a few are enough to know.
                began = time.process_time()
                for n in range(5):
                    put = {"Put": {"TableName": "people", "Item": person(n)}}
                    client.transact_write_items(TransactItems=[put])
                taken[name]["transaction"] = (time.process_time() - began) / 5
    for call, moto in taken["moto"].items():
        ours = taken["simulated"][call]
        say(f"{call}: {ours * 1e6:.0f} µs, {moto / ours:.1f}x as fast as plain moto ({moto * 1e6:.0f} µs)")
    assert all(taken["simulated"][call] < moto for call, moto in taken["moto"].items())


def test_an_item_with_its_stream_and_history_takes_less_than_three_kilobytes() -> None:
    count = 20_000
    with simulated() as client:
        make(client, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
        enabled = {"PointInTimeRecoveryEnabled": True}
        client.update_continuous_backups(TableName="people", PointInTimeRecoverySpecification=enabled)
        fill(client, 25)
        gc.collect()
        tracemalloc.start()
        try:
            fill(client, count)
            gc.collect()
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    say(f"{held / count:.0f} bytes an item with stream and point-in-time recovery")
    assert held / count <= 3_000


def test_fifty_scans_leave_nothing_behind() -> None:
    with simulated() as client:
        make(client)
        fill(client, 2_000)
        for _ in range(3):
            scan(client)
        gc.collect()
        objects = len(gc.get_objects())
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for _ in range(50):
                scan(client)
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        more = len(gc.get_objects()) - objects
    say(f"after 50 scans of 2,000 items: {after - before} bytes and {more} objects more")
    assert after - before < 200_000
    assert more < 500
