"""Replication between buckets: each new version and, where a rule says so, each delete marker goes to its destinations.

What was written arrives after the modelled lag, if the role, the destination's policy, its versioning and the keys let
it; else the object is FAILED and stays so. What was on its way when a region went down or an account was closed comes
one lag after it is back. Replicas go no further, and neither deletions of versions nor what lifecycle rules do are
replicated. Source: S3 user guide, What does Amazon S3 replicate; Getting replication status information.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from moto.s3.models import FakeBucket

from drills.simulator.arrivals import Arrivals
from drills.simulator.needs.need import asked
from drills.simulator.needs.s3 import bucket_and_key
from drills.simulator.request import Request
from drills.simulator.s3 import changes, replicas
from drills.simulator.s3.changes import ObjectChange
from drills.simulator.s3.replication_metrics import Pending
from drills.simulator.s3.rights import Denied
from drills.simulator.s3.rules import Configuration, Rule
from drills.simulator.s3.versions import Marker, Version
from drills.simulator.state import Simulation, current

LAG = "s3.replication_lag"
OF_METADATA = frozenset(
    {"PutObjectTagging", "DeleteObjectTagging", "PutObjectAcl", "PutObjectRetention", "PutObjectLegalHold"}
)
"""Changes of an object that has been replicated that are replicated too."""


@dataclass(frozen=True, slots=True)
class Task:
    """One version on its way by one rule. ``version`` is the original itself: what it has when it arrives counts."""

    version: Version | Marker
    rule: Rule
    role: str
    since: datetime


class Link:
    """What is on its way from one bucket to another."""

    def __init__(self, simulation: Simulation, source: FakeBucket, destination: str) -> None:
        self.source = source
        self.destination = destination
        self._simulation = simulation
        self._arrivals: Arrivals[Task] = Arrivals(simulation, LAG, self._arrive, self._interrupted)
        self._open: set[int] = set()
        """Which versions are on their way: what changes of one meanwhile arrives with it."""
        self.pending = Pending(simulation, str(source.account_id), str(source.region_name))

    def send(self, version: Version | Marker, rule: Rule, role: str) -> None:
        """Let a version arrive after the lag."""
        mark(version, rule.destination, "PENDING")
        if id(version) in self._open:
            return
        self._open.add(id(version))
        self.pending.add(self.source.name, rule, version.size)
        self._arrivals.send(Task(version, rule, role, self._simulation.clock.now()))

    def hold(self) -> None:
        """Let nothing arrive while one of the two sides is out of reach."""
        self._arrivals.hold()

    def resume(self) -> None:
        """Go on after an interruption: what is overdue arrives one lag from now."""
        self._arrivals.resume()

    def _interrupted(self) -> bool:
        sides = [self.source, changes.bucket_named(self.destination)]
        return any(
            self._simulation.is_down(str(side.region_name)) or self._simulation.is_closed(str(side.account_id))
            for side in sides
            if side is not None
        )

    def _arrive(self, task: Task, due: datetime) -> None:
        self._open.discard(id(task.version))
        failed = replicate(self.source, task)
        self.pending.remove(task.rule, task.version.size, task.since, failed)


def replicate(source: FakeBucket, task: Task, *, again: bool = False) -> str | None:
    """Carry one version over, if it is still there, and mark it. Gives the reason when it fails.

    ``again``: a batch job does it, which does not bring back what was deleted in the destination by its version id.
    """
    version = task.version
    if source.keys.find(version.name, version.version_id) is not version:
        return None
    if again and (task.rule.destination, version.name, version.version_id) in _deleted:
        return "the destination's copy was deleted by its version id, and such an object is not replicated again"
    try:
        replicas.send(source, version, task.rule, task.role)
    except Denied as why:
        mark(version, task.rule.destination, "FAILED")
        return str(why)
    mark(version, task.rule.destination, "COMPLETED")
    return None


def mark(version: Version | Marker, destination: str, status: str) -> None:
    """Note how it stands with one destination, and what the object's header says of all of them."""
    if version.replication_status == "REPLICA":
        return
    version.replicated_to = {**getattr(version, "replicated_to", {}), destination: status}
    found = set(version.replicated_to.values())
    version.replication_status = next(one for one in ("FAILED", "PENDING", "COMPLETED") if one in found)


