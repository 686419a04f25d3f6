"""Checksums: verified before anything is stored, kept, told. Source: S3 user guide, Checking object integrity."""

from __future__ import annotations

import base64
import hashlib
import io
import zlib
from typing import Any

import pytest

from drills.simulator.s3.changes import bucket_named
from drills.simulator.s3.checksums import ALGORITHMS, encoded
from tests.simulator.s3.endpoint import S3Ground, body, refusal, refused

CONTENT = b"123456789"
KNOWN = {"CRC32": "y/Q5Jg==", "CRC32C": "4waSgw==", "CRC64NVME": "rosUhgp5mIg=", "SHA1": "98O8HYCOBHMq32eZZczDTKeuNEE="}
"""The check values that catalogues of these algorithms give for this content."""
NAMES = sorted(ALGORITHMS)
WHOLE = ["CRC32", "CRC32C", "CRC64NVME"]
"""Those that a multipart upload can have of the whole object."""


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize("name", KNOWN)
def test_the_algorithms_give_their_known_values(name: str) -> None:
    assert encoded(name, CONTENT) == KNOWN[name]


def raw_client(ground: S3Ground) -> Any:
    """A client that adds no checksum of its own."""
    return ground.client(request_checksum_calculation="when_required", response_checksum_validation="when_required")


