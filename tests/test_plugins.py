"""Where scenarios, estates, protections and kinds of store come from, and who wins."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from drills import plugins
from drills.errors import ConfigurationError, UsageError
from drills.protections import Protection
from drills.providers.capabilities import CAPABILITIES

OWN = """\
from drills.scenario import Incident, Scenario

def fail(incident: Incident) -> None:
    pass

scenario = Scenario(summary="mine", fail=fail, respond_from="production")
"""


def test_what_going_back_needs_counts_only_where_data_was_mangled() -> None:
    capabilities = frozenset(CAPABILITIES) - {"dynamodb.pitr"}
    assert plugins.lacking("dynamodb_stream_copy", capabilities) == []
    assert plugins.lacking("dynamodb_stream_copy", capabilities, to_go_back=True) == ["dynamodb.pitr"]
    assert plugins.lacking("dynamodb_backup", capabilities, to_go_back=True) == []


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of a user's."""
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "fixtures").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def entry_points(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, list[importlib.metadata.EntryPoint]]:
    """Entry points by group, to be filled by a test; a module ``plugged`` can be named by them."""
    found: dict[str, list[importlib.metadata.EntryPoint]] = {}
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda *, group: found.get(group, []))
    folder = tmp_path / "installed"
    folder.mkdir()
    estate = folder / "theirs.yaml"
    estate.write_text("stores: []")
    (folder / "plugged.py").write_text(f"{OWN.replace('mine', 'plugged in')}\nestate = {str(estate)!r}\nnothing = 5\n")
    monkeypatch.syspath_prepend(folder)
    return found


def point(name: str, value: str) -> importlib.metadata.EntryPoint:
    return importlib.metadata.EntryPoint(name, value, "drills")


def test_the_built_in_ones(here: Path) -> None:
    assert set(plugins.scenario_names()) >= {"bulk_erase", "table_deletion", "region_outage", "account_loss"}
    assert set(plugins.estate_names()) >= {"shop", "gdpr"}
    assert plugins.load_scenario("bulk_erase").mangles_data
    assert all(found.origin == "built in" for found in plugins.scenarios().values())


def test_the_folder_within_a_wheel_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "drills"
    (package / "builtin" / "scenarios").mkdir(parents=True)
    monkeypatch.setattr(plugins, "__file__", str(package / "plugins.py"))
    assert plugins.builtin_folder("scenarios") == package / "builtin" / "scenarios"
    assert plugins.builtin_folder("fixtures") == tmp_path / "fixtures"


def test_a_user_wins_over_what_is_built_in(here: Path) -> None:
    (here / "scenarios" / "bulk_erase.py").write_text(OWN)
    (here / "scenarios" / "leaked_key.py").write_text(OWN)
    (here / "fixtures" / "shop.yml").write_text("stores: nothing")
    assert plugins.load_scenario("bulk_erase").summary == "mine"
    assert plugins.load_scenario("leaked_key").summary == "mine"
    assert plugins.load_scenario("account_loss").summary != "mine"
    assert plugins.scenarios()["bulk_erase"].origin == "yours"
    assert plugins.estate_path("shop") == Path("fixtures", "shop.yml")
    assert plugins.estate_path("gdpr") == plugins.builtin_folder("fixtures") / "gdpr.yaml"


def test_entry_points_stand_between(here: Path, entry_points: dict[str, list[importlib.metadata.EntryPoint]]) -> None:
    entry_points["drills.scenarios"] = [point("bulk_erase", "plugged:scenario"), point("leak", "plugged:scenario")]
    entry_points["drills.estates"] = [point("theirs", "plugged:estate")]
    (here / "scenarios" / "leak.py").write_text(OWN)
    assert plugins.load_scenario("bulk_erase").summary == "plugged in"
    assert plugins.load_scenario("leak").summary == "mine"
    assert plugins.scenarios()["bulk_erase"].where == "plugged:scenario"
    assert plugins.estate_path("theirs") == here / "installed" / "theirs.yaml"


def test_entry_points_that_are_broken_are_named(
    here: Path, entry_points: dict[str, list[importlib.metadata.EntryPoint]]
) -> None:
    entry_points["drills.scenarios"] = [
        point("gone", "no_such_module:scenario"),
        point("five", "plugged:nothing"),
    ]
    entry_points["drills.estates"] = [point("lost", "plugged:nothing")]
    with pytest.raises(UsageError, match=r"'gone' of the entry point no_such_module:scenario cannot be loaded: Module"):
        plugins.load_scenario("gone")
    with pytest.raises(UsageError, match=r"plugged:nothing of drills.scenarios is no Scenario but int"):
        plugins.load_scenario("five")
    with pytest.raises(UsageError, match=r"plugged:nothing of drills.estates names no file: 5"):
        plugins.estate_path("lost")


