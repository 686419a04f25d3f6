"""Any order of writes, deletions, suspensions, locks and passing time leaves a bucket as a plain model says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from drills.simulator import SimulatedAWS
from tests.simulator.s3.endpoint import ENABLED, ONE, SUSPENDED, refusal

pytestmark = pytest.mark.simulated_aws

KEYS = st.sampled_from(["a", "a/b", "a//b", "ü", "z+ z"])
CHANCE = st.integers(0, 2**16)
HOURS = st.integers(1, 72)
MODES = st.sampled_from(["GOVERNANCE", "COMPLIANCE"])


@dataclass
class Kept:
    """One version as the model has it; ``content`` is None for a marker."""

    identifier: str
    content: bytes | None
    mode: str | None = None
    until: datetime | None = None
    held: bool = False

    def is_retained(self, now: datetime) -> bool:
        return self.mode is not None and self.until is not None and self.until > now


@dataclass
class Model:
    """A bucket: of each key its versions, oldest first."""

    versioning: str = ""
    locked: bool = False
    default: tuple[str, int] | None = None
    keys: dict[str, list[Kept]] = field(default_factory=dict)

    def write(self, key: str, kept: Kept) -> None:
        before = self.keys.setdefault(key, [])
        if kept.identifier == "null":
            before[:] = [one for one in before if one.identifier != "null"]
        before.append(kept)

    def remove(self, key: str, kept: Kept) -> None:
        self.keys[key] = [one for one in self.keys[key] if one is not kept]

    def all(self) -> list[tuple[str, Kept]]:
        return [(key, kept) for key in sorted(self.keys) for kept in reversed(self.keys[key])]


class Bucket(RuleBasedStateMachine):
    """The simulated bucket and the model, side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.aws = SimulatedAWS(seed=9)
        self.aws.__enter__()
        self.s3: Any = self.aws.session(ONE).client("s3")
        self.model = Model()
        self.written = 0

    def teardown(self) -> None:
        self.aws.__exit__(None, None, None)

    @initialize(locked=st.booleans())
    def make(self, locked: bool) -> None:
        self.s3.create_bucket(Bucket="model", ObjectLockEnabledForBucket=locked)
        self.model = Model("Enabled" if locked else "", locked)

    # --- Writing

    def _wrote(
        self, key: str, answer: dict[str, Any], content: bytes, lock: tuple[str, datetime] | None = None
    ) -> None:
        identifier = str(answer.get("VersionId", "null"))
        assert (identifier == "null") is (self.model.versioning != "Enabled")
        kept = Kept(identifier, content)
        if lock is not None:
            kept.mode, kept.until = lock
        elif self.model.default is not None:
            kept.mode, kept.until = self.model.default[0], self.aws.clock.now() + timedelta(days=self.model.default[1])
        self.model.write(key, kept)

    def _content(self) -> bytes:
        self.written += 1
        return f"content {self.written}".encode()

    @rule(key=KEYS)
    def put(self, key: str) -> None:
        content = self._content()
        self._wrote(key, self.s3.put_object(Bucket="model", Key=key, Body=content), content)

    @precondition(lambda self: self.model.locked)
    @rule(key=KEYS, mode=MODES, hours=HOURS)
    def put_locked(self, key: str, mode: str, hours: int) -> None:
        content, until = self._content(), self.aws.clock.now() + timedelta(hours=hours)
        more: Any = {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": until}
        self._wrote(key, self.s3.put_object(Bucket="model", Key=key, Body=content, **more), content, (mode, until))

    @rule(key=KEYS)
    def upload(self, key: str) -> None:
        content = self._content()
        upload = self.s3.create_multipart_upload(Bucket="model", Key=key)["UploadId"]
        where = {"Bucket": "model", "Key": key, "UploadId": upload}
        etag = self.s3.upload_part(**where, PartNumber=1, Body=content)["ETag"]
        parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
        self._wrote(key, self.s3.complete_multipart_upload(**where, MultipartUpload=parts), content)

    @rule(key=KEYS, chance=CHANCE)
    def copy(self, key: str, chance: int) -> None:
        chosen = self._chosen(chance)
        if chosen is None or chosen[1].content is None or chosen[0] == key:
            return
        source = {"Bucket": "model", "Key": chosen[0]}
        if self.model.versioning:
            source["VersionId"] = chosen[1].identifier
        answer = self.s3.copy_object(Bucket="model", Key=key, CopySource=source)
        self._wrote(key, answer, chosen[1].content)

    # --- Deleting

    @rule(key=KEYS, several=st.booleans())
    def delete(self, key: str, several: bool) -> None:
        if several:
            self.s3.delete_objects(Bucket="model", Delete={"Objects": [{"Key": key}]})
            identifier = self._latest_id(key)
        else:
            identifier = self.s3.delete_object(Bucket="model", Key=key).get("VersionId", "null")
        if not self.model.versioning:
            self.model.keys.pop(key, None)
        else:
            assert (identifier == "null") is (self.model.versioning == "Suspended")
            self.model.write(key, Kept(identifier, None))

    def _latest_id(self, key: str) -> str:
        listed = self.s3.list_object_versions(Bucket="model", Prefix=key)
        found = [one for one in listed.get("DeleteMarkers", []) if one["Key"] == key and one["IsLatest"]]
        return str(found[0]["VersionId"]) if found else "null"

    @rule(chance=CHANCE, bypass=st.sampled_from([None, False, True]), several=st.booleans())
    def delete_version(self, chance: int, bypass: bool | None, several: bool) -> None:
        chosen = self._chosen(chance)
        if chosen is None:
            return
        key, kept = chosen
        more: Any = {"BypassGovernanceRetention": bypass} if bypass is not None and self.model.locked else {}
        if several:
            objects = [{"Key": key, "VersionId": kept.identifier}]
            errors = self.s3.delete_objects(Bucket="model", Delete={"Objects": objects}, **more).get("Errors", [])
            code = errors[0]["Code"] if errors else ""
        else:
            code = refusal(self.s3.delete_object, Bucket="model", Key=key, VersionId=kept.identifier, **more)
        stopped = kept.is_retained(self.aws.clock.now()) and not (kept.mode == "GOVERNANCE" and bypass is True)
        assert code == ("AccessDenied" if kept.held or stopped else "")
        if not code:
            self.model.remove(key, kept)

    # --- Settings, locks, time

    @rule(status=st.sampled_from(["Enabled", "Suspended"]))
    def set_versioning(self, status: str) -> None:
        configuration = ENABLED if status == "Enabled" else SUSPENDED
        code = refusal(self.s3.put_bucket_versioning, Bucket="model", VersioningConfiguration=configuration)
        refused = self.model.locked and status == "Suspended"
        assert code == ("InvalidBucketState" if refused else "")
        if not refused:
            self.model.versioning = status

    @precondition(lambda self: self.model.versioning)
    @rule(default=st.none() | st.tuples(MODES, st.integers(1, 2)))
    def set_lock(self, default: tuple[str, int] | None) -> None:
        configuration: Any = {"ObjectLockEnabled": "Enabled"}
        if default is not None:
            configuration["Rule"] = {"DefaultRetention": {"Mode": default[0], "Days": default[1]}}
        called = self.s3.put_object_lock_configuration
        code = refusal(called, Bucket="model", ObjectLockConfiguration=configuration)
        assert code == ("" if self.model.versioning == "Enabled" else "InvalidBucketState")
        if not code:
            self.model.locked, self.model.default = True, default

    @precondition(lambda self: self.model.locked)
    @rule(chance=CHANCE, mode=MODES, hours=HOURS, bypass=st.sampled_from([None, False, True]))
    def retain(self, chance: int, mode: str, hours: int, bypass: bool | None) -> None:
        chosen = self._chosen(chance)
        if chosen is None or chosen[1].content is None:
            return
        key, kept = chosen
        until = self.aws.clock.now() + timedelta(hours=hours)
        more: Any = {"BypassGovernanceRetention": bypass} if bypass is not None else {}
        retention = {"Mode": mode, "RetainUntilDate": until}
        version = {"Bucket": "model", "Key": key, "VersionId": kept.identifier}
        code = refusal(self.s3.put_object_retention, **version, Retention=retention, **more)
        weaker = kept.is_retained(self.aws.clock.now()) and (
            until < (kept.until or until) or (kept.mode == "COMPLIANCE" and mode == "GOVERNANCE")
        )
        refused = weaker and (kept.mode == "COMPLIANCE" or bypass is not True)
        assert code == ("AccessDenied" if refused else "")
        if not refused:
            kept.mode, kept.until = mode, until

    @precondition(lambda self: self.model.locked)
    @rule(chance=CHANCE, held=st.booleans())
    def hold(self, chance: int, held: bool) -> None:
        chosen = self._chosen(chance)
        if chosen is None or chosen[1].content is None:
            return
        key, kept = chosen
        status = {"Status": "ON" if held else "OFF"}
        self.s3.put_object_legal_hold(Bucket="model", Key=key, VersionId=kept.identifier, LegalHold=status)
        kept.held = held

    @rule(hours=HOURS)
    def wait(self, hours: int) -> None:
        self.aws.clock.sleep(hours * 3600)

    def _chosen(self, chance: int) -> tuple[str, Kept] | None:
        everything = self.model.all()
        return everything[chance % len(everything)] if everything else None

    # --- What always holds

    @invariant()
    def pages_tell_what_the_model_has(self) -> None:
        told: list[tuple[str, str, bool, bool]] = []
        for page in self.s3.get_paginator("list_object_versions").paginate(
            Bucket="model", PaginationConfig={"PageSize": 2}
        ):
            rows = [(one, False) for one in page.get("Versions", [])]
            rows += [(one, True) for one in page.get("DeleteMarkers", [])]
            told += [(one["Key"], one["VersionId"], one["IsLatest"], marker) for one, marker in rows]
        expected = [
            (key, kept.identifier, kept is self.model.keys[key][-1], kept.content is None)
            for key, kept in self.model.all()
        ]
        assert sorted(told) == sorted(expected)

    @invariant()
    def objects_are_what_was_written_last(self) -> None:
        latest = {key: kept[-1].content for key, kept in self.model.keys.items() if kept}
        alive = {key: content for key, content in latest.items() if content is not None}
        listed = self.s3.list_objects_v2(Bucket="model").get("Contents", [])
        assert [one["Key"] for one in listed] == sorted(alive, key=str.encode)
        for key, content in alive.items():
            assert self.s3.get_object(Bucket="model", Key=key)["Body"].read() == content

    @invariant()
    def every_version_is_as_it_was_written(self) -> None:
        for key, kept in self.model.all():
            if kept.content is None:
                continue
            answer = self.s3.get_object(Bucket="model", Key=key, VersionId=kept.identifier)
            assert answer["Body"].read() == kept.content
            assert answer.get("ObjectLockMode") == kept.mode
            assert answer.get("ObjectLockRetainUntilDate") == kept.until


CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


class LongRun(Bucket):
    """The same, for the long run."""


TestBucket = Bucket.TestCase
TestBucket.settings = settings(max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=CHECKS)
TestLongRun = pytest.mark.soak(LongRun.TestCase)
TestLongRun.settings = settings(max_examples=400, stateful_step_count=60, deadline=None, suppress_health_check=CHECKS)
