"""What a failure waits for before it can begin is no time of anybody's recovery."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from drills.history import Event, read_history
from drills.simulator import SimulatedAWS
from tests.small_database import store, text
from tests.small_drill import attempt, drill, later, production

DETECTED = timedelta(minutes=10)


def only(events: list[Event], kind: str) -> Event:
    (found,) = [event for event in events if event.kind == kind]
    return found


def test_a_snapshot_in_progress_when_a_database_is_deleted_is_waited_for_before_the_failure(tmp_path: Path) -> None:
    """Somebody takes a snapshot of 100 GB two minutes before the workload ends: RDS refuses to change anything of the
    database until it has been taken."""
    taken: list[str] = []

    def take(aws: SimulatedAWS) -> None:
        rds = production(aws, "rds")
        (one,) = rds.describe_db_instances()["DBInstances"]
        rds.create_db_snapshot(DBInstanceIdentifier=one["DBInstanceIdentifier"], DBSnapshotIdentifier="by-hand")
        taken.append(aws.clock.now().isoformat())

    estate = text(store("postgres", ["{rds_snapshot: {every: 6h}}"]), minutes=12)
    report, folder = drill(tmp_path, "table_deletion", early=later(0, take), text=estate, records=10)
    events = list(read_history(folder))
    began, gone = only(events, "failure.began").at, only(events, "deleted").at
    assert began - only(events, "workload.started").at > timedelta(minutes=20)
    assert only(events, "unlocked").at <= began
    assert gone - began < DETECTED
    # Who watches does not wait until the deletion has run its course.
    assert only(events, "detected").at - began == DETECTED
    tried = attempt(report, "rds_snapshot")
    assert tried.phases.detect == DETECTED.total_seconds()
