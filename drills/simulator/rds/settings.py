"""What a call says of an instance or a cluster that is to be, with AWS's defaults and refusals.

Source: RDS API reference, CreateDBInstance, CreateDBCluster and their errors; RDS user guide, Quotas and constraints,
DB instance storage.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from drills.simulator.rds import groups, keys
from drills.simulator.rds.calls import Call, Refused
from drills.simulator.rds.model import AURORA, ENGINES, POSTGRES, Cluster, Held, Instance, Tags
from drills.simulator.rds.state import databases
from drills.simulator.state import current

DEFAULT_VERSIONS = {POSTGRES: "17.6", AURORA: "17.5"}
VERSION = re.compile(r"(\d{2})(?:\.(\d{1,2}))?(?:-[rR]\d)?")
MINORS = {11: (1, 22), 12: (2, 22), 13: (1, 23), 14: (1, 25), 15: (2, 25), 16: (1, 25), 17: (1, 25), 18: (1, 25)}
"""The first and the last minor version by major one; none that is still maintained will have more than 25."""
IDENTIFIER = re.compile(r"[a-zA-Z](?:-?[a-zA-Z0-9])*")
LONGEST_IDENTIFIER = 63
INSTANCE_CLASS = re.compile(r"db\.(?:serverless|[a-z0-9-]+\.[a-z0-9-]+)")
MOST_INSTANCES = 40
MOST_CLUSTERS = 40
MOST_TAGS = 50
STORAGE_GB = {
    "gp2": (20, 65_536),
    "gp3": (20, 65_536),
    "io1": (100, 65_536),
    "io2": (100, 65_536),
    "standard": (5, 3_072),
}
WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAINTENANCE = re.compile(rf"({'|'.join(DAYS)}):(\d\d):(\d\d)-({'|'.join(DAYS)}):(\d\d):(\d\d)")
SHORTEST_WINDOW_MINUTES = 30
DAY_MINUTES = 24 * 60
SET_BY_CLUSTER = {
    "MasterUsername": "master user name",
    "MasterUserPassword": "master user password",
    "DBName": "database name",
    "BackupRetentionPeriod": "backup retention period",
    "AllocatedStorage": "allocated storage",
    "StorageEncrypted": "storage encryption",
    "KmsKeyId": "KMS key",
    "VpcSecurityGroupIds": "VPC security groups",
    "DeletionProtection": "deletion protection",
    "PreferredBackupWindow": "backup window",
}
"""Parameters that a member of a cluster must not give."""


# --- Both ------------------------------------------------------------------------------------------------------------


def check_engine(engine: str, *allowed: str) -> str:
    """Raises Refused for an engine that is not one of these; those that are not simulated are named as such."""
    if engine in (allowed or ENGINES):
        return engine
    if engine in ENGINES:
        raise Refused("InvalidParameterValue", f"The engine {engine} is made by another operation than this.")
    raise Refused(
        "InvalidParameterValue",
        f"Invalid DB engine: {engine}. The simulated RDS has postgres and aurora-postgresql; MySQL, MariaDB, Oracle, "
        "SQL Server, Db2 and others are not simulated.",
    )


def version_of(call: Call, engine: str, default: str | None = None) -> str:
    """The engine's version as the call says; a major version alone is its default minor one's name."""
    given = str(call.params.get("EngineVersion") or default or DEFAULT_VERSIONS[engine])
    found = VERSION.fullmatch(given)
    least, most = MINORS.get(int(found[1]), (1, 0)) if found is not None else (1, 0)
    if found is None or not least <= int(found[2] or least) <= most:
        raise Refused("InvalidParameterCombination", f"Cannot find version {given} for {engine}")
    major = DEFAULT_VERSIONS[engine].partition(".")[0]
    return DEFAULT_VERSIONS[engine] if given == major else given


def check_identifier(identifier: Any, parameter: str) -> str:
    """As AWS keeps it: in lower case. Raises Refused."""
    text = str(identifier or "")
    if IDENTIFIER.fullmatch(text) is None or len(text) > LONGEST_IDENTIFIER:
        raise Refused(
            "InvalidParameterValue",
            f"The parameter {parameter} is not a valid identifier. Identifiers must begin with a letter; must contain "
            "only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive "
            "hyphens.",
        )
    return text.lower()


def new_instance_identifier(call: Call, identifier: Any, parameter: str = "DBInstanceIdentifier") -> str:
    """Raises Refused where one is there by this name, or the account has as many as it may."""
    name, there = check_identifier(identifier, parameter), databases().of(call.account, call.region).instances
    if name in there:
        raise Refused("DBInstanceAlreadyExists", "DB instance already exists")
    if len(there) >= MOST_INSTANCES:
        raise Refused("InstanceQuotaExceeded", f"DB instance quota exceeded. Maximum: {MOST_INSTANCES}")
    return name


def new_cluster_identifier(call: Call, identifier: Any, parameter: str = "DBClusterIdentifier") -> str:
    """Raises Refused where one is there by this name, or the account has as many as it may."""
    name, there = check_identifier(identifier, parameter), databases().of(call.account, call.region).clusters
    if name in there:
        raise Refused("DBClusterAlreadyExistsFault", "DB Cluster already exists")
    if len(there) >= MOST_CLUSTERS:
        raise Refused("DBClusterQuotaExceededFault", f"DB cluster quota exceeded. Maximum: {MOST_CLUSTERS}", 403)
    return name


def new_resource_id(kind: str) -> str:
    """Unique for ever, by the seed: ``db-`` or ``cluster-`` and 26 letters and digits."""
    draw = current().rng("rds.resource_ids")
    return f"{kind}-" + "".join(draw.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(26))


def tags_in(params: Mapping[str, Any]) -> Tags:
    """Raises Refused for tags that only AWS may give, and for too many."""
    tags = {str(tag["Key"]): str(tag.get("Value", "")) for tag in params.get("Tags", ())}
    if any(key.lower().startswith("aws:") for key in tags):
        raise Refused("InvalidParameterValue", "Tag keys cannot start with the reserved prefix 'aws:'.")
    if len(tags) > MOST_TAGS:
        raise Refused("InvalidParameterValue", f"A resource may have at most {MOST_TAGS} tags.")
    return tags


def retention_in(params: Mapping[str, Any], least: int, default: int) -> int:
    days = int(params.get("BackupRetentionPeriod", default))
    if not least <= days <= 35:
        raise Refused(
            "InvalidParameterValue",
            f"Invalid backup retention period: {days}. Retention period must be between {least} and 35.",
        )
    return days


def storage_key(call: Call, encrypted: bool) -> str | None:
    """The ARN of the key that new storage is encrypted with, None when it is not. Raises Refused."""
    given = call.params.get("KmsKeyId")
    if given and not encrypted:
        raise Refused(
            "InvalidParameterCombination", "A KMS key cannot be specified when storage encryption is not enabled."
        )
    if given:
        return keys.check(call, str(given), keys.WRITING, "The specified KMS key", call.region)
    return str(keys.default_key(call.account, call.region).arn) if encrypted else None


def _common(call: Call, held: Held, default: Held | None) -> None:
    """What instances and clusters are told alike."""
    params = call.params
    held.deletion_protection = bool(params.get("DeletionProtection", False))
    copied = default is not None and default.copy_tags_to_snapshot
    held.copy_tags_to_snapshot = bool(params.get("CopyTagsToSnapshot", copied))
    held.iam_authentication = bool(params.get("EnableIAMDatabaseAuthentication", False))
    held.security_groups = groups.security_groups(call, params.get("VpcSecurityGroupIds"))
    held.subnet_group = groups.subnet_group(call, params.get("DBSubnetGroupName"))
    held.tags = tags_in(params)
    held.auto_minor_version_upgrade = bool(params.get("AutoMinorVersionUpgrade", True))
    held.network_type = str(params.get("NetworkType", "IPV4"))
    backup = params.get("PreferredBackupWindow") or (default.preferred_backup_window if default is not None else "")
    held.preferred_backup_window = check_backup_window(str(backup)) if backup else drawn_backup_window()
    held.preferred_maintenance_window = check_maintenance_window(
        str(params.get("PreferredMaintenanceWindow") or _clear_of(held.preferred_backup_window)),
        held.preferred_backup_window,
    )


# --- Instances -------------------------------------------------------------------------------------------------------


def instance_from(
    call: Call, identifier: str, *, engine: str, version: str, source: Instance | None = None
) -> Instance:
    """An instance as the call describes it, not registered yet; what the call leaves out is as in ``source``.

    Of the source are only class, storage, retention, windows and encryption; names, groups, tags and protection are
    the call's own or AWS's defaults, as a restore gives. The caller sets what holds the rows: master user, database,
    key. Raises Refused.
    """
    params = call.params
    instance = Instance(
        account=call.account,
        region=call.region,
        identifier=identifier,
        resource_id=new_resource_id("db"),
        engine=engine,
        engine_version=version,
        master_username=source.master_username if source is not None else "",
        database_name=source.database_name if source is not None else None,
        created=current().clock.now(),
        status="creating",
        volume=None,
        kms_key_id=source.kms_key_id if source is not None else None,
        instance_class=check_class(params.get("DBInstanceClass") or (source.instance_class if source else None)),
    )
    _common(call, instance, source)
    instance.backup_retention_days = retention_in(params, 0, source.backup_retention_days if source is not None else 1)
    instance.parameter_group = groups.parameter_group(call, params.get("DBParameterGroupName"), engine, version)
    instance.option_group = groups.option_group(call, params.get("OptionGroupName"), version)
    instance.multi_az = bool(params.get("MultiAZ", False))
    instance.publicly_accessible = bool(params.get("PubliclyAccessible", False))
    instance.availability_zone = zone_of(call, instance.multi_az)
    instance.promotion_tier = int(params.get("PromotionTier", 1))
    instance.ca_certificate = str(params.get("CACertificateIdentifier", instance.ca_certificate))
    instance.monitoring_interval_seconds = int(params.get("MonitoringInterval", 0))
    instance.monitoring_role_arn = params.get("MonitoringRoleArn")
    instance.logs_exported = list(params.get("EnableCloudwatchLogsExports", []))
    _storage(params, instance, source)
    instance.max_allocated_gb = params.get("MaxAllocatedStorage")
    if instance.max_allocated_gb is not None:
        check_most_storage(instance.max_allocated_gb, instance.allocated_gb + 1)
    return instance


def member_from(call: Call, identifier: str, cluster: Cluster) -> Instance:
    """A member of an Aurora cluster as the call describes it; the cluster decides the rest. Raises Refused."""
    params = call.params
    for parameter, words in SET_BY_CLUSTER.items():
        if params.get(parameter):
            raise Refused(
                "InvalidParameterCombination",
                f"The requested DB Instance will be a member of a DB Cluster. Set {words} for the DB Cluster.",
            )
    instance = Instance(
        account=call.account,
        region=call.region,
        identifier=identifier,
        resource_id=new_resource_id("db"),
        engine=cluster.engine,
        engine_version=cluster.engine_version,
        master_username=cluster.master_username,
        database_name=cluster.database_name,
        created=current().clock.now(),
        status="creating",
        volume=None,
        kms_key_id=cluster.kms_key_id,
        backup_retention_days=cluster.backup_retention_days,
        iam_authentication=cluster.iam_authentication,
        parameter_group=groups.parameter_group(
            call, params.get("DBParameterGroupName"), cluster.engine, cluster.engine_version
        ),
        security_groups=list(cluster.security_groups),
        subnet_group=cluster.subnet_group,
        preferred_backup_window=cluster.preferred_backup_window,
        tags=tags_in(params),
        instance_class=check_class(params.get("DBInstanceClass")),
        allocated_gb=1,
        storage_type="aurora",
        option_group=f"default:aurora-postgresql-{cluster.engine_version.partition('.')[0]}",
        cluster=cluster.identifier,
        promotion_tier=int(params.get("PromotionTier", 1)),
        publicly_accessible=bool(params.get("PubliclyAccessible", False)),
    )
    instance.availability_zone = zone_of(call, False)
    instance.preferred_maintenance_window = check_maintenance_window(
        str(params.get("PreferredMaintenanceWindow") or cluster.preferred_maintenance_window),
        cluster.preferred_backup_window,
    )
    return instance


def check_class(given: Any) -> str:
    if INSTANCE_CLASS.fullmatch(str(given or "")) is None:
        raise Refused("InvalidParameterValue", f"Invalid DB Instance class: {given or ''}")
    return str(given)


def zone_of(call: Call, multi_az: bool) -> str:
    zone = call.params.get("AvailabilityZone")
    if zone and multi_az:
        raise Refused(
            "InvalidParameterCombination",
            "Requesting a specific availability zone is not valid for Multi-AZ instances.",
        )
    if zone and not str(zone).startswith(call.region):
        raise Refused("InvalidParameterValue", f"Invalid availability zone {zone} in region {call.region}")
    return str(zone or f"{call.region}{current().rng('rds.zones').choice('abc')}")


def _storage(params: Mapping[str, Any], instance: Instance, source: Instance | None) -> None:
    kind = str(params.get("StorageType") or (source.storage_type if source is not None else "gp3"))
    gigabytes = params.get("AllocatedStorage") or (source.allocated_gb if source is not None else None)
    if gigabytes is None:
        raise Refused("InvalidParameterValue", "The parameter AllocatedStorage must be provided and must not be blank.")
    check_storage(kind, int(gigabytes))
    if source is not None and int(gigabytes) < source.allocated_gb:
        raise Refused(
            "InvalidParameterValue",
            f"Invalid storage size: {gigabytes}. It must not be less than the {source.allocated_gb} GiB of the source.",
        )
    instance.storage_type, instance.allocated_gb = kind, int(gigabytes)
    instance.iops = params.get("Iops") or (source.iops if source is not None else None)
    if kind in ("io1", "io2") and not instance.iops:
        raise Refused("InvalidParameterCombination", f"You must specify the Iops for storage of type {kind}.")
    if kind == "gp3":
        instance.iops = instance.iops or 3000
        instance.throughput = int(params.get("StorageThroughput", 125))


def check_most_storage(gigabytes: int, least: int) -> None:
    """Raises Refused for a limit of storage autoscaling that is below what there must be."""
    if gigabytes < least:
        raise Refused("InvalidParameterCombination", "Max storage size must be greater than storage size")


def check_storage(kind: str, gigabytes: int) -> None:
    """Raises Refused."""
    if kind not in STORAGE_GB:
        raise Refused("InvalidParameterValue", f"Invalid storage type: {kind}")
    least, most = STORAGE_GB[kind]
    if not least <= gigabytes <= most:
        raise Refused(
            "InvalidParameterValue",
            f"Invalid storage size for engine name postgres and storage type {kind}: {gigabytes}",
        )


# --- Clusters --------------------------------------------------------------------------------------------------------


def cluster_from(call: Call, identifier: str, *, version: str, source: Cluster | None = None) -> Cluster:
    """A cluster as the call describes it, not registered yet; what the call leaves out is as in ``source``.

    The caller sets what holds the rows: master user, database, key. Raises Refused.
    """
    params = call.params
    if params.get("EngineMode", "provisioned") != "provisioned":
        raise Refused("InvalidParameterValue", f"The engine mode {params['EngineMode']} is not simulated.")
    cluster = Cluster(
        account=call.account,
        region=call.region,
        identifier=identifier,
        resource_id=new_resource_id("cluster"),
        engine=AURORA,
        engine_version=version,
        master_username=source.master_username if source is not None else "",
        database_name=source.database_name if source is not None else None,
        created=current().clock.now(),
        status="creating",
        volume=None,
        kms_key_id=source.kms_key_id if source is not None else None,
    )
    _common(call, cluster, source)
    cluster.backup_retention_days = retention_in(params, 1, source.backup_retention_days if source is not None else 1)
    cluster.parameter_group = groups.cluster_parameter_group(
        call, params.get("DBClusterParameterGroupName"), AURORA, version
    )
    return cluster


# --- Windows ---------------------------------------------------------------------------------------------------------


def check_backup_window(window: str) -> str:
    """Raises Refused for what is no daily window of at least half an hour."""
    found = WINDOW.fullmatch(window)
    if found is None or _length(window) < SHORTEST_WINDOW_MINUTES:
        raise Refused("InvalidParameterValue", f"Invalid backup window: {window}, of 30 minutes and more")
    return window


def check_maintenance_window(window: str, backup: str) -> str:
    """Raises Refused for what is no weekly window, and for one that overlaps with the backup window."""
    found = MAINTENANCE.fullmatch(window.lower())
    if found is None:
        raise Refused("InvalidParameterValue", f"Invalid maintenance window: {window}. Use ddd:hh24:mi-ddd:hh24:mi")
    begins = int(found[2]) * 60 + int(found[3])
    length = (int(found[5]) * 60 + int(found[6]) - begins) % DAY_MINUTES
    backup_begins = int(backup[:2]) * 60 + int(backup[3:5])
    if (backup_begins - begins) % DAY_MINUTES < length or (begins - backup_begins) % DAY_MINUTES < _length(backup):
        raise Refused("InvalidParameterValue", "The backup window and maintenance window must not overlap.")
    return window.lower()


def _length(window: str) -> int:
    begins, ends = (int(part[:2]) * 60 + int(part[3:]) for part in window.split("-"))
    return (ends - begins) % DAY_MINUTES


def drawn_backup_window() -> str:
    """Half an hour of the night that AWS would choose, by the seed."""
    begins = current().rng("rds.windows").randrange(0, 8 * 60 - 30)
    return f"{begins // 60:02}:{begins % 60:02}-{(begins + 30) // 60:02}:{(begins + 30) % 60:02}"


def _clear_of(backup: str) -> str:
    begins = (int(backup[:2]) * 60 + int(backup[3:5]) + _length(backup) + 60) % DAY_MINUTES
    begins = min(begins, DAY_MINUTES - 31)
    day = current().rng("rds.windows").choice(DAYS)
    return f"{day}:{begins // 60:02}:{begins % 60:02}-{day}:{(begins + 30) // 60:02}:{(begins + 30) % 60:02}"


def next_maintenance(held: Held) -> datetime:
    """When the next maintenance window begins."""
    found, now = MAINTENANCE.fullmatch(held.preferred_maintenance_window), current().clock.now()
    assert found is not None
    due = now.replace(hour=int(found[2]), minute=int(found[3]), second=0, microsecond=0)
    due += timedelta(days=(DAYS.index(found[1]) - now.weekday()) % 7)
    return due if due > now else due + timedelta(days=7)
