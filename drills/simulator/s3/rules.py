"""Replication configurations: which rule sends which object where.

Source: S3 API reference, PutBucketReplication; S3 user guide, Replication configuration file elements (filters,
priority, backward compatibility of V1) and What does Amazon S3 replicate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from moto.moto_api._internal import mock_random
from moto.s3.utils import STORAGE_CLASS

from drills.simulator.s3.documents import Document, Refused, invalid, malformed

LIMIT = 1000
RTC_MINUTES = 15
ID_LENGTH = 255
SCHEMA = (
    "for this version of Cross Region Replication configuration schema. Please refer to S3 Developer Guide for more "
    "information."
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``tags``: all of them must be on the object. ``kms_key``: what encrypts the replicas of objects that
    are encrypted by a KMS key; None: such objects are not replicated. ``owner``: the account that owns the replicas
    instead of the source's; None where ownership is left as it is."""

    id: str
    enabled: bool
    priority: int
    prefix: str
    tags: tuple[tuple[str, str], ...]
    destination: str
    account: str | None
    owner: str | None
    storage_class: str | None
    kms_key: str | None
    delete_markers: bool
    replica_modifications: bool
    metrics: bool

    def fits(self, key: str, tags: Mapping[str, str]) -> bool:
        """Whether the rule speaks of an object with this key and these tags."""
        return key.startswith(self.prefix) and all(tags.get(name) == value for name, value in self.tags)


@dataclass(frozen=True, slots=True)
class Configuration:
    """What PutBucketReplication was given; ``document`` is what GetBucketReplication answers."""

    role: str
    rules: tuple[Rule, ...]
    document: Document

    def for_object(self, key: str, tags: Mapping[str, str]) -> list[Rule]:
        """For each destination, the rule that applies to an object."""
        return _by_destination(rule for rule in self.rules if rule.enabled and rule.fits(key, tags))

    def for_marker(self, key: str) -> list[Rule]:
        """For each destination, the rule that sends a delete marker; a marker has no tags, so a tag never fits it."""
        chosen = _by_destination(rule for rule in self.rules if rule.enabled and rule.fits(key, {}))
        return [rule for rule in chosen if rule.delete_markers]


def _by_destination(fitting: Iterable[Rule]) -> list[Rule]:
    """Of the rules that send to one destination the one with the highest priority counts."""
    chosen: dict[str, Rule] = {}
    for rule in fitting:
        known = chosen.get(rule.destination)
        if known is None or rule.priority > known.priority:
            chosen[rule.destination] = rule
    return list(chosen.values())


def configuration(document: Document) -> Configuration:
    """The configuration, checked as far as it can be by itself. Raises Refused in AWS's words."""
    given = document.get("Rules") or []
    role = str(document.get("Role") or "")
    if not given or len(given) > LIMIT or not role:
        raise malformed()
    if not role.startswith("arn:") or ":role/" not in role:
        raise Refused("InvalidArgument", "Invalid Role ARN: the replication configuration's Role is no role's ARN")
    rules = [{**rule, "ID": rule.get("ID") or _new_id()} for rule in given]
    made = tuple(_rule(one) for one in rules)
    _check_together(rules, made)
    return Configuration(role, made, {"Role": role, "Rules": rules})


def _rule(given: Document) -> Rule:
    _check_form(given)
    newer = "Filter" in given
    prefix, tags = _filter(given)
    _check_markers(given, tags)
    destination = given["Destination"]
    translation = destination.get("AccessControlTranslation")
    criteria = given.get("SourceSelectionCriteria") or {}
    _check_destination(destination, criteria)
    return Rule(
        id=str(given["ID"]),
        enabled=given["Status"] == "Enabled",
        priority=int(given.get("Priority", 0)),
        prefix=prefix,
        tags=tags,
        destination=str(destination["Bucket"]).rpartition(":::")[2],
        account=destination.get("Account"),
        owner=destination.get("Account") if translation else None,
        storage_class=destination.get("StorageClass"),
        kms_key=_kms_key(destination) if _on(criteria, "SseKmsEncryptedObjects") else None,
        delete_markers=_on(given, "DeleteMarkerReplication") if newer else True,
        replica_modifications=_on(criteria, "ReplicaModifications"),
        metrics=_on(destination, "Metrics"),
    )


