"""Automated backups that are kept in another region as well, where they outlive an outage of their source's.

Source: RDS user guide, Replicating automated backups to another AWS Region; API reference,
StartDBInstanceAutomatedBackupsReplication and StopDBInstanceAutomatedBackupsReplication. Aurora has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drills.simulator.dynamodb.underway import later
from drills.simulator.rds import keys
from drills.simulator.rds.automated_backups import new_arn, prune, replicas_of, retain
from drills.simulator.rds.backup_shapes import PENDING, shape
from drills.simulator.rds.calls import Call, Refused, answering
from drills.simulator.rds.model import AutomatedBackup, Instance
from drills.simulator.rds.state import databases
from drills.simulator.rds.taking import settings_of, size_of
from drills.simulator.rds.windows import backup_of, window
from drills.simulator.state import Simulation, current
from drills.simulator.timing import Size

MOST_REPLICATED = 20
DEFAULT_RETENTION_DAYS = 7
REPLICATING = "replicating"


def start(call: Call) -> Mapping[str, Any]:
    """Called where the replica is to be. The first image is copied, then the log follows with its lag."""
    source = _source(call)
    original = backup_of(source)
    if original is None or original.status != "active" or not original.images:
        raise Refused(
            "InvalidDBInstanceState",
            f"The DB instance {source.identifier} has no automated backups that could be replicated.",
        )
    place = databases().of(call.account, call.region)
    if any(one is not original for one in replicas_of(source) if one.region == call.region):
        raise Refused(
            "InvalidDBInstanceState",
            f"Automated backups of the DB instance {source.identifier} are replicated to {call.region} already.",
        )
    if sum(one.replicated_from is not None for one in place.automated.values()) >= MOST_REPLICATED:
        raise Refused(
            "DBInstanceAutomatedBackupQuotaExceeded",
            f"No more than {MOST_REPLICATED} automated backups can be replicated to {call.region}.",
        )
    days = int(call.params.get("BackupRetentionPeriod", DEFAULT_RETENTION_DAYS))
    if not 1 <= days <= 35:
        raise Refused("InvalidParameterValue", f"Invalid backup retention period: {days}. It must be from 1 to 35.")
    replica = _replica(call, source, original, days)
    place.automated[source.resource_id] = replica
    _copy_first_image(replica, original)
    return {"DBInstanceAutomatedBackup": shape(replica, None, [])}


def _source(call: Call) -> Instance:
    """The caller's instance of another region. Raises Refused."""
    arn = call.params["SourceDBInstanceArn"]
    parts = str(arn).split(":", 6)
    if len(parts) < 7 or parts[5] != "db":
        raise Refused("InvalidParameterValue", f"Invalid DB instance ARN: {arn}")
    region, account, name = parts[3], parts[4], parts[6]
    if region == call.region:
        raise Refused("InvalidParameterValue", "Automated backups are replicated to another region than the source's.")
    if current().is_down(region):
        raise Refused("InternalFailure", f"The region {region} of {arn} cannot be reached.", 500)
    instance = databases().of(account, region).instances.get(name) if account == call.account else None
    if instance is None:
        raise Refused("DBInstanceNotFound", f"DBInstance {arn} not found.", 404)
    return instance


def _replica(call: Call, source: Instance, original: AutomatedBackup, days: int) -> AutomatedBackup:
    key = None
    if original.kms_key_id is not None:
        wanted = call.params.get("KmsKeyId")
        if not wanted:
            raise Refused("InvalidParameterValue", "Must specify a KMS key to replicate encrypted automated backups.")
        keys.check(call, original.kms_key_id, keys.READING, "The source KMS key", source.region)
        key = keys.check(call, wanted, keys.WRITING, "The target KMS key", call.region)
    simulation = current()
    return AutomatedBackup(
        account=call.account,
        region=call.region,
        source=settings_of(source),
        of="db",
        status=PENDING,
        archive=databases().uses.hold(original.archive),
        positions=original.positions,
        retention_days=days,
        kms_key_id=key,
        replicated_from=source.arn,
        arn=new_arn(source, call.region),
        lag_seconds=simulation.begin("rds.backup_replication_lag", source.arn, Size(0.0, 0)).seconds,
    )


def _copy_first_image(replica: AutomatedBackup, original: AutomatedBackup) -> None:
    at, image = original.images[-1]
    databases().uses.hold(image)
    modelled = current().begin("rds.snapshot_copy", str(replica.replicated_from), size_of(image))

    def copied() -> None:
        if replica.status != PENDING:
            databases().uses.let_go(image)
            return
        replica.images.append((at, image))
        replica.status = REPLICATING

    regions = frozenset({original.region, replica.region})
    later(replica.account, regions, modelled.seconds, copied)


def copy_image(original: AutomatedBackup) -> None:
    """A new image of the source's is copied to its replicas as well."""
    at, image = original.images[-1]
    for replica in replicas_of(original.source):
        if replica.status == REPLICATING:
            modelled = current().begin("rds.snapshot_copy", str(replica.replicated_from), size_of(image))
            databases().uses.hold(image)
            regions = frozenset({original.region, replica.region})
            later(replica.account, regions, modelled.seconds, lambda one=replica: _copied(one, at, image))  # type: ignore[misc]


def _copied(replica: AutomatedBackup, at: Any, image: Any) -> None:
    if replica.status != REPLICATING:
        databases().uses.let_go(image)
        return
    replica.images.append((at, image))
    prune(replica)


def stop(call: Call) -> Mapping[str, Any]:
    """No more is replicated; what is there is retained."""
    arn = call.params["SourceDBInstanceArn"]
    for replica in databases().of(call.account, call.region).automated.values():
        if replica.replicated_from == arn and replica.status in (PENDING, REPLICATING):
            retain(replica)
            return {"DBInstanceAutomatedBackup": shape(replica, window(replica), [])}
    raise Refused("DBInstanceNotFound", f"DBInstance {arn} not found, or it is not replicated to {call.region}.", 404)


def _cut(region: str) -> None:
    """What was logged and has not arrived when a source's region goes down, is not there until it is up again."""
    for replica in _replicas_from(region):
        replica.cut = current().clock.now()


def _mend(region: str) -> None:
    for replica in _replicas_from(region):
        replica.cut = None


def _replicas_from(region: str) -> list[AutomatedBackup]:
    return [
        backup
        for place in databases().regions.values()
        for backup in place.automated.values()
        if backup.replicated_from is not None and backup.replicated_from.split(":")[3] == region
    ]


def begin(simulation: Simulation) -> None:
    databases().on_backed_up.append(copy_image)
    simulation.on_region_down.append(_cut)
    simulation.on_region_up.append(_mend)


OPERATIONS = {
    "rds:StartDBInstanceAutomatedBackupsReplication": answering(start),
    "rds:StopDBInstanceAutomatedBackupsReplication": answering(stop),
}