# --- What is to be replicated ----------------------------------------------------------------------------------------

_links: dict[tuple[int, str], Link] = {}
_deleted: set[tuple[str, str, str]] = set()
"""Replicas that were deleted by their version id: bucket, key, version id."""


def begin(simulation: Simulation) -> None:
    """Listen to the buckets, and to outages and closed accounts."""
    _links.clear()
    _deleted.clear()
    changes.observers.append(observe)
    simulation.on_answered.append(_metadata_changed)
    for told in (simulation.on_region_down, simulation.on_account_closed):
        told.append(lambda _: _each(Link.hold))
    for told in (simulation.on_region_up, simulation.on_account_reopened):
        told.append(lambda _: _each(Link.resume))
    simulation.on_exit.append(_links.clear)


def _each(do: Any) -> None:
    for link in list(_links.values()):
        do(link)


def link(source: FakeBucket, destination: str) -> Link:
    """The way from one bucket to another."""
    found = _links.get((id(source), destination))
    if found is None:
        found = _links[id(source), destination] = Link(current(), source, destination)
    return found


def configuration_of(bucket: FakeBucket) -> Configuration | None:
    """The bucket's replication configuration, None when it has none."""
    found = getattr(bucket, "replication", None)
    return found if isinstance(found, Configuration) else None


def rules_for(configuration: Configuration, version: Version | Marker) -> list[Rule]:
    """The rules that send this version, whether it is a replica or not."""
    if isinstance(version, Marker):
        return configuration.for_marker(version.name)
    return [rule for rule in configuration.for_object(version.name, version.tags) if replicas.can_leave(rule, version)]


def observe(change: ObjectChange) -> None:
    """Send what a user wrote or marked as deleted where the bucket's rules say."""
    if change.kind == "version_deleted" and change.version.replication_status == "REPLICA":
        _deleted.add((change.bucket_name, change.key, change.version_id))
    if change.cause != "user" or change.kind == "version_deleted":
        return
    bucket = changes.bucket_named(change.bucket_name)
    configuration = configuration_of(bucket) if bucket is not None else None
    if bucket is None or configuration is None or bucket.versioning_status != "Enabled":
        return
    for rule in rules_for(configuration, change.version):
        link(bucket, rule.destination).send(change.version, rule, configuration.role)


def _metadata_changed(request: Request, status: int) -> None:
    """Send the new tags, ACL or lock of an object after the object itself."""
    if request.operation not in OF_METADATA or request.service != "s3" or status >= 300:
        return
    name, key = bucket_and_key(request.url)
    bucket = changes.bucket_named(name)
    configuration = configuration_of(bucket) if bucket is not None else None
    if bucket is None or configuration is None:
        return
    chosen = asked(request).get("versionId")
    version = bucket.keys.find(key, chosen) if chosen else bucket.keys.latest(key)
    if isinstance(version, Version):
        for rule in _followed(configuration, version):
            link(bucket, rule.destination).send(version, rule, configuration.role)


def _followed(configuration: Configuration, version: Version) -> Iterator[Rule]:
    """The rules by which a change of this version is sent: where it has been sent, or came from by such a rule."""
    standing = getattr(version, "replicated_to", {})
    for rule in rules_for(configuration, version):
        if version.replication_status != "REPLICA":
            if standing.get(rule.destination) in ("COMPLETED", "PENDING"):
                yield rule
        elif rule.replica_modifications:
            target = changes.bucket_named(rule.destination)
            if target is not None and target.keys.find(version.name, version.version_id) is not None:
                yield rule
