"""report.html, read as a browser and a reader would: what is there, in which order, and what never is."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any, Literal

import pytest
from hypothesis import given, settings

from drills.model import PHASES, Attempt, Endpoint, Mismatch, Report, Verdict
from drills.report import words
from drills.report.bars import bars
from drills.report.excerpts import LONGEST, Excerpt, difference, excerpt
from drills.report.html import FIRST_MISMATCHES, render
from drills.report.sentences import story, tally
from tests.report.reports import (
    HOSTILE,
    LONG_AFTER,
    LONG_BEFORE,
    attempt,
    cell,
    finding,
    report,
    reports,
    rich,
    without_point,
)

BLOCKS = {"td", "th", "dt", "dd", "p", "li", "div", "h1", "h2", "h3", "h4", "caption", "summary"}
VOID = {"meta", "link", "br", "hr", "img", "input", "rect", "line", "path", "wbr"}


class Page(HTMLParser):
    """Every tag with its attributes and the text inside it; fails where tags do not close as they opened."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.tags: list[tuple[str, dict[str, str | None], str]] = []
        self.inside: dict[int, list[str]] = {}
        self.texts: list[str] = []
        self.opened: list[tuple[str, dict[str, str | None]]] = []
        self.source = content.decode()
        self.feed(self.source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        self.opened.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, dict(attrs)))
            self.inside[len(self.open)] = []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        opened, attributes = self.open[-1]
        assert opened == tag, f"</{tag}> closes <{opened}> at {self.getpos()}"
        self.tags.append((tag, attributes, "".join(self.inside[len(self.open)])))
        self.open.pop()
        if tag in BLOCKS:
            self.handle_data(" ")

    def handle_data(self, data: str) -> None:
        if any(tag == "style" for tag, _ in self.open):
            return
        self.texts.append(data)
        for depth in range(1, len(self.open) + 1):
            self.inside[depth].append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())

    def each(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        return [(attributes, " ".join(text.split())) for name, attributes, text in self.tags if name == tag]

    def started(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.opened if name == tag]


def page(one: Report) -> Page:
    return Page(render(one))


def check_is_sound(read: Page) -> None:
    """What holds for every page whatever the report."""
    assert read.started("html") == [{"lang": "en"}]
    assert not {"script", "link", "img", "iframe", "object", "base"} & {tag for tag, _ in read.opened}
    assert not re.search(r"""(?:src|href|action|data)\s*=\s*["']?\s*(?:https?:|//|javascript:)""", read.source, re.I)
    style = read.source.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    assert not [name for _, attributes in read.opened for name in attributes if name.startswith("on")]
    check_structure(read)


def check_structure(read: Page) -> None:
    ids = [attributes["id"] for _, attributes in read.opened if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in read.opened:
        if tag == "a":
            assert str(attributes["href"]).removeprefix("#") in ids
        for named in str(attributes.get("aria-labelledby") or "").split():
            assert named in ids
    levels = [int(tag[1]) for tag, _ in read.opened if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len(read.each("caption")) == len(read.each("table"))
    assert all(text for _, text in read.each("caption"))
    assert all(attributes.get("scope") in ("col", "row") for attributes, _ in read.each("th"))


@pytest.mark.parametrize("clock", ["simulated", "wall"])
def test_a_report_with_everything_is_a_sound_page(clock: Literal["simulated", "wall"]) -> None:
    check_is_sound(page(rich(clock)))


@settings(max_examples=30, deadline=None)
@given(reports())
def test_any_report_is_a_sound_page(any_report: Report) -> None:
    read = page(any_report)
    check_is_sound(read)
    assert render(any_report) == render(any_report)
    tried = [one for judged in any_report.cells for one in judged.attempts]
    for found in (*any_report.findings, *(found for one in tried for found in one.findings)):
        assert shown(found.observed) in read.text


def shown(text: str) -> str:
    """The head of a text as the page shows it."""
    return " ".join(words.visible(text[: LONGEST // 2]).split())


def test_grade_and_verdict_stand_first_then_the_matrix() -> None:
    text = page(rich()).text
    places = [
        text.index("simulated this is no proof that a production backup restores"),
        text.index("Verdict: fail"),
        text.index("5 cells: 1 passed, 3 failed, 1 unknown; of the drill as a whole: 1 unknown"),
        text.index("shop-0123456789", text.index("Verdict: fail")),
        text.index("Scenarios × stores"),
        text.index("What did not pass"),
        text.index("After the failure “bulk erase”"),
        text.index("What the words mean"),
    ]
    assert places == sorted(places)


def test_the_drill_is_identified() -> None:
    read = page(rich())
    (identity,) = [text for attributes, text in read.each("dl") if attributes.get("class") == "identity"]
    for part in (
        "shop-0123456789",
        "shop",
        "simulated",
        "Seed 7",
        "dr-drills 1.2.3",
        "2026-01-05 09:00:00 UTC",
        "Clock",
    ):
        assert part in identity


def test_a_cell_of_the_matrix() -> None:
    read = page(rich())
    rows = [attributes["data-store"] for attributes, _ in read.each("td") if "data-store" in attributes]
    assert rows == ["orders", HOSTILE] * 3
    cells = [text for attributes, text in read.each("td") if "data-store" in attributes]
    assert cells[0] == (
        "✓ pass dynamodb_pitr RTO 1h\u00a002m of 4h\u00a000m met RPO 1.5s of 15m met Lost 4 of 300 writes"
    ).replace("\u00a0", " ")
    assert "✗ fail" in cells[1]
    assert "5h 33m (A) of 4h 00m missed" in cells[1]
    assert cells[3] == "not drilled"
    assert "no path led back" in cells[4]
    assert "? unknown" in cells[5]
    links = [attributes["href"] for attributes in read.started("a")]
    assert [f"#cell-{number}" for number in range(1, 6)] == links[:5]


@pytest.mark.parametrize(
    ("clock", "word", "other"), [("simulated", "simulated", "measured"), ("wall", "measured", "simulated")]
)
def test_every_duration_is_labelled(clock: Any, word: str, other: str) -> None:
    read = page(rich(clock))
    figures = [text for _, text in read.each("th") if re.match(r"(RTO|RPO)( p\d\d)? ", text)]
    figures += [text for _, text in read.each("dt") if text.startswith(("RTO,", "RPO,"))]
    figures += [text for attributes, text in read.each("p") if attributes.get("class") == "figure-title"]
    figures += [text for _, text in read.each("title")[1:]]
    figures += [text for attributes, text in read.each("caption") if "Phases" in text or "Scenarios" in text]
    stores = [text for attributes, text in read.each("th") if "durations" in text]
    assert len(figures) > 20
    assert len(stores) == 2
    for text in [*figures, *stores]:
        assert word in text
        assert other not in text


def test_p95_is_told_where_there_is_any() -> None:
    assert "RTO p95" in page(rich()).text
    one = cell("bulk_erase", "orders", "pass", replace(attempt(), rto_p95_seconds=None))
    assert "RTO p95" not in page(report(one, clock="wall")).text


def test_when_a_database_answered_was_verified_and_at_full_speed() -> None:
    told = replace(attempt(), endpoint=Endpoint(1_200, 1_500, 90_000))
    shown = page(report(cell("bulk_erase", "orders", "pass", told))).text
    for text in ("Endpoint available", "Full speed", "20m", "25m", "1d 01h"):
        assert text in shown
    assert "Full speed" not in page(rich()).text


def test_the_mark_of_an_assumption_is_explained() -> None:
    assumed, sure = page(rich()), page(report(cell("bulk_erase", "orders", "pass", attempt())))
    lead = "(A) stands where a simulated duration behind this figure rests on an assumption"
    assert lead in assumed.text
    assert lead not in sure.text
    assert len(assumed.each("abbr")) > 3
    assert not sure.each("abbr")


def test_phases_are_drawn_and_described() -> None:
    read = page(rich())
    drawings = [attributes for attributes in read.started("svg") if "x" not in attributes]
    assert len(drawings) == 5
    for attributes in drawings:
        assert attributes["role"] == "img"
        assert len(str(attributes["aria-labelledby"]).split()) == 2
    descriptions = [text for _, text in read.each("desc")]
    assert len(descriptions) == 5
    assert descriptions[0] == (
        "detect 10m, decide 5m, find point 20s, restore 43m 20s, reconfigure 1m 40s, verify 1m 30s, cut over 10s; "
        "in all 1h 02m simulated; the objective is 4h 00m."
    )
    assert "not cut over" in descriptions[2]
    assert descriptions[2].endswith("Not reached: reconfigure, verify, cut over.")
    assert "stopped after 30m" in read.text


def test_the_bars_are_to_scale() -> None:
    one = cell("bulk_erase", "orders", "pass", attempt(rto=3600.0), attempt("dynamodb_backup", rto=20000.0))
    short, long = bars(one, "simulated")
    for bar in (short, long):
        assert bar.segments[0].x == 0
        assert [segment.phase for segment in bar.segments] == list(PHASES)
        for before, after in pairwise(bar.segments):
            assert after.x == pytest.approx(before.x + before.width, abs=0.01)
        assert bar.segments[-1].x + bar.segments[-1].width <= 100
        assert bar.objective.x == short.objective.x
        assert bar.p95 is not None
        assert bar.p95.x <= 100
    total = [bar.segments[-1].x + bar.segments[-1].width for bar in (short, long)]
    assert total[1] / total[0] == pytest.approx(20000 / 3600, rel=0.01)
    assert total[0] < short.objective.x < total[1]


def test_every_finding_is_there_what_did_not_pass_first() -> None:
    read = page(rich())
    for one in rich().cells:
        for tried in one.attempts:
            for found in tried.findings:
                assert shown(found.expected) in read.text
                assert shown(found.observed) in read.text
    rows = [text for _, text in read.each("tr") if " demands" in text]
    backup = rows[rows.index(next(row for row in rows if HOSTILE in row)) :][:3]
    assert [row.split()[0] for row in backup] == ["records.complete", "settings.ttl", "settings"]
    assert "712" in backup[0]
    wide = read.text.partition("The drill as a whole")[2].partition("Scenario")[0]
    assert "the saboteur was here" in wide
    assert "clean_up" in wide


def test_what_passed_is_folded_and_what_did_not_is_not() -> None:
    read = page(rich())
    folded = " ".join(text for _, text in read.each("details"))
    assert "✓ pass" in folded
    for word in ("✗ fail", "? unknown", "the saboteur was here"):
        assert word not in folded.replace("✗ fail dynamodb", "")
    style = read.source.partition("@media print")[2]
    assert "details:not(.aside)::details-content { content-visibility: visible;" in style


def test_every_mismatch_is_there_with_its_difference_marked() -> None:
    read = page(rich())
    rows = {text.split()[0]: text for _, text in read.each("tr") if '{"id"' in text}
    assert "absent" in rows['{"id":"lost-1"}']
    assert "Ana" in rows['{"id":"lost-1"}']
    marks = [text for _, text in read.each("mark")]
    assert marks[:2] == ["100.01", "99.99"]
    assert "0" in marks[2:]
    assert f"({len(LONG_BEFORE):,} characters in all)" in rows['{"id":"long-1"}']
    assert HOSTILE in read.text
    assert "30 records that did not come back as they should; the first 20 are here, all are in evidence/" in read.text
    assert FIRST_MISMATCHES == 20
    assert "value-019" in read.text
    assert "value-020" not in read.text


def test_writes_from_after_the_recovery_point_are_not_held_against_the_restore() -> None:
    one = cell("bulk_erase", "orders", "pass", attempt(mismatches=(Mismatch("k", "lost", "v", None),)))
    read = page(report(one))
    assert "through writes from after the recovery point alone (1 lost, 1 stale, 1 corrupt, 1 resurrected)" in read.text
    (aside,) = [text for attributes, text in read.each("details") if attributes.get("class") == "aside"]
    assert aside.startswith("4 records differ through writes from after the recovery point alone, which count for the")
    assert not [attributes for attributes, _ in read.each("td") if "wrong" in str(attributes.get("class"))]


def test_hostile_names_are_text() -> None:
    read = page(rich())
    assert "<script" not in read.source
    assert "<b>&#34;" not in read.source
    assert HOSTILE in read.text


def test_a_long_name_may_break_where_its_words_end() -> None:
    one = cell("bulk_erase", "orders", "pass", attempt("a_<b>_c"))
    read = page(report(one))
    assert '<span class="path">a_<wbr>&lt;b&gt;_<wbr>c</span>' in read.source


def test_nothing_hides_in_control_characters() -> None:
    one = cell("bulk_erase", "orders\u202e\x1b[31m", "pass", attempt())
    read = page(report(one))
    assert "\\u202e" in read.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", read.source)


def test_a_report_without_cells() -> None:
    read = page(report())
    check_is_sound(read)
    assert "No cell was drilled." in read.text
    assert "Verdict: unknown" in read.text


def test_the_glossary_explains_every_class_phase_and_verdict() -> None:
    (glossary,) = [text for _, text in page(rich()).each("section") if text.startswith("What the words mean")]
    for word in (
        "Recovery point",
        "RPO",
        "RTO",
        "Lost",
        "Stale",
        "Corrupt",
        "Resurrected",
        "Indeterminate",
        "Recovered",
    ):
        assert word in glossary
    for verdict in ("Pass", "Fail", "Unknown"):
        assert verdict in glossary


def test_what_did_not_pass_names_the_path_that_decided() -> None:
    fallback = attempt("dynamodb_stream_copy", finding("settings.ttl", "fail"), finding("rto", "unknown"))
    one = cell("region_outage", "orders", "fail", without_point("dynamodb_pitr"), attempt("dynamodb_backup"), fallback)
    (told,) = [text for _, text in page(report(one)).each("li")]
    assert told == "✗ fail region outage, orders: dynamodb_stream_copy: settings.ttl, rto did not pass."


# --- Sentences -----------------------------------------------------------------------------------------------------


def test_the_story_of_a_cell_that_passed() -> None:
    sound = replace(attempt(), records=None)
    one = cell("bulk_erase:overwrite", "orders", "pass", sound, without_point("dynamodb_global_table"))
    assert story(one, "simulated") == (
        "After the failure “bulk erase (overwrite)”, orders was restored by dynamodb_pitr from a recovery point as of "
        "2026-01-05 10:20:00 UTC in account 111111111111, eu-west-1. It was verified and cut over 1h 02m (simulated) "
        "after the failure, within the objective of 4h 00m. 4 of 300 acknowledged writes were lost; everything "
        "acknowledged until 1.5s (simulated) before the failure survived, within the objective of 15m. All 2 checks "
        "passed. Without a recovery point within reach: dynamodb_global_table."
    )


def test_the_story_of_a_cell_without_a_way_back() -> None:
    both = (without_point("dynamodb_pitr"), without_point("dynamodb_backup"))
    assert story(cell("account_loss", "orders", "fail", *both), "simulated") == (
        "After the failure “account loss”, no recovery path led back to orders: of 2 tried, 2 had no recovery point "
        "within the responders' reach."
    )
    untried = without_point("dynamodb_pitr", "attempt", "unknown")
    for attempts in ((), (untried,)):
        assert "Nothing is known about a way back." in story(cell("x", "orders", "unknown", *attempts), "simulated")


@pytest.mark.parametrize(
    ("verdicts", "told"),
    [
        ([], "Nothing was checked."),
        (["pass"], "The one check passed."),
        (["unknown"], "The one check could not be decided."),
        (["fail", "pass", "unknown"], "Of 3 checks, 1 failed and 1 could not be decided."),
    ],
)
def test_how_the_checks_went(verdicts: list[Verdict], told: str) -> None:
    tried: Attempt = replace(attempt(), records=None, findings=tuple(finding("c", verdict) for verdict in verdicts))
    assert told in story(cell("x", "orders", "unknown", tried), "measured")


def test_no_loss_at_all() -> None:
    tried = replace(attempt(), rpo_seconds=0.0, writes_lost=0)
    assert "None of 300 acknowledged writes was lost." in story(cell("x", "orders", "pass", tried), "measured")


def test_the_tally_of_nothing() -> None:
    assert tally(report()) == "0 cells: none drilled"


# --- Long values ---------------------------------------------------------------------------------------------------


def test_a_short_value_is_shown_whole_with_what_differs() -> None:
    assert difference("abcXdef", "abcYYdef") == (Excerpt("abc", "X", "def", None), Excerpt("abc", "YY", "def", None))
    assert difference("aa", "aaa") == (Excerpt("aa", "", "", None), Excerpt("aa", "a", "", None))
    assert difference(None, "abc") == (None, Excerpt("abc", "", "", None))
    assert difference("", "abc") == (Excerpt("", "", "", None), Excerpt("", "abc", "", None))


def test_a_long_value_is_shortened_around_what_differs() -> None:
    expected, observed = difference(LONG_BEFORE, LONG_AFTER)
    assert expected is not None
    assert observed is not None
    assert (expected.changed, observed.changed) == ("0", "")
    assert expected.before.endswith("a1.1")
    assert expected.before.startswith("…a")
    assert expected.after.endswith("z…")
    assert (expected.length, observed.length) == (10004, 10003)
    assert all(len(part.before + part.changed + part.after) < LONGEST for part in (expected, observed))


def test_a_long_value_by_itself_has_its_beginning_its_end_and_its_length() -> None:
    short = excerpt("<" + "x" * 10_000 + ">")
    assert short.before.startswith("<x")
    assert short.before.endswith("x>")
    assert short.length == 10_002
    assert len(short.before) == LONGEST + 1


def test_writes_lost_after_the_failure_began_are_told_apart() -> None:
    """A bug that erases leaves the application writing until somebody notices; none of that counts for the RPO."""
    one = cell("bulk_erase", "orders", "pass", replace(attempt(), rpo_seconds=0.0))
    told = story(one, "simulated")
    assert "Everything acknowledged before the failure survived; 4 of 300 acknowledged writes, made after it" in told
    assert "all made after the failure began" in page(report(one)).text
