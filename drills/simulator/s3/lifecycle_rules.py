"""Lifecycle configurations: which version is due for what, and when.

Source: S3 API reference, PutBucketLifecycleConfiguration; S3 user guide, Lifecycle configuration elements, Lifecycle
general transition considerations. Days end at the midnight UTC that follows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from moto.moto_api._internal import mock_random

from drills.simulator.s3.documents import Document, Refused, invalid, malformed

LIMIT = 1000
LEAST_BYTES = 128 * 1024
"""What is smaller is not moved to another class, unless the rule's filter speaks of sizes."""
VARIES = "varies_by_storage_class"
ALL_CLASSES = "all_storage_classes_128K"
COLDER = ("STANDARD", "STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE")
"""Objects are only moved to a class that stands further right."""
AFTER_DAYS = {"STANDARD_IA": 30, "ONEZONE_IA": 30}
ACTIONS = frozenset(
    {
        "Expiration",
        "Transitions",
        "NoncurrentVersionExpiration",
        "NoncurrentVersionTransitions",
        "AbortIncompleteMultipartUpload",
    }
)


@dataclass(frozen=True, slots=True)
class Due:
    """Some days after something, or at a date. ``newer``: of noncurrent versions, how many newer ones are spared."""

    days: int | None = None
    date: datetime | None = None
    newer: int = 0

    def has_come(self, since: datetime, now: datetime) -> bool:
        if self.date is not None:
            return self.date <= now
        return self.days is not None and midnight_after(since + timedelta(days=self.days)) <= now


@dataclass(frozen=True, slots=True)
class Move:
    """A transition to another storage class."""

    due: Due
    storage_class: str


@dataclass(frozen=True, slots=True)
class LifecycleRule:
    """One rule. Sizes in bytes, exclusive."""

    id: str
    enabled: bool
    prefix: str
    tags: tuple[tuple[str, str], ...]
    more_than: int | None
    less_than: int | None
    expiration: Due | None
    expired_markers: bool
    moves: tuple[Move, ...]
    noncurrent: Due | None
    noncurrent_moves: tuple[Move, ...]
    abort: Due | None

    def fits(self, key: str, tags: Mapping[str, str], size: int) -> bool:
        """Whether the rule speaks of a version with this key, these tags and this many bytes."""
        return (
            key.startswith(self.prefix)
            and all(tags.get(name) == value for name, value in self.tags)
            and (self.more_than is None or size > self.more_than)
            and (self.less_than is None or size < self.less_than)
        )

    def moves_size(self, size: int, minimum: str, storage_class: str) -> bool:
        """Whether a version of this many bytes is moved to a class at all."""
        if self.more_than is not None or self.less_than is not None or size >= LEAST_BYTES:
            return True
        return minimum == VARIES and storage_class in ("GLACIER", "DEEP_ARCHIVE")


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """What PutBucketLifecycleConfiguration was given; ``document`` is what GetBucketLifecycleConfiguration answers."""

    rules: tuple[LifecycleRule, ...]
    minimum: str
    document: Document


def midnight_after(moment: datetime) -> datetime:
    """The midnight UTC at which a day that ends at this moment is counted."""
    midnight = datetime.combine(moment.date(), time(), moment.tzinfo)
    return midnight if midnight == moment else midnight + timedelta(days=1)


def lifecycle(document: Document, minimum: str) -> Lifecycle:
    """The configuration. Raises Refused in AWS's words."""
    given = document.get("Rules") or []
    if not given or len(given) > LIMIT:
        raise malformed()
    rules = [{**rule, "ID": rule.get("ID") or mock_random.get_random_string(length=48)} for rule in given]
    if len({rule["ID"] for rule in rules}) < len(rules):
        raise _argument("Rule ID must be unique. Found same ID for more than one rule")
    return Lifecycle(tuple(_rule(one) for one in rules), minimum or ALL_CLASSES, {"Rules": rules})


