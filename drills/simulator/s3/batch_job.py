"""One job of S3 Batch Operations, and what DescribeJob and ListJobs tell of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from drills.simulator.s3.documents import Document
from drills.simulator.state import current

ENDED = frozenset({"Complete", "Failed", "Cancelled"})
DESCRIBED = ("ConfirmationRequired", "Description", "Manifest", "Operation", "Priority", "Report", "RoleArn",
             "ManifestGenerator")  # fmt: skip


class Failure(Exception):
    """A job cannot go on: becomes its failure reason."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class Task:
    """One version that a job replicates; no version id stands for the latest. ``error`` once it has failed."""

    bucket: str
    key: str
    version_id: str | None
    size: int
    error: str | None = None


@dataclass(eq=False)
class Job:
    """A job. ``given`` is what CreateJob was given."""

    id: str
    account: str
    region: str
    given: Document
    created: datetime
    status: str = "New"
    tasks: list[Task] = field(default_factory=list)
    failures: list[Document] = field(default_factory=list)
    reason: str | None = None
    suspended: datetime | None = None
    active: datetime | None = None
    ended: datetime | None = None
    modelled_seconds: float | None = None
    generated: Document | None = None

    @property
    def arn(self) -> str:
        return f"arn:aws:s3:{self.region}:{self.account}:job/{self.id}"

    def end(self, status: str) -> None:
        self.status, self.ended = status, current().clock.now()

    def fail(self, code: str, reason: str) -> None:
        self.failures = [{"FailureCode": code, "FailureReason": reason}]
        self.end("Failed")

    @property
    def progress(self) -> Document:
        done = self.status == "Complete"
        failed = sum(task.error is not None for task in self.tasks)
        elapsed = 0
        if self.active is not None:
            elapsed = int(((self.ended or current().clock.now()) - self.active).total_seconds())
        return {
            "TotalNumberOfTasks": len(self.tasks),
            "NumberOfTasksSucceeded": len(self.tasks) - failed if done else 0,
            "NumberOfTasksFailed": failed if done else 0,
            "Timers": {"ElapsedTimeInActiveSeconds": elapsed},
        }

    def description(self) -> Document:
        told: Document = {
            "JobId": self.id,
            "JobArn": self.arn,
            "Status": self.status,
            "CreationTime": self.created,
            "ProgressSummary": self.progress,
            "StatusUpdateReason": self.reason,
            "FailureReasons": self.failures or None,
            "TerminationDate": self.ended,
            "SuspendedDate": self.suspended,
            "SuspendedCause": "Awaiting confirmation" if self.suspended is not None else None,
            "GeneratedManifestDescriptor": self.generated,
            **{name: self.given.get(name) for name in DESCRIBED},
        }
        return {name: value for name, value in told.items() if value is not None}

    def listed(self) -> Document:
        told: Document = {
            "JobId": self.id,
            "Description": self.given.get("Description"),
            "Operation": "S3ReplicateObject",
            "Priority": self.given.get("Priority"),
            "Status": self.status,
            "CreationTime": self.created,
            "TerminationDate": self.ended,
            "ProgressSummary": self.progress,
        }
        return {name: value for name, value in told.items() if value is not None}
