"""The keys that an RDS instance or an Aurora cluster brings to an estate file."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from drills.checked import Checked
from drills.locations_in_yaml import shown
from drills.stores.rds_records import Shape
from drills.stores.rds_types import INTEGER_BYTES, LARGE_OBJECT, Type, type_of
from drills.suggestions import did_you_mean

AURORA, POSTGRES = "aurora-postgresql", "postgres"
KEY_TYPES = ("text", "character varying", "uuid", *INTEGER_BYTES)
"""Of a key: what the server prints in one way only, and what is equal only when its text is."""
TAGS = 50 - 5
"""A resource of RDS takes 50 tags, and the drill needs some. Source: RDS user guide, Tagging Amazon RDS resources."""
IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,62}")
RESERVED_ROLES = ("pg_", "rds")


def _identifier(value: str) -> str:
    for part in value.split("."):
        if not IDENTIFIER.fullmatch(part):
            raise ValueError(
                f"expected a name of a-z, 0-9 and '_', as PostgreSQL keeps unquoted names, found {shown(value)}"
            )
    return value


def _plain_identifier(value: str) -> str:
    if "." in value:
        raise ValueError(f"expected a name without a point, found {shown(value)}")
    return _identifier(value)


def _type(value: Any) -> Any:
    if isinstance(value, Type):
        return value
    if not isinstance(value, str):
        raise ValueError(f"expected a type as PostgreSQL names it, such as text or numeric(12,2), found {shown(value)}")
    return type_of(value)


def _tags(value: dict[str, str]) -> dict[str, str]:
    if len(value) > TAGS:
        raise ValueError(f"expected at most {TAGS} tags, found {len(value)}")
    for name in value:
        if name.startswith(("aws:", "drills:")):
            raise ValueError(f"expected tags of your own: names with 'aws:' and 'drills:' are taken, found {name!r}")
    return value


def _version(value: str) -> str:
    if not re.fullmatch(r"1[1-9](\.\d{1,2})?", value):
        raise ValueError(f"expected a version of PostgreSQL from 11 on, such as '17' or '17.5', found {shown(value)}")
    return value


def _instance_class(value: str) -> str:
    if not re.fullmatch(r"db\.[a-z0-9-]+\.[a-z0-9]+", value):
        raise ValueError(f"expected an instance class such as db.t4g.medium, found {shown(value)}")
    return value


def _key(value: Any) -> Any:
    if isinstance(value, bool) or (isinstance(value, str) and re.match(r"arn:aws[a-z-]*:kms:", value)):
        return value
    raise ValueError(f"expected true, false or the ARN of a key, found {shown(value)}")


def _parameters(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    words = {True: "1", False: "0"}
    return {name: words[one] if isinstance(one, bool) else str(one) for name, one in value.items()}


def _role(value: str) -> str:
    if value.startswith(RESERVED_ROLES):
        raise ValueError(f"expected a role of your own: pg_ and rds are taken, found {value!r}")
    return value


Name = Annotated[str, AfterValidator(_identifier)]
ColumnName = Annotated[str, AfterValidator(_plain_identifier)]
ColumnType = Annotated[
    Type, BeforeValidator(_type), PlainSerializer(lambda type_: type_.sql), WithJsonSchema({"type": "string"})
]


class Rows(Checked):
    """How a part of a record lies in one table: as its one row of the root, or as rows of a table that hangs on it.

    ``columns`` are those that the application writes, with their types; what the server makes by itself (identity,
    generated columns, defaults) is not among them.
    """

    columns: Annotated[dict[ColumnName, ColumnType], Field(min_length=1)]
    key: ColumnName | None = None
    of: Name | None = None
    by: ColumnName | list[ColumnName] | None = None
    order: ColumnName | None = None
    as_: Annotated[ColumnName | None, Field(alias="as")] = None

    @property
    def by_names(self) -> tuple[str, ...]:
        """The columns that say to which root row a row belongs, that with the root's key first."""
        return (self.by,) if isinstance(self.by, str) else tuple(self.by or ())

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Rows:
        given = [name for name, value in (("of", self.of), ("by", self.by), ("as", self.as_)) if value]
        if self.key is not None and (given or self.order):
            raise ValueError(
                f"expected key (of the root) or of, by and as, found key beside {given[0] if given else 'order'}"
            )
        if self.key is None and len(given) < 3:
            missing = [name for name in ("of", "by", "as") if name not in given]
            found = f"without {' and '.join(missing)}" if given else "neither"
            raise ValueError(f"expected key, as the root of the records has, or of, by and as; found {found}")
        if self.key is not None:
            type_ = self.columns.get(self.key)
            if type_ is None:
                raise ValueError(
                    f"expected the key {self.key!r} among the columns{did_you_mean(self.key, self.columns)}"
                )
            if type_.word not in KEY_TYPES or type_.array:
                raise ValueError(f"expected a key of type {', '.join(KEY_TYPES)}, found {type_.sql} for {self.key!r}")
        return self


