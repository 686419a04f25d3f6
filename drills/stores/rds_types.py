"""Types of columns: what a record's value is in PostgreSQL, and the JSON that both sides of a comparison write for it.

A value is first *settled*: checked, and brought to what the server would make of it (an int, a bool, bytes, or the text
that the server prints). The JSON of a settled value follows from its type alone, and ``Type.expression`` has the server
write the same JSON for a column, byte for byte:

=====================  ==============================================================================================
integers, booleans     as JSON has them
numeric, floats        text with exactly the server's digits, such as ``"12.50"``; never a number of JSON
timestamptz            ``"2026-01-31T09:30:00.000000Z"``, in UTC; timestamp the same without the Z
jsonb, json            the server's text of it, as one JSON text, so that its numbers keep their digits
bytea                  base64; beyond BYTES_SHOWN its digest and size
large_object           digest and size
arrays                 a list of their elements
everything else        the server's text
=====================  ==============================================================================================
"""

from __future__ import annotations

import hashlib
import re
import struct
import uuid
from binascii import b2a_base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, InvalidOperation
from fractions import Fraction
from math import inf, isfinite, nextafter
from typing import Any

from drills.model import JSON
from drills.stores.rds_jsonb import jsonb_text, plain_digits

BYTES_SHOWN = 256
"""Binary values up to this size stand in the JSON themselves; of larger ones their digest and size."""
INTEGER_BYTES = {"smallint": 2, "integer": 4, "bigint": 8}
OTHER_WORDS = {
    "int2": "smallint",
    "int": "integer",
    "int4": "integer",
    "int8": "bigint",
    "bool": "boolean",
    "decimal": "numeric",
    "float4": "real",
    "float8": "double precision",
    "varchar": "character varying",
    "char": "character",
    "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp without time zone",
}
LARGE_OBJECT = "large_object"
WRITTEN = re.compile(
    r"(?P<word>[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)?(?: (?:precision|varying|with time zone|without time zone))?)"
    r"(?:\((?P<numbers>\d{1,4}(?:, ?\d{1,4})?)\))?(?P<array>\[\])?"
)

Settled = Any
"""None, int, bool, str, bytes, or a list of these."""


Settle = Callable[["Type", Any], Settled]


