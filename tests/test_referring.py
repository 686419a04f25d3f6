"""References while a workload writes: the named record is there before the one that names it, and stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from drills.drill_plan import SIMULATED_START, record_counts
from drills.estate import parse_estate
from drills.history import History
from drills.model import WorkloadMix
from drills.plugins import load_estate, load_store_kind
from drills.records import make_records
from drills.references import key_names, names_in
from drills.simulator import SimulatedAWS
from drills.workload import StoreWorkload, link, write_for
from drills.world_site import WorldSite
from tests.small_drill import PRODUCTION, ReachableProvider
from tests.test_references import TEXT

OFTEN = WorkloadMix(writes_per_minute=30, inserts=6, updates=1, deletes=1, erasures=0)
SELDOM = WorkloadMix(writes_per_minute=12, inserts=1, updates=2, deletes=3, erasures=1)


@contextmanager
def shop(folder: Path, text: str = TEXT, records: tuple[int, int] = (12, 9), seed: int = 3) -> Iterator[Shop]:
    """Orders and invoices, seeded; more orders come than invoices, and invoices are deleted often."""
    estate = parse_estate(text, file="f.yaml", name="f", folder=Path())
    provider = ReachableProvider()
    with History.create(folder) as history, provider.open(estate, seed) as world:
        made = []
        for store, mix, count in zip(estate.stores, (OFTEN, SELDOM), records, strict=True):
            site = WorldSite(
                world,
                estate,
                replace(store, workload=mix),
                drill_id="test",
                prefix="drill-test",
                history=history,
                context={},
                capabilities=provider.capabilities,
            )
            kind = load_store_kind(store.kind)
            workload = StoreWorkload(site, kind, kind.provision(site), seed, SIMULATED_START)
            workload.seed(count)
            made.append(workload)
        link(made, estate.references)
        assert provider.aws is not None
        yield Shop(provider.aws, *made)


class Shop:
    def __init__(self, aws: SimulatedAWS, orders: StoreWorkload, invoices: StoreWorkload) -> None:
        self.aws, self.orders, self.invoices = aws, orders, invoices

    def loose(self) -> list[str]:
        """The invoices that orders name and that are not there, read back from both stores."""
        invoices = self.invoices.kind.inventory(self.invoices.site, self.invoices.at)
        there = {name for one in invoices for name in key_names(one.key)}
        orders = self.orders.kind.inventory(self.orders.site, self.orders.at)
        names = (name for one in orders for name in names_in(orjson.loads(one.item), "invoice_key"))
        return [name for name in names if name not in there]

    def write(self, minutes: float) -> None:
        write_for([self.orders, self.invoices], minutes * 60, self.orders.site.clock)


def test_no_order_names_an_invoice_that_is_not_there(tmp_path: Path) -> None:
    with shop(tmp_path, records=(9, 9)) as made:
        for _ in range(6):
            made.write(2)
            assert made.loose() == []
        kinds = {write.kind for write in made.invoices.ledger}
        assert {"put", "delete", "erase"} <= kinds, "invoices were deleted meanwhile"
        assert made.orders.sent.acknowledged > 200


def test_independent_workloads_leave_references_that_name_nothing(tmp_path: Path) -> None:
    """Why they are linked."""
    with shop(tmp_path, TEXT[: TEXT.index("references:")] + TEXT[TEXT.index("response:") :], (9, 9)) as made:
        made.write(12)
        assert len(made.loose()) > 20


def test_an_invoice_that_aws_refused_has_no_order(tmp_path: Path) -> None:
    with shop(tmp_path, records=(9, 9)) as made:
        client = made.aws.session(PRODUCTION, "eu-west-1").client("s3")
        statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "<objects>"}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        text = orjson.dumps(policy).decode().replace("<objects>", f"arn:aws:s3:::{made.invoices.at.name}/*")
        client.put_bucket_policy(Bucket=made.invoices.at.name, Policy=text)
        made.write(4)
        assert made.invoices.sent.rejected > 0
        assert made.loose() == []
        client.delete_bucket_policy(Bucket=made.invoices.at.name)
        before = made.orders.sent.acknowledged
        made.write(4)
        assert made.orders.sent.acknowledged > before
        assert made.loose() == []


@pytest.mark.parametrize("template", ["nowhere/{order_id}", "invoices//O-0 + é"])
def test_names_that_never_come_hold_no_order_back(tmp_path: Path, template: str) -> None:
    text = TEXT.replace(
        'invoice_key: {template: "invoices//{order_id} + é"}', f'invoice_key: {{template: "{template}"}}'
    )
    assert text != TEXT
    with shop(tmp_path, text, records=(9, 9)) as made:
        made.write(3)
        assert sum(write.kind == "put" for write in made.orders.ledger) > 50


@pytest.mark.parametrize("records", [50, 300, 4_000])
@pytest.mark.parametrize("number", range(3))
def test_what_the_shop_is_seeded_with_names_only_what_is_there(number: int, records: int) -> None:
    estate = load_estate("shop")
    reference = estate.references[number]
    referring, named = (
        next(one for one in estate.stores if one.name == name) for name in (reference.store, reference.to)
    )
    counts = dict(zip((store.name for store in estate.stores), record_counts(estate, records), strict=True))
    makers = {store.name: make_records(store.records, 7, SIMULATED_START) for store in (referring, named)}
    kind, of_named = load_store_kind(referring.kind), load_store_kind(named.kind)
    keys = (of_named.key_of(named.config, makers[named.name].record(n)) for n in range(counts[named.name]))
    there = {name for key in keys for name in key_names(key)}
    for n in range(counts[referring.name]):
        item = kind.encode(referring.config, makers[referring.name].record(n))
        assert set(names_in(orjson.loads(item), reference.attribute)) <= there


def test_the_shop_has_references_between_all_kinds_of_store() -> None:
    references = [(one.store, one.to) for one in load_estate("shop").references]
    assert references == [("orders", "invoices"), ("payments", "invoices"), ("payments", "clients")]
