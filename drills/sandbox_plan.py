"""The plan of a drill in real accounts: what it will touch, call, take and cost, and the digest to approve it by.

The digest covers all that is planned and nothing that merely passes, such as today's date. Planning again gives the
same digest, so that what runs is what was approved; where it differs, its parts say which part of the plan changed.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import drills
from drills.cleaning_permissions import bypassing, cleaning
from drills.deeds import Done
from drills.drill_plan import Plan
from drills.durations import written
from drills.errors import UsageError
from drills.history import canonical
from drills.model import JSON, AccountRole
from drills.permissions import narrowing, to_attach
from drills.planned_calls import PlannedCalls, deleting
from drills.prices import AS_OF, Cost, cost
from drills.providers.sandbox import SandboxProvider
from drills.rehearsal import MOST_RECORDS, Permission, Rehearsed, rehearse

PARTS = ("drills", "estate", "scenarios", "accounts", "provider", "resources", "calls")
WHAT_CHANGED = {
    "drills": "the version of drills",
    "estate": "the estate, its records or its stores",
    "scenarios": "the scenarios, paths or seed",
    "accounts": "the accounts or how they are reached",
    "provider": "the limits, the prefix, the endpoint or what it lacks",
    "resources": "what is made, restored or destroyed",
    "calls": "the calls or the permissions they need",
}


@dataclass(frozen=True, slots=True)
class SandboxPlan:
    """A plan and its rehearsal."""

    plan: Plan
    provider: SandboxProvider
    rehearsed: tuple[Rehearsed, ...]

    @property
    def seconds(self) -> float:
        """Expected: seconds until the drill ends, clean-up aside."""
        return sum(one.seconds for one in self.rehearsed)

    @property
    def cost(self) -> Cost:
        more = self.plan.records / min(self.plan.records, MOST_RECORDS)
        costs = [cost(one.calls, one.done, one.seconds, more) for one in self.rehearsed]
        return Cost(sum(one.calls_usd for one in costs), sum(one.resources_usd for one in costs))

    @property
    def called(self) -> frozenset[Permission]:
        """All that the drill's calls need, clean-up aside."""
        return frozenset(permission for one in self.rehearsed for permission in one.permissions)

    @property
    def needed(self) -> frozenset[Permission]:
        """All that the drill's calls need, and what cleaning up after it does."""
        return self.called | self._cleaning

    @property
    def _cleaning(self) -> frozenset[Permission]:
        return cleaning(done for one in self.rehearsed for done in one.done) | bypassing(self.called)

    def planned_calls(self) -> PlannedCalls:
        """The calls that the drill may send, and what cleaning up after it may."""
        rehearsed = frozenset(call for one in self.rehearsed for call in one.calls)
        cleaned = deleting((one.role, one.action) for one in self._cleaning)
        return PlannedCalls(f"the plan {self.digest}", rehearsed | cleaned)

    def permissions(self) -> Mapping[AccountRole, Mapping[str, Any]]:
        """The IAM policy that each account role's credentials need, as JSON documents."""
        prefixes = [self.plan.prefix_of(use) for use in self.plan.scenarios]
        return to_attach(self.needed, prefixes, f"{self.provider.prefix}-")

    def session_policy(self, role: AccountRole, down: str | None = None) -> str:
        """The inline policy that narrows each session of this role to the drill. Raises UsageError if too long."""
        return narrowing(self.needed, self.plan.prefix, role, down)

    # --- Approving

    def parts(self) -> Mapping[str, JSON]:
        """All that is planned, by part."""
        told, given = self.plan.as_json(), self.provider.given
        estate = dict(told["estate"])
        accounts = estate.pop("accounts")
        return {
            "drills": drills.__version__,
            "estate": {**estate, "records": self.plan.records},
            "scenarios": [told["scenarios"], self.plan.paths, self.plan.drill.seed],
            "accounts": {
                role: [accounts[role], access.profile, access.role_arn, access.external_id, access.mfa_serial]
                for role, access in given.accounts.accesses.items()
            },
            "provider": [
                given.prefix,
                given.endpoint_url,
                given.time_limit_seconds,
                given.cost_limit_usd,
                given.stop_alarm,
                dict(self.provider.lacks),
            ],
            "resources": [[one.scenario, *_deeds(one.done)] for one in self.rehearsed],
            "calls": [
                [
                    f"{role} {service} {operation}"
                    for one in self.rehearsed
                    for role, service, operation in sorted(one.calls)
                ],
                sorted(
                    f"{one.role} {one.action} {one.resource}" for one in self.needed if self.plan.prefix in one.resource
                ),
            ],
        }

    @property
    def digest(self) -> str:
        """``<digest of the whole>-<two bytes of each part's>``, in hexadecimal."""
        parts = self.parts()
        whole = _sha256(dict(parts))[:32]
        return "-".join([whole, *(_sha256(parts[name])[:4] for name in PARTS)])

    def approve(self, digest: str) -> None:
        """Raises UsageError, naming what changed, unless this is the plan that the digest was given for."""
        if changed := self.changed_since(digest):
            raise UsageError(
                f"--approve {digest}: the plan is another one now, {self.digest}; what changed: {changed}. Look at "
                "`drills plan --on` again and approve what it says. Nothing was done."
            )

    def changed_since(self, digest: str) -> str:
        """In what this differs from the plan that the digest was given for; empty where it is the same."""
        mine, given = self.digest, digest.strip().lower()
        if mine == given:
            return ""
        pairs = list(zip(PARTS, mine.split("-")[1:], given.split("-")[1:], strict=False))
        if len(pairs) != len(PARTS):
            return "it is no digest that `drills plan --on` prints"
        changed = [WHAT_CHANGED[name] for name, now, then in pairs if now != then]
        return "; ".join(changed) or "something that its parts do not tell"

    def check_limits(self) -> None:
        """Raises UsageError where the plan expects more than the provider file allows."""
        given = self.provider.given
        if self.seconds > given.time_limit_seconds:
            raise UsageError(
                f"{given.file}: time_limit is {written(given.time_limit_seconds)}; the plan expects "
                f"{written(self.seconds)}. Name fewer scenarios or stores, or raise it. Nothing was done."
            )
        if self.cost.usd > given.cost_limit_usd:
            raise UsageError(
                f"{given.file}: cost_limit is ${given.cost_limit_usd:,.2f}; the plan expects ${self.cost.usd:,.2f} "
                f"(prices of {AS_OF}). Name fewer scenarios, stores or records, or raise it. Nothing was done."
            )

    # --- Telling

    def describe(self) -> list[str]:
        """The plan, a line each: what is touched, called and allowed, and what it takes and costs."""
        return [
            *self.plan.describe(),
            *self._lacking(),
            *(line for one in self.rehearsed for line in self._touched(one)),
            *self._called(),
            *self._narrowed(),
            f"expected duration {written(self.seconds)}, at most {written(self.provider.given.time_limit_seconds)} "
            "(the timing model's, for what the stores will hold; detection and decision as the estate says)",
            f"expected cost ${self.cost.usd:.2f}, at most ${self.provider.given.cost_limit_usd:.2f} "
            f"(calls ${self.cost.calls_usd:.4f}, resources ${self.cost.resources_usd:.4f}; prices of {AS_OF})",
            f"PLAN_DIGEST {self.digest}",
        ]

    def _lacking(self) -> Iterator[str]:
        for name, reason in sorted(self.provider.lacks.items()):
            yield f"not there: {name}: {reason}: what needs it is unknown, never pass"

    def _touched(self, one: Rehearsed) -> Iterator[str]:
        for deed in _deeds(one.done):
            yield f"{one.scenario}: {deed}"

    def _called(self) -> Iterator[str]:
        operations: dict[AccountRole, Counter[str]] = {}
        for one in self.rehearsed:
            for (role, service, operation), count in one.calls.items():
                operations.setdefault(role, Counter())[f"{service} {operation}"] += count
        actions: dict[AccountRole, set[str]] = {}
        for permission in self.needed:
            actions.setdefault(permission.role, set()).add(permission.action)
        for role in sorted(operations):
            called = ", ".join(f"{name} ×{count:,}" for name, count in sorted(operations[role].items()))
            yield f"calls as {role}: {called}"
        for role in sorted(actions):
            yield f"permissions of {role}: {', '.join(sorted(actions[role]))}"

    def _narrowed(self) -> Iterator[str]:
        for role, access in self.provider.given.accounts.accesses.items():
            if access.role_arn is None:
                yield (
                    f"{role} is reached by the profile {access.profile}, whose sessions cannot be narrowed: give it a "
                    "role_arn to have AWS itself refuse all but this drill's names and services"
                )
            else:
                policy = self.session_policy(role)
                yield f"{role}'s sessions are narrowed to {self.plan.prefix}* by a policy of {len(policy):,} characters"


def sandbox_plan(plan: Plan, provider: SandboxProvider) -> SandboxPlan:
    """Rehearse a plan. Calls nothing in the accounts."""
    planned = SandboxPlan(plan, provider, rehearse(plan))
    provider.narrow = planned.session_policy
    provider.planned = planned.planned_calls()
    return planned


def _deeds(done: Sequence[Done]) -> list[str]:
    """Each resource once, in order; those that AWS names by ids of its own are counted by kind."""
    told: Counter[str] = Counter()
    for one in done:
        resource = one.resource
        where = ", ".join(part for part in (resource.account, resource.region) if part)
        named = resource.kind not in ("event source mapping", "key", "backup", "automated backup", "batch job")
        # Of which drill they are the plan cannot know: its id tells the time.
        bare = resource.name.partition(" of ")[0]
        name = f"{resource.kind} {bare}" if named else f"{resource.kind} that AWS names"
        told[f"{one.what} {name} ({one.role}{where and ' '}{where})"] += 1
    return [f"{line} ×{count}" if count > 1 else line for line, count in told.items()]


def _sha256(value: Any) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()
