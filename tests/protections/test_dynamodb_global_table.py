"""The replica: put to use where its region is, and no way back from what was replicated to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drills.errors import PointUnreachable, ProtectionError
from drills.model import Location, Place
from drills.protections.dynamodb_global_table import LAG_SECONDS, protection
from drills.simulator.state import current
from drills.stores.dynamodb import kind
from drills.world_site import WorldSite
from tests.stores.table_site import (
    aws,
    by_check,
    contents,
    differences,
    filled,
    plain_client,
    seen_tags,
    table_site,
    write_for_a_while,
)

OPTIONS: dict[str, Any] = {}
RECOVERY_REGION = Place("production", "eu-north-1")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WorldSite]:
    with table_site(tmp_path / "drill") as site:
        yield site


def replica_of(site: WorldSite) -> Location:
    return replace(site.primary(), region="eu-north-1")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"region": "Stockholm"}, "region: expected a region such as eu-west-1, found 'Stockholm'"),
        ({"region": 5}, "region: expected a region such as eu-west-1, found 5"),
        ({"regions": []}, "regions: there is no such option; expected one of region"),
    ],
)
def test_wrong_options_are_named(options: Any, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        protection.check(options)
    assert str(caught.value) == said


def test_a_replica_comes_into_being_and_follows(site: WorldSite) -> None:
    workload = filled(site)
    assert by_check(protection.health(site, OPTIONS))["global_table.replica"].verdict == "fail"
    protection.set_up(site, OPTIONS)
    protection.set_up(site, OPTIONS)
    assert by_check(protection.health(site, OPTIONS))["global_table.replica"].verdict == "pass"
    write_for_a_while(workload, 30, 5)
    site.clock.sleep(120)
    assert contents(site, replica_of(site)) == contents(site, workload.at)
    assert dict(seen_tags(site, replica_of(site))) == dict(site.tags)
    scaling = plain_client(site, replica_of(site), "application-autoscaling")
    assert len(scaling.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"]) == 6


def test_the_region_can_be_chosen(site: WorldSite) -> None:
    filled(site)
    protection.set_up(site, {"region": "eu-west-3"})
    (point,) = protection.recovery_points(site, {"region": "eu-west-3"}, None)
    assert point.region == "eu-west-3"


def test_productions_own_region_is_no_other_region(site: WorldSite) -> None:
    filled(site)
    with pytest.raises(ProtectionError, match="expected another region than production's"):
        protection.set_up(site, {"region": "eu-west-1"})


def test_in_an_outage_the_replica_is_put_to_use(site: WorldSite) -> None:
    workload = filled(site)
    protection.set_up(site, OPTIONS)
    settings = kind.settings(site, workload.at)
    write_for_a_while(workload, 30, 5)
    site.clock.sleep(120)
    before = contents(site, workload.at)
    failed = site.clock.now()
    site.failure_began(failed)
    aws(site).region_down("eu-west-1")
    site.clock.sleep(1800)
    (point,) = protection.recovery_points(site, OPTIONS, None)
    assert (point.as_of, point.lag_seconds) == (failed, LAG_SECONDS)
    at = protection.restore(site, OPTIONS, point, RECOVERY_REGION, "unused")
    assert at == replica_of(site)
    assert contents(site, at) == before
    assert differences(kind.settings(site, at), settings) == {"tags", "deletion_protection"}
    kind.reconfigure(site, at, settings)
    assert kind.settings(site, at) == settings
    assert {finding.verdict for finding in kind.probe(site, at)} == {"pass"}


def test_an_erase_is_replicated_and_every_point_is_after_it(site: WorldSite) -> None:
    workload = filled(site)
    protection.set_up(site, OPTIONS)
    failed = site.clock.now()
    site.failure_began(failed)
    kind.damage(site, workload.at, "all")
    site.clock.sleep(120)
    assert contents(site, replica_of(site)) == {}
    (point,) = protection.recovery_points(site, OPTIONS, failed)
    assert point.as_of > failed


def test_the_replica_outlives_the_table(site: WorldSite) -> None:
    workload = filled(site)
    protection.set_up(site, OPTIONS)
    before = contents(site, workload.at)
    kind.destroy(site, workload.at)
    (point,) = protection.recovery_points(site, OPTIONS, None)
    at = protection.restore(site, OPTIONS, point, Place("production", "eu-west-1"), "unused")
    assert contents(site, at) == before


def test_that_aws_keeps_the_source_of_a_new_replica_is_told(site: WorldSite) -> None:
    """Drills are spared this in the simulated AWS, where a replica stands for an older one; game days are not."""
    workload = filled(site)
    current().replica_source_kept_seconds = 86_400.0
    protection.set_up(site, OPTIONS)
    with pytest.raises(ProtectionError, match="a replica was made of it within the last 24 hours"):
        kind.destroy(site, workload.at)
    protection.destroy(site, OPTIONS)
    kind.destroy(site, workload.at)
    assert plain_client(site, workload.at).list_tables()["TableNames"] == []


def test_its_module_takes_it_along(site: WorldSite) -> None:
    workload = filled(site)
    protection.set_up(site, OPTIONS)
    plain_client(site, replica_of(site)).update_table(TableName=workload.at.name, DeletionProtectionEnabled=True)
    protection.destroy(site, OPTIONS)
    protection.destroy(site, OPTIONS)
    assert plain_client(site, replica_of(site)).list_tables()["TableNames"] == []
    scaling = plain_client(site, replica_of(site), "application-autoscaling")
    assert scaling.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"] == []
    with pytest.raises(PointUnreachable, match="there is no replica"):
        protection.recovery_points(site, OPTIONS, None)
    kind.destroy(site, workload.at)
    assert plain_client(site, workload.at).list_tables()["TableNames"] == []


def test_a_bystander_with_the_replicas_name_is_left_alone(site: WorldSite) -> None:
    filled(site)
    client = plain_client(site, replica_of(site))
    client.create_table(
        TableName=replica_of(site).name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with pytest.raises(ProtectionError, match="left alone"):
        protection.destroy(site, OPTIONS)
    assert client.list_tables()["TableNames"] == [replica_of(site).name]


def test_another_account_cannot_use_it(site: WorldSite) -> None:
    filled(site)
    protection.set_up(site, OPTIONS)
    (point,) = protection.recovery_points(site, OPTIONS, None)
    with pytest.raises(PointUnreachable, match="own account only"):
        protection.restore(site, OPTIONS, point, Place("recovery", "eu-north-1"), "unused")
