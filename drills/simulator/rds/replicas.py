"""Read replicas: real streaming standbys in the source's region or another one, of the same account.

Source: RDS user guide, Working with DB instance read replicas (creating, promoting, cross-Region, deleting the source),
PostgreSQL read replicas; API reference, CreateDBInstanceReadReplica and PromoteReadReplica. The words of the refusals
that AWS is known to answer with are those; the others are ours (A). Assumed: what was on its way when a promotion
begins does not arrive any more; a replica whose source cannot be reached when it would be ready has failed; the first
backup after a promotion holds nothing up, as where the replica has had backups before, which AWS recommends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drills.simulator.dynamodb.underway import disturbed
from drills.simulator.postgres.interface import Server
from drills.simulator.rds import failing, following, keys, settings, shapes
from drills.simulator.rds.calls import Call, Refused, answering
from drills.simulator.rds.model import Held, Instance
from drills.simulator.rds.state import databases
from drills.simulator.rds.states import after, become, new_instance, size_of
from drills.simulator.state import Simulation, current

MOST_REPLICAS = 15
LONGEST_CHAIN = 3
"""How many replicas may lie between a source and the last replica of replicas, itself counted."""
REPLICATING = "replicating"
TERMINATED = "terminated"
SOURCE_STATES = ("available", "backing-up", "storage-optimization")
DEFAULT_RETENTION_DAYS = 1


def begin(simulation: Simulation) -> None:
    """Follow what happens to sources and to replicas."""
    databases().on_deleting.append(_deleting)
    databases().on_renamed.append(_renamed)


# --- Making


def create(call: Call) -> Mapping[str, Any]:
    """CreateDBInstanceReadReplica."""
    source = _source(call)
    name = settings.new_instance_identifier(call, call.params["DBInstanceIdentifier"])
    key = _key(call, source)
    _check(source)
    replica = settings.instance_from(call, name, engine=source.engine, version=source.engine_version, source=source)
    replica.backup_retention_days = 0
    replica.kms_key_id = key
    replica.replica_of = source.arn
    if replica.region == source.region and "DBParameterGroupName" not in call.params:
        replica.parameter_group = source.parameter_group
    source.replicas.append(replica.arn)
    other = float(replica.region != source.region)
    modelled = current().begin(
        "rds.replica", replica.arn, current().size_of(source.arn, size_of(source)), cross_region=other
    )
    new_instance(replica, lambda: _standby(source, replica), seconds=modelled.seconds)
    return {"DBInstance": shapes.db_instance(replica)}


def _source(call: Call) -> Instance:
    """The instance that is to be followed. Raises Refused."""
    named = call.params.get("SourceDBInstanceIdentifier")
    if call.params.get("SourceDBClusterIdentifier") or not named:
        raise Refused(
            "InvalidParameterCombination",
            "Specify SourceDBInstanceIdentifier; replicas of Multi-AZ DB clusters are not simulated",
        )
    region, name = call.region, named
    if named.startswith("arn:"):
        parts = named.split(":")
        if len(parts) != 7 or parts[5] != "db":
            raise Refused("InvalidParameterValue", f"Invalid ARN of a source DB instance: {named}")
        if parts[4] != call.account:
            raise Refused("DBInstanceNotFound", f"DBInstance {named} not found.", 404)
        region, name = parts[3], parts[6]
    if disturbed(call.account, frozenset({region})):
        raise Refused("InternalFailure", f"Region {region} of the source DB instance does not answer", 500)
    source = databases().of(call.account, region).instances.get(name.lower())
    if source is None:
        raise Refused("DBInstanceNotFound", f"DBInstance {name} not found.", 404)
    return source


def _check(source: Instance) -> None:
    if source.cluster is not None:
        raise Refused(
            "InvalidDBInstanceState", f"DB instance {source.identifier} is a member of DB cluster {source.cluster}"
        )
    if source.status not in SOURCE_STATES:
        raise Refused("InvalidDBInstanceState", f"DB instance {source.identifier} is in state {source.status}")
    if source.backup_retention_days == 0:
        raise Refused(
            "InvalidDBInstanceState",
            "Automated backups are not enabled for this database instance. To enable automated backups, use "
            "ModifyDBInstance to set the backup retention period to a non-zero value.",
        )
    if len(source.replicas) >= MOST_REPLICAS:
        raise Refused(
            "InvalidDBInstanceState",
            f"DB instance {source.identifier} has {MOST_REPLICAS} read replicas, which is the maximum",
        )
    chain, at = 0, source
    while at.replica_of is not None and (above := instance_by_arn(at.replica_of)) is not None:
        chain, at = chain + 1, above
    if chain >= LONGEST_CHAIN:
        raise Refused(
            "InvalidDBInstanceState", f"DB instance {source.identifier} is the last of a chain of read replicas"
        )


def _key(call: Call, source: Instance) -> str | None:
    """The key of the replica's storage. Raises Refused."""
    given = call.params.get("KmsKeyId")
    if source.kms_key_id is None:
        if given:
            raise Refused(
                "InvalidParameterCombination",
                "You cannot create an encrypted Read Replica from an unencrypted DB instance.",
            )
        return None
    if call.region == source.region:
        if given and keys.check(call, given, keys.WRITING, "The specified KMS key", call.region) != source.kms_key_id:
            raise Refused(
                "InvalidParameterCombination",
                "A read replica in the region of its source is encrypted with the source's key",
            )
        return source.kms_key_id
    if not given:
        raise Refused(
            "InvalidParameterCombination",
            "Cannot create a cross region unencrypted read replica from encrypted source.",
        )
    return keys.check(call, given, keys.WRITING, "The specified KMS key", call.region)


