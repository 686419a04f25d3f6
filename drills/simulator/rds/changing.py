"""Changes of DB instances: at once, as soon as possible, or in the next maintenance window.

Source: RDS user guide, Settings for DB instances (which says of each setting when a change of it is applied); RDS API
reference, ModifyDBInstance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from drills.simulator.rds import groups, parameters, passwords, settings, states
from drills.simulator.rds.calls import Call, Refused, answering
from drills.simulator.rds.finding import check_state, instance_named
from drills.simulator.rds.instances import answer
from drills.simulator.rds.model import Held, Instance
from drills.simulator.rds.state import databases
from drills.simulator.state import Simulation, current
from drills.simulator.timing import Size

AT_ONCE: Mapping[str, str] = {
    "DeletionProtection": "deletion_protection",
    "CopyTagsToSnapshot": "copy_tags_to_snapshot",
    "AutoMinorVersionUpgrade": "auto_minor_version_upgrade",
    "EnableIAMDatabaseAuthentication": "iam_authentication",
    "PubliclyAccessible": "publicly_accessible",
    "PromotionTier": "promotion_tier",
    "CACertificateIdentifier": "ca_certificate",
    "MaxAllocatedStorage": "max_allocated_gb",
    "MonitoringInterval": "monitoring_interval_seconds",
    "MonitoringRoleArn": "monitoring_role_arn",
}
"""Settings that change nothing of the server, and so without a state of their own."""
DEFERRED: Mapping[str, str] = {
    "DBInstanceClass": "instance_class",
    "AllocatedStorage": "allocated_gb",
    "StorageType": "storage_type",
    "Iops": "iops",
    "StorageThroughput": "throughput",
    "EngineVersion": "engine_version",
    "MultiAZ": "multi_az",
    "BackupRetentionPeriod": "backup_retention_days",
    "NewDBInstanceIdentifier": "identifier",
}
"""Changed in the next maintenance window unless the call says ApplyImmediately."""
RESTARTING = frozenset({"DBInstanceClass", "EngineVersion"})
STORAGE = frozenset({"AllocatedStorage", "StorageType", "Iops", "StorageThroughput"})


def modify(call: Call) -> Mapping[str, Any]:
    instance = instance_named(call)
    check_state(instance)
    _check_member(call, instance)
    asked = _deferred(call, instance)
    fixed = _at_once(call, instance)
    password = new_password(call, instance)  # The last to refuse: from here on something changes.
    for change in fixed:
        change()
    instance.pending.update(asked)
    immediately = bool(call.params.get("ApplyImmediately", False))
    soon = dict(instance.pending) if immediately else _soon(instance)
    if soon:
        _work(instance, soon, password)
    elif password is not None:
        reset_password(instance, password)
    if instance.pending and not soon:
        due = settings.next_maintenance(instance)
        seconds = (due - current().clock.now()).total_seconds()
        states.after(instance, seconds, lambda: _in_window(instance))
    if not soon and password is None:
        told(instance)
    return answer(instance)


def told(held: Held) -> None:
    for tell in databases().on_modified:
        tell(held)


def _check_member(call: Call, instance: Instance) -> None:
    """Raises Refused for what is the cluster's to set."""
    if instance.cluster is None:
        return
    for parameter in (*settings.SET_BY_CLUSTER, "MultiAZ", "StorageType", "Iops", "EngineVersion"):
        if call.params.get(parameter) is not None:
            raise Refused(
                "InvalidParameterCombination",
                f"The DB instance is a member of the DB cluster {instance.cluster}; modify {parameter} of the cluster.",
            )


