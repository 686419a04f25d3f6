"""Whether a table answers as the application needs: by key, through each index, and for a record written just now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from drills.model import Finding, Location, Verdict
from drills.ownership import owner_tag
from drills.site import Site
from drills.stores.dynamodb_config import Index, TableConfig
from drills.stores.dynamodb_items import Item, canonical, key_text

SAMPLE = 20
PATIENCE_SECONDS = 10
"""Global indexes follow the table within moments; a probe asks again for so long."""
REFUSALS_BELOW = 500
CANARY_NUMBER = "-91827364554637281"


def probe_table(site: Site, at: Location) -> list[Finding]:
    """A finding for the table's key, for each index that the application uses, and for a canary."""
    probe = _Probe(site, at)
    config: TableConfig = site.store.config
    return [
        probe.finding("query.key", "every sampled record by its key", probe.by_key),
        *(
            probe.finding(
                f"query.index.{index.name}",
                "every sampled record through the index, and none that the index leaves out",
                lambda index=index: probe.by_index(index),  # type: ignore[misc]
            )
            for index in config.indexes
        ),
        probe.finding("canary", "a new record written, read by key and through each index, removed", probe.canary),
    ]


Answer = tuple[Verdict, str, int]
"""Verdict, what was observed, and how many records were looked at."""


class _Probe:
    """The questions to one table."""

    def __init__(self, site: Site, at: Location) -> None:
        self.site = site
        self.table = at.name
        self.config: TableConfig = site.store.config
        self.dynamodb = site.client("dynamodb", at.role, at.region)

    def finding(self, check: str, expected: str, ask: Callable[[], Answer]) -> Finding:
        try:
            verdict, observed, covered = ask()
        except ClientError as error:
            # What AWS refuses to the probe it refuses to the application too; a failure of its own says nothing.
            refused = int(error.response["ResponseMetadata"]["HTTPStatusCode"]) < REFUSALS_BELOW
            verdict, observed, covered = "fail" if refused else "unknown", str(error), 0
        except Exception as error:  # noqa: BLE001 - a check that crashes says so and leaves the others standing.
            verdict, observed, covered = "unknown", f"{type(error).__name__}: {error}", 0
        return Finding(check, verdict, self.site.store.name, expected, observed, covered)

    def sample(self) -> Sequence[Item]:
        found: Sequence[Item] = self.dynamodb.scan(TableName=self.table, Limit=SAMPLE, ConsistentRead=True)["Items"]
        return found

    def by_key(self) -> Answer:
        sample = self.sample()
        if not sample:
            # Whether it should be empty the records' own checks say; that it answers is what can be asked of it.
            answers = list(self._ask(_part(self._canary_item(), self.config.key_names)))
            return "fail" if answers else "pass", "it answers; there is no record to ask for", 0
        wrong = [
            key_text(item, self.config.key_names)
            for item in sample
            if [canonical(one) for one in self._ask(_part(item, self.config.key_names))] != [canonical(item)]
        ]
        if wrong:
            return "fail", f"{len(wrong)} of {len(sample)} not as in the table, the first {wrong[0]}", len(sample)
        return "pass", f"{len(sample)} records as in the table", len(sample)

    def by_index(self, index: Index) -> Answer:
        sample = [item for item in self.sample() if all(name in item for name in index.key_names)]
        wrong = [key_text(item, self.config.key_names) for item in sample if not self._found(index, item)]
        if wrong:
            return "fail", f"{len(wrong)} of {len(sample)} not as in the table, the first {wrong[0]}", len(sample)
        if not sample:
            # No record has the index's key: that it answers at all is what can be asked of it.
            self.dynamodb.scan(TableName=self.table, IndexName=index.name, Limit=1)
            return "pass", "it answers; no sampled record has its key", 0
        return "pass", f"{len(sample)} records as in the table", len(sample)

    def _found(self, index: Index, item: Item) -> bool:
        """Whether the index gives this item, with the attributes that are projected into it."""
        wanted = canonical(self._projected(index, item))
        key = key_text(item, self.config.key_names)

        def there() -> bool:
            answers = self._ask(_part(item, index.key_names), index.name)
            same = (one for one in answers if key_text(one, self.config.key_names) == key)
            return any(canonical(one) == wanted for one in same)

        return self._eventually(there)

    def _projected(self, index: Index, item: Item) -> Item:
        if index.projection == "all":
            return item
        more = [] if index.projection == "keys_only" else index.projection
        names = {*self.config.key_names, *index.key_names, *more}
        return {name: value for name, value in item.items() if name in names}

    def _eventually(self, ask: Callable[[], bool]) -> bool:
        for _ in range(PATIENCE_SECONDS):
            if ask():
                return True
            self.site.clock.sleep(1)
        return ask()

    def _ask(self, key: Item, index: str | None = None) -> Iterator[Item]:
        """Query by a key of the table or of an index."""
        names = list(key)
        request: dict[str, Any] = {"IndexName": index} if index else {"ConsistentRead": True}
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression=" AND ".join(f"#k{n} = :k{n}" for n in range(len(names))),
            ExpressionAttributeNames={f"#k{n}": name for n, name in enumerate(names)},
            ExpressionAttributeValues={f":k{n}": key[name] for n, name in enumerate(names)},
            **request,
        )
        for page in pages:
            yield from page["Items"]

    # --- The canary

    def canary(self) -> Answer:
        item = self._canary_item()
        key = _part(item, self.config.key_names)
        name = {"#key": self.config.key.partition}
        self.dynamodb.put_item(
            TableName=self.table,
            Item=item,
            ConditionExpression="attribute_not_exists(#key)",
            ExpressionAttributeNames=name,
        )
        try:
            missed = ["the key"] if [canonical(one) for one in self._ask(key)] != [canonical(item)] else []
            missed += [f"index {index.name}" for index in self.config.indexes if not self._found(index, item)]
        finally:
            self.dynamodb.delete_item(TableName=self.table, Key=key)
        if missed:
            return "fail", f"written, but not found by {', '.join(missed)}", 1
        if list(self._ask(key)):
            return "fail", "written and read, but still there after it was removed", 1
        return "pass", "written, read and removed", 1

    def _canary_item(self) -> Item:
        """A record of no meaning, with every key attribute that the table and its indexes have."""
        table = self.dynamodb.describe_table(TableName=self.table)["Table"]
        types = {entry["AttributeName"]: entry["AttributeType"] for entry in table["AttributeDefinitions"]}
        text = f"drills-canary-{owner_tag(self.site)[1]}"
        values: Mapping[str, Mapping[str, Any]] = {
            "S": {"S": text},
            "N": {"N": CANARY_NUMBER},
            "B": {"B": text.encode()},
        }
        names = dict.fromkeys((*self.config.key_names, *self.config.index_key_names))
        return {name: values[types.get(name, "S")] for name in names}


def _part(item: Item, names: Sequence[str]) -> Item:
    return {name: item[name] for name in names}
