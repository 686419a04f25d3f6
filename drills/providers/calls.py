"""Tells a listener of every API call that leaves a boto3 session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3

from drills.clock import Clock
from drills.model import AccountRole
from drills.providers.interface import Call

NAMES_OF_RESOURCES = (
    "TableName",
    "TargetTableName",
    "BackupArn",
    "ResourceArn",
    "StreamArn",
    "FunctionName",
    "RoleName",
    "RoleArn",
    "Bucket",
    "QueueName",
    "RuleName",
    "Rule",
    "AlarmName",
    "ResourceId",
    "Name",
)
"""Request parameters that name what a call is about, most telling first."""


def tell_of_calls(
    session: boto3.Session, role: AccountRole, account: str, clock: Clock, listener: Callable[[Call], None]
) -> None:
    """Register on the session's events: clients made from it afterwards tell each call once, however often retried."""

    def before(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["drills_resource"] = next((str(params[name]) for name in NAMES_OF_RESOURCES if params.get(name)), "")

    def after(context: dict[str, Any], model: Any, parsed: dict[str, Any], **_: Any) -> None:
        error = parsed.get("Error", {}).get("Code") if parsed else None
        tell(context, model, error)

    def failed(context: dict[str, Any], exception: Exception, event_name: str = "", **_: Any) -> None:
        service, operation = event_name.split(".")[1:3]
        listener(_call(context, service, operation, type(exception).__name__))

    def tell(context: dict[str, Any], model: Any, error: str | None) -> None:
        listener(_call(context, model.service_model.service_id.hyphenize(), model.name, error))

    def _call(context: dict[str, Any], service: str, operation: str, error: str | None) -> Call:
        region = str(context.get("client_region", ""))
        return Call(clock.now(), role, account, region, service, operation, context.get("drills_resource", ""), error)

    session.events.register("before-parameter-build.*.*", before)
    session.events.register("after-call.*.*", after)
    session.events.register("after-call-error.*.*", failed)
