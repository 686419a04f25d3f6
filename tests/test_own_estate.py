"""The key ``exists`` of a store in an estate file."""

from __future__ import annotations

from pathlib import Path

import pytest

from drills.errors import ConfigurationError
from drills.estate import parse_estate
from drills.model import Estate

STORE = "stores:\n  - name: orders\n    kind: dynamodb\n    key: {partition: id}\n    protections: [dynamodb_pitr]\n"
RECORDS = "    records: {id: uuid}\n"
DRILLED = "    objectives: {rto: 1h, rpo: 5m}\n    production: {size_gb: 1, items: 10}\n"


def parsed(text: str, folder: Path) -> Estate:
    return parse_estate(text, file="e.yaml", name="e", folder=folder)


def test_a_store_that_exists_needs_nothing_of_a_drill(tmp_path: Path) -> None:
    (store,) = parsed(f"{STORE}    exists: prod-orders\n", tmp_path).stores
    assert store.exists == "prod-orders"
    assert store.records is None


def test_a_store_that_exists_can_be_drilled_as_well(tmp_path: Path) -> None:
    (store,) = parsed(f"{STORE}{RECORDS}{DRILLED}    exists: prod-orders\n", tmp_path).stores
    assert store.exists == "prod-orders"
    assert store.records is not None
    assert store.objectives.rto_seconds == 3600


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (RECORDS + "    exists: prod-orders\n", "the key 'objectives' is missing in store 'orders'"),
        (RECORDS + "    exists: prod-orders\n", "the key 'production' is missing in store 'orders'"),
        (DRILLED, "expected either 'records' or 'records_from' in store 'orders', found neither"),
        ("", "the key 'objectives' is missing in store 'orders'"),
        ("    exists: a/b\n", "expected the name that the store has in AWS, 3 to 255 letters"),
        ("    exists: 12\n", "'exists' in store 'orders': expected text, found 12"),
        ("    exsits: prod-orders\n", "did you mean 'exists'?"),
    ],
)
def test_what_is_missing_is_told(more: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parsed(STORE + more, tmp_path)
    assert message in str(caught.value)
