"""What the source held before it was replicated: brought in by a job of S3 Batch Replication, or copied directly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from drills.bucket_copy.compare import both, compare
from drills.bucket_copy.model import BucketCopy, Clients
from drills.bucket_copy.vault_side import readable_by
from drills.bucket_rollback import Copying, Entry
from drills.errors import ProtectionError

JOB_SECONDS = 7 * 86_400
ENDED = ("Complete", "Failed", "Cancelled")


class Wait(Protocol):
    """Polls until ``ready()``; raises naming ``what`` when the limit passes."""

    def __call__(self, what: str, ready: Callable[[], bool], *, every_seconds: float, limit_seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class BroughtIn:
    """How many versions were missing, and how they were brought in."""

    how: Literal["nothing", "batch_replication", "direct_copy"]
    objects: int = 0
    failed: int = 0


def bring_in(copy: BucketCopy, clients: Clients, wait: Wait, *, batch: bool = True) -> BroughtIn:
    """Bring in what is missing; nothing happens where nothing is. Returns when it is in.

    ``batch``: by S3 Batch Replication, which brings all versions with their ids. Without it the newest version of each
    key is copied, with metadata and tags, under an id of its own. Raises ProtectionError when the job fails.
    """
    missing = compare(both(copy, clients)).missing.count
    if not missing:
        return BroughtIn("nothing")
    return _by_job(copy, clients, wait) if batch else _directly(copy, clients)


def _by_job(copy: BucketCopy, clients: Clients, wait: Wait) -> BroughtIn:
    control = clients("production", "s3control")
    job = control.create_job(
        AccountId=copy.source_account,
        ConfirmationRequired=False,
        Operation={"S3ReplicateObject": {}},
        Report={"Enabled": False},
        ManifestGenerator={
            "S3JobManifestGenerator": {
                "ExpectedBucketOwner": copy.source_account,
                "SourceBucket": copy.source_arn,
                "EnableManifestOutput": False,
                "Filter": {"EligibleForReplication": True, "ObjectReplicationStatuses": ["NONE", "FAILED"]},
            }
        },
        Description=f"what {copy.source_bucket} held before it was copied"[:256],
        Priority=1,
        RoleArn=copy.role_arn,
        ClientRequestToken=f"{copy.copy_bucket}"[:64],
    )["JobId"]

    def described() -> Any:
        return control.describe_job(AccountId=copy.source_account, JobId=job)["Job"]

    wait(
        f"Batch Replication job {job} of {copy.source_bucket}",
        lambda: described()["Status"] in ENDED,
        every_seconds=60,
        limit_seconds=JOB_SECONDS,
    )
    found = described()
    progress = found.get("ProgressSummary", {})
    failed = int(progress.get("NumberOfTasksFailed", 0))
    if found["Status"] != "Complete":
        reasons = "; ".join(str(one.get("FailureReason", one)) for one in found.get("FailureReasons", []))
        raise ProtectionError(
            f"Batch Replication job {job} of bucket {copy.source_bucket}: expected it to complete, found it "
            f"{found['Status']} ({reasons or 'no reason given'}). What was written before the copy began is not in it: "
            "see the job in S3's console, put right what it complains of and protect again."
        )
    return BroughtIn("batch_replication", int(progress.get("TotalNumberOfTasks", 0)), failed)


def _directly(copy: BucketCopy, clients: Clients) -> BroughtIn:
    production, vault = clients("production", "s3"), clients("vault", "s3")
    how = Copying(
        production,
        vault,
        copy.source_bucket,
        copy.copy_bucket,
        encryption=False,
        retention=False,
        source_owner=copy.source_account,
        target_owner=copy.vault_account,
    )
    objects = 0
    with readable_by(production, copy.source, copy.vault_account), how.quickly() as quick:
        for key, entry in list(_newest_missing(copy, clients)):
            quick.copy(key, entry.version_id, entry.size, entry.storage_class)
            objects += 1
    return BroughtIn("direct_copy", objects)


def _newest_missing(copy: BucketCopy, clients: Clients) -> Iterator[tuple[str, Entry]]:
    for pair in both(copy, clients):
        versions = [entry for entry in pair.source if not entry.marker]
        if versions and compare(iter([pair]), every_version=False).missing.count:
            yield pair.key, versions[0]
