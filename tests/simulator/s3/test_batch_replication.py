"""Batch Replication of what was there before the rules, through plain boto3 clients."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from drills.simulator import SimulatedAWS
from tests.simulator.policies import ONE, allow, as_role, code_of, document, role
from tests.simulator.s3.replicating import HERE, Replicated, contents, make, v2

pytestmark = pytest.mark.simulated_aws

HOUR = 3600.0
DAY = 24 * HOUR
TRUSTED = {"Effect": "Allow", "Principal": {"Service": "batchoperations.s3.amazonaws.com"}, "Action": "sts:AssumeRole"}
NEEDED = (
    "s3:InitiateReplication",
    "s3:GetReplicationConfiguration",
    "s3:PutInventoryConfiguration",
    "s3:GetObject",
    "s3:PutObject",
)


class Batch:
    """A bucket that was filled before it replicated, and jobs that make up for it."""

    def __init__(self, aws: SimulatedAWS, **more: Any) -> None:
        self.aws = aws
        self.pair = Replicated(aws, rules=None, **more)
        self.control: Any = aws.session(ONE, HERE).client("s3control")
        self.role = role(aws, "batch", allow(list(NEEDED)), trusts=TRUSTED)
        make(self.pair.source, "reports", HERE)

    def start(self, choose: dict[str, Any] | None = None, confirm: bool = False, **more: Any) -> str:
        generator = {
            "SourceBucket": "arn:aws:s3:::here",
            "EnableManifestOutput": False,
            "Filter": choose if choose is not None else {"EligibleForReplication": True},
        }
        given: dict[str, Any] = {
            "AccountId": ONE,
            "ConfirmationRequired": confirm,
            "Operation": {"S3ReplicateObject": {}},
            "Report": {
                "Bucket": "arn:aws:s3:::reports",
                "Format": "Report_CSV_20180820",
                "Enabled": True,
                "Prefix": "jobs",
                "ReportScope": "AllTasks",
            },
            "ClientRequestToken": str(self.aws.clock.now()),
            "Priority": 1,
            "RoleArn": self.role,
            "ManifestGenerator": {"S3JobManifestGenerator": generator},
            **more,
        }
        if "Manifest" in more:
            given.pop("ManifestGenerator")
        return str(self.control.create_job(**given)["JobId"])

    def job(self, identifier: str) -> dict[str, Any]:
        found: dict[str, Any] = self.control.describe_job(AccountId=ONE, JobId=identifier)["Job"]
        return found

    def ended(self, identifier: str) -> dict[str, Any]:
        for _ in range(48):
            self.aws.clock.sleep(HOUR)
            job = self.job(identifier)
            if job["Status"] in ("Complete", "Failed", "Cancelled"):
                return job
        raise AssertionError(f"the job is still {job['Status']}")

    def counts(self, identifier: str) -> tuple[int, int, int]:
        progress = self.ended(identifier)["ProgressSummary"]
        names = ("TotalNumberOfTasks", "NumberOfTasksSucceeded", "NumberOfTasksFailed")
        total, succeeded, failed = (int(progress[name]) for name in names)
        return total, succeeded, failed

    def report(self, identifier: str) -> dict[str, list[list[str]]]:
        s3 = self.pair.source
        folder = f"jobs/job-{identifier}"
        manifest = json.loads(s3.get_object(Bucket="reports", Key=f"{folder}/manifest.json")["Body"].read())
        return {
            one["TaskExecutionStatus"]: list(
                csv.reader(io.StringIO(s3.get_object(Bucket="reports", Key=one["Key"])["Body"].read().decode()))
            )
            for one in manifest["Results"]
        }


@pytest.fixture
def aws() -> Iterator[SimulatedAWS]:
    with SimulatedAWS(seed=1) as aws:
        yield aws


@pytest.fixture
def batch(aws: SimulatedAWS) -> Batch:
    batch = Batch(aws)
    batch.pair.put("a", b"1")
    batch.pair.put("a", b"2", Tagging="k=v")
    batch.pair.put("ü b", b"3")
    batch.pair.put_rules(v2())
    return batch


def test_all_versions_from_before_the_rule_come_over(batch: Batch) -> None:
    job = batch.start()
    assert batch.job(job)["Status"] == "New"
    assert batch.counts(job) == (3, 3, 0)
    assert batch.job(job)["Status"] == "Complete"
    assert contents(batch.pair.source, "here") == batch.pair.there()
    assert batch.pair.status("a") == "COMPLETED"
    assert batch.pair.target.get_object_tagging(Bucket="there", Key="a")["TagSet"] == [{"Key": "k", "Value": "v"}]
    rows = batch.report(job)["succeeded"]
    assert sorted((row[0], row[1]) for row in rows) == [("here", "%C3%BC%20b"), ("here", "a"), ("here", "a")]


def test_a_job_takes_its_time_through_its_states(batch: Batch) -> None:
    job = batch.start()
    seen: list[str] = []
    for _ in range(200):
        status = batch.job(job)["Status"]
        if not seen or seen[-1] != status:
            seen.append(status)
        batch.aws.clock.sleep(10)
    assert seen == ["New", "Preparing", "Active", "Complete"]


def test_a_job_may_wait_for_confirmation(batch: Batch) -> None:
    job = batch.start(confirm=True)
    batch.aws.clock.sleep(DAY)
    assert batch.job(job)["Status"] == "Suspended"
    assert batch.pair.keys_there() == set()
    batch.control.update_job_status(AccountId=ONE, JobId=job, RequestedJobStatus="Ready")
    assert batch.counts(job) == (3, 3, 0)


def test_a_job_can_be_cancelled(batch: Batch) -> None:
    job = batch.start()
    batch.aws.clock.sleep(1)
    batch.control.update_job_status(AccountId=ONE, JobId=job, RequestedJobStatus="Cancelled")
    batch.aws.clock.sleep(DAY)
    assert batch.job(job)["Status"] == "Cancelled"
    assert batch.pair.keys_there() == set()
    ready: Any = {"AccountId": ONE, "JobId": job, "RequestedJobStatus": "Ready"}
    assert code_of(batch.control.update_job_status, **ready) == "JobStatusException"


def test_jobs_are_listed_newest_first(batch: Batch) -> None:
    first = batch.start()
    batch.ended(first)
    second = batch.start()
    listed = batch.control.list_jobs(AccountId=ONE)["Jobs"]
    assert [job["JobId"] for job in listed] == [second, first]
    complete = batch.control.list_jobs(AccountId=ONE, JobStatuses=["Complete"])["Jobs"]
    assert [job["JobId"] for job in complete] == [first]
    elsewhere = batch.aws.session(ONE, "us-east-1").client("s3control")
    assert elsewhere.list_jobs(AccountId=ONE).get("Jobs", []) == []
    assert code_of(elsewhere.describe_job, AccountId=ONE, JobId=first) == "NoSuchJob"


def test_the_same_token_is_the_same_job(batch: Batch) -> None:
    assert batch.start(ClientRequestToken="one") == batch.start(ClientRequestToken="one")


@pytest.mark.parametrize(
    ("choose", "keys"),
    [
        ({"ObjectReplicationStatuses": ["NONE"]}, {"a", "ü b"}),
        ({"ObjectReplicationStatuses": ["FAILED"]}, {"failed"}),
        ({"EligibleForReplication": True, "KeyNameConstraint": {"MatchAnyPrefix": ["ü"]}}, {"ü b"}),
        ({"EligibleForReplication": True, "KeyNameConstraint": {"MatchAnySuffix": ["led"]}}, {"failed"}),
        ({"EligibleForReplication": True, "ObjectSizeGreaterThanBytes": 3}, {"failed"}),
    ],
)
def test_what_a_job_chooses(batch: Batch, choose: dict[str, Any], keys: set[str]) -> None:
    batch.pair.let_in(["s3:ReplicateTags"])
    batch.pair.put("failed", b"1234")
    batch.pair.later()
    assert batch.pair.status("failed") == "FAILED"
    batch.pair.let_in(["s3:ReplicateObject", "s3:ReplicateTags"])
    batch.ended(batch.start(choose))
    assert batch.pair.keys_there() == keys


def test_only_what_was_written_in_a_time(batch: Batch) -> None:
    batch.aws.clock.sleep(DAY)
    moment = batch.aws.clock.now() - timedelta(hours=1)
    batch.pair.put("newer")
    batch.pair.later()
    batch.ended(batch.start({"CreatedBefore": moment}))
    assert batch.pair.keys_there() == {"a", "ü b", "newer"}


def csv_manifest(batch: Batch, *rows: list[str], fields: tuple[str, ...] = ("Bucket", "Key")) -> dict[str, Any]:
    body = "".join(",".join(row) + "\n" for row in rows).encode()
    put = batch.pair.source.put_object(Bucket="reports", Key="list.csv", Body=body)
    return {
        "Spec": {"Format": "S3BatchOperations_CSV_20180820", "Fields": list(fields)},
        "Location": {"ObjectArn": "arn:aws:s3:::reports/list.csv", "ETag": put["ETag"]},
    }


def test_a_list_of_ones_own(batch: Batch) -> None:
    oldest = batch.pair.source.list_object_versions(Bucket="here", Prefix="a")["Versions"][-1]["VersionId"]
    fields = ("Bucket", "Key", "VersionId")
    manifest = csv_manifest(
        batch, ["here", "a", oldest], ["here", "%C3%BC%20b", ""], ["here", "nowhere", ""], fields=fields
    )
    job = batch.start(Manifest=manifest)
    assert batch.counts(job) == (3, 2, 1)
    assert {key: len(found) for key, found in batch.pair.there().items()} == {"a": 1, "ü b": 1}
    failed = batch.report(job)["failed"]
    assert (failed[0][1], failed[0][4]) == ("nowhere", "NoSuchKey")


def test_a_list_that_has_changed_is_refused(batch: Batch) -> None:
    manifest = csv_manifest(batch, ["here", "a"])
    batch.pair.source.put_object(Bucket="reports", Key="list.csv", Body=b"here,b\n")
    job = batch.ended(batch.start(Manifest=manifest))
    assert job["Status"] == "Failed"
    assert job["FailureReasons"][0]["FailureCode"] == "ManifestETagMismatch"


def test_an_empty_list_fails_the_job(batch: Batch) -> None:
    job = batch.ended(batch.start({"ObjectReplicationStatuses": ["FAILED"]}))
    assert (job["Status"], job["FailureReasons"][0]["FailureCode"]) == ("Failed", "EmptyManifest")


def test_what_does_not_come_over_is_counted_and_named(batch: Batch) -> None:
    batch.pair.let_in(["s3:ReplicateObject"])
    job = batch.start()
    assert batch.counts(job) == (3, 2, 1)
    assert "s3:ReplicateTags" in batch.report(job)["failed"][0][6]
    assert batch.pair.status("a") == "FAILED"


@pytest.mark.parametrize("missing", ["s3:GetReplicationConfiguration", "s3:PutInventoryConfiguration", "s3:PutObject"])
def test_a_permission_less_and_the_job_fails(batch: Batch, missing: str) -> None:
    granted = allow([action for action in NEEDED if action != missing])
    iam = batch.aws.session(ONE).client("iam")
    iam.put_role_policy(RoleName="batch", PolicyName="all", PolicyDocument=document(granted))
    assert batch.ended(batch.start())["Status"] == "Failed"


def test_without_leave_to_replicate_every_task_fails(batch: Batch) -> None:
    granted = allow([action for action in NEEDED if action != "s3:InitiateReplication"])
    iam = batch.aws.session(ONE).client("iam")
    iam.put_role_policy(RoleName="batch", PolicyName="all", PolicyDocument=document(granted))
    assert batch.counts(batch.start()) == (3, 0, 3)


def test_the_role_must_trust_batch_operations(batch: Batch) -> None:
    job = batch.ended(batch.start(RoleArn=batch.pair.role))
    assert "does not trust" in job["FailureReasons"][0]["FailureReason"]


def test_who_starts_a_job_must_be_allowed_to_and_pass_the_role(batch: Batch) -> None:
    narrow = as_role(batch.aws, allow("s3:CreateJob"), name="narrow").client("s3control")
    batch.control = narrow
    assert code_of(batch.start) == "AccessDenied"
    passing = as_role(batch.aws, allow("s3:CreateJob"), allow("iam:PassRole", batch.role), name="passing")
    batch.control = passing.client("s3control")
    assert batch.start()


def test_a_replica_that_was_deleted_by_its_version_is_not_made_again(batch: Batch) -> None:
    batch.ended(batch.start())
    version = batch.pair.there()["ü b"][0][0]
    batch.pair.target.delete_object(Bucket="there", Key="ü b", VersionId=version)
    job = batch.start()
    assert batch.counts(job) == (3, 2, 1)
    assert batch.pair.keys_there() == {"a"}


def test_null_versions_keep_their_place(aws: SimulatedAWS) -> None:
    batch = Batch(aws)
    s3 = batch.pair.source
    where: Any = {"LocationConstraint": HERE}
    s3.create_bucket(Bucket="unversioned", CreateBucketConfiguration=where)
    s3.put_object(Bucket="unversioned", Key="a", Body=b"old")
    s3.put_bucket_versioning(Bucket="unversioned", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_replication(Bucket="unversioned", ReplicationConfiguration={"Role": batch.pair.role, "Rules": [v2()]})
    s3.put_object(Bucket="unversioned", Key="a", Body=b"new")
    batch.pair.later()
    generator = {
        "SourceBucket": "arn:aws:s3:::unversioned",
        "EnableManifestOutput": False,
        "Filter": {"EligibleForReplication": True},
    }
    batch.ended(batch.start(ManifestGenerator={"S3JobManifestGenerator": generator}))
    assert contents(s3, "unversioned") == batch.pair.there()
    assert batch.pair.target.get_object(Bucket="there", Key="a")["Body"].read() == b"new"


def test_operations_that_are_not_simulated_are_refused(batch: Batch) -> None:
    assert code_of(batch.start, Operation={"S3DeleteObjectTagging": {}}) == "InvalidRequest"


def test_a_job_is_held_by_an_outage(batch: Batch) -> None:
    job = batch.start()
    batch.aws.clock.sleep(1)
    with batch.aws.region_down(HERE):
        batch.aws.clock.sleep(DAY)
        assert batch.pair.keys_there() == set()
    assert batch.counts(job) == (3, 3, 0)
