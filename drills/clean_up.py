"""What a drill made is deleted, by its record; and that nothing is left of it is proved, by the record and by its tag.

Deleted is only what the drill's intentions say that it made and what still carries the drill's tag, where it ever did;
the guard checks both once more on every call. An intention of which nobody knows whether it was carried out counts as
carried out where the resource is there now, was looked up and was not there right before the call (or is no older than
the call), and carries the drill's tag if the call gave it one. What carries the tag and is in no record is never
touched: it is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from drills.clock import Clock
from drills.deleters import BY_KIND, DELETERS, MADE_BY_AWS, OF_A_KIND
from drills.deleting import Held, NotYet
from drills.errors import DrillError, ProtectionError
from drills.guard import Guard
from drills.guard_databases import BACKUP, CLUSTER_SNAPSHOT, COPIES, SNAPSHOT
from drills.guard_rules import Resource, tags_of_resource
from drills.intentions import Intention, Intentions, Made, Told
from drills.model import AccountRole
from drills.not_allowed import not_allowed
from drills.own_accounts import told as error_told
from drills.ownership import DRILL_TAG

EVERY_SECONDS = 5.0
LIMIT_SECONDS = 3600.0
SKEW = timedelta(seconds=5)
"""How far this computer's clock and AWS's may differ, and what a moment in whole seconds leaves out."""
NOWHERE = ("", "aws-global", "aws-cn-global", "aws-us-gov-global")
PART_OF_ANOTHER = frozenset({"event source mapping", "scalable target", BACKUP})
"""Kinds that belong to a function, a table or a database: where that is the drill's, so are they."""
Ask = Callable[[str, AccountRole, str], Any]
"""A client that nobody watches yet: the service, the account role, the region."""
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Left:
    """A resource that is still there, and why."""

    resource: Resource
    reason: str

    def __str__(self) -> str:
        return f"{self.resource}: {self.reason}"


@dataclass
class CleanUp:
    """What was done. ``left`` is the drill's and still there; ``going`` is, and AWS deletes it by itself; ``others``
    carry the drill's tag, or have a name that the drill intended to use, and are not in its record; ``proof`` says how
    it was looked whether anything is left, ``gaps`` what could not be looked for."""

    deleted: list[Resource] = field(default_factory=list)
    going: list[Left] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    others: list[Left] = field(default_factory=list)
    proof: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)


