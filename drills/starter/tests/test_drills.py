"""The drills as tests: `python -m pytest tests/test_drills.py`. A drill that does not pass fails with the matrix."""

import pytest

from drills.pytest_plugin import DrillRunner


@pytest.mark.parametrize("scenario", ["nightly_cleanup", "table_deletion", "region_outage", "account_loss"])
def test_notes_come_back(drill: DrillRunner, scenario: str) -> None:
    report = drill.run(scenario, estate="my_estate", records=200)

    report.assert_within("notes", rto_seconds=8 * 3600, rpo_seconds=15 * 60)
