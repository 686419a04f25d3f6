"""Automated backups: an image a day and the log in between, from which any second of the retention can be restored.

The log is saved every five minutes, so that the newest restorable moment is up to five minutes ago. Source: RDS user
guide, Introduction to backups; Retaining automated backups; API reference, DBInstanceAutomatedBackup.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from drills.clock import Event
from drills.simulator.dynamodb.underway import later
from drills.simulator.postgres.interface import Archive
from drills.simulator.rds import failing, following
from drills.simulator.rds.backup_shapes import shape
from drills.simulator.rds.calls import Call, Refused, answering, page
from drills.simulator.rds.finding import passing
from drills.simulator.rds.model import AutomatedBackup, Cluster, Held, Instance, Line, Volume
from drills.simulator.rds.snapshot_words import CLUSTER, DB, kept
from drills.simulator.rds.state import databases
from drills.simulator.rds.taking import arn_of, image_of, remove, settings_of, take
from drills.simulator.rds.windows import backup_of, lines, window
from drills.simulator.state import Simulation, current

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
NOT_BACKED_UP = failing.NEVER_THERE | {"stopped", "stopping", "deleting", failing.INCOMPATIBLE_PARAMETERS}

_archives: dict[int, tuple[Volume, Archive]] = {}
"""Of volumes that are there, which go on writing them whether or not anything is backed up."""


_turns: dict[int, Event] = {}


# --- Beginning and ending --------------------------------------------------------------------------------------------


def ensure(held: Held) -> None:
    """Back up what has a retention, beginning with an image as of now; not what has none, nor a standby."""
    volume = held.volume
    if volume is None or volume.server is None or (isinstance(held, Instance) and held.cluster is not None):
        return
    there = databases().of(held.account, held.region).automated.get(held.resource_id)
    if held.backup_retention_days == 0:
        if there is not None:
            drop(there)
        return
    if following.following_of(held) is not None:
        if there is not None and there.cut is None:
            _interrupt(there)
        return
    if there is not None and there.positions is volume.positions:
        there.source, there.retention_days = settings_of(held), held.backup_retention_days
        prune(there)
        return
    if id(volume) not in _archives:
        _archives[id(volume)] = (volume, databases().uses.hold(volume.server.archive))
    archive = databases().uses.hold(volume.server.archive)
    if there is not None:
        _go_on(there, archive, volume)
    backup = there if there is not None else _new(held, archive, volume)
    _back_up(held, backup)
    if isinstance(held, Cluster):
        _begun(backup)  # What Aurora's storage writes is backed up as it is written.
    _schedule(held, backup)


def _new(held: Held, archive: Archive, volume: Volume) -> AutomatedBackup:
    backup = AutomatedBackup(
        account=held.account,
        region=held.region,
        source=settings_of(held),
        of="cluster" if isinstance(held, Cluster) else "db",
        status="creating",
        archive=archive,
        positions=volume.positions,
        retention_days=held.backup_retention_days,
        kms_key_id=held.kms_key_id,
        arn=new_arn(held, held.region),
    )
    databases().of(held.account, held.region).automated[held.resource_id] = backup
    return backup


def _go_on(backup: AutomatedBackup, archive: Archive, volume: Volume) -> None:
    """Another server has taken the place of the one that was backed up; what that one wrote can still be restored."""
    backup.earlier.append(Line(backup.archive, backup.positions, backup.images, backup.cut))
    backup.archive, backup.positions, backup.images = archive, volume.positions, []
    backup.reached = backup.cut = None


def _interrupt(backup: AutomatedBackup) -> None:
    """What becomes a secondary of a global database is not backed up meanwhile; what was, expires as ever."""
    backup.cut = since = current().clock.now()

    def expire() -> None:
        if backup.cut == since and backup.status == "active":
            drop(backup)

    current().clock.call_at(since + timedelta(days=backup.retention_days), expire)


def new_arn(held: Held, region: str) -> str:
    word = "cluster-auto-backup" if isinstance(held, Cluster) else "auto-backup"
    draw = current().rng("rds.automated_backups")
    return f"arn:aws:rds:{region}:{held.account}:{word}:ab-{''.join(draw.choice(LETTERS) for _ in range(26))}"


def drop(backup: AutomatedBackup) -> None:
    """Take it away with its images, its log and the automated snapshots."""
    databases().of(backup.account, backup.region).automated.pop(backup.source.resource_id, None)
    for line in lines(backup):
        _let_go(line)
    backup.earlier.clear()
    backup.images = []
    backup.status = "deleted"
    if backup.replicated_from is None:
        for snapshot in list(_automated_snapshots(backup)):
            remove(snapshot)


def _let_go(line: Line) -> None:
    for _, image in line.images:
        databases().uses.let_go(image)
    databases().uses.let_go(line.archive)


def deleting(held: Held, with_backups: bool) -> None:
    """The source goes: its backups go too, or are retained as long as they would have been."""
    backup = databases().of(held.account, held.region).automated.get(held.resource_id)
    if backup is not None and (with_backups or backup.status == "creating"):
        drop(backup)
    elif backup is not None:
        backup.source = settings_of(held)
        retain(backup)
    for replica in replicas_of(held):
        retain(replica)
    volume = held.volume
    if volume is not None and id(volume) in _archives:
        databases().uses.let_go(_archives.pop(id(volume))[1])


def retain(backup: AutomatedBackup) -> None:
    """It has no source any more, and expires when its newest moment has got older than the retention."""
    now = current().clock.now()
    backup.status, backup.ended = "retained", now
    current().clock.call_at(now + timedelta(days=backup.retention_days), lambda: _expire(backup))


def _expire(backup: AutomatedBackup) -> None:
    if backup.status == "retained":
        drop(backup)


def replicas_of(held: Held) -> Iterator[AutomatedBackup]:
    """Its backups in other regions that are kept up to date."""
    for (account, region), place in list(databases().regions.items()):
        backup = place.automated.get(held.resource_id)
        if account == held.account and region != held.region and backup is not None and backup.replicated_from:
            yield backup


def renamed(held: Held, _: str) -> None:
    backup = databases().of(held.account, held.region).automated.get(held.resource_id)
    if backup is not None and backup.status in ("active", "creating"):
        backup.source = settings_of(held)
    for replica in replicas_of(held):
        replica.source, replica.replicated_from = settings_of(held), arn_of(held)


# --- Day by day ------------------------------------------------------------------------------------------------------


def _back_up(held: Held, backup: AutomatedBackup) -> None:
    """An automated snapshot, and with it the image that later moments are restored from."""
    volume = held.volume
    assert volume is not None
    assert volume.server is not None
    now, uses = current().clock.now(), databases().uses
    newest = backup.images[-1][1] if backup.images else None
    # Where nothing was written since, the same files serve.
    unchanged = newest is not None and volume.server.position() == backup.reached
    image = newest if unchanged and newest is not None else image_of(volume.server)
    backup.images.append((now, uses.hold(image)))
    backup.reached = volume.server.position()
    words = CLUSTER if backup.of == "cluster" else DB
    name = f"rds:{held.identifier}-{now:%Y-%m-%d-%H-%M}"
    if name not in kept(words, held.account, held.region):
        snapshot = take(held, name, "automated", {}, image)
        later(held.account, frozenset({held.region}), snapshot.seconds, lambda: _begun(backup))
    prune(backup)
    for tell in databases().on_backed_up:
        tell(backup)


def available(held: Held) -> None:
    backup = backup_of(held)
    if backup is not None:
        _begun(backup)


def _begun(backup: AutomatedBackup) -> None:
    if backup.status == "creating":
        backup.status = "active"


def _schedule(held: Held, backup: AutomatedBackup) -> None:
    """Its next turn, once: whatever was scheduled before for the same backup is taken back."""
    earlier = _turns.pop(id(backup), None)
    if earlier is not None:
        earlier.cancel()
    where = frozenset({held.region})
    due = _next_turn(held, current().clock.now())
    event = current().clock.call_at(due, lambda: later(held.account, where, 0.0, lambda: _turn(held, backup)))
    _turns[id(backup)] = event


def _turn(held: Held, backup: AutomatedBackup) -> None:
    volume = held.volume
    if backup.status not in ("creating", "active") or volume is None or volume.server is None:
        return
    if volume.positions is not backup.positions:
        return
    if held.status not in NOT_BACKED_UP and not held.status.startswith("inaccessible"):
        _back_up(held, backup)
    _schedule(held, backup)


def _next_turn(held: Held, now: datetime) -> datetime:
    """The next moment in the daily backup window at which it is this database's turn: drawn once for all days."""
    begins, ends = held.preferred_backup_window.split("-")
    start = now.replace(hour=int(begins[:2]), minute=int(begins[3:]), second=0, microsecond=0)
    minutes = (int(ends[:2]) * 60 + int(ends[3:]) - int(begins[:2]) * 60 - int(begins[3:])) % (24 * 60)
    chance = random.Random(f"{current().seed}/rds.backup_turn/{held.resource_id}")
    due = start + timedelta(seconds=chance.randrange(minutes * 60))
    return due if due > now else due + timedelta(days=1)