def test_protections_and_kinds_from_entry_points(
    entry_points: dict[str, list[importlib.metadata.EntryPoint]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "installed" / "more.py").write_text(
        "class P:\n    name = 'tape'\n    kind = 'shelf'\n\nprotection = kind = P()\n"
    )
    entry_points["drills.protections"] = [point("tape", "more:protection")]
    entry_points["drills.stores"] = [point("shelf", "more:kind")]
    plugins._modules.cache_clear()
    try:
        loaded: Protection = plugins.load_protection("tape")
        assert loaded.kind == "shelf"
        assert "tape" in plugins.protection_names()
        assert "shelf" in plugins.store_kind_names()
    finally:
        plugins._modules.cache_clear()


def test_built_in_protections_and_kinds_know_their_names() -> None:
    for name in plugins.protection_names():
        protection = plugins.load_protection(name)
        assert protection.name == name
        assert protection.summary
        assert protection.kind in plugins.store_kind_names()
    assert "dynamodb_stream_copy" in plugins.protection_names()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "from drills.scenario import Scenario\nscenario = Scenari()",
            "mine.py:2:1: the scenario cannot be loaded: NameError",
        ),
        ("import drills\nx = (", "mine.py:2:5: this is not Python"),
        ("import drills\nscenario = 5", "mine.py:1:1: expected 'scenario' to be a Scenario, found int"),
        ("import drills\nscenaro = 5", "mine.py:1:1: expected a module-level 'scenario = Scenario(…)'"),
        ("import drills, sys\n\nsys.exit(3)", "mine.py:3:1: the scenario cannot be loaded: SystemExit: 3"),
        ("import no_such_module", "mine.py:1:1: the scenario cannot be loaded: ModuleNotFoundError"),
        ("import drills\ndef f():\n    1 / 0\nf()", "mine.py:3:1: the scenario cannot be loaded: ZeroDivisionError"),
    ],
)
def test_a_broken_scenario_is_named_with_its_line(here: Path, content: str, message: str) -> None:
    (here / "scenarios" / "mine.py").write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        plugins.load_scenario("mine")
    assert message in str(caught.value)


def test_files_that_have_nothing_to_do_with_drills_are_left_alone(here: Path) -> None:
    """A folder named scenarios or fixtures may be there for other reasons; running its files would be rude."""
    (here / "scenarios" / "theirs.py").write_text("raise SystemExit('ran')")
    (here / "scenarios" / "_shared.py").write_text(OWN)
    (here / "fixtures" / "users.yaml").write_text("- model: auth.user\n  pk: 1\n")
    assert not {"theirs", "_shared"} & set(plugins.scenario_names())
    assert "users" not in plugins.estate_names()


def test_an_unknown_name_gets_the_nearest(here: Path) -> None:
    (here / "scenarios" / "leaked_key.py").write_text(OWN)
    with pytest.raises(UsageError, match=r"unknown scenario 'bulk_erace'; did you mean 'bulk_erase'\?"):
        plugins.load_scenario("bulk_erace")
    with pytest.raises(UsageError, match=r"unknown scenario 'Leaked_keys'; did you mean 'leaked_key'\?"):
        plugins.load_scenario("Leaked_keys")
    with pytest.raises(UsageError, match=r"unknown scenario '\.\./x'"):
        plugins.load_scenario("../x")
    with pytest.raises(UsageError, match=r"unknown estate 'shoop'; did you mean 'shop'\?"):
        plugins.estate_path("shoop")
    with pytest.raises(UsageError, match=r"there is no estate file mine.yaml"):
        plugins.estate_path("mine.yaml")
    with pytest.raises(
        UsageError, match=r"unknown protection 'dynamodb_stream_coppy'; did you mean 'dynamodb_stream_copy'"
    ):
        plugins.load_protection("dynamodb_stream_coppy")
    with pytest.raises(UsageError, match=r"unknown kind of store 'dynamo'"):
        plugins.load_store_kind("dynamo")


def test_an_estate_whose_stores_are_misspelt_is_still_told_what_is_wrong(here: Path) -> None:
    (here / "fixtures" / "mine.yaml").write_text("stroes: []\n")
    with pytest.raises(
        ConfigurationError, match=r"fixtures/mine.yaml:1:1: unknown key 'stroes'; did you mean 'stores'\?"
    ):
        plugins.load_estate("mine")
