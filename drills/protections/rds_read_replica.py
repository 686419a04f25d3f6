"""A read replica in another region of the account, promoted when the database is lost.

It follows every change, also the one that mangles the data: no backup, and no way back from a bulk erase. Source: RDS
user guide, Working with DB instance read replicas; Creating a read replica in a different AWS Region; Promoting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from drills.errors import PointUnreachable, ProtectionError
from drills.model import JSON, AccountRole, Finding, Location, Place, RecoveryPoint
from drills.protections import Resource, WayBack
from drills.protections import rds_following as following
from drills.protections.options import only, region
from drills.protections.rds_restoring import tell_available
from drills.site import Site
from drills.stores.rds import identifier
from drills.stores.rds_config import POSTGRES, DatabaseConfig
from drills.stores.rds_groups import group_name
from drills.stores.rds_instances import (
    CREATED_SECONDS,
    EVERY_SECONDS,
    Found,
    arn,
    client,
    delete_database,
    described,
    label,
    tag_list,
    there,
    wait_available,
)
from drills.stores.rds_secret import drop_secret, secret_name
from drills.stores.rds_sessions import drop

METRIC, DIMENSION, UNITS_A_SECOND = "ReplicaLag", "DBInstanceIdentifier", 1.0
USABLE = ("available", "backing-up", "storage-optimization")
PROMOTION_SECONDS = 7_200


class ReadReplicaProtection:
    """CreateDBInstanceReadReplica across regions; after the failure it is promoted and put to use."""

    name = "rds_read_replica"
    kind = "rds"
    summary = "a read replica in another region of the account; erases replicate, so it is no backup"
    needs = frozenset({"rds", "rds.read_replicas"})
    way_back: WayBack = "live_copy"
    restores_into: Sequence[AccountRole] = ("production",)

    def makes(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Resource]:
        replica = _replica(site, options)
        found = [
            Resource("read replica of the database", replica.name, replica.role, replica.region),
            Resource("parameter group of the replica", group_name(replica), replica.role, replica.region),
            Resource("secret with the replica's password", secret_name(replica), replica.role, replica.region),
        ]
        if site.store.config.customer_key:
            found.append(Resource("key of the replica", f"alias/{replica.name}", replica.role, replica.region))
        return found

    def check(self, options: Mapping[str, JSON]) -> None:
        only(options, "region", "maximum_lag")
        region(options)
        following.maximum_lag_seconds(options)

    def set_up(self, site: Site, options: Mapping[str, JSON]) -> None:
        replica = _replica(site, options)
        following.refuse_other_engine(site, POSTGRES, self.name, "aurora_global_database")
        following.refuse_own_region(site, replica, "read replica")
        if described(site, replica) is None:
            _create(site, replica)
        wait_available(site, replica, limit_seconds=CREATED_SECONDS)
        site.reckon(replica)
        following.share_password(site, replica)

    def health(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Finding]:
        replica = _replica(site, options)
        found = described(site, replica)
        state = "no such instance" if found is None else _state(found)
        replicating = found is not None and state == "available, replicating"
        findings = [
            Finding(
                check="read_replica.replica",
                verdict="pass" if replicating else "fail",
                subject=site.store.name,
                expected=f"available, replicating in {replica.region}",
                observed=f"{state} in {replica.region}",
            )
        ]
        if not replicating:
            return findings
        limit = following.maximum_lag_seconds(options)
        return [
            *findings,
            following.lag_finding(site, "read_replica.lag", replica, METRIC, DIMENSION, UNITS_A_SECOND, limit),
            following.password_finding(site, "read_replica.password", replica),
            following.alike_finding(site, "read_replica.settings", replica),
        ]

    def destroy(self, site: Site, options: Mapping[str, JSON]) -> None:
        replica = _replica(site, options)
        drop(site, replica)
        delete_database(site, replica)
        drop_secret(site, replica)

    def recovery_points(
        self, site: Site, options: Mapping[str, JSON], before: datetime | None
    ) -> Sequence[RecoveryPoint]:
        replica = _replica(site, options)
        if described(site, replica) is None:
            raise PointUnreachable(f"there is no read replica {replica.name} in {replica.region} any more")
        if before is not None:
            return []  # Whatever mangled the data was replicated like any other change.
        limit = following.maximum_lag_seconds(options)
        handle = {"instance": replica.name}
        return [following.point_of(site, self.name, replica, handle, METRIC, DIMENSION, UNITS_A_SECOND, limit)]

    def restore(self, site: Site, options: Mapping[str, JSON], point: RecoveryPoint, to: Place, name: str) -> Location:
        following.refuse_other_accounts(to, "a read replica")
        replica = Location("production", point.account, point.region, str(point.handle["instance"]))
        found = there(site, replica)
        if _source(found) is not None and found["DBInstanceStatus"] == "available":
            days: int = site.store.config.backup_retention
            client(site, replica).promote_read_replica(DBInstanceIdentifier=replica.name, BackupRetentionPeriod=days)
        site.wait(
            f"{label(site, replica)} to be promoted",
            lambda: _is_promoted(site, replica),
            every_seconds=EVERY_SECONDS,
            limit_seconds=PROMOTION_SECONDS,
        )
        drop(site, replica)
        tell_available(site, loads_lazily=False)
        return replica


def _replica(site: Site, options: Mapping[str, JSON]) -> Location:
    return following.place_of(site, options, identifier(f"{site.primary().name}-replica"))


def _create(site: Site, replica: Location) -> None:
    at, config = site.primary(), site.store.config
    assert isinstance(config, DatabaseConfig)
    client(site, replica).create_db_instance_read_replica(
        DBInstanceIdentifier=replica.name,
        SourceDBInstanceIdentifier=arn(site, there(site, at)),
        SourceRegion=at.region,
        DBInstanceClass=config.instance_class,
        DBParameterGroupName=following.group_there(site, replica),
        MultiAZ=config.multi_az,
        PubliclyAccessible=False,
        CopyTagsToSnapshot=True,
        Tags=tag_list({**config.tags, **site.tags}),
        **following.key_there(site, replica),
    )


def _source(found: Found) -> str | None:
    source: str | None = found.get("ReadReplicaSourceDBInstanceIdentifier")
    return source


def _state(found: Found) -> str:
    """Such as ``available, replicating``."""
    about = [str(one["Status"]) for one in found.get("StatusInfos", []) if one["StatusType"] == "read replication"]
    return ", ".join([str(found["DBInstanceStatus"]), *about]) if _source(found) else "no replica any more"


def _is_promoted(site: Site, replica: Location) -> bool:
    found = there(site, replica)
    if found["DBInstanceStatus"] == "failed":
        raise ProtectionError(
            f"{label(site, replica)}: expected it to be promoted, found it failed. Look at its events in RDS."
        )
    return _source(found) is None and found["DBInstanceStatus"] in USABLE


protection = ReadReplicaProtection()
