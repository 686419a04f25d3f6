"""The suite that every provider must pass, and whole drills, at implementations of AWS that nobody here wrote.

Which of them run is said by environment variables (CONTRIBUTING tells how); moto's own server always runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.model import Estate
from drills.plugins import lacking
from drills.providers.capabilities import CAPABILITIES
from drills.providers.emulators import recognised
from drills.providers.sandbox import SandboxProvider
from drills.sandbox_file import parse_sandbox
from tests import small_drill
from tests.foreign_endpoints import FOREIGN, Foreign, seen, serving, sweep
from tests.foreign_shop import ESTATE as SHOP
from tests.provider_suite import ProviderSuite as Suite
from tests.providers.capability_probes import PROBES, has
from tests.providers.test_sandbox_run import not_passed, run
from tests.providers.test_sandbox_suite import HandClock
from tests.sandbox_ground import ACCOUNTS, FILE, Ground, sandbox_ground


@pytest.fixture(scope="module", params=sorted(FOREIGN))
def foreign(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Foreign, str]]:
    with serving(request.param, tmp_path_factory.mktemp("endpoint")) as url:
        yield FOREIGN[request.param], url


@pytest.fixture
def ground(foreign: tuple[Foreign, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    one, url = foreign
    with sandbox_ground(tmp_path, monkeypatch, url, one.reset) as ground:
        yield ground
        if one.reset is None:
            sweep(ground)


def in_these_accounts(text: str) -> Estate:
    for role, there in (
        ("PRODUCTION", small_drill.PRODUCTION),
        ("VAULT", small_drill.VAULT),
        ("RECOVERY", small_drill.RECOVERY),
    ):
        text = text.replace(there, ACCOUNTS[role.lower()])
    return small_drill.estate(text)


@pytest.fixture
def provider(ground: Ground) -> SandboxProvider:
    hand = HandClock()
    return SandboxProvider(parse_sandbox(FILE.replace("URL", ground.url), "sandbox.yaml"), hand, lambda: hand.running)


class TestSandbox(Suite):
    @pytest.fixture
    def estate(self) -> Estate:
        return in_these_accounts(small_drill.TEXT)


def test_it_is_recognised(foreign: tuple[Foreign, str]) -> None:
    one, url = foreign
    assert recognised(url) is one.emulator


@pytest.mark.parametrize("capability", sorted(PROBES))
def test_it_has_what_the_table_says_and_lacks_what_it_says(
    capability: str, foreign: tuple[Foreign, str], ground: Ground
) -> None:
    lacks = foreign[0].emulator.lacks
    there, error = has(capability, ground)
    assert there == (capability not in lacks), error or lacks.get(capability)


# --- Whole drills ---------------------------------------------------------------------------------------------------

WAY_BACK = {
    "bulk_erase": {"dynamodb_backup", "s3_versioning"},
    "table_deletion": {"dynamodb_global_table", "dynamodb_backup", "dynamodb_stream_copy"},
    "account_loss": {"dynamodb_stream_copy"},
    "region_outage": {"dynamodb_global_table", "dynamodb_stream_copy"},
}
"""By which protections of the shop a store comes back from each failure, of those that no emulator of these fakes."""


@pytest.mark.parametrize(
    "scenario",
    # Each takes half a minute, and the others go the same way.
    [one if one == "account_loss" else pytest.param(one, marks=pytest.mark.soak) for one in sorted(WAY_BACK)],
)
def test_a_drill_of_the_shop(
    scenario: str, foreign: tuple[Foreign, str], ground: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every path passes, or is unknown by a capability that the table declares, or was taken away by the failure."""
    lacks = foreign[0].emulator.lacks
    ground.mark()
    ground.estate(text=SHOP)
    ground.file()
    before = seen(ground)
    code, report = run(ground, capsys, scenario, "--estate", "small.yaml", "--on", "sandbox.yaml", "--records", "24")
    attempts = {one["protection"]: one for cell in report["cells"] for one in cell["attempts"]}
    for name, attempt in attempts.items():
        against = not_passed(attempt["findings"])
        missing = lacking(name, frozenset(CAPABILITIES) - lacks.keys(), to_go_back=scenario == "bulk_erase")
        if missing:
            assert attempt["verdict"] == "unknown"
            assert against["capability"]["observed"].endswith(
                "cannot do " + ", ".join(f"{one} ({lacks[one]})" for one in missing)
            )
        elif name in WAY_BACK[scenario]:
            assert against == {}, name
            assert attempt["verdict"] == "pass"
        else:
            assert against.keys() == {"recovery_point"}, name
    # No store of the shop is without a path that cannot be tried at any of these.
    assert {cell["verdict"] for cell in report["cells"]} == {"unknown"}
    assert (code, report["verdict"]) == (3, "unknown")
    assert {one["check"] for one in report["findings"] if one["verdict"] != "pass"} <= {"enforcement"}
    assert seen(ground) == before
