"""Replication among the members of a global table: each change goes from where it was made to every other member.

A change arrives after the modelled lag; those of one item arrive in order, those of different items (also of one
transaction) may not. Of two writes to one item the later one wins, whichever arrives first. What was made in a region
that went down before it was sent stays there until the region is back; what cannot be delivered to one waits as well.
Source: DynamoDB developer guide, Global tables: core concepts (consistency modes, conflict resolution, transactions).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from drills.simulator.arrivals import Arrivals
from drills.simulator.dynamodb.rows import Key, Row
from drills.simulator.dynamodb.table import Change, SimulatedTable
from drills.simulator.dynamodb.underway import disturbed
from drills.simulator.state import Simulation

LAG = "dynamodb.global_table_lag"

Version = tuple[datetime, str, int]
"""When a write was made, where, and its order among those of that moment: the greater one wins everywhere."""


@dataclass(frozen=True, slots=True)
class Write:
    """One item as somebody wrote it; ``raw`` None: deleted."""

    key: Key
    raw: bytes | None
    version: Version


@dataclass(eq=False)
class Member:
    """One region's table of a global table. ``sourced``: when it last gave its items to a new replica."""

    table: SimulatedTable
    ready: bool = True
    sourced: datetime | None = None
    overrides: dict[str, Any] = field(default_factory=dict)
    versions: dict[Key, Version] = field(default_factory=dict)
    """Of the items that something on its way could still be older than."""

    @property
    def region(self) -> str:
        return str(self.table.region_name)

    def receive(self, write: Write) -> None:
        """Take over another member's write, unless what is here is later."""
        known = self.versions.get(write.key)
        if known is None or known < write.version:
            self.versions[write.key] = write.version
            self.table.commit(write.key, write.raw, cause="replica")


class Link:
    """What is on its way from one member to another."""

    def __init__(self, simulation: Simulation, account: str, source: Member, target: Member) -> None:
        self.source = source
        self.target = target
        self._account = account
        self._arrivals: Arrivals[Write] = Arrivals(simulation, LAG, self._arrive, self._interrupted)
        self._due: dict[Key, datetime] = {}
        """When the last write of each item that is on its way arrives: a later one does not overtake it."""

    def __len__(self) -> int:
        return len(self._arrivals)

    @property
    def writes(self) -> Iterator[Write]:
        """What is on its way, oldest first."""
        return iter(self._arrivals)

    def send(self, write: Write) -> None:
        """Let a write arrive after the lag."""
        self._due[write.key] = self._arrivals.send(write, not_before=self._due.get(write.key))

    def hold(self) -> None:
        """Let nothing arrive while an outage or a closed account stands in the way."""
        self._arrivals.hold()

    def resume(self) -> None:
        """Go on after an interruption: what is overdue arrives one lag from now."""
        soonest = self._arrivals.resume()
        if soonest is not None:
            self._due = {key: max(due, soonest) for key, due in self._due.items()}

    def drop(self) -> None:
        """Forget what is on its way."""
        self._arrivals.drop()
        self._due.clear()

    def _interrupted(self) -> bool:
        return not self.target.ready or disturbed(self._account, frozenset({self.source.region, self.target.region}))

    def _arrive(self, write: Write, due: datetime) -> None:
        if self._due.get(write.key) == due:
            del self._due[write.key]
        self.target.receive(write)


class GlobalTable:
    """The members of one global table, by region, and the links between them."""

    def __init__(self, simulation: Simulation, home: SimulatedTable) -> None:
        self.simulation = simulation
        self.account = str(home.account_id)
        self.members: dict[str, Member] = {}
        self.behind: dict[str, str] = {}
        """Regions that were down when settings changed, and the region of the member that has the newer ones."""
        self._links: list[Link] = []
        self._order = itertools.count()
        self.join(home)

    def join(self, table: SimulatedTable, source: Member | None = None) -> Member:
        """A new member. With a ``source`` it is not ready: what is written from now on waits until it is filled."""
        member = Member(table, ready=source is None)
        for other in self.members.values():
            into = Link(self.simulation, self.account, other, member)
            if source is not None and other is not source:
                # Not in the source yet, so it would not come with the source's items.
                for write in self._pending(other, source):
                    into.send(write)
            self._links += into, Link(self.simulation, self.account, member, other)
        self.members[member.region] = member
        table.observers.append(lambda change: self.observe(member, change))
        return member

    def fill(self, member: Member, source: Member) -> None:
        """Give a new member the source's items as they are now, and let what waited arrive."""
        member.table.load(Row(row.key, row.raw, row.size) for row in source.table.rows())
        member.versions = dict(source.versions)
        member.ready = True
        for link in self._links:
            if link.target is member:
                link.resume()

    def leave(self, member: Member) -> None:
        """A member was deleted: nothing goes to it any more; what it sent before still arrives."""
        self.members.pop(member.region, None)
        for link in self._links:
            if link.target is member:
                link.drop()
        self._links = [link for link in self._links if link.target is not member]

    def observe(self, member: Member, change: Change) -> None:
        """Send a change that was made here to all other members; what came from them goes no further."""
        if change.cause == "replica" or self.members.get(member.region) is not member:
            return
        self._forget_versions()
        links = [link for link in self._links if link.source is member]
        if not links:
            return
        version = (self.simulation.clock.now(), member.region, next(self._order))
        member.versions[change.key] = version
        write = Write(change.key, change.new, version)
        for link in links:
            link.send(write)

    def hold(self) -> None:
        """Stop what an outage or a closed account stands in the way of; the others go on."""
        for link in self._links:
            link.hold()

    def resume(self) -> None:
        """Go on with what nothing stands in the way of any more."""
        for link in self._links:
            link.resume()

    def _pending(self, source: Member, target: Member) -> Iterator[Write]:
        return (
            write for link in self._links if link.source is source and link.target is target for write in link.writes
        )

    def _forget_versions(self) -> None:
        # Nothing is on its way, so nothing can arrive that is older than what is here.
        if not any(self._links):
            for member in self.members.values():
                member.versions.clear()
            self._links = [link for link in self._links if self.members.get(link.source.region) is link.source]
