"""The README's section on protecting and restoring without a drill is what there is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from drills.accounts_file import REFERENCE, AccessesPart, AccessPart, AccountsFilePart, parse_accounts
from drills.cli import cli
from drills.estate import parse_estate
from drills.own_cli import commands
from tests.own_ground import own_ground
from tests.test_readme import README, ROOT, block, fenced


def test_the_estate_and_the_accounts_fit_together() -> None:
    estate = parse_estate(fenced("own-estate"), file="README.md", name="hotel", folder=ROOT / "fixtures")
    given = parse_accounts(fenced("own-accounts"), "README.md")
    assert [store.exists for store in estate.stores] == ["prod-bookings"]
    assert given.of(estate).accounts == estate.accounts


def test_the_reference_is_the_codes_own_and_names_every_key() -> None:
    assert block("own-reference") == REFERENCE.strip()
    for key in {*AccountsFilePart.model_fields, *AccessesPart.model_fields, *AccessPart.model_fields} - {"accounts"}:
        assert f"`{key}`" in REFERENCE or f".{key}`" in REFERENCE


def test_the_help_is_the_commands_own() -> None:
    shown = []
    for command in ("protect", "restore"):
        result = CliRunner().invoke(cli, [command, "--help"], prog_name="drills", terminal_width=100)
        shown.append(f"$ drills {command} --help\n{result.output.rstrip()}")
    assert fenced("own-help") == "\n\n".join(shown)


def test_every_command_of_the_section_is_one_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line is run as it stands but for the question it asks, on the section's own two files."""
    lines = [line[2:].partition("#")[0].split() for line in README.splitlines() if line.startswith("$ drills ")]
    own = {str(command.name) for command in commands(lambda: None)}
    shown = [words for words in lines if words[1] in own and "--help" not in words]
    assert {words[1] for words in shown} == own
    with own_ground(tmp_path, monkeypatch) as ground:
        monkeypatch.chdir(tmp_path)
        estate = ground.estate()
        ground.accounts()
        assert estate.endswith("hotel.yaml")
        ground.make_table(5)
        for words in shown:
            words = [word if word[:4] != "2026" else (ground.aws.clock.now()).isoformat() for word in words]
            answers = CliRunner().invoke(cli, words[1:], input="bookings\n", prog_name="drills")
            assert answers.exit_code == 0, (words, answers.output)
            ground.aws.clock.sleep(2_400)


def test_no_simulator_is_needed() -> None:
    program = (
        "import sys; sys.modules['moto'] = sys.modules['time_machine'] = None\n"
        "import drills.cli, drills.protecting, drills.restoring\n"
        "from drills.plugins import load_protection, protection_names\n"
        "print(*map(load_protection, protection_names()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
