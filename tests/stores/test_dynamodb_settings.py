"""Settings: read alike wherever a table lies, put back after a restore, and twice is as once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from drills.model import JSON, Location, Place
from drills.protections.dynamodb_restoring import restored
from drills.stores.dynamodb import kind
from drills.stores.dynamodb_recovery import set_recovery
from drills.stores.dynamodb_tables import tag_list
from drills.world_site import WorldSite
from tests.stores.table_site import PLAIN, aws, differences, filled, plain_client, seen_tags, table_site

EVERYTHING: Mapping[str, JSON] = {
    "key_schema": [
        {"name": "person_id", "type": "S", "role": "partition"},
        {"name": "version", "type": "N", "role": "sort"},
    ],
    "index.by-email": {
        "local": False,
        "keys": [{"name": "email", "type": "S", "role": "partition"}],
        "projection": "ALL",
        "attributes": [],
    },
    "index.by-team": {
        "local": False,
        "keys": [
            {"name": "team", "type": "S", "role": "partition"},
            {"name": "version", "type": "N", "role": "sort"},
        ],
        "projection": "INCLUDE",
        "attributes": ["balance"],
    },
    "index.by-balance": {
        "local": True,
        "keys": [
            {"name": "person_id", "type": "S", "role": "partition"},
            {"name": "balance", "type": "N", "role": "sort"},
        ],
        "projection": "KEYS_ONLY",
        "attributes": [],
    },
    "billing": {
        "mode": "provisioned",
        # Autoscaling may have moved them anywhere between its bounds.
        "table": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
        "indexes": {
            "by-email": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
            "by-team": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
        },
    },
    "autoscaling": {
        f"{resource}/{unit}CapacityUnits": {
            "min": 5,
            "max": 50,
            "policies": [{"metric": f"DynamoDB{unit}CapacityUtilization", "target_percent": 60.0}],
        }
        for resource in ("table", "index/by-email", "index/by-team")
        for unit in ("Read", "Write")
    },
    "ttl": "expires_at",
    "stream": "NEW_AND_OLD_IMAGES",
    "tags": {"team": "accounts", "data": "personal"},
    "point_in_time_recovery": {"period_days": 7},
    "deletion_protection": True,
    "encryption": "default",
    "resource_policy": {"Statement": [{"Resource": "<table>", "Principal": {"AWS": "arn:aws:iam::<account>:root"}}]},
}
LEFT_OUT_BY_A_RESTORE = {
    "autoscaling",
    "billing",
    "ttl",
    "stream",
    "tags",
    "point_in_time_recovery",
    "deletion_protection",
    "resource_policy",
}
"""Billing as well: its units are the source's at that moment, and nothing scales them any more."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WorldSite]:
    with table_site(tmp_path / "drill") as site:
        yield site


def furnished(site: WorldSite) -> Location:
    """A table with every setting there is."""
    at = filled(site).at
    set_recovery(site, at, 7)
    policy = {
        "Statement": [
            {
                "Resource": f"arn:aws:dynamodb:{at.region}:{at.account}:table/{at.name}",
                "Principal": {"AWS": f"arn:aws:iam::{at.account}:root"},
            }
        ]
    }
    arn = f"arn:aws:dynamodb:{at.region}:{at.account}:table/{at.name}"
    plain_client(site, at).put_resource_policy(ResourceArn=arn, Policy=json.dumps(policy))
    return at


def from_history(site: WorldSite, at: Location, region: str) -> Location:
    """The table restored by point-in-time recovery into a region of its account."""
    site.clock.sleep(600)
    arn = f"arn:aws:dynamodb:{at.region}:{at.account}:table/{at.name}"
    return restored(
        site,
        Place("production", region),
        site.name("restored"),
        lambda client: client.restore_table_to_point_in_time(
            SourceTableArn=arn, TargetTableName=site.name("restored"), UseLatestRestorableTime=True
        ),
    )


