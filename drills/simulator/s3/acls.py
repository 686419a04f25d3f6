"""ACLs where a bucket allows them, and whose an object is that another account wrote.

Source: S3 user guide, Controlling ownership of objects and disabling ACLs for your bucket.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.s3.responses import S3Response

from drills.simulator.needs.need import asked
from drills.simulator.needs.s3 import bucket_and_key, bucket_named
from drills.simulator.request import Request, Response
from drills.simulator.s3 import changes
from drills.simulator.s3.access import ENFORCED, blocks, is_open, ownership
from drills.simulator.s3.documents import Refused, operation
from drills.simulator.state import Simulation

FULL_CONTROL = "bucket-owner-full-control"
SHARED = (FULL_CONTROL, "bucket-owner-read")
WRITES = frozenset({"PutObject", "CopyObject", "CompleteMultipartUpload", "PutObjectAcl"})

_uploads: dict[tuple[str, str, str], str] = {}
"""The canned ACL that the last upload in parts of an account began with, by bucket, key and account."""


def begin(simulation: Simulation) -> None:
    _uploads.clear()
    simulation.on_answered.append(_own)


@operation
def check_acl(request: Request) -> Response | None:
    """Refuse an ACL where the bucket has none, and a public one where public ACLs are blocked."""
    bucket = bucket_named(bucket_and_key(request.url)[0])
    canned, grants = request.headers.get("x-amz-acl"), _grants(request.headers)
    own_body = request.operation in ("PutObjectAcl", "PutBucketAcl") and bool(request.body)
    if bucket is None or not (canned or grants or own_body):
        return None
    if bucket.ownership_rule == ENFORCED and canned != FULL_CONTROL:
        raise Refused("AccessControlListNotSupported", "The bucket does not allow ACLs")
    if blocks(bucket)["block_public_acls"] and _public(request, canned):
        text = "because public access control lists (ACLs) are prevented by the BlockPublicAcls setting"
        raise Refused("AccessDenied", f"User: {request.principal.arn} is not authorized {text}", 403)
    return None


def _grants(headers: Mapping[str, str]) -> bool:
    return any(name.startswith("x-amz-grant-") for name in headers)


def _public(request: Request, canned: str | None) -> bool:
    if canned is not None:
        return canned in ("public-read", "public-read-write", "authenticated-read")
    if _grants(request.headers):
        acl: Any = S3Response._acl_from_headers(None, dict(request.headers))
        return any(is_open(acl, permission) for permission in ("READ", "WRITE", "READ_ACP", "WRITE_ACP"))
    return b"/groups/global/A" in request.body


def _own(request: Request, status: int) -> None:
    """Note who owns what was written into a bucket with ACLs, and whether the bucket's owner may have it."""
    if request.service != "s3" or status != 200:
        return
    name, key = bucket_and_key(request.url)
    canned = request.headers.get("x-amz-acl", "")
    if request.operation == "CreateMultipartUpload":
        _uploads[name, key, request.account] = canned
        return
    bucket = changes.bucket_named(name) if request.operation in WRITES else None
    if bucket is None or ownership(bucket) == ENFORCED:
        return
    if request.operation == "CompleteMultipartUpload":
        canned = _uploads.pop((name, key, request.account), "")
    chosen = asked(request).get("versionId")
    version = bucket.keys.find(key, chosen) if chosen else bucket.keys.latest(key)
    if version is None or version.written_by != request.account:
        return
    version.shared_with_bucket_owner = canned in SHARED
    if ownership(bucket) == "BucketOwnerPreferred" and canned == FULL_CONTROL:
        version.written_by = str(bucket.account_id)


OPERATIONS = {
    f"s3:{name}": check_acl
    for name in ("PutObject", "CopyObject", "CreateMultipartUpload", "PutObjectAcl", "PutBucketAcl")
}
