"""Servers from files: from the template, from an image and a log, and as standbys of another server."""

from __future__ import annotations

import random
import shutil
import socket
from typing import TypeVar

from drills.errors import BeyondArchive, EngineError
from drills.simulator.postgres.files import copy_database
from drills.simulator.postgres.gate import Source
from drills.simulator.postgres.images import Base, PostgresImage
from drills.simulator.postgres.interface import Position
from drills.simulator.postgres.place import Place
from drills.simulator.postgres.server import PostgresServer
from drills.simulator.postgres.standby import PostgresStandby
from drills.simulator.postgres.wal import Log, lay, position_of, text_of

PORTS = range(15_000, 32_000)
"""Below those that systems hand out to whoever connects, so that a stopped server's is not taken meanwhile."""
ATTEMPTS = 8
S = TypeVar("S", bound=PostgresServer)


def new_log(place: Place, timeline: int) -> Log:
    return Log(place.new_folder("l"), place.home, place.programs, timeline)


def make(place: Place, base: Base, log: Log) -> PostgresServer:
    """A started server with a copy of the base's files and with this log. Its parameters are the engine's."""
    folder = place.home.make_folder(place.new_folder("s"))
    try:
        copy_database(base.data, folder / "data", place.home, lambda path, status: None)
        place.home.write(folder / "data" / "postgresql.auto.conf", "")
        return _launch(PostgresServer(place, folder, free_port(), log, base))
    except BaseException:
        place.home.remove(folder)
        raise


def restore(place: Place, image: PostgresImage, archive: Log | None, until: Position) -> PostgresServer:
    """See Engine.restore."""
    log = new_log(place, image.timeline)
    try:
        _lay_log(place, image, archive, until, log)
        server = make(place, image.base, log)
        reached = position_of(server.session.row("SELECT checkpoint_lsn::text FROM pg_control_checkpoint()")[0])
        if reached < until:
            server.destroy()
            raise BeyondArchive(
                f"The log is damaged: it was asked for up to {text_of(until)} and ended at {text_of(reached)}. "
                "Restore to an earlier position"
            )
    except BaseException:
        log.discard()
        log.let_go()
        raise
    log.has(until)
    return server


def follow(source: PostgresServer) -> PostgresStandby:
    """A standby of a running server, as of now; its receiver gets what it is let by a gate.

    It keeps its source's parameters, as the log cannot be applied with less.
    """
    place = source.place
    folder = place.home.make_folder(place.new_folder("s"))
    log = new_log(place, source.log.timeline)
    try:
        copied = source.copy_to(folder / "data", log.folder)
        system = str(source.session.row("SELECT system_identifier FROM pg_control_system()")[0])
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(log.folder, ignore_errors=True)
        raise
    try:
        place.home.write(folder / "data" / "standby.signal", "")
        log.has(copied.position)
        feed = Source(source.log, system, place.full_version)
        return _launch(PostgresStandby(place, folder, free_port(), log, None, feed, copied.position))
    except BaseException:
        place.home.remove(folder)
        log.discard()
        log.let_go()
        raise


def _launch(server: S) -> S:
    """Start a server for the first time, on a port that nobody has. One that does not start is destroyed."""
    (server.data / "pg_wal").symlink_to(server.log.folder)
    for attempt in range(ATTEMPTS):
        try:
            server.start()
        except EngineError as error:
            if "Address already in use" in str(error) and attempt < ATTEMPTS - 1:
                server.move(free_port())
                continue
            server.destroy()
            raise
        break
    server.place.servers.append(server)
    return server


def _lay_log(place: Place, image: PostgresImage, archive: Log | None, until: Position, log: Log) -> None:
    """The log that leads from an image to a position. Raises EngineError and BeyondArchive."""
    find = archive.segment if archive is not None and until > image.position else image.segment
    _check(image, archive, until)
    try:
        lay(find, log.folder, image.timeline, image.first_segment, until, place.home)
    except FileNotFoundError as error:
        raise BeyondArchive(
            f"The archived log has lost its segment {error.filename}. Restore to an earlier position"
        ) from error


def _check(image: PostgresImage, archive: Log | None, until: Position) -> None:
    if until < image.position:
        raise EngineError(
            f"The image is as of {text_of(image.position)}, later than {text_of(until)}. Restore from an older image"
        )
    if until == image.position:
        return
    if archive is None:
        raise EngineError(
            f"The image is as of {text_of(image.position)}, earlier than {text_of(until)}. "
            "Give the archive of the server that it was taken of"
        )
    if archive is not image.line:
        raise EngineError(
            f"The archive in {archive.folder.name} is not of the server that the image was taken of. Give that server's"
        )
    if archive.timeline != image.timeline:
        raise EngineError(
            f"The image is of timeline {image.timeline}, the archive of {archive.timeline}: a promotion lies between. "
            "Restore from an image that was taken after the promotion"
        )
    reaches = archive.reaches
    if until > reaches:
        raise BeyondArchive(
            f"The archived log reaches {text_of(reaches)}, {text_of(until)} was asked for. Restore to what it reaches"
        )


def free_port() -> int:
    """A port on loopback that nobody listens on at the moment."""
    for port in random.SystemRandom().sample(PORTS, 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise EngineError(
        f"None of 100 ports of {PORTS.start} to {PORTS.stop} is free on 127.0.0.1. End what listens there"
    )
