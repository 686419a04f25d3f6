"""Cleaning up on the simulated AWS: faults at high rates, what somebody made their own, what AWS deletes by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from drills.clean_up import CleanUp, clean_up
from drills.clean_up_cli import exit_code
from drills.deleters import JOB_ENDED
from drills.errors import EvidenceError, UsageError
from drills.guard import Guard
from drills.guard_rules import Resource
from drills.intentions import FILE, Header, Intentions, params_digest, read_intentions
from drills.model import Account, AccountRole
from drills.simulator import SimulatedAWS
from drills.stopping import Stop, Stopping
from tests import made_and_killed
from tests.made_and_killed import DRILL, LISTED, NAME, TAGS, TRUST

ACCOUNTS: dict[AccountRole, Account] = {
    "production": Account("production", "101010101010", "eu-west-1"),
    "vault": Account("vault", "202020202020", "eu-central-1"),
    "recovery": Account("recovery", "303030303030", "eu-north-1"),
}
HEADER = Header(DRILL, ACCOUNTS, "/nowhere/sandbox.yaml", None)


@pytest.fixture
def aws() -> Iterator[SimulatedAWS]:
    with SimulatedAWS(seed=5) as aws:
        yield aws


def client(aws: SimulatedAWS, service: str, role: AccountRole = "production", region: str | None = None) -> Any:
    account = ACCOUNTS[role]
    return aws.session(account.id, region or account.region).client(service)  # type: ignore[call-overload]


def watched(aws: SimulatedAWS, guard: Guard, service: str) -> Any:
    found = client(aws, service)
    guard.watch(found, ACCOUNTS["production"].id)
    return found


def make(aws: SimulatedAWS, folder: Path) -> None:
    """A table that is protected, a bucket with versions, a role with a policy, a queue."""
    with Intentions.begin(folder, HEADER) as record:
        guard = Guard(DRILL, record)
        dynamodb = watched(aws, guard, "dynamodb")
        dynamodb.create_table(
            TableName=NAME,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            DeletionProtectionEnabled=True,
            Tags=LISTED,
        )
        s3 = watched(aws, guard, "s3")
        s3.create_bucket(Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.put_bucket_versioning(Bucket=NAME, VersioningConfiguration={"Status": "Enabled"})
        for number in range(3):
            s3.put_object(Bucket=NAME, Key="a", Body=b"%d" % number)
        iam = watched(aws, guard, "iam")
        iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=TRUST, Tags=LISTED)
        watched(aws, guard, "sqs").create_queue(QueueName=NAME, tags=TAGS)
    aws.clock.sleep(60)


def cleaned(aws: SimulatedAWS, folder: Path, limit_seconds: float = 3600) -> CleanUp:
    record, told = Intentions.go_on(folder)
    with record:
        return clean_up(
            record,
            told,
            lambda service, role, region: client(aws, service, role, region),
            aws.clock,
            limit_seconds=limit_seconds,
        )


def there(aws: SimulatedAWS) -> list[Any]:
    return [
        *client(aws, "dynamodb").list_tables()["TableNames"],
        *client(aws, "s3").list_buckets()["Buckets"],
        *client(aws, "iam").list_roles()["Roles"],
        *client(aws, "sqs").list_queues().get("QueueUrls", []),
    ]


def test_faults_are_tried_again_and_nothing_is_left(aws: SimulatedAWS, tmp_path: Path) -> None:
    make(aws, tmp_path)
    with aws.faults(throttle=0.3, reject=0.1, lose_acknowledgement=0.3):
        found = cleaned(aws, tmp_path)
    assert found.left == []
    assert there(aws) == []
    again = cleaned(aws, tmp_path)
    assert (again.left, again.deleted) == ([], [])


def test_what_somebody_made_their_own_is_left_and_said(aws: SimulatedAWS, tmp_path: Path) -> None:
    make(aws, tmp_path)
    iam, sqs = client(aws, "iam"), client(aws, "sqs")
    iam.tag_role(RoleName=NAME, Tags=[{"Key": "drills:drill", "Value": "another"}])
    sqs.untag_queue(QueueUrl=sqs.get_queue_url(QueueName=NAME)["QueueUrl"], TagKeys=["drills:drill"])
    found = cleaned(aws, tmp_path)
    assert {left.resource.kind for left in found.left} == {"role", "queue"}
    assert all("somebody made it their own, left alone" in str(left) for left in found.left)
    assert len(there(aws)) == 2


@pytest.mark.parametrize("older", [True, False])
def test_the_log_group_that_aws_makes_for_a_function_carries_no_tag_and_goes_too(
    aws: SimulatedAWS, tmp_path: Path, older: bool
) -> None:
    logs, name = client(aws, "logs"), f"/aws/lambda/{NAME}"
    if older:
        logs.create_log_group(logGroupName=name)
        aws.clock.sleep(60)
    role = client(aws, "iam").create_role(RoleName="somebodys", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    with Intentions.begin(tmp_path, HEADER) as record:
        watched(aws, Guard(DRILL, record), "lambda").create_function(
            FunctionName=NAME,
            Role=role,
            Runtime="python3.13",
            Handler="index.handler",
            Code={"ZipFile": made_and_killed.code()},
            Tags=TAGS,
        )
    if not older:
        logs.create_log_group(logGroupName=name)
    found = cleaned(aws, tmp_path)
    assert found.left == []
    assert [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]] == [name] * older


def test_what_aws_keeps_of_a_deleted_table_is_told_and_is_no_failure(aws: SimulatedAWS, tmp_path: Path) -> None:
    make(aws, tmp_path)
    dynamodb = client(aws, "dynamodb")
    theirs: Any = {
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    }
    dynamodb.create_table(TableName="somebody-elses", **theirs)
    aws.clock.sleep(60)
    for name in (NAME, "somebody-elses"):
        on = {"PointInTimeRecoveryEnabled": True}
        dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=on)
    dynamodb.delete_table(TableName="somebody-elses")
    found = cleaned(aws, tmp_path)
    (kept,) = [one for one in dynamodb.list_backups(BackupType="SYSTEM")["BackupSummaries"] if one["TableName"] == NAME]
    expires = f"{kept['BackupExpiryDateTime'].astimezone(UTC):%Y-%m-%d}"
    for again in (found, cleaned(aws, tmp_path)):
        (going,) = again.going
        assert going.resource == Resource("backup", ACCOUNTS["production"].id, "eu-west-1", kept["BackupArn"])
        assert f"at no cost and deletes it on {expires}" in str(going)
        assert (again.left, exit_code(again)) == ([], 0)
    aws.clock.sleep(36 * 86_400)
    assert cleaned(aws, tmp_path).going == []


def job(aws: SimulatedAWS, folder: Path) -> str:
    """A job that waits to be confirmed, made under the guard's eyes."""
    record, told = Intentions.go_on(folder)
    with record:
        control = watched(aws, Guard(DRILL, record, told.memory), "s3control")
        generator = {"SourceBucket": f"arn:aws:s3:::{NAME}", "EnableManifestOutput": False}
        made = control.create_job(
            AccountId=ACCOUNTS["production"].id,
            ConfirmationRequired=True,
            Operation={"S3ReplicateObject": {}},
            Report={"Enabled": False},
            ManifestGenerator={"S3JobManifestGenerator": generator},
            Description="what the bucket held before",
            Priority=1,
            RoleArn=f"arn:aws:iam::{ACCOUNTS['production'].id}:role/{NAME}",
            ClientRequestToken="once",
        )
    return str(made["JobId"])


