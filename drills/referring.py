"""References while records are written: what a record names is there before it, and stays while something names it.

An application writes an invoice before the order that names it, and deletes no invoice that an order still names. A
workload that did otherwise would leave references that name nothing before anything was lost, and a restore could not
be told from it. Each store's workload draws its own writes; here they learn of each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import orjson

from drills.live_keys import LiveKeys
from drills.references import key_names, names_in


@dataclass
class Names:
    """The records of one store as other stores name them.

    ``gone`` are names that no record will have any more; ``free`` are the records that nothing names now.
    """

    free: LiveKeys = field(default_factory=LiveKeys)
    gone: set[str] = field(default_factory=set)
    _there: dict[str, tuple[str, int]] = field(default_factory=dict)
    _named_by: Counter[str] = field(default_factory=Counter)

    def has(self, name: str) -> bool:
        return name in self._there

    def put(self, key: str, number: int) -> None:
        names = key_names(key)
        for name in names:
            self._there[name] = key, number
            self.gone.discard(name)
        if not any(self._named_by[name] for name in names):
            self.free.add(key, number)

    def remove(self, key: str) -> None:
        self.free.discard(key)
        for name in key_names(key):
            self._there.pop(name, None)
            self.gone.add(name)

    def take(self, names: Iterable[str]) -> None:
        """A record names these from now on."""
        for name in names:
            self._named_by[name] += 1
            if name in self._there:
                self.free.discard(self._there[name][0])

    def let_go(self, names: Iterable[str]) -> None:
        """A record names these no more."""
        for name in names:
            self._named_by[name] -= 1
            if not self._named_by[name]:
                del self._named_by[name]
                if name in self._there:
                    self.free.add(*self._there[name])


@dataclass
class Referring:
    """What the records of one store name in one other, by one attribute."""

    attribute: str
    named: Names
    _by_key: dict[str, list[str]] = field(default_factory=dict)

    def put(self, key: str, item: bytes) -> None:
        self.remove(key)
        self._by_key[key] = self.names(item)
        self.named.take(self._by_key[key])

    def remove(self, key: str) -> None:
        self.named.let_go(self._by_key.pop(key, ()))

    def names(self, item: bytes) -> list[str]:
        return names_in(orjson.loads(item), self.attribute)

    def missing(self, item: bytes) -> list[str]:
        """What this record would name and is not there."""
        return [name for name in self.names(item) if not self.named.has(name)]
