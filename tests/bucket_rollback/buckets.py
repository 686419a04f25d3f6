"""A versioned bucket in the simulated AWS, and what a test asks of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from drills.simulator import SimulatedAWS

ACCOUNT, REGION, BUCKET = "111111111111", "eu-west-1", "papers"


@contextmanager
def versioned(*, lock: bool = False, acls: bool = False) -> Iterator[tuple[SimulatedAWS, Any]]:
    with SimulatedAWS() as aws:
        s3: Any = aws.session(ACCOUNT, REGION).client("s3")
        ownership = "ObjectWriter" if acls else "BucketOwnerEnforced"
        s3.create_bucket(
            Bucket=BUCKET,
            CreateBucketConfiguration={"LocationConstraint": REGION},
            ObjectLockEnabledForBucket=lock,
            ObjectOwnership=ownership,
        )
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield aws, s3


def moment(aws: SimulatedAWS, seconds: float = 60.0) -> datetime:
    """A moment that is well apart from what came before and what comes after."""
    aws.clock.sleep(seconds)
    now = aws.clock.now()
    aws.clock.sleep(seconds)
    return now


def put(s3: Any, key: str, body: bytes | str, **more: Any) -> str:
    return str(s3.put_object(Bucket=BUCKET, Key=key, Body=body, **more)["VersionId"])


def delete(s3: Any, key: str) -> str:
    return str(s3.delete_object(Bucket=BUCKET, Key=key)["VersionId"])


def contents(s3: Any, bucket: str = BUCKET) -> dict[str, bytes]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def version_ids(s3: Any) -> set[tuple[str, str]]:
    """Every version that is not a delete marker."""
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET)
    return {(entry["Key"], entry["VersionId"]) for page in pages for entry in page.get("Versions", [])}
