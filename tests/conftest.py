"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest_plugins = ["pytester"]


@pytest.fixture(scope="session", autouse=True)
def _services_are_read_of_once() -> Iterator[None]:
    """Tests make thousands of boto3 sessions, also outside of a simulated AWS, and each would read botocore's files."""
    from drills.simulator import descriptions

    with descriptions.shared():
        yield
