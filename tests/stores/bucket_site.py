"""A real Site on the simulated AWS with one small bucket, as an estate file describes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drills.model import Location
from drills.world_site import WorldSite
from tests.stores.small_site import (
    PRODUCTION,
    RECOVERY,
    VAULT,
    as_ledger_says,
    aws,
    client_of,
    estate_of,
    filled,
    inventory,
    small_site,
)

__all__ = [
    "BUCKET",
    "PRODUCTION",
    "RECOVERY",
    "VAULT",
    "as_ledger_says",
    "aws",
    "bucket_site",
    "contents",
    "estate_text",
    "filled",
    "inventory",
    "plain_client",
    "versions",
]

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
    return estate_of("s3", "Paper_Work", bucket, updates=6, protections=protections)


@contextmanager
def bucket_site(folder: Path, bucket: str = BUCKET) -> Iterator[WorldSite]:
    """The site, with nothing provisioned yet."""
    with small_site(folder, estate_text(bucket)) as site:
        yield site


def plain_client(site: WorldSite, at: Location, service: str = "s3") -> Any:
    """A client of the bucket's account that is not the site's own."""
    return client_of(site, at, service)


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