def _standby(source: Instance, replica: Instance) -> Server | None:
    """The replica's server, as its source is at that moment; None when the source cannot be followed."""
    server = source.volume.server if source.volume is not None else None
    here = databases().of(source.account, source.region).instances.get(source.identifier) is source
    if not here or server is None or not server.running:
        return None
    standby = following.follow(source, replica, following.REPLICA_LAG)
    replica.replica_status = REPLICATING
    return standby


# --- Promoting


def promote(call: Call) -> Mapping[str, Any]:
    """PromoteReadReplica: the replica becomes an instance of its own after the modelled time."""
    name = call.params["DBInstanceIdentifier"].rpartition(":")[2].lower()
    replica = databases().of(call.account, call.region).instances.get(name)
    if replica is None:
        raise Refused("DBInstanceNotFound", f"DBInstance {name} not found.", 404)
    if replica.replica_of is None:
        raise Refused("InvalidDBInstanceState", f"DB Instance {name} is not a read replica")
    if replica.status != "available":
        raise Refused("InvalidDBInstanceState", f"DB instance {name} is in state {replica.status}")
    days = settings.retention_in(call.params, 0, DEFAULT_RETENTION_DAYS)
    if "PreferredBackupWindow" in call.params:
        replica.preferred_backup_window = settings.check_backup_window(call.params["PreferredBackupWindow"])
    _promote_later(replica, days)
    return {"DBInstance": shapes.db_instance(replica)}


def _promote_later(replica: Instance, retention_days: int) -> None:
    following.part(replica)
    become(replica, "modifying")
    modelled = current().begin("rds.promotion", replica.arn, size_of(replica))
    after(replica, modelled.seconds, lambda: _promoted(replica, retention_days))


def _promoted(replica: Instance, retention_days: int) -> None:
    """Its own automated backups begin, with a first one, as of a new instance."""
    source = instance_by_arn(replica.replica_of)
    if source is not None and replica.arn in source.replicas:
        source.replicas.remove(replica.arn)
    replica.replica_of = replica.replica_status = None
    replica.backup_retention_days = retention_days
    if not failing.attempt(replica, lambda: following.promote(replica)) or not become(replica, "available"):
        return
    for tell in databases().on_available:
        tell(replica)


def modifying(call: Call) -> None:
    """ModifyDBInstance cannot change the password of a replica: it is its source's."""
    name = call.params["DBInstanceIdentifier"].rpartition(":")[2].lower()
    instance = databases().of(call.account, call.region).instances.get(name)
    wanted = call.params.get("MasterUserPassword") or call.params.get("ManageMasterUserPassword")
    if wanted and instance is not None and instance.replica_of is not None:
        raise Refused(
            "InvalidParameterCombination", f"The master password of read replica {name} is that of its source"
        )


# --- What happens to sources and replicas


def _deleting(held: Held, _: bool) -> None:
    """Before a source is gone all that it wrote arrives. Replicas of its region are promoted; those of others stay
    replicas, of nobody."""
    if not isinstance(held, Instance):
        return
    for one in following.followers_of(held):
        one.finish()
    following.part(held)
    source = instance_by_arn(held.replica_of)
    if source is not None and held.arn in source.replicas:
        source.replicas.remove(held.arn)
    for replica in [found for arn in held.replicas if (found := instance_by_arn(arn)) is not None]:
        following.part(replica)
        replica.replica_status = TERMINATED
        if replica.region == held.region and replica.status == "available":
            _promote_later(replica, DEFAULT_RETENTION_DAYS)
    held.replicas.clear()


def _renamed(held: Held, before: str) -> None:
    if not isinstance(held, Instance):
        return
    source = instance_by_arn(held.replica_of)
    if source is not None:
        source.replicas = [held.arn if arn == before else arn for arn in source.replicas]
    for arn in held.replicas:
        replica = instance_by_arn(arn)
        if replica is not None:
            replica.replica_of = held.arn


def instance_by_arn(arn: str | None) -> Instance | None:
    """The instance with this ARN, wherever it lies."""
    if arn is None:
        return None
    parts = arn.split(":")
    return databases().of(parts[4], parts[3]).instances.get(parts[6])


OPERATIONS = {
    "rds:CreateDBInstanceReadReplica": answering(create),
    "rds:PromoteReadReplica": answering(promote),
    "rds:ModifyDBInstance": answering(modifying),
}
