"""The two Lambda functions that copy RDS and Aurora snapshots into another account, another region, or both.

Each runs on a schedule and does whatever is next. What is next is judged from AWS alone: from the ARN, status and tags
of each snapshot. So a run may end at any call, come twice or come late, and the next one goes on from what it finds.

*Production's* function (``production_handler``) takes a snapshot of every chosen database, or uses its automated ones;
makes of it one that can be shared, in the vault's region, encrypted with a key that lets the vault in; shares it; and
deletes what is not needed any more. *The vault's* (``vault_handler``) copies what is shared with it, with the vault's
own key and the tags that AWS leaves behind, and deletes what is older than what it keeps. It has a role of production
with which it may only read, and mark a snapshot as being copied; production has no role of the vault's.

Settings come from the environment; see ``Settings``. Uses nothing but the standard library and boto3.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

LOG = logging.getLogger("drills.snapshot_copy")
METRIC_NAMESPACE = "drills/snapshot-copy"
CLIENT_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=3, read_timeout=20)
MARGIN_SECONDS = 20.0
"""What is left of the function's time must be enough for the calls about one database."""
MOST_TAGS = 50
UNDER_WAY = frozenset({"pending", "creating", "copying"})
RESERVED = "aws:"

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
OWN_TAGS = (COPY_TAG, STAGE_TAG, DATABASE_TAG, SNAPSHOT_TAG, AS_OF_TAG, VAULT_TAG)

Stage = Literal["taken", "shared", "kept"]
"""What a snapshot of ours is for: taken of the database, made to be shared, kept by the vault."""

INSTANCE_ENGINES = ("postgres", "mysql", "mariadb", "oracle-", "sqlserver-", "db2-")
CLUSTER_ENGINES = ("aurora", "postgres", "mysql")


# --- Settings ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Selection:
    """Which databases: every one within the ``scope`` is chosen, excluded by a rule, or told as a problem.

    Patterns are those of the shell. Chosen is whose identifier matches one of ``names`` and which has all of ``tags``.
    """

    scope: tuple[str, ...] = ("*",)
    names: tuple[str, ...] = ("*",)
    tags: Mapping[str, str] = field(default_factory=dict)
    exclude_names: tuple[str, ...] = ()
    exclude_tags: Mapping[str, str] = field(default_factory=dict)

    def covers(self, identifier: str) -> bool:
        return _matches(identifier, self.scope)

    def excluded_by(self, identifier: str, tags: Mapping[str, str]) -> str | None:
        """The rule that leaves it out, None for none."""
        for pattern in self.exclude_names:
            if fnmatchcase(identifier, pattern):
                return f"its name matches {pattern}"
        for key, value in self.exclude_tags.items():
            if key in tags and fnmatchcase(tags[key], value):
                return f"it has the tag {key}={tags[key]}"
        return None

    def missing(self, identifier: str, tags: Mapping[str, str]) -> str | None:
        """What it lacks to be chosen, None when it is."""
        if not _matches(identifier, self.names):
            return f"its name matches none of {', '.join(self.names)}"
        for key, value in self.tags.items():
            if key not in tags or not fnmatchcase(tags[key], value):
                return f"it has not the tag {key}={value}"
        return None


def _matches(identifier: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(identifier, pattern) for pattern in patterns)


