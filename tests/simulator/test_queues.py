"""Long polling of queues: a wait on the clock, which a call that waited for real would never see the end of."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import boto3
import pytest

from drills.simulator import SimulatedAWS

REGION = "eu-west-1"


@pytest.fixture
def sqs(simulated_aws: SimulatedAWS) -> Any:
    return boto3.client("sqs", region_name=REGION)


def received(sqs: Any, url: str, **more: Any) -> list[str]:
    """Message bodies; in a thread that nobody waits for at the end, as a poll that hangs would hang for ever."""
    found: list[str] = []
    done = threading.Event()

    def poll() -> None:
        answer = sqs.receive_message(QueueUrl=url, **more)
        found.extend(message["Body"] for message in answer.get("Messages", ()))
        done.set()

    threading.Thread(target=poll, daemon=True).start()
    assert done.wait(60), "the poll does not end"
    return found


def test_an_empty_queue_is_polled_for_as_long_as_was_asked(simulated_aws: SimulatedAWS, sqs: Any) -> None:
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    for seconds in (1, 20):
        began = simulated_aws.clock.now()
        assert received(sqs, url, WaitTimeSeconds=seconds) == []
        assert timedelta(0) <= simulated_aws.clock.now() - began - timedelta(seconds=seconds) < timedelta(seconds=0.01)


def test_a_queue_may_poll_by_itself(simulated_aws: SimulatedAWS, sqs: Any) -> None:
    url = sqs.create_queue(QueueName="q", Attributes={"ReceiveMessageWaitTimeSeconds": "5"})["QueueUrl"]
    began = simulated_aws.clock.now()
    assert received(sqs, url) == []
    assert (simulated_aws.clock.now() - began).total_seconds() == pytest.approx(5, abs=0.01)
    assert received(sqs, url, WaitTimeSeconds=0) == []


def test_what_arrives_while_it_is_polled_ends_the_poll(simulated_aws: SimulatedAWS, sqs: Any) -> None:
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="delayed", DelaySeconds=7)
    simulated_aws.clock.call_later(3, lambda: sqs.send_message(QueueUrl=url, MessageBody="sent") and None)
    began = simulated_aws.clock.now()
    assert received(sqs, url, WaitTimeSeconds=20) == ["sent"]
    assert received(sqs, url, WaitTimeSeconds=20) == ["delayed"]
    assert (simulated_aws.clock.now() - began).total_seconds() == pytest.approx(7, abs=0.2)


def test_a_message_whose_group_is_in_the_works_is_waited_for(simulated_aws: SimulatedAWS, sqs: Any) -> None:
    url = sqs.create_queue(
        QueueName="q.fifo",
        Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true", "VisibilityTimeout": "60"},
    )["QueueUrl"]
    for body in ("first", "second"):
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="g")
    assert received(sqs, url, MaxNumberOfMessages=1) == ["first"]
    assert received(sqs, url, WaitTimeSeconds=20) == []
