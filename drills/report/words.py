"""The words that every report format uses: labels, the grade's sentence, the glossary, and text made safe to show."""

from __future__ import annotations

import re
from typing import Final

from drills.durations import written
from drills.model import RECORD_CLASSES, Attempt, Cell, ClockKind, Finding, Grade, RecordCounts, Verdict

GRADES: Final[dict[Grade, str]] = {
    "simulated": "this is no proof that a production backup restores",
    "sandbox": "real AWS accounts that are not production; production's own recovery points were not restored",
}
CLOCKS: Final[dict[ClockKind, str]] = {"simulated": "simulated", "wall": "measured"}
"""How every duration is labelled; the two are never mixed."""

CLOCK_SENTENCES: Final[dict[ClockKind, str]] = {
    "simulated": "simulated: durations come from a timing model, on a simulated clock",
    "wall": "wall: durations were measured as they passed",
}
KIND_NAMES: Final[dict[str, str]] = {"dynamodb": "DynamoDB", "rds": "RDS and Aurora", "s3": "S3"}
PHASE_NAMES: Final[dict[str, str]] = {"find_point": "find point", "cut_over": "cut over"}
ASSUMED: Final = "(A)"
ASSUMED_MEANS: Final = (
    "a simulated duration behind this figure rests on an assumption, not on a published or measured figure"
)
NOT_TRIED: Final = ("skipped", "attempt", "capability")
"""The checks of an attempt that never began."""

NOT_RECOVERED: Final = tuple(name for name in RECORD_CLASSES if name not in ("recovered", "indeterminate"))

GLOSSARY: Final[tuple[tuple[str, str], ...]] = (
    ("Drill", "One run: an estate is destroyed on purpose, restored, and checked against what had been written."),
    ("Estate", "The stores a drill protects, loses and restores. Its data is synthetic."),
    ("Scenario", "One failure, and from where people respond to it."),
    ("Cell", "One scenario × one store. Its figures are those of the preferred path that led back."),
    ("Protection", "A mechanism that makes recovery points of a store and restores from them."),
    ("Recovery point", "A state of a store that one protection can restore: where it lies, and as of when."),
    ("Recovery path", "One protection's way back for one store after one failure."),
    ("Attempt", "One recovery path, tried: restored, verified and cut over as far as it got."),
    (
        "RTO",
        "Recovery time objective, and the time it is held against: from the failure until the restored store was "
        "verified and cut over, not merely until the restore call returned.",
    ),
    (
        "RPO",
        "Recovery point objective, and the loss it is held against: the time from the newest moment up to which every "
        "acknowledged write survived until the failure, and the number of acknowledged writes that are gone. Where a "
        "failure waits before it can begin, as for a snapshot in progress, the application writes on; in a simulated "
        "drill a twentieth of its writes are sent for so long, and the number is of those.",
    ),
    (
        "Endpoint available, full speed",
        "A restored database answers before it is itself again: one that is restored from backups of an RDS instance "
        "fetches what it reads for the first time, until all of its data has been loaded.",
    ),
    ("p50, p95", "The median and the 95th percentile of a simulated duration, by the timing model."),
    (ASSUMED, f"Assumed: {ASSUMED_MEANS}."),
    ("Acknowledged write", "A write that the store confirmed to the application. Every one is in the ledger."),
    ("Ledger", "All acknowledged writes with their times: the only source of what is expected after a restore."),
    ("Pass", "Checked, and as expected."),
    ("Fail", "Checked, and not as expected."),
    ("Unknown", "Could not be decided, for instance because a check broke. Unknown is never pass."),
    ("Expected (records)", "Records that must be there, by the ledger."),
    ("Recovered", "The record came back exactly as last acknowledged."),
    ("Lost", "The record must be there and is not."),
    ("Stale", "The record came back as an earlier state of itself."),
    ("Corrupt", "The record came back as something that was never written."),
    ("Resurrected", "The record had been deleted, erased or had expired, and is back."),
    (
        "By the RPO alone",
        "Writes from after the recovery point cannot come back from it. Records that differ through them alone are "
        "counted in their class, but held against the RPO and not against the restore.",
    ),
    ("Indeterminate", "The record's last write was never acknowledged: it may be there or not, and both are right."),
    ("Evidence", "What the drill saw: history, ledger, inventories. Enough to judge it again offline."),
)

_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufffe\uffff]"
)


def visible(text: str) -> str:
    """Text as it can be shown: control characters, lone surrogates and what turns the direction of writing become
    ``\\u202e`` and the like, so that nothing hides and every format stays well-formed."""
    return _INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: str) -> str:
    return " ".join(visible(text).split())


def plain(name: str) -> str:
    """``bulk_erase:overwrite`` → ``bulk erase (overwrite)``."""
    scenario, _, variant = name.partition(":")
    words = scenario.replace("_", " ")
    return f"{words} ({variant.replace('_', ' ')})" if variant else words


def phase_name(phase: str) -> str:
    return PHASE_NAMES.get(phase, phase)


def counted(count: int, noun: str, plural: str = "") -> str:
    """``1 check``, ``1,204 writes``."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def duration(seconds: float | None) -> str:
    """As ``drills.durations.written``, with a space before a lone unit kept out of line breaks."""
    return written(seconds).replace(" ", "\u00a0")


def deciding(cell: Cell) -> Attempt | None:
    """The attempt to name first where a cell did not pass: one that came to a restore before one that did not."""
    bad = [attempt for attempt in cell.attempts if attempt.verdict != "pass"]
    return next((attempt for attempt in bad if attempt.recovery_point is not None), next(iter(bad), None))


def meets(figure: float | None, objective: float) -> bool:
    return figure is not None and figure <= objective


def preferred(cell: Cell) -> Attempt | None:
    """The attempt that gives the cell its figures."""
    return next((attempt for attempt in cell.attempts if attempt.protection == cell.path), None)


def not_tried(attempt: Attempt) -> bool:
    """Whether this path was left alone: nobody asked for it, it cannot be had there, or the drill broke before."""
    checks = {finding.check for finding in attempt.findings if finding.verdict == "unknown"}
    resumed = any(finding.check == "resumed" for finding in attempt.findings)
    return attempt.recovery_point is None and not resumed and not checks.isdisjoint(NOT_TRIED)


def by_rpo_alone(attempt: Attempt) -> bool:
    """Whether its records differ from the ledger, but only by writes from after the recovery point: the checks of the
    records passed."""
    seen = [finding.verdict for finding in attempt.findings if finding.check.partition(".")[0] == "records"]
    return attempt.records is not None and not_recovered(attempt.records) > 0 and set(seen) == {"pass"}


def not_recovered(records: RecordCounts) -> int:
    """How many records came back wrong or not at all; indeterminate ones are neither."""
    return sum(getattr(records, name) for name in NOT_RECOVERED)


def worst_first(findings: tuple[Finding, ...]) -> list[Finding]:
    """Fail, then unknown, then pass; otherwise in their order."""
    order: dict[Verdict, int] = {"fail": 0, "unknown": 1, "pass": 2}
    return sorted(findings, key=lambda finding: order[finding.verdict])
