"""What calls of S3 need: its actions have names of their own.

Source: service authorization reference, Amazon S3; S3 user guide, Required permissions for S3 API operations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from moto.s3.models import s3_backends

from drills.simulator.accounts import partition_of
from drills.simulator.needs.need import Need, asked
from drills.simulator.request import Request

VIRTUAL_HOST = re.compile(r"^(?P<bucket>.+)\.s3(?:[.-](?:dualstack\.|fips\.)?[a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?$")
ACTIONS = {
    "AbortMultipartUpload": "AbortMultipartUpload",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeleteObjects": "DeleteObject",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycle": "GetLifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListBuckets": "ListAllMyBuckets",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListParts": "ListMultipartUploadParts",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "PutBucketCors": "PutBucketCORS",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycle": "PutLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutBucketReplication": "PutReplicationConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "SelectObjectContent": "GetObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
}
OF_VERSION = {
    "GetObject": "GetObjectVersion",
    "DeleteObject": "DeleteObjectVersion",
    "GetObjectTagging": "GetObjectVersionTagging",
    "PutObjectTagging": "PutObjectVersionTagging",
    "DeleteObjectTagging": "DeleteObjectVersionTagging",
    "GetObjectAcl": "GetObjectVersionAcl",
    "PutObjectAcl": "PutObjectVersionAcl",
}
"""The action that a call with a version id needs instead."""
ASKED_KEYS = ("prefix", "delimiter", "max-keys")
HEADER_KEYS = (
    "x-amz-acl",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-storage-class",
    "x-amz-copy-source",
    "x-amz-metadata-directive",
)
CONTROL = "s3-control"
CONTROL_ACTIONS = {
    "GetPublicAccessBlock": "GetAccountPublicAccessBlock",
    "PutPublicAccessBlock": "PutAccountPublicAccessBlock",
    "DeletePublicAccessBlock": "PutAccountPublicAccessBlock",
}
JOB_IN_PATH = re.compile(r"/jobs/([^/]+)")
ROLE_OF_RULES = re.compile(rb"<Role>(.*?)</Role>", re.DOTALL)
ROLE_OF_JOB = re.compile(rb"<RoleArn>(.*?)</RoleArn>", re.DOTALL)


def bucket_and_key(url: str) -> tuple[str, str]:
    """The bucket and the key that an S3 URL names, each empty when it names none."""
    parts = urlsplit(url)
    # A key may itself begin with a slash.
    path = unquote(parts.path).removeprefix("/")
    found = VIRTUAL_HOST.match(parts.hostname or "")
    if found:
        return found["bucket"], path
    bucket, _, key = path.partition("/")
    return bucket, key


def bucket_named(name: str) -> Any | None:
    """moto's bucket, whoever owns it; None when there is none of this name."""
    if name not in s3_backends.bucket_accounts:
        return None
    partition, account = s3_backends.bucket_accounts[name]
    return s3_backends[account][partition].buckets.get(name)


def needs(request: Request) -> Iterator[Need]:
    if CONTROL in urlsplit(request.url).netloc:
        yield from _needs_of_control(request)
        return
    bucket, key = bucket_and_key(request.url)
    keys = _keys(request)
    if request.operation == "DeleteObjects":
        return  # Each key needs its own, as need_of_deletion says.
    name = ACTIONS.get(request.operation, request.operation)
    if "versionId" in asked(request):
        name = OF_VERSION.get(name, name)
    yield Need(f"s3:{name}", _arn(request, bucket, key), keys)
    if request.operation == "CreateBucket" and request.headers.get("x-amz-bucket-object-lock-enabled") == "true":
        # Source: S3 API reference, CreateBucket, Permissions.
        for extra in ("PutBucketObjectLockConfiguration", "PutBucketVersioning"):
            yield Need(f"s3:{extra}", _arn(request, bucket, key), keys)
    if request.operation == "PutBucketReplication":
        yield from _passing(request, ROLE_OF_RULES, "s3.amazonaws.com")
    if request.operation in ("CopyObject", "UploadPartCopy"):
        source = unquote(request.headers.get("x-amz-copy-source", "")).lstrip("/")
        path, _, version = source.partition("?versionId=")
        yield Need("s3:GetObjectVersion" if version else "s3:GetObject", f"arn:{_partition(request)}:s3:::{path}", keys)
    if request.operation in ("PutObject", "CopyObject", "CreateMultipartUpload"):
        for header, extra in (("x-amz-tagging", "PutObjectTagging"), ("x-amz-acl", "PutObjectAcl")):
            if request.headers.get(header):
                yield Need(f"s3:{extra}", _arn(request, bucket, key), keys)


