"""One call of S3's data plane as the handlers have it, and how S3 words its answers and refusals."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from moto.iam.access_control import PermissionResult
from moto.s3.exceptions import S3ClientError
from moto.s3.models import FakeBucket

from drills.simulator.needs import needs_of
from drills.simulator.needs.need import asked
from drills.simulator.needs.s3 import bucket_and_key
from drills.simulator.request import Request, Response
from drills.simulator.s3.changes import bucket_named
from drills.simulator.s3.documents import Refused
from drills.simulator.s3.identifiers import NULL, sequence_of
from drills.simulator.s3.versions import Marker, Version
from drills.simulator.state import Simulation

KEY_BYTES = 1024
XML = "application/xml"
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
NO_KEY = "The specified key does not exist."
NOT_ALLOWED = "The specified method is not allowed against this resource."
KEY_BY_KEY = frozenset({"DeleteObjects"})
ANONYMOUS_SIGNS = ("Signature=", "X-Amz-Signature")

_numbers: Iterator[int] = itertools.count(1)


def begin(simulation: Simulation) -> None:
    global _numbers  # Requests are counted anew, so that a seed gives the same answers again.
    _numbers = itertools.count(1)


class Refusal(Refused):
    """A refusal with the elements and headers that S3 adds to some."""

    def __init__(
        self,
        code: str,
        message: str,
        status: int = 400,
        headers: Mapping[str, str] | None = None,
        **elements: str,
    ) -> None:
        super().__init__(code, message, status)
        self.headers = dict(headers or {})
        self.elements = elements


@dataclass(slots=True)
class Call:
    """A call to a bucket that exists. ``key`` is empty where it names no object; ``asked`` is the URL's query."""

    request: Request
    bucket: FakeBucket
    key: str
    asked: dict[str, str]
    headers: Mapping[str, str]
    """By their names in lower case; those of a presigned URL's query among them."""

    def header(self, name: str) -> str:
        """A header's value, empty where the call has none."""
        return self.headers.get(name, "")

    @property
    def by(self) -> str:
        return self.request.account

    @property
    def version_id(self) -> str | None:
        return self.asked.get("versionId")


Handler = Callable[[Call], Response | None]


def answering(handler: Handler) -> Callable[[Request], Response | None]:
    """A gate handler for calls to a bucket, from one that gets a Call and may refuse."""

    @functools.wraps(handler)
    def handle(request: Request) -> Response | None:
        name, key = bucket_and_key(request.url)
        if not name or ".s3-accesspoint." in (urlsplit(request.url).hostname or ""):
            return None
        try:
            bucket = bucket_named(name)
            if bucket is None:
                if name.endswith("--table-s3"):
                    return None
                raise Refusal("NoSuchBucket", "The specified bucket does not exist", 404, BucketName=name)
            if len(key.encode()) > KEY_BYTES:
                size = str(len(key.encode()))
                raise Refusal("KeyTooLongError", "Your key is too long", MaxSizeAllowed=str(KEY_BYTES), Size=size)
            call = _call(request, bucket, key)
            _check_policy(call)
            return handler(call)
        except Refused as refusal:
            return refused(request, refusal)
        except S3ClientError as error:
            return refused(request, Refusal(str(error.code), str(error.message), int(error.status)))

    return handle


def _call(request: Request, bucket: FakeBucket, key: str) -> Call:
    given = asked(request)
    signed = {name.lower(): value for name, value in given.items() if name.lower().startswith("x-amz-")}
    return Call(request, bucket, key, given, {**signed, **request.headers} if signed else request.headers)


def _check_policy(call: Call) -> None:
    """As moto judges a bucket's policy: a statement that denies holds for everybody, whoever it names."""
    if call.bucket.policy is not None and call.request.operation not in KEY_BY_KEY:
        for need in needs_of(call.request):
            if call.bucket.get_permission(need.action, need.resource) == PermissionResult.DENIED:
                raise access_denied()
    if "authorization" not in call.headers and not any(sign in call.request.url for sign in ANONYMOUS_SIGNS):
        _check_anonymous(call)


def _check_anonymous(call: Call) -> None:
    version = call.bucket.keys.latest(call.key)
    if not isinstance(version, Version) or (version.acl is not None and version.acl.public_read):
        return
    permitted = [call.bucket.get_permission(need.action, need.resource) for need in needs_of(call.request)]
    if any(one != PermissionResult.PERMITTED for one in permitted):
        raise access_denied()


# --- Answers ---------------------------------------------------------------------------------------------------------


