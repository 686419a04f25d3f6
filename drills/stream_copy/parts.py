"""The parts that a copy consists of, by name and place; known before anything of it is made."""

from __future__ import annotations

from dataclasses import dataclass

from drills.stream_copy.model import Side, StreamCopy
from drills.stream_copy.production_side import alarm_names


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that ``deploy`` makes, or changes of the table."""

    what: str
    name: str
    side: Side
    region: str


def parts_of(copy: StreamCopy) -> list[Part]:
    """Every part, in the order in which ``deploy`` makes them."""
    production = [
        ("role of the function", copy.production_role),
        ("queue of what was given up", copy.queue),
        ("function", copy.function),
        ("feed of the function from the stream", copy.function),
        ("rule of the heartbeat", copy.heartbeat_rule),
        *(("alarm", name) for name in alarm_names(copy)),
    ]
    vault = [
        ("table with the copy", copy.copy_table),
        ("table with its markers", copy.marker_table),
        ("bucket for what is set aside", copy.bucket),
        ("role that the function writes with", copy.vault_role),
    ]
    return [
        Part("stream of the table", copy.source_table, "production", copy.source_region),
        *(Part(what, name, "vault", copy.vault_region) for what, name in vault),
        *(Part(what, name, "production", copy.source_region) for what, name in production),
    ]
