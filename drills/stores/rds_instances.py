"""A DB instance or an Aurora cluster from outside: whether it is there and available, whose it is, changed, deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from drills.errors import ProtectionError
from drills.model import Location
from drills.ownership import owner_tag, refuse_outside_a_drill
from drills.site import Site
from drills.stores.rds_config import AURORA

NOT_THERE = frozenset({"DBInstanceNotFound", "DBInstanceNotFoundFault", "DBClusterNotFoundFault", "DBClusterNotFound"})
CREATED_SECONDS = 86_400
"""How long a database may take to be made, restored or replicated before it is given up: hours at size."""
CHANGED_SECONDS = 3_600
EVERY_SECONDS = 15
FAILED = frozenset(
    {
        "failed",
        "incompatible-create",
        "incompatible-network",
        "incompatible-option-group",
        "incompatible-parameters",
        "incompatible-restore",
        "restore-error",
    }
)
"""States that nobody need wait in, as they do not end by themselves. Source: RDS user guide,
Viewing DB instance status."""

Found = Mapping[str, Any]
"""A DBInstance or DBCluster as the API describes it."""


def client(site: Site, at: Location) -> Any:
    """An RDS client of the account and region that the database lies in."""
    return site.client("rds", at.role, at.region)


def is_aurora(site: Site) -> bool:
    return bool(site.store.config.engine == AURORA)


def label(site: Site, at: Location) -> str:
    """What messages call it."""
    word = "DB cluster" if is_aurora(site) else "DB instance"
    return f"{word} {at.name} in account {at.account}, {at.region}"


def described(site: Site, at: Location) -> Found | None:
    """The instance or cluster, None where there is none of that name."""
    try:
        return answered(site, at)
    except ClientError as error:
        if error.response["Error"]["Code"] in NOT_THERE:
            return None
        raise


def answered(site: Site, at: Location) -> Found:
    """As ``described``, but where there is none AWS's own error is raised."""
    rds = client(site, at)
    if is_aurora(site):
        found: Sequence[Found] = rds.describe_db_clusters(DBClusterIdentifier=at.name)["DBClusters"]
    else:
        found = rds.describe_db_instances(DBInstanceIdentifier=at.name)["DBInstances"]
    return found[0]


def there(site: Site, at: Location) -> Found:
    """As ``described``. Raises ProtectionError where there is none."""
    found = described(site, at)
    if found is None:
        raise ProtectionError(
            f"{label(site, at)}: expected it to be there, found none of that name. Look at who deleted it."
        )
    return found


def arn(site: Site, found: Found) -> str:
    return str(found["DBClusterArn" if is_aurora(site) else "DBInstanceArn"])


def status(site: Site, found: Found) -> str:
    return str(found.get("Status" if is_aurora(site) else "DBInstanceStatus", "unknown"))


def endpoint(site: Site, at: Location) -> tuple[str, int]:
    """Host and port at which the database is written to. Raises ProtectionError where it has none yet."""
    found = there(site, at)
    address = found.get("Endpoint") if is_aurora(site) else found.get("Endpoint", {}).get("Address")
    port = found.get("Port") if is_aurora(site) else found.get("Endpoint", {}).get("Port")
    if not address or not port:
        raise ProtectionError(
            f"{label(site, at)}: expected an endpoint to connect to, found none in the state {status(site, found)}. "
            "Wait until it is available."
        )
    return str(address), int(port)


def members(site: Site, at: Location) -> list[Found]:
    """The instances of a cluster, the writer first; of an instance itself alone."""
    if not is_aurora(site):
        return [there(site, at)]
    listed = sorted(
        there(site, at).get("DBClusterMembers", []),
        key=lambda one: (not one.get("IsClusterWriter"), one["DBInstanceIdentifier"]),
    )
    rds = client(site, at)
    found = []
    for one in listed:
        try:
            found += rds.describe_db_instances(DBInstanceIdentifier=one["DBInstanceIdentifier"])["DBInstances"]
        except ClientError as error:
            if error.response["Error"]["Code"] not in NOT_THERE:
                raise
    return found


def is_available(site: Site, at: Location) -> bool:
    """Whether it and every member of it can be used, with nothing pending."""
    found = described(site, at)
    return found is not None and _is_usable(found, status(site, found)) and all(map(_is_usable, _followed(site, at)))


def _followed(site: Site, at: Location) -> list[Found]:
    """The members of a cluster; an instance has been looked at itself."""
    return members(site, at) if is_aurora(site) else []


def _is_usable(found: Found, state: str | None = None) -> bool:
    return (state or found["DBInstanceStatus"]) == "available" and not found.get("PendingModifiedValues")


def _refuse_failed(site: Site, at: Location, what: str, state: str) -> None:
    """Raises ProtectionError for what has failed and will not be available by waiting."""
    if state not in FAILED:
        return
    cure = (
        "Look at its events in RDS for the parameter that the engine does not take, change it in the parameter group, "
        "and reboot it."
        if state == "incompatible-parameters"
        else "Look at its events in RDS; it can only be deleted and made again."
    )
    raise ProtectionError(
        f"{label(site, at)}: expected it to become available, found {what} in the state {state}. {cure}"
    )


