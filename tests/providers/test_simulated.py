"""The simulated provider passes the suite that every provider must pass."""

from __future__ import annotations

import pytest

from drills.providers.simulated import SimulatedProvider
from tests.provider_suite import ProviderSuite


@pytest.fixture
def provider() -> SimulatedProvider:
    return SimulatedProvider()


class TestSimulatedProvider(ProviderSuite):
    """All of it."""
