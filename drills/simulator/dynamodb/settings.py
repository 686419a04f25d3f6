"""A table's settings: what may be read and changed in which state, deletion protection, billing, tags, policies.

Source: DynamoDB API reference, the operations below.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from moto.dynamodb.exceptions import ResourceNotFoundException
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table

from drills.simulator.dynamodb.answers import (
    Body,
    Refused,
    Request,
    backend,
    find_table,
    in_use,
    invalid,
    operation,
)
from drills.simulator.dynamodb.restoring import restore_of
from drills.simulator.dynamodb.table import SimulatedTable, table_deleted, table_described
from drills.simulator.replaced import Replacement
from drills.simulator.state import Simulation

READABLE = frozenset({"ACTIVE", "UPDATING"})
STATES_IN_WORDS = {"CREATING": "Table is being created", "DELETING": "Table is being deleted"}
TAGS_PER_TABLE = 50
TAGS_PER_PAGE = 10
TAG_KEY_LENGTH = 128
TAG_VALUE_LENGTH = 256
TABLE_ARN = re.compile(r"arn:aws[a-z-]*:dynamodb:([a-z0-9-]+):(\d{12}):table/([a-zA-Z0-9_.-]+)")


def begin(_: Simulation) -> None:
    """Take part in what becomes of every table; once is enough."""
    if forget_policy not in table_deleted:
        table_deleted.append(forget_policy)
    if summary_of_restore not in table_described:
        table_described.append(summary_of_restore)


def forget_policy(table: SimulatedTable) -> None:
    """A deleted table's resource policy does not come back with a new table of its name."""
    backend(table.account_id, table.region_name).resource_policies.pop(table.table_arn, None)


def summary_of_restore(table: SimulatedTable) -> Mapping[str, Any]:
    """``RestoreSummary`` of a table that a restore made."""
    restore = restore_of(table)
    return {} if restore is None else {"RestoreSummary": restore.summary()}


def refuse_unless_active(table: SimulatedTable) -> None:
    """Raises the error for a change to a table that is being created or changed."""
    if table.status != "ACTIVE":
        raise in_use(table.name, STATES_IN_WORDS.get(table.status, "Table is being updated"))


# --- Reading, changing, deleting


_get_table = DynamoDBBackend.get_table


def get_table(self: DynamoDBBackend, table_name: str) -> Table:
    """In place of moto's: a table that is still being created has no items to read and takes none."""
    table = _get_table(self, table_name)
    if isinstance(table, SimulatedTable) and table.status not in READABLE:
        raise ResourceNotFoundException()
    return table


def describe_table(self: DynamoDBBackend, name: str) -> dict[str, Any]:
    """In place of moto's: a table that is still being created is described too."""
    try:
        table = _get_table(self, name)
    except ResourceNotFoundException as error:
        raise ResourceNotFoundException(table_name=name) from error
    described: dict[str, Any] = table.describe(base_key="Table")
    return described


@operation
def delete_table(request: Request, body: Body) -> Body | None:
    """Refused while the table is being created or is protected; else moto's."""
    table = find_table(request.account, request.region, body["TableName"])
    if table is None:
        return None
    refuse_unless_active(table)
    if table.deletion_protection_enabled:
        raise invalid(
            "Resource cannot be deleted as it is currently protected against deletion. "
            "Disable deletion protection first."
        )
    return None


@operation
def update_table(request: Request, body: Body) -> Body | None:
    """Refused while the table is being created or where billing does not fit; else moto's."""
    table = find_table(request.account, request.region, body["TableName"])
    if table is None:
        return None
    refuse_unless_active(table)
    _check_billing(table, body)
    if body.get("BillingMode") == "PAY_PER_REQUEST":
        table.throughput = {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0, "NumberOfDecreasesToday": 0}
    if "SSESpecification" in body:
        _set_encryption(table, body["SSESpecification"])
    return None


def _check_billing(table: SimulatedTable, body: Body) -> None:
    mode = body.get("BillingMode") or table.billing_mode or "PROVISIONED"
    throughput = body.get("ProvisionedThroughput")
    wrong = "One or more parameter values were invalid: "
    if mode == "PAY_PER_REQUEST" and throughput:
        raise invalid(
            f"{wrong}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
            "PAY_PER_REQUEST"
        )
    if mode == "PROVISIONED" and table.billing_mode == "PAY_PER_REQUEST" and not throughput:
        raise invalid(
            f"{wrong}ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"
        )


