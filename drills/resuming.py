"""A drill that ended before its end: what is left of it is deleted, and what it proved up to then is judged.

Nothing is tried again. What an attempt had read back and written down stands; what was not tried, or was being tried
when the drill ended, is unknown, as a time that nobody watched belongs in no figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from drills.clean_up import Ask, CleanUp, Progress, clean_up
from drills.cleaning_permissions import cleaning_by_record
from drills.clock import Clock
from drills.errors import ConfigurationError, UsageError
from drills.history import Event, History
from drills.intentions import Header, Intentions, Told
from drills.judge import judge
from drills.keeping import as_remark
from drills.model import AccountRole, Report
from drills.permissions import narrowing
from drills.report import write_all
from drills.safety import is_the_account
from drills.sandbox_file import SandboxFile, read_sandbox
from drills.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Resumed:
    """What came of a drill: how far it had come, what was cleaned up, and its report."""

    how_far: tuple[str, ...]
    found: CleanUp
    report: Report


def cleaned_up(folder: Path, clock: Clock, progress: Progress, file: Path | None = None) -> CleanUp:
    """Delete what the drill of this folder left. ``file``: the provider file, if it is no longer where it was.

    Raises UsageError before anything is done where the folder, the file or the accounts are not the drill's.
    """
    record, told_so_far = Intentions.go_on(folder)
    with record:
        ask = asking(record.header, file, told_so_far)
        thorough = record.header.endpoint_url is not None
        return clean_up(record, told_so_far, ask, clock, progress, thorough=thorough)


def resume(folder: Path, clock: Clock, progress: Progress, file: Path | None = None) -> Resumed:
    """Bring a drill to its end: clean up after it, judge what there is, write its report. Raises as cleaned_up does."""
    record, told_so_far = Intentions.go_on(folder)
    with record:
        ask = asking(record.header, file, told_so_far)
        history, events = History.go_on(folder)
        with history:
            how_far = [_tell(history, events, label, clock.now()) for label in _interrupted(events)]
            for line in how_far:
                progress(line)
            found = clean_up(record, told_so_far, ask, clock, progress, thorough=record.header.endpoint_url is not None)
            if how_far or events[-1].kind != "drill.ended":
                _end(history, events, found, clock.now())
    report = judge(folder)
    write_all(report, folder)
    return Resumed(tuple(how_far), found, report)


def _interrupted(events: Sequence[Event]) -> list[str]:
    """The scenarios that began and were not cleaned up after, in order."""
    begun = [event.text("scenario") for event in events if event.kind == "scenario.started"]
    over = {event.text("scenario") for event in events if event.kind in ("cleanup", "stopped")}
    return [label for label in begun if label not in over]


def _tell(history: History, events: Sequence[Event], label: str, at: datetime) -> str:
    own = [event for event in events if event.data.get("scenario") == label]
    failed = any(event.kind == "failure.began" for event in own)
    last = own[-1]
    where = (
        "after the failure: what was not read back by then is unknown"
        if failed
        else ("before the failure: nothing was destroyed, and nothing is proved")
    )
    reason = f"the drill ended by force {where} (its last word is {last.kind!r} at {last.at:%Y-%m-%d %H:%M:%S} UTC)"
    history.append("stopped", at, scenario=label, reason=reason)
    return f"{label}: {reason}"


def _end(history: History, events: Sequence[Event], found: CleanUp, at: datetime) -> None:
    cleaned = {event.text("scenario") for event in events if event.kind == "cleanup"}
    for label in [event.text("scenario") for event in events if event.kind == "scenario.started"]:
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
