"""Objects beside their versions: multipart uploads, copies, conditions, ranges, tags. Source: S3 API reference."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest

from tests.simulator.policies import document
from tests.simulator.s3.endpoint import ONE, TWO, S3Ground, body, refusal, refused, versions

PART = 5 * 1024 * 1024


def begin(client: Any, bucket: str, key: str = "mp", **more: Any) -> dict[str, Any]:
    upload = client.create_multipart_upload(Bucket=bucket, Key=key, **more)["UploadId"]
    return {"Bucket": bucket, "Key": key, "UploadId": upload}


def upload(client: Any, where: dict[str, Any], number: int, content: bytes) -> dict[str, Any]:
    etag = client.upload_part(**where, PartNumber=number, Body=content)["ETag"]
    return {"PartNumber": number, "ETag": etag}


def complete(client: Any, where: dict[str, Any], *parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = client.complete_multipart_upload(**where, MultipartUpload={"Parts": list(parts)}, **more)
    return answer


class TestMultipart:
    def test_parts_are_put_together_in_their_order_whatever_order_they_came_in(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        where = begin(
            s3, bucket, ContentType="text/plain", Metadata={"m": "1"}, Tagging="t=1", StorageClass="STANDARD_IA"
        )
        contents = {2: b"a" * PART, 7: b"b" * PART, 9: b"end"}
        parts = {number: upload(s3, where, number, contents[number]) for number in (9, 2, 7)}
        assert [one["PartNumber"] for one in s3.list_parts(**where)["Parts"]] == [2, 7, 9]
        page = s3.list_parts(**where, MaxParts=1, PartNumberMarker=2)
        assert (page["Parts"][0]["PartNumber"], page["IsTruncated"], page["NextPartNumberMarker"]) == (7, True, 7)
        done = complete(s3, where, parts[2], parts[7], parts[9])
        md5s = b"".join(hashlib.md5(contents[number]).digest() for number in (2, 7, 9))
        assert done["ETag"] == f'"{hashlib.md5(md5s).hexdigest()}-3"'
        assert body(s3, bucket, "mp") == contents[2] + contents[7] + contents[9]
        head = s3.head_object(Bucket=bucket, Key="mp")
        assert (head["ContentType"], head["Metadata"], head["StorageClass"]) == (
            "text/plain",
            {"m": "1"},
            "STANDARD_IA",
        )
        assert s3.get_object_tagging(Bucket=bucket, Key="mp")["TagSet"] == [{"Key": "t", "Value": "1"}]
        sizes = [s3.head_object(Bucket=bucket, Key="mp", PartNumber=n)["ContentLength"] for n in (1, 2, 3)]
        assert sizes == [PART, PART, 3]
        assert refusal(s3.head_object, Bucket=bucket, Key="mp", PartNumber=4) == "416"
        assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)

    def test_nothing_is_there_before_it_is_complete(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, versioned=True)
        where = begin(s3, bucket)
        upload(s3, where, 1, b"1")
        assert versions(s3, bucket) == []
        s3.abort_multipart_upload(**where)
        assert refusal(s3.list_parts, **where) == "NoSuchUpload"

    def test_what_does_not_fit_is_refused_and_the_upload_goes_on(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        where = begin(s3, bucket)
        one, two = upload(s3, where, 1, b"small"), upload(s3, where, 2, b"also small")
        assert refusal(complete, s3, where, two, one) == "InvalidPartOrder"
        assert refusal(complete, s3, where, {**one, "ETag": two["ETag"]}) == "InvalidPart"
        assert refusal(complete, s3, where, one, {**two, "PartNumber": 3}) == "InvalidPart"
        assert refusal(complete, s3, where, one, two) == "EntityTooSmall"
        assert refusal(complete, s3, {**where, "Key": "other"}, one) == "NoSuchUpload"
        assert refusal(s3.upload_part, **where, PartNumber=10_001, Body=b"") == "InvalidArgument"
        assert complete(s3, where, one)["Key"] == "mp"
        assert body(s3, bucket, "mp") == b"small"

    def test_parts_can_be_copied(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        s3.put_object(Bucket=bucket, Key="a", Body=b"0123456789")
        where = begin(s3, bucket)
        source = {**where, "CopySource": f"{bucket}/a", "PartNumber": 1}
        assert refusal(s3.upload_part_copy, **source, CopySourceRange="bytes=5-10") == "InvalidArgument"
        assert refusal(s3.upload_part_copy, **source, CopySourceRange="bytes=10-12") == "InvalidRequest"
        copied = s3.upload_part_copy(**source, CopySourceRange="bytes=2-5")["CopyPartResult"]
        complete(s3, where, {"PartNumber": 1, "ETag": copied["ETag"]})
        assert body(s3, bucket, "mp") == b"2345"

    def test_plain_moto_takes_a_bad_part_number_range_for_what_is_there(self, moto: S3Ground) -> None:
        s3 = moto.client()
        bucket = moto.bucket(s3)
        s3.put_object(Bucket=bucket, Key="a", Body=b"0123456789")
        source = {**begin(s3, bucket), "CopySource": f"{bucket}/a", "PartNumber": 1}
        assert refusal(s3.upload_part_copy, **source, CopySourceRange="bytes=5-10") == ""


class TestCopies:
    def source(self, ground: S3Ground) -> tuple[Any, str]:
        s3 = ground.client()
        bucket = ground.bucket(s3, versioned=True)
        more = {
            "ContentType": "text/plain",
            "CacheControl": "no-cache",
            "Metadata": {"m": "1"},
            "Tagging": "t=1&u=a%20b",
        }
        s3.put_object(Bucket=bucket, Key="a", Body=b"1", StorageClass="STANDARD_IA", **more)
        return s3, bucket

    def test_metadata_and_tags_come_along_class_and_acl_do_not(self, ground: S3Ground) -> None:
        s3, bucket = self.source(ground)
        s3.copy_object(Bucket=bucket, Key="b", CopySource=f"{bucket}/a")
        head = s3.head_object(Bucket=bucket, Key="b")
        assert (head["ContentType"], head["CacheControl"], head["Metadata"]) == ("text/plain", "no-cache", {"m": "1"})
        assert "StorageClass" not in head
        tags = {one["Key"]: one["Value"] for one in s3.get_object_tagging(Bucket=bucket, Key="b")["TagSet"]}
        assert tags == {"t": "1", "u": "a b"}

    def test_both_can_be_replaced(self, ground: S3Ground) -> None:
        s3, bucket = self.source(ground)
        new: Any = {
            "MetadataDirective": "REPLACE",
            "TaggingDirective": "REPLACE",
            "Metadata": {"n": "2"},
            "Tagging": "v=2",
        }
        s3.copy_object(Bucket=bucket, Key="b", CopySource=f"{bucket}/a", **new)
        head = s3.head_object(Bucket=bucket, Key="b")
        assert (head["ContentType"], head["Metadata"]) == ("binary/octet-stream", {"n": "2"})
        assert s3.get_object_tagging(Bucket=bucket, Key="b")["TagSet"] == [{"Key": "v", "Value": "2"}]

    def test_a_version_is_copied_by_its_id_to_undo_what_came_after_it(self, ground: S3Ground) -> None:
        s3, bucket = self.source(ground)
        good = s3.head_object(Bucket=bucket, Key="a")["VersionId"]
        s3.put_object(Bucket=bucket, Key="a", Body=b"mangled")
        marker = s3.delete_object(Bucket=bucket, Key="a")["VersionId"]
        source = {"Bucket": bucket, "Key": "a", "VersionId": good}
        answer = s3.copy_object(Bucket=bucket, Key="a", CopySource=source)
        assert answer["CopySourceVersionId"] == good
        assert body(s3, bucket, "a") == b"1"
        assert len(versions(s3, bucket)) == 4
        deleted = {**source, "VersionId": marker}
        assert refusal(s3.copy_object, Bucket=bucket, Key="a", CopySource=deleted) == "InvalidRequest"

    def test_onto_itself_something_must_change(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        s3.put_object(Bucket=bucket, Key="a", Body=b"1")
        itself = {"Bucket": bucket, "Key": "a", "CopySource": f"{bucket}/a"}
        assert refusal(s3.copy_object, **itself) == "InvalidRequest"
        s3.copy_object(**itself, MetadataDirective="REPLACE", Metadata={"m": "1"})
        assert s3.head_object(Bucket=bucket, Key="a")["Metadata"] == {"m": "1"}

    def test_what_is_not_there_is_not_copied(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        assert refusal(s3.copy_object, Bucket=bucket, Key="b", CopySource=f"{bucket}/a") == "NoSuchKey"
        assert refusal(s3.copy_object, Bucket=bucket, Key="b", CopySource="drills-no-such-bucket/a") == "NoSuchBucket"

    @pytest.mark.parametrize("key", ["a/b//c", "/a", "a+b c", "ü", "a?b", "a%41", "../a"])
    def test_keys_of_all_shapes_are_copied(self, ground: S3Ground, key: str) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        s3.put_object(Bucket=bucket, Key=key, Body=b"1")
        s3.copy_object(Bucket=bucket, Key=f"copy/{key}", CopySource={"Bucket": bucket, "Key": key})
        assert body(s3, bucket, f"copy/{key}") == b"1"

    def test_other_regions_and_accounts_are_reached_with_tags_and_all(self, ground: S3Ground) -> None:
        aws = ground.simulated()
        ours, bucket = self.source(ground)
        theirs = aws.session(TWO, "eu-west-1").client("s3")
        target = ground.bucket(theirs, region="eu-west-1", versioned=True)
        principal = {"AWS": f"arn:aws:iam::{TWO}:root"}
        everything = {
            "Effect": "Allow",
            "Principal": principal,
            "Action": "s3:*",
            "Resource": f"arn:aws:s3:::{bucket}/*",
        }
        ours.put_bucket_policy(Bucket=bucket, Policy=document(everything))
        theirs.copy_object(Bucket=target, Key="b", CopySource=f"{bucket}/a")
        assert body(theirs, target, "b") == b"1"
        wanted = {"t": "1", "u": "a b"}
        for where, key in ((target, "b"), (bucket, "a")):
            tags = theirs.get_object_tagging(Bucket=where, Key=key)["TagSet"]
            assert {one["Key"]: one["Value"] for one in tags} == wanted
        theirs.put_object_tagging(Bucket=bucket, Key="a", Tagging={"TagSet": [{"Key": "by", "Value": "them"}]})
        assert ours.get_object_tagging(Bucket=bucket, Key="a")["TagSet"] == [{"Key": "by", "Value": "them"}]

    def test_plain_moto_loses_tags_between_accounts(self, moto: S3Ground, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MOTO_ACCOUNT_ID", ONE)
        s3 = moto.client()
        bucket = moto.bucket(s3)
        s3.put_object(Bucket=bucket, Key="a", Body=b"1", Tagging="t=1")
        monkeypatch.setenv("MOTO_ACCOUNT_ID", TWO)
        assert s3.get_object_tagging(Bucket=bucket, Key="a")["TagSet"] == []

    def test_conditions_on_the_source(self, ground: S3Ground) -> None:
        s3, bucket = self.source(ground)
        head = s3.head_object(Bucket=bucket, Key="a")
        copy = {"Bucket": bucket, "Key": "b", "CopySource": f"{bucket}/a"}
        failing: list[dict[str, Any]] = [
            {"CopySourceIfMatch": "other"},
            {"CopySourceIfNoneMatch": head["ETag"].strip('"')},
            {"CopySourceIfUnmodifiedSince": head["LastModified"] - timedelta(days=1)},
            {"CopySourceIfModifiedSince": head["LastModified"]},
        ]
        for condition in failing:
            assert refusal(s3.copy_object, **copy, **condition) == "PreconditionFailed"
        s3.copy_object(**copy, CopySourceIfMatch=head["ETag"])


class TestConditions:
    def test_a_put_only_where_there_is_nothing(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, versioned=True)
        put: Any = {"Bucket": bucket, "Key": "a", "Body": b"1", "IfNoneMatch": "*"}
        assert refusal(s3.put_object, **put) == ""
        assert refusal(s3.put_object, **put) == "PreconditionFailed"
        s3.delete_object(Bucket=bucket, Key="a")
        assert refusal(s3.put_object, **put) == ""
        assert refusal(s3.put_object, **{**put, "IfNoneMatch": "etag"}) == "NotImplemented"

    def test_a_put_only_over_what_one_knows(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        assert refusal(s3.put_object, Bucket=bucket, Key="a", Body=b"2", IfMatch="x") == "NoSuchKey"
        etag = s3.put_object(Bucket=bucket, Key="a", Body=b"1")["ETag"]
        assert refusal(s3.put_object, Bucket=bucket, Key="a", Body=b"2", IfMatch="x") == "PreconditionFailed"
        assert refusal(s3.put_object, Bucket=bucket, Key="a", Body=b"2", IfMatch=etag) == ""
        assert refusal(s3.delete_object, Bucket=bucket, Key="a", IfMatch=etag) == "PreconditionFailed"
        assert body(s3, bucket, "a") == b"2"

    def test_a_completion_only_where_nothing_happened_meanwhile(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        where = begin(s3, bucket)
        part = upload(s3, where, 1, b"1")
        s3.put_object(Bucket=bucket, Key="mp", Body=b"meanwhile")
        assert refusal(complete, s3, where, part, IfNoneMatch="*") == "PreconditionFailed"
        s3.delete_object(Bucket=bucket, Key="mp")
        conflict = refused(complete, s3, where, part, IfNoneMatch="*")
        assert conflict["ResponseMetadata"]["HTTPStatusCode"] == 409
        again = begin(s3, bucket)
        complete(s3, again, upload(s3, again, 1, b"1"), IfNoneMatch="*")

    def test_reads(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        etag = s3.put_object(Bucket=bucket, Key="a", Body=b"1")["ETag"]
        modified = s3.head_object(Bucket=bucket, Key="a")["LastModified"]
        read: Any = {"Bucket": bucket, "Key": "a"}
        assert refusal(s3.get_object, **read, IfMatch="other") == "PreconditionFailed"
        assert refusal(s3.get_object, **read, IfNoneMatch=etag) == "304"
        assert refusal(s3.get_object, **read, IfModifiedSince=modified) == "304"
        assert refusal(s3.get_object, **read, IfUnmodifiedSince=modified - timedelta(days=1)) == "PreconditionFailed"
        later = modified - timedelta(days=1)
        assert refusal(s3.get_object, **read, IfMatch=etag, IfUnmodifiedSince=later) == ""


class TestRanges:
    @pytest.mark.parametrize(
        ("asked", "told", "content"),
        [
            ("bytes=0-0", "bytes 0-0/10", b"0"),
            ("bytes=2-5", "bytes 2-5/10", b"2345"),
            ("bytes=7-", "bytes 7-9/10", b"789"),
            ("bytes=7-99", "bytes 7-9/10", b"789"),
            ("bytes=-3", "bytes 7-9/10", b"789"),
            ("bytes=-99", "bytes 0-9/10", b"0123456789"),
            ("bytes=5-2", None, b"0123456789"),
            ("bytes=0-1,3-4", None, b"0123456789"),
            ("lines=1-2", None, b"0123456789"),
        ],
    )
    def test_a_piece_is_read(self, ground: S3Ground, asked: str, told: str | None, content: bytes) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        s3.put_object(Bucket=bucket, Key="a", Body=b"0123456789")
        answer = s3.get_object(Bucket=bucket, Key="a", Range=asked)
        assert (answer.get("ContentRange"), answer["Body"].read()) == (told, content)
        assert s3.head_object(Bucket=bucket, Key="a", Range=asked)["ContentLength"] == len(content)

    def test_a_part_and_a_range_are_not_asked_for_at_once(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        s3.put_object(Bucket=bucket, Key="a", Body=b"0123456789")
        both = {"PartNumber": 1, "Range": "bytes=0-1"}
        assert refusal(s3.get_object, Bucket=bucket, Key="a", **both) == "InvalidRequest"

    @pytest.mark.parametrize(
        ("size", "asked"), [(10, "bytes=10-"), (10, "bytes=-0"), (0, "bytes=0-"), (0, "bytes=0-5")]
    )
    def test_outside_of_the_object_there_is_nothing(self, ground: S3Ground, size: int, asked: str) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        s3.put_object(Bucket=bucket, Key="a", Body=b"x" * size)
        assert refusal(s3.get_object, Bucket=bucket, Key="a", Range=asked) == "InvalidRange"

    def test_nothing_is_an_object_too(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        put = s3.put_object(Bucket=bucket, Key="empty", Body=b"")
        assert put["ETag"] == f'"{hashlib.md5(b"").hexdigest()}"'
        assert body(s3, bucket, "empty") == b""
        assert s3.head_object(Bucket=bucket, Key="empty")["ContentLength"] == 0
        assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["Size"] == 0
        s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/empty")
        where = begin(s3, bucket)
        complete(s3, where, upload(s3, where, 1, b""))
        assert body(s3, bucket, "mp") == b""


class TestTags:
    def test_each_version_has_its_own(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, versioned=True)
        first = s3.put_object(Bucket=bucket, Key="a", Body=b"1", Tagging="t=1")["VersionId"]
        s3.put_object(Bucket=bucket, Key="a", Body=b"2")
        assert s3.get_object_tagging(Bucket=bucket, Key="a")["TagSet"] == []
        s3.put_object_tagging(Bucket=bucket, Key="a", Tagging={"TagSet": [{"Key": "t", "Value": "2"}]})
        older = s3.get_object_tagging(Bucket=bucket, Key="a", VersionId=first)
        assert (older["TagSet"], older["VersionId"]) == ([{"Key": "t", "Value": "1"}], first)
        assert s3.head_object(Bucket=bucket, Key="a")["ResponseMetadata"]["HTTPHeaders"]["x-amz-tagging-count"] == "1"
        s3.delete_object_tagging(Bucket=bucket, Key="a", VersionId=first)
        assert s3.get_object_tagging(Bucket=bucket, Key="a", VersionId=first)["TagSet"] == []
        assert s3.get_object_tagging(Bucket=bucket, Key="a")["TagSet"] == [{"Key": "t", "Value": "2"}]

    def test_a_marker_has_none_named_or_latest(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, versioned=True)
        s3.put_object(Bucket=bucket, Key="a", Body=b"1", Tagging="t=1")
        marker = s3.delete_object(Bucket=bucket, Key="a")["VersionId"]
        tags: Any = {"Tagging": {"TagSet": [{"Key": "t", "Value": "2"}]}}
        for which in ({}, {"VersionId": marker}):
            for call, more in (
                (s3.get_object_tagging, {}),
                (s3.put_object_tagging, tags),
                (s3.delete_object_tagging, {}),
            ):
                assert refusal(call, Bucket=bucket, Key="a", **which, **more) == "MethodNotAllowed"
        assert refusal(s3.get_object_tagging, Bucket=bucket, Key="never") == "NoSuchKey"

    def test_tags_are_of_letters_digits_blanks_and_a_few_signs(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        s3.put_object(Bucket=bucket, Key="a", Body=b"1")
        for key, value, code in (("a,b", "1", "InvalidTag"), ("a", "1,2", "InvalidTag"), ("ü + 1", "=._:/@-", "")):
            tags: Any = {"TagSet": [{"Key": key, "Value": value}]}
            assert refusal(s3.put_object_tagging, Bucket=bucket, Key="a", Tagging=tags) == code

    def test_a_replaced_object_has_none_of_those_before(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        s3.put_object(Bucket=bucket, Key="a", Body=b"1", Tagging="t=1")
        s3.put_object(Bucket=bucket, Key="a", Body=b"2")
        assert s3.get_object_tagging(Bucket=bucket, Key="a")["TagSet"] == []

    def test_too_many_or_twice_are_refused(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        many = "&".join(f"t{n}=1" for n in range(11))
        assert refusal(s3.put_object, Bucket=bucket, Key="a", Body=b"1", Tagging=many) == "BadRequest"
        for wrong in ("t=1&t=2", "t=1,u=2"):
            assert refusal(s3.put_object, Bucket=bucket, Key="a", Body=b"1", Tagging=wrong) == "InvalidArgument"
        assert refusal(s3.head_object, Bucket=bucket, Key="a") == "404"
        s3.put_object(Bucket=bucket, Key="a", Body=b"1", Tagging="t=%3D")
        twice = {"TagSet": [{"Key": "t", "Value": "1"}, {"Key": "t", "Value": "2"}]}
        assert refusal(s3.put_object_tagging, Bucket=bucket, Key="a", Tagging=twice) == "InvalidTag"
        assert s3.get_object_tagging(Bucket=bucket, Key="a")["TagSet"] == [{"Key": "t", "Value": "="}]


def test_a_presigned_upload_and_download_go_the_same_way(ground: S3Ground) -> None:
    requests = pytest.importorskip("requests")
    s3 = ground.client()
    bucket = ground.bucket(s3, versioned=True)
    put = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a b/ü", "Metadata": {"m": "1"}})
    answer = requests.put(put, data=b"1", headers={"x-amz-meta-m": "1"}, timeout=5)
    assert answer.status_code == 200
    assert answer.headers["x-amz-version-id"] == versions(s3, bucket)[0][1]
    get = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b/ü"})
    assert requests.get(get, timeout=5).content == b"1"
    assert s3.head_object(Bucket=bucket, Key="a b/ü")["Metadata"] == {"m": "1"}
