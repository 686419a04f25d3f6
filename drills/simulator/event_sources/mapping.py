"""What one event source mapping is set to, and how AWS's API describes it.

Source: Lambda API reference, CreateEventSourceMapping, EventSourceMappingConfiguration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from drills.simulator.event_sources.filters import Filter

BOUNDS: Mapping[str, tuple[int, int]] = {
    "BatchSize": (1, 10_000),
    "MaximumBatchingWindowInSeconds": (0, 300),
    "ParallelizationFactor": (1, 10),
    "MaximumRetryAttempts": (-1, 10_000),
    "MaximumRecordAgeInSeconds": (-1, 604_800),
}
YOUNGEST_AGE_SECONDS = 60
POSITIONS = ("TRIM_HORIZON", "LATEST")
PARTIAL = "ReportBatchItemFailures"


class Invalid(Exception):
    """A setting that AWS refuses; the message is AWS's."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that may be changed. Times in seconds; -1 is without limit."""

    batch_size: int = 100
    window_seconds: int = 0
    lanes: int = 1
    """The parallelization factor."""
    retries: int = -1
    record_age_seconds: int = -1
    bisect: bool = False
    partial: bool = False
    destination: str = ""
    filters: tuple[Filter, ...] = ()
    filter_texts: tuple[str, ...] = ()

    def updated(self, body: Mapping[str, Any]) -> Settings:
        """With what the request says. Raises Invalid."""
        _check_bounds(body)
        given: dict[str, Any] = {}
        for name, attribute in NAMES.items():
            if body.get(name) is not None:
                given[attribute] = body[name]
        if body.get("FunctionResponseTypes") is not None:
            given["partial"] = PARTIAL in body["FunctionResponseTypes"]
        if body.get("DestinationConfig") is not None:
            given["destination"] = (body["DestinationConfig"].get("OnFailure") or {}).get("Destination", "")
        if body.get("FilterCriteria") is not None:
            texts = tuple(str(one.get("Pattern", "")) for one in body["FilterCriteria"].get("Filters", ()))
            given |= {"filter_texts": texts, "filters": tuple(_filter(text) for text in texts)}
        if body.get("TumblingWindowInSeconds"):
            raise Invalid("TumblingWindowInSeconds is not simulated: leave it out")
        return replace(self, **given)


NAMES = {
    "BatchSize": "batch_size",
    "MaximumBatchingWindowInSeconds": "window_seconds",
    "ParallelizationFactor": "lanes",
    "MaximumRetryAttempts": "retries",
    "MaximumRecordAgeInSeconds": "record_age_seconds",
    "BisectBatchOnFunctionError": "bisect",
}


def _check_bounds(body: Mapping[str, Any]) -> None:
    for name, (low, high) in BOUNDS.items():
        value = body.get(name)
        if value is None:
            continue
        member = name[0].lower() + name[1:]
        if not low <= value <= high:
            limit = f"less than or equal to {high}" if value > high else f"greater than or equal to {low}"
            raise Invalid(
                f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
                f"Member must have value {limit}"
            )
    age = body.get("MaximumRecordAgeInSeconds")
    if age is not None and -1 < age < YOUNGEST_AGE_SECONDS:
        raise Invalid(
            f"Invalid request provided: MaximumRecordAgeInSeconds must be -1 or at least {YOUNGEST_AGE_SECONDS}"
        )


def _filter(text: str) -> Filter:
    try:
        return Filter.parse(text)
    except ValueError as error:
        raise Invalid(f"Invalid filter pattern definition. {error}") from error


@dataclass
class Description:
    """Who a mapping is and in which state."""

    uuid: str
    account: str
    region: str
    source_arn: str
    function: str
    """As it was named, without the account: name, or name:qualifier."""
    starting_position: str
    settings: Settings
    tags: dict[str, str]
    modified: datetime
    state: str = "Creating"
    result: str = "No records processed"
    reason: str = "User action"

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{self.region}:{self.account}:event-source-mapping:{self.uuid}"

    @property
    def function_arn(self) -> str:
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{self.function}"

    def as_answer(self) -> dict[str, Any]:
        """EventSourceMappingConfiguration."""
        settings = self.settings
        answer: dict[str, Any] = {
            "UUID": self.uuid,
            "StartingPosition": self.starting_position,
            "BatchSize": settings.batch_size,
            "MaximumBatchingWindowInSeconds": settings.window_seconds,
            "ParallelizationFactor": settings.lanes,
            "EventSourceArn": self.source_arn,
            "FunctionArn": self.function_arn,
            "LastModified": self.modified.timestamp(),
            "LastProcessingResult": self.result,
            "State": self.state,
            "StateTransitionReason": self.reason,
            "DestinationConfig": {"OnFailure": {"Destination": settings.destination} if settings.destination else {}},
            "MaximumRecordAgeInSeconds": settings.record_age_seconds,
            "BisectBatchOnFunctionError": settings.bisect,
            "MaximumRetryAttempts": settings.retries,
            "TumblingWindowInSeconds": 0,
            "FunctionResponseTypes": [PARTIAL] if settings.partial else [],
            "EventSourceMappingArn": self.arn,
        }
        if settings.filter_texts:
            answer["FilterCriteria"] = {"Filters": [{"Pattern": text} for text in settings.filter_texts]}
        return answer
