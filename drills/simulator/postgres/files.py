"""Copies of folders of database files: cheap where the file system shares blocks, linked where a file never changes."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path

from drills.simulator.postgres.home import Home

NOT_COPIED = frozenset({"postmaster.pid", "postmaster.opts", "pg_internal.init", "backup_label.old", "standby.signal"})
EMPTY = frozenset(
    {"pg_dynshmem", "pg_notify", "pg_replslot", "pg_serial", "pg_snapshots", "pg_stat_tmp", "pg_subtrans"}
)
"""Folders whose content belongs to a running server only. Source: PostgreSQL's manual, making a base backup."""
PIECE = 1 << 24
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Errors of a copy that another way of copying would meet as well."""
LAST = "global/pg_control"
"""Must be the last file of a copy that is made on a standby."""


def copy_database(
    source: Path, target: Path, home: Home, unchanged: Callable[[str, os.stat_result], Path | None]
) -> int:
    """Copy a data directory, without its log, while its server may run; its size in bytes.

    ``unchanged`` may name, for a path within the directory and its status, a file with the same content that never
    changes: it is linked. A file that vanishes meanwhile is left out; the log knows that it went.
    """
    home.make_folder(target)
    size = 0
    for path, status in _walk(source, ""):
        if stat.S_ISDIR(status.st_mode):
            home.make_folder(target / path)
            continue
        same = unchanged(path, status)
        try:
            if same is None or not _linked(same, target / path):
                copy_file(source / path, target / path, home, status)
        except FileNotFoundError:
            continue
        size += status.st_size
    return size


def _linked(same: Path, target: Path) -> bool:
    """Whether the link was made: what it would have led to may have been discarded meanwhile."""
    try:
        os.link(same, target)
    except FileNotFoundError:
        return False
    return True


def copy_file(source: Path, target: Path, home: Home, status: os.stat_result | None = None) -> None:
    """Content and time of change, to a file that is not there yet."""
    with open(source, "rb", buffering=0) as read, open(target, "xb", buffering=0, opener=_private) as written:
        _copy_content(read, written)
        status = status or os.fstat(read.fileno())
        os.utime(written.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
        home.give(written.fileno())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _copy_content(read: FileIO, written: FileIO) -> None:
    """In the kernel where it can, which on some file systems shares the blocks instead of copying them."""
    try:
        while os.copy_file_range(read.fileno(), written.fileno(), PIECE):
            pass
    except (AttributeError, OSError) as error:
        if getattr(error, "errno", None) in FULL:
            raise
        shutil.copyfileobj(read, written, PIECE)


def _walk(source: Path, within: str) -> Iterator[tuple[str, os.stat_result]]:
    """Folders before what is in them, ``pg_control`` at the very end."""
    for path, status in _entries(source, within):
        if path != LAST:
            yield path, status
    if not within:
        yield LAST, os.stat(source / LAST)


def _entries(source: Path, within: str) -> Iterator[tuple[str, os.stat_result]]:
    try:
        with os.scandir(source / within) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        path = f"{within}/{entry.name}" if within else entry.name
        if entry.name in NOT_COPIED or entry.name.startswith("pgsql_tmp") or path == "pg_wal":
            continue
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        yield path, status
        if stat.S_ISDIR(status.st_mode) and path not in EMPTY:
            yield from _walk(source, path)
