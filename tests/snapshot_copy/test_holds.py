"""What somebody restores from is not pruned meanwhile: by a tag, by the clock, and by nobody who must not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from botocore.client import BaseClient

from drills.handlers.snapshot_copy import HELD_TAG, Snapshot, hold_key, hold_until
from tests.snapshot_copy.copy_site import OTHER, PRODUCTION, RECOVERY, VAULT, CopySite, copy_named, rowless_site
from tests.snapshot_copy.test_rights import as_role, refused

RESTORE = hold_key(f"{RECOVERY}:eu-north-1:restored")


def tag(site: CopySite, one: Snapshot, **tags: str) -> None:
    given = [{"Key": key.replace("__", ":"), "Value": value} for key, value in tags.items()]
    site.world.rds(VAULT, OTHER).add_tags_to_resource(ResourceName=one.arn, Tags=given)


def hold(site: CopySite, one: Snapshot, hours: float, key: str = RESTORE) -> None:
    tag(site, one, **{key: hold_until(site.world.now + timedelta(hours=hours))})


def vaults(site: CopySite) -> list[str]:
    return [one.arn for one in site.snapshots("vault") if one.is_good]


@contextmanager
def copied() -> Iterator[CopySite]:
    copy = copy_named("c", vault_region=OTHER, interval="15m", vault_keep=2)
    with rowless_site(copy, "orders") as site:
        site.rounds(5)
        assert len(site.snapshots("vault")) >= 2
        yield site


@pytest.mark.parametrize("key", [RESTORE, HELD_TAG])
def test_what_is_held_stays_beside_the_newest_until_it_ends(key: str) -> None:
    with copied() as site:
        first = site.snapshots("vault")[0]
        hold(site, first, 6, key)
        site.rounds(8)
        held, *others = vaults(site)
        assert held == first.arn
        # Not in place of one of the newest: so many stay besides, and one that has come since the last run.
        assert len(others) in (2, 3)
        site.world.pass_minutes(6 * 60)
        told = site.invoke("vault")
        assert first.arn not in vaults(site)
        assert any(f"deleting {first.arn}" in done for done in told["done"])
        assert told["problems"] == []


def test_two_restores_hold_for_themselves() -> None:
    with copied() as site:
        first = site.snapshots("vault")[0]
        hold(site, first, 48, RESTORE)
        hold(site, first, 48, hold_key("another"))
        site.world.rds(VAULT, OTHER).remove_tags_from_resource(ResourceName=first.arn, TagKeys=[RESTORE])
        site.rounds(6)
        assert first.arn in vaults(site)


@pytest.mark.parametrize("value", ["", "tomorrow", "2026-01-01T00:00:00", "2026-02-30T00:00:00Z"])
def test_a_hold_that_cannot_be_read_holds_and_is_told(value: str) -> None:
    with copied() as site:
        first = site.snapshots("vault")[0]
        tag(site, first, **{HELD_TAG: value})
        site.rounds(6)
        told = site.invoke("vault")
        assert first.arn in vaults(site)
        (problem,) = told["problems"]
        assert problem.startswith(f"{first.arn}: expected the tag {HELD_TAG} to be a moment with its zone")
        assert f"found {value!r}" in problem


def test_who_holds_while_the_function_is_running_is_not_too_late() -> None:
    """Between its look at the snapshots and its pruning."""
    really: Any = vars(BaseClient)["_make_api_call"]
    with copied() as site:
        while len(vaults(site)) == 2:
            site.rounds(1)
        surplus = vaults(site)[0]
        held: list[str] = []

        def call(client: Any, operation: str, params: dict[str, Any]) -> Any:
            if operation == "DescribeDBSnapshots" and params.get("SnapshotType") == "shared" and not held:
                held.append(surplus)
                hold(site, next(one for one in site.snapshots("vault") if one.arn == surplus), 1)
            return really(client, operation, params)

        with mock.patch.object(BaseClient, "_make_api_call", call):
            told = site.invoke("vault")
        assert held == [surplus]
        assert surplus in vaults(site)
        assert not any(surplus in done for done in told["done"])


def test_a_hold_goes_nowhere_with_a_copy() -> None:
    """Production's tags travel to the vault; with a hold, whoever has production could fill the vault for good."""
    forever = [{"Key": HELD_TAG, "Value": "9999-01-01T00:00:00Z"}, {"Key": RESTORE, "Value": ""}]
    copy = copy_named("c", vault_region=OTHER, interval="15m", vault_keep=1)
    with rowless_site(copy, "orders", Tags=[*forever, {"Key": "team", "Value": "web"}]) as site:
        site.rounds(4)
        for one in site.snapshots("production"):
            site.world.rds(PRODUCTION, OTHER).add_tags_to_resource(ResourceName=one.arn, Tags=forever)
        site.rounds(6)
        copies = site.snapshots("vault")
        assert len(copies) <= 2
        assert all(one.tags["team"] == "web" for one in copies)
        assert not [key for one in copies for key in one.tags if key.startswith(HELD_TAG)]


def test_there_is_room_for_holds_beside_all_the_tags_that_travel() -> None:
    tags = [{"Key": f"tag-{number:02}", "Value": "x"} for number in range(48)]
    with rowless_site(copy_named("c", vault_region=OTHER), "orders", Tags=tags) as site:
        site.rounds(4)
        (one,) = site.snapshots("vault")
        for number in range(3):
            hold(site, one, 1, hold_key(f"restore-{number}"))


def test_only_the_vault_holds() -> None:
    with copied() as site:
        offered, one = site.snapshots("production")[-1], site.snapshots("vault")[0]
        held = [{"Key": RESTORE, "Value": hold_until(site.world.now + timedelta(days=1))}]
        reader = as_role(site, PRODUCTION, site.copy.reader_role, OTHER)
        assert refused(lambda: reader.add_tags_to_resource(ResourceName=offered.arn, Tags=held)) == "AccessDenied"
        for account in (PRODUCTION, RECOVERY):
            rds = site.world.rds(account, OTHER)
            assert refused(lambda rds=rds: rds.add_tags_to_resource(ResourceName=one.arn, Tags=held))  # type: ignore[misc]
