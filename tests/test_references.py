"""References between stores: which resolve, which are broken, and which are torn by the skew of the recovery points."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drills.drill_plan import SIMULATED_START
from drills.errors import ConfigurationError
from drills.estate import parse_estate
from drills.history import canonical
from drills.judge import judge
from drills.model import JSON, Finding, Observed, Reference, Write, WriteKind
from drills.plugins import load_store_kind
from drills.records import make_records
from drills.references import Restored, names_in, reference_findings
from drills.simulator import SimulatedAWS
from tests.small_database import POSTGRES
from tests.small_database import text as database_text
from tests.small_drill import PRODUCTION, RECOVERY, VAULT, drill, failed, production

REFERENCE = Reference("orders", "invoice_key", "invoices")
FAILED = 1000.0


class Side:
    """One store's ledger and inventory in the making. Moments are seconds."""

    def __init__(self, store: str, point: float = FAILED, objective: float = 60.0, lag: float = 0.0) -> None:
        self.store, self.point, self.objective, self.lag = store, point, objective, lag
        self.writes: list[Write] = []
        self.there: dict[str, bytes] = {}

    def write(self, key: str, item: bytes | None, at: float, *, acknowledged: bool = True, kept: bool = True) -> None:
        """A write, which the restore brings back if it is ``kept``."""
        us = round(at * 1_000_000)
        kind: WriteKind = "put" if item is not None else "delete"
        self.writes.append(Write(len(self.writes) + 1, key, kind, item, us, us if acknowledged else None))
        if kept and item is None:
            self.there.pop(key, None)
        elif kept and item is not None:
            self.there[key] = item

    def erase(self, key: str, at: float) -> None:
        us = round(at * 1_000_000)
        self.writes.append(Write(len(self.writes) + 1, key, "erase", None, us, us))
        self.there.pop(key, None)

    def restored(self) -> Restored:
        as_of_us = round(self.point * 1_000_000)
        return Restored(
            self.store,
            as_of_us,
            as_of_us - round(self.lag * 1_000_000),
            self.objective,
            [Observed(key, item) for key, item in self.there.items()],
            list(self.writes),
        )


def order(*names: str) -> bytes:
    value = {"S": names[0]} if len(names) == 1 else {"SS": sorted(names)}
    return canonical({"invoice_key": value})


def found(orders: Side, invoices: Side) -> dict[str, Finding]:
    findings = reference_findings(
        REFERENCE, "orders → invoices", orders.restored(), invoices.restored(), round(FAILED * 1_000_000)
    )
    return {finding.check: finding for finding in findings}


@pytest.fixture
def orders() -> Side:
    return Side("orders")


@pytest.fixture
def invoices() -> Side:
    return Side("invoices")


def test_references_that_resolve(orders: Side, invoices: Side) -> None:
    invoices.write("a//b + ç", b"{}", 1)
    orders.write("o1", order("a//b + ç"), 2)
    checks = found(orders, replace_point(invoices, FAILED - 12.5))
    assert {check: finding.verdict for check, finding in checks.items()} == {"references": "pass"}
    assert "1 of 1 reference resolve" in checks["references"].observed
    assert "recovery points 12.5s apart" in checks["references"].observed
    assert checks["references"].records_covered == 1


def replace_point(side: Side, point: float) -> Side:
    side.point = point
    return side


def test_what_was_written_before_both_points_must_be_there(orders: Side, invoices: Side) -> None:
    invoices.write("i1", b"{}", 1, kept=False)
    orders.write("o1", order("i1"), 2)
    checks = found(orders, invoices)
    assert checks["references"].verdict == "fail"
    assert "1 broken: o1 → i1" in checks["references"].observed
    assert "references.torn" not in checks


def test_an_older_record_must_be_there_however_new_its_reference_is(orders: Side, invoices: Side) -> None:
    invoices.write("i1", b"{}", 1, kept=False)
    orders.write("o1", order("i1"), 990)
    assert found(orders, replace_point(invoices, 900))["references"].verdict == "fail"


