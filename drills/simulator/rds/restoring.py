"""New instances and clusters out of snapshots and of automated backups.

What is restored is always new: groups and protection are AWS's defaults or the call's, tags are the call's, roles are
not there; class, storage, retention, option group, key and, as they are rows, users and passwords are the source's.
Source: RDS API reference of the operations below; RDS user guide, Restoring to a DB instance; Restoring a DB instance
to a specified time; Aurora user guide, the same of clusters.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from drills.simulator.postgres.interface import Archive, Image, Position, Server
from drills.simulator.rds import data_plane, failing, keys, option_groups, settings, shapes, windows
from drills.simulator.rds.automated_backups import not_found
from drills.simulator.rds.calls import Call, Refused, answering
from drills.simulator.rds.finding import cluster_named, instance_named
from drills.simulator.rds.model import AURORA, POSTGRES, AutomatedBackup, Cluster, Held, Instance, Snapshot
from drills.simulator.rds.snapshot_words import CLUSTER, DB, Words, named
from drills.simulator.rds.state import databases, the_engine
from drills.simulator.rds.states import new_cluster, new_instance
from drills.simulator.rds.taking import arn_of, image_of, size_of
from drills.simulator.state import Simulation, current

# --- From snapshots --------------------------------------------------------------------------------------------------


def instance_from_snapshot(call: Call) -> Mapping[str, Any]:
    if "DBClusterSnapshotIdentifier" in call.params:
        raise Refused("InvalidParameterValue", "Snapshots of Multi-AZ DB clusters are not simulated.")
    identifier = call.params.get("DBSnapshotIdentifier")
    if not identifier:
        raise Refused("InvalidParameterValue", "The parameter DBSnapshotIdentifier must be provided.")
    target = settings.new_instance_identifier(call, call.params["DBInstanceIdentifier"])
    snapshot = _restorable(call, DB, identifier)
    source = snapshot.source
    assert isinstance(source, Instance)
    instance = _instance(call, target, source, snapshot.option_group)
    instance.kms_key_id = snapshot.kms_key_id
    assert snapshot.image is not None
    _begin_instance(instance, arn_of(source), _From(snapshot.image, snapshot.kms_key_id), hours=0.0)
    return {"DBInstance": shapes.db_instance(instance)}


def cluster_from_snapshot(call: Call) -> Mapping[str, Any]:
    identifier = call.params["SnapshotIdentifier"]
    if ":snapshot:" in identifier:
        raise Refused("InvalidParameterValue", "Making an Aurora cluster of a DB snapshot is not simulated.")
    settings.check_engine(str(call.params["Engine"]), AURORA)
    target = settings.new_cluster_identifier(call, call.params["DBClusterIdentifier"])
    snapshot = _restorable(call, CLUSTER, identifier)
    source = snapshot.source
    assert isinstance(source, Cluster)
    version = _version(call, source)
    cluster = settings.cluster_from(call, target, version=version, source=source)
    cluster.database_name = call.params.get("DatabaseName") or source.database_name
    cluster.kms_key_id = _cluster_key(call, snapshot.kms_key_id)
    assert snapshot.image is not None
    _begin_cluster(cluster, arn_of(source), _From(snapshot.image, snapshot.kms_key_id))
    return {"DBCluster": shapes.db_cluster(cluster)}


def _restorable(call: Call, words: Words, identifier: str) -> Snapshot:
    """A snapshot of this region that the caller may restore: its own, or a shared one that is not encrypted."""
    snapshot = named(call, words, identifier)
    if snapshot.region != call.region:
        raise Refused("InvalidParameterValue", f"The snapshot {identifier} is in {snapshot.region}: copy it first.")
    if snapshot.status != "available" or snapshot.image is None:
        raise Refused(words.invalid_state, f"The snapshot {snapshot.identifier} is not in the available state.")
    if snapshot.kms_key_id is not None:
        if snapshot.account != call.account:
            # The code is assumed (A); the user guide, Sharing a DB snapshot, says that it must be copied.
            raise Refused(
                words.invalid_state,
                f"A shared snapshot that is encrypted cannot be restored: {identifier}. Make a copy of it first.",
            )
        keys.check(call, snapshot.kms_key_id, keys.READING, "The specified KMS key")
    return snapshot


# --- To a point in time ----------------------------------------------------------------------------------------------


def instance_to_moment(call: Call) -> Mapping[str, Any]:
    """Of an instance by name, by resource id or by its automated backup's ARN, which may be a replica's."""
    target = settings.new_instance_identifier(call, call.params["TargetDBInstanceIdentifier"])
    backup = _instance_backup(call)
    moment = _moment(call, "RestoreTime", backup)
    _check_key(call, backup)
    source = backup.source
    assert isinstance(source, Instance)
    option_group = source.option_group if backup.replicated_from is None else None
    instance = _instance(call, target, source, option_group)
    instance.kms_key_id = backup.kms_key_id
    origin, hours = _at(backup, moment)
    _begin_instance(instance, arn_of(source), origin, hours=hours)
    return {"DBInstance": shapes.db_instance(instance)}


def _instance_backup(call: Call) -> AutomatedBackup:
    given, place = call.params, databases().of(call.account, call.region)
    arn, resource = given.get("SourceDBInstanceAutomatedBackupsArn"), given.get("SourceDbiResourceId")
    name = given.get("SourceDBInstanceIdentifier")
    if sum(bool(one) for one in (arn, resource, name)) != 1:
        raise Refused(
            "InvalidParameterCombination",
            "Exactly one of SourceDBInstanceIdentifier, SourceDbiResourceId and SourceDBInstanceAutomatedBackupsArn "
            "must be specified.",
        )
    if name:
        instance = instance_named(call, name)
        backup = place.automated.get(instance.resource_id)
        if backup is None:
            raise Refused(
                "PointInTimeRestoreNotEnabled",
                f"Point in time restore is not enabled for the DB instance {instance.identifier}: its backup retention "
                "period is 0.",
            )
        return backup
    for backup in place.automated.values():
        if backup.of == "db" and (backup.arn == arn if arn else backup.source.resource_id == resource):
            return backup
    raise not_found("db", arn or resource)


def cluster_to_moment(call: Call) -> Mapping[str, Any]:
    """Of a cluster by name, or by resource id; a clone (copy-on-write) is made as a full copy of now."""
    target = settings.new_cluster_identifier(call, call.params["DBClusterIdentifier"])
    kind = call.params.get("RestoreType", "full-copy")
    if kind not in ("full-copy", "copy-on-write"):
        raise Refused("InvalidParameterValue", f"Invalid restore type: {kind}")
    backup, source = _cluster_backup(call)
    if kind == "copy-on-write" and "RestoreToTime" in call.params:
        raise Refused("InvalidParameterCombination", "RestoreToTime cannot be specified for copy-on-write.")
    cloned = _clonable(source) if kind == "copy-on-write" else None
    moment = _moment(call, "RestoreToTime", backup) if cloned is None else None
    _check_key(call, backup)
    cluster = settings.cluster_from(call, target, version=backup.source.engine_version, source=_cluster_of(backup))
    cluster.kms_key_id = _cluster_key(call, backup.kms_key_id)
    # Nothing refuses any more: an image that is taken or held for a refused restore would be kept for nobody.
    if cloned is not None:
        origin = _From(image_of(cloned), backup.kms_key_id)
    else:
        assert moment is not None
        origin, _ = _at(backup, moment)
    _begin_cluster(cluster, arn_of(backup.source), origin)
    return {"DBCluster": shapes.db_cluster(cluster)}


def _cluster_backup(call: Call) -> tuple[AutomatedBackup, Cluster | None]:
    place, resource = databases().of(call.account, call.region), call.params.get("SourceDbClusterResourceId")
    name = call.params.get("SourceDBClusterIdentifier")
    source = cluster_named(call, name) if name else None
    backup = place.automated.get(source.resource_id if source is not None else str(resource))
    if backup is None or backup.of != "cluster":
        raise not_found("cluster", resource or name)
    live = next((one for one in place.clusters.values() if one.resource_id == backup.source.resource_id), None)
    return backup, live


def _cluster_of(backup: AutomatedBackup) -> Cluster:
    assert isinstance(backup.source, Cluster)
    return backup.source


def _moment(call: Call, parameter: str, backup: AutomatedBackup) -> datetime:
    """The moment that is asked for, if it is within the window. Raises Refused, in AWS's words."""
    window = windows.window(backup)
    asked, latest = call.params.get(parameter), bool(call.params.get("UseLatestRestorableTime", False))
    if (asked is not None) == latest:
        raise Refused(
            "InvalidParameterCombination",
            f"Either {parameter} or UseLatestRestorableTime must be specified, and not both.",
        )
    if window is None:
        code = "InvalidDBInstanceState" if backup.of == "db" else "InvalidDBClusterStateFault"
        raise Refused(code, f"The automated backup of {backup.source.identifier} is {backup.status}.")
    if asked is None:
        return window[1]
    moment: datetime = asked
    if moment > window[1]:
        raise Refused(
            "InvalidParameterValue",
            f"The specified instance cannot be restored to a time later than {_text(window[1])}.",
        )
    if moment < window[0]:
        raise Refused(
            "InvalidParameterValue",
            f"The specified instance cannot be restored to a time earlier than {_text(window[0])} because its backup "
            f"retention period is set to {backup.retention_days} days.",
        )
    since = windows.gap(backup, moment)
    if since is not None:
        raise Refused(
            "InvalidParameterValue",
            f"The specified instance cannot be restored to {_text(moment)}: it was not backed up from {_text(since)} "
            "until it was a primary again.",
        )
    return moment


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _check_key(call: Call, backup: AutomatedBackup) -> None:
    if backup.kms_key_id is not None:
        keys.check(call, backup.kms_key_id, keys.READING, "The specified KMS key")


