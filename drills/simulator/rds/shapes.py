"""Instances and clusters as the API describes them.

Source: RDS API reference, DBInstance and DBCluster. Endpoints are where the servers really listen, on loopback.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drills.simulator.postgres.interface import Address
from drills.simulator.rds import data_plane, failing, groups, windows
from drills.simulator.rds.model import Cluster, Held, Instance, Tags
from drills.simulator.rds.state import databases

NEVER = failing.NEVER_THERE | {"creating"}
"""States without an endpoint."""


def tag_list(tags: Tags) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def endpoint_of(instance: Instance) -> Address | None:
    """Where clients of the instance connect; a member of a cluster without a server of its own answers from its
    cluster's."""
    if instance.status in NEVER:
        return None
    volume = instance.volume
    if volume is None and instance.cluster is not None:
        cluster = databases().of(instance.account, instance.region).clusters.get(instance.cluster)
        volume = cluster.volume if cluster is not None else None
    return volume.server.address if volume is not None and volume.server is not None else None


def db_instance(instance: Instance) -> dict[str, Any]:
    """The DBInstance of the API."""
    shape: dict[str, Any] = {
        **_always(instance),
        **_storage(instance),
        **_groups(instance),
        **_relations(instance),
        "DBInstanceStatus": instance.status,
        "PendingModifiedValues": _pending(instance.pending),
        "TagList": tag_list(instance.tags),
        "AssociatedRoles": [
            {"RoleArn": arn, "FeatureName": feature, "Status": "ACTIVE"}
            for feature, arn in sorted(instance.role_arns.items())
        ],
        **_secret(instance),
    }
    endpoint = endpoint_of(instance)
    if instance.status not in NEVER:
        shape["InstanceCreateTime"] = instance.created
    if endpoint is not None:
        shape["Endpoint"] = {"Address": endpoint.host, "Port": endpoint.port, "HostedZoneId": "Z29XKXDKYMONMX"}
    window = windows.window_of(instance)
    if window is not None:
        shape["LatestRestorableTime"] = window[1]
    if instance.started_by_itself_at is not None and instance.status == "stopped":
        shape["AutomaticRestartTime"] = instance.started_by_itself_at
    return shape


def _always(instance: Instance) -> dict[str, Any]:
    return {
        "DBInstanceIdentifier": instance.identifier,
        "DBInstanceArn": instance.arn,
        "DbiResourceId": instance.resource_id,
        "DBInstanceClass": instance.instance_class,
        "Engine": instance.engine,
        "EngineVersion": instance.engine_version,
        "EngineLifecycleSupport": "open-source-rds-extended-support",
        "LicenseModel": "postgresql-license",
        "MasterUsername": instance.master_username,
        **({"DBName": instance.database_name} if instance.database_name else {}),
        "AvailabilityZone": instance.availability_zone,
        **_secondary_zone(instance),
        "MultiAZ": instance.multi_az,
        "BackupRetentionPeriod": instance.backup_retention_days,
        "PreferredBackupWindow": instance.preferred_backup_window,
        "PreferredMaintenanceWindow": instance.preferred_maintenance_window,
        "AutoMinorVersionUpgrade": instance.auto_minor_version_upgrade,
        "PubliclyAccessible": instance.publicly_accessible,
        "CopyTagsToSnapshot": instance.copy_tags_to_snapshot,
        "DeletionProtection": instance.deletion_protection,
        "IAMDatabaseAuthenticationEnabled": instance.iam_authentication,
        "PerformanceInsightsEnabled": False,
        "DatabaseInsightsMode": "standard",
        "MonitoringInterval": instance.monitoring_interval_seconds,
        **({"MonitoringRoleArn": instance.monitoring_role_arn} if instance.monitoring_role_arn else {}),
        **({"EnabledCloudwatchLogsExports": instance.logs_exported} if instance.logs_exported else {}),
        "CACertificateIdentifier": instance.ca_certificate,
        "CertificateDetails": {"CAIdentifier": instance.ca_certificate},
        "NetworkType": instance.network_type,
        "BackupTarget": "region",
        "DbInstancePort": 0,
        "CustomerOwnedIpEnabled": False,
        "ActivityStreamStatus": "stopped",
        "DedicatedLogVolume": False,
        "DomainMemberships": [],
    }


