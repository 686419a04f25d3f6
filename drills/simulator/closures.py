"""Whose credentials are refused: unknown, ended, or of an account that is closed; and whose resources are out of reach.

Source: AWS Account Management reference, Close an account: a closed account is suspended, its resources out of reach.
Whether sessions that were issued before still work is not documented, so it is a setting.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from drills.simulator import accounts, refusals
from drills.simulator.needs import needs_of
from drills.simulator.needs.need import parameters
from drills.simulator.needs.s3 import bucket_and_key, bucket_named
from drills.simulator.request import Request, Response
from drills.simulator.state import Simulation

NAMING = re.compile(r"(Arn|Name|Url|Identifier|Id|Role|Source|Resource)$", re.IGNORECASE)
"""Parameters that say what a call is about; an ARN in a message or an item is only content."""
SPEAK_OF_OTHERS = frozenset({"AssumeRole", "AddPermission"})
"""They name another account's principals and resources without a use of them; roles are judged by STS."""
QUEUE_OWNER = re.compile(r"^https?://[^/]+/(\d{12})/[^/]+$")


def refusal(simulation: Simulation, request: Request) -> Response | None:
    """The refusal that the caller's credentials or the account of what it asks for earn; None when there is none."""
    principal = request.principal
    if not principal.active:
        return refusals.invalid_key(request)
    if simulation.is_closed(request.account) and _ended_with_account(simulation, request):
        return refusals.invalid_key(request)
    if principal.expires is not None and simulation.clock.now() >= principal.expires:
        return refusals.expired(request)
    if simulation.closed and request.operation not in SPEAK_OF_OTHERS:
        for owner in _owners(request):
            if simulation.is_closed(owner) and owner != request.account:
                return refusals.suspended(request, owner)
    return None


def _ended_with_account(simulation: Simulation, request: Request) -> bool:
    """Sessions of before may be kept until they expire; keys and new sessions never are."""
    principal = request.principal
    if simulation.sessions_of_closed_accounts == "refused" or principal.expires is None or principal.issued is None:
        return True
    return principal.issued >= simulation.closed[request.account]


def _owners(request: Request) -> Iterator[str]:
    """The accounts of what the call names."""
    for need in needs_of(request):
        yield accounts.account_in(need.resource)
    if request.service == "s3":
        source = request.headers.get("x-amz-copy-source", "").lstrip("/").partition("/")[0]
        for name in (bucket_and_key(request.url)[0], source):
            bucket = bucket_named(name)
            if bucket is not None:
                yield str(bucket.account_id)
        return
    for name, value in parameters(request).items():
        if NAMING.search(name):
            yield from _owner(value)


def _owner(value: Any) -> Iterator[str]:
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str):
            yield accounts.account_in(text)
            queue = QUEUE_OWNER.match(text)
            if queue:
                yield queue[1]
