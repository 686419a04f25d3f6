"""The S3 kind of store on the simulated AWS, looked at through plain clients."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drills.clock import WallClock
from drills.errors import ProtectionError, UsageError
from drills.history import canonical, read_history
from drills.model import Location, Write
from drills.stores import Outgoing
from drills.stores.s3 import kind
from drills.stores.s3_buckets import WORKERS, in_order
from drills.stores.s3_objects import encoded, parsed, trusted_sha256
from drills.stores.s3_reading import read_object
from drills.stores.s3_writing import PART_BYTES, put_in_parts, put_object
from drills.workload import StoreWorkload
from drills.world_site import WorldSite
from tests.stores.bucket_site import (
    RECOVERY,
    as_ledger_says,
    aws,
    bucket_site,
    contents,
    filled,
    inventory,
    plain_client,
    versions,
)

PLAIN = '    records: {key: {template: "k/{n:03d}"}, body: {template: "body of {n}"}}\n'
KEYS = [
    "plain.txt", "a//b", "/leading", "trailing/", "plus + blank", "été/𝒢rün", "e\u0301", "é", "Case", "case", "CASE",
    "100%", "%2B", "a=b&c?d#e", "'quoted\"", "*~!()", "ß" * 512, ".", "../up", "tab\there", "line\nend",
]  # fmt: skip
NO_XML_KEYS = ["carriage\rreturn", "carriage\nreturn", "bell\a", "\x0b", "\ufffe"]
"""Keys that no XML can carry: deleting them with others would fail, or delete another key."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WorldSite]:
    with bucket_site(tmp_path / "drill") as site:
        yield site


@pytest.fixture
def plain_site(tmp_path: Path) -> Iterator[WorldSite]:
    with bucket_site(tmp_path / "drill", PLAIN) as site:
        yield site


def counted_calls(site: WorldSite) -> Counter[str]:
    """S3's operations from now on, by name."""
    calls: Counter[str] = Counter()
    site.world.listen(lambda call: calls.update([call.operation] if call.service == "s3" else []))
    return calls


def by_check(found: Any) -> dict[str, Any]:
    return {finding.check: finding for finding in found}


# --- Objects -------------------------------------------------------------------------------------------------------


def test_the_canonical_form_of_a_record(site: WorldSite) -> None:
    config = site.store.config
    record = {"key": "a//b", "body": "é", "metadata": {"n": 5}, "tags": {"t": "x"}, "_helper": [1]}
    assert kind.key_of(config, record) == "a//b"
    assert kind.outgoing(config, record).payload == "é".encode()
    assert parsed(kind.encode(config, record)) == {
        "body": {"sha256": hashlib.sha256("é".encode()).hexdigest(), "size": 2},
        "content_type": "binary/octet-stream",
        "metadata": {"n": "5"},
        "storage_class": "STANDARD",
        "tags": {"t": "x"},
    }
    assert kind.encode(config, record) == canonical(parsed(kind.encode(config, record)))
    assert kind.expires_at(config, record) is None
    with pytest.raises(ValueError, match="half of a surrogate pair"):
        kind.key_of(config, {"key": "\ud800"})


def test_what_is_seeded_is_read_back(site: WorldSite) -> None:
    workload = filled(site, 30)
    assert inventory(workload) == as_ledger_says(workload)
    assert len(contents(site, workload.at)) == 30
    bodies = {hashlib.sha256(body).hexdigest() for body in contents(site, workload.at).values()}
    assert bodies == {parsed(item)["body"]["sha256"] for item in as_ledger_says(workload).values()}


def test_a_workload_puts_copies_uploads_in_parts_deletes_and_erases(site: WorldSite) -> None:
    workload = filled(site, 20)
    calls = counted_calls(site)
    for _ in range(150):
        workload.write_once()
        site.clock.sleep(5)
    assert {"PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject", "DeleteObjects"} <= set(calls)
    assert inventory(workload) == as_ledger_says(workload)
    assert {write.kind for write in workload.ledger} == {"put", "delete", "erase"}
    assert all(write.acknowledged_us is not None for write in workload.ledger)


def test_an_erasure_leaves_no_version_and_a_deletion_does(plain_site: WorldSite) -> None:
    at = filled(plain_site, 3).at
    for number, kind_ in enumerate(("delete", "erase")):
        kind.write(plain_site, at, Write(1, f"k/00{number}", kind_, None, 0, None), None)  # type: ignore[arg-type]
    assert Counter(key for key, _ in versions(plain_site, at)) == {"k/000": 2, "k/002": 1}


