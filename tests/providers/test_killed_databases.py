"""A drill of a database, killed at any call or statement: what it made is deleted, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from drills import engine
from drills.clean_up import CleanUp
from drills.history import read_history
from drills.intentions import Intentions
from drills.judge import judge
from drills.resuming import cleaned_up
from drills.standing import standing_of
from tests.simulated_sandbox import Sandbox, plan_of, sandbox, text

EVERYTHING = (
    "[{rds_automated_backup: {replicate_to: eu-north-1}}, {rds_snapshot: {every: 15m}}, rds_read_replica, "
    "{rds_snapshot_copy: {interval: 15m, every_minutes: 5}}]"
)


class Killed(BaseException):
    """Stands for the end of the process: no clean-up of the drill's own gets any change through afterwards."""


@dataclass
class Killer:
    """Ends the process ``before`` the change of that number is sent, or ``after`` it was carried out and before that
    is noted. A number that is a word means the first operation of that name."""

    moment: str
    at: int | str
    dead: bool = False
    operations: list[str] = field(default_factory=list)

    def meets(self, number: int, operation: str) -> bool:
        return operation == self.at if isinstance(self.at, str) else number == self.at


@contextmanager
def killing(killer: Killer) -> Iterator[Killer]:
    intend, done = Intentions.intend, Intentions.done
    fatal: set[int] = set()

    def intended(record: Intentions, call: tuple[str, str], *what: Any, **more: Any) -> int:
        if killer.dead:
            raise Killed
        number = intend(record, call, *what, **more)
        killer.operations.append(call[1])
        if killer.meets(number, call[1]):
            fatal.add(number)
            if killer.moment == "before":
                killer.dead = True
                raise Killed
        return number

    def noted(record: Intentions, number: int, *what: Any, **more: Any) -> None:
        killer.dead |= number in fatal
        if killer.dead:
            raise Killed
        done(record, number, *what, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Intentions, "intend", intended)
        patch.setattr(Intentions, "done", noted)
        yield killer


def held_against(
    folder: Path, monkeypatch: pytest.MonkeyPatch, killer: Killer, scenario: str, protections: str, kind: str
) -> tuple[Sandbox, list[CleanUp]]:
    """Run, kill, clean up twice: the accounts are as they were."""
    with sandbox(folder, monkeypatch) as ground:
        plan = plan_of(ground.provider, text(protections, kind), scenario)
        ground.settle(plan.prefix, plan.drill.id)
        before = ground.seen()
        with killing(killer), suppress(Killed):
            engine.run(plan, folder / "out", lambda _: None)
        # One of fewer changes comes to its end, and its own clean-up is held to the same.
        assert killer.dead or (isinstance(killer.at, int) and killer.at > len(killer.operations))
        found = []
        for _ in range(2):
            found.append(cleaned_up(folder / "out" / plan.drill.id, ground.aws.clock, lambda _: None))
            assert found[-1].left == []
            assert found[-1].gaps == []
            assert ground.seen() == before
        return ground, found


@pytest.mark.parametrize(
    ("moment", "operation"),
    [
        pytest.param("after", "CreateDBInstance", marks=pytest.mark.soak),
        ("before", "the bug 'all'"),
        ("after", "RestoreDBInstanceToPointInTime"),
    ],
)
def test_killed_and_cleaned_up_twice(
    moment: str, operation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killer = Killer(moment, operation)
    _, found = held_against(tmp_path, monkeypatch, killer, "bulk_erase", "[rds_automated_backup]", "postgres")
    assert found[0].deleted
    assert found[1].deleted == []


@pytest.mark.parametrize("moment", ["before", pytest.param("after", marks=pytest.mark.soak)])
def test_killed_while_all_of_it_is_read_the_path_stands(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the figure, as nobody knows when it would have been at full speed."""
    killer = Killer(moment, "reading every block")
    ground, _ = held_against(tmp_path, monkeypatch, killer, "bulk_erase", "[rds_automated_backup]", "postgres")
    (folder,) = (tmp_path / "out").iterdir()
    ((attempt,),) = [cell.attempts for cell in judge(folder).cells]
    assert attempt.verdict == "pass"
    assert attempt.rto_seconds is not None
    assert attempt.endpoint is not None
    assert attempt.endpoint.verified_seconds is not None
    assert attempt.endpoint.full_speed_seconds is None
    events = [event for event in read_history(folder) if event.kind not in ("cleanup", "error")]
    estate = plan_of(ground.provider, text("[rds_automated_backup]"), "bulk_erase").estate
    (label,) = {str(event.data["scenario"]) for event in events if "scenario" in event.data}
    standing = standing_of(events, label, estate)
    (one,) = standing.stores
    assert [(each.ended, each.cut_over) for each in one.tries.values()] == [(True, True)], "it is not tried again"


@pytest.mark.soak
@pytest.mark.parametrize("number", range(1, 171, 2))
@pytest.mark.parametrize(
    ("kind", "protections"),
    [
        ("postgres", EVERYTHING),
        (
            "aurora-postgresql",
            "[rds_automated_backup, aurora_global_database, {rds_snapshot_copy: {interval: 15m, every_minutes: 5}}]",
        ),
    ],
)
def test_killed_at_every_other_change(
    kind: str, protections: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = "before" if number % 4 == 1 else "after"
    held_against(tmp_path, monkeypatch, Killer(moment, number), "account_loss", protections, kind)
