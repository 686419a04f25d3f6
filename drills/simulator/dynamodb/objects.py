"""Objects in S3, as DynamoDB writes exports into them and reads imports from them."""

from __future__ import annotations

from typing import Any

from moto.s3.models import s3_backends

PARTITION = "aws"


class OutOfReach(Exception):
    """The bucket cannot be used: becomes FailureCode and FailureMessage of the export or import."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def bucket_region(name: str) -> str | None:
    """The region of a bucket, None if there is none of the name."""
    owner = _owner(name)
    return None if owner is None else str(_backend(owner).get_bucket(name).region_name)


def check_bucket(name: str, owner: str) -> None:
    """Raises OutOfReach unless this account owns the bucket. Bucket policies are not judged."""
    found = _owner(name)
    if found is None:
        raise OutOfReach("S3NoSuchBucket", "The specified bucket does not exist")
    if found != owner:
        raise OutOfReach("S3AccessDenied", f"Access Denied: bucket {name} is not owned by account {owner}")


def write_object(bucket: str, owner: str, key: str, content: bytes) -> str:
    """Write an object; gives its ETag without quotes. Raises OutOfReach."""
    check_bucket(bucket, owner)
    written = _backend(owner).put_object(bucket, key, content)
    return str(written.etag).strip('"')


def read_objects(bucket: str, owner: str, prefix: str) -> list[tuple[str, bytes]]:
    """Key and content of every object under a prefix, in the order of their keys. Raises OutOfReach."""
    check_bucket(bucket, owner)
    backend = _backend(owner)
    keys = sorted(name for name in backend.get_bucket(bucket).keys if name.startswith(prefix))
    objects = ((key, backend.get_object(bucket, key)) for key in keys)
    return [(key, bytes(found.value)) for key, found in objects if found is not None]


def _owner(bucket: str) -> str | None:
    found = s3_backends.bucket_accounts.get(bucket)
    return None if found is None else str(found[1])


def _backend(account: str) -> Any:
    return s3_backends[account][PARTITION]
