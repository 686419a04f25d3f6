"""The Aurora global database that a cluster is a member of: seen, and left before the cluster can be deleted."""

from __future__ import annotations

from typing import Any

from drills.model import Location
from drills.site import Site
from drills.stores.rds_instances import EVERY_SECONDS, Found, client, described, guard

LEAVING_SECONDS = 3_600


def global_cluster_of(site: Site, at: Location) -> Found | None:
    """The global database that the cluster there is a member of."""
    found = described(site, at)
    return None if found is None else _of(client(site, at), str(found["DBClusterArn"]))


def is_primary(found: Found, arn: str) -> bool:
    return any(one["DBClusterArn"] == arn and one["IsWriter"] for one in found["GlobalClusterMembers"])


def leave_global_cluster(site: Site, at: Location) -> None:
    """Take the cluster out of its global database, as its infrastructure module does before it deletes the cluster.

    A primary can only go when it is alone: all other members are taken out first, and each is promoted. Nothing happens
    to a cluster that is no member. Source: Aurora user guide, Removing a cluster from an Aurora global database;
    Deleting an Aurora global database.
    """
    found = global_cluster_of(site, at)
    if found is None:
        return
    guard(site, at, "taking out of its global database")
    rds, name = client(site, at), str(found["GlobalClusterIdentifier"])
    mine = str((described(site, at) or {})["DBClusterArn"])
    others = [str(one["DBClusterArn"]) for one in found["GlobalClusterMembers"] if one["DBClusterArn"] != mine]
    going = [*others, mine] if is_primary(found, mine) else [mine]
    for arn in going:
        rds.remove_from_global_cluster(GlobalClusterIdentifier=name, DbClusterIdentifier=arn)
        site.wait(
            f"DB cluster {arn} to leave global cluster {name}",
            lambda arn=arn: _of(rds, arn) is None,  # type: ignore[misc]
            every_seconds=EVERY_SECONDS,
            limit_seconds=LEAVING_SECONDS,
        )
    site.wait(
        f"DB cluster {at.name} to be on its own",
        lambda: (described(site, at) or {"Status": "available"})["Status"] == "available",
        every_seconds=EVERY_SECONDS,
        limit_seconds=LEAVING_SECONDS,
    )


def _of(rds: Any, arn: str) -> Found | None:
    for page in rds.get_paginator("describe_global_clusters").paginate():
        for found in page["GlobalClusters"]:
            if any(one["DBClusterArn"] == arn for one in found["GlobalClusterMembers"]):
                return dict(found)
    return None