@pytest.mark.parametrize(("objective", "verdict"), [(60.0, "pass"), (20.0, "fail")])
def test_a_newer_state_names_what_an_older_one_has_not_yet(
    orders: Side, invoices: Side, objective: float, verdict: str
) -> None:
    """Torn by the skew: no restore of these points can help it, so that it is held against the objective."""
    invoices.write("i1", b"{}", 970, kept=False)
    orders.write("o1", order("i1"), 971)
    invoices.objective = objective
    checks = found(orders, replace_point(invoices, 965))
    assert checks["references"].verdict == "pass"
    assert "1 torn by the skew" in checks["references"].observed
    assert checks["references.torn"].verdict == verdict
    assert "the oldest by a write lost from 30s before the failure: o1 → i1" in checks["references.torn"].observed
    assert "recovery points 35s apart" in checks["references.torn"].observed


@pytest.mark.parametrize(("objective", "verdict"), [(60.0, "pass"), (20.0, "fail")])
def test_an_older_state_names_what_a_newer_one_has_no_longer(
    orders: Side, invoices: Side, objective: float, verdict: str
) -> None:
    invoices.write("i1", b"{}", 1)
    invoices.write("i2", b"{}", 2)
    orders.write("o1", order("i1"), 3)
    orders.write("o1", order("i2"), 970, kept=False)
    invoices.write("i1", None, 975)
    orders.objective = objective
    checks = found(replace_point(orders, 960), invoices)
    assert checks["references"].verdict == "pass"
    assert checks["references.torn"].verdict == verdict


def test_what_named_nothing_before_is_not_the_restores_doing(orders: Side, invoices: Side) -> None:
    """An order before its invoice, an invoice deleted from under its order, one whose acknowledgement never came."""
    orders.write("o1", order("never"), 5)
    invoices.write("deleted", b"{}", 1)
    orders.write("o2", order("deleted"), 5)
    invoices.write("deleted", None, 6)
    invoices.write("doubtful", b"{}", 7, acknowledged=False, kept=False)
    orders.write("o3", order("doubtful"), 8)
    checks = found(orders, invoices)
    assert {check: finding.verdict for check, finding in checks.items()} == {"references": "pass"}
    assert "0 of 3 references resolve; 3 named nothing at the failure either" in checks["references"].observed


def test_what_was_erased_since_is_no_loss(orders: Side, invoices: Side) -> None:
    """An erasure made after the recovery point is made again after the restore, and orders may still name it."""
    invoices.write("i1", b"{}", 1)
    orders.write("o1", order("i1"), 2)
    invoices.erase("i1", FAILED + 60)
    checks = found(orders, invoices)
    assert {check: finding.verdict for check, finding in checks.items()} == {"references": "pass"}
    assert "1 named what was erased since" in checks["references"].observed
    invoices.write("i1", b"{}", FAILED + 70, kept=False)
    assert found(orders, invoices)["references.torn"].verdict == "pass"


def test_a_corrupt_record_names_nothing_that_was_ever_named(orders: Side, invoices: Side) -> None:
    orders.write("o1", order("i1"), 5)
    invoices.write("i1", b"{}", 1)
    orders.there["o1"] = order("i1 with a digit lost")
    assert found(orders, invoices)["references"].verdict == "fail"


def test_a_live_copy_may_lag_behind_its_moment(orders: Side, invoices: Side) -> None:
    invoices.write("i1", b"{}", 990, kept=False)
    orders.write("o1", order("i1"), 991)
    assert found(orders, invoices)["references"].verdict == "fail"
    invoices.lag = 30
    checks = found(orders, invoices)
    assert (checks["references"].verdict, checks["references.torn"].verdict) == ("pass", "pass")


def test_nothing_that_refers_proves_nothing(orders: Side, invoices: Side) -> None:
    orders.write("o1", canonical({"other": {"S": "x"}}), 5)
    assert found(orders, invoices)["references"].verdict == "unknown"