def _set_encryption(table: SimulatedTable, specification: Mapping[str, Any]) -> None:
    if not specification.get("Enabled"):
        table.sse_specification = None
        return
    table.sse_specification = {
        "KMSMasterKeyId": table._get_default_encryption_key(table.account_id, table.region_name),
        **specification,
    }


# --- Tags


def _tagged(request: Request, body: Body) -> SimulatedTable:
    arn = body["ResourceArn"]
    found = TABLE_ARN.fullmatch(arn)
    if found is None:
        raise invalid(f"Invalid TableArn: Invalid ResourceArn provided as input {arn}")
    region, account, name = found.groups()
    if account != request.account:
        raise Refused(
            "AccessDeniedException",
            f"User: {request.account} is not authorized to perform: dynamodb:{request.operation} on resource: {arn}",
        )
    if region != request.region:
        raise invalid(f"Invalid TableArn: Invalid ResourceArn provided as input {arn}")
    table = find_table(account, region, name)
    if table is None:
        # The word is AWS's own.
        raise Refused("ResourceNotFoundException", f"Requested resource not found: ResourcArn: {arn} not found")
    return table  # type: ignore[no-any-return]


def _kept_tags(table: SimulatedTable) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in table.tags}


@operation
def tag_resource(request: Request, body: Body) -> Body:
    """Add tags; one whose key is there already gets the new value."""
    table = _tagged(request, body)
    refuse_unless_active(table)
    tags = {tag["Key"]: tag["Value"] for tag in body["Tags"]}
    for key, value in tags.items():
        _check_tag(key, value)
    if len(tags) < len(body["Tags"]):
        raise invalid("Some tag keys are duplicated")
    kept = {**_kept_tags(table), **tags}
    if len(kept) > TAGS_PER_TABLE:
        raise invalid("One or more parameter values were invalid: Too many tags")
    table.tags = [{"Key": key, "Value": value} for key, value in kept.items()]
    return {}


def _check_tag(key: str, value: str) -> None:
    if key.lower().startswith("aws:"):
        raise invalid("One or more parameter values were invalid: Tag keys cannot start with 'aws:'")
    if not 1 <= len(key) <= TAG_KEY_LENGTH or len(value) > TAG_VALUE_LENGTH:
        raise invalid(
            f"One or more parameter values were invalid: a tag's key has 1 to {TAG_KEY_LENGTH} characters and its "
            f"value up to {TAG_VALUE_LENGTH}: {key[:TAG_KEY_LENGTH]!r}"
        )


@operation
def untag_resource(request: Request, body: Body) -> Body:
    """Take tags away; keys that are not there are passed over."""
    table = _tagged(request, body)
    refuse_unless_active(table)
    table.tags = [tag for tag in table.tags if tag["Key"] not in body["TagKeys"]]
    return {}


@operation
def list_tags_of_resource(request: Request, body: Body) -> Body:
    """The tags, ten a page."""
    table = _tagged(request, body)
    token = body.get("NextToken") or "0"
    if not token.isdigit():
        raise invalid(f"Invalid NextToken: {token}")
    start = int(token)
    page: Body = {"Tags": list(table.tags[start : start + TAGS_PER_PAGE])}
    if len(table.tags) > start + TAGS_PER_PAGE:
        page["NextToken"] = str(start + TAGS_PER_PAGE)
    return page


OPERATIONS = {
    "dynamodb:DeleteTable": delete_table,
    "dynamodb:UpdateTable": update_table,
    "dynamodb:TagResource": tag_resource,
    "dynamodb:UntagResource": untag_resource,
    "dynamodb:ListTagsOfResource": list_tags_of_resource,
}
REPLACEMENTS = (
    Replacement(
        "moto.dynamodb.models:DynamoDBBackend.get_table",
        get_table,
        "a table that is being created or restored cannot be read or written yet; moto knows only ACTIVE ones",
        digest="a738146035fc",
    ),
    Replacement(
        "moto.dynamodb.models:DynamoDBBackend.describe_table",
        describe_table,
        "but it can be described",
        digest="8c79dca38781",
    ),
)
