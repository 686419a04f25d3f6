"""What is the Aurora global database's alone; what it has in common with read replicas is in test_rds_live_copies."""

from __future__ import annotations

from typing import Any

import pytest

from drills.protections.aurora_global_database import protection


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"region": 7}, "region: expected a region such as eu-west-1, found 7"),
        ({"maximum_lag": "0s"}, "maximum_lag: expected a duration from 1s to 1d, found 0s"),
        ({"readers": 2}, "readers: there is no such option; expected one of region, maximum_lag"),
    ],
)
def test_wrong_options_are_named(options: Any, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        protection.check(options)
    assert str(caught.value) == said
