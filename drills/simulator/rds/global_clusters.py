"""Aurora global databases: made, joined, left, described, changed and deleted.

Source: Aurora user guide, Using Amazon Aurora Global Database (limitations, getting started, removing a cluster,
deleting); API reference, CreateGlobalCluster and its neighbours. The words of the refusals are AWS's where those are
known, else ours (A). Not simulated: write forwarding, the global writer endpoint, upgrades of the engine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from moto.moto_api._internal import mock_random

from drills.simulator.dynamodb.underway import disturbed, later
from drills.simulator.rds import failing, following, readers
from drills.simulator.rds.calls import Call, Refused, answering, page
from drills.simulator.rds.model import AURORA, Cluster, GlobalCluster, Held
from drills.simulator.rds.names import check_database
from drills.simulator.rds.state import databases
from drills.simulator.rds.states import become, size_of
from drills.simulator.state import Simulation, current

MOST_SECONDARIES = 10
IDENTIFIER = re.compile(r"^[A-Za-z](?:-?[A-Za-z0-9]){0,62}$")
TAKEN_FROM_SOURCE = ("Engine", "EngineVersion", "DatabaseName", "StorageEncrypted")
DEFAULT_VERSION = "17.4"


def begin(simulation: Simulation) -> None:
    """Follow the renaming of members."""
    databases().on_renamed.append(_renamed)
    databases().on_deleting.append(_deleting)


# --- Finding


def global_named(account: str, identifier: str) -> GlobalCluster:
    """The caller's global cluster, by its name or ARN. Raises Refused."""
    name = identifier.rpartition(":")[2].lower()
    found = databases().global_clusters.get((account, name))
    if found is None:
        raise Refused("GlobalClusterNotFoundFault", f"Global cluster {identifier} not found", 404)
    return found


def global_of(cluster: Cluster) -> GlobalCluster | None:
    """The global cluster that it is a member of."""
    return databases().global_clusters.get((cluster.account, cluster.global_cluster or ""))


def cluster_by_arn(account: str, arn: str) -> Cluster | None:
    """The account's cluster with this ARN, in whatever region."""
    parts = arn.split(":")
    if len(parts) != 7 or parts[:3] != ["arn", "aws", "rds"] or parts[4] != account or parts[5] != "cluster":
        return None
    return databases().of(account, parts[3]).clusters.get(parts[6].lower())


def members_of(found: GlobalCluster) -> list[Cluster]:
    """The primary first."""
    every = (cluster_by_arn(found.account, arn) for arn in found.members)
    return [cluster for cluster in every if cluster is not None]


def primary_of(found: GlobalCluster) -> Cluster | None:
    return next((one for one in members_of(found) if one.global_role == "primary"), None)


def member_named(found: GlobalCluster, arn: str) -> Cluster:
    """A member by its ARN, as it may lie in any region. Raises Refused."""
    cluster = cluster_by_arn(found.account, arn)
    if cluster is None or cluster.arn not in found.members:
        raise Refused(
            "DBClusterNotFoundFault", f"Could not find the DB cluster {arn} in the global cluster {found.arn}", 404
        )
    return cluster


def described(found: GlobalCluster) -> Mapping[str, Any]:
    """GlobalCluster, in the API's shape."""
    primary, secondaries = primary_of(found), [one for one in members_of(found) if one.global_role != "primary"]
    members = []
    if primary is not None:
        readers = [one.arn for one in secondaries]
        members.append({"DBClusterArn": primary.arn, "Readers": readers, "IsWriter": True})
    for one in secondaries:
        state = "pending-resync" if one.arn in found.resyncing else "connected"
        members.append(
            {
                "DBClusterArn": one.arn,
                "Readers": [],
                "IsWriter": False,
                "GlobalWriteForwardingStatus": "disabled",
                "SynchronizationStatus": state,
            }
        )
    shape: dict[str, Any] = {
        "GlobalClusterIdentifier": found.identifier,
        "GlobalClusterResourceId": found.resource_id,
        "GlobalClusterArn": found.arn,
        "Status": found.status,
        "Engine": found.engine,
        "EngineVersion": found.engine_version,
        "StorageEncrypted": found.storage_encrypted,
        "DeletionProtection": found.deletion_protection,
        "GlobalClusterMembers": members,
        "TagList": [{"Key": key, "Value": value} for key, value in found.tags.items()],
    }
    if found.database_name is not None:
        shape["DatabaseName"] = found.database_name
    if found.failover is not None:
        shape["FailoverState"] = {
            "Status": found.failover.status,
            "FromDbClusterArn": found.failover.from_arn,
            "ToDbClusterArn": found.failover.to_arn,
            "IsDataLossAllowed": found.failover.data_loss_allowed,
        }
    return shape