def _check_form(given: Document) -> None:
    destination = given.get("Destination") or {}
    if given.get("Status") not in ("Enabled", "Disabled") or not str(destination.get("Bucket", "")).startswith("arn:"):
        raise malformed()
    if {"Filter", "Prefix"} <= given.keys() or len(str(given["ID"])) > ID_LENGTH:
        raise malformed()
    if "ExistingObjectReplication" in given:
        raise invalid(
            "ExistingObjectReplication is no longer supported: replicate existing objects with S3 Batch Replication"
        )


def _filter(given: Document) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The prefix and the tags that a rule asks for."""
    if "Filter" not in given:
        return str(given.get("Prefix") or ""), ()
    chosen = given["Filter"] or {}
    if len(chosen) > 1:
        raise malformed()
    both = chosen.get("And") or {}
    tags = [*both.get("Tags", ()), *([chosen["Tag"]] if "Tag" in chosen else ())]
    if "And" in chosen and ("Prefix" in both) + len(tags) < 2:
        raise malformed()
    return (
        str(chosen.get("Prefix") or both.get("Prefix") or ""),
        tuple((str(tag["Key"]), str(tag.get("Value") or "")) for tag in tags),
    )


def _check_markers(given: Document, tags: tuple[tuple[str, str], ...]) -> None:
    if "Filter" not in given:
        if "DeleteMarkerReplication" in given:
            raise invalid(f"DeleteMarkerReplication cannot be specified {SCHEMA}")
        return
    if "DeleteMarkerReplication" not in given:
        raise invalid(f"DeleteMarkerReplication must be specified {SCHEMA}")
    if "Priority" not in given:
        raise invalid(f"Priority must be specified {SCHEMA}")
    if tags and _on(given, "DeleteMarkerReplication"):
        raise invalid(
            "Delete marker replication is not supported if any Tag filter is specified. Please refer to S3 Developer "
            "Guide for more information."
        )


def _check_destination(destination: Document, criteria: Document) -> None:
    translation = destination.get("AccessControlTranslation")
    if translation is not None:
        if translation.get("Owner") != "Destination":
            raise malformed()
        if not destination.get("Account"):
            raise invalid("Account is required when AccessControlTranslation is specified in the Destination")
    if destination.get("StorageClass") not in (None, *STORAGE_CLASS):
        raise malformed()
    if _on(criteria, "SseKmsEncryptedObjects") and not _kms_key(destination):
        raise invalid("EncryptionConfiguration must be specified if SseKmsEncryptedObjects tag is present.")
    if _kms_key(destination) and "SseKmsEncryptedObjects" not in criteria:
        raise invalid("SseKmsEncryptedObjects must be specified if EncryptionConfiguration is present.")
    if _on(destination, "ReplicationTime"):
        minutes = (destination["ReplicationTime"].get("Time") or {}).get("Minutes")
        if minutes != RTC_MINUTES or not _on(destination, "Metrics"):
            raise invalid("ReplicationTime needs a Time of 15 minutes, and Metrics that are enabled with it")


def _check_together(given: list[Document], made: tuple[Rule, ...]) -> None:
    if len({rule.id for rule in made}) < len(made):
        raise Refused("InvalidArgument", "Rule Id must be unique. Found same Id for more than one rule")
    newer = ["Filter" in one for one in given]
    if any(newer) and not all(newer):
        raise invalid("Rules with a Filter and rules without one cannot be in one replication configuration")
    if not any(newer):
        _check_older(made)
    elif len({rule.priority for rule in made}) < len(made):
        raise Refused("InvalidArgument", "Priority must be unique: found the same priority for more than one rule")


def _check_older(made: tuple[Rule, ...]) -> None:
    """V1: one destination, and no prefix within another."""
    if len({rule.destination for rule in made}) > 1:
        raise invalid("All rules must specify the same destination bucket, unless they have a Filter")
    ordered = sorted(rule.prefix for rule in made)
    for shorter, longer in pairwise(ordered):
        if longer.startswith(shorter):
            raise invalid(f"Found overlapping prefixes '{shorter}' and '{longer}' for rules of one configuration")


def _kms_key(destination: Document) -> str | None:
    return (destination.get("EncryptionConfiguration") or {}).get("ReplicaKmsKeyID") or None


def _on(document: Document, name: str) -> bool:
    return bool((document.get(name) or {}).get("Status") == "Enabled")


def _new_id() -> Any:
    return mock_random.get_random_string(length=48)
