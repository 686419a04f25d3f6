"""Versions and delete markers: enabled, suspended, neither. Source: S3 user guide, How S3 Versioning works."""

from __future__ import annotations

from typing import Any

import pytest

from drills.simulator.s3 import changes
from drills.simulator.s3.changes import ObjectChange
from drills.simulator.s3.versions import Version
from tests.simulator.s3.endpoint import ENABLED, ONE, SUSPENDED, TWO, S3Ground, body, refusal, refused, versions


def suspend(client: Any, bucket: str) -> None:
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=SUSPENDED)


def put(client: Any, bucket: str, content: bytes, key: str = "a") -> str:
    return str(client.put_object(Bucket=bucket, Key=key, Body=content).get("VersionId", ""))


class TestNever:
    def test_a_put_replaces_and_a_deletion_is_final(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        assert put(s3, bucket, b"1") == ""
        assert put(s3, bucket, b"2") == ""
        assert versions(s3, bucket) == [("a", "null", True, False)]
        answer = s3.delete_object(Bucket=bucket, Key="a")
        assert "DeleteMarker" not in answer
        assert "VersionId" not in answer
        assert versions(s3, bucket) == []

    def test_only_the_null_version_can_be_named(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket, other = ground.bucket(s3), ground.bucket(s3, versioned=True)
        put(s3, bucket, b"1")
        identifier = put(s3, other, b"1")
        assert body(s3, bucket, "a", VersionId="null") == b"1"
        assert refusal(s3.get_object, Bucket=bucket, Key="a", VersionId=identifier) == "InvalidArgument"
        s3.delete_object(Bucket=bucket, Key="a", VersionId="null")
        assert refusal(s3.get_object, Bucket=bucket, Key="a") == "NoSuchKey"

    def test_deleting_what_is_not_there_goes_well(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        assert s3.delete_object(Bucket=bucket, Key="nothing")["ResponseMetadata"]["HTTPStatusCode"] == 204


class TestEnabled:
    def test_every_write_is_kept_and_the_latest_is_the_last_written(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, versioned=True)
        written = [put(s3, bucket, str(n).encode()) for n in range(5)]
        assert len(set(written)) == 5
        listed = s3.list_object_versions(Bucket=bucket)["Versions"]
        assert [one["VersionId"] for one in listed] == written[::-1]
        assert [one["IsLatest"] for one in listed] == [True, False, False, False, False]
        assert body(s3, bucket, "a") == b"4"
        assert [body(s3, bucket, "a", VersionId=one) for one in written] == [b"0", b"1", b"2", b"3", b"4"]

    def test_what_was_there_before_is_the_null_version(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        put(s3, bucket, b"before")
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=ENABLED)
        assert s3.head_object(Bucket=bucket, Key="a")["VersionId"] == "null"
        later = put(s3, bucket, b"after")
        assert [one[1] for one in versions(s3, bucket)] == [later, "null"]
        assert body(s3, bucket, "a", VersionId="null") == b"before"

    def test_a_deletion_writes_a_marker_and_taking_it_away_undeletes(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, versioned=True)
        first = put(s3, bucket, b"1")
        deleted = s3.delete_object(Bucket=bucket, Key="a")
        assert deleted["DeleteMarker"] is True
        marker = deleted["VersionId"]
        assert versions(s3, bucket) == [("a", marker, True, True), ("a", first, False, False)]
        gone = refused(s3.get_object, Bucket=bucket, Key="a")
        assert gone["Error"]["Code"] == "NoSuchKey"
        headers = gone["ResponseMetadata"]["HTTPHeaders"]
        assert (headers["x-amz-delete-marker"], headers["x-amz-version-id"]) == ("true", marker)
        named = refused(s3.get_object, Bucket=bucket, Key="a", VersionId=marker)
        assert (named["Error"]["Code"], named["ResponseMetadata"]["HTTPHeaders"]["allow"]) == (
            "MethodNotAllowed",
            "DELETE",
        )
        taken = s3.delete_object(Bucket=bucket, Key="a", VersionId=marker)
        assert (taken["DeleteMarker"], taken["VersionId"]) == (True, marker)
        assert body(s3, bucket, "a") == b"1"
        assert versions(s3, bucket) == [("a", first, True, False)]

    def test_a_marker_is_written_for_a_key_that_never_was(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, versioned=True)
        marker = s3.delete_object(Bucket=bucket, Key="never")["VersionId"]
        assert versions(s3, bucket) == [("never", marker, True, True)]

    def test_a_version_deleted_makes_the_one_before_it_the_latest(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, versioned=True)
        first, second = put(s3, bucket, b"1"), put(s3, bucket, b"2")
        answer = s3.delete_object(Bucket=bucket, Key="a", VersionId=second)
        assert answer["VersionId"] == second
        assert "DeleteMarker" not in answer
        assert body(s3, bucket, "a") == b"1"
        assert versions(s3, bucket) == [("a", first, True, False)]

    def test_ids_that_never_were_are_invalid_and_deleted_ones_unknown(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, versioned=True)
        gone = put(s3, bucket, b"1")
        s3.delete_object(Bucket=bucket, Key="a", VersionId=gone)
        assert refusal(s3.get_object, Bucket=bucket, Key="a", VersionId=gone) == "NoSuchVersion"
        assert s3.delete_object(Bucket=bucket, Key="a", VersionId=gone)["ResponseMetadata"]["HTTPStatusCode"] == 204
        made_up = "HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD"
        assert refusal(s3.get_object, Bucket=bucket, Key="a", VersionId=made_up) == "InvalidArgument"
        assert refusal(s3.delete_object, Bucket=bucket, Key="a", VersionId=made_up) == "InvalidArgument"

    def test_several_are_deleted_at_once(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, versioned=True)
        first, second = put(s3, bucket, b"1"), put(s3, bucket, b"1", "b")
        marked = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a"}, {"Key": "new & old"}]})["Deleted"]
        assert [(one["Key"], one["DeleteMarker"]) for one in marked] == [("a", True), ("new & old", True)]
        marker = marked[0]["DeleteMarkerVersionId"]
        wanted = [{"Key": "a", "VersionId": marker}, {"Key": "b", "VersionId": second}]
        deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": wanted})["Deleted"]
        assert deleted[0]["DeleteMarkerVersionId"] == marker
        assert deleted[1] == {"Key": "b", "VersionId": second}
        assert body(s3, bucket, "a", VersionId=first) == b"1"
        quiet = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a"}], "Quiet": True})
        assert "Deleted" not in quiet

    def test_what_deletes_too_much_or_nothing_is_malformed(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        many = {"Objects": [{"Key": str(n)} for n in range(1001)]}
        assert refusal(s3.delete_objects, Bucket=bucket, Delete=many) == "MalformedXML"


class TestSuspended:
    """A put replaces the null version and a deletion writes a null marker; what is older is kept."""

    @pytest.fixture
    def kept(self, ground: S3Ground) -> tuple[Any, str, str]:
        s3 = ground.client()
        bucket = ground.bucket(s3, versioned=True)
        identifier = put(s3, bucket, b"kept")
        suspend(s3, bucket)
        return s3, bucket, identifier

    def test_a_put_keeps_what_is_older(self, kept: tuple[Any, str, str]) -> None:
        s3, bucket, older = kept
        # A put does not tell that it wrote the null version; reading tells it.
        assert put(s3, bucket, b"1") == ""
        assert put(s3, bucket, b"2") == ""
        assert s3.head_object(Bucket=bucket, Key="a")["VersionId"] == "null"
        assert versions(s3, bucket) == [("a", "null", True, False), ("a", older, False, False)]
        assert body(s3, bucket, "a") == b"2"
        assert body(s3, bucket, "a", VersionId=older) == b"kept"

    def test_a_deletion_writes_one_null_marker_in_place_of_the_null_version(self, kept: tuple[Any, str, str]) -> None:
        s3, bucket, older = kept
        put(s3, bucket, b"lost")
        for _ in range(2):
            answer = s3.delete_object(Bucket=bucket, Key="a")
            assert (answer["DeleteMarker"], answer["VersionId"]) == (True, "null")
            assert versions(s3, bucket) == [("a", "null", True, True), ("a", older, False, False)]
        put(s3, bucket, b"again")
        assert versions(s3, bucket) == [("a", "null", True, False), ("a", older, False, False)]

    def test_a_null_version_between_others_gives_its_place_up(self, kept: tuple[Any, str, str]) -> None:
        s3, bucket, older = kept
        put(s3, bucket, b"null")
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=ENABLED)
        newer = put(s3, bucket, b"newer")
        assert [one["VersionId"] for one in s3.list_object_versions(Bucket=bucket)["Versions"]] == [
            newer,
            "null",
            older,
        ]
        suspend(s3, bucket)
        put(s3, bucket, b"null again")
        assert [one["VersionId"] for one in s3.list_object_versions(Bucket=bucket)["Versions"]] == [
            "null",
            newer,
            older,
        ]

    def test_copies_and_multipart_uploads_are_null_versions_too(self, kept: tuple[Any, str, str]) -> None:
        s3, bucket, older = kept
        copied = s3.copy_object(Bucket=bucket, Key="a", CopySource={"Bucket": bucket, "Key": "a", "VersionId": older})
        assert copied["VersionId"] == "null"
        upload = s3.create_multipart_upload(Bucket=bucket, Key="a")["UploadId"]
        where = {"Bucket": bucket, "Key": "a", "UploadId": upload}
        etag = s3.upload_part(**where, PartNumber=1, Body=b"part")["ETag"]
        done = s3.complete_multipart_upload(**where, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
        assert done["VersionId"] == "null"
        assert [one[1] for one in versions(s3, bucket)] == ["null", older]
        assert body(s3, bucket, "a", VersionId=older) == b"kept"

    def test_plain_moto_destroys_what_is_older(self, moto: S3Ground) -> None:
        s3 = moto.client()
        bucket = moto.bucket(s3, versioned=True)
        older = put(s3, bucket, b"kept")
        suspend(s3, bucket)
        put(s3, bucket, b"1")
        assert [one[1] for one in versions(s3, bucket)] == ["null"]
        assert older not in [one[1] for one in versions(s3, bucket)]

    def test_plain_moto_deletes_for_good(self, moto: S3Ground) -> None:
        s3 = moto.client()
        bucket = moto.bucket(s3, versioned=True)
        put(s3, bucket, b"kept")
        suspend(s3, bucket)
        s3.delete_object(Bucket=bucket, Key="a")
        assert versions(s3, bucket) == []


class TestBuckets:
    def test_the_setting_reads_back_and_takes_two_words_only(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
        suspend(s3, bucket)
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Suspended"
        wrong = refusal(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={"Status": "enabled"})
        assert wrong == "MalformedXML"
        none = refusal(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={})
        assert none == "IllegalVersioningConfigurationException"

    def test_versions_and_markers_keep_a_bucket_from_being_deleted(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, versioned=True)
        identifier = put(s3, bucket, b"1")
        marker = s3.delete_object(Bucket=bucket, Key="a")["VersionId"]
        for left in (identifier, marker):
            assert refusal(s3.delete_bucket, Bucket=bucket) == "BucketNotEmpty"
            s3.delete_object(Bucket=bucket, Key="a", VersionId=left)
        s3.delete_bucket(Bucket=bucket)
        assert refusal(s3.list_objects_v2, Bucket=bucket) == "NoSuchBucket"

    def test_another_account_can_take_the_name_of_a_deleted_bucket(self, ground: S3Ground) -> None:
        aws = ground.simulated()
        mine, theirs = aws.session(ONE).client("s3"), aws.session(TWO).client("s3")
        mine.create_bucket(Bucket="name-of-both")
        mine.put_bucket_tagging(Bucket="name-of-both", Tagging={"TagSet": [{"Key": "of", "Value": "one"}]})
        assert refusal(theirs.create_bucket, Bucket="name-of-both") == "BucketAlreadyExists"
        mine.delete_bucket(Bucket="name-of-both")
        theirs.create_bucket(Bucket="name-of-both")
        assert [one["Name"] for one in theirs.list_buckets()["Buckets"]] == ["name-of-both"]
        assert mine.list_buckets()["Buckets"] == []
        assert refusal(mine.put_object, Bucket="name-of-both", Key="a", Body=b"") == "AccessDenied"

    def test_a_bucket_made_again_has_nothing_of_the_one_before(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, versioned=True)
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
        s3.delete_bucket(Bucket=bucket)
        s3.create_bucket(Bucket=bucket)
        assert refusal(s3.get_bucket_tagging, Bucket=bucket) == "NoSuchTagSet"
        assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)

    def test_plain_moto_keeps_the_tags_of_a_deleted_bucket(self, moto: S3Ground) -> None:
        s3 = moto.client()
        bucket = moto.bucket(s3)
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
        s3.delete_bucket(Bucket=bucket)
        s3.create_bucket(Bucket=bucket)
        assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "a", "Value": "b"}]


class TestSeam:
    """What is told to those who listen."""

    @pytest.fixture
    def told(self, ground: S3Ground) -> list[ObjectChange]:
        ground.simulated()
        found: list[ObjectChange] = []
        changes.observers.append(found.append)
        return found

    def test_every_way_to_write_is_told_with_all_that_belongs_to_it(
        self, ground: S3Ground, told: list[ObjectChange]
    ) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, versioned=True)
        seen: list[tuple[Any, ...]] = []
        changes.observers.append(
            lambda one: seen.append((dict(one.version.tags), one.version.metadata.get("x-amz-meta-m")))
        )
        s3.put_object(Bucket=bucket, Key="put", Body=b"1", Metadata={"m": "1"}, Tagging="t=1")
        s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/put")
        upload = s3.create_multipart_upload(Bucket=bucket, Key="parts", Metadata={"m": "1"}, Tagging="t=1")["UploadId"]
        where = {"Bucket": bucket, "Key": "parts", "UploadId": upload}
        etag = s3.upload_part(**where, PartNumber=1, Body=b"part")["ETag"]
        s3.complete_multipart_upload(**where, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
        assert [(one.kind, one.key, one.cause, one.account) for one in told] == [
            ("put", "put", "user", ONE),
            ("put", "copy", "user", ONE),
            ("put", "parts", "user", ONE),
        ]
        assert seen == [({"t": "1"}, "1")] * 3

    def test_markers_and_deletions_are_told(self, ground: S3Ground, told: list[ObjectChange]) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, versioned=True)
        written = put(s3, bucket, b"1")
        marker = s3.delete_object(Bucket=bucket, Key="a")["VersionId"]
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a", "VersionId": written}]})
        assert [(one.kind, one.version_id) for one in told] == [
            ("put", written),
            ("marker", marker),
            ("version_deleted", written),
        ]

    def test_a_refused_call_is_not_told(self, ground: S3Ground, told: list[ObjectChange]) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        assert refusal(s3.put_object, Bucket=bucket, Key="a", Body=b"1", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")
        assert told == []

    def test_a_replica_that_comes_late_takes_its_place_in_the_order_of_writing(self, ground: S3Ground) -> None:
        ground.simulated()
        s3 = ground.client()
        source, target = ground.bucket(s3, versioned=True), ground.bucket(s3, versioned=True)
        older, newer = put(s3, source, b"older"), put(s3, source, b"newer")
        held = changes.bucket_named(target)
        assert held is not None
        for identifier, content in ((newer, b"newer"), (older, b"older")):
            changes.write(held, Version(held, "a", content), cause="replica", keeping_id=identifier)
        assert [one["VersionId"] for one in s3.list_object_versions(Bucket=target)["Versions"]] == [newer, older]
        assert body(s3, target, "a") == b"newer"

    def test_the_clock_stands_still_while_versions_are_written(self, ground: S3Ground) -> None:
        aws = ground.simulated()
        s3 = ground.client()
        bucket = ground.bucket(s3, versioned=True)
        before = aws.clock.now()
        written = [put(s3, bucket, str(n).encode()) for n in range(20)]
        assert aws.clock.now() == before
        assert [one["VersionId"] for one in s3.list_object_versions(Bucket=bucket)["Versions"]] == written[::-1]
