"""Applies again what was set aside, once the cause is gone; never what something newer has overtaken."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from drills.clock import Clock
from drills.handlers.stream_copy import Applier, Change, Retryable, change_of, version_of
from drills.stream_copy.images import BEGINNING
from drills.stream_copy.model import Clients, StreamCopy
from drills.stream_copy.rows import BackfillState, moment, read_row


@dataclass(frozen=True, slots=True)
class Redriven:
    """What became of the records that had been set aside.

    ``overtaken``: something newer is in the copy. ``left``: still refused, with the reason by object key; they stay.
    """

    applied: int
    overtaken: int
    left: Mapping[str, str]


def redrive(copy: StreamCopy, clients: Clients, clock: Clock) -> Redriven:
    """Go through the bucket; what is applied or overtaken is deleted from it, with all its versions."""
    return _Run(copy, clients, clock).run()


class _Run:
    def __init__(self, copy: StreamCopy, clients: Clients, clock: Clock) -> None:
        self.copy = copy
        self.clock = clock
        self.dynamodb = clients("vault", "dynamodb")
        self.s3 = clients("vault", "s3")
        self.backfill = BackfillState.read(self.dynamodb, copy.marker_table)
        self.applier = Applier(self.dynamodb, copy.copy_table, copy.marker_table, copy.options.tombstone_hours)

    def run(self) -> Redriven:
        done = Redriven(0, 0, {})
        for name in list(self._set_aside()):
            try:
                applied = self._again(name)
            except (ClientError, Retryable, _Refused) as error:
                done = replace(done, left={**done.left, name: str(error)})
                continue
            self._forget(name)
            done = replace(done, applied=done.applied + applied, overtaken=done.overtaken + (not applied))
        return done

    def _again(self, name: str) -> bool:
        """Whether the record was applied; False when it is overtaken. Raises where it must stay."""
        body = self.s3.get_object(Bucket=self.copy.bucket, Key=name)["Body"].read()
        try:
            change = change_of(json.loads(body)["record"], 0)
        except Exception as error:
            raise _Refused(f"cannot be understood: {type(error).__name__}: {error}") from error
        if self.backfill is not None and change.version < version_of(self.backfill.label, BEGINNING):
            return self._covered_by_backfill(self.backfill)
        marker = read_row(self.dynamodb, self.copy.marker_table, change.marker)
        if not marker and self._tombstone_may_be_gone(body):
            raise _Refused(
                "the item has no marker any more and the record is older than a deletion's marker is kept: the item "
                "may have been deleted since. A backfill settles what it is now; then delete this object."
            )
        return bool(self.applier.apply([change], self._refused))

    @staticmethod
    def _covered_by_backfill(backfill: BackfillState) -> bool:
        # What the source no longer had by then left no trace in the copy: applying this would bring it back.
        if backfill.finished_at is None:
            raise _Refused(
                f"the backfill for the stream {backfill.label} is not finished and may cover this: finish it"
            )
        return False

    def _tombstone_may_be_gone(self, body: bytes) -> bool:
        at = moment(
            {"at": {"N": str(int(json.loads(body)["record"]["dynamodb"].get("ApproximateCreationDateTime", 0)))}}, "at"
        )
        assert at is not None
        return self.clock.now() - at > timedelta(hours=self.copy.options.tombstone_hours)

    @staticmethod
    def _refused(change: Change, error: Exception) -> None:
        raise _Refused(f"{type(error).__name__}: {error}")

    def _set_aside(self) -> Iterator[str]:
        for page in self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.copy.bucket, Prefix=self.copy.aside_prefix
        ):
            for entry in page.get("Contents", []):
                yield entry["Key"]

    def _forget(self, name: str) -> None:
        # All versions: what was set aside may hold a person's data that has been erased since.
        listed: Any = self.s3.list_object_versions(Bucket=self.copy.bucket, Prefix=name)
        for entry in [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]:
            if entry["Key"] == name:
                self.s3.delete_object(Bucket=self.copy.bucket, Key=name, VersionId=entry["VersionId"])


class _Refused(Exception):
    """Still permanently wrong."""
