"""DB instances: made, described, stopped, started, rebooted; roles given to them.

Source: RDS API reference of the operations below; RDS user guide, Stopping an Amazon RDS DB instance temporarily.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drills.simulator.postgres.interface import Credentials, Server
from drills.simulator.rds import failing, keys, parameters, settings, shapes, state, states
from drills.simulator.rds.calls import Call, Refused, answering, page
from drills.simulator.rds.finding import check_state, cluster_named, instance_named, passing
from drills.simulator.rds.model import AURORA, Cluster, Instance
from drills.simulator.rds.names import check_database, check_user
from drills.simulator.rds.passwords import password_of
from drills.simulator.rds.snapshot_words import DB, check_new
from drills.simulator.rds.state import databases
from drills.simulator.rds.states import new_instance as new_instance
from drills.simulator.state import Simulation, current
from drills.simulator.timing import Size


def begin(simulation: Simulation) -> None:
    state.begin(simulation)


def answer(instance: Instance) -> dict[str, Any]:
    return {"DBInstance": shapes.db_instance(instance)}


# --- Making ----------------------------------------------------------------------------------------------------------


def create(call: Call) -> Mapping[str, Any]:
    engine = settings.check_engine(str(call.params.get("Engine", "")))
    identifier = settings.new_instance_identifier(call, call.params.get("DBInstanceIdentifier"))
    if engine == AURORA or call.params.get("DBClusterIdentifier"):
        return _create_member(call, identifier, engine)
    instance = settings.instance_from(call, identifier, engine=engine, version=settings.version_of(call, engine))
    instance.master_username = check_user(call.params.get("MasterUsername"))
    instance.database_name = check_database(call.params.get("DBName"), "DBName")
    instance.kms_key_id = settings.storage_key(call, bool(call.params.get("StorageEncrypted", False)))
    credentials = Credentials(instance.master_username, password_of(call, instance))
    duration = current().begin("rds.create", instance.arn, Size(float(instance.allocated_gb), 0))
    new_instance(
        instance,
        lambda: state.the_engine().create(credentials, instance.database_name),
        seconds=duration.seconds,
    )
    return answer(instance)


def _create_member(call: Call, identifier: str, engine: str) -> Mapping[str, Any]:
    name = call.params.get("DBClusterIdentifier")
    if not name:
        raise Refused("InvalidParameterCombination", f"The engine {engine} requires a DBClusterIdentifier.")
    cluster = cluster_named(call, name)
    if engine != cluster.engine:
        raise Refused(
            "InvalidParameterCombination",
            f"The engine {engine} is not the engine {cluster.engine} of the DB cluster {cluster.identifier}.",
        )
    check_state(cluster, "available", "creating", "modifying", "backing-up")
    instance = settings.member_from(call, identifier, cluster)
    cluster.members.append(identifier)
    duration = current().begin("aurora.create_instance", instance.arn, Size(0, 0))
    new_member(cluster, instance, seconds=duration.seconds)
    return answer(instance)


def new_member(cluster: Cluster, instance: Instance, *, seconds: float) -> Instance:
    """Register a member of a cluster in state ``creating``, there after ``seconds``: the first is the writer, the
    others may have servers of their own."""

    def reader() -> Server | None:
        make = databases().reader_server
        return make(cluster, instance) if make is not None else None

    own = databases().reader_server is not None and cluster.members[0] != instance.identifier
    return new_instance(instance, reader if own else None, seconds=seconds)


# --- Describing ------------------------------------------------------------------------------------------------------

FILTERS: Mapping[str, Any] = {
    "db-instance-id": lambda one: {one.identifier, one.arn},
    "db-cluster-id": lambda one: {one.cluster, one.arn.replace(f":db:{one.identifier}", f":cluster:{one.cluster}")},
    "dbi-resource-id": lambda one: {one.resource_id},
    "engine": lambda one: {one.engine},
    "domain": lambda one: set(),
}


def describe(call: Call) -> Mapping[str, Any]:
    there = databases().of(call.account, call.region).instances
    named = call.params.get("DBInstanceIdentifier")
    chosen = [instance_named(call, named)] if named else [there[name] for name in sorted(there)]
    found = passing(chosen, call.params.get("Filters", ()), FILTERS)
    return page(call, [shapes.db_instance(one) for one in found], "DBInstances")


def log_files(call: Call) -> Mapping[str, Any]:
    """Of an instance that is there; it has none to show."""
    instance_named(call)
    return {"DescribeDBLogFiles": []}


# --- Stopping, starting, rebooting -----------------------------------------------------------------------------------


def _not_a_member(instance: Instance, deed: str) -> None:
    if instance.cluster is not None:
        raise Refused(
            "InvalidDBClusterStateFault",
            f"The specified instance is a member of a cluster and can not be {deed} directly. Use the cluster's own.",
        )


def stop(call: Call) -> Mapping[str, Any]:
    instance = instance_named(call)
    _not_a_member(instance, "stopped")
    check_state(instance)
    if instance.replica_of is not None or instance.replicas:
        raise Refused("InvalidDBInstanceState", "Cannot stop or start a read replica, or an instance that has one.")
    snapshot, take = call.params.get("DBSnapshotIdentifier"), databases().final_snapshot
    if snapshot and take is not None:
        take(instance, check_new(call, DB, str(snapshot)), {})
    states.stop(instance, current().begin("rds.stop", instance.arn, Size(0, 0)).seconds)
    return answer(instance)


def start(call: Call) -> Mapping[str, Any]:
    instance = instance_named(call)
    _not_a_member(instance, "started")
    if instance.status != "stopped" and not keys.reopens(instance):
        raise Refused("InvalidDBInstanceState", f"Instance {instance.identifier} is not in stopped state.")
    states.start(instance, current().begin("rds.start", instance.arn, Size(0, 0)).seconds)
    return answer(instance)


def reboot(call: Call) -> Mapping[str, Any]:
    """Its server goes down at once and is back with all that its parameter group says."""
    instance = instance_named(call)
    check_state(instance, "available", "storage-optimization", failing.INCOMPATIBLE_PARAMETERS)
    if call.params.get("ForceFailover") and not instance.multi_az:
        raise Refused(
            "InvalidParameterCombination",
            "ForceFailover cannot be specified since the instance is not configured for MultiAZ.",
        )
    seconds = current().begin("rds.reboot", instance.arn, Size(0, 0)).seconds
    states.become(instance, "rebooting")
    cluster = cluster_written_by(instance)
    if cluster is not None:
        states.become(cluster, cluster.status)
    states.after(instance, seconds, lambda: _rebooted(instance))
    return answer(instance)


def _rebooted(instance: Instance) -> None:
    cluster = cluster_written_by(instance)
    if not states.become(instance, "available"):
        return
    if cluster is not None and not states.become(cluster, cluster.status):
        return
    if parameters.apply_all(cluster if cluster is not None else instance) and not instance.been_available:
        states.serve(instance)


def cluster_written_by(instance: Instance) -> Cluster | None:
    """The cluster whose server answers for this member: it has none of its own."""
    if instance.cluster is None or instance.volume is not None:
        return None
    cluster = databases().of(instance.account, instance.region).clusters.get(instance.cluster)
    return cluster if cluster is not None and cluster.members[:1] == [instance.identifier] else None


# --- Roles -----------------------------------------------------------------------------------------------------------


def add_role(call: Call) -> None:
    instance, feature = instance_named(call), str(call.params.get("FeatureName", ""))
    check_state(instance)
    if feature in instance.role_arns or call.params["RoleArn"] in instance.role_arns.values():
        raise Refused("DBInstanceRoleAlreadyExists", f"The role or the feature {feature} is there.")
    instance.role_arns[feature] = str(call.params["RoleArn"])


def remove_role(call: Call) -> None:
    instance, feature = instance_named(call), str(call.params.get("FeatureName", ""))
    if instance.role_arns.get(feature) != call.params["RoleArn"]:
        raise Refused("DBInstanceRoleNotFound", f"The role {call.params['RoleArn']} is not there for {feature}.", 404)
    del instance.role_arns[feature]


def no_content(handler: Any) -> Any:
    """A handler of an operation that answers with nothing."""

    def handle(call: Call) -> Mapping[str, Any]:
        handler(call)
        return {}

    return handle


OPERATIONS = {
    "rds:CreateDBInstance": answering(create),
    "rds:DescribeDBInstances": answering(describe),
    "rds:DescribeDBLogFiles": answering(log_files),
    "rds:StopDBInstance": answering(stop),
    "rds:StartDBInstance": answering(start),
    "rds:RebootDBInstance": answering(reboot),
    "rds:AddRoleToDBInstance": answering(no_content(add_role)),
    "rds:RemoveRoleFromDBInstance": answering(no_content(remove_role)),
}
