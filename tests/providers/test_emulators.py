"""The table of known emulators, as CONTRIBUTING shows it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drills.providers.capabilities import CAPABILITIES
from drills.providers.emulators import EMULATORS, Emulator, recognised

CONTRIBUTING = (Path(__file__).resolve().parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")


def table() -> str:
    """By capability, what each emulator does instead; capabilities that all of them have are left out."""
    rows = [["capability", *(one.name for one in EMULATORS)], ["---"] * (1 + len(EMULATORS))]
    for name in sorted(CAPABILITIES):
        told = [one.lacks.get(name, "yes") for one in EMULATORS]
        if set(told) != {"yes"}:
            rows.append([f"`{name}`", *told])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def test_the_table_is_the_data() -> None:
    found = re.search(r"<!-- emulators -->\n(.*?)\n<!-- /emulators -->", CONTRIBUTING, re.DOTALL)
    assert found is not None
    assert found[1] == table()


@pytest.mark.parametrize("emulator", EMULATORS, ids=lambda one: str(one.name))
def test_what_is_lacking_is_a_capability_and_says_what_was_seen(emulator: Emulator) -> None:
    assert emulator.lacks.keys() <= CAPABILITIES.keys()
    assert all(emulator.name in reason for reason in emulator.lacks.values())


def test_nobody_is_recognised_where_nobody_answers() -> None:
    assert recognised("http://127.0.0.1:9") is None