def _at_once(call: Call, instance: Instance) -> list[Callable[[], None]]:
    """Changes to make once nothing of the call has been refused. Raises Refused."""
    values: dict[str, Any] = {field: call.params[name] for name, field in AT_ONCE.items() if name in call.params}
    params = call.params
    if "MaxAllocatedStorage" in params:
        storage = int(params.get("AllocatedStorage", instance.allocated_gb))
        settings.check_most_storage(int(params["MaxAllocatedStorage"]), storage)
        # The storage itself as its limit switches autoscaling off.
        if params["MaxAllocatedStorage"] == storage:
            values["max_allocated_gb"] = None
    if "VpcSecurityGroupIds" in params:
        values["security_groups"] = groups.security_groups(call, params["VpcSecurityGroupIds"])
    if "DBSubnetGroupName" in params:
        values["subnet_group"] = groups.subnet_group(call, params["DBSubnetGroupName"])
    if "OptionGroupName" in params:
        values["option_group"] = groups.option_group(call, params["OptionGroupName"], instance.engine_version)
    if "PreferredBackupWindow" in params:
        values["preferred_backup_window"] = settings.check_backup_window(params["PreferredBackupWindow"])
    if "PreferredMaintenanceWindow" in params:
        backup = values.get("preferred_backup_window", instance.preferred_backup_window)
        values["preferred_maintenance_window"] = settings.check_maintenance_window(
            params["PreferredMaintenanceWindow"], backup
        )
    if "CloudwatchLogsExportConfiguration" in params:
        wanted = params["CloudwatchLogsExportConfiguration"]
        kept = set(instance.logs_exported) - set(wanted.get("DisableLogTypes", ()))
        values["logs_exported"] = sorted(kept | set(wanted.get("EnableLogTypes", ())))
    changes: list[Callable[[], None]] = [lambda: _set(instance, values)]
    if "DBParameterGroupName" in params:
        name = groups.parameter_group(call, params["DBParameterGroupName"], instance.engine, instance.engine_version)
        changes.append(lambda: another_parameter_group(instance, name))
    return changes


def _set(instance: Instance, values: Mapping[str, Any]) -> None:
    for field, value in values.items():
        setattr(instance, field, value)


def another_parameter_group(held: Held, name: str) -> None:
    """Static and dynamic parameters of a group that is newly associated wait for the reboot.

    Source: RDS user guide, Associating a DB parameter group with a DB instance.
    """
    if name != held.parameter_group:
        held.parameter_group, held.parameter_status = name, "pending-reboot"


def _deferred(call: Call, instance: Instance) -> dict[str, Any]:
    """What the call would change of what waits for a window, in the API's words. Raises Refused."""
    asked = {name: call.params[name] for name in DEFERRED if name in call.params}
    asked = {name: value for name, value in asked.items() if value != getattr(instance, DEFERRED[name])}
    if "NewDBInstanceIdentifier" in asked:
        name = settings.check_identifier(asked.pop("NewDBInstanceIdentifier"), "NewDBInstanceIdentifier")
        if name != instance.identifier:
            _check_free(instance, name)
            asked["DBInstanceIdentifier"] = name
    if "DBInstanceClass" in asked:
        settings.check_class(asked["DBInstanceClass"])
    if "BackupRetentionPeriod" in asked:
        settings.retention_in(call.params, 0, 0)
        if asked["BackupRetentionPeriod"] == 0 and instance.replicas:
            raise Refused(
                "InvalidDBInstanceState", "Automated backups cannot be disabled while the instance has read replicas."
            )
    if "EngineVersion" in asked:
        _check_version(str(settings.version_of(call, instance.engine)), instance)
    if STORAGE & asked.keys():
        _check_storage(asked, instance)
    return asked


def _check_free(instance: Instance, name: str) -> None:
    there = databases().of(instance.account, instance.region).instances.values()
    if any(name in (one.identifier, one.pending.get("DBInstanceIdentifier")) for one in there if one is not instance):
        raise Refused("DBInstanceAlreadyExists", "DB instance already exists")


def _check_version(version: str, instance: Instance) -> None:
    if version.partition(".")[0] != instance.engine_version.partition(".")[0]:
        raise Refused(
            "InvalidParameterCombination",
            f"Cannot upgrade {instance.engine} from {instance.engine_version} to {version}: upgrades to another major "
            "version are not simulated.",
        )


def _check_storage(asked: Mapping[str, Any], instance: Instance) -> None:
    if instance.status == "storage-optimization":
        raise Refused(
            "InvalidParameterCombination",
            "You can't currently modify the storage of this DB instance because the previous storage change is being "
            "optimized.",
        )
    wanted = int(asked.get("AllocatedStorage", instance.allocated_gb))
    settings.check_storage(str(asked.get("StorageType", instance.storage_type)), wanted)
    if wanted < instance.allocated_gb:
        raise Refused("InvalidParameterCombination", "Invalid storage size. The allocated storage can not be reduced.")
    if instance.allocated_gb < wanted < instance.allocated_gb * 1.1:
        raise Refused(
            "InvalidParameterCombination", "Invalid storage size. The allocated storage must grow by at least 10 %."
        )


# --- Passwords -------------------------------------------------------------------------------------------------------