def test_what_an_attribute_names() -> None:
    assert names_in({"a": {"S": "x"}}, "a") == names_in({"a": "x"}, "a") == ["t:x"]
    assert names_in({"a": {"N": "5.0"}}, "a") == names_in({"a": 5}, "a") == ["n:5"]
    assert names_in({"a": {"S": "5"}}, "a") == ["t:5"]
    assert names_in({"a": {"L": [{"S": "x"}, {"NULL": True}, {"S": "y"}]}}, "a") == ["t:x", "t:y"]
    assert names_in({"a": {"M": {"b": {"S": "x"}}}}, "a.b") == ["t:x"]
    assert names_in({"metadata": {"order": "x"}}, "metadata.order") == ["t:x"]
    assert names_in({"a.b": {"S": "dotted"}}, "a.b") == ["t:dotted"]
    assert names_in({"a": '{"b": {"c": ["x", 5]}}'}, "a.b.c") == ["t:x", "n:5"]
    assert names_in({"a": '{"b": "x"}'}, "a") == ['t:{"b": "x"}']
    assert names_in({"a": "{no JSON"}, "a.b") == names_in({"a": '["b"]'}, "a.b") == []
    nothings: list[JSON] = [{"NULL": True}, {"BOOL": True}, None, {"M": {}}]
    for nothing in nothings:
        assert names_in({"a": nothing}, "a") == []
    assert names_in({}, "a") == []


def test_keys_of_tables_are_named_by_their_value(invoices: Side) -> None:
    clients = Side("clients")
    clients.write('{"id":{"N":"7"}}', b"{}", 1)
    side = Side("orders")
    side.write("o1", canonical({"client": {"N": "7.0"}}), 2)
    reference = Reference("orders", "client", "clients")
    (only,) = reference_findings(reference, "s", side.restored(), clients.restored(), round(FAILED * 1_000_000))
    assert only.verdict == "pass"


# --- Any two states of an application that keeps its references ----------------------------------------------------


@st.composite
def applications(draw: st.DrawFn) -> tuple[Side, Side]:
    """An application that writes an invoice before the order that names it, and deletes it only after the order let
    go of it; restored as of any two moments."""
    orders, invoices = Side("orders", objective=0), Side("invoices", objective=0)
    orders.point, invoices.point = draw(st.integers(0, 1000)), draw(st.integers(0, 1000))
    held: dict[str, str] = {}
    moment = 0.0
    for number in range(draw(st.integers(1, 25))):
        moment += draw(st.integers(1, 40))
        name, key = f"i{number}", draw(st.sampled_from("abc"))
        step(invoices, name, b"{}", moment)
        step(orders, key, order(name), moment + 0.25)
        if key in held:
            step(invoices, held[key], None, moment + 0.5)
        held[key] = name
    return orders, invoices


def step(side: Side, key: str, item: bytes | None, at: float) -> None:
    side.write(key, item, at, kept=at < side.point)


@settings(max_examples=60, deadline=None)
@given(applications())
def test_a_perfect_restore_is_never_broken_and_alike_points_are_never_torn(both: tuple[Side, Side]) -> None:
    orders, invoices = both
    checks = found(orders, invoices)
    assert checks["references"].verdict != "fail"
    if orders.point == invoices.point:
        assert "references.torn" not in checks
    torn = checks["references.torn"].records_covered if "references.torn" in checks else 0
    loose = sum(name[2:] not in invoices.there for item in orders.there.values() for name in named(item))
    assert torn == loose


@settings(max_examples=40, deadline=None)
@given(applications(), st.data())
def test_whatever_a_restore_forgets_is_told(both: tuple[Side, Side], data: st.DataObject) -> None:
    orders, invoices = both
    orders.point = invoices.point = FAILED + 1
    orders.there, invoices.there = {}, {}
    for side in both:
        for write in side.writes:
            step_again(side, write)
    forgotten = data.draw(st.sampled_from(sorted(invoices.there)))
    del invoices.there[forgotten]
    there = {name[2:] for item in orders.there.values() for name in named(item)}
    assert found(orders, invoices)["references"].verdict == ("fail" if forgotten in there else "pass")


def step_again(side: Side, write: Write) -> None:
    if write.item is None:
        side.there.pop(write.key, None)
    else:
        side.there[write.key] = write.item


def named(item: bytes) -> list[str]:
    return names_in(orjson.loads(item), REFERENCE.attribute)


# --- In an estate and in a drill -----------------------------------------------------------------------------------

