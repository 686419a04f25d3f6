"""The body of a call that stores something: taken out of its chunks, and compared with every checksum that was given.

Source: S3 API reference, Signature calculations: transferring payload in multiple chunks, with and without trailers.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

from drills.simulator.request import Request
from drills.simulator.s3.calls import Refusal
from drills.simulator.s3.checksums import Checksum, checked
from drills.simulator.s3.documents import malformed

STREAMING = "STREAMING-"
CHUNKED = "aws-chunked"


@dataclass(frozen=True, slots=True)
class Payload:
    """What arrived, whole and right. ``checksum`` is the client's, None where it gave none."""

    body: bytes
    checksum: Checksum | None


def payload_of(request: Request) -> Payload:
    """Raises Refusal where the body is not what the call says of it; nothing has been stored then."""
    headers = request.headers
    body, trailers = request.body, dict[str, str]()
    if headers.get("x-amz-content-sha256", "").startswith(STREAMING) or CHUNKED in headers.get("content-encoding", ""):
        body, trailers = _unchunked(body)
        expected = headers.get("x-amz-decoded-content-length")
        if expected is not None and int(expected) != len(body):
            raise incomplete()
    return Payload(body, checked(body, {**headers, **trailers}))


def parsed_body(request: Request) -> ElementTree.Element:
    """The root of the XML in the request's body, its names without their namespace. Raises Refusal."""
    try:
        root = ElementTree.fromstring(payload_of(request).body)
    except ElementTree.ParseError as error:
        raise malformed() from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def incomplete() -> Refusal:
    text = "You did not provide the number of bytes specified by the Content-Length HTTP header"
    return Refusal("IncompleteBody", text)


def _unchunked(raw: bytes) -> tuple[bytes, dict[str, str]]:
    """The body without the sizes and signatures of its chunks, and the trailers by their names in lower case."""
    chunks: list[bytes] = []
    at = 0
    while True:
        end = raw.find(b"\r\n", at)
        if end < 0:
            raise incomplete()
        try:
            size = int(raw[at:end].partition(b";")[0], 16)
        except ValueError:
            raise incomplete() from None
        at = end + 2
        if size == 0:
            return b"".join(chunks), _trailers(raw[at:])
        chunks.append(raw[at : at + size])
        at += size + 2


def _trailers(raw: bytes) -> dict[str, str]:
    found = {}
    for line in raw.decode("latin-1").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            found[name.strip().lower()] = value.strip()
    return found
