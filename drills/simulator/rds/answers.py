"""The answer to an RDS call on the wire, written by the API's model.

moto's serializer makes dictionaries of what it is given and gives them to a library, which took most of the time of a
listing of snapshots; here each shape's writer is made once. RDS has no maps and nothing flattened.

Source: AWS query protocol, XML serialization of responses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

from botocore.model import ListShape, OperationModel, Shape, StructureShape
from moto.core.utils import get_service_model

Writer = Callable[[Any], str]
REQUEST_ID = "request-id"
"""moto's. One that is drawn anew for each call would be no use to anybody here."""


def written(operation: OperationModel, result: Mapping[str, Any]) -> bytes:
    """The body of an answer. Members of the result that the model does not know are left out, as are those of None."""
    name, namespace, output = operation.name, operation.metadata["xmlNamespace"], operation.output_shape
    wrapped = ""
    if output is not None:
        wrapper = output.serialization.get("resultWrapper", f"{output.name}Result")
        wrapped = f"<{wrapper}>{_structure(output.name)(result)}</{wrapper}>"
    told = f"<ResponseMetadata><RequestId>{REQUEST_ID}</RequestId></ResponseMetadata>"
    return f'<{name}Response xmlns="{namespace}">{wrapped}{told}</{name}Response>'.encode()


@cache
def _structure(name: str) -> Callable[[Mapping[str, Any]], str]:
    """By the shape's name, as the shapes of RDS may lie in one another."""
    shape = get_service_model("rds").shape_for(name)
    assert isinstance(shape, StructureShape)
    members = {member: (of.serialization.get("name", member), _writer(of)) for member, of in shape.members.items()}

    def write(values: Mapping[str, Any]) -> str:
        parts = []
        for member, value in values.items():
            if value is not None and (known := members.get(member)) is not None:
                tag, content = known
                parts.append(f"<{tag}>{content(value)}</{tag}>")
        return "".join(parts)

    return write


def _writer(shape: Shape) -> Writer:
    if isinstance(shape, StructureShape):
        return lambda values: _structure(shape.name)(values)
    if isinstance(shape, ListShape):
        member: Any = shape.member
        tag, content = member.serialization.get("name", "member"), _writer(member)
        return lambda values: "".join(f"<{tag}>{content(value)}</{tag}>" for value in values)
    return SCALARS[shape.type_name]


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


SCALARS: Mapping[str, Writer] = {
    "boolean": lambda value: "true" if value else "false",
    "double": lambda value: str(float(value)),
    "integer": lambda value: str(int(value)),
    "long": lambda value: str(int(value)),
    "string": lambda value: escape(str(value)),
    "timestamp": _moment,
}