def test_a_refused_upload_in_parts_is_taken_back(plain_site: WorldSite) -> None:
    at = filled(plain_site, 1).at
    s3 = plain_client(plain_site, at)

    def refuse(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://s3")

    s3.meta.events.register("before-call.s3.UploadPart", refuse)
    with pytest.raises(EndpointConnectionError):
        put_in_parts(s3, at.name, "big", parsed(encoded({"key": "big", "body": "x"})), b"x")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=at.name)


def test_large_bodies_go_in_several_parts_and_are_read_whole(plain_site: WorldSite) -> None:
    at = filled(plain_site, 1).at
    s3 = plain_client(plain_site, at)
    body = bytes(range(256)) * (3 * PART_BYTES // 256) + b"the end"
    item = encoded({"key": "big", "body": body, "tags": {"a": "b + c"}})
    put_in_parts(s3, at.name, "big", parsed(item), body)
    assert s3.head_object(Bucket=at.name, Key="big", PartNumber=1)["PartsCount"] == 4
    found = read_object(s3, at.name, "big", plain_site.store.config)
    assert found is not None
    assert found.item == item


@pytest.mark.parametrize("in_parts", [False, True])
def test_keys_of_all_shapes(plain_site: WorldSite, in_parts: bool) -> None:
    at = kind.provision(plain_site)
    s3 = plain_client(plain_site, at)
    written = {}
    keys = KEYS if in_parts else KEYS + NO_XML_KEYS
    for number, key in enumerate(keys):
        body = b"" if number % 5 == 0 and not in_parts else f"body of {key}".encode()
        written[key] = encoded({"key": key, "body": body, "metadata": {"n": str(number)}})
        (put_in_parts if in_parts else put_object)(s3, at.name, key, parsed(written[key]), body)
    observed = list(kind.inventory(plain_site, at))
    assert {found.key: found.item for found in observed} == written
    assert [found.key.encode() for found in observed] == sorted(key.encode() for key in keys)
    kind.erase(plain_site, at, keys[::2])
    assert {key for key, _ in versions(plain_site, at)} == set(keys[1::2])
    assert kind.damage(plain_site, at, "all") == len(keys[1::2])


RECORDS = st.fixed_dictionaries(
    {"key": st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cn", "Cs"]), min_size=1, max_size=200)},
    optional={
        "content_type": st.sampled_from(["text/plain", "application/pdf; a=b"]),
        "metadata": st.dictionaries(st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True), st.just("x y"), max_size=3),
        "tags": st.dictionaries(
            st.text("abcé +=._:/@-", min_size=1, max_size=5).filter(lambda name: name.strip() == name),
            st.text("abcé +=._:/@-", max_size=5),
            max_size=3,
        ),
        "storage_class": st.sampled_from(["STANDARD", "STANDARD_IA"]),
        "cache_control": st.just("no-store"),
    },
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(RECORDS, st.binary(max_size=40), st.integers(1, 40)), max_size=6))
def test_any_objects_written_in_any_way_are_read_back(plain_site: WorldSite, given: list[Any]) -> None:
    at = plain_site.primary()
    if not plain_site.client("s3", "production").list_buckets()["Buckets"]:
        kind.provision(plain_site)
    written: dict[str, bytes] = {}
    for record, body, sequence in given:
        item = encoded({**record, "body": body})
        kind.write(plain_site, at, Write(sequence, record["key"], "put", item, 0, None), body)
        written[record["key"]] = item
    assert {found.key: found.item for found in kind.inventory(plain_site, at)} == written
    kind.erase(plain_site, at, list(written))
    assert versions(plain_site, at) == []


# --- Reading back --------------------------------------------------------------------------------------------------


def test_a_trusted_checksum_is_not_read_again_and_another_body_is_read_once(site: WorldSite) -> None:
    at = filled(site, 10).at
    s3 = plain_client(site, at)
    s3.put_object(Bucket=at.name, Key="no-checksum", Body=b"abc")
    put_in_parts(s3, at.name, "parts", parsed(encoded({"key": "parts", "body": "abc"})), b"abc")
    calls = counted_calls(site)
    found = {one.key: parsed(one.item) for one in kind.inventory(site, at)}
    assert calls["GetObject"] == 2
    assert calls["HeadObject"] == calls["GetObjectTagging"] == 12
    assert calls["ListObjectsV2"] == 1
    assert found["parts"]["body"] == found["no-checksum"]["body"]


