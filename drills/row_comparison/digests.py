"""A 64-bit digest of a row, as an expression that the server computes from the row's typed values.

Each column is hashed with the hash of those before it as its seed, so that values which moved to another column or to
another row do not cancel out. PostgreSQL's own hash functions are used on the binary value where they tell all values
apart, which costs a fifth of hashing texts; on the text elsewhere:

- two hashes for a bigint, as one alone folds its halves;
- the sign beside the hash of a numeric, which leaves it out, and only where the type fixes the scale: 1.0 and 1.00
  differ, and without a fixed scale the text is hashed;
- times as the bytes of their binary form, as the functions for them fold halves too;
- text by its bytes, whatever its collation holds for equal.

NULL is a value drawn at random for each comparison, which a column holds by a chance of one in 2^61 at most. The first
seed is drawn too: what two comparisons find equal is equal. The digests are none that withstand somebody who knows the
seed and chooses rows for it; MD5 and SHA-256 would, and cost several times as much.

Floats are equal as SQL holds them: 0 and -0, and all NaN.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from drills.row_comparison.catalog import Column
from drills.row_comparison.words import literal, quoted

BINARY_HASH = 18
"""The first version of PostgreSQL with a hash function of bytea."""
TRIM_SCALE = 13
"""The first version of PostgreSQL with trim_scale()."""
SENT = {
    "timestamp with time zone": "timestamptz_send",
    "timestamp without time zone": "timestamp_send",
    "time without time zone": "time_send",
    "date": "date_send",
}
LARGEST_HEX = 400_000_000
"""Bytes whose hexadecimal text is still below PostgreSQL's limit of 1 GB."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A column of both sides: the same name, perhaps not the same type."""

    name: str
    source: Column
    target: Column

    @property
    def never_null(self) -> bool:
        return self.source.never_null and self.target.never_null

    @property
    def type(self) -> str:
        """The type without its size; empty where the two sides have not the same."""
        return self.source.plain_type if self.source.type == self.target.type else ""


class Digests:
    """Makes expressions for two servers of at least these versions. ``t`` is the row."""

    def __init__(self, version: int, same_encoding: bool, draw: random.Random) -> None:
        self.version = version
        self.same_encoding = same_encoding
        self.seed = draw.getrandbits(62) + 1
        self.null_text = literal(f"{draw.getrandbits(128):032x}")
        self.null_number = draw.getrandbits(62) + (1 << 61)
        self.null_float = f"{draw.random() + 1!r}e-{draw.randint(250, 299)}"
        self.null_numeric = f"0.{draw.getrandbits(128) | 1}"
        self.null_uuid = literal(str(uuid.UUID(int=draw.getrandbits(128), version=4)))

    def of(self, pairs: Iterable[Pair]) -> str:
        """The digest of these columns, numeric ones first: what ends the chain must mix well."""
        digest = str(self.seed)
        ordered = sorted(pairs, key=lambda pair: pair.type != "numeric")
        for pair in ordered:
            digest = self._hashed(pair, digest)
        return digest if ordered and ordered[-1].type != "numeric" else f"hashint4extended(0, {digest})"

    def of_key(self, pairs: Iterable[Pair]) -> str:
        """The digest of a key by which equal keys are equal, and always the same."""
        digest = "1"
        for pair in pairs:
            known = pair.type != "numeric" and bool(pair.type)
            digest = self._hashed(pair, digest) if known else self._hashed_text(self.key_text(pair), digest, True)
        return digest

    def key_text(self, pair: Pair) -> str:
        """A key as text: a numeric that is equal has another scale perhaps, and is the same key."""
        column = f"t.{quoted(pair.name)}"
        if pair.type == "numeric" and self.version >= TRIM_SCALE:
            return f"trim_scale({column})::text"
        return f"{column}::text"

    def _hashed(self, pair: Pair, seed: str) -> str:
        column, sure = f"t.{quoted(pair.name)}", pair.never_null
        match pair.type:
            case "bigint":
                value = column if sure else f"coalesce({column}, {self.null_number})"
                return f"hashint8extended({value}, hashint8extended({value} >> 32, {seed}))"
            case "integer" | "smallint" | "oid" if sure:
                value = column if pair.type == "integer" else f"{column}::{_wider(pair.type)}"
                return f"hash{'int8' if pair.type == 'oid' else 'int4'}extended({value}, {seed})"
            case "integer" | "smallint" | "oid" | "double precision" | "real":
                value = f"{column}::bigint::float8" if pair.type == "oid" else f"{column}::float8"
                return f"hashfloat8extended({self._sure(value, sure, f'{self.null_float}::float8')}, {seed})"
            case "boolean":
                return f"hashint4extended({self._sure(f'{column}::int', sure, '2')}, {seed})"
            case "numeric" if pair.source.sized:
                value = self._sure(column, sure, self.null_numeric)
                hashed = f"hash_numeric_extended({value}, {seed})"
                return f"CASE WHEN {column} < 0 THEN {hashed} ELSE ~{hashed} END"
            case "uuid":
                return f"uuid_hash_extended({self._sure(column, sure, f'{self.null_uuid}::uuid')}, {seed})"
            case "bytea":
                return self._hashed_bytes(column, seed, sure)
            case sent if sent in SENT:
                return self._hashed_bytes(f"{SENT[sent]}({column})", seed, sure)
            case _:
                return self._hashed_text(f"{column}::text", seed, sure)

    def _hashed_bytes(self, value: str, seed: str, sure: bool) -> str:
        if self.version >= BINARY_HASH:
            return f"hashbyteaextended({self._sure(value, sure, f'{self.null_text}::bytea')}, {seed})"
        short = f"CASE WHEN octet_length({value}) > {LARGEST_HEX} THEN sha256({value})::text ELSE {value}::text END"
        return self._plain_hash(self._sure(short, sure, self.null_text), seed)

    def _hashed_text(self, value: str, seed: str, sure: bool) -> str:
        if not self.same_encoding:
            value = f"encode(convert_to({value}, 'UTF8'), 'hex')"
        return self._plain_hash(self._sure(value, sure, self.null_text), seed)

    def _plain_hash(self, value: str, seed: str) -> str:
        return f'hashtextextended({value} COLLATE "C", {seed})'

    def _sure(self, value: str, sure: bool, null: str) -> str:
        return value if sure else f"coalesce({value}, {null})"


def _wider(type_: str) -> str:
    wider: Mapping[str, str] = {"smallint": "int", "oid": "bigint"}
    return wider[type_]
