"""PutBucketReplication and its kin, and what a bucket with a replication configuration may not do.

Source: S3 API reference, PutBucketReplication; S3 user guide, Requirements and considerations for replication.
"""

from __future__ import annotations

from moto.s3.models import FakeBucket

from drills.simulator.accounts import account_in
from drills.simulator.needs.s3 import bucket_and_key
from drills.simulator.request import Request, Response
from drills.simulator.s3 import changes
from drills.simulator.s3.documents import Refused, answer, invalid, nothing, operation, read
from drills.simulator.s3.replication import configuration_of
from drills.simulator.s3.rules import Configuration, configuration

SHAPE = "ReplicationConfiguration"


@operation
def put_bucket_replication(request: Request) -> Response | None:
    bucket = _bucket(request)
    if bucket is None:
        return None
    if bucket.versioning_status != "Enabled":
        raise invalid("Versioning must be 'Enabled' on the bucket to apply a replication configuration")
    made = configuration(read(request.body, SHAPE))
    if account_in(made.role) != str(bucket.account_id):
        raise Refused("AccessDenied", "Cross-account pass role is not allowed.", 403)
    for destination in {rule.destination for rule in made.rules}:
        _check_destination(bucket, destination)
    bucket.replication = made
    return nothing()


def _check_destination(source: FakeBucket, name: str) -> None:
    target = changes.bucket_named(name)
    if target is None:
        raise invalid("Destination bucket must exist.")
    if target is source:
        raise invalid("Destination bucket cannot be the same as the source bucket.")
    if target.versioning_status != "Enabled":
        raise invalid("Destination bucket must have versioning enabled.")
    if source.object_lock_enabled and not target.object_lock_enabled:
        raise invalid("Object Lock must be enabled on the destination bucket, as it is on the source bucket.")


@operation
def get_bucket_replication(request: Request) -> Response | None:
    bucket = _bucket(request)
    if bucket is None:
        return None
    found: Configuration | None = configuration_of(bucket)
    if found is None:
        text = "The replication configuration was not found"
        raise Refused("ReplicationConfigurationNotFoundError", text, 404)
    return answer(found.document, SHAPE)


@operation
def keep_versioning(request: Request) -> Response | None:
    """Refuse to suspend the versioning of a bucket that replicates."""
    bucket = _bucket(request)
    if bucket is None or configuration_of(bucket) is None or b"<Status>Enabled</Status>" in request.body:
        return None
    raise Refused(
        "InvalidBucketState",
        "A replication configuration is present on this bucket, so the versioning state cannot be changed.",
        409,
    )


def _bucket(request: Request) -> FakeBucket | None:
    return changes.bucket_named(bucket_and_key(request.url)[0])


OPERATIONS = {
    "s3:PutBucketReplication": put_bucket_replication,
    "s3:GetBucketReplication": get_bucket_replication,
    "s3:PutBucketVersioning": keep_versioning,
}