@dataclass(frozen=True, slots=True)
class Type:
    """One column's type. ``word`` is PostgreSQL's full name of it, ``numbers`` what stands in its parentheses."""

    word: str
    numbers: tuple[int, ...] = ()
    array: bool = False

    @property
    def sql(self) -> str:
        """The type as a cast or a column definition names it."""
        numbers = f"({', '.join(map(str, self.numbers))})" if self.numbers else ""
        if self.word == LARGE_OBJECT:
            return "oid"
        # The numbers stand before the words that follow: timestamp(3) with time zone.
        first, blank, rest = self.word.partition(" ")
        word = f"{first}{numbers}{blank}{rest}" if first == "timestamp" else f"{self.word}{numbers}"
        return word + ("[]" if self.array else "")

    def settled(self, value: Any, name: str) -> Settled:
        """A record's value as this type holds it. Raises ValueError naming ``name`` for what it cannot hold."""
        if value is None:
            return None
        if not self.array:
            return self._one(value, name)
        members = _members(value)
        if members is None:
            raise ValueError(f"{name!r}: expected a list, as the type {self.sql} has, found {_word(value)}")
        return [None if member is None else self._one(member, f"{name}[{n}]") for n, member in enumerate(members)]

    def settling(self) -> Callable[[Any], Settled]:
        """``settled`` for many values: a function that raises Unfit, naming no attribute, for what does not fit."""
        settle: Settle = SETTLE.get(self.word, _text)

        def one(value: Any) -> Settled:
            return None if value is None else settle(self, value)

        def several(value: Any) -> Settled:
            if value is None:
                return None
            members = _members(value)
            if members is None:
                raise Unfit("a list", _word(value))
            return list(map(one, members))

        return several if self.array else one

    def _one(self, value: Any, name: str) -> Settled:
        settle: Settle = SETTLE.get(self.word, _text)
        try:
            return settle(self, value)
        except Unfit as error:
            raise ValueError(
                f"{name!r}: expected {error.expected} for the type {self.sql}, found {error.found}"
            ) from None

    @property
    def is_binary(self) -> bool:
        """Whether settled values are bytes, or lists of them; of all others the JSON is the settled value itself."""
        return SETTLE.get(self.word) is _bytes

    def json(self, value: Settled) -> JSON:
        """What a settled value is in the canonical JSON."""
        if isinstance(value, list):
            return [self._json_of_one(member) for member in value]
        return self._json_of_one(value)

    def _json_of_one(self, value: Settled) -> JSON:
        if not isinstance(value, bytes):
            return value
        if self.word != LARGE_OBJECT and len(value) <= BYTES_SHOWN:
            return b2a_base64(value, newline=False).decode()
        return {"sha256": hashlib.sha256(value).hexdigest(), "size": len(value)}

    def expression(self, column: str) -> str:
        """SQL that writes the canonical JSON of a column, with the session settings of ``rds_sessions``; never null."""
        write = EXPRESSION.get(self.word, _quoted_text)
        if not self.array:
            return f"coalesce({write(column)}, 'null')"
        elements = (
            f"(SELECT coalesce(string_agg(coalesce({write('e.v')}, 'null'), ',' ORDER BY e.n), '') "
            f"FROM unnest({column}) WITH ORDINALITY AS e(v, n))"
        )
        # What lies in a table may have more dimensions than a record can give it: a difference, not the same list.
        return (
            f"CASE WHEN {column} IS NULL THEN 'null' WHEN array_ndims({column}) > 1 THEN {_quoted_text(column)} "
            f"ELSE '[' || {elements} || ']' END"
        )

    def parameter(self, value: Settled) -> Any:
        """A settled value as it is sent: text that the server reads by the type, or bytes."""
        if isinstance(value, list):
            return [self.parameter(member) for member in value]
        if value is None or isinstance(value, bytes):
            return value
        return ("true" if value else "false") if isinstance(value, bool) else str(value)

    def copied(self, value: Settled) -> Any:
        """A settled value for COPY: what psycopg writes at once, and not element by element or byte by byte."""
        if isinstance(value, list):
            return f"{{{','.join(map(self._element, value))}}}"
        return f"\\x{value.hex()}" if isinstance(value, bytes) else value

    def _element(self, value: Settled) -> str:
        """Source: PostgreSQL documentation, Arrays, Array Input and Output Syntax."""
        if value is None:
            return "NULL"
        text = f"\\x{value.hex()}" if isinstance(value, bytes) else str(self.parameter(value))
        text = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{text}"'


def type_of(text: str) -> Type:
    """The type as an estate file names it. Raises ValueError for what is not the name of a type."""
    found = WRITTEN.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(
            f"expected a type as PostgreSQL names it, such as text, numeric(12,2), timestamptz, text[] or "
            f"{LARGE_OBJECT}, found {text!r}"
        )
    numbers = tuple(int(number) for number in (found["numbers"] or "").split(",") if number)
    type_ = Type(OTHER_WORDS.get(found["word"], found["word"]), numbers, bool(found["array"]))
    if type_.word == LARGE_OBJECT and (type_.array or type_.numbers):
        raise ValueError(f"expected {LARGE_OBJECT} by itself, found {text!r}")
    if type_.word == "timestamp with time zone" and numbers not in ((), (6,)):
        raise ValueError(f"expected timestamptz with its microseconds, found {text!r}")
    return type_


# --- A value as the server has it ----------------------------------------------------------------------------------


