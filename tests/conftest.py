"""What all tests share."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest

pytest_plugins = ["pytester"]


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: many tests wait for servers and drills in processes of their own."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_finish() -> None:
    """Leave what stays to the end of the run out of every later garbage collection: they took a fifth of its time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 5)


@pytest.fixture(scope="session", autouse=True)
def _services_are_read_of_once() -> Iterator[None]:
    """Tests make thousands of boto3 sessions, also outside of a simulated AWS, and each would read botocore's files."""
    from drills.simulator import descriptions

    with descriptions.shared():
        yield
