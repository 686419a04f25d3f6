"""Copies of snapshots: into the same or another region, of the caller's own or of those that were shared with it.

Source: RDS user guide, Copying a DB snapshot; Aurora user guide, Copying a DB cluster snapshot; API reference,
CopyDBSnapshot and CopyDBClusterSnapshot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drills.simulator.dynamodb.underway import later
from drills.simulator.rds import keys, option_groups
from drills.simulator.rds.calls import Call, Refused, answering
from drills.simulator.rds.model import Snapshot
from drills.simulator.rds.settings import tags_in
from drills.simulator.rds.snapshot_shapes import shape
from drills.simulator.rds.snapshot_words import CLUSTER, DB, Words, check_new, kept, named, words_of
from drills.simulator.rds.state import databases
from drills.simulator.rds.taking import arn_of, size_of
from drills.simulator.state import Simulation, current

AT_ONCE = 20
"""Copies in progress into one region, per account."""
UNDER_WAY = ("pending", "creating", "copying")
Queue = tuple[str, str, str, str]


@dataclass(eq=False)
class Copy:
    """A copy that is being made, or waits until an earlier one of the same database has been made."""

    source: Snapshot
    target: Snapshot
    reading: str | None = None
    """The grants by which RDS uses the two keys meanwhile."""
    writing: str | None = None


_queues: dict[Queue, list[Copy]] = {}


def copy(call: Call, words: Words) -> Mapping[str, Any]:
    """Begin a copy of an available snapshot; it has a name of its own and is a manual one."""
    identifier = check_new(call, words, call.params[f"Target{words.identifier}"])
    source = named(call, words, call.params[f"Source{words.identifier}"])
    if source.status != "available":
        raise Refused(
            words.invalid_state,
            f"Cannot copy the snapshot because it is not currently in the available state: {source.identifier}",
        )
    tags, key_arn = tags_in(call.params), _key_for(call, words, source)
    option_group = _option_group_for(call, source) if words.of == "db" else None
    _check_quota(call)
    own = source.account == call.account
    target = Snapshot(
        account=call.account,
        region=call.region,
        identifier=identifier,
        of=words.of,
        kind="manual",
        source=source.source,
        source_identifier=source.source_identifier,
        status="pending",
        created=current().clock.now(),
        as_of=source.as_of,
        kms_key_id=key_arn,
        option_group=option_group,
        copied_from=source.arn,
        # Tags of a shared snapshot stay with its owner.
        tags={**(source.tags if own and call.params.get("CopyTags", False) else {}), **tags},
    )
    kept(words, call.account, call.region)[identifier] = target
    _queue(Copy(source, target))
    return {words.one: shape(call, target)}


def _check_quota(call: Call) -> None:
    """Copies within a region count as well: the user guide's limits do not tell them apart (A)."""
    under_way = [
        one
        for words in (DB, CLUSTER)
        for one in kept(words, call.account, call.region).values()
        if one.copied_from is not None and one.status in UNDER_WAY
    ]
    if len(under_way) >= AT_ONCE:
        raise Refused("SnapshotQuotaExceeded", f"Cannot copy more than {AT_ONCE} snapshots across regions")


# --- Keys and option groups ------------------------------------------------------------------------------------------


def _key_for(call: Call, words: Words, source: Snapshot) -> str | None:
    """The key that the copy is encrypted with, None when it is not. Raises Refused."""
    wanted = call.params.get("KmsKeyId") or None
    if source.kms_key_id is None:
        if wanted is None:
            return None
        if words.of == "cluster":
            raise Refused(
                "InvalidParameterCombination",
                "KmsKeyId cannot be specified for a copy of a cluster snapshot that is not encrypted.",
            )
        return keys.check(call, wanted, keys.WRITING, "The target KMS key", call.region)
    if source.account != call.account and source.region != call.region:
        # Source: RDS user guide, Copying a DB snapshot, Shared snapshot copying. The words are assumed (A).
        raise Refused(
            "InvalidParameterValue",
            "A shared snapshot that is encrypted can be copied in its own region only: copy it there first.",
        )
    if wanted is None and source.region != call.region:
        raise Refused("InvalidParameterValue", "Must specify new KMS key for cross region encrypted snapshot copy.")
    keys.check(call, source.kms_key_id, keys.READING, "The source snapshot KMS key", source.region)
    if wanted is None and source.account == call.account:
        return source.kms_key_id
    return keys.check(call, str(wanted), keys.WRITING, "The target KMS key", call.region)


