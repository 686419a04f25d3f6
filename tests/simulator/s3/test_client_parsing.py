"""What a client gets while a simulated AWS is active is what botocore's own functions make of the same bytes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore import handlers, parsers
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from drills.simulator.s3 import client_parsing
from tests.simulator.s3.endpoint import S3Ground, simulated

pytestmark = pytest.mark.simulated_aws
MODEL: Any = boto3.client("s3", region_name="us-east-1").meta.service_model
OPERATIONS = ("ListObjectVersions", "ListObjectsV2", "ListObjects")
STOCK = [(*one.owner_and_name, one.original()) for one in client_parsing.REPLACEMENTS]
SPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
OWNER = "<Owner><ID>75aa</ID></Owner>"
TIME = "<LastModified>2024-02-29T23:59:59.000Z</LastModified>"
CONTENT = '<ETag>"9dd4"</ETag><Size>7</Size><StorageClass>STANDARD</StorageClass>'
ALGORITHM = "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm>"
CHECKED = CONTENT.replace("<Size>", f"{ALGORITHM}<ChecksumType>COMPOSITE</ChecksumType><Size>")
IDENTITY = "<Key>a%2Fb+c</Key><VersionId>v1</VersionId><IsLatest>true</IsLatest>"
VERSION = f"<Version>{IDENTITY}{TIME}{CONTENT}{OWNER}</Version>"
MARKER = f"<DeleteMarker>{IDENTITY}{TIME}{OWNER}</DeleteMarker>"
OBJECT = f"<Contents><Key>a</Key>{TIME}{CONTENT}</Contents>"
OWNED = f"<Contents><Key>a</Key>{TIME}{CONTENT}{OWNER}</Contents>"
HEAD = "<Name>many</Name><Prefix></Prefix><MaxKeys>1000</MaxKeys><IsTruncated>true</IsTruncated>"
COMMON = "<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes>"


def listing(content: str, root: str = "ListBucketResult", declared: str = '<?xml version="1.0"?>\n') -> bytes:
    return f"{declared}<{root} {SPACE}>{content}</{root}>".encode()


def outcome(operation: str, body: bytes, status: int = 200, **of_parser: Any) -> tuple[Any, ...]:
    """What a client would get of these bytes: the members in their order, or the error."""
    response = {"status_code": status, "headers": {"x-amz-request-id": "1", "x-amz-request-charged": "requester"}}
    model = MODEL.operation_model(operation)
    told = {**response, "body": body}
    handlers._handle_200_error(model, told)  # type: ignore[attr-defined]
    try:
        parsed = parsers.RestXMLParser(**of_parser).parse(told, model.output_shape)
    except Exception as error:  # noqa: BLE001 - whatever it is, it has to be the same
        return type(error), str(error)
    return told["status_code"], in_order(parsed)


def in_order(value: Any) -> Any:
    """Compares the order of members, the types of values and the time zones as well."""
    if isinstance(value, dict):
        return [(name, in_order(one)) for name, one in value.items()]
    if isinstance(value, list):
        return [in_order(one) for one in value]
    return (type(value), repr(value))


def both(operation: str, body: bytes, status: int = 200, **of_parser: Any) -> tuple[Any, Any]:
    with pytest.MonkeyPatch.context() as patch:
        for one in client_parsing.REPLACEMENTS:
            patch.setattr(*one.owner_and_name, one.replacement)
        ours = outcome(operation, body, status, **of_parser)
    return ours, outcome(operation, body, status, **of_parser)


READ_HERE = {
    "versions and markers": HEAD + VERSION + MARKER + VERSION.replace("true", "false"),
    "one version": HEAD + VERSION,
    "markers only": HEAD + MARKER + MARKER,
    "checksums": HEAD + VERSION.replace(CONTENT, CHECKED) + VERSION,
    "common prefixes behind": HEAD + VERSION + COMMON,
    "objects": HEAD + OBJECT + OWNED + OBJECT.replace(CONTENT, CHECKED) + OWNED.replace(CONTENT, CHECKED),
    "objects and prefixes": HEAD + OBJECT + COMMON + "<KeyCount>3</KeyCount>",
    "empty texts": HEAD + "<NextKeyMarker></NextKeyMarker>" + VERSION.replace("a%2Fb+c", "").replace("75aa", ""),
    "head in another order": "<EncodingType>url</EncodingType><Delimiter>%2F</Delimiter>" + VERSION + HEAD,
    "a size of many digits": HEAD + OBJECT.replace(">7<", ">5497558138880<"),
    "another form of date": HEAD + OBJECT.replace(".000Z", "+01:00"),
    "blanks": HEAD + OBJECT.replace("<Key>a<", "<Key> a  b <").replace("STANDARD", " "),
}
LEFT_TO_BOTOCORE = {
    "a date that is none": HEAD + OBJECT.replace("02-29", "02-30"),
    "an hour too many": HEAD + OBJECT.replace("T23:59:59", "T24:00:00"),
    "nothing": HEAD,
    "prefixes only": HEAD + COMMON,
    "markup in a key": HEAD + OBJECT.replace("<Key>a<", "<Key>a&amp;&lt;&#13;&quot;<"),
    "unicode": HEAD + OBJECT.replace("<Key>a<", "<Key>ü😀<"),
    "line ends": HEAD + OBJECT.replace("<Key>a<", "<Key>a\r\nb<"),
    "laid out on lines": HEAD + "\n  " + VERSION + "\n  " + VERSION,
    "prefixes between": HEAD + VERSION + COMMON + VERSION,
    "entries in two places": HEAD + VERSION + "<KeyMarker>k</KeyMarker>" + MARKER,
    "an entry of nothing behind": HEAD + OBJECT + "<Contents/>",
    "a version of nothing behind": HEAD + VERSION + MARKER + "<Version/>",
    "an entry of text in front": HEAD + "<Contents>x</Contents><DeleteMarker>x</DeleteMarker>" + OBJECT,
    "a version of text in front": HEAD + "<Version></Version>" + VERSION,
    "a member more": HEAD + OBJECT.replace("</Contents>", "<New>1</New></Contents>"),
    "two algorithms": HEAD + OBJECT.replace(CONTENT, CHECKED.replace(ALGORITHM, 2 * ALGORITHM)),
    "a display name": HEAD + OWNED.replace("<ID>", "<DisplayName>me</DisplayName><ID>"),
    "being restored": HEAD
    + OBJECT.replace(
        "</Contents>", "<RestoreStatus><IsRestoreInProgress>true</IsRestoreInProgress></RestoreStatus></Contents>"
    ),
    "no size": HEAD + OBJECT.replace("<Size>7</Size>", ""),
    "a size that is none": HEAD + OBJECT.replace(">7<", ">seven<"),
    "neither true nor false": HEAD + VERSION.replace(">true<", ">perhaps<"),
    "another order": HEAD + VERSION.replace(TIME, "").replace(OWNER, OWNER + TIME),
    "in a comment": HEAD + "<!-- " + VERSION + " -->",
    "in a section of text": HEAD + "<Delimiter><![CDATA[" + VERSION + "]]></Delimiter>",
    "inside of something else": HEAD + "<Other>" + VERSION + "</Other>",
    "an attribute": HEAD + VERSION.replace("<Version>", '<Version a="b">'),
    "the end of a section": HEAD + OBJECT.replace("<Key>a<", "<Key>a]]><"),
    "a control character": HEAD + OBJECT.replace("<Key>a<", "<Key>\x01<"),
    "cut off": HEAD + VERSION + "<CommonPrefixes>",
    "cut off in an entry": HEAD + VERSION + VERSION[:-40],
    "too many ends": HEAD + VERSION + "</Version>",
    "an entity that nobody knows": HEAD + "<KeyMarker>&nobody;</KeyMarker>" + VERSION,
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    "content", [*READ_HERE.values(), *LEFT_TO_BOTOCORE.values()], ids=[*READ_HERE, *LEFT_TO_BOTOCORE]
)
def test_an_answer_is_read_alike(operation: str, content: str) -> None:
    ours, stock = both(operation, listing(content))
    assert ours == stock


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<Error><Code>InternalError</Code><Message>Try again</Message></Error>"),
        (200, f"<Error {SPACE}><Code>InternalError</Code></Error>".encode()),
        (200, b"<html>no listing</html>"),
        (200, b"\xff\xfe"),
        (200, b"<!DOCTYPE a [<!ENTITY b 'c'>]><Error><Code>&b;</Code></Error>"),
        (200, b"<!DOCTYPE a SYSTEM 'x'><ListBucketResult><Name>&nobody;</Name></ListBucketResult>"),
        (200, listing(HEAD + OBJECT, declared="")),
        (200, listing(HEAD + OBJECT, declared='<?xml version="1.0" encoding="latin-1"?>')),
        (200, listing(HEAD + OBJECT).replace(SPACE.encode(), b"")),
        (200, listing(HEAD + OBJECT).replace(b">a<", b">\xff<")),
        (200, b"<?xml version='1.0'?><a:Root xmlns:a='urn:x'><Name>n</Name>" + OBJECT.encode() + b"</a:Root>"),
        (200, b"<a:Root><Name>n</Name>" + OBJECT.encode() + b"</a:Root>"),
        (206, listing(HEAD + OBJECT + VERSION)[:-9]),
        (404, listing("<Code>NoSuchBucket</Code><Message>no</Message>", "Error").replace(SPACE.encode(), b"")),
        (403, b""),
        (500, listing(HEAD + VERSION)),
        (503, b"<html><body>Slow down</body></html>"),
    ],
)
def test_errors_and_strange_answers_are_read_alike(operation: str, status: int, body: bytes) -> None:
    ours, stock = both(operation, body, status)
    assert ours == stock


def test_a_clients_own_reading_of_dates_is_kept() -> None:
    for parse in (str, datetime.fromisoformat):
        ours, stock = both("ListObjectsV2", listing(HEAD + OBJECT), timestamp_parser=parse)
        assert ours == stock
        assert "2024-02-29T23:59:59.000Z" in repr(ours) or parse is not str


@pytest.mark.parametrize("content", READ_HERE.values(), ids=READ_HERE)
def test_these_are_not_botocores(content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Botocore reads the rest of the document only: none of the entries."""
    read: list[bytes] = []
    stock = client_parsing._payload

    def payload(self: Any, response: Any, *more: Any) -> None:
        read.append(response["body"])
        stock(self, response, *more)

    monkeypatch.setattr(client_parsing, "_payload", payload)
    operation = "ListObjectVersions" if "<Owner>" in content and "<Contents>" not in content else "ListObjectsV2"
    ours, _ = both(operation, listing(content))
    assert ours[0] == 200
    assert b"LastModified" not in read[0]