# --- Making, describing, changing, deleting


def create(call: Call) -> Mapping[str, Any]:
    """CreateGlobalCluster: empty, or with a cluster of this region or another as its primary."""
    params = call.params
    name = _identifier(params["GlobalClusterIdentifier"], "GlobalClusterIdentifier")
    if (call.account, name) in databases().global_clusters:
        raise Refused("GlobalClusterAlreadyExistsFault", f"Global cluster {name} already exists")
    source = _source(call) if params.get("SourceDBClusterIdentifier") else None
    if source is None and params.get("Engine") != AURORA:
        engine = params.get("Engine")
        raise Refused(
            "InvalidParameterValue",
            f"Engine {engine} is not supported for global clusters of the simulated AWS, which has {AURORA}"
            if engine
            else "When creating standalone global cluster, value for engineName should be specified",
        )
    made = GlobalCluster(
        account=call.account,
        identifier=name,
        resource_id=f"cluster-{mock_random.get_random_hex(16)}",
        engine=AURORA,
        engine_version=source.engine_version if source else params.get("EngineVersion", DEFAULT_VERSION),
        status="available",
        database_name=source.database_name if source else check_database(params.get("DatabaseName"), "DatabaseName"),
        deletion_protection=params.get("DeletionProtection", False),
        storage_encrypted=source.kms_key_id is not None if source else params.get("StorageEncrypted", False),
        tags={tag["Key"]: tag.get("Value", "") for tag in params.get("Tags", [])},
    )
    databases().global_clusters[(call.account, name)] = made
    if source is not None:
        join(made, source, "primary")
    return {"GlobalCluster": described(made)}


def describe(call: Call) -> Mapping[str, Any]:
    """DescribeGlobalClusters, in every region alike."""
    name = call.params.get("GlobalClusterIdentifier")
    every = [one for (account, _), one in sorted(databases().global_clusters.items()) if account == call.account]
    found = [global_named(call.account, name)] if name else every
    for one in call.params.get("Filters", []):
        if one["Name"] not in ("db-cluster-id", "region"):
            raise Refused("InvalidParameterValue", f"Unrecognized filter name: {one['Name']}")
        wanted = set(one["Values"])
        found = [one_ for one_ in found if wanted & _filterable(one_, one["Name"])]
    return page(call, [described(one) for one in found], "GlobalClusters")


def _filterable(found: GlobalCluster, name: str) -> set[str]:
    members = members_of(found)
    if name == "region":
        return {one.region for one in members}
    return {text for one in members for text in (one.arn, one.identifier)}


def modify(call: Call) -> Mapping[str, Any]:
    """ModifyGlobalCluster: its name and its protection from deletion."""
    found = global_named(call.account, call.params["GlobalClusterIdentifier"])
    if "EngineVersion" in call.params and call.params["EngineVersion"] != found.engine_version:
        raise Refused("InvalidParameterValue", "The simulated AWS does not upgrade the engine of a global cluster")
    if "NewGlobalClusterIdentifier" in call.params:
        _rename(found, _identifier(call.params["NewGlobalClusterIdentifier"], "NewGlobalClusterIdentifier"))
    if "DeletionProtection" in call.params:
        found.deletion_protection = call.params["DeletionProtection"]
    return {"GlobalCluster": described(found)}


def _rename(found: GlobalCluster, name: str) -> None:
    every = databases().global_clusters
    if name != found.identifier and (found.account, name) in every:
        raise Refused("GlobalClusterAlreadyExistsFault", f"Global cluster {name} already exists")
    del every[(found.account, found.identifier)]
    found.identifier = name
    every[(found.account, name)] = found
    for one in members_of(found):
        one.global_cluster = name


def delete(call: Call) -> Mapping[str, Any]:
    """DeleteGlobalCluster, once nobody is its member."""
    found = global_named(call.account, call.params["GlobalClusterIdentifier"])
    if found.deletion_protection:
        raise Refused(
            "InvalidParameterCombination",
            "Cannot delete protected Global Cluster, please disable deletion protection and try again.",
        )
    if found.members:
        raise Refused("InvalidGlobalClusterStateFault", f"Global Cluster {found.arn} is not empty")
    del databases().global_clusters[(found.account, found.identifier)]
    return {"GlobalCluster": {**described(found), "Status": "deleting"}}


# --- Joining and leaving


