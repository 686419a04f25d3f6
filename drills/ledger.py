"""The ledger: every write of a store's workload with its times, the only source of what is expected after a restore."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from drills.model import Write


class Ledger:
    """The writes in the order in which they were sent; writes of one key took effect in that order."""

    def __init__(self) -> None:
        self._writes: list[Write] = []

    def __iter__(self) -> Iterator[Write]:
        return iter(self._writes)

    def __len__(self) -> int:
        return len(self._writes)

    def append(self, write: Write) -> None:
        """Enter one write. Raises ValueError when it does not follow the last one, or is no write at all."""
        last = self._writes[-1].sequence if self._writes else 0
        if write.sequence <= last:
            raise ValueError(f"write {write.sequence} of {write.key!r} was entered after write {last}")
        if (write.item is not None) != (write.kind == "put"):
            raise ValueError(f"write {write.sequence} of {write.key!r}: a put has an item and nothing else has one")
        self._writes.append(write)

    def erasures(self, since_us: int) -> Sequence[str]:
        """The keys erased at or after this moment and not written again afterwards, in the order of their erasure.

        An erasure counts by its acknowledgement. One whose acknowledgement never came counts from when it was sent: it
        was asked for, and making it again is right whether or not it was carried out. A put takes an erasure back only
        when it was acknowledged, as nobody relies on one that was not.
        """
        erased: dict[str, None] = {}
        for write in self._writes:
            if write.kind == "erase":
                at_us = write.sent_us if write.acknowledged_us is None else write.acknowledged_us
                if at_us >= since_us:
                    erased[write.key] = None
            elif write.kind == "put" and write.acknowledged_us is not None:
                erased.pop(write.key, None)
        return list(erased)
