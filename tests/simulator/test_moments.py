"""A moment is read as botocore reads it, whatever its form."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from botocore import utils
from hypothesis import example, given
from hypothesis import strategies as st

from drills.simulator import moments

botocores: Any = moments._parse
FORMS: dict[str, Any] = {
    "seconds": lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "milliseconds": lambda at: at.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z",
    "microseconds": lambda at: at.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z",
    "HTTP": lambda at: format_datetime(at, usegmt=True),
    "offset": lambda at: at.isoformat(),
    "epoch": lambda at: str(int(at.timestamp())),
    "epoch in full": lambda at: at.timestamp(),
}


def outcome(parse: Any, value: Any) -> Any:
    try:
        found = parse(value, tzinfo)
    except (ValueError, OverflowError) as error:
        return type(error), str(error)
    return found, found.utcoffset()


tzinfo: Any = utils.get_tzinfo_options()[-1]
MOMENTS = st.integers(86_400, 4_102_444_800_000_000).map(lambda us: datetime.fromtimestamp(us / 1e6, UTC))


@given(at=MOMENTS, form=st.sampled_from(list(FORMS)))
def test_whatever_aws_writes_is_read_the_same(at: datetime, form: str) -> None:
    value = FORMS[form](at)
    assert outcome(moments.parse, value) == outcome(botocores, value)


@given(value=st.text("0123456789-T:.Z, GMTJanFebSu", max_size=32))
@example(value="2026-02-30T00:00:00Z")
@example(value="2026-01-01T24:00:00Z")
@example(value="2026-01-01T23:59:60Z")
@example(value="Sun, 29 Foo 2026 10:00:00 GMT")
@example(value="Sun, 31 Nov 2026 10:00:00 GMT")
@example(value="٢٠٢٦-01-01T00:00:00Z")
def test_whatever_else_stands_there_too(value: str) -> None:
    assert outcome(moments.parse, value) == outcome(botocores, value)


@pytest.mark.parametrize("form", ["seconds", "milliseconds", "HTTP"])
def test_the_forms_of_aws_are_not_guessed_at(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def guess(value: Any, tzinfo: Any) -> datetime:
        raise AssertionError(f"{value} was left to botocore")

    monkeypatch.setattr(moments, "_parse", guess)
    at = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)
    assert moments.parse(FORMS[form](at), tzinfo) == at


def test_botocores_own_is_back_outside() -> None:
    assert utils._parse_timestamp_with_tzinfo is botocores  # type: ignore[attr-defined]
