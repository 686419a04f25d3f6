"""A secondary cluster in another region, by an Aurora global database; put to use by a failover.

It follows every change, also the one that mangles the data: no backup, and no way back from a bulk erase. Source:
Aurora user guide, Using Amazon Aurora Global Database; Using switchover or failover; Removing a cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from drills.errors import PointUnreachable
from drills.model import JSON, AccountRole, Finding, Location, Place, RecoveryPoint
from drills.presence import exists
from drills.protections import Resource, WayBack
from drills.protections import rds_following as following
from drills.protections.options import only, region
from drills.protections.rds_restoring import tell_available
from drills.site import Site
from drills.stores.rds import identifier
from drills.stores.rds_config import AURORA, DatabaseConfig
from drills.stores.rds_global import global_cluster_of, is_primary, leave_global_cluster
from drills.stores.rds_groups import group_name
from drills.stores.rds_instances import (
    CREATED_SECONDS,
    EVERY_SECONDS,
    Found,
    arn,
    client,
    delete_database,
    described,
    is_available,
    label,
    members,
    tag_list,
    there,
    wait_available,
)
from drills.stores.rds_making import writer_name
from drills.stores.rds_secret import drop_secret, secret_name
from drills.stores.rds_sessions import drop

METRIC, DIMENSION, UNITS_A_SECOND = "AuroraGlobalDBRPOLag", "DBClusterIdentifier", 1_000.0
FAILOVER_SECONDS = 3_600


class GlobalDatabaseProtection:
    """CreateGlobalCluster with a secondary; after the failure the secondary is failed over to, or is on its own."""

    name = "aurora_global_database"
    kind = "rds"
    summary = "an Aurora cluster in another region of the account that follows; erases replicate, so it is no backup"
    needs = frozenset({"rds", "rds.aurora", "rds.aurora_global_database"})
    way_back: WayBack = "live_copy"
    restores_into: Sequence[AccountRole] = ("production",)

    def makes(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Resource]:
        copy = _secondary(site, options)
        found = [
            Resource("global database of the cluster", _global_name(site), copy.role, site.primary().region),
            Resource("secondary cluster", copy.name, copy.role, copy.region),
            Resource("instance of the secondary", writer_name(copy), copy.role, copy.region),
            Resource("parameter group of the secondary", group_name(copy), copy.role, copy.region),
            Resource("secret with the secondary's password", secret_name(copy), copy.role, copy.region),
        ]
        if site.store.config.customer_key:
            found.append(Resource("key of the secondary", f"alias/{copy.name}", copy.role, copy.region))
        return found

    def check(self, options: Mapping[str, JSON]) -> None:
        only(options, "region", "maximum_lag")
        region(options)
        following.maximum_lag_seconds(options)

    def set_up(self, site: Site, options: Mapping[str, JSON]) -> None:
        at, copy = site.primary(), _secondary(site, options)
        following.refuse_other_engine(site, AURORA, self.name, "rds_read_replica")
        following.refuse_own_region(site, copy, "secondary cluster")
        if global_cluster_of(site, at) is None:
            client(site, at).create_global_cluster(
                GlobalClusterIdentifier=_global_name(site),
                SourceDBClusterIdentifier=arn(site, there(site, at)),
                Tags=tag_list(site.tags),
            )
        if described(site, copy) is None:
            _create(site, copy)
        wait_available(site, copy, limit_seconds=CREATED_SECONDS)
        site.reckon(copy)
        following.share_password(site, copy)

    def health(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Finding]:
        copy = _secondary(site, options)
        state = _state(site, copy)
        findings = [
            Finding(
                check="global_database.secondary",
                verdict="pass" if state == "available, connected" else "fail",
                subject=site.store.name,
                expected=f"available, connected in {copy.region}",
                observed=f"{state} in {copy.region}",
            )
        ]
        if state != "available, connected":
            return findings
        limit = following.maximum_lag_seconds(options)
        return [
            *findings,
            following.lag_finding(site, "global_database.lag", copy, METRIC, DIMENSION, UNITS_A_SECOND, limit),
            following.password_finding(site, "global_database.password", copy),
            following.alike_finding(site, "global_database.settings", copy),
        ]

    def destroy(self, site: Site, options: Mapping[str, JSON]) -> None:
        copy = _secondary(site, options)
        drop(site, copy)
        leave_global_cluster(site, copy)
        delete_database(site, copy)
        drop_secret(site, copy)
        _delete_global(site, copy)

    def recovery_points(
        self, site: Site, options: Mapping[str, JSON], before: datetime | None
    ) -> Sequence[RecoveryPoint]:
        copy = _secondary(site, options)
        if described(site, copy) is None:
            raise PointUnreachable(f"there is no secondary cluster {copy.name} in {copy.region} any more")
        if before is not None:
            return []  # Whatever mangled the data was replicated like any other change.
        limit = following.maximum_lag_seconds(options)
        handle = {"cluster": copy.name}
        return [following.point_of(site, self.name, copy, handle, METRIC, DIMENSION, UNITS_A_SECOND, limit)]

    def restore(self, site: Site, options: Mapping[str, JSON], point: RecoveryPoint, to: Place, name: str) -> Location:
        following.refuse_other_accounts(to, "a secondary of a global database")
        copy = Location("production", point.account, point.region, str(point.handle["cluster"]))
        mine, found = arn(site, there(site, copy)), global_cluster_of(site, copy)
        if found is not None and not is_primary(found, mine) and found["Status"] == "available":
            client(site, copy).failover_global_cluster(
                GlobalClusterIdentifier=found["GlobalClusterIdentifier"],
                TargetDbClusterIdentifier=mine,
                AllowDataLoss=True,
            )
        # Where its primary was deleted it has been taken out of the global database before, and is promoted by that.
        site.wait(
            f"{label(site, copy)} to take writes",
            lambda: _writes(global_cluster_of(site, copy), mine) and is_available(site, copy),
            every_seconds=EVERY_SECONDS,
            limit_seconds=FAILOVER_SECONDS,
        )
        drop(site, copy)
        tell_available(site, loads_lazily=False)
        return copy


def _secondary(site: Site, options: Mapping[str, JSON]) -> Location:
    return following.place_of(site, options, identifier(f"{site.primary().name}-secondary"))


def _global_name(site: Site) -> str:
    return identifier(f"{site.primary().name}-global")


def _create(site: Site, copy: Location) -> None:
    config = site.store.config
    assert isinstance(config, DatabaseConfig)
    rds = client(site, copy)
    encrypted: dict[str, Any] = {**following.key_there(site, copy)}
    if encrypted:
        encrypted["StorageEncrypted"] = True
    tags = tag_list({**config.tags, **site.tags})
    rds.create_db_cluster(
        DBClusterIdentifier=copy.name,
        Engine=config.engine,
        EngineVersion=there(site, site.primary())["EngineVersion"],
        GlobalClusterIdentifier=_global_name(site),
        DBClusterParameterGroupName=following.group_there(site, copy),
        BackupRetentionPeriod=config.backup_retention,
        CopyTagsToSnapshot=True,
        SourceRegion=site.primary().region,
        Tags=tags,
        **encrypted,
    )
    rds.create_db_instance(
        DBInstanceIdentifier=writer_name(copy),
        DBClusterIdentifier=copy.name,
        DBInstanceClass=config.instance_class,
        Engine=config.engine,
        PubliclyAccessible=False,
        Tags=tags,
    )


def _state(site: Site, copy: Location) -> str:
    """Such as ``available, connected``."""
    found, globally = described(site, copy), global_cluster_of(site, copy)
    if found is None:
        return "no such cluster"
    if not members(site, copy):
        return f"{found['Status']}, without an instance"
    if globally is None:
        return f"{found['Status']}, no member of a global database"
    mine = next(one for one in globally["GlobalClusterMembers"] if one["DBClusterArn"] == found["DBClusterArn"])
    return f"{found['Status']}, {'primary' if mine['IsWriter'] else mine.get('SynchronizationStatus', 'connected')}"


def _writes(found: Found | None, mine: str) -> bool:
    return found is None or (is_primary(found, mine) and found["Status"] == "available")


def _delete_global(site: Site, copy: Location) -> None:
    """The global database goes with the protection; the cluster itself is let go first, and stays."""
    rds, name = client(site, copy), _global_name(site)
    found = exists(lambda: rds.describe_global_clusters(GlobalClusterIdentifier=name))
    if found is None:
        return
    for one in found["GlobalClusters"][0]["GlobalClusterMembers"]:
        rds.remove_from_global_cluster(GlobalClusterIdentifier=name, DbClusterIdentifier=one["DBClusterArn"])
    site.wait(
        f"global cluster {name} to be empty",
        lambda: (
            not rds.describe_global_clusters(GlobalClusterIdentifier=name)["GlobalClusters"][0]["GlobalClusterMembers"]
        ),
        every_seconds=EVERY_SECONDS,
        limit_seconds=FAILOVER_SECONDS,
    )
    rds.delete_global_cluster(GlobalClusterIdentifier=name)


protection = GlobalDatabaseProtection()
