"""What of a copy is no longer as ``deploy`` made it. Each difference can stop it, or blind those who watch it.

Reads only; needs both sides.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any

from drills.presence import exists
from drills.snapshot_copy.model import Clients, Side, SnapshotCopy
from drills.snapshot_copy.policies import key_policy
from drills.snapshot_copy.sides import alarms, function_code, function_configuration, key_of, roles
from drills.stream_copy.drift import of_alarms, of_role


def drift(copy: SnapshotCopy, clients: Clients) -> tuple[str, ...]:
    """What differs, in words."""
    return tuple(
        difference
        for side in copy.sides
        for part in (_of_the_key, _of_the_function, _of_the_schedule, _of_the_watch, _of_roles)
        for difference in part(copy, clients, side)
    )


def _of_the_key(copy: SnapshotCopy, clients: Clients, side: Side) -> Iterator[str]:
    """That it can be used, is a customer's, and lets in who has to read what is encrypted with it."""
    kms, given = clients(side, "kms", copy.vault_region), key_of(copy, clients, side)
    about = exists(lambda: kms.describe_key(KeyId=given))["KeyMetadata"] if given else None
    if about is None:
        yield f"{side}'s key {given or copy.key_alias(side)} is gone"
        return
    if about["KeyState"] != "Enabled":
        yield f"{side}'s key {given} is {about['KeyState']}: nothing that is encrypted with it can be read"
    if about.get("KeyManager") == "AWS":
        yield f"{side}'s key {given} is a default key, which lets no other account in"
        return
    policy = str(kms.get_key_policy(KeyId=given, PolicyName="default")["Policy"])
    named = copy.options.production_key if side == "production" else copy.options.vault_key
    others = [copy.vault_account] if side == "production" else list(copy.readers)
    if named:
        yield from (f"{side}'s key {given} does not name account {one}" for one in others if one not in policy)
    elif json.loads(policy) != json.loads(json.dumps(key_policy(copy, side))):
        yield f"{side}'s key {given} lets in others than it did"


def _of_the_function(copy: SnapshotCopy, clients: Clients, side: Side) -> Iterator[str]:
    client, name = clients(side, "lambda", copy.place(side)[1]), copy.function(side)
    found = exists(lambda: client.get_function_configuration(FunctionName=name))
    if found is None:
        yield f"the function {name} is gone"
        return
    keys = [key_of(copy, clients, one) or "" for one in copy.sides]
    wanted = function_configuration(copy, side, copy.settings(keys[0], keys[-1]))
    variables = found.get("Environment", {}).get("Variables", {})
    if variables != wanted.pop("Environment")["Variables"]:
        yield f"the function {name} was told other settings"
    for what, value in wanted.items():
        if found.get(what) != value:
            yield f"the {what} of the function {name} is {found.get(what)}, not {value}"
    if found["CodeSha256"] != base64.b64encode(hashlib.sha256(function_code()).digest()).decode():
        yield f"the code of the function {name} is not what this version deploys"


def _of_the_schedule(copy: SnapshotCopy, clients: Clients, side: Side) -> Iterator[str]:
    events, name = clients(side, "events", copy.place(side)[1]), copy.rule(side)
    rule = exists(lambda: events.describe_rule(Name=name))
    if rule is None or rule["State"] != "ENABLED":
        yield f"the schedule {name} is {'gone' if rule is None else rule['State']}"
        return
    targets = [target["Arn"] for target in events.list_targets_by_rule(Rule=name)["Targets"]]
    if copy.function_arn(side) not in targets:
        yield f"the schedule {name} does not reach the function"


def _of_the_watch(copy: SnapshotCopy, clients: Clients, side: Side) -> Iterator[str]:
    yield from of_alarms(clients(side, "cloudwatch", copy.place(side)[1]), alarms(copy, side))


def _of_roles(copy: SnapshotCopy, clients: Clients, side: Side) -> Iterator[str]:
    iam: Any = clients(side, "iam", copy.place(side)[1])
    for one, name, trust, policy in roles(copy):
        if one == side:
            yield from of_role(iam, name, trust, policy)
