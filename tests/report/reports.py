"""Reports to render: one by hand with everything in it, and any that Hypothesis can think of."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from hypothesis import strategies as st

from drills.model import (
    Attempt,
    Cell,
    DrillInfo,
    Endpoint,
    Finding,
    Mismatch,
    Phases,
    RecordCounts,
    RecoveryPoint,
    Report,
    Verdict,
    worst,
)

STARTED = datetime(2026, 1, 5, 9, tzinfo=UTC)
HOSTILE = """<b>"x" & 'y'</b><script>alert(1)</script>"""
LONG_BEFORE, LONG_AFTER = "a" * 5000 + "1.10" + "z" * 5000, "a" * 5000 + "1.1" + "z" * 5000


def finding(check: str, verdict: Verdict = "pass", observed: str = "as before") -> Finding:
    return Finding(check, verdict, "orders", f"what {check} demands", observed, 712)


def attempt(
    protection: str = "dynamodb_pitr",
    *findings: Finding,
    rto: float | None = 3720.0,
    mismatches: tuple[Mismatch, ...] = (),
    assumed: bool = False,
) -> Attempt:
    """An attempt that had a recovery point. With ``rto`` None it broke off while it restored."""
    done = rto is not None
    own = findings or (finding("records.complete"), finding("settings"))
    return Attempt(
        protection=protection,
        recovery_point=RecoveryPoint(
            "point-1", protection, "1" * 12, "eu-west-1", STARTED + timedelta(minutes=80), {"secret": "handle"}, 2.0
        ),
        verdict=worst(one.verdict for one in own),
        rto_seconds=rto,
        rto_p95_seconds=None if rto is None else rto * 2,
        rpo_seconds=1.5 if done else None,
        writes_lost=4 if done else None,
        phases=Phases(600, 300, 20, (rto or 2000) - 1120, *((100, 90, 10) if done else ())),
        records=RecordCounts(712, 708, 1, 1, 1, 1, 2) if done else None,
        findings=own,
        mismatches=mismatches,
        assumed=assumed,
    )


def without_point(protection: str, check: str = "recovery_point", verdict: Verdict = "fail") -> Attempt:
    """An attempt that found no recovery point; or, with the check ``skipped``, was not asked for."""
    reason = Finding(check, verdict, "orders", "a recovery point within reach", f"none for {protection}")
    return Attempt(protection, None, verdict, None, None, None, None, Phases(600, 300, 1), None, (reason,))


def cell(scenario: str, store: str, verdict: Verdict, *attempts: Attempt) -> Cell:
    path = next((one for one in attempts if one.recovery_point is not None), None)
    return Cell(
        scenario=scenario,
        store=store,
        kind="dynamodb",
        verdict=verdict,
        path=None if path is None else path.protection,
        rto_seconds=None if path is None else path.rto_seconds,
        rto_objective_seconds=14400.0,
        rpo_seconds=None if path is None else path.rpo_seconds,
        rpo_objective_seconds=900.0,
        writes_acknowledged=300,
        writes_lost=None if path is None else path.writes_lost,
        attempts=attempts,
    )


def report(
    *cells: Cell, findings: tuple[Finding, ...] = (), clock: Literal["simulated", "wall"] = "simulated"
) -> Report:
    drill = DrillInfo("shop-0123456789", 7, "1.2.3", "simulated", "simulated", "shop", STARTED, clock)
    if clock == "wall":
        drill = replace(drill, grade="sandbox", provider="accounts")
    verdicts = [*(one.verdict for one in cells), *(one.verdict for one in findings)]
    return Report(drill, worst(verdicts), cells, findings)


def rich(clock: Literal["simulated", "wall"] = "simulated") -> Report:
    """A report with a bit of everything."""
    mismatches = (
        Mismatch('{"id":"lost-1"}', "lost", '{"id":"lost-1","name":"Ana"}', None),
        Mismatch('{"id":"stale-1"}', "stale", '{"id":"stale-1","total":"100.01"}', '{"id":"stale-1","total":"99.99"}'),
        Mismatch('{"id":"long-1"}', "corrupt", LONG_BEFORE, LONG_AFTER),
        Mismatch(HOSTILE, "resurrected", None, HOSTILE),
    )
    many = tuple(Mismatch(f"key-{number:03d}", "lost", f"value-{number:03d}", None) for number in range(30))
    bad = attempt(
        "dynamodb_backup",
        finding("settings"),
        finding("settings.ttl", "unknown", "KeyError: 'ttl'"),
        finding("records.complete", "fail", HOSTILE),
        rto=20000.0,
        mismatches=mismatches,
        assumed=True,
    )
    broken_off = attempt("dynamodb_stream_copy", finding("attempt", "fail", "refused " + "x" * 900), rto=None)
    copy = attempt("dynamodb_stream_copy", finding("records.complete", "fail"), mismatches=many)
    nothing = [without_point("dynamodb_pitr"), without_point("dynamodb_backup", "skipped", "unknown")]
    return report(
        cell("bulk_erase", "orders", "pass", attempt(), without_point("dynamodb_global_table")),
        cell("bulk_erase", HOSTILE, "fail", bad, broken_off),
        cell("bulk_erase:overwrite", "orders", "fail", attempt(), copy),
        cell("account_loss", "orders", "fail", *nothing),
        cell("account_loss", HOSTILE, "unknown"),
        findings=(finding("clean_up"), finding("drill", "unknown", "the saboteur was here")),
        clock=clock,
    )


# --- Any report ----------------------------------------------------------------------------------------------------

VERDICTS: st.SearchStrategy[Verdict] = st.sampled_from(["pass", "fail", "unknown"])
TEXTS = st.one_of(
    st.sampled_from(["orders", HOSTILE, "", "\x00\x1b[31m\r\n\u202e\ud800", "é🦊", "a" * 400]), st.text(max_size=20)
)
NAMES = st.one_of(st.sampled_from(["orders", "carts", HOSTILE]), st.text(min_size=1, max_size=8))
SECONDS = st.floats(0, 1e7, allow_nan=False)
COUNTS = st.integers(0, 2**40)
MOMENTS = st.integers(0, 2**52).map(lambda us: datetime(1990, 1, 1, tzinfo=UTC) + timedelta(microseconds=us))
CHECKS = st.sampled_from(["records.complete", "rpo", "recovery_point", "skipped", HOSTILE])
FINDINGS = st.lists(
    st.builds(Finding, CHECKS, VERDICTS, TEXTS, TEXTS, TEXTS, COUNTS), max_size=4
).map(tuple)  # fmt: skip
CLASSES = st.sampled_from(["lost", "stale", "corrupt", "resurrected", "indeterminate"])
MISMATCHES = st.lists(
    st.builds(Mismatch, TEXTS, CLASSES, st.none() | TEXTS, st.none() | TEXTS), max_size=3
).map(tuple)  # fmt: skip


@st.composite
def attempts(draw: st.DrawFn, protection: str) -> Attempt:
    findings = draw(FINDINGS)
    return Attempt(
        protection=protection,
        recovery_point=draw(
            st.none()
            | st.builds(RecoveryPoint, TEXTS, st.just(protection), TEXTS, TEXTS, MOMENTS, st.just({}), SECONDS)
        ),
        verdict=worst(one.verdict for one in findings),
        rto_seconds=draw(st.none() | SECONDS),
        rto_p95_seconds=draw(st.none() | SECONDS),
        rpo_seconds=draw(st.none() | SECONDS),
        writes_lost=draw(st.none() | COUNTS),
        phases=draw(st.builds(Phases, *[st.none() | SECONDS] * 7)),
        endpoint=draw(st.none() | st.builds(Endpoint, *[st.none() | SECONDS] * 3)),
        records=draw(st.none() | st.builds(RecordCounts, *[COUNTS] * 7)),
        findings=findings,
        mismatches=draw(MISMATCHES),
        assumed=draw(st.booleans()),
    )


@st.composite
def cells(draw: st.DrawFn, scenario: str, store: str) -> Cell:
    protections = draw(st.lists(NAMES, max_size=3, unique=True))
    return Cell(
        scenario=scenario,
        store=store,
        kind=draw(NAMES),
        verdict=draw(VERDICTS),
        path=draw(st.none() | st.sampled_from(protections)) if protections else None,
        rto_seconds=draw(st.none() | SECONDS),
        rto_objective_seconds=draw(SECONDS),
        rpo_seconds=draw(st.none() | SECONDS),
        rpo_objective_seconds=draw(SECONDS),
        writes_acknowledged=draw(COUNTS),
        writes_lost=draw(st.none() | COUNTS),
        attempts=tuple(draw(attempts(protection)) for protection in protections),
    )


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """Any report whose verdict is the worst of its parts."""
    places = draw(st.lists(st.tuples(NAMES, NAMES), max_size=3, unique=True))
    drill = DrillInfo(
        draw(NAMES), draw(st.integers()), draw(TEXTS), draw(TEXTS), draw(st.sampled_from(["simulated", "sandbox"])),
        draw(TEXTS), draw(MOMENTS), draw(st.sampled_from(["simulated", "wall"])),
    )  # fmt: skip
    found = draw(FINDINGS)
    judged = tuple(draw(cells(scenario, store)) for scenario, store in places)
    return Report(drill, worst([*(one.verdict for one in judged), *(one.verdict for one in found)]), judged, found)