def test_every_byte_is_read_where_that_is_asked_for(tmp_path: Path) -> None:
    with bucket_site(tmp_path / "drill", PLAIN + "    read_every_byte: true\n") as site:
        workload = filled(site, 5)
        calls = counted_calls(site)
        assert inventory(workload) == as_ledger_says(workload)
        assert (calls["GetObject"], calls["HeadObject"]) == (5, 0)


@pytest.mark.parametrize("told", ["COMPOSITE", None])
def test_a_checksum_of_parts_is_not_taken_for_that_of_the_object(told: str | None) -> None:
    digest = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="
    answer = {"ChecksumSHA256": digest, "ETag": '"0"'}
    assert trusted_sha256({**answer, "ChecksumType": "FULL_OBJECT"}) == hashlib.sha256(b"hello").hexdigest()
    assert trusted_sha256({**answer, **({"ChecksumType": told} if told else {})}) is None
    assert trusted_sha256({"ChecksumSHA256": f"{digest}-2", "ChecksumType": "FULL_OBJECT"}) is None


def test_the_listing_is_taken_page_by_page_and_no_more_is_kept(plain_site: WorldSite) -> None:
    workload = filled(plain_site, 30)
    s3 = plain_site.client("s3", "production", "eu-west-1")
    s3.meta.events.register("provide-client-params.s3.ListObjectsV2", lambda params, **_: {**params, "MaxKeys": 7})
    calls = counted_calls(plain_site)
    reading = kind.inventory(plain_site, workload.at)
    next(reading)
    assert calls["ListObjectsV2"] == 1
    assert len(list(reading)) == 29
    assert calls["ListObjectsV2"] == 5


def test_what_an_object_lacks_of_its_buckets_ways_is_a_difference(tmp_path: Path) -> None:
    with bucket_site(tmp_path / "drill", PLAIN + "    object_lock: {mode: governance, days: 2}\n") as site:
        workload = filled(site, 2)
        assert inventory(workload) == as_ledger_says(workload)
        s3 = plain_client(site, workload.at)
        copy = Location("recovery", RECOVERY, "eu-north-1", "unlocked-copy")
        aws(site).session(RECOVERY).client("s3", region_name="eu-north-1").create_bucket(
            Bucket=copy.name, CreateBucketConfiguration={"LocationConstraint": "eu-north-1"}
        )
        body = s3.get_object(Bucket=workload.at.name, Key="k/000")["Body"].read()
        item = parsed(as_ledger_says(workload)["k/000"])
        put_object(plain_client(site, copy), copy.name, "k/000", item, body)
        (found,) = kind.inventory(site, copy)
        assert parsed(found.item) == {**item, "retention": "none"}


def test_several_at_once_where_time_is_real_in_order_and_only_so_far_ahead() -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(200):
            taken.append(number)
            yield number

    results = in_order(WallClock(), lambda number: number * 2, numbers())
    assert next(results) == 0
    assert len(taken) <= 2 * WORKERS + 1
    assert list(results) == [number * 2 for number in range(1, 200)]


# --- A bucket's life -----------------------------------------------------------------------------------------------


def test_a_bucket_is_tagged_and_closed_from_the_first(site: WorldSite) -> None:
    at = kind.provision(site)
    s3 = plain_client(site, at)
    tags = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=at.name)["TagSet"]}
    assert tags == {**site.tags, "team": "billing", "data": "personal"}
    assert s3.get_bucket_location(Bucket=at.name)["LocationConstraint"] == "eu-west-1"
    block = s3.get_public_access_block(Bucket=at.name)["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    controls = s3.get_bucket_ownership_controls(Bucket=at.name)["OwnershipControls"]
    assert controls["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1"])
def test_a_name_that_is_taken_is_left_alone(tmp_path: Path, region: str) -> None:
    with bucket_site(tmp_path / "drill", PLAIN) as site:
        at = site.primary()
        where: dict[str, Any] = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        where = {} if region == "us-east-1" else where
        aws(site).session(at.account).client("s3", region_name=region).create_bucket(Bucket=at.name, **where)
        with pytest.raises(ProtectionError, match="expected the name to be free, found a bucket"):
            kind.provision(site)


def test_destroying_takes_every_version_and_the_uploads_with_it(plain_site: WorldSite) -> None:
    at = filled(plain_site, 5).at
    s3 = plain_client(plain_site, at)
    s3.delete_object(Bucket=at.name, Key="k/001")
    s3.put_object(Bucket=at.name, Key="k/002", Body=b"again")
    s3.create_multipart_upload(Bucket=at.name, Key="half")
    kind.destroy(plain_site, at)
    with pytest.raises(ClientError, match="404"):
        s3.head_bucket(Bucket=at.name)
    kind.destroy(plain_site, at)


