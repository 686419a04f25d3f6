"""What was found out about one attempt → findings, each with what was expected and what was observed. Pure.

The names of the checks are stable: ``recovery_point``, ``records.complete``, ``records.corrupt``,
``records.resurrected``, ``records.erased``, ``records.expired``, ``records.read_twice``, ``independence``,
``settings``, ``settings.<name>``, ``rpo``, ``rto``, ``protection``, ``attempt``, ``skipped``, and those that stores and
protections give to their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice

import orjson

from drills.differences import LONGEST, differences, shortened
from drills.durations import written
from drills.history import Event
from drills.model import JSON, Finding, Verdict
from drills.verify import Deviation, Verification

NAMED = 3
"""How many records or places a finding names; all of them stand in the evidence."""


def judged_by_rpo_alone(deviation: Deviation, before_us: int) -> bool:
    """Whether this key differs only by writes from after the recovery point, which no restore of it can bring back.

    ``before_us``: writes acknowledged before this moment must be there. An erased person or an expired record that is
    back, and a corrupt record, are never excused.
    """
    return (
        deviation.why is None
        and deviation.record_class != "corrupt"
        and deviation.first_lost_us is not None
        and deviation.first_lost_us >= before_us
    )


def record_findings(found: Verification, before_us: int, store: str) -> list[Finding]:
    """The findings on the records of one restored store. ``before_us`` as in judged_by_rpo_alone."""
    excused = [deviation for deviation in found.deviations if judged_by_rpo_alone(deviation, before_us)]
    held = [deviation for deviation in found.deviations if not judged_by_rpo_alone(deviation, before_us)]
    findings = [
        _complete(found, held, excused, before_us, store),
        _none_of(
            "records.corrupt",
            [deviation for deviation in held if deviation.record_class == "corrupt"],
            store,
            "no record that was never written so",
            found.keys,
        ),
        _none_of(
            "records.resurrected",
            [deviation for deviation in held if deviation.record_class == "resurrected" and deviation.why is None],
            store,
            f"no record back that was deleted before {moment_text(before_us)}",
            found.deleted,
        ),
    ]
    if found.erased:
        back = [deviation for deviation in held if deviation.why == "erased"]
        findings.append(_none_of("records.erased", back, store, "nobody back who was erased", found.erased))
    expired = [deviation for deviation in held if deviation.why == "expired"]
    if found.expired or expired:
        covered = max(found.expired, len(expired))
        findings.append(_none_of("records.expired", expired, store, "no record back that has expired", covered))
    if found.read_twice:
        seen = f"{counted(found.read_twice, 'record')} read more than once, so that others may have been missed"
        findings.append(
            Finding("records.read_twice", "unknown", store, "every record read once", seen, found.read_twice)
        )
    return findings


def _complete(
    found: Verification, held: Sequence[Deviation], excused: Sequence[Deviation], before_us: int, store: str
) -> Finding:
    gone = [deviation for deviation in held if deviation.record_class in ("lost", "stale")]
    verdict: Verdict = "fail" if gone else "pass" if found.keys else "unknown"
    if gone:
        lost = sum(deviation.record_class == "lost" for deviation in gone)
        observed = f"{lost:,} lost, {len(gone) - lost:,} stale: {_named(gone)}"
    else:
        observed = f"{found.counts.recovered:,} of {counted(found.counts.expected, 'record')} recovered"
    if excused:
        observed += f"; {counted(len(excused), 'record')} without writes from after that, which count for the RPO"
    return Finding(
        check="records.complete",
        verdict=verdict,
        subject=store,
        expected=f"every write acknowledged before {moment_text(before_us)}",
        observed=observed,
        records_covered=found.counts.expected,
    )


def _none_of(check: str, held: Sequence[Deviation], store: str, expected: str, covered: int) -> Finding:
    observed = f"{counted(len(held), 'record')}: {_named(held)}" if held else "none"
    return Finding(check, "fail" if held else "pass", store, expected, observed, covered)


def _named(deviations: Sequence[Deviation]) -> str:
    text = "; ".join(map(deviation_text, deviations[:NAMED]))
    more = len(deviations) - NAMED
    return text if more <= 0 else f"{text}; and {more:,} more"


def deviation_text(deviation: Deviation) -> str:
    """One record that is not as it should be: its key and, where there are two values, how they differ."""
    key = shortened(deviation.key, LONGEST)
    if deviation.expected is None or deviation.observed is None:
        return f"{key} {'is there' if deviation.expected is None else 'is absent'}"
    places = differences(orjson.loads(deviation.expected), orjson.loads(deviation.observed))
    text = ", ".join(f"{place.expected_text()} is {place.observed_text()}" for place in islice(places, NAMED))
    return f"{key}: {text or 'the same value, written in another way'}"


def setting_findings(expected: Mapping[str, JSON], observed: Mapping[str, JSON], store: str) -> list[Finding]:
    """A finding for every setting that differs; one for all of them when none does."""
    findings = []
    for name in sorted({*expected, *observed}):
        places = list(differences({name: expected[name]} if name in expected else {}, _one(observed, name)))
        if places:
            findings.append(
                Finding(
                    check=f"settings.{name}",
                    verdict="fail",
                    subject=store,
                    expected="; ".join(place.expected_text() for place in places),
                    observed="; ".join(_in_turn(place.observed_text() for place in places)),
                )
            )
    if findings:
        return findings
    verdict: Verdict = "pass" if expected else "unknown"
    names = ", ".join(sorted(expected)) or "no settings"
    return [Finding("settings", verdict, store, f"as before the failure: {names}", "all the same")]


def unlisted_findings(
    protected: Mapping[str, JSON], written: Mapping[str, JSON], observed: Mapping[str, JSON], store: str
) -> list[Finding]:
    """What no record covers, by name: as it was when the store was protected, when the workload ended, and restored.

    What stayed the same while the application wrote has to have come back like that; of what did not nobody can say
    what it should be.
    """
    findings, same = [], []
    for name in sorted({*protected, *written, *observed}):
        before, then, now = (str(one.get(name, "not there")) for one in (protected, written, observed))
        if before != then:
            expected = "records that cover it, or that it stays as it is while the application writes"
            said = f"{before} when it was protected, {then} before the failure, {now} restored: nobody verifies it"
            findings.append(Finding(f"unlisted.{name}", "unknown", store, expected, said))
        elif before != now:
            findings.append(Finding(f"unlisted.{name}", "fail", store, f"as before the failure: {before}", now))
        else:
            same.append(f"{name}: {now}")
    if same:
        findings.append(
            Finding("unlisted", "pass", store, "what no record covers, as before the failure", "; ".join(same))
        )
    return findings


def _one(settings: Mapping[str, JSON], name: str) -> Mapping[str, JSON]:
    return {name: settings[name]} if name in settings else {}


def _in_turn(texts: Iterable[str]) -> list[str]:
    found = list(texts)
    return ["all absent"] if len(found) > 1 and set(found) == {"absent"} else found


def rpo_finding(rpo_seconds: float, objective_seconds: float, writes_lost: int, store: str, covered: int) -> Finding:
    return Finding(
        check="rpo",
        verdict="pass" if rpo_seconds <= objective_seconds else "fail",
        subject=store,
        expected=f"at most {written(objective_seconds)} lost",
        observed=f"{written(rpo_seconds)} lost, {counted(writes_lost, 'acknowledged write')}",
        records_covered=covered,
    )


def rto_finding(rto_seconds: float, objective_seconds: float, store: str) -> Finding:
    return Finding(
        check="rto",
        verdict="pass" if rto_seconds <= objective_seconds else "fail",
        subject=store,
        expected=f"verified and cut over within {written(objective_seconds)}",
        observed=f"after {written(rto_seconds)}",
    )


def finding_as_json(finding: Finding) -> Mapping[str, JSON]:
    """A finding as the history keeps it."""
    return {name: getattr(finding, name) for name in finding.__dataclass_fields__}


def told_finding(event: Event) -> Finding:
    """The finding that an event carries. Raises EvidenceError when it is none."""
    told = event.mapping("finding")
    verdict = told.get("verdict")
    if verdict not in ("pass", "fail", "unknown") or not isinstance(told.get("check"), str):
        raise event.lacks("finding", "a finding with its check and verdict")
    return Finding(
        check=told["check"],
        verdict=verdict,
        subject=str(told.get("subject", "")),
        expected=str(told.get("expected", "")),
        observed=str(told.get("observed", "")),
        records_covered=int(told.get("records_covered", 0)),
    )


def crashed(check: str, subject: str, error: Exception) -> Finding:
    """The finding of a check that did not run through: it proves nothing either way."""
    return Finding(check, "unknown", subject, "a check that runs through", f"{type(error).__name__}: {error}")


def counted(count: int, what: str) -> str:
    """``1 record``, ``2,000 records``."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def moment_text(at_us: int) -> str:
    """Microseconds since the epoch as UTC; the fraction only where there is one."""
    text = datetime.fromtimestamp(at_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{at_us % 1_000_000:06d}".rstrip("0")
    return f"{text}{fraction if len(fraction) > 1 else ''}Z"
