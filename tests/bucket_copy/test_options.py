"""What an estate can say of a copy, and what a copy's parts are called."""

from __future__ import annotations

from typing import Any

import pytest

from drills.bucket_copy import BucketCopy, Options
from drills.bucket_copy.policies import copy_policy, role_policy


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"lock_dayz": 3}, "lock_dayz: there is no such option"),
        ({"lock_days": 0}, "lock_days: expected a whole number from 1 to 36500, found 0"),
        ({"lock_days": True}, "lock_days: expected a whole number"),
        ({"lock_mode": "strict"}, "lock_mode: expected governance or compliance, found 'strict'"),
        ({"noncurrent_days": 5}, r"noncurrent_days: expected at least lock_days \(30\)"),
        ({"maximum_lag": "2 weeks"}, "maximum_lag: "),
        ({"deletions_every": "10s"}, "deletions_every: expected a duration from 60s"),
        ({"prefix": 3}, "prefix: expected a text, found 3"),
        ({"replication_time": "yes"}, "replication_time: expected true or false, found 'yes'"),
        ({"kms_key": "alias/mine"}, "kms_key: expected the ARN of a key"),
    ],
)
def test_mistakes_are_told(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Options.parse(given)


def test_what_is_left_out_has_its_default() -> None:
    assert Options.parse({}) == Options()
    given = {"lock_mode": "compliance", "lock_days": 1, "noncurrent_days": 2, "maximum_lag": "1m"}
    found = Options.parse(given)
    assert (found.lock_mode, found.lock_days, found.noncurrent_days, found.maximum_lag_seconds) == (
        "compliance",
        1,
        2,
        60,
    )


def copy(name: str = "copy") -> BucketCopy:
    return BucketCopy(
        "111111111111", "eu-west-1", "papers", "222222222222", "eu-central-1", "papers-copy", name, ("333333333333",)
    )


def test_names_fit() -> None:
    long = copy("x" * 100).role
    assert len(long) <= 64
    assert long != copy("x" * 101).role


def actions(policy: dict[str, Any]) -> set[str]:
    found = set()
    for statement in policy["Statement"]:
        named = statement["Action"]
        found |= set(named) if isinstance(named, list) else {named}
    return found


def test_no_role_may_delete_or_change_the_copy() -> None:
    role = actions(role_policy(copy(), None, None))
    assert not any("Delete" in action or "*" in action or action.startswith("s3:PutObject") for action in role)
    assert "kms:Decrypt" not in role
    assert "kms:Decrypt" in actions(role_policy(copy(), None, "arn:aws:kms:eu-central-1:222222222222:key/k"))
    for statement in copy_policy(copy())["Statement"]:
        assert statement["Principal"]["AWS"] != "*"
        assert not any("Delete" in action or "Put" in action for action in statement["Action"])