texts = st.text(st.characters(codec="utf-8"), max_size=5)
encoded = st.text("abcXYZ019%+/*-._~\"'=:; ", max_size=8)
moments = st.datetimes().map(lambda moment: f"{moment.isoformat(timespec='seconds')}.000Z")


def element(name: str, value: str) -> str:
    return f"<{name}>{value.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')}</{name}>"


@st.composite
def entries(draw: st.DrawFn, name: str) -> str:
    parts = [element("Key", draw(encoded | texts))]
    if name != "Contents":
        parts += [element("VersionId", draw(encoded)), element("IsLatest", draw(st.sampled_from(["true", "false"])))]
    parts.append(element("LastModified", draw(moments)))
    if name != "DeleteMarker":
        parts.append(element("ETag", draw(encoded)))
        if draw(st.booleans()):
            parts += [element("ChecksumAlgorithm", draw(encoded)), element("ChecksumType", draw(encoded))]
        parts += [element("Size", str(draw(st.integers(0, 2**63)))), element("StorageClass", draw(encoded))]
    if name != "Contents" or draw(st.booleans()):
        parts.append(f"<Owner>{element('ID', draw(encoded))}</Owner>")
    return f"<{name}>{''.join(parts)}</{name}>"


PAGES = st.one_of(
    st.tuples(st.just("ListObjectVersions"), st.lists(entries("Version") | entries("DeleteMarker"), max_size=4)),
    st.tuples(st.sampled_from(["ListObjectsV2", "ListObjects"]), st.lists(entries("Contents"), max_size=4)),
)


