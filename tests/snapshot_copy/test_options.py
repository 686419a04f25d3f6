"""Options, names and what both sides are told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from drills.handlers.snapshot_copy import Settings
from drills.handlers.snapshot_copy.run import Run
from drills.snapshot_copy import Options, SnapshotCopy
from tests.snapshot_copy.copy_site import OTHER, PRODUCTION, REGION, VAULT, copy_named


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"interval": 60}, "interval: expected a duration with its unit, such as 90s, 15m, 4h or 1d, found 60"),
        ({"interval": "5m"}, "interval: expected a duration from 15m to 35d, found 5m"),
        ({"objective": "1s"}, "objective: expected a duration from 15m to 90d, found 1s"),
        ({"vault_keep": 0}, "vault_keep: expected a whole number from 1 to 100, found 0"),
        ({"copies_at_once": 21}, "copies_at_once: expected a whole number from 1 to 20, found 21"),
        ({"names": "db-*"}, "names: expected a list of texts, found 'db-*'"),
        ({"tags": {"backup": 1}}, "tags: expected a mapping of texts, found {'backup': 1}"),
        ({"take": "all"}, "take: expected own or automated, found 'all'"),
        ({"vault_key": "alias/mine"}, "vault_key: expected the ARN of a key, found 'alias/mine'"),
        ({"interval_seconds": 900}, "interval_seconds: there is no such option; expected one of alarm_topics, "),
    ],
)
def test_wrong_options_are_named(options: Any, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        Options.parse(options)
    assert str(caught.value).startswith(said)


def test_a_vault_beside_the_databases_is_none() -> None:
    with pytest.raises(ValueError, match="expected a vault in another account or region than 111111111111, eu-west-1"):
        SnapshotCopy(PRODUCTION, REGION, PRODUCTION, REGION, "c")


def test_what_a_function_is_told_is_what_it_reads() -> None:
    copy = copy_named(
        "orders_copy",
        vault_region=OTHER,
        tags={"backup": "y*"},
        exclude_names=["a*"],
        option_groups={"audited": "audited-there"},
        shareable_keys=["arn:aws:kms:eu-west-1:111111111111:key/k"],
    )
    settings = copy.settings("arn:aws:kms:x", "arn:aws:kms:y")
    told = settings.as_environment()
    assert Settings.from_environment(told) == settings
    assert len(json.dumps(told)) < 4096


@pytest.mark.parametrize("name", ["Shop_Payments--x", "9lives", "ä" * 80, "a" * 190, "x-"])
def test_snapshots_have_identifiers_that_rds_accepts(name: str) -> None:
    prefix = SnapshotCopy(PRODUCTION, REGION, VAULT, REGION, name).prefix
    assert prefix[0].isalpha()
    assert "--" not in prefix
    assert not prefix.endswith("-")
    assert len(prefix) <= 60
    assert all(letter.isascii() and (letter.islower() or letter.isdigit() or letter == "-") for letter in prefix)


def test_what_there_is_no_time_left_for_waits_for_the_next_run() -> None:
    """A function that is cut off in the middle of a database would be no harm, but tell of no reason."""
    left = iter([300.0, 300.0, 5.0])
    run = Run(copy_named("c").settings("", ""), lambda: next(left))
    done: list[str] = []
    run.for_each(["one", "two", "three", "four"], done.append)
    assert done == ["one", "two"]
    assert run.told.waiting == ["three and what comes after it: the function's time is nearly over"]