def test_what_is_not_the_drills_is_never_touched(plain_site: WorldSite) -> None:
    at = filled(plain_site, 2).at
    s3 = plain_client(plain_site, at)
    s3.put_bucket_tagging(Bucket=at.name, Tagging={"TagSet": [{"Key": "drills:drill", "Value": "other"}]})
    before = versions(plain_site, at)
    for deed in (
        lambda: kind.destroy(plain_site, at),
        lambda: kind.damage(plain_site, at, "all"),
        lambda: kind.erase(plain_site, at, ["k/000"]),
        lambda: kind.reconfigure(plain_site, at, {"versioning": "Suspended"}),
    ):
        with pytest.raises(ProtectionError, match="expected the tag drills:drill=test-1"):
            deed()
    assert versions(plain_site, at) == before


def test_locked_versions_outlive_destruction_and_erasure(tmp_path: Path) -> None:
    with bucket_site(tmp_path / "drill", PLAIN + "    object_lock: {mode: compliance, days: 2}\n") as site:
        at = filled(site, 3).at
        with pytest.raises(ProtectionError, match="every version of k/000 to be erased, found 1 in all held"):
            kind.erase(site, at, ["k/000"])
        assert kind.damage(site, at, "versions") == 0
        kind.destroy(site, at)
        assert len(versions(site, at)) == 3
        history = read_history(tmp_path / "drill")
        (event,) = [event for event in history if event.kind == "destroy.refused"]
        assert event.text("reason") == "3 versions are held by Object Lock"


def test_governance_gives_way_to_an_erasure_and_not_to_a_bug(tmp_path: Path) -> None:
    with bucket_site(tmp_path / "drill", PLAIN + "    object_lock: {mode: governance, days: 2}\n") as site:
        at = filled(site, 3).at
        assert kind.damage(site, at, "versions") == 0
        kind.erase(site, at, ["k/000"])
        assert {key for key, _ in versions(site, at)} == {"k/001", "k/002"}
        assert by_check(kind.probe(site, at))["canary"].verdict == "pass"
        assert len(versions(site, at)) == 2
        kind.destroy(site, at)
        assert not plain_client(site, at).list_buckets()["Buckets"]


def test_erasing_takes_the_key_and_none_that_begins_with_it(plain_site: WorldSite) -> None:
    at = kind.provision(plain_site)
    s3 = plain_client(plain_site, at)
    for key in ("a", "a/b", "ab", "b"):
        for _ in range(3):
            s3.put_object(Bucket=at.name, Key=key, Body=key.encode())
    s3.delete_object(Bucket=at.name, Key="a")
    kind.erase(plain_site, at, ["a", "b", "a", "absent"])
    assert Counter(key for key, _ in versions(plain_site, at)) == {"a/b": 3, "ab": 3}
    assert kind.purge_expired(plain_site, at) == 0


# --- Damage --------------------------------------------------------------------------------------------------------


def damaged(site: WorldSite, variant: str) -> tuple[StoreWorkload, int]:
    workload = filled(site, 40)
    return workload, kind.damage(site, workload.at, variant)


def test_all_objects_are_deleted_and_their_versions_stay(plain_site: WorldSite) -> None:
    workload, touched = damaged(plain_site, "all")
    assert (touched, contents(plain_site, workload.at)) == (40, {})
    assert len(versions(plain_site, workload.at)) == 80


def test_about_half_are_deleted_always_the_same(plain_site: WorldSite) -> None:
    workload, touched = damaged(plain_site, "filter")
    left = contents(plain_site, workload.at)
    assert 10 <= touched <= 30
    assert len(left) == 40 - touched
    assert kind.damage(plain_site, workload.at, "filter") == 0


def test_one_folder_is_deleted(plain_site: WorldSite) -> None:
    workload = filled(plain_site, 12)
    plain_client(plain_site, workload.at).put_object(Bucket=workload.at.name, Key="other/x", Body=b"x")
    assert kind.damage(plain_site, workload.at, "prefix") == 12
    assert set(contents(plain_site, workload.at)) == {"other/x"}


