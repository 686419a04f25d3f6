"""A recovery point in the vault survives its own restore, however long that takes and however few are kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from drills.errors import PointUnreachable, ProtectionError
from drills.handlers.snapshot_copy import HELD_TAG
from drills.model import RecoveryPoint
from drills.protections.rds_holding import HOLD_SECONDS, Hold
from drills.protections.rds_restoring import RESTORE_SECONDS
from drills.protections.rds_snapshot_copy import protection
from drills.stores.rds import kind
from drills.workload import StoreWorkload
from drills.world_site import WorldSite
from tests.protections.snapshot_copies import AWAY, left_over
from tests.stores.database_site import AURORA, DATABASE, RECOVERY, VAULT, aws, database_site, events, filled, inventory
from tests.stores.table_site import as_of, write_for_a_while

OPTIONS: dict[str, Any] = {"interval": "15m", "every_minutes": 5, "vault_keep": 1}
OUR_OWN = "    customer_key: true\n"


@pytest.fixture(params=["instance", "cluster with a key of its own"])
def copied(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreWorkload]:
    with database_site(tmp_path / "drill", DATABASE if request.param == "instance" else AURORA + OUR_OWN) as site:
        workload = filled(site, 5)
        protection.set_up(site, OPTIONS)
        write_for_a_while(workload, 4, 301)
        yield workload


def oldest(site: WorldSite) -> RecoveryPoint:
    return protection.recovery_points(site, OPTIONS, None)[-1]


def name_of(site: WorldSite) -> str:
    return kind.physical_name(site.name("away"), RECOVERY, AWAY.region)


def holds(site: WorldSite) -> dict[str, dict[str, str]]:
    """By ARN, the holds on the vault's copies, as anybody sees them in the vault."""
    rds: Any = aws(site).session(VAULT).client("rds", region_name="eu-central-1")
    found = [*rds.describe_db_snapshots()["DBSnapshots"], *rds.describe_db_cluster_snapshots()["DBClusterSnapshots"]]
    told = {
        one.get("DBSnapshotArn") or one["DBClusterSnapshotArn"]: {
            tag["Key"]: tag["Value"] for tag in one["TagList"] if tag["Key"].startswith(HELD_TAG)
        }
        for one in found
    }
    return {arn: tags for arn, tags in told.items() if tags}


def test_a_point_survives_its_own_restore_and_is_let_go(copied: StoreWorkload, monkeypatch: pytest.MonkeyPatch) -> None:
    site: Any = copied.site
    point = oldest(site)
    seen: list[dict[str, dict[str, str]]] = []
    wait = WorldSite.wait

    def waiting(self: WorldSite, what: str, ready: Any, **more: Any) -> None:
        # Whatever is waited for takes an hour more, in which production goes on and the vault prunes.
        seen.append(holds(site))
        self.clock.sleep(3600)
        wait(self, what, ready, **more)

    monkeypatch.setattr(WorldSite, "wait", waiting)
    at = protection.restore(site, OPTIONS, point, AWAY, name_of(site))
    monkeypatch.undo()
    assert inventory(copied, at) == as_of(copied, point.as_of)
    arn = point.handle["snapshot_arn"]
    key = f"{HELD_TAG}:{RECOVERY}:{AWAY.region}:{at.name}"
    assert [list(one[arn]) for one in seen] == [[key]] * len(seen)
    until = datetime.fromisoformat(seen[0][arn][key])
    assert until <= site.clock.now() + timedelta(seconds=HOLD_SECONDS)
    assert until > site.clock.now()
    assert holds(site) == {}
    assert left_over(site) == []
    # Let go, it is pruned like the others.
    site.clock.sleep(2 * 3600)
    assert point.id not in [one.id for one in protection.recovery_points(site, OPTIONS, None)]


def test_a_hold_lasts_for_the_longest_wait_of_a_restore() -> None:
    assert HOLD_SECONDS > RESTORE_SECONDS + 7_200


