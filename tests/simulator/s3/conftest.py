"""The ground that the behaviour tests of S3 run on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulator.s3.endpoint import ENDPOINT, SIMULATED_ONLY, S3Ground, at_endpoint, plain_moto, simulated


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """At an endpoint, skip what would not ask it."""
    for item in items if ENDPOINT else ():
        if not item.path.is_relative_to(Path(__file__).parent):
            continue
        if item.get_closest_marker("simulated_aws"):
            item.add_marker(pytest.mark.skip(reason=SIMULATED_ONLY))
        elif "moto" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.skip(reason="asks plain moto in this process, not the endpoint"))


@pytest.fixture
def ground() -> Iterator[S3Ground]:
    with at_endpoint(ENDPOINT) if ENDPOINT else simulated() as made:
        yield made


@pytest.fixture
def moto() -> Iterator[S3Ground]:
    """Plain moto, for the twins."""
    with plain_moto() as made:
        yield made