class Cleaner:
    """Cleans up after one drill."""

    def __init__(self, record: Intentions, told: Told, ask: Ask, clock: Clock, progress: Progress) -> None:
        self.header = told.header
        self.made: dict[Resource, Made] = dict(told.made)
        self.found = CleanUp()
        self._record = record
        self._uncertain = told.uncertain
        self._ask = ask
        self._clock = clock
        self._progress = progress
        self._guard = Guard(told.header.drill_id, record, told.memory)
        self._clients: dict[tuple[str, str, str], Any] = {}

    def client(self, service: str, account: str, region: str) -> Any:
        """A client under the guard's eyes. Raises ProtectionError for an account that is none of the drill's."""
        role = self.header.role_of(account)
        if role is None:
            raise ProtectionError(f"account {account}: expected one of the drill's accounts, found none of them")
        # A client of a service without regions says that it is in none of them.
        region = self.header.accounts[role].region if region in NOWHERE else region
        key = (service, account, region)
        if key not in self._clients:
            client = self._ask(service, role, region)
            self._guard.watch(client, account)
            self._clients[key] = client
        return self._clients[key]

    def copied(self, there: Resource) -> bool:
        """Whether a function of the drill's made it, so that it is in no record of its own."""
        if there.kind not in (SNAPSHOT, CLUSTER_SNAPSHOT):
            return False
        return self._guard.copied(self.client("rds", there.account, there.region), there)

    def _client_of(self, made: Made) -> Any:
        there = made.resource
        return self.client(BY_KIND[there.kind].service, made.account, there.region or made.region)

    def run(self, limit_seconds: float = LIMIT_SECONDS) -> CleanUp:
        """Delete what is there, round by round until all is gone or nothing more can be done."""
        for intention in self._uncertain:
            self._settle(intention)
        until = self._clock.now() + timedelta(seconds=limit_seconds)
        pending = self._in_order()
        waiting = True
        while waiting:
            reasons = self._round(pending)
            pending = list(reasons) or self._made_meanwhile()
            waiting = bool(pending) and self._clock.now() < until
            if waiting:
                self._progress(f"waiting for {len(pending)} resources, such as {pending[0].resource}")
                self._clock.sleep(EVERY_SECONDS)
        for made, reason in reasons.items():
            why = reason or "it cannot be deleted"
            self.found.left.append(Left(made.resource, f"{why}; waited until {self._clock.now():%H:%M:%S} UTC"))
        return self.found

    def _made_meanwhile(self) -> list[Made]:
        """What functions made after it was looked for: one that ran when it was deleted ran to its end."""
        left = {one.resource for one in self.found.left}
        copies = [one for one in self.made.values() if one.resource.kind == COPIES and one.resource not in left]
        return [one for one in copies if tags_of_resource(self._client_of(one), one.resource) is not None]

    def _in_order(self) -> list[Made]:
        """Kind by kind, and of one kind the newest first: replicas before what they were made from."""
        order = {one.kind: number for number, one in enumerate(DELETERS)}
        newest = reversed(list(self.made.values()))
        return sorted(newest, key=lambda one: order.get(one.resource.kind, len(order)))

    # --- Deleting

    def _round(self, pending: Iterable[Made]) -> dict[Made, str]:
        """Try each once; returns what to try again, and why."""
        again: dict[Made, str] = {}
        waiting = dict.fromkeys(pending)
        for made in list(waiting):
            try:
                reason = self._waits_for(made, waiting) or self._try(made)
            except (ClientError, BotoCoreError) as error:
                reason = self._excuse(made, error)
            except (Held, DrillError) as error:
                self.found.left.append(Left(made.resource, str(error)))
                del waiting[made]
                continue
            if reason is not None:
                again[made] = reason
            else:
                del waiting[made]
        return again

    def _waits_for(self, made: Made, waiting: Iterable[Made]) -> str | None:
        """What must be gone before it. Raises Held where that will not go."""
        after = BY_KIND[made.resource.kind].after if made.resource.kind in BY_KIND else frozenset()
        for one in self.found.left:
            if one.resource.kind in after and one.resource.account == made.account:
                raise Held(f"{one.resource} is left and may need it")
        users = [one.resource for one in waiting if one.resource.kind in after and one.account == made.account]
        return f"{users[0]} may need it and is not gone yet" if users else None

    def _excuse(self, made: Made, error: Exception) -> str | None:
        """Why a deletion is to be tried again; None for what never will be done, which is entered as left."""
        if not_allowed(error):
            self.found.left.append(Left(made.resource, f"{error_told(error)}; give these credentials that permission"))
            return None
        return error_told(error)

    def _try(self, made: Made) -> str | None:
        """One step towards deleting one resource; returns why it is not gone yet, None when it is settled."""
        there, deleter = made.resource, BY_KIND.get(made.resource.kind)
        if deleter is None:
            raise Held("drills knows no way to delete this kind; delete it by hand")
        client = self._client_of(made)
        tags = tags_of_resource(client, there)
        if tags is None:
            return None
        if (owner := tags.get(DRILL_TAG)) != self.header.drill_id and (made.tagged or owner is not None):
            found = f"{DRILL_TAG}={owner}" if owner is not None else f"no tag {DRILL_TAG}"
            raise Held(f"it was made by this drill and now carries {found}: somebody made it their own, left alone")
        if there.kind in MADE_BY_AWS and self._is_older(client, there, made.at):
            return None
        try:
            later = deleter.delete(client, there, self._clock)
        except NotYet as busy:
            return str(busy)
        if later is not None:
            self.found.going.append(Left(there, later))
            return None
        self._progress(f"deleted {there}")
        if there not in self.found.deleted:
            self.found.deleted.append(there)
        return None if tags_of_resource(client, there) is None else "AWS was asked to delete it and has not yet"

    # --- What was perhaps made

    def _settle(self, intention: Intention) -> None:
        """Adopt what an uncertain intention made."""
        for there in self._perhaps_made(intention):
            if there in self.made:
                continue
            made = Made(there, intention.account, intention.region, intention.tagged, intention.at)
            try:
                client = self.client(BY_KIND[there.kind].service, intention.account, there.region or intention.region)
                doubt = self._doubt(client, intention, there)
            except (ClientError, BotoCoreError, DrillError) as error:
                doubt = f"it could not be looked at: {error_told(error)}"
            if doubt is None:
                self._record.adopt(intention, there)
                self._guard.adopt(there, tagged=intention.tagged)
                self.made[there] = made
            elif doubt:
                self.found.others.append(Left(there, f"{doubt}; left alone"))

    def _perhaps_made(self, intention: Intention) -> Iterator[Resource]:
        yield from (one for one in intention.makes if one.kind not in MADE_BY_AWS)
        kind = OF_A_KIND.get((intention.service, intention.operation))
        if kind is None:
            return
        try:
            client = self.client(BY_KIND[kind].service, intention.account, intention.region)
            yield from list(BY_KIND[kind].find(client, intention))
        except ClientError as error:
            # What it would have been made of is not there: then neither is it.
            if not_allowed(error) or "NotFound" not in str(error):
                self.found.gaps.append(f"a {kind} that was perhaps made: {error_told(error)}")
        except (BotoCoreError, DrillError) as error:
            self.found.gaps.append(f"a {kind} that was perhaps made: {error_told(error)}")

    def _doubt(self, client: Any, intention: Intention, there: Resource) -> str | None:
        """Why a resource is not taken for the drill's; empty where there is none, None where there is no doubt."""
        tags = tags_of_resource(client, there)
        if tags is None:
            return ""
        owner = tags.get(DRILL_TAG)
        if owner != self.header.drill_id and (intention.tagged or owner is not None):
            return "the drill was about to make one of that name, and this one does not carry its tag"
        if there in intention.new:
            return None
        born = BY_KIND[there.kind].born(client, there)
        if born is not None and born >= intention.at - SKEW:
            return None
        if there.kind in PART_OF_ANOTHER and any(whole in self.made for whole in intention.changes):
            return None
        return "the drill was about to make one of that name, and nothing proves that this is not an older one"

    def _is_older(self, client: Any, there: Resource, than: Any) -> bool:
        born = BY_KIND[there.kind].born(client, there)
        return born is None or born < than - SKEW


def clean_up(
    record: Intentions,
    told: Told,
    ask: Ask,
    clock: Clock,
    progress: Progress = lambda _: None,
    *,
    limit_seconds: float = LIMIT_SECONDS,
    thorough: bool = True,
) -> CleanUp:
    """Delete what a drill made and prove that nothing is left of it.

    ``thorough``: look at every resource of every account for the drill's tag, and not only where AWS's index of tags
    cannot tell. For endpoints that are not AWS, whose index may be incomplete.
    """
    from drills.clean_up_proof import prove

    cleaner = Cleaner(record, told, ask, clock, progress)
    found = cleaner.run(limit_seconds)
    prove(cleaner, found, thorough=thorough)
    return found
