"""Plain boto3 clients of a simulated AWS, made once: making one takes longer than most of what is called by it."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from drills.clock import SimulatedClock
from drills.simulator import SimulatedAWS

_kept: WeakKeyDictionary[SimulatedClock, dict[tuple[str, str, str], Any]] = WeakKeyDictionary()
"""By the clock, as a simulated AWS that is entered again begins anew, with another."""


def client_of(aws: SimulatedAWS, account: str, service: str, region: str) -> Any:
    """The client of the account's administrator for this service and region. Whoever changes one makes their own."""
    kept, key = _kept.setdefault(aws.clock, {}), (account, service, region)
    if key not in kept:
        kept[key] = aws.session(account, region).client(service)  # type: ignore[call-overload]
    return kept[key]