def _rule(given: Document) -> LifecycleRule:
    if given.get("Status") not in ("Enabled", "Disabled") or ("Filter" in given) is ("Prefix" in given):
        raise malformed()
    if not ACTIONS & given.keys():
        raise invalid("At least one action needs to be specified in a rule")
    chosen = _chosen(given)
    tags = tuple((str(tag["Key"]), str(tag.get("Value") or "")) for tag in chosen.get("Tags", ()))
    expiration = given.get("Expiration")
    _check_without_tags(given, tags)
    rule = LifecycleRule(
        id=str(given["ID"]),
        enabled=given["Status"] == "Enabled",
        prefix=str(chosen.get("Prefix") or ""),
        tags=tags,
        more_than=chosen.get("ObjectSizeGreaterThan"),
        less_than=chosen.get("ObjectSizeLessThan"),
        expiration=_expiration(expiration) if expiration is not None else None,
        expired_markers=bool((expiration or {}).get("ExpiredObjectDeleteMarker")),
        moves=tuple(_moves(given.get("Transitions") or (), "Transition", "Days")),
        noncurrent=_noncurrent(given.get("NoncurrentVersionExpiration")),
        noncurrent_moves=tuple(
            _moves(given.get("NoncurrentVersionTransitions") or (), "NoncurrentVersionTransition", "NoncurrentDays")
        ),
        abort=_abort(given.get("AbortIncompleteMultipartUpload")),
    )
    _check_order(rule)
    return rule


def _chosen(given: Document) -> Document:
    """What the rule chooses by, as And has it."""
    if "Prefix" in given:
        return {"Prefix": given["Prefix"]}
    found = given["Filter"] or {}
    if len(found) > 1:
        raise malformed()
    if "Tag" in found:
        return {"Tags": [found["Tag"]]}
    both = found.get("And")
    if both is not None and len(both) + len(both.get("Tags", ())) < 2:
        raise malformed()
    return both or found


def _check_without_tags(given: Document, tags: tuple[tuple[str, str], ...]) -> None:
    if not tags:
        return
    if "AbortIncompleteMultipartUpload" in given:
        raise invalid("AbortIncompleteMultipartUpload cannot be specified with Tags.")
    if "ExpiredObjectDeleteMarker" in (given.get("Expiration") or {}):
        raise invalid("ExpiredObjectDeleteMarker cannot be specified with Tags.")


def _expiration(given: Document) -> Due | None:
    if len(given) != 1:
        raise malformed()
    return None if "ExpiredObjectDeleteMarker" in given else _due(given, "Expiration", "Days")


def _due(given: Document, action: str, name: str) -> Due:
    date, days = given.get("Date"), given.get(name)
    if date is not None:
        if date != midnight_after(date):
            raise _argument("'Date' must be at midnight GMT")
        return Due(date=date)
    least = 0 if action.endswith("Transition") else 1
    if days is None:
        raise malformed()
    if days < least:
        kind = "nonnegative" if least == 0 else "positive"
        raise _argument(f"'{name}' for {action} action must be a {kind} integer")
    return Due(days=days, newer=_newer(given))


def _newer(given: Document) -> int:
    newer = given.get("NewerNoncurrentVersions")
    if newer is not None and not 1 <= newer <= 100:
        raise _argument("'NewerNoncurrentVersions' must be between 1 and 100")
    return newer or 0


def _noncurrent(given: Document | None) -> Due | None:
    return None if given is None else _due(given, "NoncurrentVersionExpiration", "NoncurrentDays")


def _abort(given: Document | None) -> Due | None:
    return None if given is None else _due(given, "AbortIncompleteMultipartUpload", "DaysAfterInitiation")


def _moves(given: Any, action: str, name: str) -> Iterator[Move]:
    for one in given:
        storage_class = one.get("StorageClass")
        if storage_class not in COLDER[1:] or {"Date", name} <= one.keys():
            raise malformed()
        due = _due(one, action, name)
        least = AFTER_DAYS.get(storage_class, 0)
        if due.days is not None and due.days < least:
            raise _argument(
                f"'{name}' in {action} action must be greater than or equal to {least} for storageClass "
                f"'{storage_class}'"
            )
        yield Move(due, storage_class)


def _check_order(rule: LifecycleRule) -> None:
    for what, end, moves in (
        ("Days", rule.expiration, rule.moves),
        ("NoncurrentDays", rule.noncurrent, rule.noncurrent_moves),
    ):
        days = [move.due.days for move in moves if move.due.days is not None]
        if end is not None and end.days is not None and days and end.days <= max(days):
            raise _argument(f"'{what}' in the Expiration action must be greater than '{what}' in the Transition action")


def _argument(message: str) -> Refused:
    return Refused("InvalidArgument", message)
