"""How a snapshot comes to be and goes: files are copied at once; it is available when the modelled time has passed."""

from __future__ import annotations

import copy
import math
from typing import Literal

from drills.simulator.dynamodb.underway import later
from drills.simulator.postgres.interface import Image, Server
from drills.simulator.rds import keys
from drills.simulator.rds.model import Cluster, Held, Instance, Snapshot, Tags
from drills.simulator.rds.snapshot_words import CLUSTER, DB, kept, words_of
from drills.simulator.rds.state import databases
from drills.simulator.state import current
from drills.simulator.timing import Size


def arn_of(held: Held) -> str:
    assert isinstance(held, (Instance, Cluster))
    return held.arn


def image_of(server: Server) -> Image:
    """The server's files as of now; one that does not run is started for it."""
    if server.running:
        return server.image()
    server.start()
    try:
        return server.image()
    finally:
        server.stop()


def settings_of(held: Held) -> Held:
    """What it is set to now, apart from its rows."""
    settings = copy.copy(held)
    settings.volume = None
    settings.tags, settings.role_arns = dict(held.tags), dict(held.role_arns)
    settings.security_groups = list(held.security_groups)
    return settings


def size_of(image: Image) -> Size:
    """In whole gigabytes, at least one: the files of one and the same database differ by a little from run to run."""
    return Size(float(max(1, math.ceil(image.size_bytes / 1e9))), 0)


def take(
    held: Held, identifier: str, kind: Literal["manual", "automated"], tags: Tags, image: Image | None = None
) -> Snapshot:
    """Begin a snapshot of what runs: its rows are those of now. ``image``: if the files have been copied already.

    It can be ``backing-up`` meanwhile, if it was available.
    """
    assert held.volume is not None
    assert held.volume.server is not None
    words = CLUSTER if isinstance(held, Cluster) else DB
    simulation = current()
    now = simulation.clock.now()
    image = databases().uses.hold(image if image is not None else image_of(held.volume.server))
    modelled = simulation.begin("rds.snapshot", arn_of(held), size_of(image))
    snapshot = Snapshot(
        account=held.account,
        region=held.region,
        identifier=identifier,
        of=words.of,
        kind=kind,
        source=settings_of(held),
        source_identifier=held.identifier,
        status="creating",
        created=now,
        as_of=now,
        image=image,
        began=now,
        seconds=modelled.seconds,
        kms_key_id=held.kms_key_id,
        option_group=held.option_group if isinstance(held, Instance) else None,
        tags={**(held.tags if held.copy_tags_to_snapshot else {}), **tags},
    )
    kept(words, held.account, held.region)[identifier] = snapshot
    # Aurora's own backups go on beside everything else.
    free = held.status == "available" and not (kind == "automated" and isinstance(held, Cluster))
    if free:
        held.status = "backing-up"
    later(held.account, frozenset({held.region}), modelled.seconds, lambda: _taken(snapshot, held, free))
    return snapshot


def _taken(snapshot: Snapshot, held: Held, was_free: bool) -> None:
    if snapshot.status == "creating":
        snapshot.status = "available" if keys.usable(snapshot.kms_key_id) else "failed"
    if was_free and held.status == "backing-up":
        held.status = "available"


def remove(snapshot: Snapshot) -> None:
    """Take it away; its image goes with the last who needs it."""
    kept(words_of(snapshot), snapshot.account, snapshot.region).pop(snapshot.identifier, None)
    snapshot.status = "deleted"
    databases().uses.let_go(snapshot.image)
    snapshot.image = None