TEXT = f"""
accounts:
  production: {{id: "{PRODUCTION}", region: eu-west-1}}
  vault: {{id: "{VAULT}", region: eu-central-1}}
  recovery: {{id: "{RECOVERY}", region: eu-north-1}}
stores:
  - name: orders
    kind: dynamodb
    key: {{partition: order_id}}
    records:
      order_id: {{sequence: "O-{{n}}"}}
      invoice_key: {{template: "invoices//{{order_id}} + é"}}
    workload: {{writes_per_minute: 2, inserts: 3, updates: 0, deletes: 1}}
    protections: [dynamodb_pitr]
    objectives: {{rto: 8h, rpo: 5m}}
    production: {{size_gb: 1, items: 1000}}
  - name: invoices
    kind: s3
    records:
      _order: {{sequence: "O-{{n}}"}}
      key: {{template: "invoices//{{_order}} + é"}}
      body: name
    workload: {{writes_per_minute: 3, inserts: 6, updates: 3, deletes: 1}}
    protections: [s3_versioning]
    objectives: {{rto: 8h, rpo: 5m}}
    production: {{size_gb: 1, items: 1000}}
references:
  - {{from: orders.invoice_key, to: invoices}}
response:
  detect: {{default: 10m}}
  decide: 5m
workload_minutes: 20
"""


def test_a_path_leads_into_a_column_of_jsonb() -> None:
    (store,) = parse_estate(database_text(POSTGRES), file="f.yaml", name="f", folder=Path()).stores
    assert store.records is not None
    record: Any = make_records(store.records, 3, SIMULATED_START).record(1)
    item = orjson.loads(load_store_kind("rds").encode(store.config, record))
    assert names_in(item, "more.city") == [f"t:{record['more']['city']}"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("from: orders.invoice_key", "from: order.invoice_key", "did you mean 'orders'"),
        ("from: orders.invoice_key", "from: orders.invoice", "have no 'invoice'; did you mean 'invoice_key'"),
        ("from: orders.invoice_key", "from: orders", "expected a store and an attribute, as orders.invoice_key"),
        ("to: invoices}", "to: invoice}", "names the store 'invoice', which does not exist; did you mean 'invoices'"),
        ("key: {partition: order_id}", "key: {partition: order_id, sort: invoice_key}", ""),
    ],
)
def test_references_in_an_estate_file(old: str, new: str, said: str) -> None:
    text = TEXT.replace(old, new)
    assert text != TEXT
    if not said:
        assert len(parse_estate(text, file="f.yaml", name="f", folder=Path()).references) == 1
        return
    with pytest.raises(ConfigurationError) as caught:
        parse_estate(text, file="f.yaml", name="f", folder=Path())
    assert said in str(caught.value)


def test_a_reference_names_keys_of_one_attribute() -> None:
    text = TEXT.replace("key: {partition: order_id}", "key: {partition: order_id, sort: invoice_key}")
    text = text.replace("{from: orders.invoice_key, to: invoices}", "{from: invoices.key, to: orders}")
    with pytest.raises(ConfigurationError, match="whose key is made of 2 attributes"):
        parse_estate(text, file="f.yaml", name="f", folder=Path())


def test_a_drill_checks_the_references_after_the_restore(tmp_path: Path) -> None:
    report, folder = drill(tmp_path, "bulk_erase", text=TEXT, records=30)
    (finding,) = [one for one in report.findings if one.check == "references"]
    assert finding.verdict == "pass", finding
    assert finding.subject == "bulk_erase: orders.invoice_key → invoices"
    assert finding.records_covered > 15
    assert "recovery points 0s apart" in finding.observed
    assert judge(folder) == report
    assert not failed(report)


def test_an_invoice_that_is_lost_for_good_is_named_by_its_order(tmp_path: Path) -> None:
    def lose(aws: SimulatedAWS) -> None:
        s3 = production(aws, "s3")
        (bucket,) = [one["Name"] for one in s3.list_buckets()["Buckets"] if "-invoices-" in one["Name"]]
        for version in s3.list_object_versions(Bucket=bucket, Prefix="invoices//O-1 + é")["Versions"]:
            s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])

    report, _ = drill(tmp_path, "bulk_erase", text=TEXT, records=30, seed=5, at_failure=lose)
    finding = failed(report)["references"]
    assert finding.verdict == "fail"
    assert '{"order_id":{"S":"O-1"}} → invoices//O-1 + é' in finding.observed


def test_references_to_a_store_that_did_not_come_back_are_unknown(tmp_path: Path) -> None:
    report, _ = drill(tmp_path, "bulk_erase:versions", text=TEXT, records=20)
    finding = failed(report)["references"]
    assert (finding.verdict, finding.observed) == ("unknown", "not read back: invoices")
