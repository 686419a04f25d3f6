"""Pages of versions and objects: markers, prefixes, delimiters, and erasing while paging."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.simulator.s3.endpoint import S3Ground, body, refusal, versions

KEYS = (
    "ü/é",
    "a//b",
    "/lead",
    "//two",
    "p+q",
    "sp ace",
    "Case",
    "case",
    "../up",
    "a/../b",
    "tail/",
    "a&b<c>",
    "%41",
    "😀",
)
"""Unicode, slashes in a row and in front, plus, space, pairs that differ in case, dots, markup, what looks encoded."""


def fill(client: Any, bucket: str, *keys: str) -> list[str]:
    return [str(client.put_object(Bucket=bucket, Key=key, Body=key.encode()).get("VersionId")) for key in keys]


def pages(client: Any, bucket: str, **arguments: Any) -> Iterator[dict[str, Any]]:
    more: dict[str, Any] = {}
    while True:
        page = client.list_object_versions(Bucket=bucket, **arguments, **more)
        yield page
        if not page["IsTruncated"]:
            return
        before, more = more, {"KeyMarker": page["NextKeyMarker"]}
        if "NextVersionIdMarker" in page:
            more["VersionIdMarker"] = page["NextVersionIdMarker"]
        assert more != before, f"the page ends where it began: {more}"


def erase(client: Any, bucket: str, page_size: int) -> int:
    """As a tool that empties a bucket does it: list a page, delete what is on it, list the next. Gives the pages."""
    count = 0
    for page in pages(client, bucket, MaxKeys=page_size):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        objects = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
        if objects:
            client.delete_objects(Bucket=bucket, Delete={"Objects": objects})
        count += 1
    return count


def stocked(ground: S3Ground) -> tuple[Any, str]:
    """Nine keys of three versions each, of which every third ends in a marker."""
    s3 = ground.client()
    bucket = ground.bucket(s3, versioned=True)
    for n in range(9):
        fill(s3, bucket, *[f"k{n}"] * (2 if n % 3 == 0 else 3))
        if n % 3 == 0:
            s3.delete_object(Bucket=bucket, Key=f"k{n}")
    return s3, bucket


class TestErasing:
    @pytest.mark.parametrize("page_size", [1, 2, 5, 100])
    def test_an_erase_that_pages_and_deletes_leaves_nothing(self, ground: S3Ground, page_size: int) -> None:
        s3, bucket = stocked(ground)
        assert erase(s3, bucket, page_size) >= 27 // page_size
        assert versions(s3, bucket) == []
        s3.delete_bucket(Bucket=bucket)

    def test_null_versions_among_others_are_erased_too(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        fill(s3, bucket, "a", "b")
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        fill(s3, bucket, "a", "b", "a")
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
        fill(s3, bucket, "b")
        erase(s3, bucket, 1)
        assert versions(s3, bucket) == []

    def test_plain_moto_stops_after_the_first_page(self, moto: S3Ground) -> None:
        s3, bucket = stocked(moto)
        erase(s3, bucket, 5)
        assert len(versions(s3, bucket)) == 22


class TestMarkers:
    def test_pages_tell_each_version_once_and_in_order(self, ground: S3Ground) -> None:
        s3, bucket = stocked(ground)
        whole = versions(s3, bucket)
        assert len(whole) == 27
        for size in (1, 4, 10):
            listed = list(pages(s3, bucket, MaxKeys=size))
            told = [(one["Key"], one["VersionId"]) for page in listed for one in _of(page)]
            assert sorted(told) == sorted((key, identifier) for key, identifier, _, _ in whole)
            assert all(len(_of(page)) <= size for page in listed)

    def test_a_key_marker_alone_leaves_its_key_behind(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, versioned=True)
        fill(s3, bucket, "a", "a", "b")
        assert {key for key, *_ in versions(s3, bucket, KeyMarker="a")} == {"b"}
        assert versions(s3, bucket, KeyMarker="b") == []

    def test_plain_moto_begins_with_the_second_version_of_the_marked_key(self, moto: S3Ground) -> None:
        s3 = moto.client()
        bucket = moto.bucket(s3, versioned=True)
        fill(s3, bucket, "a", "a", "b")
        assert {key for key, *_ in versions(s3, bucket, KeyMarker="a")} == {"a", "b"}

    def test_a_version_marker_goes_on_within_its_key_also_when_it_is_gone(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, versioned=True)
        written = fill(s3, bucket, "a", "a", "a", "a")
        after = {"KeyMarker": "a", "VersionIdMarker": written[2]}
        assert [one[1] for one in versions(s3, bucket, **after)] == [written[1], written[0]]
        for identifier in (written[3], written[2]):
            s3.delete_object(Bucket=bucket, Key="a", VersionId=identifier)
        rest = s3.list_object_versions(Bucket=bucket, **after)["Versions"]
        assert [(one["VersionId"], one["IsLatest"]) for one in rest] == [(written[1], True), (written[0], False)]

    def test_a_version_marker_needs_its_key(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, versioned=True)
        identifier = fill(s3, bucket, "a")[0]
        assert refusal(s3.list_object_versions, Bucket=bucket, VersionIdMarker=identifier) == "InvalidArgument"

    def test_what_is_written_behind_the_marker_meanwhile_is_seen(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        fill(s3, bucket, "a", "c", "e")
        page = s3.list_objects_v2(Bucket=bucket, MaxKeys=2)
        fill(s3, bucket, "b", "d")
        rest = s3.list_objects_v2(Bucket=bucket, ContinuationToken=page["NextContinuationToken"])
        assert [one["Key"] for one in rest["Contents"]] == ["d", "e"]

    @pytest.mark.parametrize("listing", ["list_objects", "list_objects_v2", "list_object_versions"])
    def test_only_one_encoding_is_known(self, ground: S3Ground, listing: str) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        assert refusal(getattr(s3, listing), Bucket=bucket, EncodingType="value") == "InvalidArgument"

    def test_no_keys_at_all_is_a_page_that_is_not_cut_off(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        fill(s3, bucket, "a")
        page = s3.list_objects_v2(Bucket=bucket, MaxKeys=0)
        assert (page["KeyCount"], page["IsTruncated"]) == (0, False)


class TestPrefixes:
    def test_common_prefixes_are_counted_and_paged_like_keys(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, versioned=True)
        fill(s3, bucket, "in/sub/1", "in/sub/2", "in/file1", "in/file2", "out")
        arguments = {"Bucket": bucket, "Prefix": "in/", "Delimiter": "/", "MaxKeys": 1}
        first = s3.list_objects_v2(**arguments)
        assert [one["Key"] for one in first["Contents"]] == ["in/file1"]
        second = s3.list_objects_v2(**arguments, ContinuationToken=first["NextContinuationToken"])
        third = s3.list_objects_v2(**arguments, ContinuationToken=second["NextContinuationToken"])
        assert [one["Prefix"] for one in third["CommonPrefixes"]] == ["in/sub/"]
        assert not third["IsTruncated"]
        told = [(_keys(page), _prefixes(page)) for page in pages(s3, bucket, Prefix="in/", Delimiter="/", MaxKeys=1)]
        assert told == [(["in/file1"], []), (["in/file2"], []), ([], ["in/sub/"])]
        behind = s3.list_object_versions(Bucket=bucket, Delimiter="/", KeyMarker="in/file1")
        assert (_keys(behind), _prefixes(behind)) == (["out"], [])

    def test_what_has_been_deleted_makes_no_common_prefix_of_objects(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, versioned=True)
        fill(s3, bucket, "gone/1", "kept/1", "kept/2")
        s3.delete_object(Bucket=bucket, Key="gone/1")
        s3.delete_object(Bucket=bucket, Key="kept/1")
        assert _prefixes(s3.list_objects_v2(Bucket=bucket, Delimiter="/")) == ["kept/"]
        assert _prefixes(s3.list_object_versions(Bucket=bucket, Delimiter="/")) == ["gone/", "kept/"]

    def test_a_prefix_ends_where_other_keys_begin(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        fill(s3, bucket, "a", "a/", "a/1", "a0", "b", "a/\U0010ffff", "a/\U0010ffff\U0010ffff")
        assert len(s3.list_objects_v2(Bucket=bucket, Prefix="a/")["Contents"]) == 4
        page = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
        assert ([one["Key"] for one in page["Contents"]], _prefixes(page)) == (["a", "a0", "b"], ["a/"])
        odd = s3.list_objects_v2(Bucket=bucket, Delimiter="\U0010ffff")
        assert _prefixes(odd) == ["a/\U0010ffff"]

    def test_older_listing_tells_a_next_marker_only_with_a_delimiter(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        fill(s3, bucket, "a", "b/1", "b/2", "c")
        first = s3.list_objects(Bucket=bucket, MaxKeys=2)
        assert "NextMarker" not in first
        assert [one["Key"] for one in s3.list_objects(Bucket=bucket, Marker="b/1")["Contents"]] == ["b/2", "c"]
        with_prefixes = s3.list_objects(Bucket=bucket, Delimiter="/", MaxKeys=2)
        assert with_prefixes["NextMarker"] == "b/"
        rest = s3.list_objects(Bucket=bucket, Delimiter="/", Marker="b/")
        assert ([one["Key"] for one in rest["Contents"]], _prefixes(rest)) == (["c"], [])
        assert "Owner" in rest["Contents"][0]


class TestObjects:
    def test_start_after_and_owner(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        fill(s3, bucket, "a", "b", "c")
        page = s3.list_objects_v2(Bucket=bucket, StartAfter="a", MaxKeys=1)
        assert ([one["Key"] for one in page["Contents"]], page["StartAfter"]) == (["b"], "a")
        assert "Owner" not in page["Contents"][0]
        assert s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"][0]["Owner"]["ID"]
        rest = s3.list_objects_v2(Bucket=bucket, StartAfter="z", ContinuationToken=page["NextContinuationToken"])
        assert [one["Key"] for one in rest["Contents"]] == ["c"]

    @pytest.mark.parametrize("token", ["", "nonsense", "1=="])
    def test_a_token_that_is_none_is_refused(self, ground: S3Ground, token: str) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        assert refusal(s3.list_objects_v2, Bucket=bucket, ContinuationToken=token) == "InvalidArgument"

    def test_keys_of_all_shapes_come_back_as_they_are(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3, versioned=True)
        long = "é" * 512
        fill(s3, bucket, *KEYS, long)
        for key in (*KEYS, long):
            assert body(s3, bucket, key) == key.encode()
        expected = sorted((*KEYS, long), key=str.encode)
        assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == expected
        told = [_keys(page) for page in pages(s3, bucket, MaxKeys=1)]
        assert told == [[key] for key in expected]
        for key in (*KEYS, long):
            assert s3.list_objects_v2(Bucket=bucket, Prefix=key)["Contents"][0]["Key"] == key
        erase(s3, bucket, 4)
        assert versions(s3, bucket) == []

    def test_a_key_is_1024_bytes_at_most(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        assert refusal(s3.put_object, Bucket=bucket, Key="x" * 1025, Body=b"") == "KeyTooLongError"
        assert refusal(s3.put_object, Bucket=bucket, Key="é" * 513, Body=b"") == "KeyTooLongError"

    def test_plain_moto_takes_longer_keys(self, moto: S3Ground) -> None:
        s3 = moto.client()
        assert refusal(s3.put_object, Bucket=moto.bucket(s3), Key="x" * 1025, Body=b"") == ""

    def test_times_are_whole_seconds_and_those_of_writing(self, ground: S3Ground) -> None:
        aws = ground.simulated()
        s3 = ground.client()
        bucket = ground.bucket(s3)
        aws.clock.sleep(1.75)
        wanted = aws.clock.now().replace(microsecond=0)
        fill(s3, bucket, "a")
        aws.clock.sleep(60)
        assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["LastModified"] == wanted
        assert s3.head_object(Bucket=bucket, Key="a")["LastModified"] == wanted


class TestUploads:
    def test_uploads_under_way_are_paged_and_times_are_told(self, ground: S3Ground) -> None:
        s3 = ground.client()
        bucket = ground.bucket(s3)
        begun = [s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"] for key in ("a", "a", "b/1", "b/2")]
        first = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=1)
        assert (first["Uploads"][0]["UploadId"], first["IsTruncated"]) == (begun[0], True)
        rest = s3.list_multipart_uploads(
            Bucket=bucket, KeyMarker=first["NextKeyMarker"], UploadIdMarker=first["NextUploadIdMarker"]
        )
        assert [one["UploadId"] for one in rest["Uploads"]] == begun[1:]
        grouped = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
        assert (len(grouped["Uploads"]), _prefixes(grouped)) == (2, ["b/"])
        s3.abort_multipart_upload(Bucket=bucket, Key="a", UploadId=begun[0])
        assert len(s3.list_multipart_uploads(Bucket=bucket, Prefix="a")["Uploads"]) == 1

    def test_plain_moto_says_that_uploads_began_in_2010(self, moto: S3Ground) -> None:
        s3 = moto.client()
        bucket = moto.bucket(s3)
        s3.create_multipart_upload(Bucket=bucket, Key="a")
        assert s3.list_multipart_uploads(Bucket=bucket)["Uploads"][0]["Initiated"].year == 2010


def test_a_page_of_versions_is_written_in_the_order_of_keys_markers_among_versions(ground: S3Ground) -> None:
    """For tools that read the XML as it comes."""
    s3 = ground.client()
    bucket = ground.bucket(s3, versioned=True)
    seen: list[bytes] = []
    s3.meta.events.register(
        "after-call.s3.ListObjectVersions", lambda http_response, **_: seen.append(http_response.content)
    )
    fill(s3, bucket, "a", "b")
    s3.delete_object(Bucket=bucket, Key="a")
    s3.list_object_versions(Bucket=bucket)
    root = ElementTree.fromstring(seen[0])
    names = [one.tag.rpartition("}")[2] for one in root]
    assert [name for name in names if name in ("Version", "DeleteMarker")] == ["DeleteMarker", "Version", "Version"]


def _of(page: dict[str, Any]) -> list[dict[str, Any]]:
    return [*page.get("Versions", []), *page.get("DeleteMarkers", [])]


def _keys(page: dict[str, Any]) -> list[str]:
    return [one["Key"] for one in _of(page)]


def _prefixes(page: dict[str, Any]) -> list[str]:
    return [one["Prefix"] for one in page.get("CommonPrefixes", [])]