def join(found: GlobalCluster, cluster: Cluster, role: str) -> None:
    """Make a cluster a member. Whether it may, others have looked."""
    cluster.global_cluster, cluster.global_role = found.identifier, "primary" if role == "primary" else "secondary"
    found.members.append(cluster.arn)
    if role == "primary":
        found.engine_version, found.storage_encrypted = cluster.engine_version, cluster.kms_key_id is not None


def leave(found: GlobalCluster, cluster: Cluster) -> None:
    """Take a cluster out of the members."""
    found.members.remove(cluster.arn)
    found.resyncing.discard(cluster.arn)
    cluster.global_cluster = cluster.global_role = None


def remove(call: Call) -> Mapping[str, Any]:
    """RemoveFromGlobalCluster: a secondary is promoted to a cluster of its own, with what has arrived."""
    found = global_named(call.account, call.params["GlobalClusterIdentifier"])
    cluster = member_named(found, call.params["DbClusterIdentifier"])
    if cluster.status == "creating":
        raise Refused("InvalidDBClusterStateFault", f"DB cluster {cluster.arn} is in state creating")
    if found.failover is not None and cluster.arn in (found.failover.from_arn, found.failover.to_arn):
        raise Refused("InvalidGlobalClusterStateFault", f"Global cluster {found.identifier} is {found.status}")
    if cluster.global_role == "primary" and len(found.members) > 1:
        raise Refused(
            "InvalidGlobalClusterStateFault",
            f"DB cluster {cluster.arn} is the primary of global cluster {found.identifier}, which has other members. "
            "Remove those first",
        )
    was_primary = cluster.global_role == "primary"
    leave(found, cluster)
    if not was_primary and cluster.status not in failing.NEVER_THERE:
        promote_later(cluster)
    return {"GlobalCluster": described(found)}


def promote_later(cluster: Cluster) -> None:
    """What was a secondary is on its own after the modelled time; nothing more arrives from now on."""
    following.part(cluster)
    become(cluster, "promoting")
    modelled = current().begin("aurora.global_failover", cluster.arn, size_of(cluster))
    later(cluster.account, frozenset({cluster.region}), modelled.seconds, lambda: _promoted(cluster))


def _promoted(cluster: Cluster) -> None:
    if cluster.status != "promoting":
        return
    if failing.attempt(cluster, lambda: following.promote(cluster)) and become(cluster, "available"):
        readers.remake(cluster)


def _source(call: Call) -> Cluster:
    """The cluster that a new global cluster is made from. Raises Refused."""
    for name in TAKEN_FROM_SOURCE:
        if name in call.params:
            raise Refused(
                "InvalidParameterCombination",
                f"When creating global cluster from existing db cluster, value for {name} should not be specified "
                "since it will be inherited from source cluster",
            )
    named = call.params["SourceDBClusterIdentifier"]
    found = cluster_by_arn(call.account, named)
    if found is None and not named.startswith("arn:"):
        found = databases().of(call.account, call.region).clusters.get(named.lower())
    if found is None:
        raise Refused("DBClusterNotFoundFault", f"Source cluster not found: {named}", 404)
    if disturbed(found.account, frozenset({found.region})):
        raise Refused("InternalFailure", f"Region {found.region} of the source cluster does not answer", 500)
    if found.status != "available":
        raise Refused("InvalidDBClusterStateFault", f"Source cluster {named} is in state {found.status}")
    if found.global_cluster is not None:
        raise Refused(
            "InvalidDBClusterStateFault",
            f"Source cluster {found.arn} is already a member of global cluster {found.global_cluster}",
        )
    return found


def _identifier(text: str, name: str) -> str:
    if not IDENTIFIER.match(text):
        raise Refused(
            "InvalidParameterValue",
            f"The parameter {name} is not a valid identifier. Identifiers must begin with a letter; must contain only "
            "ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens.",
        )
    return text.lower()


# --- What happens to members


def _renamed(held: Held, before: str) -> None:
    found = global_of(held) if isinstance(held, Cluster) else None
    if found is None or not isinstance(held, Cluster):
        return
    found.members = [held.arn if arn == before else arn for arn in found.members]
    if before in found.resyncing:
        found.resyncing = (found.resyncing - {before}) | {held.arn}


def _deleting(held: Held, _: bool) -> None:
    following.part(held)
    found = global_of(held) if isinstance(held, Cluster) else None
    if found is not None and isinstance(held, Cluster) and held.arn in found.members:
        leave(found, held)


OPERATIONS = {
    "rds:CreateGlobalCluster": answering(create),
    "rds:DescribeGlobalClusters": answering(describe),
    "rds:ModifyGlobalCluster": answering(modify),
    "rds:DeleteGlobalCluster": answering(delete),
    "rds:RemoveFromGlobalCluster": answering(remove),
}