class Unfit(Exception):
    """A value that a column's type cannot hold."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(expected)
        self.expected = expected
        self.found = found


def _members(value: Any) -> list[Any] | tuple[Any, ...] | None:
    """What a list has in it; a set in an order of its own. None for what is neither."""
    if isinstance(value, set | frozenset):
        return sorted(value, key=lambda member: (str(type(member)), member))
    return value if isinstance(value, list | tuple) else None


def _word(value: Any) -> str:
    return "true or false" if isinstance(value, bool) else f"{type(value).__name__} {str(value)[:60]!r}"


def _integer(type_: Type, value: Any) -> int:
    bits = INTEGER_BYTES[type_.word] * 8
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
        raise Unfit(f"a whole number of {bits} bits", _word(value))
    return value


def _boolean(type_: Type, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Unfit("true or false", _word(value))
    return value


def _numeric(type_: Type, value: Any) -> str:
    if type(value) is Decimal and type_.numbers:
        # Nearly every number has the column's places already, and is its own text.
        digits = format(value, "f")
        precision, scale = type_.numbers[0], type_.numbers[-1]
        point = digits.find(".")
        if (
            len(type_.numbers) == 2
            and 0 < point <= precision - scale
            and len(digits) - point - 1 == scale
            and (digits[0] != "-")
        ):
            return digits
    if isinstance(value, str):
        try:
            value = Decimal(value)
        except InvalidOperation:
            raise Unfit("an exact number", _word(value)) from None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Unfit("an exact number (int or Decimal)", _word(value))
    number = Decimal(value)
    if not number.is_finite():
        raise Unfit("a finite number", _word(value))
    if not type_.numbers:
        return plain_digits(number)
    precision, scale = type_.numbers[0], type_.numbers[1] if len(type_.numbers) > 1 else 0
    digits = plain_digits(number)
    whole, _, places = digits.partition(".")
    # What PostgreSQL would round is an error here: the ledger would expect what the table cannot hold.
    if places[scale:].strip("0") or len(whole.lstrip("-").lstrip("0")) > precision - scale:
        raise Unfit(f"at most {precision - scale} digits before the point and {scale} after it", digits[:80])
    places = places[:scale].ljust(scale, "0")
    sign = "" if not (whole + places).strip("-0") else whole[: whole.startswith("-")]
    return sign + whole.lstrip("-") + (f".{places}" if scale else "")


def _float(type_: Type, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise Unfit("a number", _word(value))
    single = type_.word == "real"
    try:
        number = struct.unpack("f", struct.pack("f", value))[0] if single else float(value)
    except OverflowError:
        raise Unfit("a number in its range", _word(value)) from None
    if not isfinite(number):
        raise Unfit("a finite number", _word(value))
    return float_text(number, single)


def float_text(number: float, single: bool = False) -> str:
    """The shortest digits that are nearer to this number than to any other, in the server's notation.

    Source: PostgreSQL documentation, Floating-point types, and ``extra_float_digits``: shortest-precise output; digits
    that lie exactly between two numbers are not used, unlike in Python.
    """
    if number == 0:
        return "-0" if str(number).startswith("-") else "0"
    digits = _shortest(Decimal(abs(number)), *_middles(abs(number), single))
    sign = "-" if number < 0 else ""
    mantissa, _, exponent = digits.partition("e")
    power = int(exponent)
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    if -4 <= power < (6 if single else 15):
        return sign + plain_digits(Decimal(f"{mantissa}e{power}"))
    return f"{sign}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"


def _shortest(exact: Decimal, below: Fraction, above: Fraction) -> str:
    """The fewest digits strictly between, of several the nearest; with an exponent."""
    for count in range(1, 18):
        near = [Context(prec=count, rounding=rounding).plus(exact) for rounding in (ROUND_FLOOR, ROUND_CEILING)]
        within = [one for one in near if below < Fraction(one) < above]
        if within:
            return f"{min(within, key=lambda one: abs(Fraction(one) - Fraction(exact))):.{count - 1}e}"
    raise AssertionError("17 digits tell every float from all others")


def _middles(number: float, single: bool) -> tuple[Fraction, Fraction]:
    """Halfway from a number above zero to its neighbours below and above."""
    if single:
        (bits,) = struct.unpack("i", struct.pack("f", number))
        low, high = (struct.unpack("f", struct.pack("i", bits + step))[0] for step in (-1, 1))
    else:
        low, high = nextafter(number, 0.0), nextafter(number, inf)
    here = Fraction(number)
    down = (here - Fraction(low)) / 2
    return here - down, here + ((Fraction(high) - here) / 2 if isfinite(high) else down)


def _moment(type_: Type, value: Any) -> str:
    moment = _datetime(value)
    if moment.tzinfo is None:
        raise Unfit("a moment with its time zone, such as 2026-01-31T09:30:00Z", _word(value))
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _local_moment(type_: Type, value: Any) -> str:
    moment = _datetime(value)
    if moment.tzinfo is not None:
        raise Unfit("a moment without time zone, such as 2026-01-31T09:30:00", _word(value))
    return moment.isoformat(timespec="microseconds")


def _datetime(value: Any) -> datetime:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise Unfit("a moment in ISO 8601", _word(value)) from None
    if not isinstance(value, datetime):
        raise Unfit("a moment in ISO 8601 (of the form time: {as: iso})", _word(value))
    return value


def _date(type_: Type, value: Any) -> str:
    if isinstance(value, str):
        # The day of a moment in ISO 8601 is what stands in front of its T.
        try:
            value = date.fromisoformat(value.partition("T")[0])
        except ValueError:
            raise Unfit("a day, such as 2026-01-31", _word(value)) from None
    if not isinstance(value, date):
        raise Unfit("a day, such as 2026-01-31", _word(value))
    return value.isoformat()[:10]


def _uuid(type_: Type, value: Any) -> str:
    try:
        return str(value if isinstance(value, uuid.UUID) else uuid.UUID(value))
    except (ValueError, AttributeError, TypeError):
        raise Unfit("a UUID", _word(value)) from None


def _text(type_: Type, value: Any) -> str:
    if type(value) is str and value.isascii() and "\0" not in value:
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise Unfit("text", _word(value))
    text = plain_digits(value) if isinstance(value, Decimal) else str(value)
    if "\0" in text:
        raise Unfit("text without the character NUL", _word(value))
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unfit("text that UTF-8 can hold", "half of a surrogate pair") from None
    return text


def _short_text(type_: Type, value: Any) -> str:
    text = _text(type_, value)
    limit = type_.numbers[0] if type_.numbers else 1 if type_.word == "character" else None
    if limit is not None and len(text) > limit:
        raise Unfit(f"at most {limit} characters", f"{len(text)}: {text[:60]!r}")
    # Blanks at the end of a character(n) mean nothing, and a cast to text drops them.
    return text.rstrip(" ") if type_.word == "character" else text


def _json(type_: Type, value: Any) -> str:
    try:
        return jsonb_text(value)
    except ValueError as error:
        raise Unfit("a JSON value", str(error)) from None


def _bytes(type_: Type, value: Any) -> bytes:
    if not isinstance(value, bytes | bytearray | str):
        raise Unfit("bytes or text", _word(value))
    return value.encode() if isinstance(value, str) else bytes(value)


SETTLE: Mapping[str, Settle] = {
    **dict.fromkeys(INTEGER_BYTES, _integer),
    "boolean": _boolean,
    "numeric": _numeric,
    "real": _float,
    "double precision": _float,
    "timestamp with time zone": _moment,
    "timestamp without time zone": _local_moment,
    "date": _date,
    "uuid": _uuid,
    "character varying": _short_text,
    "character": _short_text,
    "jsonb": _json,
    "json": _json,
    "bytea": _bytes,
    LARGE_OBJECT: _bytes,
}
"""By the type's word; of every other type the record gives the text that the server prints."""