def prune(backup: AutomatedBackup) -> None:
    """Let go of what is older than the retention, but for the image that its oldest moment is restored from."""
    limit = (backup.ended or current().clock.now()) - timedelta(days=backup.retention_days)
    while sum(len(line.images) for line in lines(backup)) > 1 and _second(backup) <= limit:
        oldest = lines(backup)[0]
        databases().uses.let_go(oldest.images.pop(0)[1])
        if not oldest.images and backup.earlier:
            _let_go(backup.earlier.pop(0))
    if backup.replicated_from is None:
        snapshots = sorted(_automated_snapshots(backup), key=lambda one: one.created)
        for snapshot in snapshots[:-1]:
            if snapshot.created <= limit:
                remove(snapshot)


def _second(backup: AutomatedBackup) -> datetime:
    return [at for line in lines(backup) for at, _ in line.images][1]


def _automated_snapshots(backup: AutomatedBackup) -> Iterator[Any]:
    words = CLUSTER if backup.of == "cluster" else DB
    for snapshot in kept(words, backup.account, backup.region).values():
        if snapshot.kind == "automated" and snapshot.source.resource_id == backup.source.resource_id:
            yield snapshot


# --- Calls -----------------------------------------------------------------------------------------------------------


def describe_instances(call: Call) -> Mapping[str, Any]:
    given = call.params
    wanted = (given.get("DbiResourceId"), given.get("DBInstanceIdentifier"), given.get("DBInstanceAutomatedBackupsArn"))
    named = [one for one in _of(call, "db") if _is(one, *wanted)]
    found = passing(named, given.get("Filters", ()), _filters("db"))
    if any(wanted) and not found:
        raise not_found("db", next(filter(None, wanted)))
    return page(call, [shape(one, window(one), _replications(one)) for one in found], "DBInstanceAutomatedBackups")


