"""Faults by rate, as boto3 clients and their retries see them."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from drills.errors import SimulatorError
from drills.simulator import SimulatedAWS
from tests.simulator.policies import ONCE, REGION, code_of, table


def item(number: int) -> dict[str, Any]:
    return {"id": {"S": str(number)}}


def client(service: str = "dynamodb", attempts: int = 1) -> Any:
    config = Config(retries={"mode": "standard", "total_max_attempts": attempts})
    return boto3.client(service, region_name=REGION, config=config)  # type: ignore[call-overload]


@pytest.fixture(autouse=True)
def orders(simulated_aws: SimulatedAWS) -> None:
    table(boto3.Session(region_name=REGION))


def stored() -> int:
    return int(client().scan(TableName="orders", Select="COUNT")["Count"])


def outcomes(calls: int) -> Counter[str]:
    dynamodb = client()
    return Counter(code_of(dynamodb.put_item, TableName="orders", Item=item(n)) for n in range(calls))


def test_throttled_and_rejected_calls_store_nothing(simulated_aws: SimulatedAWS) -> None:
    with simulated_aws.faults(throttle=0.3, reject=0.2):
        found = outcomes(200)
    assert 40 < found["ProvisionedThroughputExceededException"] < 80
    assert 10 < found["InternalServerError"] < 50
    assert stored() == found[""]


def test_a_lost_acknowledgement_is_stored(simulated_aws: SimulatedAWS) -> None:
    with simulated_aws.faults(lose_acknowledgement=0.5):
        found = outcomes(100)
    assert 30 < found["InternalServerError"] < 70
    assert stored() == 100


def test_botocore_tries_again_and_waits_on_the_simulated_clock(simulated_aws: SimulatedAWS) -> None:
    dynamodb = client(attempts=20)
    began = simulated_aws.clock.now()
    with simulated_aws.faults(throttle=0.5):
        attempts = [dynamodb.put_item(TableName="orders", Item=item(n)) for n in range(20)]
    retries = [answer["ResponseMetadata"]["RetryAttempts"] for answer in attempts]
    assert sum(retries) > 5
    assert simulated_aws.clock.now() - began > timedelta(seconds=1)
    assert stored() == 20


def test_the_adaptive_mode_slows_down_on_the_simulated_clock(simulated_aws: SimulatedAWS) -> None:
    config = Config(retries={"mode": "adaptive", "total_max_attempts": 10})
    dynamodb = boto3.client("dynamodb", region_name=REGION, config=config)
    with simulated_aws.faults(throttle=0.3):
        for n in range(30):
            dynamodb.put_item(TableName="orders", Item=item(n))
    assert stored() == 30


def test_latency_takes_simulated_time(simulated_aws: SimulatedAWS) -> None:
    began = simulated_aws.clock.now()
    fell_due = []
    simulated_aws.clock.call_later(1, lambda: fell_due.append(1))
    with simulated_aws.faults(latency_seconds=2.5):
        client().list_tables()
    assert simulated_aws.clock.now() - began == timedelta(seconds=2.5)
    assert fell_due == [1]


def test_only_what_is_named_goes_wrong(simulated_aws: SimulatedAWS) -> None:
    with simulated_aws.faults(reject=1.0, services=["dynamodb"], operations=["PutItem"]):
        assert outcomes(1) == Counter({"InternalServerError": 1})
        client().list_tables()
        client("sqs").list_queues()
    with simulated_aws.faults(reject=1.0, services=["cloudwatch"]):
        assert code_of(client("cloudwatch").list_metrics) != ""
        client().list_tables()
    with simulated_aws.faults(reject=1.0, services=["dynamodbstreams"]):
        assert code_of(client("dynamodbstreams").list_streams) == "InternalServerError"


def test_faults_begin_at_once_and_end_with_end(simulated_aws: SimulatedAWS) -> None:
    faults = simulated_aws.faults(reject=1.0)
    assert code_of(client().list_tables) == "InternalServerError"
    other = simulated_aws.faults(reject=1.0)
    faults.end()
    faults.end()
    assert code_of(client().list_tables) == "InternalServerError"
    other.end()
    client().list_tables()


@pytest.mark.parametrize(
    ("service", "operation", "throttled", "rejected"),
    [
        ("s3", "list_buckets", "SlowDown", "InternalError"),
        ("sqs", "list_queues", "RequestThrottled", "InternalServerError"),
        ("lambda", "list_functions", "TooManyRequestsException", "ServiceException"),
        ("iam", "list_roles", "Throttling", "InternalFailure"),
        ("ssm", "describe_parameters", "ThrottlingException", "InternalServerError"),
        ("ec2", "describe_instances", "RequestLimitExceeded", "InternalError"),
    ],
)
def test_each_service_has_its_own_words(
    simulated_aws: SimulatedAWS, service: str, operation: str, throttled: str, rejected: str
) -> None:
    call = getattr(client(service), operation)
    with simulated_aws.faults(throttle=1.0):
        assert code_of(call) == throttled
    with simulated_aws.faults(reject=1.0):
        assert code_of(call) == rejected


def test_a_batch_is_throttled_item_by_item(simulated_aws: SimulatedAWS) -> None:
    requests = [{"PutRequest": {"Item": item(n)}} for n in range(25)]
    with simulated_aws.faults(throttle=0.4):
        left = client().batch_write_item(RequestItems={"orders": requests})["UnprocessedItems"]["orders"]
    assert 0 < len(left) < 25
    assert stored() == 25 - len(left)
    assert all(request in requests for request in left)
    client().batch_write_item(RequestItems={"orders": left})
    assert stored() == 25
    keys = [item(n) for n in range(25)]
    with simulated_aws.faults(throttle=0.4):
        answer = client().batch_get_item(RequestItems={"orders": {"Keys": keys, "ConsistentRead": True}})
    left = answer["UnprocessedKeys"]["orders"]
    assert left["ConsistentRead"] is True
    assert 0 < len(left["Keys"]) < 25
    found = answer["Responses"]["orders"]
    assert sorted(i["id"]["S"] for i in [*found, *left["Keys"]]) == sorted(k["id"]["S"] for k in keys)


def test_a_batch_of_which_nothing_goes_through_is_refused(simulated_aws: SimulatedAWS) -> None:
    requests: Any = {"orders": [{"PutRequest": {"Item": item(1)}}]}
    with simulated_aws.faults(throttle=1.0), pytest.raises(ClientError, match="ProvisionedThroughputExceeded"):
        boto3.client("dynamodb", region_name=REGION, config=ONCE).batch_write_item(RequestItems=requests)
    assert stored() == 0


def test_a_batch_writer_gets_everything_in(simulated_aws: SimulatedAWS) -> None:
    orders = boto3.resource("dynamodb", region_name=REGION).Table("orders")
    with simulated_aws.faults(throttle=0.4), orders.batch_writer() as batch:
        for n in range(120):
            batch.put_item(Item={"id": str(n)})
    assert stored() == 120


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"throttle": 1.5}, "throttle is a share of calls, from 0 to 1; got 1.5"),
        ({"reject": -0.1}, "reject is a share of calls"),
        ({"latency_seconds": -1}, "latency_seconds is a number that is not negative"),
        ({"services": "dynamodb"}, "services is a list of names; got the text 'dynamodb'"),
        ({"operations": ["put_item"]}, "operation 'put_item': expected the API's own name, such as PutItem"),
    ],
)
def test_wrong_rates_are_named(simulated_aws: SimulatedAWS, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(SimulatorError, match="faults: ") as caught:
        simulated_aws.faults(**arguments)
    assert said in str(caught.value)


def test_calls_of_tables_are_throttled_in_words_of_their_own(simulated_aws: SimulatedAWS) -> None:
    dynamodb, by_data, by_control = client(), "ProvisionedThroughputExceededException", "ThrottlingException"
    key = {"id": {"S": "1"}}
    with simulated_aws.faults(throttle=1.0):
        assert code_of(dynamodb.list_tables) == by_control
        assert code_of(dynamodb.describe_table, TableName="orders") == by_control
        assert code_of(dynamodb.create_backup, TableName="orders", BackupName="one") == by_control
        assert code_of(dynamodb.delete_item, TableName="orders", Key=key) == by_data
        assert code_of(dynamodb.update_item, TableName="orders", Key=key) == by_data
        assert code_of(dynamodb.transact_get_items, TransactItems=[{"Get": {"TableName": "orders", "Key": key}}]) == (
            by_data
        )
        assert code_of(client("sts").get_caller_identity) == "Throttling"