def new_password(call: Call, held: Held) -> str | None:
    """The master password that the call sets, also by way of a secret; None when it sets none. Raises Refused."""
    params = call.params
    given, manage = params.get("MasterUserPassword"), params.get("ManageMasterUserPassword")
    managed = held.master_secret_arn is not None
    if params.get("RotateMasterUserPassword"):
        if not managed:
            raise Refused("InvalidParameterCombination", "The master user password is not managed by RDS.")
        return passwords.rotate(held)
    if manage and given:
        raise Refused(
            "InvalidParameterCombination",
            "You can't specify MasterUserPassword when ManageMasterUserPassword is enabled.",
        )
    if manage and not managed:
        return passwords.keep_in_secret(held, params.get("MasterUserSecretKmsKeyId"))
    if given is None:
        if manage is False and managed:
            raise Refused("InvalidParameterCombination", "You must specify MasterUserPassword with it.")
        return None
    if managed and manage is not False:
        raise Refused(
            "InvalidParameterCombination", "You can't specify MasterUserPassword while RDS manages it in a secret."
        )
    password = passwords.check_password(str(given))
    if managed:
        passwords.forget_secret(held)
    return password


def reset_password(held: Held, password: str) -> None:
    """As soon as possible; the old one holds meanwhile, and sessions that are open stay so."""
    seconds = current().begin("rds.password", arn_of(held), Size(0, 0)).seconds
    before = held.status
    held.pending["MasterUserPassword"] = "****"
    states.become(held, "resetting-master-credentials")

    def done() -> None:
        passwords.set_on_server(held, password)
        held.pending.pop("MasterUserPassword", None)
        states.become(held, before)
        told(held)

    states.after(held, seconds, done)


def arn_of(held: Held) -> str:
    assert hasattr(held, "arn")
    return str(held.arn)


# --- Work ------------------------------------------------------------------------------------------------------------


def _soon(instance: Instance) -> dict[str, Any]:
    """What is applied as soon as possible although it may wait: one retention that is not 0 for another."""
    days = instance.pending.get("BackupRetentionPeriod", 0)
    return {"BackupRetentionPeriod": days} if days and instance.backup_retention_days else {}


def _in_window(instance: Instance) -> None:
    if instance.pending and instance.status == "available":
        _work(instance, dict(instance.pending), None)


def _work(instance: Instance, values: Mapping[str, Any], password: str | None) -> None:
    only_renamed = values.keys() == {"DBInstanceIdentifier"}
    operation = "rds.rename" if only_renamed else "rds.modify"
    seconds = current().begin(operation, instance.arn, Size(0, 0)).seconds
    states.become(instance, "renaming" if only_renamed else "modifying")
    states.after(instance, seconds, lambda: _worked(instance, values, password))


def _worked(instance: Instance, values: Mapping[str, Any], password: str | None) -> None:
    for name, value in values.items():
        instance.pending.pop(name, None)
        if name != "DBInstanceIdentifier":
            setattr(instance, DEFERRED[name], value)
    if password is not None:
        passwords.set_on_server(instance, password)
    if "DBInstanceIdentifier" in values:
        rename(instance, str(values["DBInstanceIdentifier"]))
    if RESTARTING & values.keys() and not _restart(instance):
        return
    if STORAGE & values.keys():
        states.become(instance, "storage-optimization")
        size = Size(float(instance.allocated_gb), 0)
        seconds = current().begin("rds.storage", instance.arn, size).seconds
        states.after(instance, seconds, lambda: _optimized(instance))
    else:
        states.become(instance, "available")
    told(instance)


def _optimized(instance: Instance) -> None:
    if instance.status == "storage-optimization":
        states.become(instance, "available")


def _restart(instance: Instance) -> bool:
    """Whether its server, where it has one of its own, runs again."""
    if instance.volume is None or instance.volume.server is None:
        return True
    instance.volume.server.stop()
    return states.become(instance, instance.status) and parameters.apply_all(instance)


def rename(instance: Instance, name: str) -> None:
    """The name that it had is free from now on; replicas, clusters and backups know it by the new one."""
    before, place = instance.arn, databases().of(instance.account, instance.region)
    del place.instances[instance.identifier]
    cluster = place.clusters.get(instance.cluster or "")
    if cluster is not None:
        cluster.members = [name if one == instance.identifier else one for one in cluster.members]
    instance.identifier = name
    place.instances[name] = instance
    _follow_name(before, instance.arn)
    for tell in databases().on_renamed:
        tell(instance, before)


def _follow_name(before: str, now: str) -> None:
    sizes = current().sizes
    if before in sizes:
        sizes[now] = sizes.pop(before)
    for place in databases().regions.values():
        for one in place.instances.values():
            one.replicas = [now if arn == before else arn for arn in one.replicas]
            one.replica_of = now if one.replica_of == before else one.replica_of


def begin(_: Simulation) -> None:
    """Nothing is kept here."""


OPERATIONS = {"rds:ModifyDBInstance": answering(modify)}