@pytest.mark.parametrize("noted", [True, False], ids=["its answer was noted", "killed before its answer"])
def test_a_job_that_still_works_is_cancelled_and_told(aws: SimulatedAWS, tmp_path: Path, noted: bool) -> None:
    make(aws, tmp_path)
    identifier = job(aws, tmp_path)
    if not noted:
        lines = (tmp_path / FILE).read_bytes().splitlines(keepends=True)
        assert identifier.encode() in lines[-1]
        (tmp_path / FILE).write_bytes(b"".join(lines[:-1]))
    asked = {"AccountId": ACCOUNTS["production"].id, "JobId": identifier}
    control = client(aws, "s3control")
    assert control.describe_job(**asked)["Job"]["Status"] not in JOB_ENDED
    found = cleaned(aws, tmp_path)
    assert control.describe_job(**asked)["Job"]["Status"] == "Cancelled"
    for again in (found, cleaned(aws, tmp_path)):
        (going,) = again.going
        assert (going.resource.kind, going.resource.name) == ("batch job", identifier)
        assert "it is Cancelled; AWS lists it for 90 days from its end, at no cost" in str(going)
        assert (again.left, exit_code(again)) == ([], 0)


def test_what_is_denied_is_left_with_the_action(aws: SimulatedAWS, tmp_path: Path) -> None:
    make(aws, tmp_path)
    policy = (
        '{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteBucket",'
        f' "Resource": "arn:aws:s3:::{NAME}"}}}}'
    )
    client(aws, "s3").put_bucket_policy(Bucket=NAME, Policy=policy)
    found = cleaned(aws, tmp_path)
    assert [left.resource.kind for left in found.left] == ["bucket"]
    assert "DeleteBucket was answered AccessDenied" in str(found.left[0])