def _option_group_for(call: Call, source: Snapshot) -> str | None:
    """The group that the copy is bound to. Option groups do not go along into another account or region.

    A group with permanent or persistent options needs one like it at the destination. Raises Refused.
    """
    if call.params.get("CopyOptionGroup", False):
        raise Refused("InvalidParameterValue", "CopyOptionGroup is not simulated: make the group, and name it.")
    wanted = call.params.get("OptionGroupName")
    stays = (source.account, source.region) == (call.account, call.region)
    binding = option_groups.binding_options(source.account, source.region, source.option_group)
    if wanted and not option_groups.exists(call.account, call.region, wanted):
        raise Refused("OptionGroupNotFoundFault", f"Specified OptionGroupName: {wanted} not found.", 404)
    there = option_groups.binding_options(call.account, call.region, wanted)
    if binding and (wanted or not stays) and not set(binding) <= set(there):
        raise Refused(
            "InvalidParameterValue",
            f"The snapshot requires a target option group with the following options: [{', '.join(binding)}]",
        )
    if wanted:
        return str(wanted)
    return source.option_group if stays else _default_group(source)


def _default_group(source: Snapshot) -> str:
    return option_groups.default_for(source.source.engine, source.source.engine_version)


# --- Under way -------------------------------------------------------------------------------------------------------


def _queue(one: Copy) -> None:
    """Copies of one database are made one after the other between two regions, into one account.

    Source: RDS user guide, Copying a DB snapshot, Considerations for cross-Region snapshot copying; assumed (A) for
    copies within a region, which do not wait for those from another.
    """
    queue = _queues.setdefault(_queue_of(one), [])
    queue.append(one)
    if len(queue) == 1:
        _start(one)


def _queue_of(one: Copy) -> Queue:
    return one.target.account, one.source.region, one.target.region, one.source.source.resource_id


def _start(one: Copy) -> None:
    source, target = one.source, one.target
    if target.status == "deleted" or source.image is None:
        _end(one)
        return
    simulation = current()
    modelled = simulation.begin("rds.snapshot_copy", arn_of(source.source), size_of(source.image))
    target.status, target.began, target.seconds = words_of(target).copying, simulation.clock.now(), modelled.seconds
    one.reading = keys.grant(source.kms_key_id, "rds-snapshot-copy")
    one.writing = keys.grant(target.kms_key_id, "rds-snapshot-copy")
    later(target.account, frozenset({source.region, target.region}), modelled.seconds, lambda: _end(one))


def _end(one: Copy) -> None:
    if one.target.status != "deleted":
        if _succeeds(one):
            assert one.source.image is not None
            one.target.image = databases().uses.hold(one.source.image)
            one.target.status = "available"
        else:
            one.target.status = "failed"
    keys.retire(one.source.kms_key_id, one.reading)
    keys.retire(one.target.kms_key_id, one.writing)
    queue = _queues[_queue_of(one)]
    queue.remove(one)
    if queue:
        _start(queue[0])


def _succeeds(one: Copy) -> bool:
    """A copy fails when its source is deleted, its owner's account closed, or a key cannot be used any more."""
    source, target = one.source, one.target
    if source.image is None or current().is_closed(source.account):
        return False
    if not keys.still_granted(source.kms_key_id, one.reading):
        return False
    if not keys.still_granted(target.kms_key_id, one.writing):
        return False
    return not any(fails(target) for fails in databases().failing_copies)


def begin(_: Simulation) -> None:
    """Forget the copies of an earlier simulation."""
    _queues.clear()


OPERATIONS = {
    "rds:CopyDBSnapshot": answering(lambda call: copy(call, DB)),
    "rds:CopyDBClusterSnapshot": answering(lambda call: copy(call, CLUSTER)),
}
