"""One invocation: a batch of one shard's records."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from .applying import Applier
from .aside import aside_document, aside_key
from .changes import Change, change_of, item_from_event, marker_id, stream_label, transactions, version_of, waves
from .clients import Vault, own_client
from .errors import Retryable
from .settings import Settings
from .state import tell_state

LOG = logging.getLogger("drills.stream_copy")
METRIC_NAMESPACE = "drills/stream-copy"
MARGIN_SECONDS = 10.0
"""What is left of the function's time must be enough for one transaction with its retries."""


class Copier:
    """One invocation: a batch of one shard's records."""

    def __init__(self, settings: Settings, clients: Vault, function: str, seconds_left: Callable[[], float]) -> None:
        self._settings = settings
        self._clients = clients
        self._function = function
        self._seconds_left = seconds_left
        self._applier = Applier(
            clients.dynamodb, settings.copy_table, settings.marker_table, float(settings.tombstone_hours)
        )
        self._set_aside = 0

    def copy(self, records: Sequence[Mapping[str, Any]]) -> int | None:
        """Apply a batch. Returns the position of the first record that must come again, None when all is done."""
        done: set[int] = set()
        newest: Change | None = None
        try:
            changes = self._understand(records, done)
            for wave in waves(changes):
                for chunk in transactions(wave):
                    if self._seconds_left() < MARGIN_SECONDS:
                        raise Retryable("the function's time is nearly over")
                    self._applier.apply(chunk, self._poisoned)
                    for change in chunk:
                        done.update(_positions(change))
                        newest = max(newest or change, change, key=lambda one: one.version)
        except Retryable as error:
            LOG.warning("%d of %d records to come again: %s", len(records) - len(done), len(records), error)
        if newest is not None:
            self._tell_state(newest)
        if self._set_aside:
            self._tell_alarm()
        return next((position for position in range(len(records)) if position not in done), None)

    def _understand(self, records: Sequence[Mapping[str, Any]], done: set[int]) -> list[Change]:
        changes = []
        for position, record in enumerate(records):
            try:
                if stream_label(record) < self._settings.stream_label:
                    done.add(position)
                    continue
                changes.append(change_of(record, position))
            except Exception as error:  # noqa: BLE001 - a record that cannot be understood must not block its shard.
                self._store_aside(record, error)
                self._mark_if_named(record)
                done.add(position)
        return changes

    def _mark_if_named(self, record: Mapping[str, Any]) -> None:
        try:
            data = record["dynamodb"]
            marker = marker_id(item_from_event(data["Keys"]))
            version = version_of(stream_label(record), data["SequenceNumber"])
        except Exception:  # noqa: BLE001 - a record that does not even name its item has no marker.
            return
        self._mark(marker, version)

    def _mark(self, marker: str, version: str) -> None:
        try:
            self._applier.mark_set_aside(marker, version)
        except (ClientError, BotoCoreError) as failure:
            raise Retryable(f"could not mark {version} as set aside: {failure}") from failure

    def _poisoned(self, change: Change, error: Exception) -> None:
        if change.earlier is not None:
            self._applier.apply([change.earlier], self._poisoned)
        self._store_aside(change.record, error)
        self._mark(change.marker, change.version)

    def _store_aside(self, record: Mapping[str, Any], error: Exception) -> None:
        body = json.dumps(aside_document(record, error), ensure_ascii=False, indent=1, default=str)
        try:
            self._clients.s3.put_object(
                Bucket=self._settings.aside_bucket,
                Key=aside_key(self._settings.aside_prefix, record),
                Body=body.encode("utf-8", "surrogatepass"),
                ContentType="application/json",
                ExpectedBucketOwner=self._settings.vault_account,
            )
        except (ClientError, BotoCoreError) as failure:
            raise Retryable(f"could not set a record aside: {failure}") from failure
        self._set_aside += 1
        LOG.error("set aside %s: %s: %s", aside_key("", record), type(error).__name__, error)

    def _tell_alarm(self) -> None:
        dimensions = [{"Name": "FunctionName", "Value": self._function}]
        data = {"MetricName": "RecordsSetAside", "Value": self._set_aside, "Unit": "Count", "Dimensions": dimensions}
        try:
            own_client("cloudwatch").put_metric_data(Namespace=METRIC_NAMESPACE, MetricData=[data])
        except (ClientError, BotoCoreError) as failure:
            # The records are safe and the vault counts them; holding the shard up for a metric would help nobody.
            LOG.error("could not tell the alarm of %d records set aside: %s", self._set_aside, failure)

    def _tell_state(self, newest: Change) -> None:
        try:
            tell_state(self._clients.dynamodb, self._settings.marker_table, newest)
        except (ClientError, BotoCoreError) as failure:
            LOG.warning("could not write the state of the copy: %s", failure)


def _positions(change: Change) -> Iterator[int]:
    one: Change | None = change
    while one is not None:
        yield one.position
        one = one.earlier
