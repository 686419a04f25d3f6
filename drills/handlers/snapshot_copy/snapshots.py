"""Databases and snapshots as the API describes them, and the tags by which a copy knows its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from botocore.exceptions import ClientError

UNDER_WAY = frozenset({"pending", "creating", "copying"})
COPY_TAG = "drills:copy"
"""Whose a snapshot is: the name of the copy."""
STAGE_TAG = "drills:stage"
DATABASE_TAG = "drills:database"
"""ARN of the instance or cluster."""
SNAPSHOT_TAG = "drills:snapshot"
"""ARN of the snapshot that this is a copy of."""
AS_OF_TAG = "drills:as-of"
VAULT_TAG = "drills:vault"
"""Of a shared snapshot: whether the vault is ``copying`` it or has ``copied`` it; of the vault's: who may read it."""
HELD_TAG = "drills:held-until"
"""Of the vault's: that it is restored from, and until when it is not to be pruned; see ``holds``."""
OWN_TAGS = (COPY_TAG, STAGE_TAG, DATABASE_TAG, SNAPSHOT_TAG, AS_OF_TAG, VAULT_TAG)
RESERVED = "aws:"
Stage = Literal["taken", "shared", "kept"]
"""What a snapshot of ours is for: taken of the database, made to be shared, kept by the vault."""
DatabaseKey = tuple[str, str, str]
"""Kind, identifier and resource: one that was made anew under the same name is another database."""
INSTANCE_ENGINES = ("postgres", "mysql", "mariadb", "oracle-", "sqlserver-", "db2-")
CLUSTER_ENGINES = ("aurora", "postgres", "mysql")


@dataclass(frozen=True, slots=True)
class Words:
    """The API's words for DB snapshots, and for DB cluster snapshots."""

    of: Literal["db", "cluster"]
    source: str
    resource_id: str
    describe: str
    create: str
    copy: str
    delete: str
    share: str
    attributes: str

    @property
    def identifier(self) -> str:
        return "DBSnapshotIdentifier" if self.of == "db" else "DBClusterSnapshotIdentifier"

    @property
    def member(self) -> str:
        return self.identifier.removesuffix("Identifier")


DB = Words(
    "db",
    "DBInstanceIdentifier",
    "DbiResourceId",
    "describe_db_snapshots",
    "create_db_snapshot",
    "copy_db_snapshot",
    "delete_db_snapshot",
    "modify_db_snapshot_attribute",
    "describe_db_snapshot_attributes",
)
CLUSTER = Words(
    "cluster",
    "DBClusterIdentifier",
    "DbClusterResourceId",
    "describe_db_cluster_snapshots",
    "create_db_cluster_snapshot",
    "copy_db_cluster_snapshot",
    "delete_db_cluster_snapshot",
    "modify_db_cluster_snapshot_attribute",
    "describe_db_cluster_snapshot_attributes",
)


@dataclass(frozen=True, slots=True)
class Database:
    """An instance, or a cluster with all of its members."""

    words: Words
    identifier: str
    arn: str
    resource_id: str
    engine: str
    status: str
    created: datetime
    tags: Mapping[str, str]

    @property
    def database_key(self) -> DatabaseKey:
        return self.words.of, self.identifier, self.resource_id

    @property
    def is_known(self) -> bool:
        known = INSTANCE_ENGINES if self.words.of == "db" else CLUSTER_ENGINES
        return self.engine.startswith(known) and not self.engine.startswith("custom-")

    def __str__(self) -> str:
        return f"{'DB instance' if self.words.of == 'db' else 'DB cluster'} {self.identifier}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot. ``as_of``: when its rows were as they are in it, None while AWS does not say."""

    words: Words
    identifier: str
    arn: str
    status: str
    kind: str
    source: str
    resource_id: str
    created: datetime | None
    as_of: datetime | None
    key: str | None
    option_group: str
    copied_from: str | None
    tags: Mapping[str, str]

    @property
    def database_key(self) -> DatabaseKey:
        return self.words.of, self.source, self.resource_id

    @property
    def is_good(self) -> bool:
        return self.status == "available" and self.as_of is not None

    @property
    def is_under_way(self) -> bool:
        return self.status in UNDER_WAY

    @property
    def age_key(self) -> tuple[datetime, str]:
        return self.as_of or datetime.max.replace(tzinfo=UTC), self.arn

    def __str__(self) -> str:
        return f"snapshot {self.identifier}"


