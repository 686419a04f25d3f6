"""What a failure waits for before it can begin is no time of anybody's recovery; the application writes meanwhile."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg

from drills import engine
from drills.clock import microseconds
from drills.drill_plan import ScenarioUse
from drills.errors import ProtectionError
from drills.evidence import EvidenceFile, read_ledger
from drills.history import Event, read_history
from drills.judge import judge
from drills.lead_up import PACE, going_on_writing
from drills.model import Grade, Report
from drills.plugins import load_scenario
from drills.scenario import Incident
from drills.simulator import SimulatedAWS
from tests.small_database import store, text
from tests.small_drill import ReachableProvider, attempt, drill, estate, failed, later, production
from tests.test_referring import shop
from tests.test_workload import deviations, seeded

DETECTED = timedelta(minutes=10)
SLOWED = PACE["simulated"]


def only(events: list[Event], kind: str) -> Event:
    (found,) = [event for event in events if event.kind == kind]
    return found


# --- For a database ------------------------------------------------------------------------------------------------


def insert_note(aws: SimulatedAWS) -> None:
    """Somebody writes into a table that no record covers."""
    (one,) = production(aws, "rds").describe_db_instances()["DBInstances"]
    named = f"rds/{one['DBInstanceIdentifier']}"
    secret = json.loads(production(aws, "secretsmanager").get_secret_value(SecretId=named)["SecretString"])
    host, port = one["Endpoint"]["Address"], one["Endpoint"]["Port"]
    with psycopg.connect(
        host=host, port=port, user=secret["username"], password=secret["password"], dbname=secret["dbname"]
    ) as connection:
        connection.execute("INSERT INTO notes VALUES ('written while the failure waited')")


def test_a_snapshot_in_progress_when_a_database_is_deleted_is_waited_for_before_the_failure(tmp_path: Path) -> None:
    """Somebody takes a snapshot of 100 GB two minutes before the workload ends: RDS refuses to change anything of the
    database until it has been taken. The application writes on, and what it writes is lost with the rest."""

    def take(aws: SimulatedAWS) -> None:
        rds = production(aws, "rds")
        (one,) = rds.describe_db_instances()["DBInstances"]
        rds.create_db_snapshot(DBInstanceIdentifier=one["DBInstanceIdentifier"], DBSnapshotIdentifier="by-hand")
        later(300, insert_note)(aws)

    database = store("postgres", ["{rds_snapshot: {every: 7d}}"]).replace(
        "writes_per_minute: 4", "writes_per_minute: 40"
    )
    database = database.replace("CREATE ROLE readers;", "CREATE TABLE notes (note text); CREATE ROLE readers;")
    # What was written and deleted again would not be missed.
    database = database.replace("deletes: 1, erasures: 1", "deletes: 0, erasures: 0")
    report, folder = drill(
        tmp_path, "table_deletion", early=later(0, take), text=text(database, minutes=12), records=10
    )
    events = list(read_history(folder))
    began, gone = only(events, "failure.began").at, only(events, "deleted").at
    assert began - only(events, "workload.started").at > timedelta(minutes=20)
    assert only(events, "unlocked").at <= began
    assert gone - began < DETECTED
    # Who watches does not wait until the deletion has run its course.
    assert only(events, "detected").at - began == DETECTED
    tried = attempt(report, "rds_snapshot")
    assert tried.phases.detect == DETECTED.total_seconds()
    # What was written meanwhile counts as lost, until the failure began.
    waited = only(events, "failure.waited")
    minutes = waited.number("seconds") / 60
    ledger = only(events, "ledger")
    ended = microseconds(began) - round(minutes * 60e6)
    written = [one for one in read_ledger(folder, EvidenceFile.told_by(ledger)) if one.sent_us >= ended]
    assert waited.mapping("writes") == {"payments": len(written)}
    assert 0.4 < len(written) / (minutes * 40 * SLOWED) < 1.8
    assert all(one.acknowledged_us is not None for one in written)
    assert tried.recovery_point is not None
    since = microseconds(tried.recovery_point.as_of)
    every = [one for one in read_ledger(folder, EvidenceFile.told_by(ledger)) if one.sent_us > since]
    assert {one.sequence for one in written} < {one.sequence for one in every}
    assert tried.writes_lost == len(every)
    assert failed(report).keys() == {"unlisted.public.notes"}
    assert failed(report)["unlisted.public.notes"].verdict == "unknown"
    (premise,) = [one for one in tried.findings if one.check == "workload"]
    assert f"{len(written)} of them in the" in premise.observed
    assert "that the failure waited to begin, at 5% of the pace" in premise.observed


# --- For any scenario ----------------------------------------------------------------------------------------------

SOME = ("writes_per_minute: 2", "writes_per_minute: 60")
MINUTES = 60


def waiting(
    out: Path,
    *,
    grade: Grade = "simulated",
    minutes: float = MINUTES,
    hook: Callable[[SimulatedAWS], None] = lambda _: None,
) -> tuple[Report, Path]:
    """A drill whose failure waits for so long after a workload of a minute."""
    provider = ReachableProvider()
    provider.grade = grade
    found = load_scenario("table_deletion")

    def lead_up(incident: Incident) -> None:
        assert provider.aws is not None
        hook(provider.aws)
        provider.aws.clock.sleep(minutes * 60)

    use = ScenarioUse("table_deletion", "deleted", replace(found, lead_up=lead_up))
    small = estate().source.replace("workload_minutes: 80", "workload_minutes: 1").replace(*SOME)
    small = small.replace(
        "dynamodb_pitr, dynamodb_system_backup, dynamodb_stream_copy", "dynamodb_pitr, dynamodb_system_backup"
    )
    folder = engine.run(engine.plan(estate(small), [use], provider, 3, records=20), out, lambda _: None)
    return judge(folder), folder


def sent_meanwhile(folder: Path) -> int:
    return int(only(list(read_history(folder)), "failure.waited").mapping("writes")["people"])


def test_the_pace_is_reduced_in_simulated_drills_alone(tmp_path: Path) -> None:
    slowed = sent_meanwhile(waiting(tmp_path / "simulated")[1])
    assert 0.6 < slowed / (MINUTES * 60 * SLOWED) < 1.4
    full = sent_meanwhile(waiting(tmp_path / "sandbox", grade="sandbox", minutes=4)[1])
    assert 0.8 < full / (4 * 60) < 1.2


def test_a_seed_gives_the_same_writes(tmp_path: Path) -> None:
    one, two = (waiting(tmp_path / name)[1] for name in "ab")
    assert (one / "history.jsonl").read_bytes() == (two / "history.jsonl").read_bytes()


def test_a_failure_that_waits_for_nothing_is_told_as_before(tmp_path: Path) -> None:
    report, folder = waiting(tmp_path, minutes=0)
    events = list(read_history(folder))
    assert "failure.waited" not in {event.kind for event in events}
    (premise, *_) = [one for each in report.cells[0].attempts for one in each.findings if one.check == "workload"]
    assert premise.observed.endswith("without an answer")


def test_an_application_that_cannot_write_while_the_failure_waits_proves_nothing(tmp_path: Path) -> None:
    def throttle(aws: SimulatedAWS) -> None:
        aws.faults(throttle=1.0, operations={"PutItem", "DeleteItem"})

    report, _ = waiting(tmp_path, hook=throttle)
    assert failed(report)["workload"].verdict == "unknown"


# --- The writes ----------------------------------------------------------------------------------------------------


@contextmanager
def answered_late(aws: SimulatedAWS) -> Iterator[None]:
    """Most tries are refused, so that writes take many times as long as there is between two arrivals."""
    with aws.faults(throttle=0.7, lose_acknowledgement=0.3, operations={"PutItem", "DeleteItem"}):
        yield


def test_one_write_waits_for_the_answer_to_the_one_before(tmp_path: Path) -> None:
    with seeded(tmp_path) as (aws, workload):
        clock = workload.site.clock
        with answered_late(aws), going_on_writing([workload], workload.site.world, pace=1) as waited:
            clock.sleep(300)
        writes = list(workload.ledger)[10:]
        assert waited.sent == {"people": workload.sent.due}
        assert any(write.acknowledged_us is None for write in writes)
        assert [write.sequence for write in writes] == sorted(write.sequence for write in writes)
        for before, after in itertools.pairwise(writes):
            assert before.acknowledged_us is None or before.acknowledged_us <= after.sent_us
        assert deviations(workload) == []


def test_nothing_is_written_once_the_failure_can_begin(tmp_path: Path) -> None:
    with seeded(tmp_path) as (_, workload):
        clock, world = workload.site.clock, workload.site.world
        with suppress(ProtectionError), going_on_writing([workload], world, pace=1):
            workload.site.wait("it", lambda: False, every_seconds=5, limit_seconds=60)
        count = len(list(workload.ledger))
        assert count > 10
        clock.sleep(600)
        assert len(list(workload.ledger)) == count


def test_a_store_that_is_never_written_to_waits_for_nothing(tmp_path: Path) -> None:
    with seeded(tmp_path) as (_, workload), going_on_writing([workload], workload.site.world, pace=0) as waited:
        workload.site.clock.sleep(60)
    assert (waited.seconds, waited.sent) == (60, {"people": 0})


def test_what_records_name_is_written_first_here_too(tmp_path: Path) -> None:
    with shop(tmp_path, records=(9, 9)) as made:
        site = made.orders.site
        with going_on_writing([made.orders, made.invoices], site.world, pace=1):
            for _ in range(4):
                site.clock.sleep(120)
                assert made.loose() == []
        assert made.orders.sent.acknowledged > 100