def request_ids() -> dict[str, str]:
    number = f"{next(_numbers):016X}"
    return {"x-amz-request-id": number, "x-amz-id-2": number, "server": "AmazonS3"}


def empty(status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return status, {**request_ids(), "content-length": "0", **(headers or {})}, b""


def document(root: str, content: str, headers: Mapping[str, str] | None = None, status: int = 200) -> Response:
    """An answer in XML; ``content`` is the root's, escaped already."""
    body = f"{DECLARATION}<{root} {NAMESPACE}>{content}</{root}>".encode()
    return status, {**request_ids(), "content-type": XML, "content-length": str(len(body)), **(headers or {})}, body


def refused(request: Request, refusal: Refused) -> Response:
    elements = {"Code": refusal.code, "Message": refusal.message, **getattr(refusal, "elements", {})}
    headers = {**request_ids(), "content-type": XML, **getattr(refusal, "headers", {})}
    if request.method == "HEAD" or refusal.status == 304:
        return refusal.status, headers, b""
    content = "".join(f"<{name}>{escaped(value)}</{name}>" for name, value in elements.items())
    ids = f"<RequestId>{headers['x-amz-request-id']}</RequestId><HostId>{headers['x-amz-id-2']}</HostId>"
    return refusal.status, headers, f"{DECLARATION}<Error>{content}{ids}</Error>".encode()


def escaped(text: str) -> str:
    """As XML's text. Control characters, which XML 1.0 cannot hold, are the reason for ``encoding-type=url``."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def listed_time(moment: datetime) -> str:
    """S3 keeps whole seconds."""
    return f"{moment.isoformat(timespec='seconds')[:19]}.000Z"


def header_time(moment: datetime) -> str:
    return moment.strftime("%a, %d %b %Y %H:%M:%S GMT")


def aware(moment: datetime) -> datetime:
    """moto keeps naive UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


# --- Refusals that several operations share ---------------------------------------------------------------------------


def access_denied(message: str = "Access Denied") -> Refusal:
    return Refusal("AccessDenied", message, 403)


def invalid_argument(message: str, name: str, value: str | None = None) -> Refusal:
    more = {} if value is None else {"ArgumentValue": value}
    return Refusal("InvalidArgument", message, 400, None, ArgumentName=name, **more)


def precondition_failed(condition: str) -> Refusal:
    text = "At least one of the pre-conditions you specified did not hold"
    return Refusal("PreconditionFailed", text, 412, Condition=condition)


def not_implemented(header: str, more: str = "") -> Refusal:
    text = "A header you provided implies functionality that is not implemented"
    added = {"additionalMessage": more} if more else {}
    return Refusal("NotImplemented", text, 501, None, Header=header, **added)


def check_version_id(identifier: str, bucket: FakeBucket) -> None:
    """Raises Refusal for what S3 never gave as a version id; a bucket without versions has the null one only."""
    known = identifier == NULL or (bucket.versioning_status is not None and sequence_of(identifier) is not None)
    if not known:
        raise invalid_argument("Invalid version id specified", "versionId", identifier)


def version_headers(version: Version | Marker, bucket: FakeBucket) -> dict[str, str]:
    return {"x-amz-version-id": version.version_id} if bucket.versioning_status is not None else {}


def named_version(call: Call) -> Version:
    """The version that the call names, the latest where it names none. Raises Refusal as S3 does."""
    identifier = call.version_id
    return find_version(call.bucket, call.key, identifier, call.request.method)


def find_version(bucket: FakeBucket, key: str, identifier: str | None, method: str = "GET") -> Version:
    """The version of a key. Raises Refusal: NoSuchKey, NoSuchVersion, MethodNotAllowed of a marker by its id."""
    if identifier is None:
        latest: Any = bucket.keys.latest(key)
        if isinstance(latest, Version):
            return latest
        headers = {}
        if latest is not None:
            headers = {"x-amz-delete-marker": "true", **version_headers(latest, bucket)}
        raise Refusal("NoSuchKey", NO_KEY, 404, headers, Key=key)
    check_version_id(identifier, bucket)
    found: Any = bucket.keys.find(key, identifier)
    if found is None:
        text = "The specified version does not exist."
        raise Refusal("NoSuchVersion", text, 404, Key=key, VersionId=identifier)
    if isinstance(found, Marker):
        headers = {
            "x-amz-delete-marker": "true",
            "allow": "DELETE",
            "last-modified": header_time(found.last_modified),
            **version_headers(found, bucket),
        }
        raise Refusal("MethodNotAllowed", NOT_ALLOWED, 405, headers, Method=method, ResourceType="DeleteMarker")
    version: Version = found
    return version