def tags_of(described: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in described.get("TagList", ())}


def is_hold(key: str) -> bool:
    return key == HELD_TAG or key.startswith(f"{HELD_TAG}:")


def databases_in(rds: Any) -> list[Database]:
    """Every instance that is no member of a cluster, and every cluster, by name."""
    found = [
        Database(
            DB,
            one["DBInstanceIdentifier"],
            one["DBInstanceArn"],
            one.get("DbiResourceId", ""),
            one.get("Engine", ""),
            one.get("DBInstanceStatus", ""),
            one.get("InstanceCreateTime", datetime.min.replace(tzinfo=UTC)),
            tags_of(one),
        )
        for one in pages(rds, "describe_db_instances", "DBInstances")
        if not one.get("DBClusterIdentifier")
    ]
    found += [
        Database(
            CLUSTER,
            one["DBClusterIdentifier"],
            one["DBClusterArn"],
            one.get("DbClusterResourceId", ""),
            one.get("Engine", ""),
            one.get("Status", ""),
            one.get("ClusterCreateTime", datetime.min.replace(tzinfo=UTC)),
            tags_of(one),
        )
        for one in pages(rds, "describe_db_clusters", "DBClusters")
    ]
    return sorted(found, key=lambda one: one.arn)


def snapshots_in(rds: Any, kind: str | None = None) -> list[Snapshot]:
    """All DB and cluster snapshots of the client's account and region, or those of a SnapshotType."""
    asked = {"SnapshotType": kind} if kind else {}
    return [
        snapshot_of(words, one)
        for words in (DB, CLUSTER)
        for one in pages(rds, words.describe, f"{words.member}s", **asked)
    ]


def snapshot_of(words: Words, one: Mapping[str, Any]) -> Snapshot:
    tags, created = tags_of(one), one.get("SnapshotCreateTime")
    # A copy of a cluster snapshot does not say how old its rows are, so that whoever makes it notes that in a tag.
    as_of = one.get("OriginalSnapshotCreateTime") or _moment(tags.get(AS_OF_TAG)) or created
    as_of = as_of.astimezone(UTC) if as_of is not None else None
    arn = str(one[f"{words.member}Arn"])
    return Snapshot(
        words,
        arn.split(":", 6)[6],
        arn,
        one.get("Status", ""),
        one.get("SnapshotType", ""),
        one.get(words.source, ""),
        one.get(words.resource_id, ""),
        created,
        as_of,
        one.get("KmsKeyId"),
        one.get("OptionGroupName", ""),
        one.get("SourceDBSnapshotIdentifier") or one.get("SourceDBClusterSnapshotArn") or tags.get(SNAPSHOT_TAG),
        tags,
    )


def snapshot_named(rds: Any, words: Words, identifier: str) -> Snapshot | None:
    """As it is by now; None where it is not there. Raises ClientError."""
    try:
        found = list(pages(rds, words.describe, f"{words.member}s", **{words.identifier: identifier}))
    except ClientError as error:
        if "NotFound" not in error.response["Error"]["Code"]:
            raise
        return None
    return next((snapshot_of(words, there) for there in found), None)


def pages(rds: Any, operation: str, member: str, **asked: Any) -> Iterator[Mapping[str, Any]]:
    for page in rds.get_paginator(operation).paginate(**asked):
        yield from page[member]


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
