"""Where a roll-back that was interrupted goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from drills.bucket_rollback.errors import RollBackRefused


class Checkpoint(Protocol):
    """Remembers the last key that is done. ``job`` names one roll-back: its bucket, prefix and moment."""

    def last_key(self, job: Mapping[str, str]) -> str:
        """Empty where nothing is done yet. Raises RollBackRefused when it belongs to another roll-back."""
        ...

    def done(self, job: Mapping[str, str], key: str) -> None: ...

    def finished(self) -> None:
        """The roll-back is complete: forget it."""
        ...


class FileCheckpoint:
    """A checkpoint in a small file, replaced in one go so that a crash leaves the old one or the new one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def last_key(self, job: Mapping[str, str]) -> str:
        try:
            told = json.loads(self._path.read_text(encoding="utf-8"))
            last_key, of = str(told["last_key"]), told["job"]
        except FileNotFoundError:
            return ""
        except (ValueError, KeyError, TypeError) as error:
            raise RollBackRefused(
                f"{self._path}: expected the checkpoint of a roll-back, found something else ({error}). Name another "
                "file, or delete it to begin from the first key."
            ) from None
        if of != dict(job):
            raise RollBackRefused(
                f"{self._path}: expected the checkpoint of {_told(job)}, found that of {_told(of)}. Name another file, "
                "or delete it if that other roll-back is over."
            )
        return last_key

    def done(self, job: Mapping[str, str], key: str) -> None:
        beside = self._path.with_name(self._path.name + ".new")
        beside.write_text(json.dumps({"job": dict(job), "last_key": key}), encoding="utf-8")
        os.replace(beside, self._path)

    def finished(self) -> None:
        self._path.unlink(missing_ok=True)


def _told(job: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in job.items())
