"""Which databases a copy answers for, and what becomes of each: chosen, excluded by a rule, or told as a problem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from .snapshots import Database


@dataclass(frozen=True, slots=True)
class Selection:
    """Which databases: every one within the ``scope`` is chosen, excluded by a rule, or told as a problem.

    Patterns are those of the shell. Chosen is whose identifier matches one of ``names`` and which has all of ``tags``.
    """

    scope: tuple[str, ...] = ("*",)
    names: tuple[str, ...] = ("*",)
    tags: Mapping[str, str] = field(default_factory=dict)
    exclude_names: tuple[str, ...] = ()
    exclude_tags: Mapping[str, str] = field(default_factory=dict)

    def covers(self, identifier: str) -> bool:
        return _matches(identifier, self.scope)

    def excluded_by(self, identifier: str, tags: Mapping[str, str]) -> str | None:
        """The rule that leaves it out, None for none."""
        for pattern in self.exclude_names:
            if fnmatchcase(identifier, pattern):
                return f"its name matches {pattern}"
        for key, value in self.exclude_tags.items():
            if key in tags and fnmatchcase(tags[key], value):
                return f"it has the tag {key}={tags[key]}"
        return None

    def missing(self, identifier: str, tags: Mapping[str, str]) -> str | None:
        """What it lacks to be chosen, None when it is."""
        if not _matches(identifier, self.names):
            return f"its name matches none of {', '.join(self.names)}"
        for key, value in self.tags.items():
            if key not in tags or not fnmatchcase(tags[key], value):
                return f"it has not the tag {key}={value}"
        return None


def _matches(identifier: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(identifier, pattern) for pattern in patterns)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What becomes of each database within the scope."""

    chosen: tuple[Database, ...]
    excluded: Mapping[str, str]
    """By the database's ARN, the rule that leaves it out."""
    uncovered: Mapping[str, str]
    """By the database's ARN, why it is not covered though no rule leaves it out."""


def coverage(selection: Selection, databases: Iterable[Database]) -> Coverage:
    chosen, excluded, uncovered = [], {}, {}
    for one in databases:
        if not selection.covers(one.identifier):
            continue
        rule = selection.excluded_by(one.identifier, one.tags)
        lacking = selection.missing(one.identifier, one.tags)
        if rule is not None:
            excluded[one.arn] = rule
        elif lacking is not None:
            uncovered[one.arn] = f"{one} is not copied: {lacking}, and no rule excludes it"
        elif not one.is_known:
            uncovered[one.arn] = f"{one} is not copied: its engine {one.engine} is not known here"
        else:
            chosen.append(one)
    return Coverage(tuple(chosen), excluded, uncovered)
