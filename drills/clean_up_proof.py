"""Whether anything is left of a drill: every resource of its record is asked for once more, and its tag is looked for.

By tag: AWS's own index (Resource Groups Tagging API) in each account and region that the drill called, and a list of
all resources of a kind where that has none: IAM roles (source: Resource Groups Tagging API reference, supported
services), and whatever the endpoint's index does not know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any

import jmespath  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError

from drills import guard_databases as databases
from drills.clean_up import NOWHERE, SKEW, Cleaner, CleanUp, Left
from drills.database_deleters import DATABASES_ALONE, of_databases
from drills.deleters import BY_KIND, DELETERS
from drills.deleting import Deleter
from drills.errors import DrillError
from drills.guard_rules import Resource, resource, tags_of_resource
from drills.own_accounts import told
from drills.ownership import DRILL_TAG

NOT_INDEXED = frozenset({"role"})
KIND_OF_ARN = {
    ("dynamodb", "table"): "table",
    ("lambda", "function"): "function",
    ("sqs", ""): "queue",
    ("s3", ""): "bucket",
    ("events", "rule"): "rule",
    ("cloudwatch", "alarm"): "alarm",
    ("ssm", "parameter"): "parameter",
    ("kms", "key"): "key",
    ("secretsmanager", "secret"): "secret",
}
Place = tuple[str, str]
"""An account id and a region."""


def prove(cleaner: Cleaner, found: CleanUp, *, thorough: bool) -> None:
    """Enter what is left, what others carry the tag, and what could not be looked for."""
    for made in cleaner.made.values():
        _by_record(cleaner, found, made.resource, made.account, made.region)
    found.proof.append(f"by record: each of the {len(cleaner.made)} resources that the drill made was asked for")
    for place in _places(cleaner):
        _kept_by_aws(cleaner, found, place)
        _by_tag(cleaner, found, place, thorough)


def _places(cleaner: Cleaner) -> list[Place]:
    homes = [(account.id, account.region) for account in cleaner.header.accounts.values()]
    called = [(made.account, made.resource.region or made.region) for made in cleaner.made.values()]
    return [place for place in dict.fromkeys([*homes, *called]) if place[1] not in NOWHERE]


def _by_record(cleaner: Cleaner, found: CleanUp, there: Resource, account: str, region: str) -> None:
    known = {one.resource for one in [*found.left, *found.going]}
    if there in known or there.kind not in BY_KIND or there.kind == "log group":
        return
    try:
        client = cleaner.client(BY_KIND[there.kind].service, account, there.region or region)
        if tags_of_resource(client, there) is not None:
            found.left.append(Left(there, "it was deleted and is there again"))
    except (ClientError, BotoCoreError, DrillError) as error:
        found.gaps.append(f"{there}: {told(error)}")


def _kept_by_aws(cleaner: Cleaner, found: CleanUp, place: Place) -> None:
    """Tell what AWS itself keeps of the drill's tables that were deleted while they had point-in-time recovery.

    Nobody can delete it, it costs nothing and ends by itself. Source: DynamoDB developer guide, Before you begin using
    point-in-time recovery.
    """
    tables = {one.resource.name: one.at for one in cleaner.made.values() if _is_table(one.resource, place)}
    if not tables:
        return
    account, region = place
    try:
        pages = cleaner.client("dynamodb", *place).get_paginator("list_backups").paginate(BackupType="SYSTEM")
        for one in (backup for page in pages for backup in page["BackupSummaries"]):
            made = tables.get(one["TableName"])
            # Older than the table of the drill, it is of another table that had this name.
            if one["BackupType"] == "SYSTEM" and made is not None and one["BackupCreationDateTime"] >= made - SKEW:
                why = f"AWS made it when {one['TableName']} was deleted, keeps it at no cost and deletes it"
                found.going.append(Left(Resource("backup", account, region, one["BackupArn"]), why + _on(one)))
    except (ClientError, BotoCoreError, DrillError) as error:
        found.proof.append(f"system backups of account {account}, {region}, not listed: {told(error)}")


def _is_table(one: Resource, place: Place) -> bool:
    return one.kind == "table" and (one.account, one.region) == place


def _on(backup: Mapping[str, Any]) -> str:
    expires = backup.get("BackupExpiryDateTime")
    return " within 35 days" if expires is None else f" on {expires.astimezone(UTC):%Y-%m-%d}"


def _by_tag(cleaner: Cleaner, found: CleanUp, place: Place, thorough: bool) -> None:
    account, region = place
    indexed = False
    try:
        for one in _indexed(cleaner, place):
            _enter(cleaner, found, one, place)
        indexed = True
        found.proof.append(f"by tag: the index of tags of account {account}, {region}")
    except (ClientError, BotoCoreError, DrillError) as error:
        found.proof.append(f"by tag: no index in account {account}, {region} ({told(error)})")
    kinds = [one for one in DELETERS if one.listing and (thorough or not indexed or one.kind in NOT_INDEXED)]
    if not of_databases(cleaner.made):
        kinds = [one for one in kinds if one.service not in DATABASES_ALONE]
    for deleter in kinds:
        try:
            _listed(cleaner, found, deleter, place)
        except (ClientError, BotoCoreError, DrillError) as error:
            missing = found.proof if indexed and deleter.kind not in NOT_INDEXED else found.gaps
            missing.append(f"{deleter.kind}s of account {account}, {region}, not listed: {told(error)}")
    found.proof.append(
        f"by tag: every {', '.join(one.kind for one in kinds)} of account {account}, {region}, asked for its tags"
    )


def _indexed(cleaner: Cleaner, place: Place) -> Iterator[Resource]:
    client = cleaner.client("resourcegroupstaggingapi", *place)
    wanted = [{"Key": DRILL_TAG, "Values": [cleaner.header.drill_id]}]
    for page in client.get_paginator("get_resources").paginate(TagFilters=wanted):
        for one in page["ResourceTagMappingList"]:
            yield _of_arn(one["ResourceARN"], place)


def _of_arn(arn: str, place: Place) -> Resource:
    _, _, service, _, _, rest = arn.split(":", 5)
    word = rest.replace(":", "/").partition("/")[0] if "/" in rest or ":" in rest else ""
    if service == "rds":
        return resource(databases.ANY, arn, *place)
    kind = KIND_OF_ARN.get((service, word))
    if kind is None:
        return Resource(f"{service} resource", *place, arn)
    if kind == "secret":
        # AWS puts six characters of its own behind a secret's name.
        return Resource(kind, *place, rest.removeprefix("secret:").rpartition("-")[0])
    if kind == "parameter":
        # The slash that a name begins with is the one after the word; names without one look alike.
        return Resource(kind, *place, rest.removeprefix("parameter"))
    return resource(kind, rest if kind in ("bucket", "queue") else arn, *place)


def _listed(cleaner: Cleaner, found: CleanUp, deleter: Deleter, place: Place) -> None:
    client = cleaner.client(deleter.service, *place)
    if deleter.listing is None:
        return
    call, path = deleter.listing
    pages = client.get_paginator(call).paginate() if client.can_paginate(call) else [getattr(client, call)()]
    for page in pages:
        for name in jmespath.search(path, page) or []:
            one = resource(deleter.kind, str(name), *place)
            if _carries(client, cleaner, one):
                _enter(cleaner, found, one, place)


def _carries(client: Any, cleaner: Cleaner, one: Resource) -> bool:
    try:
        tags = tags_of_resource(client, one)
    except ClientError as error:
        # What these credentials may not even look at is not what they made.
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in (301, 400, 401, 403):
            return False
        raise
    return tags is not None and tags.get(DRILL_TAG) == cleaner.header.drill_id


def _enter(cleaner: Cleaner, found: CleanUp, one: Resource, place: Place) -> None:
    known = {each.resource for each in [*found.left, *found.going, *found.others]}
    if cleaner.copied(one):
        found.left.append(Left(one, "a function of the drill made it and it is not deleted yet; run this again"))
        return
    bare = one._replace(name=one.name.lstrip("/"))
    if one in known or one in cleaner.made or bare in cleaner.made:
        # That it is gone, or why not, was asked of the resource itself; an index may be minutes behind.
        return
    found.others.append(
        Left(one, f"it carries the tag {DRILL_TAG}={cleaner.header.drill_id} and the drill has no record of making it")
    )
