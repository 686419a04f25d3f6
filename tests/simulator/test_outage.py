"""A region that is down, as boto3 clients see it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

from drills.errors import SimulatorError
from drills.simulator import SimulatedAWS
from tests.simulator.policies import ONE, REGION, TWO, code_of, role, table

AWAY = "us-west-2"


def unreachable(call: Callable[..., Any], **arguments: Any) -> bool:
    try:
        call(**arguments)
    except EndpointConnectionError:
        return True
    return False


def bucket(session: boto3.Session, name: str, region: str) -> None:
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    session.client("s3", region_name=region).create_bucket(Bucket=name, **where)  # type: ignore[arg-type]


def test_every_service_of_every_account_in_the_region_is_unreachable(simulated_aws: SimulatedAWS) -> None:
    clients = [
        simulated_aws.session(account, REGION).client(service)
        for account in (ONE, TWO)
        for service in ("dynamodb", "sqs", "ssm", "kms", "lambda", "sts", "s3")
    ]
    clients.append(boto3.client("dynamodb", region_name=REGION))
    away = simulated_aws.session(ONE, AWAY).client("dynamodb")
    calls = {"dynamodb": "list_tables", "sqs": "list_queues", "ssm": "describe_parameters", "kms": "list_keys"}
    calls |= {"lambda": "list_functions", "sts": "get_caller_identity", "s3": "list_buckets"}
    with simulated_aws.region_down(REGION):
        for client in clients:
            assert unreachable(getattr(client, calls[client.meta.service_model.service_name]))
        away.list_tables()
    for client in clients:
        getattr(client, calls[client.meta.service_model.service_name])()


@pytest.mark.parametrize(("mode", "attempts"), [("standard", 3), ("adaptive", 3), ("legacy", 4)])
def test_botocore_tries_again_before_it_gives_up(simulated_aws: SimulatedAWS, mode: Any, attempts: int) -> None:
    client = boto3.client("sqs", region_name=REGION, config=Config(retries={"mode": mode, "max_attempts": attempts}))
    sent = []
    client.meta.events.register_first("before-send.*.*", lambda **_: sent.append(1))
    began = simulated_aws.clock.now()
    with simulated_aws.region_down(REGION):
        assert unreachable(client.list_queues)
    assert len(sent) == attempts + 1
    # It waited on the simulated clock.
    assert simulated_aws.clock.now() > began


def test_a_call_that_waits_out_the_outage_succeeds(simulated_aws: SimulatedAWS) -> None:
    client = boto3.client("sqs", region_name=REGION, config=Config(retries={"mode": "standard", "max_attempts": 10}))
    outage = simulated_aws.region_down(REGION)
    simulated_aws.clock.call_later(5, outage.end)
    client.list_queues()


def test_iam_and_the_global_endpoint_of_sts_live_in_us_east_1(simulated_aws: SimulatedAWS) -> None:
    session = simulated_aws.session(ONE, REGION)
    arn = role(simulated_aws, "worker")
    global_sts = session.client("sts", endpoint_url="https://sts.amazonaws.com", region_name="us-east-1")
    with simulated_aws.region_down("us-east-1"):
        assert unreachable(session.client("iam").list_roles)
        assert unreachable(session.client("route53").list_hosted_zones)
        assert unreachable(session.client("organizations").list_accounts)
        assert unreachable(global_sts.get_caller_identity)
        # Who may do what is known in every region, and STS works by itself in each.
        session.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")
        session.client("dynamodb").list_tables()
    with simulated_aws.region_down(REGION):
        session.client("iam").list_roles()


def test_buckets_anywhere_cannot_be_changed_without_us_east_1(simulated_aws: SimulatedAWS) -> None:
    session = simulated_aws.session(ONE, REGION)
    bucket(session, "drills-eu", REGION)
    once = Config(retries={"total_max_attempts": 1})
    s3 = session.client("s3", config=once)
    with simulated_aws.region_down("us-east-1"):
        s3.put_object(Bucket="drills-eu", Key="a", Body=b"x")
        assert s3.get_object(Bucket="drills-eu", Key="a")["Body"].read() == b"x"
        versioning = {"Status": "Enabled"}
        answer = code_of(s3.put_bucket_versioning, Bucket="drills-eu", VersioningConfiguration=versioning)
        assert answer == "ServiceUnavailable"
        where = {"LocationConstraint": "eu-west-1"}
        assert code_of(s3.create_bucket, Bucket="new", CreateBucketConfiguration=where) == "ServiceUnavailable"
        assert code_of(s3.delete_bucket, Bucket="drills-eu") == "ServiceUnavailable"


def test_a_bucket_in_the_region_is_out_of_reach_from_everywhere(simulated_aws: SimulatedAWS) -> None:
    session = simulated_aws.session(ONE, AWAY)
    bucket(session, "drills-eu", REGION)
    bucket(session, "drills-us", AWAY)
    s3 = session.client("s3")
    path_style = session.client("s3", config=Config(s3={"addressing_style": "path"}))
    with simulated_aws.region_down(REGION):
        for client in (s3, path_style):
            assert unreachable(client.list_objects_v2, Bucket="drills-eu")
            client.list_objects_v2(Bucket="drills-us")
    s3.list_objects_v2(Bucket="drills-eu")


def test_a_presigned_url_does_not_get_around_the_outage(simulated_aws: SimulatedAWS) -> None:
    session = simulated_aws.session(ONE, REGION)
    bucket(session, "drills-eu", REGION)
    s3 = session.client("s3", config=Config(signature_version="s3v4"))
    s3.put_object(Bucket="drills-eu", Key="a", Body=b"x")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "drills-eu", "Key": "a"})
    assert requests.get(url, timeout=5).content == b"x"
    with simulated_aws.region_down(REGION), pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=5)


def test_what_is_stored_is_there_afterwards(simulated_aws: SimulatedAWS) -> None:
    session = simulated_aws.session(ONE, REGION)
    table(session)
    session.client("dynamodb").put_item(TableName="orders", Item={"id": {"S": "1"}})
    outage = simulated_aws.region_down(REGION)
    time.sleep(3600)
    outage.end()
    assert session.client("dynamodb").scan(TableName="orders")["Count"] == 1


def test_a_region_is_up_when_its_last_outage_has_ended(simulated_aws: SimulatedAWS) -> None:
    client = simulated_aws.session(ONE, REGION).client("sqs", config=Config(retries={"total_max_attempts": 1}))
    first, second = simulated_aws.region_down(REGION), simulated_aws.region_down(REGION)
    first.end()
    first.end()
    assert unreachable(client.list_queues)
    second.end()
    client.list_queues()


def test_a_region_that_aws_does_not_have_cannot_go_down(simulated_aws: SimulatedAWS) -> None:
    with pytest.raises(SimulatorError, match="'eu-wst-1': expected one of AWS's regions"):
        simulated_aws.region_down("eu-wst-1")
