"""Reading a listing of versions in S3's own order."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.bucket_rollback import Entry, answer, keys_of
from drills.bucket_rollback.answer import _any_page, read_page
from drills.bucket_rollback.listing import newest_first
from tests.bucket_rollback.buckets import BUCKET, delete, put, versioned

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
# As S3 answers: versions and markers in one order, whole seconds only.
ANSWER = b"""<?xml version="1.0" encoding="UTF-8"?>
<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>papers</Name><EncodingType>url</EncodingType>
<MaxKeys>4</MaxKeys><IsTruncated>true</IsTruncated><NextKeyMarker>a%2B+b</NextKeyMarker>
<NextVersionIdMarker>v1</NextVersionIdMarker>
<Version><Key>a%2B+b</Key><VersionId>v3</VersionId><IsLatest>true</IsLatest>
<LastModified>2026-01-05T09:00:00.000Z</LastModified><ETag>"e3"</ETag><Size>3</Size>
<StorageClass>STANDARD_IA</StorageClass></Version>
<DeleteMarker><Key>a%2B+b</Key><VersionId>m2</VersionId><IsLatest>false</IsLatest>
<LastModified>2026-01-05T09:00:00.000Z</LastModified></DeleteMarker>
<Version><Key>a%2B+b</Key><VersionId>v1</VersionId><IsLatest>false</IsLatest>
<LastModified>2026-01-05T09:00:00.000Z</LastModified><ETag>"e1"</ETag><Size>1</Size>
<StorageClass>STANDARD</StorageClass></Version></ListVersionsResult>"""


def test_the_order_of_the_document_is_kept() -> None:
    page = read_page(ANSWER)
    assert [(entry.key, entry.version_id, entry.marker) for entry in page.entries] == [
        ("a+ b", "v3", False),
        ("a+ b", "m2", True),
        ("a+ b", "v1", False),
    ]
    assert page.entries[0].size == 3
    assert page.entries[0].storage_class == "STANDARD_IA"
    assert page.next == {"KeyMarker": "a+ b", "VersionIdMarker": "v1"}
    assert newest_first(list(page.entries)) == list(page.entries)


def test_what_stands_around_the_entries_is_found_between_them_too() -> None:
    around, last = re.compile(rb"<EncodingType>.*</NextVersionIdMarker>\s*", re.DOTALL), b"<DeleteMarker>"
    (moved,) = around.findall(ANSWER)
    between = around.sub(b"", ANSWER).replace(last, moved + last)
    assert between != ANSWER
    assert read_page(between) == read_page(ANSWER)


def test_markers_that_are_listed_last_are_put_in_their_place() -> None:
    entries = [
        Entry("k", "v2", False, False, AT.replace(hour=11)),
        Entry("k", "v1", False, False, AT.replace(hour=9)),
        Entry("k", "m3", True, True, AT.replace(hour=12)),
        Entry("k", "m1", True, False, AT.replace(hour=10)),
    ]
    assert [entry.version_id for entry in newest_first(entries)] == ["m3", "v2", "m1", "v1"]


@pytest.mark.parametrize("page_size", [1, 2, 3, 1000])
def test_keys_are_whole_whatever_the_pages(page_size: int) -> None:
    with versioned() as (aws, s3):
        wanted: dict[str, list[str]] = {}
        for number in range(4):
            key = f"k{number}"
            ids = []
            for _ in range(number + 1):
                ids.append(put(s3, key, "x"))
                aws.clock.sleep(1)
            ids.append(delete(s3, key))
            aws.clock.sleep(1)
            wanted[key] = ids[::-1]

        def smaller(params: dict[str, Any], **_: Any) -> None:
            params["MaxKeys"] = page_size

        s3.meta.events.register("provide-client-params.s3.ListObjectVersions", smaller)
        assert {key: [entry.version_id for entry in entries] for key, entries in keys_of(s3, BUCKET)} == wanted
        assert [key for key, _ in keys_of(s3, BUCKET, after_key="k1")] == ["k2", "k3"]


def test_other_calls_of_the_client_are_left_alone() -> None:
    with versioned() as (_, s3):
        put(s3, "k", "x")
        assert [key for key, _ in keys_of(s3, BUCKET)] == ["k"]
        assert s3.list_object_versions(Bucket=BUCKET)["Versions"][0]["Key"] == "k"


def test_a_bucket_of_somebody_else_is_refused() -> None:
    with versioned() as (_, s3):
        list(keys_of(s3, BUCKET, owner="111111111111"))
        with pytest.raises(s3.exceptions.ClientError):
            list(keys_of(s3, "no-such-bucket"))


# --- By one pattern and by a parser ---------------------------------------------------------------------------------

WORDS = st.text("ab/%2B+. 7é", max_size=6)


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """Answers as S3 and others write them: elements in other orders, with more or fewer of them, blanks between."""
    blank, otherwise = draw(st.sampled_from(["", "\n  "])), draw(st.booleans())

    def element(name: str, text: str) -> str:
        return f"{blank}<{name}>{text}</{name}>"

    def owner() -> str:
        return element("Owner", element("ID", "75aa") + draw(st.sampled_from(["", element("DisplayName", "me")])))

    def entry() -> str:
        marker = draw(st.booleans())
        first = element("Key", draw(WORDS)) + element("VersionId", draw(st.sampled_from(["null", "v1", "v2"])))
        first += element("IsLatest", draw(st.sampled_from(["true", "false"])))
        first += element("LastModified", draw(st.sampled_from(["2026-01-05T09:00:00.000Z", "2026-01-05T09:00:00Z"])))
        if marker:
            return element("DeleteMarker", first + draw(st.sampled_from(["", owner()])) + blank)
        etag = element("ETag", draw(st.sampled_from(["&quot;e-1&quot;", '"e"', "&#34;e&#34;", "e"])))
        kind = element("StorageClass", draw(st.sampled_from(["STANDARD", "GLACIER"])))
        rest = [
            etag,
            draw(st.sampled_from(["", element("ChecksumAlgorithm", "CRC32") + element("ChecksumType", "FULL_OBJECT")])),
            element("Size", str(draw(st.integers(0, 2**45)))),
            *draw(st.permutations([kind, owner()])),
            draw(
                st.sampled_from(["", "<RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress></RestoreStatus>"])
            ),
        ]
        if otherwise:
            return element("Version", "".join(rest) + first + blank)
        return element("Version", first + "".join(rest) + blank)

    body = "".join(entry() for _ in range(draw(st.integers(0, 5))))
    more = draw(
        st.sampled_from(["", "<NextKeyMarker>a%2B+b</NextKeyMarker><NextVersionIdMarker>v</NextVersionIdMarker>"])
    )
    head = f"<Name>papers</Name><Prefix></Prefix><IsTruncated>{'true' if more else 'false'}</IsTruncated>"
    head += draw(st.sampled_from(["", "<EncodingType>url</EncodingType>"]))
    space = draw(st.sampled_from(["", ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"']))
    around = draw(st.permutations([head + more, body]))
    document = f"<ListVersionsResult{space}>{''.join(around)}</ListVersionsResult>"
    return f"<?xml version='1.0' encoding='UTF-8'?>\n{document}".encode()


def test_the_pattern_fits_what_is_written_alike() -> None:
    sizes_first = re.sub(rb"(<Version>)(.*?)(<Size>\d</Size>)", rb"\1\3\2", ANSWER, flags=re.DOTALL)
    one_otherwise = ANSWER.replace(b"<Size>1</Size>", b"").replace(b'<ETag>"e1', b'<Size>1</Size><ETag>"e1')
    assert answer._usual_page(ANSWER) == answer._usual_page(sizes_first) == _any_page(ANSWER)
    assert answer._usual_page(one_otherwise) is None
    assert read_page(one_otherwise) == _any_page(ANSWER)


@given(documents())
def test_the_pattern_reads_what_a_parser_reads(document: bytes) -> None:
    assert read_page(document) == _any_page(document)
