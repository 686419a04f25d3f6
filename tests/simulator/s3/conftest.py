"""The ground that the behaviour tests of S3 run on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulator.s3.endpoint import ENDPOINT, S3Ground, at_endpoint, plain_moto, simulated


@pytest.fixture
def ground() -> Iterator[S3Ground]:
    with at_endpoint(ENDPOINT) if ENDPOINT else simulated() as made:
        yield made


@pytest.fixture
def moto() -> Iterator[S3Ground]:
    """Plain moto, for the twins."""
    with plain_moto() as made:
        yield made
