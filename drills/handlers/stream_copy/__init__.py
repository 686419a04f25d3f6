"""The Lambda function that copies a DynamoDB table, change by change, into another account.

Deployed behind the table's stream with partial batch responses (``ReportBatchItemFailures``). Every change is written
in one transaction with a *marker* that holds the version last applied to that item, on the condition that the marker
is older. So duplicates, retries, reordering between shards and restarts never make an item stale or bring it back.

What is permanently wrong about one record is *set aside*, readable, in a bucket of the vault account, and never blocks
its shard; what may pass (throttling, an outage, missing permission) is reported back so that Lambda delivers it again.

Settings come from the environment; see ``Settings``. Uses nothing but the standard library and boto3. Within a deployed
function the package lies at the top, so that its modules import each other relatively.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from .applying import Applier
from .aside import aside_document
from .changes import Change, Item, change_of, marker_id, transactions, value_from_event, version_of
from .clients import forget_vault, own_client, vault
from .copier import LOG, METRIC_NAMESPACE, Copier
from .errors import Retryable
from .settings import Settings
from .state import CONTINUITY_SECONDS, STATE_ROW, tell_seen

__all__ = [
    "CONTINUITY_SECONDS",
    "METRIC_NAMESPACE",
    "STATE_ROW",
    "Applier",
    "Change",
    "Item",
    "Retryable",
    "Settings",
    "aside_document",
    "change_of",
    "handler",
    "heartbeat",
    "marker_id",
    "tell_seen",
    "transactions",
    "value_from_event",
    "version_of",
]


def heartbeat(settings: Settings, function_arn: str) -> bool:
    """On a schedule: tell the vault that the function is still fed. False, and nothing told, when it is not."""
    mappings = own_client("lambda").list_event_source_mappings
    fed = any(
        mapping["State"] in ("Enabled", "Enabling", "Updating")
        and mapping["EventSourceArn"].endswith(settings.stream_label)
        for mapping in mappings(FunctionName=function_arn)["EventSourceMappings"]
    )
    if fed:
        tell_seen(vault(settings).dynamodb, settings.marker_table)
    return fed


def handler(event: Mapping[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:
    """Entry point. Answers with the first record that must come again; Lambda then repeats it and those after it."""
    settings = Settings.from_environment(os.environ)
    if event.get("drills") == "heartbeat":
        heartbeat(settings, str(context.invoked_function_arn))
        return {"batchItemFailures": []}
    records: list[dict[str, Any]] = event["Records"]
    remaining = getattr(context, "get_remaining_time_in_millis", lambda: 60_000)
    function = str(getattr(context, "function_name", "stream-copy"))
    try:
        copier = Copier(settings, vault(settings), function, lambda: remaining() / 1000)
    except (ClientError, BotoCoreError) as error:
        LOG.warning("the vault cannot be reached: %s", error)
        first: int | None = 0
    else:
        first = copier.copy(records)
    if first is None:
        return {"batchItemFailures": []}
    # What failed may have been the credentials: the next attempt begins with new ones.
    forget_vault(settings)
    return {"batchItemFailures": [{"itemIdentifier": _identifier(records[first])}]}


def _identifier(record: Mapping[str, Any]) -> str:
    # An empty identifier makes Lambda repeat the whole batch, which is right for a record without a number.
    return str(record.get("dynamodb", {}).get("SequenceNumber", ""))
