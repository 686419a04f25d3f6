"""Drills in sandbox accounts, or at an endpoint of the user's own: real sessions, real time, nothing simulated.

An account that is lost and a region that is down are refused on this side of the wire. Where a role is assumed, the
session is renewed besides with a policy that denies the same, and AWS is asked once whether it does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from drills import safety
from drills.asked import Asked
from drills.barriers import Barriers
from drills.clock import Clock, WallClock
from drills.deeds import Deeds
from drills.intentions import Header, Intentions
from drills.keeping import Keeping, Spent, as_remark, keep, keep_on
from drills.model import JSON, Account, AccountRole, Estate, Grade, Location, ProductionSize
from drills.own_accounts import told
from drills.permissions import DENY_ALL
from drills.planned_calls import PlannedCalls
from drills.providers.calls import tell_of_calls
from drills.providers.capabilities import CAPABILITIES, SAFETY
from drills.providers.emulators import recognised
from drills.providers.interface import Call, ModelledDuration
from drills.providers.real_time import RealTime
from drills.redaction import Redaction, passwords_in
from drills.sandbox_file import SandboxFile
from drills.sessions import Sessions
from drills.stopping import StoppingClock

Narrow = Callable[[AccountRole, str | None], str]
"""The session policy of an account role, denying everything in a region if one is given."""
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})


class SandboxProvider:
    """See drills.providers.interface.Provider."""

    grade: Grade = "sandbox"

    def __init__(
        self, given: SandboxFile, clock: Clock | None = None, running: Callable[[], float] = time.monotonic
    ) -> None:
        self.given = given
        self.prefix = given.prefix
        self.name = f"sandbox at {given.endpoint_url} (not AWS)" if given.endpoint_url else "sandbox"
        self.lacks = _lacks(given)
        self.capabilities: frozenset[str] = frozenset(CAPABILITIES) - self.lacks.keys()
        self.redaction = Redaction()
        self.narrow: Narrow | None = None
        """How the sessions of the drill are narrowed; None before it is planned."""
        self.planned: PlannedCalls | None = None
        """The calls that the drill may send; None before it is planned."""
        self.asked: Asked | None = None
        """What was asked and approved, for the record."""
        self.keeping: Keeping | None = None
        """The record of the drill that is running, and what stops it."""
        self._clock = clock or WallClock()
        self._running = running

    @contextmanager
    def keep(self, folder: Path, drill_id: str, estate: Estate) -> Iterator[None]:
        """Keep a drill's intentions in its folder for as long as it runs, and listen to what stops it."""
        header = Header(
            drill_id, estate.accounts, str(Path(self.given.file).resolve()), self.given.endpoint_url, self.asked
        )
        with keep(self.given, folder, header, self._clock, self._watching(estate)) as self.keeping:
            yield
        self.keeping = None

    @contextmanager
    def keep_on(self, folder: Path, record: Intentions, estate: Estate, before: Spent) -> Iterator[Keeping]:
        """Go on with a record that is open. ``before``: what the drill took until it was cut off."""
        with keep_on(self.given, folder, record, self._clock, self._watching(estate), before) as self.keeping:
            yield self.keeping
        self.keeping = None

    def _watching(self, estate: Estate) -> Callable[[], Any]:
        """A client of CloudWatch in production, when it is asked for."""

        def cloudwatch() -> Any:
            with self.open(estate, 0) as world:
                return world.client("cloudwatch", "production", estate.accounts["production"].region)

        return cloudwatch

    def check(self, estate: Estate) -> None:
        """Prove the accounts safe. Raises UsageError where one is not; changes nothing."""
        sessions = Sessions(self.given.file, self.given.accounts.accesses, self.given.endpoint_url)
        made: dict[AccountRole, boto3.Session] = {}

        def ask(service: str, role: AccountRole) -> Any:
            region = estate.accounts[role].region
            if role not in made:
                made[role] = sessions.session(role, region)
            return sessions.client(made[role], service, region)

        organizations = "organizations" in self.capabilities
        safety.check(estate.accounts, ask, self.given.file, organizations=organizations)

    @contextmanager
    def open(self, estate: Estate, seed: int) -> Iterator[SandboxWorld]:
        policies = "sts.session_policies" in self.capabilities
        clock = RealTime(self._clock, self._running)
        world = SandboxWorld(self.given, estate, clock, self.redaction, self.narrow, self.planned, denies=policies)
        if self.keeping is not None:
            world.kept(self.keeping)
        try:
            yield world
        finally:
            world.clock.forget()


