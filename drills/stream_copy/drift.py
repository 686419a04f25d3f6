"""What of a copy is no longer as ``deploy`` made it. Each difference can stop it, or blind those who watch it.

A copy that lost its alarms, its failure queue or a permission, or whose feed leaves records out, may look well until it
is needed. Reads only; needs both sides.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from drills.presence import exists
from drills.stream_copy.model import Clients, StreamCopy
from drills.stream_copy.policies import function_policy, function_trust, vault_policy, vault_trust
from drills.stream_copy.production_side import (
    POLICY,
    alarms,
    feed_configuration,
    feeds,
    function_code,
    function_configuration,
    queue_url,
)
from drills.stream_copy.vault_side import remembered_source, table_definition


def drift(copy: StreamCopy, clients: Clients, source: Mapping[str, Any]) -> tuple[str, ...]:
    """What differs, in words. ``source`` is the description of the table that is copied."""
    return (
        *_of_the_function(copy, clients, str(source.get("LatestStreamLabel", ""))),
        *_of_the_feed(copy, clients),
        *_of_the_watch(copy, clients),
        *_of_roles(copy, clients),
        *_of_the_vault(copy, clients, source),
    )


def _of_the_function(copy: StreamCopy, clients: Clients, label: str) -> Iterator[str]:
    client = clients("production", "lambda")
    found = exists(lambda: client.get_function_configuration(FunctionName=copy.function))
    if found is None:
        yield f"the function {copy.function} is gone"
        return
    variables = found.get("Environment", {}).get("Variables", {})
    wanted = function_configuration(copy, label)
    for name, value in wanted.pop("Environment")["Variables"].items():
        if variables.get(name) != value:
            yield f"the function's {name} is {variables.get(name, 'absent')}, not {value}"
    for name, value in wanted.items():
        if found.get(name) != value:
            yield f"the function's {name} is {found.get(name)}, not {value}"
    if found["CodeSha256"] != base64.b64encode(hashlib.sha256(function_code()).digest()).decode():
        yield "the function's code is not what this version deploys"


def _of_the_feed(copy: StreamCopy, clients: Clients) -> Iterator[str]:
    """That there is one, and from which stream, is told as a gap."""
    for feed in feeds(copy, clients):
        for name, value in feed_configuration(copy).items():
            if feed.get(name) != value:
                yield f"the event source mapping's {name} is {feed.get(name)}, not {value}"
        if filters := feed.get("FilterCriteria", {}).get("Filters"):
            yield f"the event source mapping leaves records out by {len(filters)} filters"


def _of_the_watch(copy: StreamCopy, clients: Clients) -> Iterator[str]:
    """Who would notice that it stopped: the failure queue, the alarms, the heartbeat."""
    if queue_url(copy, clients) is None:
        yield f"the queue {copy.queue} for what is given up is gone"
    wanted = alarms(copy)
    yield from of_alarms(clients("production", "cloudwatch"), wanted)
    events = clients("production", "events")
    rule = exists(lambda: events.describe_rule(Name=copy.heartbeat_rule))
    if rule is None or rule["State"] != "ENABLED":
        yield f"the heartbeat {copy.heartbeat_rule} is {'gone' if rule is None else rule['State']}"
    elif copy.function_arn not in [
        target["Arn"] for target in events.list_targets_by_rule(Rule=copy.heartbeat_rule)["Targets"]
    ]:
        yield f"the heartbeat {copy.heartbeat_rule} does not reach the function"


def of_alarms(cloudwatch: Any, wanted: list[dict[str, Any]]) -> Iterator[str]:
    """Which alarms are gone, or are not as a copy's deployment made them."""
    names = [alarm["AlarmName"] for alarm in wanted]
    told = cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]
    found = {alarm["AlarmName"]: alarm for alarm in told}
    for alarm in wanted:
        there = found.get(alarm["AlarmName"])
        if there is None:
            yield f"the alarm {alarm['AlarmName']} is gone"
        elif wrong := [name for name, value in alarm.items() if there.get(name) != value]:
            yield f"the alarm {alarm['AlarmName']} has another {', '.join(wrong)}"


def _of_roles(copy: StreamCopy, clients: Clients) -> Iterator[str]:
    production, vault = clients("production", "iam"), clients("vault", "iam")
    yield from of_role(production, copy.production_role, function_trust(), function_policy(copy))
    yield from of_role(vault, copy.vault_role, vault_trust(copy), vault_policy(copy))


def of_role(iam: Any, role: str, trust: Mapping[str, Any], policy: Mapping[str, Any]) -> Iterator[str]:
    """In what a role is not as a copy's deployment made it."""
    found = exists(lambda: iam.get_role(RoleName=role))
    if found is None:
        yield f"the role {role} is gone"
        return
    if _document(found["Role"]["AssumeRolePolicyDocument"]) != _document(trust):
        yield f"the role {role} trusts others"
    there = exists(lambda: iam.get_role_policy(RoleName=role, PolicyName=POLICY))
    if there is None or _document(there["PolicyDocument"]) != _document(policy):
        yield f"the role {role} may do {'nothing' if there is None else 'other things'}"
    more = [name for name in iam.list_role_policies(RoleName=role)["PolicyNames"] if name != POLICY]
    more += [one["PolicyName"] for one in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]]
    if more:
        yield f"the role {role} has more policies: {', '.join(more)}"


def _document(document: Any) -> Any:
    """A policy as IAM gives it, which is text or parsed already, comparable."""
    return json.loads(document if isinstance(document, str) else json.dumps(document))


def _of_the_vault(copy: StreamCopy, clients: Clients, source: Mapping[str, Any]) -> Iterator[str]:
    s3 = clients("vault", "s3")
    if exists(lambda: s3.head_bucket(Bucket=copy.bucket)) is None:
        yield f"the bucket {copy.bucket} for what is set aside is gone"
    else:
        if s3.get_bucket_versioning(Bucket=copy.bucket).get("Status") != "Enabled":
            yield f"the bucket {copy.bucket} does not keep what is overwritten"
        block = exists(lambda: s3.get_public_access_block(Bucket=copy.bucket))
        if block is None or not all(block["PublicAccessBlockConfiguration"].values()):
            yield f"the bucket {copy.bucket} may be made public"
    if _in_order(remembered_source(copy, clients)) != _in_order(table_definition(source)):
        yield f"the vault remembers other keys or indexes than {copy.source_table} has: deploy the copy again"


def _in_order(definition: Mapping[str, Any]) -> Any:
    """A table's definition, comparable: attributes and indexes come in any order."""
    return {
        name: sorted(parts, key=lambda part: json.dumps(part, sort_keys=True)) if name != "KeySchema" else parts
        for name, parts in definition.items()
    }
