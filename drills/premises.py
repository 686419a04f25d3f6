"""What must hold for any attempt to prove something: that there were writes, and that there was a failure.

A drill whose application could not write loses nothing, and one whose failure hit nothing restores what was never lost.
Both would pass. So these are findings on every attempt at the store.
"""

from __future__ import annotations

from collections.abc import Mapping

from botocore.exceptions import BotoCoreError, ClientError

from drills.durations import written
from drills.findings import setting_findings
from drills.lead_up import Waited
from drills.model import JSON, Finding
from drills.workload import Sent, StoreWorkload


def workload_finding(store: str, sent: Sent, waited: Waited | None = None) -> Finding:
    """Whether most of what the workload sent was acknowledged. Without acknowledged writes no loss can be measured.

    Writes of a kind that is not allowed at all are never among those that are lost: what they would tell is missing.
    """
    meanwhile = "" if waited is None else f"; {_meanwhile(waited, waited.sent[store])}"
    proves = 2 * sent.acknowledged >= sent.due and not sent.forbidden
    return Finding(
        check="workload",
        verdict="pass" if proves else "unknown",
        subject=store,
        expected="at least half of the writes acknowledged",
        observed=f"{sent.acknowledged:,} of {sent.due:,} acknowledged, {sent.rejected:,} rejected, "
        f"{sent.unanswered:,} without an answer{meanwhile}"
        + (f"; not allowed: {sent.forbidden}" if sent.forbidden else ""),
        records_covered=sent.due,
    )


def _meanwhile(waited: Waited, sent: int) -> str:
    slowed = "" if waited.pace == 1 else f", at {waited.pace:.0%} of the pace"
    return f"{sent:,} of them in the {written(waited.seconds)} that the failure waited to begin{slowed}"


def failure_finding(workload: StoreWorkload, damaged: int) -> Finding:
    """Whether the failure hit the store: records of it were damaged, or it is gone or out of reach."""
    hit = f"{damaged:,} records damaged" if damaged else _out_of_reach(workload)
    return Finding(
        check="failure",
        verdict="pass" if hit else "unknown",
        subject=workload.site.store.name,
        expected="the store damaged, gone or out of reach",
        observed=hit or "it is there and answers, with no record damaged: nothing was lost that could be restored",
    )


def _out_of_reach(workload: StoreWorkload) -> str:
    try:
        workload.kind.settings(workload.site, workload.at)
    except (ClientError, BotoCoreError) as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return ""


def unchanged_finding(before: Mapping[str, JSON], now: Mapping[str, JSON], store: str) -> Finding:
    """Whether the store is still set as when it was protected: it is put back as it was then."""
    changed = [finding for finding in setting_findings(before, now, store) if finding.verdict != "pass"]
    return Finding(
        check="unchanged",
        verdict="fail" if changed else "pass",
        subject=store,
        expected="; ".join(finding.expected for finding in changed) or "set as when it was protected",
        observed="; ".join(finding.observed for finding in changed) or "all the same",
    )