# --- What is restored from -------------------------------------------------------------------------------------------


class _From:
    """An image, and with an archive the position to go on to. Held from now until the server is there.

    Made when nothing of the call can be refused any more.
    """

    def __init__(
        self, image: Image, key_arn: str | None, archive: Archive | None = None, until: Position | None = None
    ) -> None:
        self.image, self.key_arn, self.archive, self.until = image, key_arn, archive, until
        databases().uses.hold(image)
        if archive is not None:
            databases().uses.hold(archive)

    def server(self) -> Server | None:
        """The new server; None when the key was taken away meanwhile."""
        try:
            if not keys.usable(self.key_arn):
                return None
            return the_engine().restore(self.image, self.archive, self.until)
        finally:
            databases().uses.let_go(self.image)
            databases().uses.let_go(self.archive)


def _at(backup: AutomatedBackup, moment: datetime) -> tuple[_From, float]:
    """The newest image before the moment with the log up to it, and how many hours of log that are."""
    data_plane.note()
    line, at, image = windows.image_before(backup, moment)
    position = line.positions.at(moment)
    if position is None or position <= image.position:
        return _From(image, backup.kms_key_id), 0.0
    hours = (moment - at).total_seconds() / 3_600
    return _From(image, backup.kms_key_id, line.archive, position), hours


