"""Statements of policies: which of them speak of a need, and what they say.

Source: IAM user guide, IAM JSON policy elements reference; Policy evaluation logic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from drills.simulator.conditions import Keys, filled, hold, like, listed
from drills.simulator.needs.need import Need

Document = dict[str, Any]


def judge(
    documents: Iterable[Document], need: Need, keys: Keys, names: Callable[[Document], bool] = lambda _: True
) -> str:
    """``allow``, ``deny``, or ``none`` where no statement speaks of it. ``names``: whether a statement of a resource's
    policy names the caller."""
    verdict = "none"
    for document in documents:
        for statement in statements(document):
            if not names(statement) or not about_action(statement, need.action):
                continue
            if not about_resource(statement, need.resource, keys):
                continue
            holds = hold(statement.get("Condition") or {}, keys)
            if statement.get("Effect") == "Deny" and holds is not False:
                return "deny"
            if statement.get("Effect") == "Allow" and holds is True:
                verdict = "allow"
    return verdict


def statements(document: Document) -> list[Document]:
    return [one for one in listed(document.get("Statement")) if isinstance(one, dict)]


def about_action(statement: Document, action: str) -> bool:
    negated = "NotAction" in statement
    patterns = listed(statement.get("NotAction" if negated else "Action"))
    return any(like(action.lower(), str(pattern).lower()) for pattern in patterns) is not negated


def about_resource(statement: Document, resource: str, keys: Keys) -> bool:
    negated = "NotResource" in statement
    patterns = listed(statement.get("NotResource" if negated else "Resource"))
    return any(like(resource, filled(str(pattern), keys)) for pattern in patterns) is not negated
