"""``drills protect`` and ``restore`` on a bucket that exists, in the simulated AWS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drills.errors import ProtectionError
from drills.own_estate import kind_of
from tests.own_ground import ESTATE, PRODUCTION, RECOVERY, Ground, own_ground

BUCKET = "prod-invoices"
STORES = f"""stores:
  - {{name: invoices, exists: {BUCKET}, kind: s3, protections: PROTECTIONS}}
"""
BOTH = "[s3_versioning, s3_replication]"


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    """The bucket protected by both, with five objects from before that and three from after it."""
    with own_ground(tmp_path, monkeypatch) as found:
        found.text = ESTATE.partition("stores:")[0] + STORES
        s3 = found.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        for number in range(5):
            s3.put_object(Bucket=BUCKET, Key=f"2026/{number}", Body=b"%d" % number, Metadata={"n": str(number)})
        assert run(found, "protect") == 0
        for number in range(5, 8):
            s3.put_object(Bucket=BUCKET, Key=f"2026/{number}", Body=b"%d" % number)
        found.aws.clock.sleep(1_200)
        assert run(found, "protect") == 0
        yield found


ALL = {f"2026/{number}": b"%d" % number for number in range(8)}


def run(ground: Ground, command: str, *more: str) -> int:
    return ground.run(command, *more, protections=BOTH)


def restore(ground: Ground, *more: str) -> int:
    return run(ground, "restore", "--store", "invoices", "--yes", *more)


def bodies(s3: Any, bucket: str) -> dict[str, bytes]:
    found = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {entry["Key"]: s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read() for entry in found}


def ruin(ground: Ground) -> str:
    """Delete, overwrite and add; returns the moment before it."""
    s3 = ground.client("s3")
    ground.aws.clock.sleep(60)
    moment = ground.aws.clock.now().isoformat()
    ground.aws.clock.sleep(60)
    for number in range(4):
        s3.delete_object(Bucket=BUCKET, Key=f"2026/{number}")
    s3.put_object(Bucket=BUCKET, Key="2026/5", Body=b"ruined")
    s3.put_object(Bucket=BUCKET, Key="2026/new", Body=b"ruined")
    ground.aws.clock.sleep(1_200)
    return moment


def test_status_says_when_the_copy_is_no_longer_kept(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ground, "status") == 0
    ground.client("s3").delete_bucket_replication(Bucket=BUCKET)
    assert run(ground, "status") == 1
    assert "invoices: s3_replication: fail: copy.rule" in capsys.readouterr().out


def test_in_place_only_where_it_is_asked_for(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    moment = ruin(ground)
    s3, into = ground.client("s3"), ["--into", "production", "--to", moment, "--protection", "s3_versioning"]
    ruined = bodies(s3, BUCKET)
    for more, message in (
        ([], "it puts the store back in place, over what is there now: if that is meant, give --in-place"),
        (["--in-place", "--to", "latest"], "say which with --to"),
        (["--in-place", "--as", "another"], "as s3_versioning makes no new store"),
        (["--in-place", "--into", "recovery"], "it restores into the production account only"),
        (["--in-place", "--region", "eu-north-1"], "expected --into production in eu-west-1, where it is"),
    ):
        assert restore(ground, *into, *more) == 2
        assert message in capsys.readouterr().err
        assert bodies(s3, BUCKET) == ruined
    assert restore(ground, *into, "--in-place") == 0
    assert "IN PLACE" in capsys.readouterr().out
    assert bodies(s3, BUCKET) == ALL


def test_the_vaults_copy_comes_back_in_a_new_bucket(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    moment = ruin(ground)
    assert restore(ground, "--into", "recovery", "--to", moment, "--as", "invoices-back") == 0
    assert "invoices: pass: records: 8 records read back" in capsys.readouterr().out
    assert bodies(ground.client("s3", RECOVERY, "eu-north-1"), "invoices-back") == ALL
    # The bucket itself is as it was, and its name cannot be restored to.
    assert "2026/new" in bodies(ground.client("s3"), BUCKET)
    assert restore(ground, "--into", "recovery", "--to", moment, "--as", BUCKET) == 2
    assert restore(ground, "--into", "recovery", "--to", moment, "--as", "invoices-back") == 2


def test_production_is_closed(ground: Ground) -> None:
    ground.aws.close_account(PRODUCTION)
    assert restore(ground, "--into", "recovery", "--as", "invoices-back") == 0
    assert bodies(ground.client("s3", RECOVERY, "eu-north-1"), "invoices-back") == ALL


def test_the_guards_hold_for_an_estates_own_bucket(ground: Ground) -> None:
    own = ground.own(BOTH)
    own.verify(["production"])
    (store,) = own.stores()
    site = own.site(store)
    for deed in (
        lambda: kind_of(store).destroy(site, site.primary()),
        lambda: kind_of(store).damage(site, site.primary(), "all"),
        lambda: kind_of(store).reconfigure(site, site.primary(), {}),
    ):
        with pytest.raises(ProtectionError):
            deed()
    for use in own.uses(store)[1:]:
        with pytest.raises(ProtectionError, match="Outside of drills no store is ever destroyed"):
            use.protection.destroy(site, use.options)
    assert bodies(ground.client("s3"), BUCKET) == ALL
