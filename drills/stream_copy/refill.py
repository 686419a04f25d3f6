"""Copies one table into another, whoever owns either: parallel scan, batch write, values byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from drills.clock import Clock
from drills.stores.dynamodb_bulk import put_all, scan_pages


def refill(
    source: Any,
    source_table: str,
    target: Any,
    target_table: str,
    clock: Clock,
    *,
    workers: int = 8,
    progress: Callable[[int], None] = lambda copied: None,
) -> int:
    """Copy all items; returns how many. ``source`` and ``target`` are DynamoDB clients of their accounts.

    Raises ProtectionError when the target goes on refusing. ``progress`` is told the count of each page.
    """

    def one(segment: int) -> int:
        copied = 0
        for items in scan_pages(source, source_table, segment, workers):
            copied += put_all(target, target_table, items, clock)
            progress(len(items))
        return copied

    if workers == 1:
        return one(0)
    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(one, range(workers)))