class TestPut:
    @pytest.mark.parametrize("name", NAMES)
    def test_a_right_one_is_kept_and_told(self, ground: S3Ground, name: str) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        field = f"Checksum{name}"
        value = encoded(name, CONTENT)
        put = s3.put_object(Bucket=bucket, Key="a", Body=CONTENT, **{field: value})
        assert (put[field], put["ChecksumType"]) == (value, "FULL_OBJECT")
        head = raw_client(ground).head_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED")
        assert (head[field], head["ChecksumType"]) == (value, "FULL_OBJECT")
        assert field not in raw_client(ground).head_object(Bucket=bucket, Key="a")
        attributes = s3.get_object_attributes(
            Bucket=bucket, Key="a", ObjectAttributes=["Checksum", "ETag", "ObjectSize"]
        )
        assert attributes["Checksum"] == {field: value, "ChecksumType": "FULL_OBJECT"}
        assert (attributes["ObjectSize"], attributes["ETag"]) == (9, hashlib.md5(CONTENT).hexdigest())
        listed = s3.list_objects_v2(Bucket=bucket)["Contents"][0]
        assert (listed["ChecksumAlgorithm"], listed["ChecksumType"]) == ([name], "FULL_OBJECT")

    @pytest.mark.parametrize("name", NAMES)
    def test_a_wrong_one_is_refused_and_nothing_is_stored(self, ground: S3Ground, name: str) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, versioned=True)
        wrong = {f"Checksum{name}": encoded(name, b"another")}
        assert refusal(s3.put_object, Bucket=bucket, Key="a", Body=CONTENT, **wrong) == "BadDigest"
        none = {f"Checksum{name}": "bm90IG9uZQ=="}
        assert refusal(s3.put_object, Bucket=bucket, Key="a", Body=CONTENT, **none) == "InvalidRequest"
        assert "Versions" not in s3.list_object_versions(Bucket=bucket)

    def test_two_kinds_at_once_are_refused(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        both = {f"Checksum{name}": encoded(name, CONTENT) for name in ("CRC32", "SHA256")}
        assert refusal(s3.put_object, Bucket=bucket, Key="a", Body=CONTENT, **both) == "InvalidRequest"

    def test_md5_is_compared(self, ground: S3Ground) -> None:
        s3 = raw_client(ground)
        bucket = ground.bucket(s3)
        right, wrong = (b64(hashlib.md5(content).digest()) for content in (CONTENT, b"another"))
        assert refusal(s3.put_object, Bucket=bucket, Key="a", Body=CONTENT, ContentMD5=wrong) == "BadDigest"
        assert refusal(s3.put_object, Bucket=bucket, Key="a", Body=CONTENT, ContentMD5="AAAA") == "InvalidDigest"
        assert refusal(s3.get_object, Bucket=bucket, Key="a") == "NoSuchKey"
        s3.put_object(Bucket=bucket, Key="a", Body=CONTENT, ContentMD5=right)

    def test_without_one_s3_calculates_its_own(self, ground: S3Ground) -> None:
        s3 = raw_client(ground)
        bucket = ground.bucket(s3)
        s3.put_object(Bucket=bucket, Key="a", Body=CONTENT)
        head = s3.head_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED")
        assert (head["ChecksumCRC64NVME"], head["ChecksumType"]) == (KNOWN["CRC64NVME"], "FULL_OBJECT")

    @pytest.mark.parametrize("name", NAMES[:2] + NAMES[3:])
    def test_trailing_ones_come_behind_the_chunks_of_a_stream(self, ground: S3Ground, name: str) -> None:
        if name == "CRC32C":
            pytest.skip("botocore calculates it only with its C library")
        s3 = ground.client()
        bucket = ground.bucket(s3)
        content = bytes(range(256)) * 5_000
        s3.put_object(Bucket=bucket, Key="a", Body=io.BytesIO(content), ChecksumAlgorithm=name)
        assert body(s3, bucket, "a") == content
        head = s3.head_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED")
        assert head[f"Checksum{name}"] == encoded(name, content)
        assert "ContentEncoding" not in head

    def test_a_trailing_one_that_is_wrong_is_refused(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        s3.meta.events.register("before-send.s3.PutObject", _mangled)
        called = refusal(s3.put_object, Bucket=bucket, Key="a", Body=io.BytesIO(CONTENT))
        assert called == "BadDigest"
        assert refusal(s3.get_object, Bucket=bucket, Key="a") == "NoSuchKey"

    def test_what_breaks_off_is_refused(self, ground: S3Ground) -> None:
        ground.simulated()
        s3 = ground.client()
        bucket = ground.bucket(s3)
        s3.meta.events.register("before-send.s3.PutObject", _broken_off)
        assert refusal(s3.put_object, Bucket=bucket, Key="a", Body=io.BytesIO(CONTENT)) == "IncompleteBody"
        assert refusal(s3.get_object, Bucket=bucket, Key="a") == "NoSuchKey"

    def test_plain_moto_takes_a_wrong_one(self, moto: S3Ground) -> None:
        s3 = moto.client()
        bucket = moto.bucket(s3)
        wrong = encoded("SHA256", b"another")
        assert refusal(s3.put_object, Bucket=bucket, Key="a", Body=CONTENT, ChecksumSHA256=wrong) == ""
        md5 = b64(hashlib.md5(b"another").digest())
        assert refusal(raw_client(moto).put_object, Bucket=bucket, Key="a", Body=CONTENT, ContentMD5=md5) == ""

    def test_a_deletion_of_several_is_compared_too(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        s3.put_object(Bucket=bucket, Key="a", Body=CONTENT)
        s3.meta.events.register("before-call.s3.DeleteObjects", _with_wrong_checksum)
        assert refusal(s3.delete_objects, Bucket=bucket, Delete={"Objects": [{"Key": "a"}]}) == "BadDigest"
        assert body(s3, bucket, "a") == CONTENT


class TestReading:
    def test_a_range_has_none(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        s3.put_object(Bucket=bucket, Key="a", Body=CONTENT)
        part = s3.get_object(Bucket=bucket, Key="a", Range="bytes=0-3", ChecksumMode="ENABLED")
        assert "ChecksumCRC32" not in part
        assert part["Body"].read() == CONTENT[:4]

    def test_the_client_finds_what_was_changed_in_the_store(self, ground: S3Ground) -> None:
        """botocore compares what it reads with the checksum that was kept."""
        ground.simulated()
        s3 = ground.client()
        bucket = ground.bucket(s3)
        s3.put_object(Bucket=bucket, Key="a", Body=CONTENT)
        held = bucket_named(bucket)
        assert held is not None
        held.keys.latest("a").body = b"987654321"
        with pytest.raises(Exception, match=r"(?i)checksum"):
            body(s3, bucket, "a")


class TestCopies:
    def test_a_copy_keeps_the_kind_and_another_can_be_asked_for(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        s3.put_object(Bucket=bucket, Key="a", Body=CONTENT, ChecksumAlgorithm="SHA256")
        source = {"Bucket": bucket, "CopySource": f"{bucket}/a"}
        kept = s3.copy_object(**source, Key="b")["CopyObjectResult"]
        assert (kept["ChecksumSHA256"], kept["ChecksumType"]) == (encoded("SHA256", CONTENT), "FULL_OBJECT")
        other = s3.copy_object(**source, Key="c", ChecksumAlgorithm="CRC32C")["CopyObjectResult"]
        assert other["ChecksumCRC32C"] == KNOWN["CRC32C"]
        assert "ChecksumSHA256" not in other

    def test_a_copy_of_parts_has_one_of_the_whole(self, ground: S3Ground) -> None:
        s3, bucket, parts = uploaded(ground, "SHA256")
        complete(s3, bucket, parts)
        copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/mp")["CopyObjectResult"]
        whole = b"".join(content for content, _ in parts["contents"])
        assert copied["ChecksumSHA256"] == encoded("SHA256", whole)
        assert copied["ETag"].strip('"') == hashlib.md5(whole).hexdigest()


# --- In parts --------------------------------------------------------------------------------------------------------

PART = 5 * 1024 * 1024


def uploaded(ground: S3Ground, name: str | None, kind: str | None = None, sizes: tuple[int, ...] = (7,)) -> Any:
    """A client, a bucket and what a completion of the upload needs."""
    s3 = ground.client()
    bucket = ground.bucket(s3)
    asked = {"ChecksumAlgorithm": name} if name else {}
    begun = s3.create_multipart_upload(Bucket=bucket, Key="mp", **asked, **({"ChecksumType": kind} if kind else {}))
    where = {"Bucket": bucket, "Key": "mp", "UploadId": begun["UploadId"]}
    contents, parts = [], []
    for number, size in enumerate(sizes, 1):
        content = bytes([number]) * size
        given = {f"Checksum{name}": encoded(name, content)} if name else {}
        etag = s3.upload_part(**where, PartNumber=number, Body=content, **given)["ETag"]
        parts.append({"PartNumber": number, "ETag": etag, **given})
        contents.append((content, given))
    return s3, bucket, {"where": where, "parts": parts, "contents": contents, "begun": begun}


def complete(client: Any, bucket: str, upload: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = client.complete_multipart_upload(
        **upload["where"], MultipartUpload={"Parts": upload["parts"]}, **more
    )
    return answer


class TestParts:
    @pytest.mark.parametrize("name", ["CRC32", "SHA1", "SHA256"])
    def test_a_composite_one_is_that_of_the_parts_checksums(self, ground: S3Ground, name: str) -> None:
        s3, bucket, upload = uploaded(ground, name, sizes=(PART, 3))
        assert upload["begun"]["ChecksumType"] == "COMPOSITE"
        done = complete(s3, bucket, upload)
        of_parts = b"".join(ALGORITHMS[name](content) for content, _ in upload["contents"])
        expected = f"{encoded(name, of_parts)}-2"
        assert (done[f"Checksum{name}"], done["ChecksumType"]) == (expected, "COMPOSITE")
        head = s3.head_object(Bucket=bucket, Key="mp", ChecksumMode="ENABLED")
        assert head[f"Checksum{name}"] == expected
        wanted = ["Checksum", "ObjectParts"]
        attributes = s3.get_object_attributes(Bucket=bucket, Key="mp", ObjectAttributes=wanted)
        assert attributes["Checksum"][f"Checksum{name}"] == expected.removesuffix("-2")
        parts = attributes["ObjectParts"]["Parts"]
        assert [(one["PartNumber"], one["Size"]) for one in parts] == [(1, PART), (2, 3)]
        assert parts[1][f"Checksum{name}"] == encoded(name, upload["contents"][1][0])
        second = s3.get_object(Bucket=bucket, Key="mp", PartNumber=2, ChecksumMode="ENABLED")
        assert (second["PartsCount"], second["ContentRange"]) == (2, f"bytes {PART}-{PART + 2}/{PART + 3}")
        assert second[f"Checksum{name}"] == encoded(name, upload["contents"][1][0])

    @pytest.mark.parametrize("name", WHOLE)
    def test_one_of_the_whole_object_is_the_same_as_of_one_put(self, ground: S3Ground, name: str) -> None:
        s3, bucket, upload = uploaded(ground, name, "FULL_OBJECT")
        done = complete(s3, bucket, upload)
        whole = upload["contents"][0][0]
        assert (done[f"Checksum{name}"], done["ChecksumType"]) == (encoded(name, whole), "FULL_OBJECT")
        attributes = s3.get_object_attributes(Bucket=bucket, Key="mp", ObjectAttributes=["ObjectParts"])
        assert attributes["ObjectParts"] == {"TotalPartsCount": 1}

    def test_a_wrong_one_of_the_whole_object_leaves_the_upload_as_it_was(self, ground: S3Ground) -> None:
        s3, bucket, upload = uploaded(ground, "CRC32", "FULL_OBJECT")
        wrong = encoded("CRC32", b"another")
        assert refusal(complete, s3, bucket, upload, ChecksumCRC32=wrong, ChecksumType="FULL_OBJECT") == "BadDigest"
        assert refusal(s3.head_object, Bucket=bucket, Key="mp") == "404"
        right = encoded("CRC32", upload["contents"][0][0])
        # S3 takes a checksum without its type for one of the parts' checksums.
        assert refusal(complete, s3, bucket, upload, ChecksumCRC32=right) == "BadDigest"
        done = complete(s3, bucket, upload, ChecksumCRC32=right, ChecksumType="FULL_OBJECT")
        assert done["ChecksumCRC32"] == right

    def test_parts_must_be_named_with_theirs(self, ground: S3Ground) -> None:
        s3, bucket, upload = uploaded(ground, "SHA256")
        bare = [{"PartNumber": 1, "ETag": upload["parts"][0]["ETag"]}]
        answer = refused(complete, s3, bucket, {**upload, "parts": bare})
        assert answer["Error"]["Code"] == "InvalidRequest"
        assert "missing for part 1" in answer["Error"]["Message"]
        wrong = [{**bare[0], "ChecksumSHA256": encoded("SHA256", b"another")}]
        assert refusal(complete, s3, bucket, {**upload, "parts": wrong}) == "InvalidPart"

    def test_a_part_with_another_kind_or_a_wrong_value_is_refused(self, ground: S3Ground) -> None:
        s3, _, upload = uploaded(ground, "SHA256")
        part = {**upload["where"], "PartNumber": 2, "Body": CONTENT}
        assert refusal(s3.upload_part, **part, ChecksumCRC32=KNOWN["CRC32"]) == "InvalidRequest"
        assert refusal(s3.upload_part, **part, ChecksumSHA256=encoded("SHA256", b"another")) == "BadDigest"
        assert len(s3.list_parts(**upload["where"])["Parts"]) == 1

    def test_some_kinds_are_of_parts_only_and_one_of_the_whole_only(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        for name, kind in (("CRC64NVME", "COMPOSITE"), ("SHA256", "FULL_OBJECT"), ("SHA1", "FULL_OBJECT")):
            asked = {"ChecksumAlgorithm": name, "ChecksumType": kind}
            assert refusal(s3.create_multipart_upload, Bucket=bucket, Key="a", **asked) == "InvalidRequest"
        alone = refusal(s3.create_multipart_upload, Bucket=bucket, Key="a", ChecksumType="COMPOSITE")
        assert alone == "InvalidRequest"

    def test_the_size_of_the_object_is_compared(self, ground: S3Ground) -> None:
        s3, bucket, upload = uploaded(ground, None)
        assert refusal(complete, s3, bucket, upload, MpuObjectSize=8) == "InvalidRequest"
        done = complete(s3, bucket, upload, MpuObjectSize=7)
        assert done["ChecksumCRC64NVME"] == encoded("CRC64NVME", upload["contents"][0][0])

    def test_plain_moto_takes_wrong_checksums_of_parts(self, moto: S3Ground) -> None:
        s3, _, upload = uploaded(moto, "SHA256")
        part = {**upload["where"], "PartNumber": 2, "Body": CONTENT}
        assert refusal(s3.upload_part, **part, ChecksumSHA256=encoded("SHA256", b"another")) == ""


# --- What goes wrong on the way --------------------------------------------------------------------------------------


def _mangled(request: Any, **_: Any) -> None:
    """One byte of the body is another, the checksum behind it is not."""
    raw = request.body.read() if hasattr(request.body, "read") else request.body
    request.body = raw.replace(CONTENT, CONTENT[::-1])


def _broken_off(request: Any, **_: Any) -> None:
    raw = request.body.read() if hasattr(request.body, "read") else request.body
    request.body = raw[: raw.index(CONTENT) + 4]


def _with_wrong_checksum(params: dict[str, Any], **_: Any) -> None:
    params["headers"]["x-amz-checksum-crc32"] = b64(zlib.crc32(b"another").to_bytes(4, "big"))