def test_a_refusal_that_is_certain_makes_nothing_the_drills(aws: SimulatedAWS, tmp_path: Path) -> None:
    theirs = client(aws, "iam")
    theirs.create_role(RoleName=NAME, AssumeRolePolicyDocument=TRUST, Tags=LISTED)
    with Intentions.begin(tmp_path, HEADER) as record:
        iam = watched(aws, Guard(DRILL, record), "iam")
        with pytest.raises(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=TRUST, Tags=LISTED)
    assert read_intentions(tmp_path).made == {}
    found = cleaned(aws, tmp_path)
    assert found.deleted == []
    assert [other.resource.name for other in found.others] == [NAME]
    assert theirs.get_role(RoleName=NAME)


def test_once_it_must_stop_nothing_is_sent_any_more(aws: SimulatedAWS, tmp_path: Path) -> None:
    stop = Stop()
    with Intentions.begin(tmp_path, HEADER) as record:
        sqs = watched(aws, Guard(DRILL, record, stop=stop), "sqs")
        sqs.create_queue(QueueName=NAME, tags=TAGS)
        stop.tell("a test")
        with pytest.raises(Stopping, match="a test"):
            sqs.create_queue(QueueName=f"{NAME}-2", tags=TAGS)
        assert len(sqs.list_queues()["QueueUrls"]) == 1
    assert len(read_intentions(tmp_path).made) == 1


def test_a_line_that_is_cut_off_was_never_acted_upon(tmp_path: Path) -> None:
    with Intentions.begin(tmp_path, HEADER) as record:
        for number in range(3):
            assert record.intend(("sqs", "CreateQueue"), {"QueueName": f"q{number}"}, "101010101010", "eu-west-1")
    whole = (tmp_path / FILE).read_bytes()
    for length in range(whole.index(b"\n") + 1, len(whole) + 1):
        (tmp_path / FILE).write_bytes(whole[:length])
        assert read_intentions(tmp_path).count == whole[:length].count(b"\n") - 1
    (tmp_path / FILE).write_bytes(whole[:-5])
    record, told = Intentions.go_on(tmp_path)
    with record:
        assert record.intend(("sqs", "CreateQueue"), {}, "101010101010", "eu-west-1") == told.count + 1 == 3
    assert read_intentions(tmp_path).count == 3
    (tmp_path / FILE).write_bytes(whole[:5])
    with pytest.raises(EvidenceError, match="killed before it made anything"):
        read_intentions(tmp_path)
    with pytest.raises(UsageError, match="expected no intentions of an earlier drill"):
        Intentions.begin(tmp_path, HEADER)


def test_secrets_do_not_enter_the_digest() -> None:
    given = {"MasterUserPassword": "one", "Body": b"x", "Names": {"b", "a"}, "Count": 1 << 60}
    assert params_digest(given) == params_digest({**given, "MasterUserPassword": "two"})
    assert params_digest(given) != params_digest({**given, "Body": b"y"})
