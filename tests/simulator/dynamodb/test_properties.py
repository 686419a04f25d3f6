"""Random writes and reads of one table against a plain dict: pages, filters, segments, indexes, transactions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.simulator.dynamodb.ground import simulated
from tests.simulator.dynamodb.tables import Item, everything, fill, make

Key = tuple[str, Decimal]

SETTINGS = settings(
    max_examples=12,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

# --- What is drawn: values as Python has them, which the model keeps, and their wire form

numbers = st.one_of(
    st.integers(-(10**37), 10**37).map(Decimal),
    st.decimals("-1000", "1000", places=3, allow_nan=False).map(Decimal.normalize),
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
leaves = st.one_of(
    texts,
    numbers,
    st.binary(max_size=6),
    st.booleans(),
    st.none(),
    st.frozensets(texts, min_size=1, max_size=3),
    st.frozensets(numbers, min_size=1, max_size=3),
    st.frozensets(st.binary(max_size=3), min_size=1, max_size=3),
)
contents = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)
partitions = st.sampled_from(["a", "b", "ü"])
places = st.integers(-4, 4).map(lambda n: Decimal(n) / 2)
keys = st.tuples(partitions, places)
ages = st.integers(-3, 3).map(Decimal)
towns = st.sampled_from(["", "x", "xy", "y"])
bodies = st.fixed_dictionaries({}, optional={"age": ages, "town": towns.filter(bool), "more": contents})


def wire(value: Any) -> dict[str, Any]:
    """A Python value as DynamoDB JSON."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if value is None:
        return {"NULL": True}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, Decimal):
        return {"N": str(value)}
    if isinstance(value, frozenset):
        (kind,) = {next(iter(wire(part))) for part in value}
        return {f"{kind}S": [wire(part)[kind] for part in value]}
    if isinstance(value, list):
        return {"L": [wire(part) for part in value]}
    return {"M": {name: wire(part) for name, part in value.items()}}


def plain(value: dict[str, Any]) -> Any:
    """DynamoDB JSON as a Python value; numbers must come back in their one spelling."""
    ((kind, content),) = value.items()
    if kind == "N":
        assert "E" not in content.upper()
        return Decimal(content)
    if kind in ("SS", "BS"):
        return frozenset(content)
    if kind == "NS":
        return frozenset(map(Decimal, content))
    if kind == "L":
        return [plain(part) for part in content]
    if kind == "M":
        return {name: plain(part) for name, part in content.items()}
    return None if kind == "NULL" else content


def item_of(key: Key, body: dict[str, Any]) -> Item:
    return {name: wire(value) for name, value in {"pk": key[0], "sk": key[1], **body}.items()}


def plain_item(item: Item) -> dict[str, Any]:
    return {name: plain(value) for name, value in item.items()}


def key_map(key: Key) -> Item:
    return {"pk": wire(key[0]), "sk": wire(key[1])}


