"""Queues are asked for messages for a while (long polling), and that while passes on the clock.

Source: SQS API reference, ReceiveMessage, WaitTimeSeconds.
"""

from __future__ import annotations

from moto.sqs.models import Queue

from drills.simulator.replaced import Replacement
from drills.simulator.state import current

STEP_SECONDS = 0.1


def wait_for_messages(self: Queue, timeout: float) -> None:
    """Return when there is a message that can be seen, at the latest a little after ``timeout`` seconds."""
    clock = current().clock
    steps = round(timeout / STEP_SECONDS)
    for step in range(steps):
        # The caller polls on until its end is past, and what is there may be what it cannot have: time must go on.
        clock.sleep(STEP_SECONDS + (1e-6 if step == steps - 1 else 0.0))
        if self.messages:
            return


REPLACEMENTS = (
    Replacement(
        "moto.sqs.models:Queue.wait_for_messages",
        wait_for_messages,
        "moto waits in real time until the wall clock has moved on, and here that stands still",
        digest="58432562ccf2",
    ),
)
