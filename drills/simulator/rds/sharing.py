"""Who else may restore or copy a manual snapshot: up to twenty accounts, or everybody.

Source: RDS user guide, Sharing a DB snapshot; API reference, ModifyDBSnapshotAttribute, DescribeDBSnapshotAttributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drills.simulator.rds import keys
from drills.simulator.rds.calls import Call, Refused, answering
from drills.simulator.rds.model import Snapshot
from drills.simulator.rds.option_groups import binding_options
from drills.simulator.rds.snapshot_words import CLUSTER, DB, Words, named, not_found
from drills.simulator.state import Simulation

MOST_ACCOUNTS = 20
EVERYBODY = "all"


def modify(call: Call, words: Words) -> Mapping[str, Any]:
    snapshot = _own(call, words)
    if call.params["AttributeName"] != "restore":
        raise Refused("InvalidParameterValue", f"Invalid snapshot attribute: {call.params['AttributeName']}")
    adding = [str(value).lower() for value in call.params.get("ValuesToAdd", ())]
    removing = [str(value).lower() for value in call.params.get("ValuesToRemove", ())]
    for value in (*adding, *removing):
        if value != EVERYBODY and not (len(value) == 12 and value.isdigit()):
            raise Refused("InvalidParameterValue", f"Invalid value {value} for attribute restore: not an AWS account")
    if adding:
        _check_may_be_shared(snapshot, words, adding)
    left = [value for value in dict.fromkeys([*snapshot.shared_with, *adding]) if value not in removing]
    if sum(value != EVERYBODY for value in left) > MOST_ACCOUNTS:
        raise Refused(
            "SharedSnapshotQuotaExceeded",
            f"A manual snapshot cannot be shared with more than {MOST_ACCOUNTS} AWS accounts.",
        )
    snapshot.shared_with = left
    return _result(snapshot, words)


def _check_may_be_shared(snapshot: Snapshot, words: Words, adding: list[str]) -> None:
    """The words of these refusals are AWS's as far as they are known, their codes partly assumed (A)."""
    if snapshot.kind != "manual":
        raise Refused(words.invalid_state, "Only manual snapshots can be shared.")
    if snapshot.status != "available":
        raise Refused(words.invalid_state, f"The snapshot {snapshot.identifier} is not in the available state.")
    if snapshot.kms_key_id is not None:
        if keys.is_default(snapshot.kms_key_id):
            raise Refused(
                "InvalidParameterValue",
                "Sharing snapshots encrypted with the default service key for RDS is currently not supported",
            )
        if EVERYBODY in adding:
            raise Refused("InvalidParameterValue", "Encrypted snapshots cannot be shared publicly.")
    options = binding_options(snapshot.account, snapshot.region, snapshot.option_group)
    if options:
        raise Refused(
            words.invalid_state,
            f"The snapshot {snapshot.identifier} cannot be shared: its option group {snapshot.option_group} has "
            f"permanent or persistent options: [{', '.join(options)}]",
        )


def describe(call: Call, words: Words) -> Mapping[str, Any]:
    return _result(_own(call, words), words)


def _own(call: Call, words: Words) -> Snapshot:
    """Attributes are the owner's to see and change."""
    identifier = call.params[words.identifier]
    snapshot = named(call, words, identifier)
    if snapshot.account != call.account or snapshot.region != call.region:
        raise not_found(words, identifier)
    return snapshot


def _result(snapshot: Snapshot, words: Words) -> Mapping[str, Any]:
    restore = {"AttributeName": "restore", "AttributeValues": list(snapshot.shared_with)}
    return {
        f"{words.one}AttributesResult": {
            words.identifier: snapshot.identifier,
            f"{words.one}Attributes": [restore],
        }
    }


def begin(_: Simulation) -> None:
    """What is shared is kept with the snapshots."""


OPERATIONS = {
    "rds:ModifyDBSnapshotAttribute": answering(lambda call: modify(call, DB)),
    "rds:ModifyDBClusterSnapshotAttribute": answering(lambda call: modify(call, CLUSTER)),
    "rds:DescribeDBSnapshotAttributes": answering(lambda call: describe(call, DB)),
    "rds:DescribeDBClusterSnapshotAttributes": answering(lambda call: describe(call, CLUSTER)),
}
