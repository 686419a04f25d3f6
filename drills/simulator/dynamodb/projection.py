"""Projections on typed JSON, so that a projected value is the stored one to the last digit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from drills.simulator.dynamodb.rows import AttributeValue


def steps(path: list[str]) -> list[str | int]:
    """``["a", "b[0]"]`` as ``["a", "b", 0]``."""
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

    def add(self, path: list[str | int]) -> None:
        if not path:
            self.whole = True
            return
        self.below.setdefault(path[0], Tree()).add(path[1:])


def tree(paths: list[list[str]]) -> Tree:
    """The tree of these paths."""
    root = Tree()
    for path in paths:
        root.add(steps(path))
    return root


def projected(item: Mapping[str, AttributeValue], paths: list[list[str]] | Tree) -> dict[str, Any]:
    """The attributes these paths reach; elements of a list keep their order and close up."""
    wanted = paths if isinstance(paths, Tree) else tree(paths)
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
