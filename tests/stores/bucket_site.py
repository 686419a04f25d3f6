"""A real Site on the simulated AWS with one small bucket, as an estate file describes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drills.estate import parse_estate
from drills.history import History
from drills.model import Location
from drills.providers.simulated import SimulatedProvider, SimulatedWorld
from drills.simulator import SimulatedAWS
from drills.stores.s3 import kind
from drills.workload import StoreWorkload
from drills.world_site import WorldSite

PRODUCTION, VAULT, RECOVERY = "101010101010", "202020202020", "303030303030"
BUCKET = """
    lifecycle:
      - {id: old-versions, noncurrent_days: 90, newer_noncurrent: 3}
      - {id: scratch, prefix: scratch/, expire_days: 7, abort_uploads_days: 2}
      - {id: markers, enabled: false, expired_markers: true}
      - {id: cold, prefix: reports/, tags: {kind: report}, transition: {days: 30, storage_class: STANDARD_IA}}
    cors: [{origins: ["https://shop.example"], methods: [GET, HEAD], headers: ["*"], max_age_seconds: 600}]
    tags: {team: billing, data: personal}
    event_bridge: true
    policy:
      Version: "2012-10-17"
      Statement:
        - Sid: Accountants
          Effect: Allow
          Principal: {AWS: "arn:aws:iam::<account>:root"}
          Action: ["s3:GetObject", "s3:ListBucket"]
          Resource: ["arn:aws:s3:::<bucket>", "arn:aws:s3:::<bucket>/*"]
    records:
      key: {template: "invoices//{n:06d} + réçu.txt"}
      body: {either: [{faker: {provider: text, with: {max_nb_chars: 900}}}, {bytes: {min: 1, max: 64}}, {const: ""}]}
      content_type: {choice: [text/plain, application/pdf]}
      metadata: {map: {number: {number: {max: 9999}}, city: {choice: [paris, rome]}}}
      tags: {map: {kind: {choice: [invoice, "credit note"]}, "päid": {choice: ["yes", "no + maybe"]}}}
      storage_class: {choice: {STANDARD: 3, STANDARD_IA: 1}}
      cache_control: {const: "max-age=60", share: 0.3}
"""


def estate_text(bucket: str = BUCKET, protections: str = "[s3_versioning]") -> str:
    return f"""
accounts:
  production: {{id: "{PRODUCTION}", region: eu-west-1}}
  vault: {{id: "{VAULT}", region: eu-central-1}}
  recovery: {{id: "{RECOVERY}", region: eu-north-1}}
stores:
  - name: Paper_Work
    kind: s3
{bucket}
    workload: {{writes_per_minute: 6, inserts: 3, updates: 6, deletes: 1, erasures: 1}}
    protections: {protections}
    objectives: {{rto: 8h, rpo: 5m}}
    production: {{size_gb: 1, items: 1000000}}
"""


@contextmanager
def bucket_site(folder: Path, bucket: str = BUCKET) -> Iterator[WorldSite]:
    """The site, with nothing provisioned yet."""
    estate = parse_estate(estate_text(bucket), file="test.yaml", name="test", folder=folder)
    folder.mkdir(exist_ok=True)
    with SimulatedProvider().open(estate, 1) as world, History.create(folder) as history:
        yield WorldSite(
            world,
            estate,
            estate.stores[0],
            drill_id="test-1",
            prefix="drill-test",
            history=history,
            context={"scenario": "test", "store": "Paper_Work"},
            capabilities=SimulatedAWS.capabilities,
        )


def aws(site: WorldSite) -> SimulatedAWS:
    """The simulated AWS under a site."""
    assert isinstance(site.world, SimulatedWorld)
    return site.world._aws


def filled(site: WorldSite, records: int = 20) -> StoreWorkload:
    """The bucket provisioned and seeded, and the workload that writes to it."""
    at = kind.provision(site)
    workload = StoreWorkload(site, kind, at, 1, site.clock.now())
    workload.seed(records)
    return workload


def plain_client(site: WorldSite, at: Location, service: str = "s3") -> Any:
    """A client of the bucket's account that is not the site's own."""
    return aws(site).session(at.account).client(service, region_name=at.region)  # type: ignore[call-overload]


def contents(site: WorldSite, at: Location) -> dict[str, bytes]:
    """What is in a bucket, read by a plain client: key → body."""
    client = plain_client(site, at)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=at.name)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    return {key: client.get_object(Bucket=at.name, Key=key)["Body"].read() for key in keys}


def versions(site: WorldSite, at: Location) -> list[tuple[str, str]]:
    """Every version and marker of a bucket: key and id."""
    pages = plain_client(site, at).get_paginator("list_object_versions").paginate(Bucket=at.name)
    return [
        (entry["Key"], entry["VersionId"])
        for page in pages
        for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
    ]


def as_ledger_says(workload: StoreWorkload) -> dict[str, bytes]:
    """What the ledger says the bucket holds: key → canonical item."""
    held: dict[str, bytes] = {}
    for write in workload.ledger:
        if write.item is None:
            held.pop(write.key, None)
        else:
            held[write.key] = write.item
    return held


def inventory(workload: StoreWorkload, at: Location | None = None) -> dict[str, bytes]:
    return {found.key: found.item for found in kind.inventory(workload.site, at or workload.at)}
