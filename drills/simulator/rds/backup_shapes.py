"""Automated backups as the API describes them.

Source: RDS API reference, DBInstanceAutomatedBackup and DBClusterAutomatedBackup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from drills.simulator.rds.model import AutomatedBackup, Instance
from drills.simulator.rds.shapes import tag_list
from drills.simulator.rds.snapshot_shapes import PORT
from drills.simulator.rds.taking import arn_of

Window = tuple[datetime, datetime] | None
PENDING = "pending"
"""The state of a replica whose first image is on its way."""


def shape(backup: AutomatedBackup, window: Window, replicas: Sequence[str]) -> Mapping[str, Any]:
    """``replicas``: ARNs of the backup's replicas in other regions."""
    source = backup.source
    found = _of_instance(backup, source, replicas) if isinstance(source, Instance) else _of_cluster(backup)
    found |= {
        "Region": arn_of(source).split(":")[3],
        "Status": backup.status,
        "RestoreWindow": {"EarliestTime": window[0], "LatestTime": window[1]} if window is not None else None,
        "Port": PORT,
        "MasterUsername": source.master_username,
        "Engine": source.engine,
        "EngineVersion": source.engine_version,
        "LicenseModel": "postgresql-license",
        "KmsKeyId": backup.kms_key_id,
        "IAMDatabaseAuthenticationEnabled": source.iam_authentication,
        "BackupRetentionPeriod": backup.retention_days,
        "PreferredBackupWindow": source.preferred_backup_window,
        "TagList": tag_list(source.tags),
    }
    return {name: value for name, value in found.items() if value is not None}


def _of_instance(backup: AutomatedBackup, source: Instance, replicas: Sequence[str]) -> dict[str, Any]:
    return {
        "DBInstanceArn": arn_of(source),
        "DbiResourceId": source.resource_id,
        "DBInstanceIdentifier": source.identifier,
        "AllocatedStorage": source.allocated_gb,
        "StorageType": source.storage_type,
        "AvailabilityZone": source.availability_zone or None,
        "InstanceCreateTime": source.created,
        "OptionGroupName": source.option_group,
        "Encrypted": backup.kms_key_id is not None,
        "BackupTarget": "region",
        "DBInstanceAutomatedBackupsArn": backup.arn,
        "DBInstanceAutomatedBackupsReplications": [{"DBInstanceAutomatedBackupsArn": arn} for arn in replicas],
    }


def _of_cluster(backup: AutomatedBackup) -> dict[str, Any]:
    source = backup.source
    return {
        "DBClusterArn": arn_of(source),
        "DbClusterResourceId": source.resource_id,
        "DBClusterIdentifier": source.identifier,
        "AllocatedStorage": 1,
        "StorageType": "aurora",
        "ClusterCreateTime": source.created,
        "EngineMode": "provisioned",
        "StorageEncrypted": backup.kms_key_id is not None,
        "DBClusterAutomatedBackupsArn": backup.arn,
    }
