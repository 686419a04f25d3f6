"""The failure destination: metadata of what was given up, sent to a queue or a topic.

Source: Lambda developer guide, Using Lambda with Amazon DynamoDB: Retain discarded records; the message is its example.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Literal

from moto.sqs.models import sqs_backends

from drills.simulator import alarms, by_role, functions
from drills.simulator.dynamodb.shards import Shard
from drills.simulator.event_sources.batches import Batch
from drills.simulator.event_sources.mapping import Description
from drills.simulator.state import Simulation

Conditions = Literal["RetryAttemptsExhausted", "RecordAgeExceeded"]


def send_to_destination(
    simulation: Simulation,
    description: Description,
    shard: Shard,
    batch: Batch,
    condition: Conditions,
    function_failed: bool,
) -> None:
    """Tell the destination, if there is one and the function's role may."""
    arn = description.settings.destination
    function = functions.function_named(description.account, description.region, description.function)
    if not arn or function is None or denial_of(simulation, function.role, arn):
        return
    message = json.dumps(_message(simulation, description, shard, batch, condition, function_failed))
    _, _, service, region, account, name = arn.split(":", 5)
    if simulation.is_down(region) or simulation.is_closed(account):
        return
    if service == "sqs":
        backend = sqs_backends[account][region]
        if name in backend.queues:
            backend.send_message(name, message)
            alarms.queue_used(account, region, name)
    else:
        alarms.publish(arn, message)


def denial_of(simulation: Simulation, role_arn: str, arn: str) -> str | None:
    """Why the role may not send there; None when it may, or when there is nowhere to send."""
    _, _, service, region, account, name = arn.split(":", 5)
    body: dict[str, str] = {"TopicArn": arn}
    if service == "sqs":
        body = {"QueueUrl": f"https://sqs.{region}.amazonaws.com/{account}/{name}"}
    request = by_role.request_by(role_arn, service, "SendMessage" if service == "sqs" else "Publish", region, body)
    return by_role.denial(simulation, request)


def _message(
    simulation: Simulation,
    description: Description,
    shard: Shard,
    batch: Batch,
    condition: Conditions,
    function_failed: bool,
) -> dict[str, object]:
    first, last = batch.records[0], batch.records[-1]
    response: dict[str, object] = {"statusCode": 200, "executedVersion": "$LATEST"}
    if function_failed:
        response["functionError"] = "Unhandled"
    return {
        "requestContext": {
            "requestId": functions.runner().request_id(),
            "functionArn": description.function_arn,
            "condition": condition,
            "approximateInvokeCount": batch.failures,
        },
        "responseContext": response,
        "version": "1.0",
        "timestamp": _stamp(simulation.clock.now(), "milliseconds"),
        "DDBStreamBatchInfo": {
            "shardId": shard.id,
            "startSequenceNumber": str(first.sequence),
            "endSequenceNumber": str(last.sequence),
            "approximateArrivalOfFirstRecord": _stamp(first.at, "seconds"),
            "approximateArrivalOfLastRecord": _stamp(last.at, "seconds"),
            "batchSize": len(batch.records),
            "streamArn": description.source_arn,
        },
    }


def _stamp(moment: datetime, precision: str) -> str:
    return f"{moment.replace(tzinfo=None).isoformat(timespec=precision)}Z"