def need_of_deletion(request: Request, bucket: str, key: str, version_id: str | None) -> Need:
    """What the deletion of one of several objects needs."""
    chosen = (version_id,) if version_id is not None else None
    name = "DeleteObject" if version_id is None else "DeleteObjectVersion"
    return Need(f"s3:{name}", _arn(request, bucket, key), {**_keys(request), "s3:versionid": chosen})


def _needs_of_control(request: Request) -> Iterator[Need]:
    """Of S3 Control's calls: a job is a resource of its own, anything else the account's."""
    found = JOB_IN_PATH.search(urlsplit(request.url).path)
    name = CONTROL_ACTIONS.get(request.operation, request.operation)
    where = f"arn:{_partition(request)}:s3:{request.region}:{request.account}:job"
    yield Need(f"s3:{name}", f"{where}/{found[1]}" if found else "*", {})
    if request.operation == "CreateJob":
        yield from _passing(request, ROLE_OF_JOB, "batchoperations.s3.amazonaws.com")


def _passing(request: Request, named: re.Pattern[bytes], service: str) -> Iterator[Need]:
    """The role that the call hands to S3."""
    role = named.search(request.body)
    if role is not None:
        yield Need("iam:PassRole", role[1].decode("utf-8", "replace").strip(), {"iam:passedtoservice": (service,)})


def _partition(request: Request) -> str:
    return partition_of(request.region)


def _arn(request: Request, bucket: str, key: str) -> str:
    if not bucket:
        return "*"
    return f"arn:{_partition(request)}:s3:::{bucket}" + (f"/{key}" if key else "")


def _keys(request: Request) -> dict[str, tuple[str, ...] | None]:
    given = asked(request)
    keys: dict[str, tuple[str, ...] | None] = {
        f"s3:{name}": (given[name],) if name in given else None for name in ASKED_KEYS
    }
    keys["s3:versionid"] = (given["versionId"],) if "versionId" in given else None
    for name in HEADER_KEYS:
        keys[f"s3:{name}"] = (request.headers[name],) if name in request.headers else None
    name, key = bucket_and_key(request.url)
    bucket = bucket_named(name)
    owner = (str(bucket.account_id),) if bucket is not None else None
    keys["s3:resourceaccount"] = keys["aws:resourceaccount"] = owner
    keys.update(_keys_of_tags(request, bucket, key))
    return keys


def _keys_of_tags(request: Request, bucket: Any, key: str) -> dict[str, tuple[str, ...] | None]:
    """The tags that the call brings, and those that are on the object already."""
    brought = dict(parse_qsl(request.headers.get("x-amz-tagging", ""), keep_blank_values=True))
    keys: dict[str, tuple[str, ...] | None] = {
        f"s3:requestobjecttag/{name.lower()}": (value,) for name, value in brought.items()
    }
    keys["s3:requestobjecttagkeys"] = tuple(brought) or None
    version = None
    if bucket is not None and key:
        chosen = asked(request).get("versionId")
        version = bucket.keys.find(key, chosen) if chosen else bucket.keys.latest(key)
    for name, value in getattr(version, "tags", {}).items():
        keys[f"s3:existingobjecttag/{name.lower()}"] = (value,)
    return keys
