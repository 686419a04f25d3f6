"""The DynamoDB kind of store on the simulated AWS, looked at through plain clients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from drills.clock import WallClock
from drills.errors import ProtectionError, UsageError
from drills.model import Location, Write
from drills.stores import Outgoing
from drills.stores.dynamodb import kind
from drills.stores.dynamodb_bulk import BYTES_PER_BATCH, ROUNDS, put_all
from drills.stores.dynamodb_items import canonical, item_of
from drills.world_site import WorldSite
from tests.stores.table_site import PLAIN, aws, by_check, contents, filled, plain_client, seen_tags, table_site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WorldSite]:
    with table_site(tmp_path / "drill") as site:
        yield site


@pytest.fixture
def plain_site(tmp_path: Path) -> Iterator[WorldSite]:
    with table_site(tmp_path / "drill", PLAIN) as site:
        yield site


# --- Records -------------------------------------------------------------------------------------------------------


def test_keys_items_and_expiry_of_records(site: WorldSite) -> None:
    config = site.store.config
    record = {"person_id": "P-1", "version": Decimal("1.0"), "balance": 5, "expires_at": Decimal("1767700000.5")}
    assert kind.key_of(config, record) == '{"person_id":{"S":"P-1"},"version":{"N":"1"}}'
    assert kind.encode(config, record).startswith(b'{"balance":{"N":"5"},"expires_at":{"N":"1767700000.5"},')
    assert kind.expires_at(config, record) == 1767700000
    assert kind.expires_at(config, {"person_id": "P-1"}) is None
    assert kind.expires_at(config, {"expires_at": "1767700000"}) is None
    with pytest.raises(KeyError, match="version"):
        kind.key_of(config, {"person_id": "P-1"})
    with pytest.raises(ValueError, match="attribute 'email': expected a key that is not empty"):
        kind.encode(config, {**record, "email": ""})


def test_what_dynamodb_would_never_expire_does_not_expire(site: WorldSite) -> None:
    """A time to live of zero is how applications say never; DynamoDB ignores all that is over five years back."""
    now = int(site.clock.now().timestamp())
    config = site.store.config
    assert kind.expires_at(config, {"expires_at": 0}) is None
    assert kind.expires_at(config, {"expires_at": now - 6 * 365 * 86_400}) is None
    assert kind.expires_at(config, {"expires_at": now - 4 * 365 * 86_400}) is not None


# --- Made, filled, written, read -----------------------------------------------------------------------------------


def test_a_table_is_made_as_the_estate_says(site: WorldSite) -> None:
    at = kind.provision(site)
    client = plain_client(site, at)
    table = client.describe_table(TableName=at.name)["Table"]
    assert table["TableStatus"] == "ACTIVE"
    assert table["DeletionProtectionEnabled"]
    assert {d["AttributeName"]: d["AttributeType"] for d in table["AttributeDefinitions"]} == {
        "person_id": "S",
        "version": "N",
        "email": "S",
        "team": "S",
        "balance": "N",
    }
    assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["by-email", "by-team"]
    assert table["GlobalSecondaryIndexes"][1]["Projection"] == {
        "ProjectionType": "INCLUDE",
        "NonKeyAttributes": ["balance"],
    }
    assert table["LocalSecondaryIndexes"][0]["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    assert table["ProvisionedThroughput"]["WriteCapacityUnits"] == 9
    assert table["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert client.describe_time_to_live(TableName=at.name)["TimeToLiveDescription"]["AttributeName"] == "expires_at"
    assert seen_tags(site, at) == {
        "team": "accounts",
        "data": "personal",
        "drills:drill": "test-1",
        "drills:store": "people",
    }
    scaling = plain_client(site, at, "application-autoscaling")
    targets = scaling.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"]
    assert {(t["ResourceId"], t["ScalableDimension"], t["MinCapacity"], t["MaxCapacity"]) for t in targets} == {
        (f"table/{at.name}{index}", f"dynamodb:{word}:{unit}", 5, 50)
        for index, word in (("", "table"), ("/index/by-email", "index"), ("/index/by-team", "index"))
        for unit in ("ReadCapacityUnits", "WriteCapacityUnits")
    }


def test_a_name_that_is_taken_is_told(plain_site: WorldSite) -> None:
    kind.provision(plain_site)
    with pytest.raises(ProtectionError, match="expected the name to be free, found a table"):
        kind.provision(plain_site)


def test_an_index_that_no_record_has_is_told(tmp_path: Path) -> None:
    table = PLAIN + "    indexes: [{name: by-nobody, partition: nobody}]\n"
    with table_site(tmp_path / "drill", table) as site, pytest.raises(UsageError, match="the key attribute 'nobody'"):
        kind.provision(site)


def test_what_was_written_is_read_back(site: WorldSite) -> None:
    workload = filled(site, 120)
    for _ in range(60):
        workload.write_once()
        site.clock.sleep(1)
    expected: dict[str, bytes] = {}
    for write in workload.ledger:
        expected.pop(write.key, None)
        if write.item is not None:
            expected[write.key] = write.item
    observed = {record.key: record.item for record in kind.inventory(site, workload.at)}
    assert observed == expected == contents(site, workload.at)


def test_threads_read_the_same(plain_site: WorldSite) -> None:
    workload = filled(plain_site, 300)
    at = workload.at
    expected = sorted((record.key, record.item) for record in kind.inventory(plain_site, at))

    class RealTime:
        """The site, in an account where time is real."""

        clock, store, client = WallClock(), plain_site.store, plain_site.client

    site: Any = RealTime()
    assert sorted((record.key, record.item) for record in kind.inventory(site, at)) == expected
    assert len(expected) == 300
    abandoned = kind.inventory(site, at)
    next(abandoned)
    abandoned.close()  # type: ignore[attr-defined]


def test_a_failing_segment_is_not_passed_over(plain_site: WorldSite) -> None:
    """A part of the table that could not be read must not look like records that are not there."""
    at = filled(plain_site, 50).at

    class RealTime:
        clock, store, client = WallClock(), plain_site.store, plain_site.client

    site: Any = RealTime()
    with aws(plain_site).faults(reject=1.0, operations=["Scan"]), pytest.raises(ClientError):
        list(kind.inventory(site, at))


# --- Bulk writing --------------------------------------------------------------------------------------------------


def test_large_items_go_in_batches_that_a_request_takes(plain_site: WorldSite) -> None:
    at = kind.provision(plain_site)
    items: list[dict[str, Any]] = [{"id": {"S": str(n)}, "b": {"B": b"x" * 400_000}} for n in range(60)]
    put_all(plain_client(plain_site, at), at.name, items, plain_site.clock)
    assert len(contents(plain_site, at)) == 60
    assert BYTES_PER_BATCH < 16_000_000


def test_throttling_is_waited_out(plain_site: WorldSite) -> None:
    with aws(plain_site).faults(throttle=0.4, operations=["BatchWriteItem"]):
        workload = filled(plain_site, 300)
    assert len(contents(plain_site, workload.at)) == 300


def test_a_table_that_goes_on_refusing_is_named(plain_site: WorldSite) -> None:
    at = kind.provision(plain_site)
    with (
        aws(plain_site).faults(throttle=1.0, operations=["BatchWriteItem"]),
        pytest.raises(ProtectionError, match=f"{at.name} refused 1 items {ROUNDS} times over"),
    ):
        kind.seed(plain_site, at, [Outgoing("k", b'{"id":{"S":"k"}}')])


# --- Erasing and expiring ------------------------------------------------------------------------------------------


def test_erasing_deletes_just_these_keys(plain_site: WorldSite) -> None:
    workload = filled(plain_site, 60)
    before = contents(plain_site, workload.at)
    keys = sorted(before)[:40]
    kind.erase(plain_site, workload.at, [*keys, *keys, '{"id":{"S":"nobody"}}'])
    assert contents(plain_site, workload.at) == {key: item for key, item in before.items() if key not in keys}


def test_what_has_expired_is_purged_and_nothing_else(site: WorldSite) -> None:
    at = kind.provision(site)
    now = int(site.clock.now().timestamp())
    times = {
        "past": {"N": str(now - 60)},
        "just": {"N": str(now)},
        "soon": {"N": str(now + 1)},
        "never": {"N": "0"},
        "ancient": {"N": str(now - 6 * 365 * 86_400)},
        "text": {"S": str(now - 60)},
    }
    items = [{"person_id": {"S": key}, "version": {"N": "1"}, "expires_at": value} for key, value in times.items()]
    items.append({"person_id": {"S": "none"}, "version": {"N": "1"}})
    kind.seed(site, at, [Outgoing("", canonical(item)) for item in items])
    assert kind.purge_expired(site, at) == 2
    left = {item_of(key)["person_id"]["S"] for key in contents(site, at)}
    assert left == {"soon", "never", "ancient", "text", "none"}
    assert kind.purge_expired(site, at) == 0


def test_without_a_time_to_live_nothing_expires(plain_site: WorldSite) -> None:
    workload = filled(plain_site, 5)
    assert kind.purge_expired(plain_site, workload.at) == 0


# --- Probing -------------------------------------------------------------------------------------------------------


def test_a_sound_table_answers(site: WorldSite) -> None:
    workload = filled(site, 60)
    before = contents(site, workload.at)
    findings = by_check(kind.probe(site, workload.at))
    assert {check: finding.verdict for check, finding in findings.items()} == {
        "query.key": "pass",
        "query.index.by-email": "pass",
        "query.index.by-team": "pass",
        "query.index.by-balance": "pass",
        "canary": "pass",
    }
    assert findings["query.key"].records_covered == 20
    assert contents(site, workload.at) == before


def test_a_missing_index_is_found(site: WorldSite) -> None:
    workload = filled(site, 10)
    plain_client(site, workload.at).update_table(
        TableName=workload.at.name, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-email"}}]
    )
    findings = by_check(kind.probe(site, workload.at))
    assert findings["query.index.by-email"].verdict == "fail"
    assert findings["canary"].verdict == "fail"
    assert findings["query.key"].verdict == "pass"
    assert contents(site, workload.at).keys() == {write.key for write in workload.ledger}


def test_a_canary_that_cannot_be_written_is_found(plain_site: WorldSite) -> None:
    workload = filled(plain_site, 5)
    with aws(plain_site).faults(throttle=1.0, operations=["PutItem"]):
        findings = by_check(kind.probe(plain_site, workload.at))
    assert findings["canary"].verdict == "fail"
    assert "Throttl" in findings["canary"].observed or "Throughput" in findings["canary"].observed


def test_an_empty_table_answers_too(plain_site: WorldSite) -> None:
    at = kind.provision(plain_site)
    findings = by_check(kind.probe(plain_site, at))
    assert {finding.verdict for finding in findings.values()} == {"pass"}
    assert findings["query.key"].records_covered == 0
    with aws(plain_site).faults(throttle=1.0, operations=["Query"]):
        assert by_check(kind.probe(plain_site, at))["query.key"].verdict == "fail"


def test_a_check_that_crashes_is_unknown(plain_site: WorldSite) -> None:
    workload = filled(plain_site, 5)
    aws(plain_site).region_down("eu-west-1")
    assert {finding.verdict for finding in kind.probe(plain_site, workload.at)} == {"unknown"}


# --- Damage --------------------------------------------------------------------------------------------------------


def test_all_is_deleted(site: WorldSite) -> None:
    workload = filled(site, 60)
    assert kind.damage(site, workload.at, "all") == 60
    assert contents(site, workload.at) == {}


def test_a_wrong_filter_deletes_about_half_and_always_the_same(tmp_path: Path) -> None:
    left = []
    for turn in "ab":
        with table_site(tmp_path / turn) as site:
            workload = filled(site, 100)
            touched = kind.damage(site, workload.at, "filter")
            left.append(contents(site, workload.at))
            assert 30 < touched < 70
            assert len(left[-1]) == 100 - touched
    assert left[0].keys() == left[1].keys()


def test_one_attribute_of_every_record_is_overwritten(site: WorldSite) -> None:
    workload = filled(site, 30)
    before = contents(site, workload.at)
    assert kind.damage(site, workload.at, "overwrite") == 30
    after = contents(site, workload.at)
    assert after.keys() == before.keys()
    changed = {
        tuple(name for name in item_of(after[key]) if item_of(after[key])[name] != item_of(before[key]).get(name))
        for key in before
    }
    assert changed == {("consents",)}


def test_records_that_are_nothing_but_their_key_get_an_attribute(plain_site: WorldSite) -> None:
    at = kind.provision(plain_site)
    kind.seed(plain_site, at, [Outgoing("k", b'{"id":{"S":"k"}}')])
    assert kind.damage(plain_site, at, "overwrite") == 1
    assert [len(item_of(item)) for item in contents(plain_site, at).values()] == [2]


def test_a_bug_that_is_about_buckets_does_to_a_table_what_it_can(plain_site: WorldSite) -> None:
    """Items have no folders and no older versions."""
    workload = filled(plain_site, 40)
    assert 0 < kind.damage(plain_site, workload.at, "prefix") < 40
    assert kind.damage(plain_site, workload.at, "versions") > 0
    assert contents(plain_site, workload.at) == {}


def test_an_unknown_damage_is_told(plain_site: WorldSite) -> None:
    at = kind.provision(plain_site)
    with pytest.raises(UsageError, match="expected one of all, filter, prefix, overwrite, versions"):
        kind.damage(plain_site, at, "some")


# --- Destroying, and the guard before it ---------------------------------------------------------------------------


def test_a_protected_table_is_destroyed_with_its_autoscaling(site: WorldSite) -> None:
    at = filled(site, 5).at
    kind.destroy(site, at)
    client = plain_client(site, at)
    assert client.list_tables()["TableNames"] == []
    scaling = plain_client(site, at, "application-autoscaling")
    assert scaling.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"] == []
    kind.destroy(site, at)


def bystander(site: WorldSite, tags: Mapping[str, str]) -> Location:
    """A table with a name as the drill's own could have, but of somebody else."""
    at = replace(site.primary(), name=site.name("from-dynamodb-pitr"))
    client = plain_client(site, at)
    client.create_table(
        TableName=at.name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        **({"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]} if tags else {}),
    )
    client.put_item(TableName=at.name, Item={"id": {"S": "k"}, "expires_at": {"N": "1767600000"}})
    return at


@pytest.mark.parametrize(
    "tags", [{}, {"drills:drill": "test-2"}, {"drills:store": "people"}, {"Drills:Drill": "test-1"}]
)
def test_a_bystander_is_left_alone(tmp_path: Path, tags: Mapping[str, str]) -> None:
    with table_site(tmp_path / "drill", PLAIN + "    ttl: expires_at\n") as site:
        settings = kind.settings(site, filled(site, 3).at)
        at = bystander(site, tags)
        before = contents(site, at)
        deeds: list[Any] = [
            lambda: kind.destroy(site, at),
            lambda: kind.damage(site, at, "all"),
            lambda: kind.erase(site, at, list(before)),
            lambda: kind.purge_expired(site, at),
            lambda: kind.reconfigure(site, at, settings),
        ]
        for deed in deeds:
            with pytest.raises(ProtectionError, match=r"expected the tag drills:drill=test-1 before .*left alone"):
                deed()
        assert contents(site, at) == before
        assert seen_tags(site, at) == tags


def test_a_write_that_is_refused_raises(plain_site: WorldSite) -> None:
    at = kind.provision(plain_site)
    write = Write(1, '{"id":{"S":"k"}}', "put", b'{"id":{"S":"k"}}', 0, None)
    kind.write(plain_site, at, write, None)
    kind.write(plain_site, at, replace(write, kind="delete", item=None), None)
    assert contents(plain_site, at) == {}
    kind.destroy(plain_site, at)
    with pytest.raises(ClientError):
        kind.write(plain_site, at, write, None)


def test_what_expires_while_time_passes_is_the_stores_own_doing(site: WorldSite) -> None:
    """The simulated table has the time to live that was asked for: it deletes by itself."""
    at = filled(site, 40).at
    before = len(contents(site, at))
    site.clock.sleep(timedelta(days=30).total_seconds())
    assert len(contents(site, at)) < before