@dataclass(frozen=True, slots=True)
class Settings:
    """What both functions need to know, as JSON in the environment variable ``DRILLS_SNAPSHOT_COPY``."""

    name: str
    prefix: str
    """What the identifiers of all its snapshots begin with."""
    source_account: str
    source_region: str
    vault_account: str
    vault_region: str
    selection: Selection = field(default_factory=Selection)
    take: Literal["own", "automated"] = "own"
    interval_seconds: float = 3600.0
    production_keep: int = 2
    vault_keep: int = 7
    production_key: str = ""
    """ARN of production's key, in the vault's region, that what is shared is encrypted with."""
    shareable_keys: tuple[str, ...] = ()
    """ARNs of other keys whose policies let the vault in, so that snapshots under them are shared as they are."""
    vault_key: str = ""
    """ARN of the vault's key that its copies are encrypted with; of production's region copy: production's."""
    readers: tuple[str, ...] = ()
    """Accounts that the vault's copies are shared with, so that they can be restored there at once."""
    option_groups: Mapping[str, str] = field(default_factory=dict)
    """By a database's option group, the one that its copies in another account or region are bound to."""
    reader_role_arn: str = ""
    external_id: str = ""
    copies_at_once: int = 20
    objective_seconds: float = 86_400.0
    tags: Mapping[str, str] = field(default_factory=dict)
    removable: bool = False
    """Whether everything may be deleted when asked; for drills alone."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        given = json.loads(environment["DRILLS_SNAPSHOT_COPY"])
        lists = {name: tuple(given[name]) for name in ("shareable_keys", "readers") if name in given}
        chosen: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in given["selection"].items()
        }
        return cls(**{**given, **lists, "selection": Selection(**chosen)})

    def as_environment(self) -> dict[str, str]:
        """What differs from the defaults; an environment holds 4 KB. Source: Lambda developer guide, quotas."""
        default = Settings("", "", "", "", "", "")
        said = {name: getattr(self, name) for name in self.__dataclass_fields__}
        given = {name: value for name, value in said.items() if value != getattr(default, name)}
        chosen = {name: getattr(self.selection, name) for name in Selection.__dataclass_fields__}
        given["selection"] = {name: value for name, value in chosen.items() if value != getattr(Selection(), name)}
        return {"DRILLS_SNAPSHOT_COPY": json.dumps(given, sort_keys=True, separators=(",", ":"), default=dict)}

    @property
    def crosses_accounts(self) -> bool:
        return self.vault_account != self.source_account

    @property
    def crosses_regions(self) -> bool:
        return self.vault_region != self.source_region


# --- Databases and snapshots as the API describes them ---------------------------------------------------------------


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
        for one in _pages(rds, "describe_db_instances", "DBInstances")
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
        for one in _pages(rds, "describe_db_clusters", "DBClusters")
    ]
    return sorted(found, key=lambda one: one.arn)


def snapshots_in(rds: Any, kind: str | None = None) -> list[Snapshot]:
    """All DB and cluster snapshots of the client's account and region, or those of a SnapshotType."""
    asked = {"SnapshotType": kind} if kind else {}
    return [
        snapshot_of(words, one)
        for words in (DB, CLUSTER)
        for one in _pages(rds, words.describe, f"{words.member}s", **asked)
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


def _pages(rds: Any, operation: str, member: str, **asked: Any) -> Iterator[Mapping[str, Any]]:
    for page in rds.get_paginator(operation).paginate(**asked):
        yield from page[member]


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


def newest(snapshots: Iterable[Snapshot]) -> Snapshot | None:
    """The good one with the newest rows."""
    return max((one for one in snapshots if one.is_good), key=lambda one: one.age_key, default=None)


def to_prune(snapshots: Iterable[Snapshot], keep: int) -> list[Snapshot]:
    """Of the snapshots of one database those that ``keep`` newer good ones make needless; never the newest good one.

    What has failed or is under way is no good copy and makes nothing needless, nor is it pruned here.
    """
    good = sorted((one for one in snapshots if one.is_good), key=lambda one: one.age_key, reverse=True)
    return good[max(1, keep) :]


def is_ours(settings: Settings, snapshot: Snapshot, stage: Stage | None = None) -> bool:
    """Whether this copy made it: by its tags and by its name. Nothing else is ever changed or deleted."""
    return (
        snapshot.kind == "manual"
        and snapshot.tags.get(COPY_TAG) == settings.name
        and snapshot.identifier.startswith(f"{settings.prefix}-")
        and stage in (None, snapshot.tags.get(STAGE_TAG))
    )


def by_database(snapshots: Iterable[Snapshot]) -> dict[tuple[str, str, str], list[Snapshot]]:
    """By kind, identifier and resource: one that was made anew under the same name is another database."""
    found: dict[tuple[str, str, str], list[Snapshot]] = {}
    for one in snapshots:
        found.setdefault((one.words.of, one.source, one.resource_id), []).append(one)
    return found


@dataclass(frozen=True, slots=True)
class Coverage:
    """What becomes of each database within the scope."""

    chosen: tuple[Database, ...]
    excluded: Mapping[str, str]
    """By the database's ARN, the rule that leaves it out."""
    uncovered: Mapping[str, str]
    """By the database's ARN, why it is not covered though no rule leaves it out."""


def coverage(settings: Settings, databases: Iterable[Database]) -> Coverage:
    chosen, excluded, uncovered = [], {}, {}
    for one in databases:
        if not settings.selection.covers(one.identifier):
            continue
        rule = settings.selection.excluded_by(one.identifier, one.tags)
        lacking = settings.selection.missing(one.identifier, one.tags)
        if rule is not None:
            excluded[one.arn] = rule
        elif lacking is not None:
            uncovered[one.arn] = f"{one} is not copied: {lacking}, and no rule excludes it"
        elif not one.is_known:
            uncovered[one.arn] = f"{one} is not copied: its engine {one.engine} is not known here"
        else:
            chosen.append(one)
    return Coverage(tuple(chosen), excluded, uncovered)


# --- One run -------------------------------------------------------------------------------------------------------


@dataclass
class Told:
    """What one run did and found, in words: its answer, its log and its metrics."""

    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """Snapshots that AWS could not make; they are deleted and tried again."""
    waiting: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    ages: dict[str, float] = field(default_factory=dict)
    """By database, seconds since its newest good snapshot on this side."""
    excluded: dict[str, str] = field(default_factory=dict)

    def as_answer(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


class Run:
    """What both sides have in common: making, deleting, sharing, telling."""

    def __init__(self, settings: Settings, seconds_left: Callable[[], float]) -> None:
        self.settings = settings
        self.seconds_left = seconds_left
        self.told = Told()
        self.now = datetime.now(UTC)
        self.slots: dict[tuple[str, str], int] = {}

    def for_each(self, things: Iterable[Any], act: Callable[[Any], None]) -> None:
        """Do it for each; what AWS refuses for one is told and does not stop the others."""
        for one in things:
            if self.seconds_left() < MARGIN_SECONDS:
                self.told.waiting.append(f"{one} and what comes after it: the function's time is nearly over")
                return
            try:
                act(one)
            except (ClientError, BotoCoreError) as error:
                (self.told.waiting if _passes(error) else self.told.problems).append(f"{one}: {_said(error)}")

    def copy(self, rds: Any, source: Snapshot, target: str, key: str, tags: Mapping[str, str], *, leaves: bool) -> None:
        """Begin a copy of ``source`` called ``target``. ``leaves``: whether it goes to another account or region."""
        words = source.words
        asked: dict[str, Any] = {
            f"Source{words.identifier}": source.arn,
            f"Target{words.identifier}": target,
            "Tags": [{"Key": name, "Value": value} for name, value in tags.items()],
        }
        if source.key is not None:
            asked["KmsKeyId"] = key
        group = self.settings.option_groups.get(source.option_group)
        if leaves and group and words.of == "db":
            asked["OptionGroupName"] = group
        there = source.arn.split(":")[3]
        if there != rds.meta.region_name:
            asked["SourceRegion"] = there
        self._make(rds, words, target, lambda: getattr(rds, words.copy)(**asked))

    def _make(self, rds: Any, words: Words, target: str, call: Callable[[], Any]) -> None:
        """One that is there already was made by a run whose end nobody heard of, or by one beside this."""
        try:
            call()
        except ClientError as error:
            if "AlreadyExists" not in error.response["Error"]["Code"]:
                raise
            there = [
                snapshot_of(words, one)
                for one in _pages(rds, words.describe, f"{words.member}s", **{words.identifier: target})
            ]
            if not all(is_ours(self.settings, one) for one in there):
                self.told.problems.append(f"{target} was made by somebody else, in {rds.meta.region_name}: rename it")
            return
        self.told.done.append(f"making {target} in {rds.meta.region_name}")

    def take(self, rds: Any, database: Database, target: str, tags: Mapping[str, str]) -> None:
        words = database.words
        asked = {
            words.source: database.identifier,
            words.identifier: target,
            "Tags": [{"Key": name, "Value": value} for name, value in tags.items()],
        }
        self._make(rds, words, target, lambda: getattr(rds, words.create)(**asked))

    def delete(self, rds: Any, snapshot: Snapshot, why: str) -> None:
        """Only what is ours; one that is gone already is fine."""
        if not is_ours(self.settings, snapshot):
            raise ValueError(f"{snapshot.arn}: expected a snapshot that the copy {self.settings.name} made")
        try:
            getattr(rds, snapshot.words.delete)(**{snapshot.words.identifier: snapshot.identifier})
        except ClientError as error:
            if "NotFound" not in error.response["Error"]["Code"]:
                raise
        else:
            self.told.done.append(f"deleting {snapshot.arn}: {why}")

    def delete_failed(self, rds: Any, snapshot: Snapshot) -> None:
        self.told.failed.append(f"{snapshot.arn} of {snapshot.source} has failed, and is made anew")
        self.delete(rds, snapshot, "it has failed")

    def share(self, rds: Any, snapshot: Snapshot, accounts: Sequence[str]) -> None:
        words = snapshot.words
        named = {words.identifier: snapshot.identifier}
        answer = getattr(rds, words.attributes)(**named)[f"{words.member}AttributesResult"]
        there = {
            account
            for one in answer.get(f"{words.member}Attributes", ())
            if one["AttributeName"] == "restore"
            for account in one.get("AttributeValues", ())
        }
        missing = [account for account in accounts if account not in there]
        if missing:
            getattr(rds, words.share)(**named, AttributeName="restore", ValuesToAdd=missing)
            self.told.done.append(f"sharing {snapshot.arn} with {', '.join(missing)}")

    def tags_for(
        self, stage: Stage, database: str, from_tags: Mapping[str, str], source: Snapshot | None = None
    ) -> dict[str, str]:
        """Ours, and as many of the database's as there is room for."""
        ours = {**self.settings.tags, COPY_TAG: self.settings.name, STAGE_TAG: stage, DATABASE_TAG: database}
        if source is not None and source.as_of is not None:
            ours |= {SNAPSHOT_TAG: source.arn, AS_OF_TAG: source.as_of.isoformat()}
        theirs = {
            key: value
            for key, value in sorted(from_tags.items())
            if not key.startswith(RESERVED) and key not in OWN_TAGS and key not in ours
        }
        room = MOST_TAGS - len(ours) - 1
        if len(theirs) > room:
            self.told.problems.append(
                f"{database}: {', '.join(list(theirs)[room:])} have no room among its copy's tags"
            )
        return {**dict(list(theirs.items())[:room]), **ours}

    def name_for(self, source: str, at: datetime, ending: str = "") -> str:
        return f"{self.settings.prefix}-{source}-{at:%Y%m%d-%H%M%S}{ending}"

    def may_copy(self, rds: Any, snapshots: Iterable[Snapshot], what: str) -> bool:
        """Whether there is room for one more copy that is made in this region at the same time. Takes the room."""
        place = ("copies", str(rds.meta.region_name))
        if place not in self.slots:
            under_way = sum(one.is_under_way and one.copied_from is not None for one in snapshots)
            self.slots[place] = self.settings.copies_at_once - under_way
        if self.slots[place] <= 0:
            self.told.waiting.append(f"{what}: {self.settings.copies_at_once} copies are being made already")
            return False
        self.slots[place] -= 1
        return True

    def tell(self, side: str) -> dict[str, Any]:
        told = self.told
        for problem in told.problems:
            LOG.error("%s", problem)
        for line in (*told.failed, *told.waiting, *told.done):
            LOG.info("%s", line)
        dimensions = [{"Name": "Copy", "Value": self.settings.name}, {"Name": "Side", "Value": side}]
        data = [
            {"MetricName": name, "Value": value, "Unit": unit, "Dimensions": dimensions}
            for name, value, unit in (
                ("AgeSeconds", max(told.ages.values(), default=0.0), "Seconds"),
                ("Problems", float(len(told.problems)), "Count"),
                ("FailedSnapshots", float(len(told.failed)), "Count"),
            )
        ]
        own_client("cloudwatch").put_metric_data(Namespace=METRIC_NAMESPACE, MetricData=data)
        return told.as_answer()

    def take_down(self, rds: Any) -> None:
        """Delete every snapshot that is ours; what is being taken must first have ended."""
        if not self.settings.removable:
            raise ValueError(f"the copy {self.settings.name} is not a drill's: its snapshots are deleted by hand")
        for one in snapshots_in(rds, "manual"):
            if is_ours(self.settings, one):
                try:
                    self.delete(rds, one, "the copy is taken down")
                except ClientError as error:
                    self.told.waiting.append(f"{one.arn}: {_said(error)}")


def _passes(error: Exception) -> bool:
    """Whether it may be other with the next run: throttling, and something that is being done with the
    database. If it goes on, the age tells."""
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    return "Throttl" in code or code.startswith(("InvalidDBInstanceState", "InvalidDBClusterState"))


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


# --- Production's side -----------------------------------------------------------------------------------------------


class ProductionRun(Run):
    """Take, make sharable, share, clean up."""

    def __init__(self, settings: Settings, seconds_left: Callable[[], float]) -> None:
        super().__init__(settings, seconds_left)
        self.here = own_client("rds", settings.source_region)
        self.there = own_client("rds", settings.vault_region)

    def run(self) -> dict[str, Any]:
        settings = self.settings
        found = coverage(settings, databases_in(self.here))
        self.told.excluded |= found.excluded
        self.told.problems += found.uncovered.values()
        self.snapshots = snapshots_in(self.here)
        self.elsewhere = snapshots_in(self.there, "manual") if settings.crosses_regions else self.snapshots
        self.for_each(sorted(found.chosen, key=self._turn), self._advance)
        known = {(one.words.of, one.identifier, one.resource_id) for one in found.chosen}
        gone = [group for key, group in by_database(self._shared()).items() if key not in known]
        self.for_each([one for group in gone for one in to_prune(group, self._keep)], self._prune)
        self.for_each([one for one in self._taken() if self._key_of(one) not in known], self._forsaken)
        return self.tell("production")

    @property
    def _keep(self) -> int:
        return self.settings.production_keep if self.settings.crosses_accounts else self.settings.vault_keep

    @staticmethod
    def _key_of(one: Snapshot) -> tuple[str, str, str]:
        return one.words.of, one.source, one.resource_id

    def _shared(self) -> list[Snapshot]:
        return [one for one in self.elsewhere if is_ours(self.settings, one, "shared")]

    def _taken(self) -> list[Snapshot]:
        return [one for one in self.snapshots if is_ours(self.settings, one, "taken")]

    def _of(self, database: Database, snapshots: Iterable[Snapshot]) -> list[Snapshot]:
        key = (database.words.of, database.identifier, database.resource_id)
        return [one for one in snapshots if self._key_of(one) == key]

    def _turn(self, database: Database) -> tuple[datetime, str]:
        """Whose newest shared snapshot is oldest comes first, when there is not room for all."""
        last = newest(self._of(database, self._shared()))
        return (last.age_key[0] if last is not None else datetime.min.replace(tzinfo=UTC)), database.arn

    def _advance(self, database: Database) -> None:
        taken, shared = self._of(database, self._taken()), self._of(database, self._shared())
        for one in taken:
            if one.status == "failed":
                self.delete_failed(self.here, one)
        for one in shared:
            if one.status == "failed":
                self.delete_failed(self.there, one)
        taken = [one for one in taken if one.status != "failed"]
        shared = [one for one in shared if one.status != "failed"]
        last = newest(shared)
        self.told.ages[database.arn] = (self.now - (last.age_key[0] if last else database.created)).total_seconds()
        self._clean(taken, shared)
        if self.settings.take == "own":
            pending = [one for one in taken if last is None or one.age_key > last.age_key]
            self._take_if_due(database, pending, shared)
        else:
            pending = self._automated(database, shared)
        for one in pending[-1:]:
            self._make_sharable(one, shared, database.arn, database.tags)
        if last is not None and self.settings.crosses_accounts and last.tags.get(VAULT_TAG) != "copied":
            self.share(self.there, last, [self.settings.vault_account])
        self.for_each(to_prune(shared, self._keep), self._prune)

    def _take_if_due(self, database: Database, pending: Sequence[Snapshot], shared: Sequence[Snapshot]) -> None:
        if pending:
            return
        ages = [one.as_of for one in shared if one.as_of is not None]
        if ages and (self.now - max(ages)).total_seconds() < self.settings.interval_seconds:
            return
        if database.status != "available":
            self.told.waiting.append(f"{database} is {database.status}, so that no snapshot of it can be taken")
            return
        # One name per interval: a run beside this one, or one that nobody heard the end of, took the same.
        interval = self.settings.interval_seconds
        begun = datetime.fromtimestamp(self.now.timestamp() // interval * interval, UTC)
        tags = self.tags_for("taken", database.arn, database.tags)
        self.take(self.here, database, self.name_for(database.identifier, begun), tags)

    def _automated(self, database: Database, shared: Sequence[Snapshot]) -> list[Snapshot]:
        """The newest automated one, if it is newer than what was shared."""
        good = [one for one in self._of(database, self.snapshots) if one.kind == "automated"]
        last = newest(good)
        if last is None:
            self.told.problems.append(f"{database} has no automated snapshot that could be copied")
            return []
        fresh = all(one.as_of is None or one.as_of < last.age_key[0] for one in shared)
        return [last] if fresh else []

    def _make_sharable(self, one: Snapshot, shared: Sequence[Snapshot], database: str, tags: Mapping[str, str]) -> None:
        """Nobody can share an automated snapshot, nor one under a key that does not let the vault in, such as the
        default key; and only in its own region can one be used there. Of these a copy is made.

        Source: RDS user guide, Sharing a DB snapshot; Copying a DB snapshot, shared snapshots.
        """
        if not one.is_good or any(other.copied_from == one.arn or other.is_under_way for other in shared):
            return
        assert one.as_of is not None
        if self._can_be_shared(one):
            self.here.add_tags_to_resource(ResourceName=one.arn, Tags=[{"Key": STAGE_TAG, "Value": "shared"}])
        elif self.may_copy(self.there, self.elsewhere, str(one)):
            name = self.name_for(one.source, one.as_of, "-shared")
            ours = self.tags_for("shared", database, tags, one)
            key = self.settings.production_key
            self.copy(self.there, one, name, key, ours, leaves=self.settings.crosses_regions)

    def _can_be_shared(self, one: Snapshot) -> bool:
        lets_in = one.key is None or one.key in (self.settings.production_key, *self.settings.shareable_keys)
        return lets_in and one.kind == "manual" and not self.settings.crosses_regions

    def _clean(self, taken: Iterable[Snapshot], shared: Sequence[Snapshot]) -> None:
        """What was taken is deleted once what was made of it, or of a later one, can be shared."""
        last = newest(shared)
        for one in taken:
            if last is not None and one.is_good and one.age_key[0] <= last.age_key[0]:
                self.delete(self.here, one, f"{last.identifier} can be shared")

    def _prune(self, one: Snapshot) -> None:
        """What the vault is copying stays until it has, but not for ever: the vault may be gone."""
        newer = [
            other
            for other in self._shared()
            if self._key_of(other) == self._key_of(one) and other.is_good and other.age_key > one.age_key
        ]
        if one.tags.get(VAULT_TAG) == "copying" and len(newer) < self._keep + 3:
            self.told.waiting.append(f"{one} is kept while the vault copies it")
            return
        self.delete(self.there, one, f"{len(newer)} newer ones are shared")

    def _forsaken(self, one: Snapshot) -> None:
        """Taken of a database that is gone or is not chosen any more; it is the last of it until one is shared."""
        after = [other for other in self._shared() if self._key_of(other) == self._key_of(one)]
        last = newest(after)
        if one.status == "failed" or (last is not None and one.is_good and one.age_key[0] <= last.age_key[0]):
            self.delete(self.here, one, "it is not needed any more")
        else:
            self._make_sharable(one, after, one.tags.get(DATABASE_TAG, one.source), one.tags)

    def remove(self) -> dict[str, Any]:
        for rds in {self.settings.source_region: self.here, self.settings.vault_region: self.there}.values():
            self.take_down(rds)
        return self.told.as_answer()


# --- The vault's side ------------------------------------------------------------------------------------------------


class VaultRun(Run):
    """Copy what is shared, keep so many of it."""

    def __init__(self, settings: Settings, seconds_left: Callable[[], float]) -> None:
        super().__init__(settings, seconds_left)
        self.rds = own_client("rds", settings.vault_region)
        self.production = reader(settings)

    def run(self) -> dict[str, Any]:
        settings = self.settings
        self.own = snapshots_in(self.rds, "manual")
        self.copies = [one for one in self.own if is_ours(settings, one, "kept")]
        for one in self.copies:
            if one.status == "failed":
                self.for_each([one], lambda failed: self.delete_failed(self.rds, failed))
        self.copies = [one for one in self.copies if one.status != "failed"]
        try:
            offered = self._offered()
        except (ClientError, BotoCoreError) as error:
            self.told.problems.append(f"production's snapshots cannot be read: {_said(error)}")
            offered = []
        visible = {one.arn for one in snapshots_in(self.rds, "shared")}
        groups = by_database(offered)
        self.for_each(sorted(groups.values(), key=self._turn), lambda group: self._advance(group, visible))
        self.for_each([one for one in self.copies if one.is_good], self._let_read)
        self.for_each(
            [one for group in by_database(self.copies).values() for one in self._needless(group)], self._prune
        )
        self._tell_ages()
        return self.tell("vault")

    def _offered(self) -> list[Snapshot]:
        """What production has made to be shared, with its tags, which only production can read."""
        found = snapshots_in(self.production("rds", self.settings.vault_region), "manual")
        return [one for one in found if is_ours(self.settings, one, "shared")]

    def _copies_of(self, group: Sequence[Snapshot]) -> list[Snapshot]:
        key = next(iter(by_database(group)))
        return by_database(self.copies).get(key, [])

    def _turn(self, group: Sequence[Snapshot]) -> tuple[datetime, str]:
        last = newest(self._copies_of(group))
        return (last.age_key[0] if last is not None else datetime.min.replace(tzinfo=UTC)), group[0].arn

    def _advance(self, group: Sequence[Snapshot], visible: frozenset[str] | set[str]) -> None:
        copies = self._copies_of(group)
        self._mark(group, copies)
        offer, last = newest(group), newest(copies)
        if offer is None or any(one.is_under_way for one in copies):
            return
        if any(one.copied_from == offer.arn for one in copies) or (
            last is not None and last.age_key >= (offer.as_of, "")
        ):
            return
        if offer.arn not in visible:
            self.told.waiting.append(f"{offer.arn} is not shared with the vault yet")
            return
        assert offer.as_of is not None
        if self.may_copy(self.rds, self.own, str(offer)):
            self._mark_one(offer, "copying")
            tags = self.tags_for("kept", offer.tags.get(DATABASE_TAG, offer.source), offer.tags, offer)
            name = self.name_for(offer.source, offer.as_of)
            self.copy(self.rds, offer, name, self.settings.vault_key, tags, leaves=True)

    def _mark(self, group: Sequence[Snapshot], copies: Sequence[Snapshot]) -> None:
        """Production keeps what is being copied. Marks that a run left behind are put right."""
        for one in group:
            of_it = [copy for copy in copies if copy.copied_from == one.arn]
            if any(copy.is_good for copy in of_it):
                self._mark_one(one, "copied")
            elif not any(copy.is_under_way for copy in of_it) and one.tags.get(VAULT_TAG) == "copying":
                self._mark_one(one, "waiting")

    def _mark_one(self, one: Snapshot, state: str) -> None:
        if one.tags.get(VAULT_TAG) != state:
            self.production("rds", self.settings.vault_region).add_tags_to_resource(
                ResourceName=one.arn, Tags=[{"Key": VAULT_TAG, "Value": state}]
            )

    def _let_read(self, one: Snapshot) -> None:
        """So that nothing in the vault has to be changed, or reached, before it can be restored elsewhere."""
        readers = " ".join(self.settings.readers)
        if readers and one.tags.get(VAULT_TAG) != readers:
            self.share(self.rds, one, self.settings.readers)
            self.rds.add_tags_to_resource(ResourceName=one.arn, Tags=[{"Key": VAULT_TAG, "Value": readers}])

    def _needless(self, group: Sequence[Snapshot]) -> list[Snapshot]:
        return to_prune(group, self.settings.vault_keep)

    def _prune(self, one: Snapshot) -> None:
        self.delete(self.rds, one, f"{self.settings.vault_keep} newer ones are kept")

    def remove(self) -> dict[str, Any]:
        self.take_down(self.rds)
        return self.told.as_answer()

    def _tell_ages(self) -> None:
        """Of every database that production has now; of all that were ever copied, when it cannot be asked."""
        try:
            found = coverage(self.settings, databases_in(self.production("rds", self.settings.source_region)))
        except (ClientError, BotoCoreError) as error:
            self.told.problems.append(f"production's databases cannot be listed: {_said(error)}")
            for group in by_database(self.copies).values():
                last = newest(group)
                if last is not None:
                    self.told.ages[last.tags.get(DATABASE_TAG, last.source)] = (
                        self.now - last.age_key[0]
                    ).total_seconds()
            return
        self.told.problems += found.uncovered.values()
        copies = by_database(self.copies)
        for one in found.chosen:
            last = newest(copies.get((one.words.of, one.identifier, one.resource_id), []))
            since = last.age_key[0] if last is not None else one.created
            self.told.ages[one.arn] = (self.now - since).total_seconds()


# --- Clients and entry points --------------------------------------------------------------------------------------


_own_clients: dict[tuple[str, str, str], Any] = {}
"""By service, region and the access key they were made with."""
_readers: dict[tuple[str, str], Reader] = {}


def own_client(service: str, region: str | None = None) -> Any:
    """A client with the function's own role, made once."""
    key = (service, region or "", os.environ.get("AWS_ACCESS_KEY_ID", ""))
    if key not in _own_clients:
        # A session of its own: the process-wide default one would keep the credentials of an earlier environment.
        _own_clients[key] = boto3.Session().client(service, region_name=region, config=CLIENT_CONFIG)  # type: ignore[call-overload]
    return _own_clients[key]


@dataclass(frozen=True)
class Reader:
    """A session of the role of production that trusts the vault's function, with its clients, until it expires."""

    session: boto3.Session
    expires: datetime
    clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def __call__(self, service: str, region: str) -> Any:
        key = (service, region)
        if key not in self.clients:
            self.clients[key] = self.session.client(service, region_name=region, config=CLIENT_CONFIG)  # type: ignore[call-overload]
        return self.clients[key]


def reader(settings: Settings) -> Callable[[str, str], Any]:
    """Makes clients with the role of production that trusts the vault's function. Each may find it out of reach."""
    return lambda service, region: _reader(settings)(service, region)


def _reader(settings: Settings) -> Reader:
    key = (settings.reader_role_arn, os.environ.get("AWS_ACCESS_KEY_ID", ""))
    known = _readers.get(key)
    if known is None or known.expires - datetime.now(UTC) <= timedelta(minutes=20):
        answer = own_client("sts").assume_role(
            RoleArn=settings.reader_role_arn, RoleSessionName="drills-snapshot-copy", ExternalId=settings.external_id
        )["Credentials"]
        session = boto3.Session(answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"])
        known = _readers[key] = Reader(session, answer["Expiration"])
    return known


TAKE_DOWN = {"drills": "take down"}


def _run(make: Callable[[Settings, Callable[[], float]], Any], event: Mapping[str, Any], context: Any) -> Any:
    remaining = getattr(context, "get_remaining_time_in_millis", lambda: 300_000)
    run = make(Settings.from_environment(os.environ), lambda: remaining() / 1000)
    if event.get("drills") == TAKE_DOWN["drills"]:
        return run.remove()
    return run.run()


def production_handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Entry point of production's function. Raises what made the whole run impossible, so that its alarm sees it."""
    answer: dict[str, Any] = _run(ProductionRun, event, context)
    return answer


def vault_handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Entry point of the vault's function, as ``production_handler``."""
    answer: dict[str, Any] = _run(VaultRun, event, context)
    return answer
