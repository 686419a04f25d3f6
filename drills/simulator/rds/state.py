"""The databases of the simulation that is active, and the engine that runs them."""

from __future__ import annotations

from collections.abc import Callable

from drills.simulator.postgres.interface import Engine
from drills.simulator.rds.model import Databases
from drills.simulator.state import Simulation, current

_databases: Databases | None = None
_engine: Engine | None = None


def begin(simulation: Simulation) -> None:
    """Nothing is there at first; the engine starts with the first database, as most simulations have none."""
    global _databases, _engine  # One simulation at a time is active in a process.
    _databases, _engine = Databases(), None
    simulation.on_exit.append(_end)


def databases() -> Databases:
    current()
    assert _databases is not None
    return _databases


def engine(make: Callable[[], Engine]) -> Engine:
    global _engine
    if _engine is None:
        _engine = make()
    return _engine


def has_engine() -> bool:
    """Whether the engine of this simulation has been started."""
    return _engine is not None


def the_engine() -> Engine:
    """The engine of this simulation, started with its first database. Raises MissingExtra without its programs."""
    return engine(_postgres)


def _postgres() -> Engine:
    from drills.simulator.postgres.engine import PostgresEngine

    return PostgresEngine()


def _end() -> None:
    global _databases, _engine
    if _engine is not None:
        _engine.close()
    _databases = _engine = None
