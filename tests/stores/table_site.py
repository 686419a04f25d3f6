"""A real Site on the simulated AWS with one small table, as an estate file describes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from drills.clock import microseconds
from drills.estate import parse_estate
from drills.history import History
from drills.model import JSON, Finding, Location
from drills.providers.simulated import SimulatedProvider, SimulatedWorld
from drills.simulator import SimulatedAWS
from drills.stores.dynamodb import kind
from drills.stores.dynamodb_items import canonical
from drills.workload import StoreWorkload
from drills.world_site import WorldSite

PRODUCTION, VAULT, RECOVERY = "101010101010", "202020202020", "303030303030"
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
    return f"""
accounts:
  production: {{id: "{PRODUCTION}", region: eu-west-1}}
  vault: {{id: "{VAULT}", region: eu-central-1}}
  recovery: {{id: "{RECOVERY}", region: eu-north-1}}
stores:
  - name: people
    kind: dynamodb
{table}
    workload: {{writes_per_minute: 6, inserts: 3, updates: 4, deletes: 1, erasures: 1}}
    protections: {protections}
    objectives: {{rto: 8h, rpo: 5m}}
    production: {{size_gb: 1, items: 1000000}}
"""


@contextmanager
def table_site(folder: Path, table: str = TABLE) -> Iterator[WorldSite]:
    """The site, with nothing provisioned yet."""
    estate = parse_estate(estate_text(table), file="test.yaml", name="test", folder=folder)
    folder.mkdir(exist_ok=True)
    with SimulatedProvider().open(estate, 1) as world, History.create(folder) as history:
        yield WorldSite(
            world,
            estate,
            estate.stores[0],
            drill_id="test-1",
            prefix="drill-test",
            history=history,
            context={"scenario": "test", "store": "people"},
            capabilities=SimulatedAWS.capabilities,
        )


def aws(site: WorldSite) -> SimulatedAWS:
    """The simulated AWS under a site."""
    assert isinstance(site.world, SimulatedWorld)
    return site.world._aws


def filled(site: WorldSite, records: int = 20) -> StoreWorkload:
    """The table provisioned and seeded, and the workload that writes to it."""
    at = kind.provision(site)
    workload = StoreWorkload(site, kind, at, 1, site.clock.now())
    workload.seed(records)
    return workload


def plain_client(site: WorldSite, at: Location, service: str = "dynamodb") -> Any:
    """A client of the table's account that is not the site's own."""
    return aws(site).session(at.account).client(service, region_name=at.region)  # type: ignore[call-overload]


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


def write_for_a_while(workload: StoreWorkload, writes: int = 40, seconds: float = 7.3) -> None:
    """So many writes, so many seconds apart."""
    for _ in range(writes):
        workload.write_once()
        workload.site.clock.sleep(seconds)


def as_of(workload: StoreWorkload, moment: datetime) -> dict[str, bytes]:
    """What the ledger says the table held then."""
    held: dict[str, bytes] = {}
    for write in workload.ledger:
        if write.acknowledged_us is not None and write.acknowledged_us <= microseconds(moment):
            held.pop(write.key, None)
            if write.item is not None:
                held[write.key] = write.item
    return held


def by_check(findings: Sequence[Finding]) -> Mapping[str, Finding]:
    return {finding.check: finding for finding in findings}


def differences(one: Mapping[str, JSON], other: Mapping[str, JSON]) -> set[str]:
    """The settings that are not the same in both."""
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}
