"""Keys to draw from at random."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class LiveKeys:
    """Keys that exist now, each with the number of the record it was made from; random choice in constant time."""

    _keys: list[str] = field(default_factory=list)
    _at: dict[str, int] = field(default_factory=dict)
    _number: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._at

    def number(self, key: str) -> int:
        return self._number[key]

    def add(self, key: str, number: int) -> None:
        if key not in self._at:
            self._at[key] = len(self._keys)
            self._keys.append(key)
        self._number[key] = number

    def discard(self, key: str) -> None:
        if key in self._at:
            self.remove(key)

    def remove(self, key: str) -> None:
        at = self._at.pop(key)
        del self._number[key]
        last = self._keys.pop()
        if last != key:
            self._keys[at] = last
            self._at[last] = at

    def pick(self, rng: random.Random) -> tuple[str, int]:
        key = self._keys[rng.randrange(len(self._keys))]
        return key, self._number[key]