@pytest.mark.parametrize("copied", ["instance"], indirect=True)
def test_a_restore_that_fails_lets_go(copied: StoreWorkload) -> None:
    site: Any = copied.site
    point = oldest(site)
    aws(site).session(VAULT).client("rds", region_name="eu-central-1").modify_db_snapshot_attribute(
        DBSnapshotIdentifier=point.id, AttributeName="restore", ValuesToRemove=[RECOVERY]
    )
    with pytest.raises(ProtectionError, match="to be shared with account"):
        protection.restore(site, OPTIONS, point, AWAY, name_of(site))
    assert holds(site) == {}


@pytest.mark.parametrize("copied", ["instance"], indirect=True)
def test_a_point_that_was_pruned_since_it_was_chosen_is_told_before_anything_is_made(copied: StoreWorkload) -> None:
    site: Any = copied.site
    point = oldest(site)
    site.clock.sleep(2 * 3600)
    with pytest.raises(PointUnreachable, match=r"it was pruned or deleted since it was chosen\. Nothing was begun"):
        protection.restore(site, OPTIONS, point, AWAY, name_of(site))
    assert left_over(site) == []


@pytest.mark.parametrize("copied", ["instance"], indirect=True)
def test_nothing_is_held_that_the_drills_functions_did_not_make(copied: StoreWorkload) -> None:
    site: Any = copied.site
    point = oldest(site)
    rds: Any = aws(site).session(VAULT).client("rds", region_name="eu-central-1")
    theirs = f"{point.id}-by-hand"
    rds.copy_db_snapshot(SourceDBSnapshotIdentifier=point.id, TargetDBSnapshotIdentifier=theirs)
    arn = str(point.handle["snapshot_arn"]) + "-by-hand"
    with pytest.raises(ProtectionError, match="no record of making"):
        Hold(site, point.region, arn, "restored").put()
    assert holds(site) == {}


@pytest.mark.parametrize("copied", ["instance"], indirect=True)
def test_where_the_vault_cannot_be_reached_it_is_restored_without_and_that_is_told(
    copied: StoreWorkload, monkeypatch: pytest.MonkeyPatch
) -> None:
    site: Any = copied.site
    point, client = protection.recovery_points(site, OPTIONS, None)[0], WorldSite.client

    def without_the_vault(self: WorldSite, service: str, role: Any, region: str | None = None) -> Any:
        if role == "vault":
            raise PointUnreachable("the vault account is out of reach: nobody has its keys")
        return client(self, service, role, region)

    monkeypatch.setattr(WorldSite, "client", without_the_vault)
    at = protection.restore(site, OPTIONS, point, AWAY, name_of(site))
    assert inventory(copied, at) == as_of(copied, point.as_of)
    (told,) = events(site, "hold.refused")
    assert "it is restored without, and may be pruned meanwhile: PointUnreachable" in told.text("warning")


@pytest.mark.parametrize("copied", ["instance"], indirect=True)
def test_what_is_to_be_restored_later_is_held_from_now_on(copied: StoreWorkload) -> None:
    """Paths are tried in turn: the newest from before the damage is held until its turn comes."""
    site: Any = copied.site
    before = site.clock.now()
    point = protection.recovery_points(site, OPTIONS, before)[0]
    protection.hold(site, OPTIONS, before, AWAY, name_of(site))
    site.clock.sleep(2 * 3600)
    assert protection.recovery_points(site, OPTIONS, before)[0] == point
    # By the same name it is restored: what ends is that hold and no other.
    Hold(site, point.region, str(point.handle["snapshot_arn"]), "another").put()
    at = protection.restore(site, OPTIONS, point, AWAY, name_of(site))
    assert inventory(copied, at) == as_of(copied, point.as_of)
    assert list(holds(site)[str(point.handle["snapshot_arn"])]) == [f"{HELD_TAG}:another"]