class Table(RuleBasedStateMachine):
    """One table with a global and a local index, written and read through a plain client."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = simulated()
        self.client = self.entered.__enter__().client()
        make(
            self.client,
            "people",
            "pk:S sk:N",
            gsi={"by-town": ("town:S age:N", "KEYS_ONLY")},
            lsi={"by-age": "pk:S age:N"},
        )
        self.model: dict[Key, dict[str, Any]] = {}

    def teardown(self) -> None:
        self.entered.__exit__(None, None, None)

    # --- Writes

    @rule(key=keys, body=bodies)
    def put(self, key: Key, body: dict[str, Any]) -> None:
        answer = self.client.put_item(TableName="people", Item=item_of(key, body), ReturnValues="ALL_OLD")
        self._returned(answer, self.model.get(key), key)
        self.model[key] = body

    @rule(key=keys, body=bodies)
    def put_if_new(self, key: Key, body: dict[str, Any]) -> None:
        new = {"Item": item_of(key, body), "ConditionExpression": "attribute_not_exists(pk)"}
        try:
            self.client.put_item(TableName="people", **new)
        except ClientError:
            assert key in self.model
        else:
            assert key not in self.model
            self.model[key] = body

    @rule(key=keys)
    def delete(self, key: Key) -> None:
        answer = self.client.delete_item(TableName="people", Key=key_map(key), ReturnValues="ALL_OLD")
        self._returned(answer, self.model.pop(key, None), key)

    @rule(key=keys, age=ages, more=contents, remove=st.booleans())
    def update(self, key: Key, age: Decimal, more: Any, remove: bool) -> None:
        expression = "SET more = :more ADD age :age" + (" REMOVE town" if remove else "")
        answer = self.client.update_item(
            TableName="people",
            Key=key_map(key),
            UpdateExpression=expression,
            ExpressionAttributeValues={":more": wire(more), ":age": wire(age)},
            ReturnValues="ALL_NEW",
        )
        body = dict(self.model.get(key, {}))
        body.update(more=more, age=body.get("age", Decimal(0)) + age)
        if remove:
            body.pop("town", None)
        self.model[key] = body
        self._returned(answer, body, key)

    @rule(puts=st.dictionaries(keys, bodies, max_size=8), deletes=st.sets(keys, max_size=8))
    def batch(self, puts: dict[Key, dict[str, Any]], deletes: set[Key]) -> None:
        deletes -= set(puts)
        writes = [{"PutRequest": {"Item": item_of(key, body)}} for key, body in puts.items()]
        writes += [{"DeleteRequest": {"Key": key_map(key)}} for key in deletes]
        if writes:
            self.client.batch_write_item(RequestItems={"people": writes})
        self.model.update(puts)
        for key in deletes:
            self.model.pop(key, None)

    @rule(puts=st.dictionaries(keys, bodies, max_size=3), deletes=st.sets(keys, max_size=3), there=keys)
    def transact(self, puts: dict[Key, dict[str, Any]], deletes: set[Key], there: Key) -> None:
        touched = {*puts, there}
        deletes -= touched
        if there in puts:
            return
        table = {"TableName": "people"}
        check = {**table, "Key": key_map(there), "ConditionExpression": "attribute_exists(pk)"}
        items: list[dict[str, Any]] = [{"ConditionCheck": check}]
        items += [{"Put": {**table, "Item": item_of(key, body)}} for key, body in puts.items()]
        items += [{"Delete": {**table, "Key": key_map(key)}} for key in deletes]
        try:
            self.client.transact_write_items(TransactItems=items)
        except self.client.exceptions.TransactionCanceledException:
            assert there not in self.model
            return
        assert there in self.model
        self.model.update(puts)
        for key in deletes:
            self.model.pop(key, None)

    # --- Reads

    @rule(wanted=st.sets(keys, min_size=1, max_size=5))
    def read(self, wanted: set[Key]) -> None:
        request = {"people": {"Keys": [key_map(key) for key in wanted]}}
        found = self.client.batch_get_item(RequestItems=request)["Responses"]["people"]
        self._are(found, [key for key in wanted if key in self.model])
        for key in wanted:
            item = self.client.get_item(TableName="people", Key=key_map(key)).get("Item")
            assert (item and plain_item(item)) == self._expected(key)

    @rule(limit=st.integers(1, 7), age=ages, segments=st.integers(1, 4))
    def scan(self, limit: int, age: Decimal, segments: int) -> None:
        found = [
            item
            for segment in range(segments)
            for item in everything(
                self.client.scan,
                TableName="people",
                Limit=limit,
                Segment=segment,
                TotalSegments=segments,
                FilterExpression="age >= :age OR town = :town",
                ExpressionAttributeValues={":age": wire(age), ":town": {"S": "x"}},
            )
        ]
        self._are(
            found,
            [
                key
                for key, body in self.model.items()
                if body.get("age", Decimal(-99)) >= age or body.get("town") == "x"
            ],
        )

    @rule(part=partitions, low=places, high=places, limit=st.integers(1, 5), forward=st.booleans())
    def query(self, part: str, low: Decimal, high: Decimal, limit: int, forward: bool) -> None:
        low, high = sorted((low, high))
        found = everything(
            self.client.query,
            TableName="people",
            KeyConditionExpression="pk = :p AND sk BETWEEN :low AND :high",
            ExpressionAttributeValues={":p": wire(part), ":low": wire(low), ":high": wire(high)},
            Limit=limit,
            ScanIndexForward=forward,
        )
        wanted = sorted((key for key in self.model if key[0] == part and low <= key[1] <= high), reverse=not forward)
        assert [plain_item(item) for item in found] == [self._expected(key) for key in wanted]

    @rule(part=partitions, age=ages, limit=st.integers(1, 5), forward=st.booleans())
    def query_local_index(self, part: str, age: Decimal, limit: int, forward: bool) -> None:
        found = everything(
            self.client.query,
            TableName="people",
            IndexName="by-age",
            KeyConditionExpression="pk = :p AND age > :age",
            ExpressionAttributeValues={":p": wire(part), ":age": wire(age)},
            Limit=limit,
            ScanIndexForward=forward,
        )
        wanted = [key for key, body in self.model.items() if key[0] == part and body.get("age", age) > age]
        self._are(found, wanted)
        order = [Decimal(item["age"]["N"]) for item in found]
        assert order == sorted(order, reverse=not forward)

    @rule(town=towns.filter(bool), limit=st.integers(1, 5), forward=st.booleans())
    def query_global_index(self, town: str, limit: int, forward: bool) -> None:
        found = everything(
            self.client.query,
            TableName="people",
            IndexName="by-town",
            KeyConditionExpression="town = :t",
            ExpressionAttributeValues={":t": wire(town)},
            Limit=limit,
            ScanIndexForward=forward,
        )
        held = [
            {"pk": k[0], "sk": k[1], "town": b["town"], "age": b["age"]}
            for k, b in self._in_by_town()
            if b["town"] == town
        ]
        assert sorted(map(repr, map(plain_sorted, found))) == sorted(map(repr, map(sorted_items, held)))
        order = [Decimal(item["age"]["N"]) for item in found]
        assert order == sorted(order, reverse=not forward)

    @rule(limit=st.integers(1, 5))
    def scan_global_index(self, limit: int) -> None:
        found = everything(self.client.scan, TableName="people", IndexName="by-town", Limit=limit)
        assert {(item["pk"]["S"], Decimal(item["sk"]["N"])) for item in found} == {key for key, _ in self._in_by_town()}
        assert len(found) == len(self._in_by_town())

    @invariant()
    def the_table_holds_what_the_model_holds(self) -> None:
        answer = self.client.scan(TableName="people", Select="COUNT")
        assert answer["Count"] == len(self.model)

    def _in_by_town(self) -> list[tuple[Key, dict[str, Any]]]:
        return [(key, body) for key, body in self.model.items() if "town" in body and "age" in body]

    def _expected(self, key: Key) -> dict[str, Any] | None:
        body = self.model.get(key)
        return None if body is None else {"pk": key[0], "sk": key[1], **body}

    def _are(self, found: list[Item], wanted: list[Key]) -> None:
        by_key = {(item["pk"]["S"], Decimal(item["sk"]["N"])): plain_item(item) for item in found}
        assert len(found) == len(by_key)
        assert by_key == {key: self._expected(key) for key in wanted}

    @staticmethod
    def _returned(answer: Any, body: dict[str, Any] | None, key: Key) -> None:
        attributes = answer.get("Attributes")
        expected = None if body is None else {"pk": key[0], "sk": key[1], **body}
        assert (attributes and plain_item(attributes)) == expected


def plain_sorted(item: Item) -> list[tuple[str, Any]]:
    return sorted_items(plain_item(item))


def sorted_items(item: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted((name, str(value + 0) if isinstance(value, Decimal) else value) for name, value in item.items())


def test_a_table_is_a_dict_with_sorted_keys() -> None:
    run_state_machine_as_test(Table, settings=SETTINGS)


@pytest.mark.soak
def test_a_table_is_a_dict_with_sorted_keys_for_longer() -> None:
    longer = settings(SETTINGS, max_examples=300, stateful_step_count=60)
    run_state_machine_as_test(Table, settings=longer)


@given(st.lists(st.dictionaries(texts, contents, max_size=5), min_size=1, max_size=10))
@settings(max_examples=25, deadline=None)
def test_every_item_comes_back_as_it_went_in(bodies_drawn: list[dict[str, Any]]) -> None:
    bodies_drawn = [{name: value for name, value in body.items() if name != "pk"} for body in bodies_drawn]
    with simulated() as ground:
        client = ground.client()
        make(client)
        items = [{"pk": {"S": f"{n}"}, **{k: wire(v) for k, v in body.items()}} for n, body in enumerate(bodies_drawn)]
        fill(client, items)
        found = {item["pk"]["S"]: plain_item(item) for item in everything(client.scan, TableName="people", Limit=3)}
    assert found == {f"{n}": {"pk": f"{n}", **body} for n, body in enumerate(bodies_drawn)}
