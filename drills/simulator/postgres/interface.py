"""What the simulated RDS asks of a database engine, so that another engine can stand beside PostgreSQL.

A *position* is how far a server's log reaches, as an ordered number (PostgreSQL: the log sequence number). It means
something only along one server's line; what is restored or promoted begins a line of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Position = int


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server really listens, on loopback."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Credentials:
    """The master user of a database server."""

    user: str
    password: str


class Image(Protocol):
    """A copy of a server's files that never changes: what a snapshot holds. Kept until ``discard()``."""

    @property
    def position(self) -> Position:
        """The state that the image restores to by itself."""
        ...

    @property
    def size_bytes(self) -> int: ...

    def discard(self) -> None: ...


class Archive(Protocol):
    """The log of one server's line, kept after the server is gone until ``discard()``."""

    @property
    def reaches(self) -> Position:
        """The last position that can be restored from what is archived."""
        ...

    def discard(self) -> None: ...


class Server(Protocol):
    """One database server with files of its own. Everything blocks until it is so; EngineError when it fails."""

    @property
    def address(self) -> Address:
        """The same for as long as the server exists, stopped or not."""
        ...

    @property
    def running(self) -> bool: ...

    @property
    def archive(self) -> Archive: ...

    def start(self) -> None: ...

    def stop(self, *, at_once: bool = False) -> None:
        """Stop; ``at_once``: as a power cut does, what was acknowledged is there after the next start."""
        ...

    def position(self) -> Position:
        """How far what was acknowledged reaches. Cheap to ask often: no query while nothing was written."""
        ...

    def image(self) -> Image:
        """A copy of the files as of now, taken while the server runs."""
        ...

    def set_password(self, credentials: Credentials) -> None: ...

    def set_parameters(self, parameters: dict[str, str]) -> list[str]:
        """Let the server have these parameters, and all others their defaults; returns those that wait for a restart.

        Raises EngineError naming one it refuses; then nothing has changed.
        """
        ...

    def undo_parameters(self) -> None:
        """Take the last ``set_parameters`` back, running or not; in effect with the next start."""
        ...

    def standby(self) -> Standby:
        """A real streaming standby of this server, started and connected; it may serve as a source itself."""
        ...

    def destroy(self) -> None:
        """Stop and remove its files. Images and the archive stay until discarded."""
        ...


class Standby(Server, Protocol):
    """A server that follows another by streaming.

    It may know only what it is let: ``let(position)`` hands over the log up to there and no further, so that a
    simulated lag is a real one. Nothing is handed over before the first ``let``.
    """

    def let(self, position: Position) -> None: ...

    def cut(self) -> None:
        """No more log from the source, for instance because its region is down."""
        ...

    def promote(self) -> None:
        """Become a server of its own with exactly what was handed over, applied; its line begins here."""
        ...


class Engine(Protocol):
    """Makes servers under one directory, all of which are gone after ``close()`` or the end of the process, however it
    ends."""

    name: str
    """``postgres``."""
    version: str
    """Such as ``18.1``, of the programs that are run."""

    def create(self, credentials: Credentials, database: str | None) -> Server:
        """A new, running server with the master user and, if named, one database that is theirs."""
        ...

    def restore(self, image: Image, archive: Archive | None = None, until: Position | None = None) -> Server:
        """A new, running server from an image; with the archive of the image's line, as of ``until``.

        Raises BeyondArchive when the log does not reach that far.
        """
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Programs:
    """The folder in which the engine's programs lie, and how it was found, for messages."""

    folder: Path
    found: str
