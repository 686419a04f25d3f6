"""What is the read replica's alone; what it has in common with Aurora's is in test_rds_live_copies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drills.errors import ProtectionError
from drills.protections.rds_read_replica import protection
from tests.stores.database_site import AURORA, by_check, database_site, filled

OPTIONS: dict[str, Any] = {}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"region": "Stockholm"}, "region: expected a region such as eu-west-1, found 'Stockholm'"),
        ({"maximum_lag": "2d"}, "maximum_lag: expected a duration from 1s to 1d, found 2d"),
        ({"lag": 5}, "lag: there is no such option; expected one of region, maximum_lag"),
    ],
)
def test_wrong_options_are_named(options: Any, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        protection.check(options)
    assert str(caught.value) == said


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    with database_site(tmp_path / "drill") as site:
        filled(site, 1)
        protection.set_up(site, OPTIONS)
        assert by_check(protection.health(site, OPTIONS))["read_replica.settings"].verdict == "pass"
        at = site.primary()
        site.client("rds", "production", "eu-north-1").modify_db_instance(
            DBInstanceIdentifier=f"{at.name}-replica", DBInstanceClass="db.t4g.large", ApplyImmediately=True
        )
        site.clock.sleep(1800)
        found = by_check(protection.health(site, OPTIONS))["read_replica.settings"]
        assert found.verdict == "fail"
        assert "db.t4g.large" in found.observed


def test_aurora_has_a_protection_of_its_own(tmp_path: Path) -> None:
    with (
        database_site(tmp_path / "drill", AURORA) as site,
        pytest.raises(ProtectionError, match=r"expected engine postgres .* Use aurora_global_database instead"),
    ):
        protection.set_up(site, OPTIONS)
