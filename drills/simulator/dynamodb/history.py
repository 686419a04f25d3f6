"""What a table held at any moment of its recovery window.

The log keeps, for each change, what was there *before*: walking it back from the table as it is gives the table as of a
moment. So nothing is copied when recovery is turned on, the newest version of each item is kept by the table alone,
older versions share the table's bytes, and trimming to the window is dropping the oldest entries.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from drills.simulator.dynamodb.rows import Key, Row, loads
from drills.simulator.dynamodb.validation import item_size

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_LAG = timedelta(minutes=5)
SECOND = timedelta(seconds=1)

Entry: TypeAlias = "tuple[int, Key, bytes | None]"


def microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def _whole_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


class History:
    """One table's recovery window, from the moment point-in-time recovery was turned on.

    ``earliest`` is the later of that moment and now − period, ``latest`` now − 5 minutes but never before ``earliest``;
    both whole seconds, as AWS gives them. A longer period does not bring back what a shorter one gave up.
    Source: DynamoDB developer guide, Point-in-time backups for DynamoDB; API reference, PointInTimeRecoveryDescription.
    """

    def __init__(self, table: Any, now: Callable[[], datetime], period_days: int) -> None:
        self._table = table
        self._now = now
        self._floor = now()
        self._log: deque[Entry] = deque()
        self.period_days = period_days

    def resize(self, period_days: int) -> None:
        """Change the recovery period. Days, 1–35."""
        self._floor = self._start()
        self.period_days = period_days
        self._floor = self._start()
        self._trim()

    @property
    def earliest(self) -> datetime:
        start = self._start()
        return start if start.microsecond == 0 else _whole_second(start) + SECOND

    @property
    def latest(self) -> datetime:
        return max(self.earliest, _whole_second(self._now() - LATEST_LAG))

    def observe(self, change: Any) -> None:
        """Note a change of the table."""
        self._log.append((microseconds(change.at), change.key, change.old))
        self._trim()

    def state_at(self, moment: datetime) -> tuple[Row, ...]:
        """The items as of ``moment``, changes at that very moment included; their bytes are the table's own."""
        before: dict[Key, bytes | None] = {}
        until = microseconds(moment)
        for at, key, old in reversed(self._log):
            if at <= until:
                break
            before[key] = old
        unchanged = (Row(row.key, row.raw, row.size) for row in self._table.rows() if row.key not in before)
        older = (Row(key, old, item_size(loads(old))) for key, old in before.items() if old is not None)
        return (*unchanged, *older)

    def __len__(self) -> int:
        return len(self._log)

    def _start(self) -> datetime:
        return max(self._floor, self._now() - timedelta(days=self.period_days))

    def _trim(self) -> None:
        start = microseconds(self._start())
        while self._log and self._log[0][0] <= start:
            self._log.popleft()