def _clonable(source: Cluster | None) -> Server:
    """The server of a cluster that is to be cloned. Raises Refused."""
    if source is None or source.volume is None or source.volume.server is None:
        raise Refused("DBClusterNotFoundFault", "A clone is made of a DB cluster that is there.", 404)
    return source.volume.server


# --- What becomes of it ----------------------------------------------------------------------------------------------


def _instance(call: Call, target: str, source: Instance, option_group: str | None) -> Instance:
    settings.check_engine(str(call.params.get("Engine") or source.engine), POSTGRES)
    instance = settings.instance_from(call, target, engine=source.engine, version=source.engine_version, source=source)
    if not call.params.get("OptionGroupName") and option_groups.exists(call.account, call.region, option_group or ""):
        instance.option_group = option_group or instance.option_group
    return instance


def _version(call: Call, source: Held) -> str:
    """The one asked for, not older than the source's. Raises Refused."""
    version = settings.version_of(call, source.engine, source.engine_version)
    if int(version.partition(".")[0]) != int(source.engine_version.partition(".")[0]):
        raise Refused(
            "InvalidParameterCombination",
            f"Restoring version {source.engine_version} to another major version, {version}, is not simulated.",
        )
    return version


def _cluster_key(call: Call, source_key: str | None) -> str | None:
    """The key of the new cluster: one that the call names for what is encrypted, else the source's."""
    wanted = call.params.get("KmsKeyId")
    if not wanted:
        return source_key
    if source_key is None:
        raise Refused("InvalidParameterCombination", "KmsKeyId cannot be specified for a source that is not encrypted.")
    return keys.check(call, wanted, keys.WRITING, "The specified KMS key", call.region)


def _begin_instance(instance: Instance, source_arn: str, origin: _From, hours: float) -> None:
    simulation, size = current(), size_of(origin.image)
    seconds = simulation.begin("rds.restore", source_arn, size).seconds
    if hours:
        seconds += simulation.begin("rds.replay", source_arn, size, after_seconds=seconds, hours=hours).seconds
    lazily = simulation.begin("rds.full_speed", source_arn, size, after_seconds=seconds).seconds
    new_instance(
        instance,
        origin.server,
        seconds=seconds,
        full_speed_seconds=lazily,
        otherwise=failing.instance_not_restored,
    )


def _begin_cluster(cluster: Cluster, source_arn: str, origin: _From) -> None:
    modelled = current().begin("aurora.restore", source_arn, size_of(origin.image))
    new_cluster(cluster, origin.server, seconds=modelled.seconds, otherwise=failing.cluster_not_restored)


def begin(_: Simulation) -> None:
    """What is being restored is kept with the instances and clusters."""


OPERATIONS = {
    "rds:RestoreDBInstanceFromDBSnapshot": answering(instance_from_snapshot),
    "rds:RestoreDBInstanceToPointInTime": answering(instance_to_moment),
    "rds:RestoreDBClusterFromSnapshot": answering(cluster_from_snapshot),
    "rds:RestoreDBClusterToPointInTime": answering(cluster_to_moment),
}