def describe_clusters(call: Call) -> Mapping[str, Any]:
    given = call.params
    wanted = (given.get("DbClusterResourceId"), given.get("DBClusterIdentifier"), None)
    named = [one for one in _of(call, "cluster") if _is(one, *wanted)]
    found = passing(named, given.get("Filters", ()), _filters("cluster"))
    if any(wanted) and not found:
        raise not_found("cluster", next(filter(None, wanted)))
    return page(call, [shape(one, window(one), []) for one in found], "DBClusterAutomatedBackups")


def delete_instance_backup(call: Call) -> Mapping[str, Any]:
    return {"DBInstanceAutomatedBackup": _delete(call, "db", "DbiResourceId", "DBInstanceAutomatedBackupsArn")}


def delete_cluster_backup(call: Call) -> Mapping[str, Any]:
    return {"DBClusterAutomatedBackup": _delete(call, "cluster", "DbClusterResourceId", "")}


def _delete(call: Call, of: str, resource: str, arn: str) -> Mapping[str, Any]:
    """Only what is retained can be deleted: that of a source that is there goes with its retention set to 0."""
    resource_id, named = call.params.get(resource), call.params.get(arn) if arn else None
    found = [one for one in _of(call, of) if (resource_id or named) and _is(one, resource_id, None, named)]
    if not found:
        raise not_found(of, str(resource_id or named))
    backup = found[0]
    if backup.status != "retained":
        code = "InvalidDBInstanceAutomatedBackupState" if of == "db" else "InvalidDBClusterAutomatedBackupStateFault"
        raise Refused(code, f"The automated backup of {backup.source.resource_id} is {backup.status}, not retained.")
    described = {**shape(backup, window(backup), []), "Status": "deleting"}
    drop(backup)
    return described


def _of(call: Call, of: str) -> list[AutomatedBackup]:
    return [one for one in databases().of(call.account, call.region).automated.values() if one.of == of]


def _is(backup: AutomatedBackup, resource_id: str | None, identifier: str | None, arn: str | None) -> bool:
    return (
        (resource_id is None or backup.source.resource_id == resource_id)
        and (identifier is None or identifier.lower() in (backup.source.identifier, arn_of(backup.source)))
        and (arn is None or backup.arn == arn)
    )


def _filters(of: str) -> Mapping[str, Any]:
    """The values that a backup has, by filter."""
    return {
        "status": lambda one: {one.status},
        "db-cluster-id" if of == "cluster" else "db-instance-id": lambda one: {
            one.source.identifier,
            arn_of(one.source),
        },
        "db-cluster-resource-id" if of == "cluster" else "dbi-resource-id": lambda one: {one.source.resource_id},
    }


def not_found(of: str, name: Any) -> Refused:
    code = "DBInstanceAutomatedBackupNotFound" if of == "db" else "DBClusterAutomatedBackupNotFoundFault"
    return Refused(code, f"Automated backup {name} not found.", 404)


def _replications(backup: AutomatedBackup) -> list[str]:
    if backup.replicated_from is not None:
        return []
    return [replica.arn for replica in replicas_of(backup.source) if replica.status != "retained"]


def begin(_: Simulation) -> None:
    """Follow the databases of this simulation."""
    _archives.clear()
    _turns.clear()
    observed = databases()
    observed.on_serving.append(ensure)
    observed.on_available.append(available)
    observed.on_modified.append(ensure)
    observed.on_new_line.append(ensure)
    observed.on_deleting.append(deleting)
    observed.on_renamed.append(renamed)


OPERATIONS = {
    "rds:DescribeDBInstanceAutomatedBackups": answering(describe_instances),
    "rds:DescribeDBClusterAutomatedBackups": answering(describe_clusters),
    "rds:DeleteDBInstanceAutomatedBackup": answering(delete_instance_backup),
    "rds:DeleteDBClusterAutomatedBackup": answering(delete_cluster_backup),
}
