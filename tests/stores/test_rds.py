"""The RDS kind of store on the simulated AWS, looked at through plain boto3 and psycopg clients."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import pytest

from drills.stores.rds_secret import connect, read_secret, renew_password, secret_name
from drills.workload import StoreWorkload
from tests.stores.database_site import (
    AURORA,
    DATABASE,
    as_ledger_says,
    asked,
    database_site,
    describe,
    filled,
    inventory,
    plain_client,
)


@pytest.fixture(scope="module", params=[DATABASE, AURORA], ids=["instance", "cluster"])
def workload(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreWorkload]:
    """A seeded database of each kind, which has been written to. Tests leave it as they found it."""
    with database_site(tmp_path_factory.mktemp("life") / "drill", request.param) as site:
        workload = filled(site, 30)
        for _ in range(60):
            workload.write_once()
            site.clock.sleep(3)
        yield workload


def test_it_is_made_as_the_estate_says(workload: StoreWorkload) -> None:
    site, at = workload.site, workload.at
    found = describe(site, at)
    assert found["MasterUsername"] == "drills_master"
    assert found["StorageEncrypted"]
    assert found["DeletionProtection"]
    assert found["BackupRetentionPeriod"] == 7
    tags = {tag["Key"]: tag["Value"] for tag in found["TagList"]}
    assert tags == {
        "team": "billing", "data": "personal", "drills:drill": "test-1", "drills:store": "pay_ments",
    }  # fmt: skip
    assert asked(site, at, "SHOW work_mem") == [("8MB",)]
    assert asked(site, at, "SELECT extname FROM pg_extension WHERE extname IN ('citext', 'pg_trgm') ORDER BY 1") == [
        ("citext",), ("pg_trgm",),
    ]  # fmt: skip


def test_the_inventory_is_what_the_ledger_says(workload: StoreWorkload) -> None:
    assert workload.sent.acknowledged == workload.sent.due == 60
    expected = as_ledger_says(workload)
    found = inventory(workload)
    assert found == expected
    assert list(found) == sorted(found, key=str.encode)
    assert sum(len(orjson.loads(item)["lines"]) for item in found.values()) > 20


def test_rows_lie_as_an_application_would_find_them(workload: StoreWorkload) -> None:
    """Numbers with their digits, large objects with their bytes, what the server makes made by it, none left over."""
    site, at = workload.site, workload.at
    items = {key: orjson.loads(item) for key, item in as_ledger_says(workload).items()}
    rows = asked(site, at, "SELECT payment_id, amount::text, rate::text, cents, receipt_number FROM payments")
    assert {row[0]: row[1:3] for row in rows} == {key: (one["amount"], one["rate"]) for key, one in items.items()}
    assert all(row[3] == int(row[1].replace(".", "")) for row in rows)
    assert min(row[4] for row in rows) >= 1000
    assert len({row[4] for row in rows}) == len(rows)
    scans = asked(site, at, "SELECT count(scan), count(DISTINCT scan) FROM payments")
    left = asked(site, at, "SELECT count(*) FROM pg_largeobject_metadata")
    assert scans == [(sum(one["scan"] is not None for one in items.values()),) * 2]
    assert left == [scans[0][:1]]
    owner = asked(site, at, "SELECT DISTINCT pg_get_userbyid(lomowner) FROM pg_largeobject_metadata")
    assert owner == [("shop_payments",)], "the application writes, and nobody else"


def test_the_password_is_in_secrets_manager_and_can_be_renewed(workload: StoreWorkload) -> None:
    site, at = workload.site, workload.at
    before = read_secret(site, at)["password"]
    renew_password(site, at)
    after = read_secret(site, at)["password"]
    assert before != after
    text = plain_client(site, at, "secretsmanager").get_secret_value(SecretId=secret_name(at))["SecretString"]
    assert orjson.loads(text)["password"] == after
    with connect(site, at) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("drills_master",)
    assert inventory(workload) == as_ledger_says(workload), "the kept connection was opened anew"