def wait_available(site: Site, at: Location, *, limit_seconds: float = CHANGED_SECONDS) -> None:
    """Wait until it can be used. Raises ProtectionError at once for one that failed, or when the limit passes."""

    def ready() -> bool:
        found = described(site, at)
        if found is None:
            return False
        _refuse_failed(site, at, "it", status(site, found))
        if not _is_usable(found, status(site, found)):
            return False
        followed = _followed(site, at)
        for one in followed:
            _refuse_failed(site, at, f"its DB instance {one['DBInstanceIdentifier']}", one["DBInstanceStatus"])
        return all(map(_is_usable, followed))

    # What takes hours is asked for as seldom as AWS's own waiters ask.
    every = EVERY_SECONDS if limit_seconds <= CHANGED_SECONDS else 2 * EVERY_SECONDS
    site.wait(f"{label(site, at)} to be available", ready, every_seconds=every, limit_seconds=limit_seconds)


def modify(site: Site, at: Location, **changes: Any) -> None:
    """Change it at once and wait until that is done."""
    rds = client(site, at)
    if is_aurora(site):
        rds.modify_db_cluster(DBClusterIdentifier=at.name, ApplyImmediately=True, **changes)
    else:
        rds.modify_db_instance(DBInstanceIdentifier=at.name, ApplyImmediately=True, **changes)
    wait_available(site, at)


def modify_members(site: Site, at: Location, **changes: Any) -> None:
    """Change every instance of it at once and wait until that is done."""
    rds = client(site, at)
    for one in members(site, at):
        rds.modify_db_instance(DBInstanceIdentifier=one["DBInstanceIdentifier"], ApplyImmediately=True, **changes)
    wait_available(site, at)


def reboot(site: Site, at: Location) -> None:
    """Start its servers again, so that parameters which need it take effect."""
    rds = client(site, at)
    for one in members(site, at):
        rds.reboot_db_instance(DBInstanceIdentifier=one["DBInstanceIdentifier"])
        wait_available(site, at)


# --- Whose it is -----------------------------------------------------------------------------------------------------


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as AWS takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tags_of(site: Site, at: Location) -> dict[str, str]:
    """All tags of it."""
    listed = client(site, at).list_tags_for_resource(ResourceName=arn(site, there(site, at)))["TagList"]
    return {tag["Key"]: tag["Value"] for tag in listed}


def guard(site: Site, at: Location, deed: str) -> None:
    """Raises ProtectionError unless it is the site's own by its tag: nothing else is ever touched."""
    tag, wanted = owner_tag(site)
    found = tags_of(site, at).get(tag)
    if found != wanted:
        raise ProtectionError(
            f"{label(site, at)}: expected the tag {tag}={wanted} before {deed} it, found "
            f"{f'{tag}={found}' if found else 'none'}. It was made by somebody else and is left alone: give the "
            "database or the estate another name."
        )


# --- The end of it ---------------------------------------------------------------------------------------------------


def _is_instance(rds: Any, name: str) -> bool:
    try:
        return bool(rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"])
    except ClientError as error:
        if error.response["Error"]["Code"] in NOT_THERE:
            return False
        raise


def unlock_database(site: Site, at: Location, deed: str = "deleting") -> bool:
    """Switch deletion protection off, once nothing is done with a database of this drill that forbids it; False where
    there is no such database.

    A snapshot that is being taken stands in the way of every change, for hours where the database is large.
    """
    refuse_outside_a_drill(site, label(site, at), deed)
    found = described(site, at)
    if found is None:
        return False
    guard(site, at, deed)
    if found.get("DeletionProtection"):
        wait_available(site, at, limit_seconds=CREATED_SECONDS)
        modify(site, at, DeletionProtection=False)
    return True


def delete_database(site: Site, at: Location, deed: str = "deleting") -> None:
    """Delete a database of this drill by force, with its automated backups and without a last snapshot.

    Deletion protection is switched off first, and a cluster's instances go before it. Nothing happens where there is
    none.
    """
    if not unlock_database(site, at, deed):
        return
    rds = client(site, at)
    gone = {"SkipFinalSnapshot": True, "DeleteAutomatedBackups": True}
    if is_aurora(site):
        # The writer goes last: readers cannot be without it.
        instances = [str(one["DBInstanceIdentifier"]) for one in reversed(members(site, at))]
        for one in instances:
            rds.delete_db_instance(DBInstanceIdentifier=one, SkipFinalSnapshot=True)
        rds.delete_db_cluster(DBClusterIdentifier=at.name, **gone)
    else:
        instances = [at.name]
        rds.delete_db_instance(DBInstanceIdentifier=at.name, **gone)
    site.wait(
        f"{label(site, at)} to be deleted",
        lambda: described(site, at) is None and not any(_is_instance(rds, name) for name in instances),
        every_seconds=EVERY_SECONDS,
        limit_seconds=CHANGED_SECONDS,
    )
