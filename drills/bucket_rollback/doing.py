"""Decisions carried out: many keys at a time, by several workers, in an order that can be resumed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from drills.bucket_rollback.checkpoint import Checkpoint
from drills.bucket_rollback.copying import Copying
from drills.bucket_rollback.deciding import ARCHIVES, Decision
from drills.bucket_rollback.errors import RollBackStopped
from drills.bucket_rollback.report import Outcome, Tally
from drills.bucket_rollback.unspeakable import apart

KEYS_A_BATCH = 250
KEPT_A_BATCH = 10_000
"""Keys with nothing to do cost nothing, but the checkpoint should move on over them too."""
DELETIONS_A_CALL = 1_000
ARCHIVED = "InvalidObjectState"
MOST_FAILURES = 1_000
"""After so many keys that S3 refused, something is wrong with the whole, and going on costs money."""
GONE = ("NoSuchVersion", "NoSuchKey", "404")


@dataclass(slots=True)
class Batch:
    """Decisions of keys that follow each other."""

    to_do: list[Decision] = field(default_factory=list)
    kept: int = 0
    last_key: str = ""
    lost: list[Outcome] = field(default_factory=list)


def batches(decisions: Iterable[Decision]) -> Iterator[Batch]:
    batch = Batch()
    for decision in decisions:
        batch.last_key = decision.key
        if decision.lost:
            batch.lost.append(Outcome(decision.key, "lost", detail=decision.lost))
        if decision.deed == "kept":
            batch.kept += 1
        else:
            batch.to_do.append(decision)
        if len(batch.to_do) >= KEYS_A_BATCH or batch.kept >= KEPT_A_BATCH:
            yield batch
            batch = Batch()
    if batch.last_key:
        yield batch


def in_order(
    work: Callable[[Batch], list[Outcome]], found: Iterator[Batch], workers: int
) -> Iterator[tuple[Batch, list[Outcome]]]:
    """Each batch with its outcomes, in the order of the keys; at most twice as many as workers are under way."""
    if workers == 1:
        for batch in found:
            yield batch, work(batch)
        return
    under_way: deque[tuple[Batch, Future[list[Outcome]]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="roll-back") as pool:
        try:
            for batch in found:
                under_way.append((batch, pool.submit(work, batch)))
                if len(under_way) >= 2 * workers:
                    first, future = under_way.popleft()
                    yield first, future.result()
            while under_way:
                first, future = under_way.popleft()
                yield first, future.result()
        finally:
            for _, future in under_way:
                future.cancel()


@dataclass(frozen=True, slots=True)
class Doing:
    """Carries batches out, or says what it would do."""

    s3: Any
    bucket: str
    owner: str | None
    copying: Copying
    dry_run: bool

    def __call__(self, batch: Batch) -> list[Outcome]:
        """Raises RollBackStopped when S3 cannot be reached at all."""
        by_deed: dict[str, list[Decision]] = {"undeleted": [], "set_aside": [], "copied": []}
        for decision in batch.to_do:
            by_deed[decision.deed].append(decision)
        outcomes = [self._copied(decision) for decision in by_deed["copied"]]
        outcomes += self._deleted(by_deed["undeleted"])
        outcomes += self._deleted(by_deed["set_aside"])
        return outcomes

    # --- Copying back

    def _copied(self, decision: Decision) -> Outcome:
        key, then = decision.key, decision.then
        assert then is not None
        try:
            if self.dry_run:
                archived = then.storage_class in ARCHIVES and not self._readable(key, then.version_id)
                return Outcome(key, "archived" if archived else "copied", then.version_id)
            self.copying.copy(key, then.version_id, then.size, then.storage_class)
        except ClientError as error:
            return _refused(key, then.version_id, error)
        except BotoCoreError as error:
            raise _stopped(self.bucket, key, error) from error
        return Outcome(key, "copied", then.version_id)

    def _readable(self, key: str, version_id: str) -> bool:
        owner = {"ExpectedBucketOwner": self.owner} if self.owner else {}
        told = self.s3.head_object(Bucket=self.bucket, Key=key, VersionId=version_id, **owner)
        return 'ongoing-request="false"' in told.get("Restore", "")

    # --- Markers taken away and laid

    def _deleted(self, decisions: Sequence[Decision]) -> list[Outcome]:
        """Take the markers of these keys away, or, for keys without any, lay one over the current version."""
        outcomes: list[Outcome] = []
        call: list[dict[str, str]] = []
        about: list[Decision] = []
        for decision in decisions:
            wanted = [{"Key": decision.key, "VersionId": marker} for marker in decision.markers]
            wanted = wanted or [{"Key": decision.key}]
            if call and len(call) + len(wanted) > DELETIONS_A_CALL:
                outcomes += self._delete(call, about)
                call, about = [], []
            call += wanted
            about.append(decision)
        return outcomes + self._delete(call, about) if call else outcomes

    def _delete(self, call: list[dict[str, str]], about: Sequence[Decision]) -> list[Outcome]:
        errors: dict[str, str] = {}
        if not self.dry_run:
            together, alone = apart(call)
            errors = self._delete_together(together) | self._delete_singly(alone)
        return [
            Outcome(
                decision.key,
                "failed" if decision.key in errors else decision.deed,
                (decision.then or decision.current).version_id,
                errors.get(decision.key, ""),
            )
            for decision in about
        ]

    def _delete_together(self, call: list[dict[str, str]]) -> dict[str, str]:
        errors: dict[str, str] = {}
        for first in range(0, len(call), DELETIONS_A_CALL):
            part = call[first : first + DELETIONS_A_CALL]
            try:
                answer = self.s3.delete_objects(
                    Bucket=self.bucket, Delete={"Objects": part, "Quiet": True}, **self._owner()
                )
            except ClientError as error:
                errors |= {one["Key"]: str(error) for one in part}
            except BotoCoreError as error:
                raise _stopped(self.bucket, part[0]["Key"], error) from error
            else:
                for one in answer.get("Errors", []):
                    errors[one["Key"]] = f"{one.get('Code')}: {one.get('Message')}"
        return errors

    def _delete_singly(self, call: list[dict[str, str]]) -> dict[str, str]:
        errors: dict[str, str] = {}
        for one in call:
            try:
                self.s3.delete_object(Bucket=self.bucket, **one, **self._owner())
            except ClientError as error:
                errors[one["Key"]] = str(error)
            except BotoCoreError as error:
                raise _stopped(self.bucket, one["Key"], error) from error
        return errors

    def _owner(self) -> dict[str, str]:
        return {"ExpectedBucketOwner": self.owner} if self.owner else {}


def carry_out(
    doing: Doing,
    decisions: Iterable[Decision],
    tally: Tally,
    *,
    workers: int,
    checkpoint: tuple[Checkpoint, Mapping[str, str]] | None,
    progress: Callable[[int, str], None] | None,
) -> None:
    """Carry all decisions out and tell the tally; the checkpoint, with its job, stays behind the first failure."""
    failures = 0
    for batch, outcomes in in_order(doing, batches(decisions), workers):
        tally.keys += batch.kept + len(batch.to_do)
        tally.kept(batch.kept)
        for outcome in (*batch.lost, *outcomes):
            tally.add(outcome)
            failures += outcome.deed == "failed"
        if failures > MOST_FAILURES:
            raise _too_many(doing.copying.target, outcomes, failures)
        if checkpoint is not None and not failures:
            checkpoint[0].done(checkpoint[1], batch.last_key)
        if progress is not None:
            progress(tally.keys, batch.last_key)
    if checkpoint is not None and not failures:
        checkpoint[0].finished()


def _too_many(bucket: str, outcomes: Sequence[Outcome], failures: int) -> RollBackStopped:
    last = [outcome for outcome in outcomes if outcome.deed == "failed"][-1]
    return RollBackStopped(
        f"bucket {bucket}, key {last.key!r}: S3 refused {failures:,} keys so far, this one with: {last.detail}. What "
        "is done stands; put right what it refuses and begin again with the same checkpoint.",
        last.key,
    )


def _refused(key: str, version_id: str, error: ClientError) -> Outcome:
    code = str(error.response.get("Error", {}).get("Code"))
    if code == ARCHIVED:
        return Outcome(key, "archived", version_id, "it has to be restored from its archive first (RestoreObject)")
    if code in GONE:
        return Outcome(key, "lost", version_id, "the version was deleted for good meanwhile")
    return Outcome(key, "failed", version_id, str(error))


def _stopped(bucket: str, key: str, error: Exception) -> RollBackStopped:
    return RollBackStopped(
        f"bucket {bucket}, key {key!r}: S3 could not be reached ({error}). What is done so far stands; begin again "
        "with the same checkpoint to go on from there.",
        key,
    )
