"""A real Site on the simulated AWS with one small table, as an estate file describes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drills.model import JSON, Location
from drills.stores.dynamodb_items import canonical
from drills.world_site import WorldSite
from tests.stores.small_site import (
    PRODUCTION,
    RECOVERY,
    VAULT,
    as_of,
    aws,
    by_check,
    client_of,
    estate_of,
    filled,
    small_site,
    write_for_a_while,
)

__all__ = [
    "PLAIN",
    "PRODUCTION",
    "RECOVERY",
    "TABLE",
    "VAULT",
    "as_of",
    "aws",
    "by_check",
    "contents",
    "differences",
    "estate_text",
    "filled",
    "plain_client",
    "seen_tags",
    "table_site",
    "write_for_a_while",
]

TABLE = """
    key: {partition: person_id, sort: version}
    indexes:
      - {name: by-email, partition: email}
      - {name: by-team, partition: team, sort: version, projection: [balance]}
      - {name: by-balance, partition: person_id, sort: balance, local: true, projection: keys_only}
    ttl: expires_at
    stream: new_and_old_images
    billing: {read_units: 7, write_units: 9, autoscaling: {min: 5, max: 50, target_percent: 60}}
    tags: {team: accounts, data: personal}
    deletion_protection: true
    records:
      person_id: {sequence: "P-{n:05d}"}
      version: {sequence: 1}
      email: {template: "{person_id}@example.org", share: 0.8}
      team: {choice: [red, green]}
      balance: {decimal: {digits: 38, places: 12}}
      consents: {set: {of: {choice: [a, b, c, d]}, size: [2, 3]}}
      portrait: {bytes: 8}
      profile: {map: {note: {const: null}, nick: {const: ""}}}
      expires_at: {time: {from: 30m, to: 20d}, share: 0.3}
"""
PLAIN = """
    key: {partition: id}
    records: {id: uuid, value: {number: {min: 1, max: 1000000}}}
"""


def estate_text(table: str = TABLE, protections: str = "[dynamodb_pitr]") -> str:
    return estate_of("dynamodb", "people", table, updates=4, protections=protections)


@contextmanager
def table_site(folder: Path, table: str = TABLE) -> Iterator[WorldSite]:
    """The site, with nothing provisioned yet."""
    with small_site(folder, estate_text(table)) as site:
        yield site


def plain_client(site: WorldSite, at: Location, service: str = "dynamodb") -> Any:
    """A client of the table's account that is not the site's own."""
    return client_of(site, at, service)


def contents(site: WorldSite, at: Location) -> dict[str, bytes]:
    """What is in a table, read by a plain client: canonical key → canonical item."""
    client = plain_client(site, at)
    names = [part["AttributeName"] for part in client.describe_table(TableName=at.name)["Table"]["KeySchema"]]
    pages = client.get_paginator("scan").paginate(TableName=at.name, ConsistentRead=True)
    items = [item for page in pages for item in page["Items"]]
    return {canonical({name: item[name] for name in names}).decode(): canonical(item) for item in items}


def seen_tags(site: WorldSite, at: Location) -> Mapping[str, str]:
    arn = f"arn:aws:dynamodb:{at.region}:{at.account}:table/{at.name}"
    pages = plain_client(site, at).get_paginator("list_tags_of_resource").paginate(ResourceArn=arn)
    return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}


def differences(one: Mapping[str, JSON], other: Mapping[str, JSON]) -> set[str]:
    """The settings that are not the same in both."""
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}
