"""A small estate of one bucket, for drills that a test reaches into."""

from __future__ import annotations

from typing import Any

from drills.simulator import SimulatedAWS
from tests.small_drill import PRODUCTION, RECOVERY, VAULT, production, vault

TEXT = f"""
summary: One bucket of papers with everything that a restore can forget.
accounts:
  production: {{id: "{PRODUCTION}", region: eu-west-1}}
  vault: {{id: "{VAULT}", region: eu-central-1}}
  recovery: {{id: "{RECOVERY}", region: eu-north-1}}
stores:
  - name: papers
    kind: s3
    tags: {{team: billing}}
    lifecycle:
      - {{id: old-versions, noncurrent_days: 90}}
    records:
      key: {{template: "invoices//{{n:06d}} + réçu.txt"}}
      body:
        either:
          - {{faker: {{provider: text, with: {{max_nb_chars: 300}}}}}}
          - {{bytes: {{min: 1, max: 64}}}}
          - {{const: ""}}
      content_type: {{choice: [text/plain, application/pdf]}}
      metadata: {{map: {{city: {{choice: [paris, rome]}}}}}}
      tags: {{map: {{kind: {{choice: [invoice, "credit note"]}}}}}}
      storage_class: {{choice: {{STANDARD: 3, STANDARD_IA: 1}}}}
    workload: {{writes_per_minute: 2, inserts: 3, updates: 4, deletes: 1, erasures: 1}}
    protections: [s3_versioning, s3_replication]
    objectives: {{rto: 8h, rpo: 15m}}
    production: {{size_gb: 20, items: 1_000_000}}
response:
  detect: {{default: 10m, bulk_erase: 45m}}
  decide: 10m
workload_minutes: 80
"""


def bucket(client: Any, with_word: str, without: str = "\0") -> str:
    """The one bucket of the drill that the account owns and whose name has this word and not the other."""
    names = [one["Name"] for one in client.list_buckets()["Buckets"]]
    (found,) = [name for name in names if with_word in name and without not in name]
    return str(found)


def source(aws: SimulatedAWS) -> tuple[Any, str]:
    """Production's client and the bucket."""
    s3 = production(aws, "s3")
    return s3, bucket(s3, "-papers-", "-from-")


def copy(aws: SimulatedAWS) -> tuple[Any, str]:
    """The vault's client and the copy."""
    s3 = vault(aws, "s3")
    return s3, bucket(s3, "-papers-copy-")


def replica(aws: SimulatedAWS) -> tuple[Any, str, dict[str, Any]]:
    """The vault's client, the copy, and a replica of some size in it that production still has."""
    s3, name = copy(aws)
    production_s3, source_name = source(aws)
    kept = {one["Key"] for one in production_s3.list_objects_v2(Bucket=source_name)["Contents"]}
    listed = s3.list_objects_v2(Bucket=name)["Contents"]
    return s3, name, next(one for one in listed if one["Size"] > 40 and one["Key"] in kept)
