"""Versioning as a recovery path: rolled back in place, and what it does not survive."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from drills.errors import PointUnreachable, ProtectionError
from drills.model import Place
from drills.protections.s3_versioning import protection
from drills.stores.s3 import kind
from drills.world_site import WorldSite
from tests.stores.bucket_site import as_ledger_says, aws, bucket_site, filled, inventory, plain_client
from tests.stores.table_site import by_check, write_for_a_while

HERE = Place("production", "eu-west-1")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WorldSite]:
    with bucket_site(tmp_path / "drill") as site:
        yield site


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"keep_days": 0}, "keep_days: expected a whole number from 1 to 36500, found 0"),
        ({"keep_day": 1}, "keep_day: there is no such option; expected one of keep_days"),
    ],
)
def test_wrong_options_are_named(options: Any, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        protection.check(options)
    assert str(caught.value) == said


@pytest.mark.parametrize("variant", ["all", "filter", "overwrite", "prefix"])
def test_damage_is_undone_in_place(site: WorldSite, variant: str) -> None:
    workload = filled(site)
    protection.set_up(site, {})
    write_for_a_while(workload)
    site.clock.sleep(2)
    expected = as_ledger_says(workload)
    assert inventory(workload) == expected
    failed_at = site.clock.now()
    site.failure_began(failed_at)
    assert kind.damage(site, workload.at, variant) > 0
    site.clock.sleep(600)
    (point,) = protection.recovery_points(site, {}, failed_at)
    assert point.as_of < failed_at
    assert failed_at - point.as_of <= timedelta(seconds=1)
    assert protection.restore(site, {}, point, HERE, "unused") == workload.at
    assert inventory(workload) == expected


def test_undoing_takes_the_time_of_the_real_bucket(site: WorldSite) -> None:
    workload = filled(site)
    protection.set_up(site, {})
    site.clock.sleep(10)
    began = site.clock.now()
    kind.damage(site, workload.at, "all")
    site.clock.sleep(10)
    (point,) = protection.recovery_points(site, {}, began)
    before = site.clock.now()
    protection.restore(site, {}, point, HERE, "unused")
    assert (site.clock.now() - before).total_seconds() == pytest.approx(15 * 60 + 1_000_000 / 5_600, abs=5)


def test_what_was_not_mangled_is_left_as_it_is(site: WorldSite) -> None:
    workload = filled(site)
    protection.set_up(site, {})
    (point,) = protection.recovery_points(site, {}, None)
    versions = inventory(workload)
    assert protection.restore(site, {}, point, HERE, "unused") == workload.at
    assert inventory(workload) == versions


def test_versions_deleted_for_good_are_out_of_its_reach(site: WorldSite) -> None:
    workload = filled(site)
    protection.set_up(site, {})
    site.clock.sleep(10)
    failed_at = site.clock.now()
    kind.damage(site, workload.at, "versions")
    write_for_a_while(workload, writes=3)
    with pytest.raises(PointUnreachable, match="deleted for good"):
        protection.recovery_points(site, {}, failed_at)


def test_it_goes_with_its_bucket_account_and_region(site: WorldSite) -> None:
    workload = filled(site)
    protection.set_up(site, {})
    (point,) = protection.recovery_points(site, {}, None)
    for place in (Place("recovery", "eu-north-1"), Place("production", "eu-north-1")):
        with pytest.raises(PointUnreachable, match="only where it is"):
            protection.restore(site, {}, point, place, "unused")
    with aws(site).region_down("eu-west-1"), pytest.raises(EndpointConnectionError):
        protection.recovery_points(site, {}, None)
    kind.destroy(site, workload.at)
    with pytest.raises(ClientError, match="NoSuchBucket"):
        protection.recovery_points(site, {}, None)
    protection.destroy(site, {})


def test_a_bucket_that_somebody_else_made_meanwhile_is_not_taken_for_it(site: WorldSite) -> None:
    workload = filled(site)
    protection.set_up(site, {})
    kind.destroy(site, workload.at)
    stranger: Any = aws(site).session("999999999999").client("s3", region_name="eu-west-1")
    place = {"LocationConstraint": "eu-west-1"}
    stranger.create_bucket(Bucket=workload.at.name, CreateBucketConfiguration=place)
    with pytest.raises(ClientError):
        protection.recovery_points(site, {}, None)


def test_health(site: WorldSite) -> None:
    workload = filled(site)
    protection.set_up(site, {})
    found = by_check(protection.health(site, {}))
    assert {name: finding.verdict for name, finding in found.items()} == {
        "versioning.on": "pass",
        "versioning.kept": "pass",
    }
    assert by_check(protection.health(site, {"keep_days": 91}))["versioning.kept"].verdict == "fail"
    s3 = plain_client(site, workload.at)
    s3.put_bucket_versioning(Bucket=workload.at.name, VersioningConfiguration={"Status": "Suspended"})
    assert by_check(protection.health(site, {}))["versioning.on"].observed == "Suspended"


def test_a_suspended_bucket_is_rolled_back_without_destroying_more(site: WorldSite) -> None:
    workload = filled(site)
    protection.set_up(site, {})
    site.clock.sleep(10)
    expected, failed_at = inventory(workload), site.clock.now()
    kind.damage(site, workload.at, "overwrite")
    s3 = plain_client(site, workload.at)
    s3.put_bucket_versioning(Bucket=workload.at.name, VersioningConfiguration={"Status": "Suspended"})
    site.clock.sleep(10)
    (point,) = protection.recovery_points(site, {}, failed_at)
    protection.restore(site, {}, point, HERE, "unused")
    assert inventory(workload) == expected
    assert s3.get_bucket_versioning(Bucket=workload.at.name)["Status"] == "Enabled"


def test_what_is_refused_is_an_error_that_names_the_key(site: WorldSite) -> None:
    workload = filled(site)
    protection.set_up(site, {})
    site.clock.sleep(10)
    failed_at = site.clock.now()
    kind.damage(site, workload.at, "overwrite")
    site.clock.sleep(10)
    (point,) = protection.recovery_points(site, {}, failed_at)
    with aws(site).faults(reject=1.0, operations=["CopyObject"]), pytest.raises(ProtectionError, match="invoices//"):
        protection.restore(site, {}, point, HERE, "unused")