@given(PAGES, encoded | texts, st.lists(encoded, max_size=2), st.integers(0, 60))
@settings(max_examples=150, deadline=None)
def test_pages_are_read_alike_whole_and_damaged(
    page: tuple[str, list[str]], marker: str, prefixes: list[str], lost: int
) -> None:
    operation, found = page
    common = "".join(f"<CommonPrefixes>{element('Prefix', one)}</CommonPrefixes>" for one in prefixes)
    body = listing(HEAD + element("KeyMarker", marker) + "".join(found) + common)
    for damaged in (body, body[: len(body) - lost], body[:lost] + body[lost + 1 :], body.replace(b"<Key>", b"<Key", 1)):
        ours, stock = both(operation, damaged)
        assert ours == stock


def in_place() -> list[Any]:
    return [getattr(owner, name) for owner, name, _ in STOCK]


def test_it_is_in_place_only_while_a_simulated_aws_is_active() -> None:
    before = in_place()
    with simulated():
        assert in_place() == [one.replacement for one in client_parsing.REPLACEMENTS]
    assert in_place() == before
    assert "_parse_payload" not in vars(parsers.RestXMLParser)


def test_listings_of_the_simulated_s3_are_read_here_and_alike(
    ground: S3Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every form that the simulated S3 itself writes, as a client gets it, beside botocore's own reading of it."""
    s3 = ground.client()
    bucket = ground.bucket(s3, versioned=True)
    for key in ("a", "a", "dir/ü &<>\r\n+ %41", "dir/x", "😀"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"1", StorageClass="STANDARD_IA")
    s3.put_object(Bucket=bucket, Key="checked", Body=b"1", ChecksumAlgorithm="SHA256")
    s3.delete_object(Bucket=bucket, Key="dir/x")
    calls: list[tuple[str, dict[str, Any]]] = [
        (operation, {"Bucket": bucket, **more})
        for operation in ("list_object_versions", "list_objects_v2", "list_objects")
        for more in ({}, {"MaxKeys": 1}, {"MaxKeys": 0}, {"Delimiter": "/"}, {"Prefix": "dir/"}, {"Prefix": "none"})
    ]
    calls.append(("list_objects_v2", {"Bucket": bucket, "FetchOwner": True}))
    ours = [answered(s3, *call) for call in calls]
    with monkeypatch.context() as patch:
        for owner, name, original in STOCK:
            patch.setattr(owner, name, original)
        assert ours == [answered(s3, *call) for call in calls]
    assert ours[0]["Versions"][0]["LastModified"].tzinfo.utcoffset(None) == datetime.now(UTC).utcoffset()
    with pytest.raises(ClientError, match="NoSuchBucket"):
        s3.list_object_versions(Bucket="nobody-has-this-bucket")


def answered(s3: Any, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = getattr(s3, operation)(**arguments)
    del answer["ResponseMetadata"]
    return answer
