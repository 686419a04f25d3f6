"""What the README shows is what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from drills import plugins
from drills.cli import cli
from drills.estate import REFERENCE, parse_estate

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(name: str) -> str:
    """What stands in the README between ``<!-- name -->`` and ``<!-- /name -->``."""
    found = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- /{name} -->", README, re.DOTALL)
    assert found, f"the README has no block {name!r}"
    return found[1].strip()


def fenced(name: str) -> str:
    """The content of the one code block in a block."""
    found = re.fullmatch(r"```\w*\n(.*?)\n```", block(name), re.DOTALL)
    assert found, f"the README's block {name!r} is not one code block"
    return found[1]


def test_the_help_is_the_commands_own() -> None:
    shown = []
    for command in ([], ["run"]):
        result = CliRunner().invoke(cli, [*command, "--help"], prog_name="drills", terminal_width=100)
        assert result.exit_code == 0
        shown.append(f"$ {' '.join(['drills', *command, '--help'])}\n{result.output.rstrip()}")
    assert fenced("help") == "\n\n".join(shown)


def test_the_scenario_is_the_built_in_one() -> None:
    assert fenced("scenario") == (ROOT / "scenarios" / "region_outage.py").read_text(encoding="utf-8").rstrip()


def test_the_estate_is_read_without_complaint() -> None:
    estate = parse_estate(fenced("estate"), file="README.md", name="readme", folder=ROOT / "fixtures")
    assert [store.name for store in estate.stores] == ["bookings"]


def test_the_reference_is_the_codes_own() -> None:
    assert block("reference") == REFERENCE.strip()


def test_every_protection_stands_in_the_table() -> None:
    named = set(re.findall(r"^\| `((?:dynamodb|s3|rds|aurora)_\w+)` \|", README, re.MULTILINE))
    assert named == set(plugins.protection_names())


@pytest.mark.parametrize("path", re.findall(r"\]\((?!https?:)([^)#]+)\)", README))
def test_every_link_leads_somewhere(path: str) -> None:
    assert (ROOT / path).exists()


def test_the_sample_is_the_committed_report() -> None:
    import json

    report = json.loads((ROOT / "reports" / "sample" / "report.json").read_bytes())
    assert report["drill"]["grade"] == "simulated"
    assert report["drill"]["id"] in fenced("sample")
    for cell in report["cells"]:
        assert re.search(rf"^{cell['scenario']} +{cell['store']} +{cell['verdict']} ", fenced("sample"), re.MULTILINE)
