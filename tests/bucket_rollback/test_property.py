"""Whatever was written when: after the roll-back every key is as it was, and nothing that was there is gone."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from drills.bucket_rollback import roll_back
from tests.bucket_rollback.buckets import BUCKET, contents, put, version_ids, versioned

STEP = st.tuples(st.sampled_from(["put", "delete", "undelete"]), st.sampled_from("abc"), st.sampled_from([0.1, 0.7, 3]))


@settings(max_examples=int(os.environ.get("ROLL_BACK_EXAMPLES", "25")), deadline=None)
@given(before=st.lists(STEP, max_size=8), after=st.lists(STEP, max_size=8), fraction=st.sampled_from([0.0, 0.4]))
def test_every_key_is_as_it_was(
    before: list[tuple[str, str, float]], after: list[tuple[str, str, float]], fraction: float
) -> None:
    with versioned() as (aws, s3):
        held: dict[str, bytes] = {}
        number = 0

        def step(deed: str, key: str, seconds: float) -> None:
            nonlocal number
            number += 1
            if deed == "put":
                put(s3, key, str(number))
            elif deed == "delete":
                s3.delete_object(Bucket=BUCKET, Key=key)
            else:
                found = s3.list_object_versions(Bucket=BUCKET, Prefix=key).get("DeleteMarkers", [])
                for marker in (one for one in found if one["IsLatest"]):
                    s3.delete_object(Bucket=BUCKET, Key=key, VersionId=marker["VersionId"])
            aws.clock.sleep(seconds)

        for one in before:
            step(*one)
        held = contents(s3)
        aws.clock.sleep(1 + fraction)
        to = aws.clock.now()
        # Markers of before that are taken away later leave no trace, so a roll-back cannot know of them.
        for deed, key, seconds in after:
            step("put" if deed == "undelete" else deed, key, seconds)
        aws.clock.sleep(2)
        there = version_ids(s3)
        said = roll_back(s3, BUCKET, to, workers=1, dry_run=True)
        report = roll_back(s3, BUCKET, to, workers=1)
        assert contents(s3) == held
        assert there <= version_ids(s3)
        assert said.counts == report.counts
        assert report.counts["failed"] == report.counts["archived"] == 0
