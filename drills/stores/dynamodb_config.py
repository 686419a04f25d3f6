"""The keys that a DynamoDB table brings to an estate file."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from drills.checked import Checked
from drills.locations_in_yaml import shown

GLOBAL_INDEXES = 20
LOCAL_INDEXES = 5
"""Source: DynamoDB developer guide, Quotas: indexes per table."""


def _index_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{3,255}", value):
        raise ValueError(f"expected an index name of 3 to 255 letters, digits, '_', '-' and '.', found {shown(value)}")
    return value


def _billing(value: Any) -> Any:
    if value == "on_demand":
        return None
    if isinstance(value, dict | Provisioned):
        return value
    raise ValueError(f"expected on_demand or {{read_units: …, write_units: …}}, found {shown(value)}")


def _projection(value: Any) -> Any:
    if value in ("all", "keys_only"):
        return value
    if isinstance(value, list) and value and all(isinstance(name, str) and name for name in value):
        return value
    raise ValueError(f"expected all, keys_only or a list of attributes, found {shown(value)}")


def _tags(value: dict[str, str]) -> dict[str, str]:
    for name in value:
        if name.startswith(("aws:", "drills:")):
            raise ValueError(f"expected tags of your own: names with 'aws:' and 'drills:' are taken, found {name!r}")
    return value


Attribute = Annotated[str, Field(min_length=1, max_length=255)]
Units = Annotated[int, Field(ge=1, le=10_000_000)]


class Autoscaling(Checked):
    """Target tracking of reads and writes, of the table and of its global indexes."""

    min: Units
    max: Units
    target_percent: Annotated[int, Field(ge=20, le=90)] = 70

    @model_validator(mode="after")
    def _in_order(self) -> Autoscaling:
        if self.min > self.max:
            raise ValueError(f"expected min to be at most max, found min {self.min} and max {self.max}")
        return self


class Provisioned(Checked):
    """Throughput that is paid for whether it is used or not."""

    read_units: Units
    write_units: Units
    autoscaling: Autoscaling | None = None


class Key(Checked):
    """The attributes that make up a primary key."""

    partition: Attribute
    sort: Attribute | None = None


class Index(Checked):
    """A secondary index: a global one unless it is ``local``."""

    name: Annotated[str, AfterValidator(_index_name)]
    partition: Attribute
    sort: Attribute | None = None
    local: bool = False
    projection: Annotated[Any, BeforeValidator(_projection)] = "all"

    @property
    def key_names(self) -> tuple[str, ...]:
        return (self.partition,) if self.sort is None else (self.partition, self.sort)


class TableConfig(Checked):
    """One table, as the estate file describes it."""

    key: Key
    indexes: list[Index] = Field(default_factory=list)
    ttl: Attribute | None = None
    stream: Literal["new_and_old_images", "new_image", "old_image", "keys_only"] | None = None
    billing: Annotated[Provisioned | None, BeforeValidator(_billing)] = None
    """None is on demand."""
    tags: Annotated[dict[str, str], AfterValidator(_tags)] = Field(default_factory=dict)
    deletion_protection: bool = False

    @property
    def key_names(self) -> tuple[str, ...]:
        return (self.key.partition,) if self.key.sort is None else (self.key.partition, self.key.sort)

    @property
    def index_key_names(self) -> tuple[str, ...]:
        """The attributes that are a key of an index, each once."""
        return tuple(dict.fromkeys(name for index in self.indexes for name in index.key_names))

    @model_validator(mode="after")
    def _fits_together(self) -> TableConfig:
        if self.key.sort == self.key.partition:
            raise ValueError(f"expected a sort key other than the partition key, found {self.key.sort!r} for both")
        names = [index.name for index in self.indexes]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"expected index names that differ, found {name!r} {names.count(name)} times")
        for index in self.indexes:
            self._check_index(index)
        for local, limit in ((True, LOCAL_INDEXES), (False, GLOBAL_INDEXES)):
            count = sum(index.local is local for index in self.indexes)
            if count > limit:
                word = "local" if local else "global"
                raise ValueError(f"expected at most {limit} {word} indexes, found {count}")
        if self.ttl in self.key_names:
            raise ValueError(f"expected a time to live in an attribute outside the key, found {self.ttl!r}")
        return self

    def _check_index(self, index: Index) -> None:
        if index.sort == index.partition:
            raise ValueError(
                f"index {index.name!r}: expected a sort key other than the partition key, found {index.sort!r} for both"
            )
        if not index.local:
            return
        if self.key.sort is None:
            raise ValueError(f"index {index.name!r}: a local index needs a table with a sort key, found none")
        if index.sort is None or index.partition != self.key.partition:
            raise ValueError(
                f"index {index.name!r}: expected a local index to have the table's partition key "
                f"{self.key.partition!r} and a sort key of its own, found partition {index.partition!r} and sort "
                f"{index.sort!r}"
            )
