"""Aurora DB clusters: made, described, changed, stopped, started; roles given to them.

Source: RDS API reference of the operations below; Aurora user guide, Stopping and starting an Aurora DB cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drills.simulator.postgres.interface import Credentials
from drills.simulator.rds import groups, keys, names, passwords, settings, shapes, state, states
from drills.simulator.rds.calls import Call, Refused, answering, page
from drills.simulator.rds.changing import another_parameter_group, new_password, reset_password, told
from drills.simulator.rds.finding import check_state, cluster_named, passing
from drills.simulator.rds.instances import no_content
from drills.simulator.rds.model import AURORA, Cluster
from drills.simulator.rds.state import databases
from drills.simulator.rds.states import new_cluster as new_cluster
from drills.simulator.state import Simulation, current
from drills.simulator.timing import Size

AT_ONCE: Mapping[str, str] = {
    "DeletionProtection": "deletion_protection",
    "CopyTagsToSnapshot": "copy_tags_to_snapshot",
    "EnableIAMDatabaseAuthentication": "iam_authentication",
    "AutoMinorVersionUpgrade": "auto_minor_version_upgrade",
}


def answer(cluster: Cluster) -> dict[str, Any]:
    return {"DBCluster": shapes.db_cluster(cluster)}


def create(call: Call) -> Mapping[str, Any]:
    engine = settings.check_engine(str(call.params.get("Engine", "")), AURORA)
    identifier = settings.new_cluster_identifier(call, call.params.get("DBClusterIdentifier"))
    if call.params.get("DBClusterInstanceClass"):
        raise Refused("InvalidParameterCombination", f"DBClusterInstanceClass isn't supported for {engine}.")
    cluster = settings.cluster_from(call, identifier, version=settings.version_of(call, engine))
    cluster.master_username = names.check_user(call.params.get("MasterUsername"))
    cluster.database_name = names.check_database(call.params.get("DatabaseName"), "DatabaseName")
    cluster.kms_key_id = settings.storage_key(call, bool(call.params.get("StorageEncrypted", False)))
    credentials = Credentials(cluster.master_username, passwords.password_of(call, cluster))
    duration = current().begin("aurora.create", cluster.arn, Size(0, 0))
    new_cluster(
        cluster, lambda: state.the_engine().create(credentials, cluster.database_name), seconds=duration.seconds
    )
    return answer(cluster)


# --- Describing ------------------------------------------------------------------------------------------------------

FILTERS: Mapping[str, Any] = {
    "db-cluster-id": lambda one: {one.identifier, one.arn},
    "db-cluster-resource-id": lambda one: {one.resource_id},
    "engine": lambda one: {one.engine},
    "domain": lambda one: set(),
    "clone-group-id": lambda one: set(),
}


def describe(call: Call) -> Mapping[str, Any]:
    there = databases().of(call.account, call.region).clusters
    named = call.params.get("DBClusterIdentifier")
    chosen = [cluster_named(call, named)] if named else [there[name] for name in sorted(there)]
    found = passing(chosen, call.params.get("Filters", ()), FILTERS)
    return page(call, [shapes.db_cluster(one) for one in found], "DBClusters")


# --- Changing --------------------------------------------------------------------------------------------------------


def modify(call: Call) -> Mapping[str, Any]:
    """Most changes of a cluster are made at once; a new name and a new retention take ``modifying``."""
    cluster, params = cluster_named(call), call.params
    check_state(cluster)
    name, days = _new_name(call, cluster), _retention(call, cluster)
    values: dict[str, Any] = {field: params[key] for key, field in AT_ONCE.items() if key in params}
    if "VpcSecurityGroupIds" in params:
        values["security_groups"] = groups.security_groups(call, params["VpcSecurityGroupIds"])
    if "PreferredBackupWindow" in params:
        values["preferred_backup_window"] = settings.check_backup_window(params["PreferredBackupWindow"])
    if "PreferredMaintenanceWindow" in params:
        values["preferred_maintenance_window"] = settings.check_maintenance_window(
            params["PreferredMaintenanceWindow"],
            values.get("preferred_backup_window", cluster.preferred_backup_window),
        )
    group = params.get("DBClusterParameterGroupName")
    if group:
        group = groups.cluster_parameter_group(call, group, cluster.engine, cluster.engine_version)
    password = new_password(call, cluster)
    for field, value in values.items():
        setattr(cluster, field, value)
    if group:
        another_parameter_group(cluster, group)
    if name is not None or days is not None:
        _work(cluster, name, days, password)
    elif password is not None:
        reset_password(cluster, password)
    else:
        told(cluster)
    return answer(cluster)


def _new_name(call: Call, cluster: Cluster) -> str | None:
    given = call.params.get("NewDBClusterIdentifier")
    if given is None:
        return None
    name = settings.check_identifier(given, "NewDBClusterIdentifier")
    if name == cluster.identifier:
        return None
    if not call.params.get("ApplyImmediately", False):
        raise Refused(
            "InvalidParameterCombination",
            "Here a DB cluster is renamed at once only: set ApplyImmediately.",
        )
    return settings.new_cluster_identifier(call, name, "NewDBClusterIdentifier")


def _retention(call: Call, cluster: Cluster) -> int | None:
    days = settings.retention_in(call.params, 1, cluster.backup_retention_days)
    return days if days != cluster.backup_retention_days else None


def _work(cluster: Cluster, name: str | None, days: int | None, password: str | None) -> None:
    seconds = current().begin("aurora.modify", cluster.arn, Size(0, 0)).seconds
    states.become(cluster, "renaming" if name is not None else "modifying")

    def done() -> None:
        if days is not None:
            cluster.backup_retention_days = days
        if password is not None:
            passwords.set_on_server(cluster, password)
        if name is not None:
            rename(cluster, name)
        states.become(cluster, "available")
        told(cluster)

    states.after(cluster, seconds, done)


def rename(cluster: Cluster, name: str) -> None:
    """The name that it had is free from now on; its members are of the new one."""
    before, place = cluster.arn, databases().of(cluster.account, cluster.region)
    del place.clusters[cluster.identifier]
    for one in place.instances.values():
        if one.cluster == cluster.identifier:
            one.cluster = name
    cluster.identifier = name
    place.clusters[name] = cluster
    sizes = current().sizes
    if before in sizes:
        sizes[cluster.arn] = sizes.pop(before)
    for tell in databases().on_renamed:
        tell(cluster, before)


# --- Stopping and starting -------------------------------------------------------------------------------------------


def stop(call: Call) -> Mapping[str, Any]:
    cluster = cluster_named(call)
    check_state(cluster)
    if cluster.global_cluster is not None:
        raise Refused("InvalidDBClusterStateFault", "A cluster of an Aurora global database cannot be stopped.")
    states.stop(cluster, current().begin("aurora.stop", cluster.arn, Size(0, 0)).seconds)
    return answer(cluster)


def start(call: Call) -> Mapping[str, Any]:
    cluster = cluster_named(call)
    if cluster.status != "stopped" and not keys.reopens(cluster):
        raise Refused("InvalidDBClusterStateFault", f"DbCluster {cluster.identifier} is not in stopped state.")
    states.start(cluster, current().begin("aurora.start", cluster.arn, Size(0, 0)).seconds)
    return answer(cluster)


# --- Roles -----------------------------------------------------------------------------------------------------------


def add_role(call: Call) -> None:
    cluster, feature, arn = cluster_named(call), str(call.params.get("FeatureName", "")), str(call.params["RoleArn"])
    if feature in cluster.role_arns or arn in cluster.role_arns.values():
        raise Refused("DBClusterRoleAlreadyExists", f"The role {arn} or the feature {feature} is there already.")
    cluster.role_arns[feature] = arn


def remove_role(call: Call) -> None:
    cluster, feature, arn = cluster_named(call), str(call.params.get("FeatureName", "")), str(call.params["RoleArn"])
    if cluster.role_arns.get(feature) != arn:
        raise Refused("DBClusterRoleNotFound", f"The role {arn} is not there for {feature or 'the cluster'}.", 404)
    del cluster.role_arns[feature]


def begin(_: Simulation) -> None:
    """Nothing is kept here."""


OPERATIONS = {
    "rds:CreateDBCluster": answering(create),
    "rds:DescribeDBClusters": answering(describe),
    "rds:ModifyDBCluster": answering(modify),
    "rds:StopDBCluster": answering(stop),
    "rds:StartDBCluster": answering(start),
    "rds:AddRoleToDBCluster": answering(no_content(add_role)),
    "rds:RemoveRoleFromDBCluster": answering(no_content(remove_role)),
}
