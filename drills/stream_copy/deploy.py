"""Both sides of a copy: made, mended, removed."""

from __future__ import annotations

from drills.errors import ProtectionError
from drills.handlers.stream_copy import tell_seen
from drills.presence import take_down
from drills.stream_copy.model import Clients, StreamCopy, Wait
from drills.stream_copy.production_side import (
    describe_source,
    feeds,
    make_alarms,
    make_feed,
    make_function,
    make_function_role,
    make_heartbeat,
    make_queue,
    queue_url,
    remove_production_side,
    stop_feeds,
    switch_stream_off,
    switch_stream_on,
)
from drills.stream_copy.vault_side import (
    make_bucket,
    make_vault_role,
    make_vault_tables,
    remove_vault_side,
)


def deploy(copy: StreamCopy, clients: Clients, wait: Wait) -> str:
    """Make or update both sides; returns the label of the stream that is copied from now on.

    What the table held before is not copied yet: ``backfill`` with this label brings it over. The stream and its feed
    come first, so that nothing is missed in between. Safe to repeat.
    """
    source = switch_stream_on(copy, clients, wait)
    label = str(source["LatestStreamLabel"])
    make_vault_tables(copy, clients, wait, source)
    make_bucket(copy, clients)
    make_function_role(copy, clients)
    make_vault_role(copy, clients, wait)
    make_queue(copy, clients)
    make_function(copy, clients, wait, label)
    make_feed(copy, clients, wait, str(source["LatestStreamArn"]))
    tell_seen(clients("vault", "dynamodb"), copy.marker_table)
    make_heartbeat(copy, clients)
    make_alarms(copy, clients)
    return label


def repair(copy: StreamCopy, clients: Clients, wait: Wait, *, disturb_others: bool = False) -> str:
    """After a gap: make the copy whole again from now on; returns the label to ``backfill`` with.

    A backfill only overwrites what is older than its stream, so a gap within one stream needs a new one: the stream is
    switched off and on. Its other consumers would have to follow; if there are any, this refuses unless told
    ``disturb_others``.
    """
    source = describe_source(copy, clients)
    if source.get("StreamSpecification", {}).get("StreamEnabled"):
        found = clients("production", "lambda").list_event_source_mappings(EventSourceArn=source["LatestStreamArn"])
        ours = {feed["UUID"] for feed in feeds(copy, clients)}
        others = [m["FunctionArn"] for m in found["EventSourceMappings"] if m["UUID"] not in ours]
        if others and not disturb_others:
            raise ProtectionError(
                f"closing the gap needs a new stream of {copy.source_table}, but {', '.join(others)} reads the present "
                "one and would have to be pointed at the new one. Repeat with disturb_others=True when that is agreed."
            )
        stop_feeds(copy, clients, wait)
        switch_stream_off(copy, clients, wait)
    label = deploy(copy, clients, wait)
    url = queue_url(copy, clients)
    if url is not None:
        clients("production", "sqs").purge_queue(QueueUrl=url)
    return label


def remove(copy: StreamCopy, clients: Clients) -> None:
    """Delete both sides, the copy included. What is gone already is passed over; the first failure is raised last."""
    take_down(step for side in (remove_production_side, remove_vault_side) for step in side(copy, clients))
