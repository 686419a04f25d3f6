"""Who still needs an image or an archive: snapshots, copies and automated backups may hold the same one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeVar


class Discardable(Protocol):
    """An image or an archive of the engine."""

    def discard(self) -> None: ...


Thing = TypeVar("Thing", bound=Discardable)


@dataclass(slots=True)
class Uses:
    """Counts who holds what; what nobody holds any more is discarded."""

    _held: dict[int, tuple[Discardable, int]] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many things are held."""
        return len(self._held)

    def hold(self, thing: Thing) -> Thing:
        """One more needs it, until it says ``let_go``."""
        self._held[id(thing)] = (thing, self._held.get(id(thing), (thing, 0))[1] + 1)
        return thing

    def let_go(self, thing: Discardable | None) -> None:
        """One less needs it. Of what was never held, nothing is known, and nothing done."""
        if thing is None or id(thing) not in self._held:
            return
        count = self._held[id(thing)][1] - 1
        if count:
            self._held[id(thing)] = (thing, count)
        else:
            del self._held[id(thing)]
            thing.discard()