def _secondary_zone(instance: Instance) -> dict[str, str]:
    if not instance.multi_az:
        return {}
    other = "b" if instance.availability_zone.endswith("a") else "a"
    return {"SecondaryAvailabilityZone": f"{instance.region}{other}"}


def _storage(instance: Instance) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "AllocatedStorage": instance.allocated_gb,
        "StorageType": instance.storage_type,
        "StorageEncrypted": instance.kms_key_id is not None,
    }
    optional = {
        "KmsKeyId": instance.kms_key_id,
        "Iops": instance.iops,
        "StorageThroughput": instance.throughput,
        "MaxAllocatedStorage": instance.max_allocated_gb,
    }
    return shape | {name: value for name, value in optional.items() if value is not None}


def _groups(instance: Instance) -> dict[str, Any]:
    return {
        "DBSecurityGroups": [],
        "VpcSecurityGroups": _security_groups(instance),
        "DBParameterGroups": [
            {"DBParameterGroupName": instance.parameter_group, "ParameterApplyStatus": instance.parameter_status}
        ],
        "OptionGroupMemberships": [{"OptionGroupName": instance.option_group, "Status": "in-sync"}],
        "DBSubnetGroup": groups.subnet_group_shape(instance.account, instance.region, instance.subnet_group),
    }


def _security_groups(held: Held) -> list[dict[str, str]]:
    return [{"VpcSecurityGroupId": one, "Status": "active"} for one in held.security_groups]


def _relations(instance: Instance) -> dict[str, Any]:
    """Cluster, source and replicas: by identifier within the region, by ARN out of it."""
    shape: dict[str, Any] = {
        "ReadReplicaDBInstanceIdentifiers": [_nearby(instance, arn) for arn in instance.replicas],
        "ReadReplicaDBClusterIdentifiers": [],
    }
    if instance.cluster is not None:
        shape |= {"DBClusterIdentifier": instance.cluster, "PromotionTier": instance.promotion_tier}
    if instance.replica_of is not None:
        shape["ReadReplicaSourceDBInstanceIdentifier"] = _nearby(instance, instance.replica_of)
        shape["ReplicaMode"] = "open-read-only"
        running = instance.status in data_plane.SERVING and instance.replica_status == "replicating"
        stopped = "stopped" if instance.replica_status == "replicating" else instance.replica_status
        shape["StatusInfos"] = [
            {
                "StatusType": "read replication",
                "Normal": running,
                "Status": "replicating" if running else stopped or "stopped",
            }
        ]
    return shape


def _nearby(held: Held, arn: str) -> str:
    parts = arn.split(":", 6)
    return parts[6] if (parts[4], parts[3]) == (held.account, held.region) else arn


def _secret(held: Held) -> dict[str, Any]:
    if held.master_secret_arn is None:
        return {}
    secret = {"SecretArn": held.master_secret_arn, "SecretStatus": "active", "KmsKeyId": held.master_secret_key}
    return {"MasterUserSecret": secret}


def _pending(pending: Mapping[str, Any]) -> dict[str, Any]:
    hidden = {"MasterUserPassword": "****"} if "MasterUserPassword" in pending else {}
    return {**pending, **hidden}


