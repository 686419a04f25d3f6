"""What a deleter is: how one kind of resource is deleted, listed, dated, and found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jmespath  # type: ignore[import-untyped]

from drills.clock import Clock
from drills.guard_rules import Resource
from drills.intentions import Intention


class NotYet(Exception):
    """AWS is still busy with it; the message says with what."""


class Held(Exception):
    """AWS does not delete it, and will not by being asked again; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Deleter:
    """One kind. ``service`` is the client's.

    ``delete`` asks AWS to delete the resource; what it returns, if anything, says when AWS will have done so by itself.
    ``listing``: the call, and where its answer has the names, by which all of the kind are listed; None where a
    resource goes with another or is not tagged. ``find`` finds what an uncertain intention may have made whose name
    only the answer would have told. ``born`` tells when a resource was made, where AWS does.
    """

    kind: str
    service: str
    delete: Callable[[Any, Resource, Clock], str | None]
    listing: tuple[str, str] | None = None
    born: Callable[[Any, Resource], datetime | None] = lambda *_: None
    find: Callable[[Any, Intention], Iterable[Resource]] = lambda *_: ()
    after: frozenset[str] = frozenset()


def one_call(call: str, parameter: str) -> Callable[[Any, Resource, Clock], None]:
    """A kind whose deletion is one call."""

    def delete(client: Any, there: Resource, _: Clock) -> None:
        getattr(client, call)(**{parameter: there.name})

    return delete


def asked_when_born(call: str, parameter: str, path: str) -> Callable[[Any, Resource], datetime | None]:
    """Asked by one call; ``path`` leads to a moment in its answer, or to milliseconds since the epoch."""
    expression = jmespath.compile(path)

    def born(client: Any, there: Resource) -> datetime | None:
        found = expression.search(getattr(client, call)(**{parameter: there.name}))
        if isinstance(found, int | float):
            return datetime.fromtimestamp(found / 1000, UTC)
        return found if isinstance(found, datetime) else None

    return born
