"""botocore's own response parser while a simulated AWS is active: what a client does who talks to a real account."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from drills.simulator.dynamodb import client_parsing

STOCK = [(*one.owner_and_name, one.original()) for one in client_parsing.REPLACEMENTS]


@contextmanager
def stock_parser() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for owner, name, original in STOCK:
            patch.setattr(owner, name, original)
        yield