def db_cluster(cluster: Cluster) -> dict[str, Any]:
    """The DBCluster of the API."""
    members = databases().of(cluster.account, cluster.region).instances
    there = [members[name] for name in cluster.members if name in members]
    shape: dict[str, Any] = {
        "DBClusterIdentifier": cluster.identifier,
        "DBClusterArn": cluster.arn,
        "DbClusterResourceId": cluster.resource_id,
        "Status": cluster.status,
        "Engine": cluster.engine,
        "EngineVersion": cluster.engine_version,
        "EngineMode": "provisioned",
        "EngineLifecycleSupport": "open-source-rds-extended-support",
        "MasterUsername": cluster.master_username,
        **({"DatabaseName": cluster.database_name} if cluster.database_name else {}),
        "AllocatedStorage": 1,
        "StorageEncrypted": cluster.kms_key_id is not None,
        **({"KmsKeyId": cluster.kms_key_id} if cluster.kms_key_id else {}),
        "BackupRetentionPeriod": cluster.backup_retention_days,
        "PreferredBackupWindow": cluster.preferred_backup_window,
        "PreferredMaintenanceWindow": cluster.preferred_maintenance_window,
        "DBClusterParameterGroup": cluster.parameter_group,
        "DBSubnetGroup": cluster.subnet_group or "default",
        "VpcSecurityGroups": _security_groups(cluster),
        "AvailabilityZones": [f"{cluster.region}{zone}" for zone in "abc"],
        "MultiAZ": len({one.availability_zone for one in there}) > 1,
        "DBClusterMembers": [_member(cluster, one, number == 0) for number, one in enumerate(there)],
        "AssociatedRoles": [_cluster_role(feature, arn) for feature, arn in sorted(cluster.role_arns.items())],
        "ReadReplicaIdentifiers": [],
        "IAMDatabaseAuthenticationEnabled": cluster.iam_authentication,
        "ClusterCreateTime": cluster.created,
        "CopyTagsToSnapshot": cluster.copy_tags_to_snapshot,
        "DeletionProtection": cluster.deletion_protection,
        "AutoMinorVersionUpgrade": cluster.auto_minor_version_upgrade,
        "HttpEndpointEnabled": False,
        "CrossAccountClone": False,
        "ActivityStreamStatus": "stopped",
        "DatabaseInsightsMode": "standard",
        "NetworkType": cluster.network_type,
        "HostedZoneId": "Z29XKXDKYMONMX",
        "DomainMemberships": [],
        "TagList": tag_list(cluster.tags),
        **({"PendingModifiedValues": _pending(cluster.pending)} if cluster.pending else {}),
        **({"GlobalClusterIdentifier": cluster.global_cluster} if cluster.global_cluster else {}),
        **_secret(cluster),
        **_cluster_endpoints(cluster, there),
    }
    window = windows.window_of(cluster)
    if window is not None:
        shape |= {"EarliestRestorableTime": window[0], "LatestRestorableTime": window[1]}
    if cluster.started_by_itself_at is not None and cluster.status == "stopped":
        shape["AutomaticRestartTime"] = cluster.started_by_itself_at
    return shape


def _cluster_endpoints(cluster: Cluster, members: list[Instance]) -> dict[str, Any]:
    """AWS gives both endpoints one port; here each server has its own, and so the reader endpoint, which is a reader's
    own, tells its port behind a colon where it differs."""
    server = cluster.volume.server if cluster.volume is not None else None
    if server is None:
        return {"Port": 5432}
    writer = server.address
    readers = [found for one in members[1:] if one.status in data_plane.SERVING and (found := endpoint_of(one))]
    reader = readers[0] if readers else writer
    told = reader.host if reader.port == writer.port else f"{reader.host}:{reader.port}"
    return {"Endpoint": writer.host, "Port": writer.port, "ReaderEndpoint": told}


def _member(cluster: Cluster, instance: Instance, writer: bool) -> dict[str, Any]:
    return {
        "DBInstanceIdentifier": instance.identifier,
        "IsClusterWriter": writer,
        "DBClusterParameterGroupStatus": cluster.parameter_status,
        "PromotionTier": instance.promotion_tier,
    }


def _cluster_role(feature: str, arn: str) -> dict[str, str]:
    named = {"FeatureName": feature} if feature else {}
    return {"RoleArn": arn, "Status": "ACTIVE", **named}
