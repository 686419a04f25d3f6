"""The keys of a DynamoDB table in an estate file: what is accepted, what is wrong and where it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from drills.errors import ConfigurationError
from drills.estate import REFERENCE, parse_estate
from drills.model import Estate
from drills.plugins import load_estate, load_protection, load_store_kind, protection_names
from drills.stores.dynamodb_config import Autoscaling, Index, Key, Provisioned, TableConfig
from tests.stores.table_site import PLAIN, TABLE, estate_text


def read(table: str) -> Estate:
    return parse_estate(estate_text(table), file="f.yaml", name="f", folder=Path())


def test_a_table_is_read() -> None:
    config: TableConfig = read(TABLE).stores[0].config
    assert config.key_names == ("person_id", "version")
    assert config.index_key_names == ("email", "team", "version", "person_id", "balance")
    assert [index.local for index in config.indexes] == [False, False, True]
    assert config.billing == Provisioned(
        read_units=7, write_units=9, autoscaling=Autoscaling(min=5, max=50, target_percent=60)
    )


def test_what_is_left_out() -> None:
    config: TableConfig = read(PLAIN).stores[0].config
    assert config == TableConfig(key=Key(partition="id"))
    assert (config.billing, config.ttl, config.stream, config.indexes, config.tags) == (None, None, None, [], {})
    assert read(PLAIN + "    billing: on_demand").stores[0].config == config


@pytest.mark.parametrize("name", ["shop", "gdpr"])
def test_the_built_in_estates_are_read(name: str) -> None:
    assert "dynamodb" in {store.kind for store in load_estate(name).stores}


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("billing: free", "'billing' in store 'people': expected on_demand or {read_units: …, write_units: …}"),
        ("billing: {read_units: 5}", "the key 'write_units' of 'billing' is missing in store 'people'"),
        ("billing: {read_units: 0, write_units: 5}", "'billing.read_units' in store 'people'"),
        (
            "billing: {read_units: 5, write_units: 5, autoscaling: {min: 9, max: 5}}",
            "expected min to be at most max, found min 9 and max 5",
        ),
        ("stream: both", "'stream' in store 'people': expected 'new_and_old_images'"),
        ("ttl: id", "expected a time to live in an attribute outside the key"),
        ("tags: {\"drills:drill\": x}", "names with 'aws:' and 'drills:' are taken"),
        ("tags: {level: 5}", "'tags.level' in store 'people': expected text, found 5"),
        ("indexes: [{name: i, partition: value}]", "expected an index name of 3 to 255"),
        ("indexes: [{name: by-value, partition: value, sort: value}]", "other than the partition key, found 'value'"),
        ("indexes: [{name: by-value, partition: id, sort: value, local: true}]", "needs a table with a sort key"),
        ("indexes: [{name: by-value, partition: value, projection: some}]", "expected all, keys_only or a list"),
        ("indexes: [{name: by-value, partitoin: value}]", "did you mean 'partition'"),
        (
            "indexes: [{name: by-value, partition: value}, {name: by-value, partition: value}]",
            "expected index names that differ, found 'by-value' 2 times",
        ),
        ("deletion_protection: please", "expected true or false"),
        ("delection_protection: true", "did you mean 'deletion_protection'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(key: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(f"{PLAIN}    {key}\n")
    assert said in str(caught.value)
    line = estate_text(f"{PLAIN}    {key}\n").splitlines().index(f"    {key}") + 1
    places = [int(found) for found in re.findall(r"f\.yaml:(\d+):", str(caught.value))]
    # What concerns the store as a whole is told where the store begins.
    assert all(place == line or place == line - 5 for place in places)


def test_a_local_index_has_the_tables_partition_key() -> None:
    wrong = TABLE.replace("partition: person_id, sort: balance, local", "partition: team, sort: balance, local")
    with pytest.raises(ConfigurationError, match="found partition 'team' and sort 'balance'"):
        read(wrong)


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ("{value: uuid}", "lacks 'id'"),
        ("{id: {const: true}, value: uuid}", "attribute 'id': expected a key of text, a number or bytes"),
        ('{id: {const: ""}, value: uuid}', "attribute 'id': expected a key that is not empty"),
        ("{id: uuid, value: {const: null}}", "attribute 'value': expected a key of text, a number or bytes"),
        ("{id: {text: 3KB}, value: uuid}", "attribute 'id': expected a key of at most 2,048 bytes"),
    ],
)
def test_records_that_the_table_cannot_hold(records: str, said: str) -> None:
    table = f"    key: {{partition: id}}\n    indexes: [{{name: by-value, partition: value}}]\n    records: {records}\n"
    with pytest.raises(ConfigurationError) as caught:
        read(table)
    assert said in str(caught.value)


def test_the_reference_has_every_key() -> None:
    models: list[Any] = [TableConfig, Key, Index, Provisioned, Autoscaling]
    for key in sorted({key for model in models for key in model.model_fields}):
        assert re.search(rf"[`.{{\s]{key}[`:.]", REFERENCE), key


def test_the_kind_is_found() -> None:
    assert load_store_kind("dynamodb").name == "dynamodb"


@pytest.mark.parametrize("name", [name for name in protection_names() if name.startswith("dynamodb_")])
def test_the_reference_has_the_options_of_every_protection(name: str) -> None:
    """A protection that is asked for an option it has not says which there are."""
    with pytest.raises(ValueError) as caught:
        load_protection(name).check({"no_such": 1})
    (row,) = re.findall(rf"^\| `{name}` \| .*", REFERENCE, re.MULTILINE)
    told = str(caught.value).partition("expected ")[2].removeprefix("one of ").removeprefix("none")
    for option in filter(None, told.split(", ")):
        assert f"`{option}`" in row
