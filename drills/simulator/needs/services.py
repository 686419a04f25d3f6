"""What calls of the smaller services need. Source: service authorization reference, of each service."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drills.simulator.conditions import listed
from drills.simulator.needs.need import Need, action, arn, named, parameters
from drills.simulator.request import Request

QUEUE_URL = re.compile(r"^https?://[^/]+/(?P<account>\d{12})/(?P<name>[^/]+)$")


def of_everything(request: Request) -> Need:
    return Need(action(request), "*")


def any_service(request: Request) -> Iterator[Need]:
    """A service that is not described: what the first ARN among its parameters names."""
    for name, value in parameters(request).items():
        if name.lower().endswith("arn") and str(value).startswith("arn:"):
            yield Need(action(request), str(value))
            return
    yield of_everything(request)


def sqs(request: Request) -> Iterator[Need]:
    # A batch is as many calls of the action that it is a batch of.
    name = action(request, request.operation.removesuffix("Batch"))
    url = QUEUE_URL.match(named(request, "QueueUrl"))
    if url:
        mine = arn(request, url["name"]).split(":")
        yield Need(name, ":".join([*mine[:4], url["account"], url["name"]]))
        return
    queue = named(request, "QueueName", "QueueUrl")
    yield Need(name, arn(request, queue.rpartition("/")[2]) if queue else arn(request, "*"))


def ssm(request: Request) -> Iterator[Need]:
    given = parameters(request)
    names = [*listed(given.get("Name")), *listed(given.get("Names")), *listed(given.get("Path"))]
    if given.get("ResourceType") == "Parameter":
        names += listed(given.get("ResourceId"))
    for name in names:
        text = str(name).partition(":")[0] if not str(name).startswith("arn:") else str(name)
        yield Need(action(request), text if text.startswith("arn:") else arn(request, f"parameter/{text.strip('/')}"))
    if not names:
        yield of_everything(request)


def secrets(request: Request) -> Iterator[Need]:
    """AWS puts six characters of its own behind a secret's name in its ARN."""
    name = named(request, "SecretId", "Name")
    if not name:
        yield of_everything(request)
        return
    secret = name if name.startswith("arn:") else arn(request, f"secret:{name}-??????")
    yield Need(action(request), secret)
    if request.operation == "CreateSecret" and parameters(request).get("Tags"):
        yield Need(action(request, "TagResource"), secret)


def logs(request: Request) -> Iterator[Need]:
    group = named(request, "logGroupName") or named(request, "logGroupIdentifier").partition(":log-group:")[2]
    if not group:
        yield Need(action(request), named(request, "resourceArn") or "*")
        return
    yield Need(action(request), arn(request, f"log-group:{group}:log-stream:{named(request, 'logStreamName')}"))


def events(request: Request) -> Iterator[Need]:
    given = parameters(request)
    if request.operation == "PutEvents":
        buses = {str(entry.get("EventBusName", "default")) for entry in listed(given.get("Entries"))}
        for bus in sorted(buses):
            yield Need(action(request), bus if bus.startswith("arn:") else arn(request, f"event-bus/{bus}"))
        return
    bus = named(request, "EventBusName").rpartition("/")[2]
    name = named(request, "Rule", "Name")
    if name and request.operation.endswith("EventBus"):
        yield Need(action(request), arn(request, f"event-bus/{name}"))
    elif name:
        yield Need(action(request), arn(request, f"rule/{bus + '/' if bus not in ('', 'default') else ''}{name}"))
    else:
        yield from any_service(request)


def cloudwatch(request: Request) -> Iterator[Need]:
    namespace = named(request, "Namespace")
    keys = {"cloudwatch:namespace": (namespace,) if namespace else None}
    if tagged := named(request, "ResourceARN"):
        yield Need(action(request), tagged, keys)
        return
    given = parameters(request)
    alarms = [*listed(given.get("AlarmName")), *listed(given.get("AlarmNames"))]
    alarms += [value for name, value in given.items() if name.startswith("AlarmNames.member.")]
    for alarm in alarms:
        yield Need(action(request), arn(request, f"alarm:{alarm}"), keys)
    if not alarms and named(request, "ResourceARN"):
        yield Need(action(request), named(request, "ResourceARN"), keys)
    elif not alarms:
        about_alarms = request.operation.startswith("DescribeAlarm")
        yield Need(action(request), arn(request, "alarm:*") if about_alarms else "*", keys)