def empty_copy(site: WorldSite, at: Location) -> Location:
    """A table as a refill makes it: in the recovery account, with the keys and local indexes, on demand."""
    described = plain_client(site, at).describe_table(TableName=at.name)["Table"]
    to = Location("recovery", site.account_id("recovery"), site.region("recovery"), site.name("copy"))
    keys = {part["AttributeName"] for part in described["KeySchema"]} | {"balance"}
    site.client("dynamodb", to.role, to.region).create_table(
        TableName=to.name,
        KeySchema=described["KeySchema"],
        AttributeDefinitions=[d for d in described["AttributeDefinitions"] if d["AttributeName"] in keys],
        LocalSecondaryIndexes=described["LocalSecondaryIndexes"],
        BillingMode="PAY_PER_REQUEST",
        Tags=tag_list(site.tags),
    )
    return to


def test_every_setting_is_read(site: WorldSite) -> None:
    assert kind.settings(site, furnished(site)) == EVERYTHING


def test_of_a_plain_table_as_well(tmp_path: Path) -> None:
    with table_site(tmp_path / "drill", PLAIN) as site:
        found = kind.settings(site, filled(site, 3).at)
    assert found == {
        "key_schema": [{"name": "id", "type": "S", "role": "partition"}],
        "billing": {"mode": "on_demand"},
        "autoscaling": {},
        "ttl": None,
        "stream": None,
        "tags": {},
        "point_in_time_recovery": None,
        "deletion_protection": False,
        "encryption": "default",
        "resource_policy": None,
    }


@pytest.mark.parametrize("region", ["eu-west-1", "eu-north-1"])
def test_what_a_restore_leaves_out_is_put_back(site: WorldSite, region: str) -> None:
    at = from_history(site, furnished(site), region)
    assert differences(kind.settings(site, at), EVERYTHING) == LEFT_OUT_BY_A_RESTORE
    kind.reconfigure(site, at, EVERYTHING)
    assert kind.settings(site, at) == EVERYTHING
    assert dict(site.tags).items() <= seen_tags(site, at).items()


def test_a_refilled_table_in_another_account_gets_its_global_indexes_and_billing(site: WorldSite) -> None:
    to = empty_copy(site, furnished(site))
    assert {"index.by-email", "index.by-team"} <= differences(kind.settings(site, to), EVERYTHING)
    kind.reconfigure(site, to, EVERYTHING)
    assert kind.settings(site, to) == EVERYTHING
    policy = json.loads(
        plain_client(site, to).get_resource_policy(
            ResourceArn=f"arn:aws:dynamodb:{to.region}:{to.account}:table/{to.name}"
        )["Policy"]
    )
    assert policy["Statement"][0]["Principal"]["AWS"] == f"arn:aws:iam::{to.account}:root"
    assert policy["Statement"][0]["Resource"].endswith(f":{to.account}:table/{to.name}")


def test_putting_back_twice_changes_nothing(site: WorldSite) -> None:
    to = empty_copy(site, furnished(site))
    kind.reconfigure(site, to, EVERYTHING)
    calls: list[str] = []
    aws(site).on_call(lambda request, _: calls.append(request.operation))
    kind.reconfigure(site, to, EVERYTHING)
    assert calls
    assert [call for call in calls if not call.startswith(("Describe", "List", "Get"))] == []


def test_settings_that_are_not_named_are_left_as_they_are(site: WorldSite) -> None:
    at = from_history(site, furnished(site), "eu-west-1")
    named = {name: value for name, value in EVERYTHING.items() if name not in ("ttl", "tags")}
    kind.reconfigure(site, at, named)
    assert differences(kind.settings(site, at), EVERYTHING) == {"ttl", "tags"}


def test_what_should_not_be_there_is_taken_away(tmp_path: Path) -> None:
    """Also the other way round: a table with more than it should have."""
    with table_site(tmp_path / "plain", PLAIN) as site:
        wanted: dict[str, Any] = dict(kind.settings(site, filled(site, 3).at))
    with table_site(tmp_path / "drill") as site:
        at = furnished(site)
        kept = {name: value for name, value in EVERYTHING.items() if name.startswith("index.")}
        wanted |= {"key_schema": EVERYTHING["key_schema"], **kept}
        kind.reconfigure(site, at, wanted)
        assert kind.settings(site, at) == wanted
        assert dict(site.tags) == seen_tags(site, at)


def test_another_stream_and_another_time_to_live_replace_the_old_ones(site: WorldSite) -> None:
    at = furnished(site)
    wanted = {**EVERYTHING, "stream": "KEYS_ONLY", "ttl": "gone_at", "encryption": "KMS"}
    kind.reconfigure(site, at, wanted)
    assert kind.settings(site, at) == wanted