def test_objects_are_cut_to_half_with_all_that_describes_them(site: WorldSite) -> None:
    workload = filled(site, 25)
    before = contents(site, workload.at)
    touched = kind.damage(site, workload.at, "overwrite")
    assert touched == sum(bool(body) for body in before.values())
    after = contents(site, workload.at)
    for key, body in before.items():
        assert len(after[key]) < len(body) or after[key] == body == b""
        assert body.startswith(after[key])
    items = as_ledger_says(workload)
    for key, item in inventory(workload).items():
        assert {**orjson.loads(item), "body": None} == {**orjson.loads(items[key]), "body": None}


def test_every_version_is_deleted_and_nothing_is_left_to_restore_from(plain_site: WorldSite) -> None:
    workload = filled(plain_site, 10)
    plain_client(plain_site, workload.at).delete_object(Bucket=workload.at.name, Key="k/003")
    assert kind.damage(plain_site, workload.at, "versions") == 9
    assert versions(plain_site, workload.at) == []


def test_an_unknown_damage_is_told(plain_site: WorldSite) -> None:
    with pytest.raises(UsageError, match="expected one of all, filter, prefix, overwrite, versions"):
        kind.damage(plain_site, kind.provision(plain_site), "flood")


# --- Answers -------------------------------------------------------------------------------------------------------


def test_a_sound_bucket_answers_and_nothing_of_the_probe_stays(site: WorldSite) -> None:
    at = filled(site, 30).at
    before = versions(site, at)
    findings = by_check(kind.probe(site, at))
    assert {check: finding.verdict for check, finding in findings.items()} == {
        "get": "pass",
        "list": "pass",
        "canary": "pass",
    }
    assert findings["get"].records_covered == 20
    assert versions(site, at) == before


def test_an_empty_bucket_answers(plain_site: WorldSite) -> None:
    findings = kind.probe(plain_site, kind.provision(plain_site))
    assert {finding.verdict for finding in findings} == {"pass"}


def test_a_bucket_that_refuses_writes_fails_the_canary(plain_site: WorldSite) -> None:
    at = filled(plain_site, 2).at
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{at.name}/*"}
    policy = orjson.dumps({"Version": "2012-10-17", "Statement": [statement]}).decode()
    plain_client(plain_site, at).put_bucket_policy(Bucket=at.name, Policy=policy)
    findings = by_check(kind.probe(plain_site, at))
    assert (findings["canary"].verdict, findings["get"].verdict) == ("fail", "pass")


def test_a_bucket_that_is_gone_fails(plain_site: WorldSite) -> None:
    at = kind.provision(plain_site)
    kind.destroy(plain_site, at)
    assert {finding.verdict for finding in kind.probe(plain_site, at)} == {"fail"}


def test_a_name_that_a_stranger_took_is_told(plain_site: WorldSite) -> None:
    at = filled(plain_site, 2).at
    kind.destroy(plain_site, at)
    assert kind.take_name(plain_site.world.stranger, at)
    assert not kind.take_name(plain_site.world.stranger, at)
    restored = Location(at.role, at.account, at.region, "restored-elsewhere")
    s3 = plain_client(plain_site, restored)
    s3.create_bucket(Bucket=restored.name, CreateBucketConfiguration={"LocationConstraint": at.region})
    (finding,) = [one for one in kind.probe(plain_site, restored) if one.check == "name"]
    assert f"the name {at.name} was taken by another account" in finding.observed
    assert kind.settings(plain_site, restored)["tags"] == {}


def test_a_name_that_is_free_or_ours_is_no_news(plain_site: WorldSite) -> None:
    at = kind.provision(plain_site)
    restored = Location(at.role, at.account, at.region, "restored-elsewhere")
    s3 = plain_client(plain_site, restored)
    s3.create_bucket(Bucket=restored.name, CreateBucketConfiguration={"LocationConstraint": at.region})
    assert "name" not in by_check(kind.probe(plain_site, restored))
    aws(plain_site).region_down("eu-west-1")
    assert "name" not in by_check(kind.probe(plain_site, restored))


def test_seeding_takes_records_as_they_are_made(plain_site: WorldSite) -> None:
    at = kind.provision(plain_site)
    records = (Outgoing(f"k{n}", encoded({"key": f"k{n}", "body": str(n)}), str(n).encode()) for n in range(20))
    kind.seed(plain_site, at, records)
    assert contents(plain_site, at) == {f"k{n}": str(n).encode() for n in range(20)}


def test_a_site_knows_the_buckets_name_beforehand(site: WorldSite) -> None:
    assert kind.provision(site) == site.primary()
    assert site.primary().name.startswith("drill-test-paper-work-")
