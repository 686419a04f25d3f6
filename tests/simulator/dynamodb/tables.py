"""Tables and items for the tests of the data plane."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.simulator.dynamodb.ground import ACCOUNT, REGION

Item = dict[str, Any]
PEOPLE_ARN = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/people"

EVERY_TYPE: Item = {
    "text": {"S": 'héllo 🌍 \u0000\u001f\\"'},
    "empty": {"S": ""},
    "big": {"N": "12345678901234567890123456789012345678"},
    "small": {"N": "-0.00000000000000000000000000000000000012345678901234567890123456789012345678"},
    "raw": {"B": bytes(range(256))},
    "no bytes": {"B": b""},
    "yes": {"BOOL": True},
    "no": {"BOOL": False},
    "nothing": {"NULL": True},
    "texts": {"SS": ["b", "a", "ü"]},
    "numbers": {"NS": ["3", "-1", "2.5"]},
    "raws": {"BS": [b"\x00", b"\xff\xfe"]},
    "list": {"L": [{"N": "1"}, {"L": []}, {"M": {}}, {"S": ""}]},
    "map": {"M": {"inner": {"M": {"deep": {"BS": [b"x"]}, "a.b": {"S": "dot"}}}, "": {"S": "no name"}}},
}


def make(client: Any, name: str = "people", key: str = "pk:S", **more: Any) -> None:
    """A table by its key, such as ``pk:S sk:N``. ``gsi``/``lsi``: index name to key, or to key and projection."""
    types: dict[str, str] = {}
    settings: dict[str, Any] = {"KeySchema": _schema(key, types), "BillingMode": "PAY_PER_REQUEST"}
    for kind, parameter in (("gsi", "GlobalSecondaryIndexes"), ("lsi", "LocalSecondaryIndexes")):
        indexes = [_index(index, wanted, types) for index, wanted in more.pop(kind, {}).items()]
        if indexes:
            settings[parameter] = indexes
    settings["AttributeDefinitions"] = [{"AttributeName": n, "AttributeType": kind} for n, kind in types.items()]
    client.create_table(TableName=name, **settings, **more)


def _schema(key: str, types: dict[str, str]) -> list[dict[str, str]]:
    schema = []
    for part, role in zip(key.split(), ("HASH", "RANGE"), strict=False):
        name, kind = part.split(":")
        types[name] = kind
        schema.append({"AttributeName": name, "KeyType": role})
    return schema


def _index(name: str, wanted: Any, types: dict[str, str]) -> dict[str, Any]:
    key, projection = (wanted, "ALL") if isinstance(wanted, str) else wanted
    described: dict[str, Any] = (
        {"ProjectionType": projection}
        if isinstance(projection, str)
        else {"ProjectionType": "INCLUDE", "NonKeyAttributes": projection}
    )
    return {"IndexName": name, "KeySchema": _schema(key, types), "Projection": described}


def fill(client: Any, items: Iterable[Item], name: str = "people") -> None:
    """Write items, 25 a call."""
    waiting = [{"PutRequest": {"Item": item}} for item in items]
    for start in range(0, len(waiting), 25):
        client.batch_write_item(RequestItems={name: waiting[start : start + 25]})


def pages(call: Callable[..., Any], **arguments: Any) -> Iterator[Any]:
    """The responses of a Scan or Query, page by page, as a careful caller reads them."""
    while True:
        response = call(**arguments)
        yield response
        if "LastEvaluatedKey" not in response:
            return
        arguments["ExclusiveStartKey"] = response["LastEvaluatedKey"]


def everything(call: Callable[..., Any], **arguments: Any) -> list[Item]:
    """The items of all pages."""
    return [item for page in pages(call, **arguments) for item in page["Items"]]


def values(items: Iterable[Item], name: str) -> list[str]:
    """One text or number of each item."""
    return [next(iter(item[name].values())) for item in items]


def same(one: Item, other: Item) -> bool:
    """Equal but for the order of sets."""
    return bool(_plain(one) == _plain(other))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: frozenset(v) if k in ("SS", "NS", "BS") else _plain(v) for k, v in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value
