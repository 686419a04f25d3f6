"""What RDS's own restores have in common: a new instance, or a new cluster and a writer in it, with a new password."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from drills.errors import PointUnreachable
from drills.measure import AVAILABLE
from drills.model import Location, Place, RecoveryPoint
from drills.site import Site
from drills.stores.rds_config import DatabaseConfig
from drills.stores.rds_groups import family_of, put_group
from drills.stores.rds_instances import client, is_aurora, label, tag_list, wait_available
from drills.stores.rds_making import writer_name
from drills.stores.rds_secret import renew_password

RESTORE_SECONDS = 3 * 86_400.0
"""Longest wait for a restore, or for a copy on the way to it."""
GONE = ("NotFound", "InvalidRestore", "PointInTimeRestoreNotEnabled")

Restore = Callable[[Any, Mapping[str, Any]], Any]
"""Begins a restore with a client of RDS, and with what the new instance or cluster is to be."""


def restored(site: Site, at: Location, restore: Restore) -> Location:
    """Let ``restore`` begin there, make the cluster's writer if it is one, wait until it is available, and give it a
    password that is known: it has its source's, whose secret may be lost.

    It has the class and the parameters that the estate asks for; the other settings are put back afterwards. Raises
    PointUnreachable for a recovery point that went while it was on its way.
    """
    config: DatabaseConfig = site.store.config
    rds, tags = client(site, at), tag_list(site.tags)
    family = family_of(config.engine, config.engine_version)
    group = put_group(site, at, family, config.parameters)
    wanted: dict[str, Any] = {"Tags": tags, "CopyTagsToSnapshot": True}
    if is_aurora(site):
        wanted["DBClusterParameterGroupName"] = group
    else:
        wanted |= {
            "DBInstanceClass": config.instance_class,
            "DBParameterGroupName": group,
            "PubliclyAccessible": False,
        }
    try:
        restore(rds, wanted)
    except ClientError as error:
        if any(word in error.response["Error"]["Code"] for word in GONE):
            raise PointUnreachable(f"{label(site, at)} cannot be restored: {error}") from error
        raise
    if is_aurora(site):
        rds.create_db_instance(
            DBInstanceIdentifier=writer_name(at),
            DBClusterIdentifier=at.name,
            DBInstanceClass=config.instance_class,
            Engine=config.engine,
            PubliclyAccessible=False,
            Tags=tags,
        )
    wait_available(site, at, limit_seconds=RESTORE_SECONDS)
    renew_password(site, at)
    tell_available(site, loads_lazily=not is_aurora(site))
    return at


def tell_available(site: Site, *, loads_lazily: bool) -> None:
    """For the history: the database answers; ``loads_lazily``: what it reads for the first time, it fetches from S3.

    That an instance's new volume does and a cluster's does not: RDS user guide, Restoring from a DB snapshot, lazy
    loading; the Aurora user guide knows of none.
    """
    site.note(AVAILABLE, loads_lazily=loads_lazily)


def from_snapshot(site: Site, at: Location, snapshot: str) -> Restore:
    """A restore of a snapshot by its ARN, which the account may restore and which lies in the region."""

    def restore(rds: Any, wanted: Mapping[str, Any]) -> None:
        if is_aurora(site):
            rds.restore_db_cluster_from_snapshot(
                DBClusterIdentifier=at.name, SnapshotIdentifier=snapshot, Engine=site.store.config.engine, **wanted
            )
        else:
            rds.restore_db_instance_from_db_snapshot(
                DBInstanceIdentifier=at.name, DBSnapshotIdentifier=snapshot, **wanted
            )

    return restore


def refuse_other_accounts(to: Place, what: str) -> None:
    """Raises PointUnreachable for a place outside the database's own account."""
    if to.role != "production":
        raise PointUnreachable(
            f"{what} can be restored in the database's own account only, and people respond from the {to.role} "
            "account. A copy in another account, such as rds_snapshot_copy keeps, is what can be restored there."
        )


def refuse_other_regions(to: Place, point: RecoveryPoint, what: str) -> None:
    """Raises PointUnreachable for a place in another region than the recovery point's."""
    if to.region != point.region:
        raise PointUnreachable(
            f"{what} can be restored in its own region only, which is {point.region}, and people respond in "
            f"{to.region}. Let backups be replicated to there, or snapshots be copied."
        )
