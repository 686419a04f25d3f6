"""Snapshots as the API describes them. Source: RDS API reference, DBSnapshot and DBClusterSnapshot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drills.simulator.rds.calls import Call
from drills.simulator.rds.model import AURORA, Instance, Snapshot
from drills.simulator.rds.shapes import tag_list
from drills.simulator.rds.snapshot_words import words_of
from drills.simulator.state import current

PORT = 5432


def percent(snapshot: Snapshot) -> int:
    """How much of it is there, 0 to 100."""
    if snapshot.status == "available":
        return 100
    if snapshot.began is None or snapshot.status not in ("creating", "copying"):
        return 0
    passed = (current().clock.now() - snapshot.began).total_seconds()
    return min(99, int(100 * passed / snapshot.seconds)) if snapshot.seconds else 99


def shape(call: Call, snapshot: Snapshot) -> Mapping[str, Any]:
    """The API's DBSnapshot or DBClusterSnapshot as the caller sees it: another's is named by its ARN, without tags."""
    found = _cluster_shape(snapshot) if snapshot.of == "cluster" else _db_shape(snapshot)
    words, source = words_of(snapshot), snapshot.source
    own = snapshot.account == call.account
    found |= {
        words.identifier: snapshot.identifier if own else snapshot.arn,
        words.source: snapshot.source_identifier,
        words.resource_id: source.resource_id,
        f"{words.one}Arn": snapshot.arn,
        "SnapshotType": snapshot.kind if own else "shared" if call.account in snapshot.shared_with else "public",
        "SnapshotCreateTime": snapshot.created,
        "Status": snapshot.status,
        "PercentProgress": percent(snapshot),
        "Engine": source.engine,
        "EngineVersion": source.engine_version,
        "LicenseModel": "postgresql-license",
        "MasterUsername": source.master_username,
        "Port": PORT,
        "KmsKeyId": snapshot.kms_key_id,
        "IAMDatabaseAuthenticationEnabled": source.iam_authentication,
        "TagList": tag_list(snapshot.tags) if own else [],
    }
    return {name: value for name, value in found.items() if value is not None}


def _db_shape(snapshot: Snapshot) -> dict[str, Any]:
    source = snapshot.source
    assert isinstance(source, Instance)
    return {
        "AllocatedStorage": source.allocated_gb,
        "StorageType": source.storage_type,
        "AvailabilityZone": f"{snapshot.region}a",
        "InstanceCreateTime": source.created,
        "OptionGroupName": snapshot.option_group,
        "Encrypted": snapshot.kms_key_id is not None,
        "OriginalSnapshotCreateTime": snapshot.as_of,
        "SnapshotDatabaseTime": snapshot.as_of,
        "SnapshotTarget": "region",
        "SourceRegion": _region_of(snapshot.copied_from),
        "SourceDBSnapshotIdentifier": _elsewhere(snapshot),
    }


def _cluster_shape(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "AllocatedStorage": 1,
        "AvailabilityZones": [f"{snapshot.region}{zone}" for zone in "abc"],
        "ClusterCreateTime": snapshot.source.created,
        "EngineMode": "provisioned" if snapshot.source.engine == AURORA else None,
        "StorageEncrypted": snapshot.kms_key_id is not None,
        "StorageType": "aurora",
        "SourceDBClusterSnapshotArn": snapshot.copied_from,
    }


def _elsewhere(snapshot: Snapshot) -> str | None:
    """The source of a copy from another account or region; of others AWS does not say."""
    arn = snapshot.copied_from
    if arn is None or arn.split(":")[3:5] == [snapshot.region, snapshot.account]:
        return None
    return arn


def _region_of(arn: str | None) -> str | None:
    return arn.split(":")[3] if arn is not None else None
