"""What DB snapshots and DB cluster snapshots are called in the API, and how a call names one.

Source: RDS API reference of their operations; RDS user guide, Quotas and constraints for Amazon RDS.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from drills.simulator.rds.calls import Call, Refused
from drills.simulator.rds.model import Snapshot
from drills.simulator.rds.state import databases
from drills.simulator.state import current

MOST_MANUAL = 100
"""Of each of the two kinds, per account and region."""
NAME = re.compile(r"[a-zA-Z](?:-?[a-zA-Z0-9])*")
LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Words:
    """How the API words DB snapshots, and how DB cluster snapshots."""

    of: Literal["db", "cluster"]
    one: str
    """``DBSnapshot``: the result's member; with ``Identifier`` the snapshot's id, with an s the list of them."""
    source: str
    """The parameter that names what it is taken of."""
    resource_id: str
    not_found: str
    exists: str
    invalid_state: str
    source_not_found: str
    source_state: str
    arn_word: str
    copying: str
    """The state of a copy that is being made."""

    @property
    def identifier(self) -> str:
        return f"{self.one}Identifier"


DB = Words(
    "db",
    "DBSnapshot",
    "DBInstanceIdentifier",
    "DbiResourceId",
    "DBSnapshotNotFound",
    "DBSnapshotAlreadyExists",
    "InvalidDBSnapshotState",
    "DBInstanceNotFound",
    "InvalidDBInstanceState",
    "snapshot",
    "creating",
)
CLUSTER = Words(
    "cluster",
    "DBClusterSnapshot",
    "DBClusterIdentifier",
    "DbClusterResourceId",
    "DBClusterSnapshotNotFoundFault",
    "DBClusterSnapshotAlreadyExistsFault",
    "InvalidDBClusterSnapshotStateFault",
    "DBClusterNotFoundFault",
    "InvalidDBClusterStateFault",
    "cluster-snapshot",
    "copying",
)


def words_of(snapshot: Snapshot) -> Words:
    return DB if snapshot.of == "db" else CLUSTER


def kept(words: Words, account: str, region: str) -> dict[str, Snapshot]:
    """All snapshots of the account in the region, by identifier."""
    place = databases().of(account, region)
    return place.snapshots if words.of == "db" else place.cluster_snapshots


def every(words: Words, region: str) -> Iterable[Snapshot]:
    """Those of all accounts in the region."""
    for account, where in sorted(databases().regions):
        if where == region:
            yield from kept(words, account, region).values()


def named(call: Call, words: Words, identifier: str) -> Snapshot:
    """The caller's own snapshot by identifier or ARN, or another's by ARN that is shared with the caller.

    Raises Refused. An ARN may be of another region, which has to be up.
    """
    account, region, name = _where(call, words, identifier)
    if current().is_down(region):
        raise Refused("InternalFailure", f"The region {region} of {identifier} cannot be reached.", 500)
    snapshot = kept(words, account, region).get(name)
    if snapshot is None or not visible(call, snapshot):
        raise not_found(words, identifier)
    return snapshot


def visible(call: Call, snapshot: Snapshot) -> bool:
    """Whether the caller's account has it or may restore it."""
    return snapshot.account == call.account or bool({call.account, "all"} & set(snapshot.shared_with))


def _where(call: Call, words: Words, identifier: str) -> tuple[str, str, str]:
    if not identifier.startswith("arn:"):
        return call.account, call.region, identifier.lower()
    parts = identifier.split(":", 6)
    if len(parts) < 7 or parts[5] != words.arn_word:
        raise Refused("InvalidParameterValue", f"Invalid snapshot identifier:  {identifier}")
    return parts[4], parts[3], parts[6].lower()


def not_found(words: Words, identifier: str) -> Refused:
    return Refused(words.not_found, f"{words.one} not found: {identifier}", 404)


def check_new(call: Call, words: Words, identifier: str) -> str:
    """The identifier as AWS stores it, if the caller may make a manual snapshot of that name. Raises Refused."""
    return check_name(words, call.account, call.region, identifier)


def check_name(words: Words, account: str, region: str, identifier: str) -> str:
    """As ``check_new``, of this account and region."""
    if len(identifier) > LONGEST_NAME or NAME.fullmatch(identifier) is None:
        raise Refused(
            "InvalidParameterValue",
            f"The parameter {words.identifier} is not a valid identifier. Identifiers must begin with a letter; must "
            "contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two "
            "consecutive hyphens.",
        )
    there = kept(words, account, region)
    if identifier.lower() in there:
        raise Refused(
            words.exists,
            f"Cannot create the snapshot because a snapshot with the identifier {identifier.lower()} already exists.",
        )
    if sum(one.kind == "manual" for one in there.values()) >= MOST_MANUAL:
        raise Refused("SnapshotQuotaExceeded", f"Cannot create more than {MOST_MANUAL} manual snapshots")
    return identifier.lower()
