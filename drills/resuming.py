"""A drill in sandbox accounts that ended before its end: it goes on, or is cleaned up after; and it is judged.

It goes on where a process was killed, and only as the very drill that was approved: planned again with the same words,
its plan must have the same digest, and the accounts are proven safe again. One that had come to its end, or that was
told to stop, is only cleaned up after.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from drills.clean_up import Ask, CleanUp, Progress, clean_up
from drills.cleaning_permissions import cleaning_by_record
from drills.clock import Clock
from drills.errors import ConfigurationError, DrillError, EvidenceError, UsageError
from drills.going_on import CutOff, go_on
from drills.history import Event, History
from drills.in_force import in_force
from drills.intentions import Header, Intentions, Told
from drills.judge import judge
from drills.keeping import as_remark
from drills.model import AccountRole, Report
from drills.permissions import narrowing
from drills.report import write_all
from drills.running import plan_drill, rehearsed
from drills.safety import is_the_account
from drills.sandbox_file import SandboxFile, read_sandbox
from drills.sandbox_plan import SandboxPlan
from drills.sessions import Sessions
from drills.standing import CLEANED_UP
from drills.stopping import stop_file


@dataclass(frozen=True, slots=True)
class Resumed:
    """What came of a drill: what was done about each scenario, what was cleaned up, and its report. ``found`` is None
    for one that went on, as each scenario of it was cleaned up after by itself."""

    lines: tuple[str, ...]
    found: CleanUp | None
    report: Report


def cleaned_up(folder: Path, clock: Clock, progress: Progress, file: Path | None = None) -> CleanUp:
    """Delete what the drill of this folder left. ``file``: the provider file, if it is no longer where it was.

    Raises UsageError before anything is done where the folder, the file or the accounts are not the drill's.
    """
    record, told_so_far = Intentions.go_on(folder)
    with record:
        ask = asking(record.header, file, told_so_far)
        _tell_that_it_is_cleaned_up(folder, clock)
        thorough = record.header.endpoint_url is not None
        return clean_up(record, told_so_far, ask, clock, progress, thorough=thorough)


def _tell_that_it_is_cleaned_up(folder: Path, clock: Clock) -> None:
    """So that nobody goes on with attempts at what is gone. What was made is deleted also where nothing can be told."""
    with suppress(EvidenceError, OSError):
        history, events = History.go_on(folder)
        with history:
            if events[-1].kind != "drill.ended":
                history.append(CLEANED_UP, clock.now())


def resume(folder: Path, clock: Clock, progress: Progress, file: Path | None = None) -> Resumed:
    """Bring a drill to its end, judge it and write its report. ``file`` as for cleaned_up.

    Raises as cleaned_up does, and UsageError where the drill cannot go on as what was approved; nothing was done then.
    """
    record, told = Intentions.go_on(folder)
    with record:
        history, events = History.go_on(folder)
        with history:
            ask = asking(record.header, file, told)
            found: CleanUp | None = None
            cut_off = CutOff(folder, history, events, record, told, ask)
            stopped = stop_file(folder)()
            if stopped is None and _is_cut_off(record.header, events):
                planned = _planned_again(record.header, events, file, progress)
                progress("asking each account what it is")
                planned.provider.check(planned.plan.estate)
                lines = go_on(planned.plan, planned.provider, cut_off, clock, progress)
            else:
                lines, found = _ended(cut_off, stopped, clock, progress)
    report = judge(folder)
    write_all(report, folder)
    return Resumed(tuple(lines), found, report)


def _is_cut_off(header: Header, events: Sequence[Event]) -> bool:
    """Whether nobody told it to stop, and more is missing than its last word."""
    if events[-1].kind == "drill.ended" or any(event.kind == "stopped" for event in events):
        return False
    cleaned = {event.data.get("scenario") for event in in_force(events) if event.kind == "cleanup"}
    return header.asked is None or not cleaned >= set(header.asked.scenarios)


# --- The same plan -------------------------------------------------------------------------------------------------


def _planned_again(header: Header, events: Sequence[Event], file: Path | None, progress: Progress) -> SandboxPlan:
    """The plan that was approved. Raises UsageError, saying what differs, where it cannot be made any more."""
    asked = header.asked
    if asked is None:
        raise UsageError(
            f"{header.drill_id}: expected a record that says what was asked for and approved, found one that does not. "
            f"It cannot go on: {_INSTEAD}"
        )
    progress("planning the drill again")
    elsewhere = "" if Path.cwd() == Path(asked.folder) else f" It was started in {asked.folder}: go there first."
    on = header.provider if file is None else str(file)
    try:
        plan = plan_drill(
            asked.scenarios,
            on=on,
            estate=asked.estate,
            stores=asked.stores,
            paths=asked.paths,
            seed=asked.seed,
            records=asked.records,
        )
        started = events[0].mapping("drill")
        drill = replace(plan.drill, id=header.drill_id, started=datetime.fromisoformat(str(started["started"])))
        planned = rehearsed(replace(plan, drill=drill))
    except DrillError as error:
        raise UsageError(
            f"{header.drill_id}: the plan that was approved cannot be made again: {error}{elsewhere} It cannot go on: "
            f"{_INSTEAD}"
        ) from None
    assert planned is not None
    if changed := planned.changed_since(asked.approved):
        raise UsageError(
            f"{header.drill_id}: the plan is another one than the {asked.approved} that was approved; what changed: "
            f"{changed}.{elsewhere} Put it back as it was, and it goes on; otherwise {_INSTEAD}"
        )
    return planned


_INSTEAD = "`drills cleanup` deletes what is left, and `drills judge` judges what there is. Nothing was done."


# --- What does not go on -------------------------------------------------------------------------------------------


def _ended(cut_off: CutOff, stopped: str | None, clock: Clock, progress: Progress) -> tuple[list[str], CleanUp]:
    """Clean up after a drill that does not go on, and let it end. ``stopped``: why, if it is told so only now."""
    events, history, record = cut_off.events, cut_off.history, cut_off.record
    lines = (
        []
        if stopped is None
        else [_tell(history, events, label, stopped, clock.now()) for label in _interrupted(events)]
    )
    if stopped is not None and _is_cut_off(record.header, events) and not lines:
        history.append("stopped", clock.now(), reason=stopped)
        lines = [stopped]
    for line in lines:
        progress(line)
    thorough = record.header.endpoint_url is not None
    found = clean_up(record, cut_off.told, cut_off.ask, clock, progress, thorough=thorough)
    if lines or events[-1].kind != "drill.ended":
        _end(history, events, found, clock.now())
    return lines, found


def _interrupted(events: Sequence[Event]) -> list[str]:
    """The scenarios that began and were not cleaned up after, in order."""
    counting = in_force(events)
    begun = [event.text("scenario") for event in events if event.kind == "scenario.started"]
    over = {event.text("scenario") for event in counting if event.kind in ("cleanup", "stopped")}
    return [label for label in dict.fromkeys(begun) if label not in over]


def _tell(history: History, events: Sequence[Event], label: str, stopped: str, at: datetime) -> str:
    own = [event for event in in_force(events) if event.data.get("scenario") == label]
    failed = any(event.kind == "failure.began" for event in own)
    last = own[-1]
    where = (
        "after the failure: what was not read back by then is unknown"
        if failed
        else ("before the failure: nothing was destroyed, and nothing is proved")
    )
    reason = (
        f"{stopped}; the drill had ended by force {where} (its last word is {last.kind!r} at "
        f"{last.at:%Y-%m-%d %H:%M:%S} UTC)"
    )
    history.append("stopped", at, scenario=label, reason=reason)
    return f"{label}: {reason}"


def _end(history: History, events: Sequence[Event], found: CleanUp, at: datetime) -> None:
    cleaned = {event.text("scenario") for event in in_force(events) if event.kind == "cleanup"}
    begun = [event.text("scenario") for event in events if event.kind == "scenario.started"]
    for label in dict.fromkeys(begun):
        if label not in cleaned:
            history.append("cleanup.done", at, scenario=label, **as_remark(found))
            history.append("cleanup", at, scenario=label, left=[*map(str, found.left), *found.gaps])
    history.append("drill.ended", at)


def asking(header: Header, file: Path | None, told: Told | None = None) -> Ask:
    """Clients of the drill's accounts, proved to be these. Raises UsageError where the file leads somewhere else.

    With what the drill's record told, their sessions are narrowed to deleting what it names.
    """
    path = Path(header.provider) if file is None else file
    try:
        given = read_sandbox(path)
    except ConfigurationError:
        raise
    except UsageError as error:
        raise UsageError(f"{error}. Give the provider file of the drill with --on. Nothing was done.") from None
    _same_place(header, given)
    sessions = Sessions(given.file, given.accounts.accesses, given.endpoint_url)
    needed = cleaning_by_record(told) if told is not None else frozenset()
    prefix = f"{given.prefix}-{header.drill_id[-5:]}"
    made: dict[AccountRole, object] = {}

    def ask(service: str, role: AccountRole, region: str) -> object:
        if role not in made:
            policy = narrowing(needed, prefix, role, whole_services=False) if needed else None
            made[role] = sessions.session(role, header.accounts[role].region, policy=policy)
        return sessions.client(made[role], service, region)  # type: ignore[arg-type]

    for role, account in header.accounts.items():
        is_the_account(
            role, account, lambda service, role: ask(service, role, header.accounts[role].region), given.file
        )
    return ask


def _same_place(header: Header, given: SandboxFile) -> None:
    if given.endpoint_url != header.endpoint_url:
        raise UsageError(
            f"{given.file}: its calls go to {given.endpoint_url or 'AWS'}; the drill {header.drill_id} ran at "
            f"{header.endpoint_url or 'AWS'}. Give the provider file that it ran with. Nothing was done."
        )
