"""The parts that a copy consists of, by name and place; known before anything of it is made."""

from __future__ import annotations

from dataclasses import dataclass

from drills.snapshot_copy.model import Side, SnapshotCopy
from drills.snapshot_copy.sides import alarms, roles


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that ``deploy`` makes, or that a function does."""

    what: str
    name: str
    side: Side
    region: str


def parts_of(copy: SnapshotCopy) -> list[Part]:
    """Every part, in the order in which ``deploy`` makes them, and the snapshots that the functions make."""
    given = {"production": copy.options.production_key, "vault": copy.options.vault_key}
    found = [
        Part("key of the snapshots", copy.key_alias(side), side, copy.vault_region)
        for side in copy.sides
        if not given[side]
    ]
    found += [Part("role", name, side, copy.place(side)[1]) for side, name, _, _ in roles(copy)]
    for side in reversed(copy.sides):
        region = copy.place(side)[1]
        found.append(Part("function", copy.function(side), side, region))
        found += [Part("alarm", str(alarm["AlarmName"]), side, region) for alarm in alarms(copy, side)]
        found.append(Part("schedule of the function", copy.rule(side), side, region))
    found.append(Part("snapshots of the databases", f"{copy.prefix}-…", "production", copy.source_region))
    if copy.crosses_accounts:
        found.append(Part("copies of the snapshots", f"{copy.prefix}-…", "vault", copy.vault_region))
    return found
