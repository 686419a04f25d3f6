"""A database engine without rows, for tests in which only snapshots come and go: no program runs.

It stands where PostgreSQL does, behind the interface of engines. Give it to a simulation before its first database.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from drills.simulator.postgres.interface import Address, Archive, Credentials, Engine, Image, Position, Server, Standby
from drills.simulator.rds.state import engine


@dataclass(frozen=True)
class NoRows:
    """An image or an archive of nothing."""

    position: Position = 0
    size_bytes: int = 1_000_000
    reaches: Position = 0

    def discard(self) -> None: ...


@dataclass
class RowlessServer:
    running: bool = True
    archive: Archive = field(default_factory=NoRows)
    address: Address = field(default_factory=lambda: Address("127.0.0.1", 1))

    def start(self) -> None:
        self.running = True

    def stop(self, *, at_once: bool = False) -> None:
        self.running = False

    def position(self) -> Position:
        return 0

    def image(self) -> Image:
        return NoRows()

    def set_password(self, credentials: Credentials) -> None: ...

    def set_parameters(self, parameters: dict[str, str]) -> list[str]:
        return []

    def undo_parameters(self) -> None: ...

    def standby(self) -> Standby:
        raise NotImplementedError

    def destroy(self) -> None:
        self.running = False


class Rowless:
    name = "rowless"
    version = "17.0"

    def create(self, credentials: Credentials, database: str | None) -> Server:
        return RowlessServer()

    def restore(self, image: Image, archive: Archive | None = None, until: Position | None = None) -> Server:
        return RowlessServer()

    def close(self) -> None: ...


def without_rows() -> None:
    """Let the simulation that is active have no rows in its databases."""
    made: Engine = engine(Rowless)
    assert isinstance(made, Rowless)
