"""Rolling a bucket back, through plain boto3 clients of the simulated AWS."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from drills.bucket_rollback import FileCheckpoint, Outcome, RollBackRefused, RollBackStopped, roll_back
from drills.bucket_rollback import doing as doing_module
from tests.bucket_rollback.buckets import BUCKET, contents, delete, moment, put, version_ids, versioned

ODD_KEYS = (
    "a b",
    "a+b",
    "ä/ü",
    "//x",
    "/lead",
    "UP",
    "up",
    "x" * 1024,
    "tab\there",
    "new\nline",
    "&<>\"'",
    "100%25",
    "日本",
)


def test_each_key_is_as_it_was() -> None:
    with versioned() as (aws, s3):
        before = {key: put(s3, key, key) for key in ("kept", "deleted", "overwritten", "both", "recreated", "thrice")}
        put(s3, "gone", "gone")
        delete(s3, "gone")
        to = moment(aws)
        delete(s3, "deleted")
        put(s3, "overwritten", "bad")
        put(s3, "both", "bad")
        delete(s3, "both")
        delete(s3, "recreated")
        put(s3, "recreated", "bad")
        for _ in range(3):
            delete(s3, "thrice")
        put(s3, "gone", "back again")
        put(s3, "born", "later")
        everything = version_ids(s3)
        moment(aws)
        report = roll_back(s3, BUCKET, to, workers=1)
        assert contents(s3) == {key: key.encode() for key in before}
        assert report.counts == {
            "kept": 1,
            "undeleted": 2,
            "copied": 3,
            "set_aside": 2,
            "lost": 0,
            "archived": 0,
            "failed": 0,
        }
        assert report.whole
        assert report.keys == 8
        assert everything <= version_ids(s3), "nothing is destroyed"
        assert {one.key: one.version_id for one in report.named["copied"]} == {
            key: before[key] for key in ("overwritten", "both", "recreated")
        }
        assert {one.key for one in report.named["set_aside"]} == {"born", "gone"}


def test_a_dry_run_says_the_same_and_does_nothing() -> None:
    with versioned() as (aws, s3):
        put(s3, "deleted", "x")
        put(s3, "overwritten", "x")
        to = moment(aws)
        delete(s3, "deleted")
        put(s3, "overwritten", "bad")
        put(s3, "born", "bad")
        moment(aws)
        before = contents(s3), version_ids(s3)
        said = roll_back(s3, BUCKET, to, workers=1, dry_run=True)
        assert (contents(s3), version_ids(s3)) == before
        done = roll_back(s3, BUCKET, to, workers=1)
        assert said.counts == done.counts
        assert said.named == done.named
        assert (said.dry_run, done.dry_run) == (True, False)


def test_twice_is_as_once() -> None:
    with versioned() as (aws, s3):
        put(s3, "overwritten", "x")
        to = moment(aws)
        put(s3, "overwritten", "bad")
        put(s3, "born", "bad")
        moment(aws)
        for _ in range(2):
            roll_back(s3, BUCKET, to, workers=1)
            assert contents(s3) == {"overwritten": b"x"}


@pytest.mark.parametrize("key", ODD_KEYS)
def test_keys_of_all_shapes(key: str) -> None:
    with versioned() as (aws, s3):
        put(s3, key, "good")
        to = moment(aws)
        put(s3, key, "bad")
        moment(aws)
        roll_back(s3, BUCKET, to, workers=1)
        assert contents(s3) == {key: b"good"}
        delete(s3, key)
        moment(aws)
        roll_back(s3, BUCKET, to, workers=1)
        assert contents(s3) == {key: b"good"}


def test_all_of_an_object_comes_back() -> None:
    with versioned(lock=True) as (aws, s3):
        until = (aws.clock.now() + timedelta(days=3)).replace(microsecond=0)
        put(
            s3,
            "k",
            "good",
            Metadata={"city": "paris"},
            ContentType="text/x-good",
            CacheControl="max-age=60",
            ContentDisposition="inline",
            Tagging="kind=invoice&of=%C3%A4",
            StorageClass="STANDARD_IA",
            ServerSideEncryption="AES256",
            ObjectLockMode="GOVERNANCE",
            ObjectLockRetainUntilDate=until,
            ObjectLockLegalHoldStatus="ON",
            ChecksumAlgorithm="SHA256",
        )
        to = moment(aws)
        put(s3, "k", "bad", ContentType="text/x-bad", ChecksumAlgorithm="SHA256")
        moment(aws)
        roll_back(s3, BUCKET, to, workers=1)
        found = s3.get_object(Bucket=BUCKET, Key="k")
        assert found["Body"].read() == b"good"
        assert found["Metadata"] == {"city": "paris"}
        assert found["ContentType"] == "text/x-good"
        assert found["CacheControl"] == "max-age=60"
        assert found["ContentDisposition"] == "inline"
        assert found["StorageClass"] == "STANDARD_IA"
        assert found["ObjectLockMode"] == "GOVERNANCE"
        assert found["ObjectLockRetainUntilDate"] == until
        assert found["ObjectLockLegalHoldStatus"] == "ON"
        tags = {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(Bucket=BUCKET, Key="k")["TagSet"]}
        assert tags == {"kind": "invoice", "of": "ä"}


def test_an_acl_comes_back() -> None:
    everybody = "http://acs.amazonaws.com/groups/global/AllUsers"
    with versioned(acls=True) as (aws, s3):
        s3.delete_public_access_block(Bucket=BUCKET)
        put(s3, "open", "good", ACL="public-read")
        put(s3, "closed", "good")
        to = moment(aws)
        put(s3, "open", "bad")
        put(s3, "closed", "bad")
        moment(aws)
        roll_back(s3, BUCKET, to, workers=1)

        def groups(key: str) -> set[str]:
            grants = s3.get_object_acl(Bucket=BUCKET, Key=key)["Grants"]
            return {grant["Grantee"]["URI"] for grant in grants if "URI" in grant["Grantee"]}

        assert groups("open") == {everybody}
        assert groups("closed") == set()


def test_large_objects_are_copied_in_parts() -> None:
    body = bytes(range(256)) * 1024 * 44
    with versioned() as (aws, s3):
        put(s3, "large", body, Metadata={"a": "b"}, ContentType="text/x", Tagging="c=d", StorageClass="STANDARD_IA")
        to = moment(aws)
        put(s3, "large", "bad")
        moment(aws)
        sizes = {"single_copy_bytes": 6 << 20, "part_bytes": 5 << 20}
        roll_back(s3, BUCKET, to, workers=1, copying=sizes)
        found = s3.get_object(Bucket=BUCKET, Key="large")
        assert found["Body"].read() == body
        assert found["ETag"].endswith('-3"')
        assert (found["Metadata"], found["ContentType"], found["StorageClass"]) == ({"a": "b"}, "text/x", "STANDARD_IA")
        assert s3.get_object_tagging(Bucket=BUCKET, Key="large")["TagSet"] == [{"Key": "c", "Value": "d"}]
        assert not s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads")


def test_an_upload_that_fails_is_taken_back() -> None:
    with versioned() as (aws, s3):
        put(s3, "large", b"x" * (11 << 20))
        to = moment(aws)
        put(s3, "large", "bad")
        moment(aws)
        with aws.faults(reject=1.0, operations=["CompleteMultipartUpload"]):
            sizes = {"single_copy_bytes": 6 << 20, "part_bytes": 5 << 20}
            report = roll_back(s3, BUCKET, to, workers=1, copying=sizes)
        assert report.named["failed"][0].key == "large"
        assert not s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads")


def test_only_the_prefix_is_touched() -> None:
    with versioned() as (aws, s3):
        put(s3, "a/1", "good")
        put(s3, "b/1", "good")
        to = moment(aws)
        put(s3, "a/1", "bad")
        put(s3, "b/1", "bad")
        moment(aws)
        report = roll_back(s3, BUCKET, to, "a/", workers=1)
        assert contents(s3) == {"a/1": b"good", "b/1": b"bad"}
        assert report.keys == 1


# --- What cannot come back ------------------------------------------------------------------------------------------


def test_versions_deleted_for_good_are_named() -> None:
    with versioned() as (aws, s3):
        put(s3, "under-a-marker", "good")
        put(s3, "sound", "good")
        to = moment(aws)
        (gone,) = [of for key, of in version_ids(s3) if key == "under-a-marker"]
        delete(s3, "under-a-marker")
        s3.delete_object(Bucket=BUCKET, Key="under-a-marker", VersionId=gone)
        moment(aws)
        report = roll_back(s3, BUCKET, to, workers=1)
        assert [one.key for one in report.named["lost"]] == ["under-a-marker"]
        assert "for good" in report.named["lost"][0].detail
        assert not report.whole


def test_a_null_version_overwritten_under_suspension_is_named() -> None:
    with versioned() as (aws, s3):
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
        put_null = s3.put_object(Bucket=BUCKET, Key="null", Body="good")
        assert put_null.get("VersionId", "null") == "null"
        to = moment(aws)
        s3.put_object(Bucket=BUCKET, Key="null", Body="bad")
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        moment(aws)
        report = roll_back(s3, BUCKET, to, workers=1)
        assert [one.key for one in report.named["lost"]] == ["null"]
        assert "null version" in report.named["lost"][0].detail


def test_an_archived_version_is_named_and_left() -> None:
    with versioned() as (aws, s3):
        put(s3, "cold", "good", StorageClass="GLACIER")
        put(s3, "warm", "good", StorageClass="GLACIER_IR")
        to = moment(aws)
        put(s3, "cold", "bad")
        put(s3, "warm", "bad")
        moment(aws)
        for dry_run in (True, False):
            report = roll_back(s3, BUCKET, to, workers=1, dry_run=dry_run)
            assert [one.key for one in report.named["archived"]] == ["cold"]
            assert [one.key for one in report.named["copied"]] == ["warm"]
        assert contents(s3) == {"cold": b"bad", "warm": b"good"}


def test_what_is_refused_is_named_and_the_rest_goes_on() -> None:
    with versioned() as (aws, s3):
        for key in "abc":
            put(s3, key, "good")
        to = moment(aws)
        for key in "abc":
            put(s3, key, "bad")
        moment(aws)
        role = aws.session("111111111111").client("iam")
        trust = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"AWS": "111111111111"}, "Action": "sts:AssumeRole"}],
        }
        arn = role.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
                {"Effect": "Deny", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{BUCKET}/b"},
            ],
        }
        role.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps(policy))
        limited = _assumed(aws, arn)
        report = roll_back(limited, BUCKET, to, workers=1)
        assert [one.key for one in report.named["failed"]] == ["b"]
        assert "AccessDenied" in report.named["failed"][0].detail
        assert contents(s3) == {"a": b"good", "b": b"bad", "c": b"good"}


def _assumed(aws: Any, arn: str) -> Any:
    sts = aws.session("111111111111").client("sts")
    keys = sts.assume_role(RoleArn=arn, RoleSessionName="limited")["Credentials"]
    return aws.session("111111111111").client(
        "s3",
        region_name="eu-west-1",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda s3: None, "a moment that has passed"),
        (
            lambda s3: s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"}),
            "suspended",
        ),
    ],
)
def test_refused_before_anything_is_done(spoil: Callable[[Any], object], says: str) -> None:
    with versioned() as (aws, s3):
        put(s3, "k", "good")
        to = aws.clock.now() + timedelta(days=1) if "moment" in says else moment(aws)
        put(s3, "k", "bad")
        spoil(s3)
        with pytest.raises(RollBackRefused, match=says):
            roll_back(s3, BUCKET, to, workers=1)
        assert contents(s3) == {"k": b"bad"}
        with pytest.raises(RollBackRefused, match="zone"):
            roll_back(s3, BUCKET, datetime(2026, 1, 5), workers=1)  # noqa: DTZ001 - that is the mistake.


def test_a_bucket_that_was_never_versioned() -> None:
    with versioned() as (aws, s3):
        s3.create_bucket(Bucket="plain", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        with pytest.raises(RollBackRefused, match="never was"):
            roll_back(s3, "plain", moment(aws), workers=1)


# --- Interrupted ----------------------------------------------------------------------------------------------------


def test_an_interrupted_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doing_module, "KEYS_A_BATCH", 3)
    with versioned() as (aws, s3):
        for number in range(10):
            put(s3, f"k{number}", "good")
        to = moment(aws)
        for number in range(10):
            put(s3, f"k{number}", "bad")
        moment(aws)
        checkpoint = FileCheckpoint(tmp_path / "checkpoint.json")

        def interrupt(keys: int, last_key: str) -> None:
            if keys >= 6:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            roll_back(s3, BUCKET, to, workers=1, checkpoint=checkpoint, progress=interrupt)
        assert json.loads((tmp_path / "checkpoint.json").read_text())["last_key"] == "k5"
        first = len(version_ids(s3))
        report = roll_back(s3, BUCKET, to, workers=1, checkpoint=checkpoint)
        assert report.resumed_after == "k5"
        assert report.keys == 4
        assert len(version_ids(s3)) == first + 4, "what was done is not done again"
        assert contents(s3) == {f"k{number}": b"good" for number in range(10)}
        assert not (tmp_path / "checkpoint.json").exists()


def test_no_connection_stops_it_with_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doing_module, "KEYS_A_BATCH", 1)
    with versioned() as (aws, s3):
        for key in "abc":
            put(s3, key, "good")
        to = moment(aws)
        for key in "abc":
            put(s3, key, "bad")
        moment(aws)
        checkpoint = FileCheckpoint(tmp_path / "checkpoint.json")

        def outage(keys: int, last_key: str) -> None:
            aws.region_down("eu-west-1")

        with pytest.raises(RollBackStopped, match="'b'") as stopped:
            roll_back(s3, BUCKET, to, workers=1, checkpoint=checkpoint, progress=outage)
        assert stopped.value.key == "b"
        assert checkpoint.last_key({"bucket": BUCKET, "prefix": "", "to": to.isoformat()}) == "a"


def test_the_checkpoint_stays_behind_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doing_module, "KEYS_A_BATCH", 1)
    with versioned() as (aws, s3):
        for key in "abc":
            put(s3, key, "good")
        to = moment(aws)
        for key in "abc":
            put(s3, key, "bad")
        moment(aws)
        checkpoint = FileCheckpoint(tmp_path / "checkpoint.json")
        seen: list[str] = []

        def fail_second(keys: int, last_key: str) -> None:
            seen.append(last_key)
            if last_key == "a":
                faults.append(aws.faults(reject=1.0, operations=["CopyObject"]))
            else:
                faults.pop().end() if faults else None

        faults: list[Any] = []
        report = roll_back(s3, BUCKET, to, workers=1, checkpoint=checkpoint, progress=fail_second)
        assert [one.key for one in report.named["failed"]] == ["b"]
        assert checkpoint.last_key({"bucket": BUCKET, "prefix": "", "to": to.isoformat()}) == "a"
        again = roll_back(s3, BUCKET, to, workers=1, checkpoint=checkpoint)
        assert again.keys == 2
        assert contents(s3) == dict.fromkeys("abc", b"good")


def test_another_checkpoint_is_refused(tmp_path: Path) -> None:
    checkpoint = FileCheckpoint(tmp_path / "checkpoint.json")
    checkpoint.done({"bucket": "one"}, "k")
    with pytest.raises(RollBackRefused, match="'one'"):
        checkpoint.last_key({"bucket": "other"})
    (tmp_path / "checkpoint.json").write_text("{")
    with pytest.raises(RollBackRefused, match="found something else"):
        checkpoint.last_key({"bucket": "one"})


def test_everything_that_was_done_is_told() -> None:
    with versioned() as (aws, s3):
        put(s3, "overwritten", "good")
        put(s3, "kept", "good")
        to = moment(aws)
        put(s3, "overwritten", "bad")
        born = put(s3, "born", "bad")
        moment(aws)
        told: list[Outcome] = []
        roll_back(s3, BUCKET, to.astimezone(UTC), workers=1, tell=told.append)
        assert {(one.key, one.deed) for one in told} == {("overwritten", "copied"), ("born", "set_aside")}
        assert born in {one.version_id for one in told}


def test_keys_that_xml_cannot_carry_go_alone_and_the_others_together() -> None:
    """A carriage return in XML would be read as a line feed: the other key's marker would go."""
    odd, plain = ["a\x01b", "c\rd", "e\nf", "g\uffffh"], ["c\nd", "plain", "ü"]
    with versioned() as (aws, s3):
        for key in (*odd, *plain):
            put(s3, key, key)
        before = contents(s3)
        to = moment(aws)
        for key in (*odd, *plain):
            delete(s3, key)
        for key in ("born\r", "born\n", "born"):
            put(s3, key, "later")
        calls: list[Any] = []
        s3.meta.events.register(
            "before-parameter-build.s3.DeleteObject", lambda params, **_: calls.append(params["Key"])
        )
        report = roll_back(s3, BUCKET, to, workers=1)
        assert (report.counts["undeleted"], report.counts["set_aside"], report.counts["failed"]) == (7, 3, 0)
        assert contents(s3) == before
        assert sorted(calls) == sorted([*odd, "c\nd", "born\r", "born\n"])
