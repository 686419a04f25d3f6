"""Projections on typed JSON, so that a projected value is the stored one to the last digit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from drills.simulator.dynamodb.answers import Refused
from drills.simulator.dynamodb.binding import Binding
from drills.simulator.dynamodb.rows import AttributeValue
from drills.simulator.dynamodb.tokens import Path, Tokens

LABEL = "ProjectionExpression"
Steps = tuple["str | int", ...]


@lru_cache(maxsize=256)
def _paths(text: str) -> tuple[Path, ...]:
    tokens = Tokens(text, LABEL)
    found = [tokens.path()]
    while tokens.take_if(","):
        found.append(tokens.path())
    if tokens.next.kind != "end":
        raise tokens.syntax_error()
    return tuple(found)


def paths_wanted(text: str, binding: Binding) -> list[Steps]:
    """The paths of a ProjectionExpression. Raises a ValidationException, also where two of them overlap."""
    paths = [binding.path(path, LABEL) for path in _paths(text)]
    refuse_overlaps(paths, LABEL)
    return paths


def refuse_overlaps(paths: Sequence[Steps], label: str) -> None:
    """Raises where one path is the beginning of another, or where one is a map's and the other a list's."""
    for at, one in enumerate(paths):
        for other in paths[at + 1 :]:
            if problem := _between(one, other):
                raise Refused(
                    "ValidationException",
                    f"Invalid {label}: Two document paths {problem} with each other; must remove or rewrite one of "
                    f"these paths; path one: {Path(one)}, path two: {Path(other)}",
                )


def _between(one: Steps, other: Steps) -> str | None:
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            return "conflict" if type(mine) is not type(theirs) else None
    return "overlap"


def steps(path: list[str]) -> list[str | int]:
    """A path as moto cuts it: ``["a", "b[0]"]`` as ``["a", "b", 0]``."""
    found: list[str | int] = []
    for part in path:
        indexed = re.fullmatch(r"(.+?)((?:\[\d+\])+)", part)
        if indexed is None:
            found.append(part)
            continue
        found.append(indexed[1])
        found.extend(int(index) for index in re.findall(r"\[(\d+)\]", indexed[2]))
    return found


class Tree:
    """The wanted paths, merged: each step leads to the steps below it; a leaf wants all there is."""

    __slots__ = ("below", "whole")

    def __init__(self) -> None:
        self.below: dict[str | int, Tree] = {}
        self.whole = False

    def add(self, path: Sequence[str | int]) -> None:
        if not path:
            self.whole = True
            return
        self.below.setdefault(path[0], Tree()).add(path[1:])


def tree(paths: Iterable[Sequence[str | int]]) -> Tree:
    """The tree of these paths."""
    root = Tree()
    for path in paths:
        root.add(path)
    return root


def projected(item: Mapping[str, AttributeValue], wanted: Tree) -> dict[str, Any]:
    """The attributes that the wanted paths reach; elements of a list keep their order and close up."""
    return _members(item, wanted)


def _members(container: Mapping[str, AttributeValue], wanted: Tree) -> dict[str, Any]:
    result = {}
    for name, below in wanted.below.items():
        if isinstance(name, str) and name in container:
            kept = _kept(container[name], below)
            if kept is not None:
                result[name] = kept
    return result


def _kept(value: AttributeValue, wanted: Tree) -> AttributeValue | None:
    if wanted.whole:
        return value
    if "M" in value:
        members = _members(value["M"], wanted)
        return {"M": members} if members else None
    if "L" in value:
        elements = [
            kept
            for index, element in enumerate(value["L"])
            if index in wanted.below and (kept := _kept(element, wanted.below[index])) is not None
        ]
        return {"L": elements} if elements else None
    return None