# --- The same JSON, written by the server ----------------------------------------------------------------------------


def _as_it_is(column: str) -> str:
    return f"{column}::text"


def _quoted(column: str) -> str:
    """For types whose text needs no escaping."""
    return f"'\"' || {column}::text || '\"'"


def _quoted_text(column: str) -> str:
    return f"to_json({column}::text)::text"


def _iso(pattern: str) -> Callable[[str], str]:
    def write(column: str) -> str:
        # What Python has no moment for keeps the server's text, and equals no record.
        return (
            f"'\"' || CASE WHEN isfinite({column}) AND extract(year FROM {column}) BETWEEN 1 AND 9999 "
            f"THEN to_char({column}, '{pattern}') ELSE {column}::text END || '\"'"
        )

    return write


def _digest(content: str) -> str:
    size = f"octet_length({content})"
    return f"""'{{"sha256":"' || encode(sha256({content}), 'hex') || '","size":' || {size} || '}}'"""


def _base64(column: str) -> str:
    shown = f"""'"' || translate(encode({column}, 'base64'), E'\\n', '') || '"'"""
    return f"CASE WHEN octet_length({column}) <= {BYTES_SHOWN} THEN {shown} ELSE {_digest(column)} END"


def _of_large_object(column: str) -> str:
    there = f"EXISTS (SELECT FROM pg_largeobject_metadata AS m WHERE m.oid = {column})"
    missing = "'\"a large object that is not there\"'"
    return f"CASE WHEN {column} IS NULL THEN NULL WHEN {there} THEN {_digest(f'lo_get({column})')} ELSE {missing} END"


EXPRESSION: Mapping[str, Callable[[str], str]] = {
    **dict.fromkeys(INTEGER_BYTES, _as_it_is),
    "boolean": _as_it_is,
    **dict.fromkeys(("numeric", "real", "double precision", "date", "uuid"), _quoted),
    "timestamp with time zone": _iso('YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    "timestamp without time zone": _iso('YYYY-MM-DD"T"HH24:MI:SS.US'),
    "bytea": _base64,
    LARGE_OBJECT: _of_large_object,
}
