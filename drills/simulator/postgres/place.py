"""What all servers of one engine share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from drills.simulator.postgres.home import Home
from drills.simulator.postgres.interface import Programs

if TYPE_CHECKING:
    from drills.simulator.postgres.server import PostgresServer


@dataclass(frozen=True, slots=True)
class Place:
    home: Home
    programs: Programs
    full_version: str
    """Such as ``18.1``."""
    folder: Path
    """The engine's; sockets lie in it."""
    new_folder: Callable[[str], Path]
    """A path within it that nothing has yet: the argument and a number."""
    settings: dict[str, str]
    """Of every start, beside those that are the same everywhere."""
    servers: list[PostgresServer] = field(default_factory=list)
    """All that were made, the destroyed ones too."""

    @property
    def version(self) -> int:
        """The major version."""
        return int(self.full_version.partition(".")[0])
