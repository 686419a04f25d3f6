"""DeleteObject, DeleteObjects and DeleteBucket. Source: S3 API reference."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from moto.iam.access_control import PermissionResult
from moto.s3.models import s3_backends

from drills.simulator import iam
from drills.simulator.needs.s3 import need_of_deletion
from drills.simulator.request import Response
from drills.simulator.s3 import changes, lock
from drills.simulator.s3.attributes import owner_backend, same_etag
from drills.simulator.s3.calls import (
    NO_KEY,
    Call,
    Refusal,
    access_denied,
    answering,
    check_version_id,
    document,
    empty,
    escaped,
    not_implemented,
    precondition_failed,
)
from drills.simulator.s3.documents import malformed
from drills.simulator.s3.payload import parsed_body
from drills.simulator.s3.versions import Marker, Version
from drills.simulator.state import current

MOST_AT_ONCE = 1000
NOT_EMPTY = "The bucket you tried to delete is not empty"
VERSIONS_LEFT = f"{NOT_EMPTY}. You must delete all versions in the bucket."


@answering
def delete_object(call: Call) -> Response:
    lock.check_bypass_header(call)
    for name in ("x-amz-if-match-last-modified-time", "x-amz-if-match-size"):
        if name in call.headers:
            raise not_implemented(name)
    _check_match(call, call.key, call.headers.get("if-match"))
    deleted = _delete(call, call.key, call.version_id)
    headers = {}
    if isinstance(deleted, Marker):
        headers["x-amz-delete-marker"] = "true"
    if deleted is not None or call.version_id is not None:
        headers["x-amz-version-id"] = deleted.version_id if deleted is not None else str(call.version_id)
    return empty(204, headers)


def _check_match(call: Call, key: str, etag: str | None) -> None:
    if etag is None:
        return
    latest: Any = call.bucket.keys.latest(key)
    if not isinstance(latest, Version):
        raise Refusal("NoSuchKey", NO_KEY, 404, None, Key=key)
    if etag != "*" and not same_etag(etag, latest):
        raise precondition_failed("If-Match")


def _delete(call: Call, key: str, identifier: str | None) -> Version | Marker | None:
    """What was deleted by its id, or the marker that was written; None where there was nothing. Raises Refusal."""
    if identifier is None:
        return changes.delete(call.bucket, key, by=call.by)
    check_version_id(identifier, call.bucket)
    version: Version | Marker | None = call.bucket.keys.find(key, identifier)
    if isinstance(version, Version):
        lock.check_deletable(call, version, key)
    if version is not None:
        changes.remove(call.bucket, version, by=call.by)
    return version


# --- Several at once -------------------------------------------------------------------------------------------------


@answering
def delete_objects(call: Call) -> Response:
    lock.check_bypass_header(call)
    if not any(name.startswith(("content-md5", "x-amz-checksum-", "x-amz-trailer")) for name in call.headers):
        raise Refusal("InvalidRequest", "Missing required header for this request: Content-MD5")
    root = parsed_body(call.request)
    objects = root.findall("Object")
    if root.tag != "Delete" or not 1 <= len(objects) <= MOST_AT_ONCE:
        raise malformed()
    quiet = root.findtext("Quiet", "").strip().lower() == "true"
    answers = [_delete_one(call, one, quiet) for one in objects]
    return document("DeleteResult", "".join(answers))


def _delete_one(call: Call, named: ElementTree.Element, quiet: bool) -> str:
    key, identifier = named.findtext("Key") or "", named.findtext("VersionId") or None
    if not key:
        raise malformed()
    told = f"<Key>{escaped(key)}</Key>"
    if identifier is not None:
        told += f"<VersionId>{escaped(identifier)}</VersionId>"
    try:
        _check_permitted(call, key, identifier)
        _check_match(call, key, named.findtext("ETag"))
        deleted = _delete(call, key, identifier)
    except Refusal as refusal:
        code, message = refusal.code, refusal.message
        if code == "InvalidArgument":
            code, message = "NoSuchVersion", "The specified version does not exist."
        return f"<Error>{told}<Code>{code}</Code><Message>{escaped(message)}</Message></Error>"
    if quiet:
        return ""
    if isinstance(deleted, Marker):
        told += f"<DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>{deleted.version_id}</DeleteMarkerVersionId>"
    return f"<Deleted>{told}</Deleted>"


def _check_permitted(call: Call, key: str, identifier: str | None) -> None:
    """Each key is judged by itself. Raises Refusal."""
    request, principal = call.request, call.request.principal
    own = call.bucket.account_id == request.account and call.bucket.policy is None
    if own and principal.administrator and not principal.session_policies:
        return
    need = need_of_deletion(request, str(call.bucket.name), key, identifier)
    if not current().iam_enforced:
        if call.bucket.get_permission(need.action, need.resource) == PermissionResult.DENIED:
            raise access_denied()
        return
    keys = {**iam.keys_of(request, current().clock.now()), **need.keys}
    if (why := iam.denied(principal, need, keys)) is not None:
        raise access_denied(
            f'User: {principal.arn} is not authorized to perform: {need.action} on resource: "{need.resource}" {why}'
        )


# --- The bucket ------------------------------------------------------------------------------------------------------


@answering
def delete_bucket(call: Call) -> Response:
    bucket = call.bucket
    if bucket.keys:
        text = NOT_EMPTY if bucket.versioning_status is None else VERSIONS_LEFT
        raise Refusal("BucketNotEmpty", text, 409, None, BucketName=bucket.name)
    backend = owner_backend(bucket)
    for upload in list(bucket.multiparts):
        del bucket.multiparts[upload]
    # A bucket of the same name that is made later must not begin with this one's tags.
    backend.tagger.delete_all_tags_for_resource(bucket.arn)
    backend.buckets.pop(bucket.name)
    s3_backends.bucket_accounts.pop(bucket.name, None)
    return empty(204)


OPERATIONS = {
    "s3:DeleteObject": delete_object,
    "s3:DeleteObjects": delete_objects,
    "s3:DeleteBucket": delete_bucket,
}
