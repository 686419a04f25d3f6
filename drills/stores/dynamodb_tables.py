"""A DynamoDB table from outside: whether it is there, waiting for it, and the guard before anything is destroyed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from drills.errors import ProtectionError
from drills.model import Location
from drills.ownership import DRILL_TAG as DRILL_TAG
from drills.ownership import owner_tag, refuse_outside_a_drill
from drills.site import Site

TABLE_CHANGE_SECONDS = 3_600
RESTORE_SECONDS = 86_400
SOURCE_OF_A_REPLICA = "acted as a source region for new replica"
NOT_THERE = ("ResourceNotFoundException", "TableNotFoundException")


def table_arn(at: Location) -> str:
    """The ARN of a table, in the standard partition or that of its region."""
    partition = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
    found = next((name for prefix, name in partition.items() if at.region.startswith(prefix)), "aws")
    return f"arn:{found}:dynamodb:{at.region}:{at.account}:table/{at.name}"


def described(dynamodb: Any, table: str) -> Mapping[str, Any] | None:
    """The table's description, None where there is no such table."""
    try:
        found: Mapping[str, Any] = dynamodb.describe_table(TableName=table)["Table"]
    except ClientError as error:
        if error.response["Error"]["Code"] in NOT_THERE:
            return None
        raise
    return found


def is_active(dynamodb: Any, table: str) -> bool:
    """Whether the table and all its indexes can be used."""
    found = described(dynamodb, table)
    if found is None or found["TableStatus"] != "ACTIVE":
        return False
    return all(index["IndexStatus"] == "ACTIVE" for index in found.get("GlobalSecondaryIndexes", []))


def wait_active(site: Site, at: Location, *, limit_seconds: float = TABLE_CHANGE_SECONDS) -> None:
    """Wait until the table and all its indexes can be used."""
    dynamodb = site.client("dynamodb", at.role, at.region)
    site.wait(
        f"table {at.name} in {at.region} to be active",
        lambda: is_active(dynamodb, at.name),
        every_seconds=5 if limit_seconds <= TABLE_CHANGE_SECONDS else 15,
        limit_seconds=limit_seconds,
    )


def tags_of(site: Site, at: Location) -> dict[str, str]:
    """All tags of a table."""
    dynamodb = site.client("dynamodb", at.role, at.region)
    pages = dynamodb.get_paginator("list_tags_of_resource").paginate(ResourceArn=table_arn(at))
    return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as AWS takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def own(site: Site, at: Location) -> None:
    """Tag a table that this drill has just made, where the call that made it takes no tags."""
    site.client("dynamodb", at.role, at.region).tag_resource(ResourceArn=table_arn(at), Tags=tag_list(site.tags))


def guard(site: Site, at: Location, deed: str) -> None:
    """Raises ProtectionError unless the table is the site's own by its tag: nothing else is ever touched."""
    tag, wanted = owner_tag(site)
    found = tags_of(site, at).get(tag)
    if found != wanted:
        raise ProtectionError(
            f"table {at.name} in account {at.account}, {at.region}: expected the tag {tag}={wanted} before "
            f"{deed} it, found {f'{tag}={found}' if found else 'none'}. "
            "It was made by somebody else and is left alone: give the table or the estate another name."
        )


def delete_table(site: Site, at: Location, deed: str = "deleting") -> None:
    """Delete a table of this drill by force: its deletion protection first. Nothing happens where there is none."""
    refuse_outside_a_drill(site, f"table {at.name} in account {at.account}, {at.region}", deed)
    dynamodb = site.client("dynamodb", at.role, at.region)
    found = described(dynamodb, at.name)
    if found is None:
        return
    guard(site, at, deed)
    if found.get("DeletionProtectionEnabled"):
        dynamodb.update_table(TableName=at.name, DeletionProtectionEnabled=False)
        wait_active(site, at)
    try:
        dynamodb.delete_table(TableName=at.name)
    except ClientError as error:
        if SOURCE_OF_A_REPLICA not in str(error):
            raise
        raise ProtectionError(
            f"table {at.name} in {at.region}: expected it to be deleted, but a replica was made of it within the last "
            "24 hours, and for so long AWS refuses. Wait for a day, or let the module that manages the table manage "
            "its replica too."
        ) from error
    site.wait(
        f"table {at.name} in {at.region} to be deleted",
        lambda: described(dynamodb, at.name) is None,
        every_seconds=2,
        limit_seconds=TABLE_CHANGE_SECONDS,
    )
