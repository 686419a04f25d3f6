"""Object Lock: what cannot be deleted or shortened, by whom, until when. Source: S3 user guide, Locking objects."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.simulator.policies import allow, as_role, deny
from tests.simulator.s3.endpoint import ENABLED, ONE, SUSPENDED, S3Ground, refusal, versions

DAY = timedelta(days=1)
YEAR = timedelta(days=365)


def now(ground: S3Ground) -> datetime:
    moment = ground.aws.clock.now() if ground.aws is not None else datetime.now(UTC)
    return moment.replace(microsecond=0)


def locked(ground: S3Ground, mode: str = "COMPLIANCE", content: bytes = b"1") -> tuple[Any, str, str, datetime]:
    """A client, a bucket with Object Lock, a version that is retained for a day, and until when."""
    s3 = ground.client()
    bucket = ground.bucket(s3, locked=True)
    until = now(ground) + DAY
    more: Any = {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": until}
    identifier = s3.put_object(Bucket=bucket, Key="a", Body=content, **more)["VersionId"]
    return s3, bucket, str(identifier), until


def retain(client: Any, bucket: str, mode: str, until: datetime, **more: Any) -> str:
    retention = {"Mode": mode, "RetainUntilDate": until}
    return refusal(client.put_object_retention, Bucket=bucket, Key="a", Retention=retention, **more)


def retention_of(client: Any, bucket: str, **more: Any) -> tuple[str, datetime]:
    found = client.get_object_retention(Bucket=bucket, Key="a", **more)["Retention"]
    return str(found["Mode"]), found["RetainUntilDate"]


class TestCompliance:
    def test_nobody_deletes_or_shortens_it_before_its_time(self, ground: S3Ground) -> None:
        s3, bucket, identifier, until = locked(ground)
        for more in ({}, {"BypassGovernanceRetention": True}):
            version = {"Bucket": bucket, "Key": "a", "VersionId": identifier}
            assert refusal(s3.delete_object, **version, **more) == "AccessDenied"
            assert retain(s3, bucket, "COMPLIANCE", until - timedelta(hours=1), **more) == "AccessDenied"
            assert retain(s3, bucket, "GOVERNANCE", until + DAY, **more) == "AccessDenied"
            assert refusal(s3.put_object_retention, Bucket=bucket, Key="a", Retention={}, **more) == "AccessDenied"
        assert retention_of(s3, bucket) == ("COMPLIANCE", until)

    def test_it_can_be_extended(self, ground: S3Ground) -> None:
        s3, bucket, _, until = locked(ground)
        assert retain(s3, bucket, "COMPLIANCE", until + DAY) == ""
        assert retention_of(s3, bucket) == ("COMPLIANCE", until + DAY)

    def test_when_its_time_is_over_it_can_be_deleted(self, ground: S3Ground) -> None:
        aws = ground.simulated()
        s3, bucket, identifier, _ = locked(ground)
        aws.clock.sleep(86_399)
        assert refusal(s3.delete_object, Bucket=bucket, Key="a", VersionId=identifier) == "AccessDenied"
        aws.clock.sleep(1)
        assert refusal(s3.delete_object, Bucket=bucket, Key="a", VersionId=identifier) == ""
        assert versions(s3, bucket) == []

    def test_a_marker_can_be_put_over_it_and_taken_away(self, ground: S3Ground) -> None:
        s3, bucket, identifier, _ = locked(ground)
        marker = s3.delete_object(Bucket=bucket, Key="a")["VersionId"]
        assert refusal(s3.get_object_retention, Bucket=bucket, Key="a", VersionId=marker) == "MethodNotAllowed"
        s3.delete_object(Bucket=bucket, Key="a", VersionId=marker)
        assert versions(s3, bucket) == [("a", identifier, True, False)]

    def test_an_overwrite_keeps_it(self, ground: S3Ground) -> None:
        s3, bucket, identifier, _ = locked(ground)
        s3.put_object(Bucket=bucket, Key="a", Body=b"mangled")
        assert refusal(s3.delete_object, Bucket=bucket, Key="a", VersionId=identifier) == "AccessDenied"
        assert s3.get_object(Bucket=bucket, Key="a", VersionId=identifier)["Body"].read() == b"1"

    def test_plain_moto_shortens_it(self, moto: S3Ground) -> None:
        s3, bucket, _, until = locked(moto)
        assert retain(s3, bucket, "COMPLIANCE", until - timedelta(hours=1)) == ""


class TestGovernance:
    def test_it_is_bypassed_only_by_who_says_so(self, ground: S3Ground) -> None:
        s3, bucket, identifier, until = locked(ground, "GOVERNANCE")
        version = {"Bucket": bucket, "Key": "a", "VersionId": identifier}
        for more in ({}, {"BypassGovernanceRetention": False}):
            assert refusal(s3.delete_object, **version, **more) == "AccessDenied"
            assert retain(s3, bucket, "GOVERNANCE", until - timedelta(hours=1), **more) == "AccessDenied"
        assert retain(s3, bucket, "GOVERNANCE", until + DAY) == ""
        assert retain(s3, bucket, "GOVERNANCE", until - timedelta(hours=1), BypassGovernanceRetention=True) == ""
        assert refusal(s3.delete_object, **version, BypassGovernanceRetention=True) == ""

    def test_it_is_bypassed_only_by_who_may(self, ground: S3Ground) -> None:
        aws = ground.simulated()
        _, bucket, identifier, until = locked(ground, "GOVERNANCE")
        arns = f"arn:aws:s3:::{bucket}/*"
        plain = as_role(aws, allow(["s3:DeleteObjectVersion", "s3:PutObjectRetention"], arns)).client("s3")
        version = {"Bucket": bucket, "Key": "a", "VersionId": identifier, "BypassGovernanceRetention": True}
        assert refusal(plain.delete_object, **version) == "AccessDenied"
        shorter = until - timedelta(hours=1)
        assert retain(plain, bucket, "GOVERNANCE", shorter, BypassGovernanceRetention=True) == "AccessDenied"
        able = as_role(
            aws,
            allow(["s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"], arns),
            name="able",
        ).client("s3")
        assert refusal(able.delete_object, **version) == ""

    def test_of_several_each_is_judged_by_itself(self, ground: S3Ground) -> None:
        s3, bucket, identifier, _ = locked(ground, "GOVERNANCE")
        free = s3.put_object(Bucket=bucket, Key="free", Body=b"")["VersionId"]
        objects = [{"Key": "a", "VersionId": identifier}, {"Key": "free", "VersionId": free}, {"Key": "a"}]
        for more, denied in (
            ({}, 1),
            ({"BypassGovernanceRetention": False}, 1),
            ({"BypassGovernanceRetention": True}, 0),
        ):
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects}, **more)
            errors = answer.get("Errors", [])
            assert [(one["Key"], one["VersionId"], one["Code"]) for one in errors] == [
                ("a", identifier, "AccessDenied")
            ] * denied
            assert len(answer["Deleted"]) == 3 - denied

    def test_plain_moto_takes_false_for_true(self, moto: S3Ground) -> None:
        s3, bucket, identifier, _ = locked(moto, "GOVERNANCE")
        version = {"Bucket": bucket, "Key": "a", "VersionId": identifier}
        assert refusal(s3.delete_object, **version) == "AccessDenied"
        assert refusal(s3.delete_object, **version, BypassGovernanceRetention=False) == ""


class TestLegalHold:
    def test_it_holds_until_it_is_taken_off_whatever_the_mode(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, locked=True)
        identifier = s3.put_object(Bucket=bucket, Key="a", Body=b"1", ObjectLockLegalHoldStatus="ON")["VersionId"]
        version = {"Bucket": bucket, "Key": "a", "VersionId": identifier}
        assert s3.head_object(**version)["ObjectLockLegalHoldStatus"] == "ON"
        assert refusal(s3.delete_object, **version, BypassGovernanceRetention=True) == "AccessDenied"
        s3.put_object_legal_hold(**version, LegalHold={"Status": "OFF"})
        assert s3.get_object_legal_hold(**version)["LegalHold"]["Status"] == "OFF"
        assert refusal(s3.delete_object, **version) == ""

    def test_what_was_never_held_says_so(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket, plain = ground.bucket(s3, locked=True), ground.bucket(s3)
        for name in (bucket, plain):
            s3.put_object(Bucket=name, Key="a", Body=b"1")
        none = "NoSuchObjectLockConfiguration"
        assert refusal(s3.get_object_legal_hold, Bucket=bucket, Key="a") == none
        assert refusal(s3.get_object_retention, Bucket=bucket, Key="a") == none
        assert refusal(s3.get_object_legal_hold, Bucket=plain, Key="a") == "InvalidRequest"
        assert refusal(s3.get_object_retention, Bucket=plain, Key="a") == "InvalidRequest"
        assert refusal(s3.put_object_legal_hold, Bucket=plain, Key="a", LegalHold={"Status": "ON"}) == "InvalidRequest"
        assert refusal(s3.get_object_retention, Bucket=bucket, Key="b") == "NoSuchKey"

    def test_plain_moto_fails_when_asked_for_a_retention(self, moto: S3Ground) -> None:
        _, bucket, _, _ = locked(moto)
        once = moto.client(retries={"total_max_attempts": 1})
        assert refusal(once.get_object_retention, Bucket=bucket, Key="a") == "500"


class TestDefaults:
    def rule(self, mode: str = "GOVERNANCE", **period: int) -> dict[str, Any]:
        return {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": mode, **period}}}

    def test_the_bucket_s_default_is_on_puts_copies_and_multipart_uploads(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, locked=True)
        source = ground.bucket(s3)
        s3.put_object(Bucket=source, Key="a", Body=b"1")
        s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=self.rule("COMPLIANCE", Days=3))
        before = now(ground)
        s3.put_object(Bucket=bucket, Key="put", Body=b"1")
        s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{source}/a")
        upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
        where = {"Bucket": bucket, "Key": "parts", "UploadId": upload}
        etag = s3.upload_part(**where, PartNumber=1, Body=b"part")["ETag"]
        s3.complete_multipart_upload(**where, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
        for key in ("put", "copy", "parts"):
            head = s3.head_object(Bucket=bucket, Key=key)
            assert head["ObjectLockMode"] == "COMPLIANCE"
            assert timedelta(0) <= head["ObjectLockRetainUntilDate"] - before - 3 * DAY < timedelta(minutes=1)
            identifier = head["VersionId"]
            assert refusal(s3.delete_object, Bucket=bucket, Key=key, VersionId=identifier) == "AccessDenied"

    def test_what_a_call_asks_for_goes_before_the_default(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, locked=True)
        s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=self.rule("COMPLIANCE", Years=1))
        until = now(ground) + DAY
        more: Any = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}
        s3.put_object(Bucket=bucket, Key="a", Body=b"1", **more)
        assert retention_of(s3, bucket) == ("GOVERNANCE", until)
        s3.put_object(Bucket=bucket, Key="a", Body=b"2", ObjectLockLegalHoldStatus="ON")
        mode, ends = retention_of(s3, bucket)
        assert mode == "COMPLIANCE"
        assert abs(ends - now(ground) - YEAR) < timedelta(minutes=1)

    def test_a_copy_does_not_take_the_lock_of_its_source_along(self, ground: S3Ground) -> None:
        s3, bucket, _, _ = locked(ground)
        s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/a")
        assert "ObjectLockMode" not in s3.head_object(Bucket=bucket, Key="copy")

    def test_it_reads_back_as_it_was_set_and_can_be_taken_off(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, locked=True)
        for rule in (self.rule(Days=1), self.rule("COMPLIANCE", Years=2), {"ObjectLockEnabled": "Enabled"}):
            s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=rule)
            assert s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"] == rule

    @pytest.mark.parametrize(
        "configuration",
        [
            {},
            {"ObjectLockEnabled": "Enabled", "Rule": {}},
            {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE"}}},
            {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "BAD", "Days": 1}}},
            {
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1, "Years": 1}},
            },
        ],
    )
    def test_a_rule_that_is_none_is_malformed(self, ground: S3Ground, configuration: dict[str, Any]) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, locked=True)
        called = s3.put_object_lock_configuration
        assert refusal(called, Bucket=bucket, ObjectLockConfiguration=configuration) == "MalformedXML"

    def test_plain_moto_leaves_multipart_uploads_without_it(self, moto: S3Ground) -> None:
        s3 = moto.client()
        bucket = moto.bucket(s3, locked=True)
        s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=self.rule("COMPLIANCE", Days=3))
        upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
        where = {"Bucket": bucket, "Key": "parts", "UploadId": upload}
        etag = s3.upload_part(**where, PartNumber=1, Body=b"part")["ETag"]
        s3.complete_multipart_upload(**where, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
        assert "ObjectLockMode" not in s3.head_object(Bucket=bucket, Key="parts")


class TestBuckets:
    def test_the_versioning_of_a_locked_bucket_cannot_be_suspended(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, locked=True)
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
        called = s3.put_bucket_versioning
        assert refusal(called, Bucket=bucket, VersioningConfiguration=SUSPENDED) == "InvalidBucketState"
        assert refusal(called, Bucket=bucket, VersioningConfiguration=ENABLED) == ""

    def test_plain_moto_suspends_it_and_then_destroys(self, moto: S3Ground) -> None:
        s3, bucket, identifier, _ = locked(moto)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=SUSPENDED)
        s3.put_object(Bucket=bucket, Key="a", Body=b"mangled")
        assert identifier not in [one[1] for one in versions(s3, bucket)]

    def test_a_versioned_bucket_with_objects_can_be_locked_later(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        enabled = {"ObjectLockEnabled": "Enabled"}
        none = "ObjectLockConfigurationNotFoundError"
        assert refusal(s3.get_object_lock_configuration, Bucket=bucket) == none
        called = s3.put_object_lock_configuration
        assert refusal(called, Bucket=bucket, ObjectLockConfiguration=enabled) == "InvalidBucketState"
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=ENABLED)
        s3.put_object(Bucket=bucket, Key="a", Body=b"1")
        assert refusal(called, Bucket=bucket, ObjectLockConfiguration=enabled) == ""
        assert retain(s3, bucket, "COMPLIANCE", now(ground) + DAY) == ""
        identifier = s3.head_object(Bucket=bucket, Key="a")["VersionId"]
        assert refusal(s3.delete_object, Bucket=bucket, Key="a", VersionId=identifier) == "AccessDenied"

    def test_plain_moto_locks_no_bucket_that_holds_something(self, moto: S3Ground) -> None:
        s3 = moto.client()
        bucket = moto.bucket(s3, versioned=True)
        s3.put_object(Bucket=bucket, Key="a", Body=b"1")
        called = s3.put_object_lock_configuration
        assert refusal(called, Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}) != ""

    def test_a_bucket_with_a_locked_version_cannot_be_emptied(self, ground: S3Ground) -> None:
        s3, bucket, identifier, _ = locked(ground)
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a", "VersionId": identifier}]})
        assert refusal(s3.delete_bucket, Bucket=bucket) == "BucketNotEmpty"


class TestAsking:
    def test_what_is_asked_for_wrongly_is_refused(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket, plain = ground.bucket(s3, locked=True), ground.bucket(s3)
        until = now(ground) + DAY

        def put(name: str = bucket, **more: Any) -> str:
            return refusal(s3.put_object, Bucket=name, Key="a", Body=b"1", **more)

        assert put(ObjectLockMode="GOVERNANCE") == "InvalidArgument"
        assert put(ObjectLockRetainUntilDate=until) == "InvalidArgument"
        assert put(ObjectLockMode="BAD", ObjectLockRetainUntilDate=until) == "InvalidArgument"
        assert put(ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until - 2 * DAY) == "InvalidArgument"
        assert put(plain, ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until) == "InvalidRequest"
        assert put(plain, ObjectLockLegalHoldStatus="ON") == "InvalidRequest"
        assert versions(s3, bucket) == []
        assert put() == ""
        assert retain(s3, bucket, "GOVERNANCE", until - 2 * DAY) == "InvalidArgument"
        half = {"Mode": "GOVERNANCE"}
        assert refusal(s3.put_object_retention, Bucket=bucket, Key="a", Retention=half) == "MalformedXML"

    @pytest.mark.parametrize("said", [True, False])
    def test_bypassing_is_for_buckets_with_object_lock(self, ground: S3Ground, said: bool) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        called = refusal(s3.delete_object, Bucket=bucket, Key="a", BypassGovernanceRetention=said)
        assert called == "InvalidArgument"

    def test_a_locked_put_needs_a_checksum(self, ground: S3Ground) -> None:
        s3 = ground.client(request_checksum_calculation="when_required")
        bucket = ground.bucket(s3, locked=True)
        s3.meta.events.register("before-call.s3.PutObject", _without_checksum)
        more: Any = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": now(ground) + DAY}
        assert refusal(s3.put_object, Bucket=bucket, Key="a", Body=b"1", **more) == "InvalidRequest"

    def test_a_denial_of_one_key_lets_the_others_be_deleted(self, ground: S3Ground) -> None:
        aws = ground.simulated()
        s3 = ground.client(ONE)
        bucket = ground.bucket(s3)
        for key in ("mine/a", "theirs/a & b"):
            s3.put_object(Bucket=bucket, Key=key, Body=b"1")
        everything = f"arn:aws:s3:::{bucket}/*"
        some = as_role(
            aws, allow("s3:DeleteObject", everything), deny("s3:DeleteObject", f"arn:aws:s3:::{bucket}/theirs/*")
        ).client("s3")
        objects = [{"Key": "mine/a"}, {"Key": "theirs/a & b"}]
        answer = some.delete_objects(Bucket=bucket, Delete={"Objects": objects})
        assert [one["Key"] for one in answer["Deleted"]] == ["mine/a"]
        assert [(one["Key"], one["Code"]) for one in answer["Errors"]] == [("theirs/a & b", "AccessDenied")]
        assert [key for key, *_ in versions(s3, bucket)] == ["theirs/a & b"]


def _without_checksum(params: dict[str, Any], **_: Any) -> None:
    for name in [
        one for one in params["headers"] if one.lower().startswith(("content-md5", "x-amz-checksum", "x-amz-sdk"))
    ]:
        del params["headers"][name]
