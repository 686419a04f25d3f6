"""IAM policies of a drill, made from what its rehearsal needed: those to attach, and those that narrow a session.

Source: IAM JSON policy reference, Resource (wildcards); STS API reference, AssumeRole (an inline session policy has at
most 2,048 characters); IAM user guide, IAM and STS quotas (a managed policy has at most 6,144, without white space).
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from drills.accounts_file import ALL_ROLES
from drills.errors import UsageError
from drills.model import AccountRole
from drills.rehearsal import Permission
from drills.safety import ACTIONS as OF_SAFETY

LONGEST_SESSION_POLICY = 2_048
ANY_ID = re.compile(
    r"(?<=[:/])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?<=auto-backup:)[A-Za-z]+-[0-9A-Za-z]+"
)
"""Of keys and event source mappings, and of automated backups."""
Statement = Mapping[str, Any]
DENY_ALL = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})


def generalised(resource: str, prefix: str, to: str) -> str:
    """The ARN of something that a drill made → the pattern of all that begins with ``to``; AWS's own ids → ``*``."""
    before, found, _ = resource.partition(prefix)
    return f"{before}{to}*" if found else ANY_ID.sub("*", resource)


def to_attach(
    needed: Iterable[Permission], prefixes: Iterable[str], to: str, cleaning: Iterable[Permission] = ()
) -> dict[AccountRole, Mapping[str, Any]]:
    """The policy of each account role: exactly the actions that the drill's calls need, on what its names begin with.

    ``prefixes``: those of the drill's scenarios; ``to``: what all drills' names begin with.
    """
    known = list(prefixes)
    # Every account is proven safe, also one in which this drill makes nothing.
    by_role: dict[AccountRole, dict[str, set[str]]] = {role: defaultdict(set) for role in ALL_ROLES}
    for one in (*needed, *cleaning):
        resource = next((generalised(one.resource, p, to) for p in known if p in one.resource), None)
        by_role[one.role][one.action].add(resource or generalised(one.resource, "\0", to))
    return {role: _document({**actions, **_of_safety()}) for role, actions in sorted(by_role.items())}


def _of_safety() -> dict[str, set[str]]:
    return {action: {"*"} for action in OF_SAFETY}


def _document(actions: Mapping[str, set[str]]) -> Mapping[str, Any]:
    """Actions on the same resources stand together."""
    together: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for action, resources in actions.items():
        together[tuple(sorted(_covering(resources)))].append(action)
    statements = [
        {"Effect": "Allow", "Action": sorted(of), "Resource": list(resources)}
        for resources, of in sorted(together.items())
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _covering(resources: set[str]) -> set[str]:
    """Without those that another one of them covers."""
    if "*" in resources:
        return {"*"}
    return {
        one
        for one in resources
        if not any(other != one and other.endswith("*") and one.startswith(other[:-1]) for other in resources)
    }


def narrowing(
    needed: Iterable[Permission],
    prefix: str,
    role: AccountRole,
    down: str | None = None,
    *,
    whole_services: bool = True,
) -> str:
    """The session policy of one account role in one scenario: the drill's services, on what its names begin with.

    What AWS names by ids of its own, and what has no resource, is allowed by its very actions; so is everything
    without ``whole_services``. ``down``: a region in which everything is denied. Raises UsageError where AWS's limit
    does not hold it.
    """
    own: set[str] = set()
    resources: set[str] = set()
    elsewhere: set[str] = set(OF_SAFETY)
    for one in needed:
        if one.role != role:
            continue
        if prefix in one.resource:
            own.add(f"{one.action.partition(':')[0]}:*" if whole_services else one.action)
            resources.add(_anywhere(generalised(one.resource, prefix, prefix)))
        else:
            elsewhere.add(one.action)
    for shorten in (lambda actions: actions, _by_verb, _by_service):
        statements: list[Statement] = [
            {"Effect": "Allow", "Action": sorted(shorten(elsewhere)), "Resource": "*"},
        ]
        if resources:
            allowed = sorted(own if whole_services else shorten(own))
            statements.insert(0, {"Effect": "Allow", "Action": allowed, "Resource": sorted(_covering(resources))})
        if down is not None:
            condition = {"StringEquals": {"aws:RequestedRegion": down}}
            statements.append({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition})
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))
        if len(policy) <= LONGEST_SESSION_POLICY:
            return policy
    raise UsageError(
        f"the session policy of {role} would have {len(policy):,} characters; AWS takes {LONGEST_SESSION_POLICY:,}. "
        "Drill fewer stores at once with --store. Nothing was done."
    )


def _anywhere(arn: str) -> str:
    """The same in every region and account."""
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return arn
    return ":".join([*parts[:3], "*" if parts[3] else "", "*" if parts[4] else "", parts[5]])


def _by_verb(actions: set[str]) -> set[str]:
    return {re.sub(r"(?<=:)([A-Z][a-z]+).*", r"\1*", action) for action in actions}


def _by_service(actions: set[str]) -> set[str]:
    return {f"{action.partition(':')[0]}:*" for action in actions}