class DatabaseConfig(Checked):
    """One database, as the estate file describes it."""

    engine: Literal["postgres", "aurora-postgresql"] = "postgres"
    engine_version: Annotated[str, AfterValidator(_version)] = "17"
    instance_class: Annotated[str, AfterValidator(_instance_class)] = "db.t4g.medium"
    storage_gb: Annotated[int, Field(ge=20, le=65_536)] = 20
    multi_az: bool = False
    encrypted: bool = True
    customer_key: Annotated[bool | str, BeforeValidator(_key)] = False
    """True: a key of the drill's own making; text: the ARN of a key that is there. False: the account's default key."""
    parameters: Annotated[dict[str, str], BeforeValidator(_parameters)] = Field(default_factory=dict)
    deletion_protection: bool = True
    backup_retention: Annotated[int, Field(ge=0, le=35)] = 7
    """Days. Source: RDS user guide, Backup retention period."""
    tags: Annotated[dict[str, str], AfterValidator(_tags)] = Field(default_factory=dict)
    database: ColumnName = "app"
    application: Annotated[ColumnName, AfterValidator(_role)] | None = None
    """The role that the application works as. The schema makes it and gives it its grants."""
    db_schema: Annotated[str, Field(alias="schema", min_length=1)]
    tables: dict[Name, Rows]
    unverified: list[Name] = Field(default_factory=list)
    """Tables that no record covers and that nobody is to verify; all others are held against what they were."""

    @property
    def is_aurora(self) -> bool:
        return self.engine == AURORA

    @cached_property
    def root(self) -> str:
        """The table whose rows the records are."""
        return next(name for name, rows in self.tables.items() if rows.key is not None)

    @cached_property
    def root_rows(self) -> Rows:
        return self.tables[self.root]

    @cached_property
    def key(self) -> str:
        key = self.root_rows.key
        assert key is not None
        return key

    @cached_property
    def key_type(self) -> Type:
        return self.root_rows.columns[self.key]

    @cached_property
    def children(self) -> dict[str, Rows]:
        """The tables that hang on the root, in the order in which their rows are written."""
        return {name: rows for name, rows in self.tables.items() if rows.key is None}

    @cached_property
    def shape(self) -> Shape:
        """How records become rows and JSON."""
        return Shape(self)

    @property
    def has_large_objects(self) -> bool:
        return any(type_.word == LARGE_OBJECT for rows in self.tables.values() for type_ in rows.columns.values())

    @model_validator(mode="after")
    def _fits_together(self) -> DatabaseConfig:
        roots = [name for name, rows in self.tables.items() if rows.key is not None]
        if len(roots) != 1:
            raise ValueError(
                f"expected one table with a key, the root of the records, found {' and '.join(roots) or 'none'}"
            )
        if self.customer_key and not self.encrypted:
            raise ValueError("expected encrypted: true beside customer_key, found false")
        if self.is_aurora and self.backup_retention == 0:
            raise ValueError("expected a backup_retention of at least 1 day, as Aurora has, found 0")
        for name in self.unverified:
            if name in self.tables:
                raise ValueError(f"expected unverified to name other tables than tables does, found {name!r} in both")
        names: list[str] = list(self.root_rows.columns)
        for name, rows in self.children.items():
            self._check_child(name, rows, names)
        return self

    def _check_child(self, name: str, rows: Rows, names: list[str]) -> None:
        root = self.root_rows
        if rows.of != self.root:
            raise ValueError(f"table {name!r}: expected it to be of the root {self.root!r}, found of {rows.of!r}")
        for column in rows.by_names:
            if column in rows.columns:
                raise ValueError(
                    f"table {name!r}: expected by and columns to name columns once, found {column!r} in both"
                )
        for column in rows.by_names[1:]:
            if column not in root.columns:
                raise ValueError(
                    f"table {name!r}: expected by to name columns of the root besides its key, found {column!r}"
                    f"{did_you_mean(column, root.columns)}"
                )
        if rows.order is not None and (
            rows.order not in rows.columns or rows.columns[rows.order].word not in INTEGER_BYTES
        ):
            raise ValueError(
                f"table {name!r}: expected order to name one of its columns, of whole numbers, found {rows.order!r}"
            )
        if rows.order is None:
            raise ValueError(
                f"table {name!r}: expected order, the column that says in which order its rows come, found none"
            )
        if rows.as_ in names:
            raise ValueError(f"table {name!r}: expected a name of its own in as, found {rows.as_!r} taken")
        names.append(str(rows.as_))