def _lacks(given: SandboxFile) -> Mapping[str, str]:
    """What the file says is taken by its word; it says nothing of what proves an account safe."""
    emulator = recognised(given.endpoint_url) if given.endpoint_url is not None else None
    known = emulator.lacks if emulator is not None else {}
    if given.lacks is None:
        return dict(known)
    return {**given.lacks, **{name: reason for name, reason in known.items() if name in SAFETY}}


class SandboxWorld:
    """See drills.providers.interface.World."""

    def __init__(
        self,
        given: SandboxFile,
        estate: Estate,
        clock: RealTime,
        redaction: Redaction,
        narrow: Narrow | None = None,
        planned: PlannedCalls | None = None,
        *,
        denies: bool = True,
    ) -> None:
        self.clock = clock
        self._given = given
        self._estate = estate
        self._redaction = redaction
        self._narrow = narrow
        self._planned = planned
        self._denies = denies
        self._make = Sessions(given.file, given.accounts.accesses, given.endpoint_url)
        self._sessions: dict[AccountRole, boto3.Session] = {}
        self._clients: dict[tuple[str, AccountRole, str], Any] = {}
        self._barriers = Barriers()
        self._deeds = Deeds()
        self._listeners: list[Callable[[Call], None]] = []
        self._keeping: Keeping | None = None
        self._remarks: list[tuple[str, Mapping[str, JSON]]] = []
        self._jumps_told = 0

    # --- Clients

    def client(self, service: str, role: AccountRole, region: str) -> Any:
        key = (service, role, region)
        if key not in self._clients:
            account = self._account(role)
            client = self._make.client(self._session(role), service, region)
            self._barriers.watch(client, account.id, self._refused(role))
            self._deeds.watch(client, role, account.id)
            if self._planned is not None:
                self._planned.watch(client, role)
            self._clients[key] = client
        return self._clients[key]

    def _account(self, role: AccountRole) -> Account:
        return self._estate.accounts[role]

    def _session(self, role: AccountRole) -> boto3.Session:
        if role not in self._sessions:
            account = self._account(role)
            policy = self._narrow(role, None) if self._narrow is not None else None
            session = self._make.session(role, account.region, policy=policy)
            tell_of_calls(session, role, account.id, self.clock, self._tell)
            session.events.register("request-created.*.*", self._learn(session))
            session.events.register("before-parameter-build.*.*", self._learn_passwords)
            self._sessions[role] = session
        return self._sessions[role]

    def _learn(self, session: boto3.Session) -> Callable[..., None]:
        """Whatever credentials a request is signed with are secrets that nothing may quote from now on."""

        def learn(**_: Any) -> None:
            credentials = session.get_credentials()
            if credentials is not None:
                frozen = credentials.get_frozen_credentials()
                self._redaction.learn(frozen.secret_key, frozen.token)

        return learn

    def _learn_passwords(self, params: Mapping[str, Any], **_: Any) -> None:
        """Those that the drill gives its databases."""
        self._redaction.learn(params.get("MasterUserPassword"), params.get("SecretString"))
        self._redaction.learn(*passwords_in(params.get("SecretString")))

    def _refused(self, role: AccountRole) -> Callable[[dict[str, Any], str, str, str], None]:
        def told(context: dict[str, Any], service: str, operation: str, error: str) -> None:
            region, resource = str(context.get("client_region", "")), str(context.get("drills_resource", ""))
            account = self._account(role).id
            self._tell(Call(self.clock.now(), role, account, region, service, operation, resource, error))

        return told

    def reach(self, at: Location) -> None:
        self._barriers.check(at.account, at.region)

    def stranger(self, service: str, region: str) -> None:
        return None

    def listen(self, listener: Callable[[Call], None]) -> None:
        self._listeners.append(listener)

    def _tell(self, call: Call) -> None:
        for listener in self._listeners:
            listener(call)

    # --- Time

    def every(
        self,
        seconds: float,
        action: Callable[[], None],
        until: Callable[[], bool],
        *,
        first_seconds: float | None = None,
    ) -> None:
        def turn() -> None:
            if until():
                return
            action()
            self.clock.call_later(seconds, turn)

        self.clock.call_later(seconds if first_seconds is None else first_seconds, turn)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        self.clock.call_later(seconds, action)

    def reckon(self, kind: str, at: Location, size: ProductionSize) -> None:
        """A store has the size that it has."""

    def modelled(self, operation: str, resource: str, size: ProductionSize) -> None:
        """Real time passes by itself."""

    def modelled_durations(self) -> tuple[ModelledDuration, ...]:
        return ()

    # --- Failures

    def close_account(self, role: AccountRole) -> None:
        account = self._account(role)
        self._barriers.lost.add(account.id)
        what = f"{role} account {account.id} lost"
        if why := self._cannot_deny([role]):
            by_aws, seen = None, why
        else:
            by_aws, seen = self._asked(role, account.region, DENY_ALL)
        self._enforced(what, by_aws, seen, lost=role)

    def region_down(self, region: str) -> None:
        self._barriers.down.add(region)
        what = f"region {region} down"
        why = self._cannot_deny(self._estate.accounts)
        if why or self._narrow is None:
            self._enforced(what, None, why or "the sessions of this drill are not narrowed", down=region)
            return
        seen = ""
        for role in self._estate.accounts:
            denied, seen = self._asked(role, region, self._narrow(role, region))
            if not denied:
                self._enforced(what, False, seen, down=region)
                return
        self._enforced(what, True, seen, down=region)

    def _cannot_deny(self, roles: Iterable[AccountRole]) -> str:
        """Why AWS cannot be made to deny these roles' calls; empty when it can."""
        if not self._denies:
            return "the endpoint does not enforce session policies"
        for role in roles:
            if self._given.accounts.accesses[role].role_arn is None:
                return f"{role} is reached by a profile, whose sessions have no policy"
        return ""

    def lift(self) -> None:
        """End outage and loss, so that what the drill made can be deleted."""
        self._barriers.lost.clear()
        self._barriers.down.clear()
        self._sessions.clear()
        self._clients.clear()

    def _asked(self, role: AccountRole, region: str, policy: str) -> tuple[bool, str]:
        """Renew the role's session with this policy and ask AWS once: whether it denied, and what was seen."""
        account = self._account(role)
        session = self._make.session(role, account.region, policy=policy, sts_region=self._sts_region(role))
        tell_of_calls(session, role, account.id, self.clock, self._tell)
        session.events.register("request-created.*.*", self._learn(session))
        session.events.register("before-parameter-build.*.*", self._learn_passwords)
        self._sessions[role] = session
        for key in [key for key in self._clients if key[1] == role]:
            del self._clients[key]
        try:
            self._make.client(session, "dynamodb", region).list_tables(Limit=1)
        except ClientError as error:
            return error.response["Error"]["Code"] in DENIED, told(error)
        except BotoCoreError as error:
            return False, told(error)
        return False, "dynamodb ListTables was answered"

    def _sts_region(self, role: AccountRole) -> str:
        """Where credentials are renewed: not in a region that is down."""
        regions = [self._account(role).region, *(account.region for account in self._estate.accounts.values())]
        return next((region for region in regions if region not in self._barriers.down), regions[0])

    def _enforced(self, what: str, by_aws: bool | None, seen: str, **failed: str) -> None:
        """``failed``: the role that is ``lost`` or the region that is ``down``, by which it is enforced again."""
        self._remarks.append(("failure.enforced", {"what": what, "by_aws": by_aws, "seen": seen, **failed}))

    # --- The end

    def remarks(self) -> tuple[tuple[str, Mapping[str, JSON]], ...]:
        # In the order in which they are asked for: who has read some reads on after them.
        for jump in self.clock.jumps[self._jumps_told :]:
            jumped = {"noticed": jump.at.isoformat(), "seconds": round(jump.seconds, 1)}
            self._remarks.append(("clock.jumped", jumped))
            self._jumps_told += 1
        return tuple(self._remarks)

    def kept(self, keeping: Keeping) -> None:
        """From now on waits end when the drill must stop, and closing deletes what the drill's record says it made."""
        self._keeping = keeping
        self.clock = RealTime(StoppingClock(keeping.clock, keeping.stop), self.clock.running)
        self.listen(keeping.heard)
        keeping.deeds.append(self._deeds)
        for there, made in keeping.so_far.items():
            if there.kind == "bucket":
                self._barriers.lies(there.name, made.account, made.region)

    def close(self) -> tuple[str, ...]:
        """Delete what the drill made, by its own record; what is left or could not be looked for, each with its reason.

        Without a record nothing is deleted, and what was made and not destroyed is told.
        """
        self.clock.forget()
        if self._keeping is not None:
            self.lift()
            found = self._keeping.clean_up(self.client)
            self._remarks.append(("cleanup.done", as_remark(found)))
            return (*map(str, found.left), *found.gaps)
        return tuple(f"{resource}: made by this drill and not deleted" for resource in self._deeds.left)
