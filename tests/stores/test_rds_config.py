"""What an estate may say of a database, and how it is told what is wrong."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from drills.checked import complaints
from drills.stores.rds import kind
from drills.stores.rds_types import type_of

ROOT: dict[str, Any] = {"key": "id", "columns": {"id": "text", "amount": "numeric(8,2)"}}
CHILD: dict[str, Any] = {"of": "sales", "by": "id", "order": "n", "as": "lines", "columns": {"n": "integer"}}


def node(**changes: Any) -> dict[str, Any]:
    return {"schema": "CREATE TABLE sales ()", "tables": {"sales": ROOT, "lines": CHILD}, **changes}


def complaint(**changes: Any) -> str:
    with pytest.raises(ValidationError) as error:
        kind.parse(node(**changes))
    return " | ".join(one.message for one in complaints(error.value, kind.model, (), "store 'sales'"))


def test_what_is_not_said_is_as_aws_would_have_it_or_safer() -> None:
    config = kind.parse(node())
    assert (config.engine, config.engine_version, config.is_aurora) == ("postgres", "17", False)
    assert (config.encrypted, config.customer_key, config.deletion_protection) == (True, False, True)
    assert (config.backup_retention, config.storage_gb, config.database) == (7, 20, "app")
    assert (config.root, config.key, list(config.children)) == ("sales", "id", ["lines"])


def test_parameters_are_texts_as_groups_hold_them() -> None:
    config = kind.parse(node(parameters={"work_mem": 4096, "track_io_timing": True, "log_statement": "ddl"}))
    assert config.parameters == {"work_mem": "4096", "track_io_timing": "1", "log_statement": "ddl"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"engine": "mysql"}, "'engine' in store 'sales': expected 'postgres' or 'aurora-postgresql', found 'mysql'"),
        ({"engin": "postgres"}, "unknown key 'engin' in store 'sales'; did you mean 'engine'"),
        ({"engine_version": "9.6"}, "expected a version of PostgreSQL from 11 on, such as '17' or '17.5', found '9.6'"),
        ({"instance_class": "large"}, "expected an instance class such as db.t4g.medium, found 'large'"),
        ({"storage_gb": 5}, "'storage_gb' in store 'sales': expected a number greater than or equal to 20, found 5"),
        ({"customer_key": "mine"}, "'customer_key' in store 'sales': expected true, false or the ARN of a key"),
        ({"customer_key": True, "encrypted": False}, "expected encrypted: true beside customer_key, found false"),
        ({"backup_retention": 36}, "expected a number less than or equal to 35, found 36"),
        ({"engine": "aurora-postgresql", "backup_retention": 0}, "expected a backup_retention of at least 1 day"),
        ({"tags": {"drills:x": "y"}}, "expected tags of your own: names with 'aws:' and 'drills:' are taken"),
        ({"application": "rdsadmin"}, "expected a role of your own: pg_ and rds are taken, found 'rdsadmin'"),
        ({"application": "Bob; DROP"}, "expected a name of a-z, 0-9 and '_', as PostgreSQL keeps unquoted names"),
        ({"tables": {}}, "expected one table with a key, the root of the records, found none"),
        ({"tables": {"a": ROOT, "b": ROOT}}, "expected one table with a key, the root of the records, found a and b"),
        ({"tables": {"sales": {**ROOT, "key": "amt"}}}, "expected the key 'amt' among the columns; did you mean"),
        ({"tables": {"sales": {**ROOT, "key": "amount"}}}, "expected a key of type text, character varying, uuid,"),
        ({"tables": {"sales": {"columns": {"id": "text"}}}}, "expected key, as the root of the records has, or of, by"),
        ({"tables": {"sales": {**ROOT, "by": "id"}}}, "or of, by and as, found key beside by"),
        ({"tables": {"sales": ROOT, "x": {**CHILD, "of": "x"}}}, "table 'x': expected it to be of the root 'sales'"),
        ({"tables": {"sales": ROOT, "x": {**CHILD, "as": "amount"}}}, "a name of its own in as, found 'amount' taken"),
        ({"tables": {"sales": ROOT, "x": {**CHILD, "by": "n"}}}, "to name columns once, found 'n' in both"),
        ({"tables": {"sales": ROOT, "x": {**CHILD, "by": ["id", "amuont"]}}}, "found 'amuont'; did you mean 'amount'"),
        ({"tables": {"sales": ROOT, "x": {**CHILD, "order": "m"}}}, "expected order to name one of its columns"),
        ({"tables": {"sales": {**ROOT, "columns": {"id": "text;"}}}}, "expected a type as PostgreSQL names it"),
        ({"tables": {"sales": {**ROOT, "columns": {"id": 5}}}}, "expected a type as PostgreSQL names it, such as"),
        ({"tables": {"sales": {**ROOT, "columns": {"I D": "text"}}}}, "expected a name of a-z, 0-9 and '_'"),
        ({"tables": {"sales": {**ROOT, "columns": {"id": "text", "o": "large_object[]"}}}}, "expected large_object by"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_what_was_expected(changes: dict[str, Any], message: str) -> None:
    assert message in complaint(**changes)


@pytest.mark.parametrize(
    ("written", "sql"),
    [
        ("int", "integer"), ("VARCHAR(20)", "character varying(20)"), ("decimal(12, 2)", "numeric(12, 2)"),
        ("timestamptz", "timestamp with time zone"), ("float8", "double precision"), ("text[]", "text[]"),
        ("timestamp(3)", "timestamp(3) without time zone"), ("billing.state", "billing.state"), ("large_object", "oid"),
    ],
)  # fmt: skip
def test_types_go_by_the_names_that_postgresql_has_for_them(written: str, sql: str) -> None:
    assert type_of(written).sql == sql


def test_a_record_is_one_object_with_its_lines_in_order() -> None:
    config = kind.parse(node())
    record = {"id": "a", "amount": Decimal("1.5"), "lines": [{"n": 2}, {"n": 1}], "_helper": object()}
    assert kind.key_of(config, record) == "a"
    assert kind.encode(config, record) == b'{"amount":"1.50","id":"a","lines":[{"n":1},{"n":2}]}'
    assert orjson.loads(kind.encode(config, {"id": "a", "lines": [{}, {}]})) == {
        "id": "a", "amount": None, "lines": [{"n": 1}, {"n": 2}],
    }  # fmt: skip
    assert kind.expires_at(config, record) is None


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"id": ""}, "'id': expected a key, found an empty text"),
        ({"id": None}, "'id': expected a key, found null"),
        ({"id": "a", "amuont": 1}, "there is no column for 'amuont'; did you mean 'amount'?; begin it with _"),
        ({"id": "a", "lines": [{"m": 1}]}, "there is no column for 'lines[0].m'"),
        ({"id": "a", "lines": {"n": 1}}, "'lines': expected a list of maps, one for each row, found dict"),
        ({"id": "a", "lines": [{"n": 1}, {"n": 1}]}, "'lines': expected rows that differ in 'n', found two with 1"),
        ({"id": "a", "lines": [{"n": "x"}]}, "'lines[0].n': expected a whole number of 32 bits"),
    ],
)
def test_a_record_that_does_not_fit_is_told_where(record: dict[str, Any], message: str) -> None:
    config = kind.parse(node())
    with pytest.raises(ValueError) as error:
        kind.encode(config, record)
    assert message in str(error.value)


def test_a_record_without_its_key_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="id"):
        kind.key_of(kind.parse(node()), {"amount": 1})
