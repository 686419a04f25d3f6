"""What is written as an answer is read as what moto's own serializer writes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.model import ListShape, Shape, StructureShape
from botocore.parsers import QueryParser
from hypothesis import given
from hypothesis import strategies as st
from moto.core.serialize import QuerySerializer
from moto.core.utils import get_service_model

from drills.simulator.rds.answers import written

LISTINGS = ("DescribeDBInstances", "DescribeDBClusters", "DescribeDBSnapshots", "DescribeOptionGroups")
MOMENTS = st.integers(0, 4_102_444_800_000_000).map(lambda us: datetime.fromtimestamp(us // 1_000_000, UTC))
SCALARS = {
    "boolean": st.booleans(),
    "double": st.floats(-1e6, 1e6),
    "integer": st.integers(-10, 10),
    "long": st.integers(0, 2**60),
    # Anything that XML can hold and that nobody trims.
    "string": st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=8),
    "timestamp": MOMENTS,
}


def values_of(shape: Shape, depth: int = 0) -> st.SearchStrategy[Any]:
    if isinstance(shape, StructureShape):
        members = {name: values_of(of, depth + 1) for name, of in shape.members.items()} if depth < 4 else {}
        # moto leaves an item out of a list if it has nothing in it.
        return st.fixed_dictionaries({}, optional=members).filter(bool) if members else st.nothing()
    if isinstance(shape, ListShape):
        member: Any = shape.member
        of = values_of(member, depth + 1)
        return st.just([]) if of.is_empty else st.lists(of, max_size=2)
    return SCALARS[shape.type_name]


@pytest.mark.parametrize("name", [*LISTINGS, "DeleteDBSubnetGroup"])
@given(data=st.data())
def test_it_is_read_as_motos(name: str, data: st.DataObject) -> None:
    operation = get_service_model("rds").operation_model(name)
    output = operation.output_shape
    result: dict[str, Any] = {} if output is None else data.draw(values_of(output) | st.just({}))
    stock = QuerySerializer(operation_model=operation).serialize(result)

    def read(body: bytes) -> Any:
        return QueryParser().parse({"body": body, "headers": {}, "status_code": 200}, output)

    assert read(written(operation, result)) == read(stock["body"].encode())
