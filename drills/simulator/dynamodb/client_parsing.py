"""How a client reads an answer: as botocore does, with less work for the many small maps of DynamoDB's items.

Nearly all of a scan's time is the client's, whoever answers it. botocore asks each attribute value for all ten members
that it could have, and builds a second dictionary of each map, which the garbage collector has to look at as well. What
comes out here is the same, and botocore's own is back when the simulated AWS is left.
"""

from __future__ import annotations

from typing import Any

from botocore.model import MapShape, StructureShape
from botocore.parsers import BaseJSONParser

from drills.simulator.replaced import Replacement

_structure: Any = BaseJSONParser._handle_structure  # type: ignore[attr-defined]
_map: Any = BaseJSONParser._handle_map  # type: ignore[attr-defined]


def handle_structure(self: Any, shape: StructureShape, value: Any) -> Any:
    """Goes by the members that are there, not by all that there could be."""
    members = _members(shape)
    if value is None or members is None or not value.keys() <= members.keys():
        return _structure(self, shape, value)
    return {name: self._parse_shape(members[name], raw) for name, raw in value.items() if raw is not None}


def _members(shape: StructureShape) -> dict[str, Any] | None:
    """A structure's members if they go by their own names on the wire, else None; told once for each shape."""
    kept = shape.__dict__
    if "members_by_wire_name" not in kept:
        members = dict(shape.members)
        renamed = any(member.serialization.get("name", name) != name for name, member in members.items())
        kept["members_by_wire_name"] = None if renamed or shape.is_document_type or shape.is_tagged_union else members
    told: dict[str, Any] | None = kept["members_by_wire_name"]
    return told


def handle_map(self: Any, shape: MapShape, value: dict[str, Any]) -> Any:
    """Converts the values where they are: the map was made from the response's JSON and belongs to nobody else."""
    if shape.key.type_name != "string":
        return _map(self, shape, value)
    of_values = shape.value
    for key, raw in value.items():
        value[key] = self._parse_shape(of_values, raw)
    return value


REPLACEMENTS = (
    Replacement(
        "botocore.parsers:BaseJSONParser._handle_structure",
        handle_structure,
        "an attribute value is read by the one member it has; botocore tries all ten",
        digest="c0149450e982",
    ),
    Replacement(
        "botocore.parsers:BaseJSONParser._handle_map",
        handle_map,
        "a map is converted in place; botocore builds another, for the garbage collector to look at as well",
        digest="2bbe776e7fdf",
    ),
)
