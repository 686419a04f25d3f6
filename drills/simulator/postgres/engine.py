"""PostgreSQL as an Engine."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from drills.errors import BeyondArchive, EngineError
from drills.simulator.postgres import parameters, programs, settings
from drills.simulator.postgres.files import copy_database
from drills.simulator.postgres.home import Home, home
from drills.simulator.postgres.images import Base, PostgresImage, filesystem_time
from drills.simulator.postgres.interface import Archive, Credentials, Image, Position, Programs
from drills.simulator.postgres.server import Place, PostgresServer
from drills.simulator.postgres.sessions import require_psycopg
from drills.simulator.postgres.wal import Log, lay, position_of, text_of

PORTS = range(15_000, 32_000)
"""Below those that systems hand out to whoever connects, so that a stopped server's is not taken meanwhile."""
FIRST_TIMELINE = 1
ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class Template:
    """What a new server is a copy of. Made once per process."""

    home: Home
    programs: Programs
    base: Base


_template: Template | None = None


class PostgresEngine:
    """An Engine; all its servers lie in one directory, which goes with ``close()`` or with the process."""

    name = "postgres"

    def __init__(self) -> None:
        require_psycopg()
        self.programs = programs.find()
        self.version = programs.version_of(self.programs)
        self._numbers = itertools.count(1)
        self._home = home()
        self.folder = self._home.make_folder(_unused(self._home.folder, "e"))
        self._major = int(self.version.partition(".")[0])
        self._place = Place(self._home, self.programs, self._major, self.folder, self.new_folder)
        self._servers: list[PostgresServer] = []
        self._closed = False

    def new_folder(self, letter: str) -> Path:
        return self.folder / f"{letter}{next(self._numbers)}"

    def create(self, credentials: Credentials, database: str | None) -> PostgresServer:
        template = self._made_template()
        log = self._new_log(FIRST_TIMELINE)
        source = template.base.data / "pg_wal"
        self._home.make_folder(log.folder)
        for file in sorted(source.iterdir()):
            if file.is_file():
                shutil.copyfile(file, log.folder / file.name)
                self._home.give(log.folder / file.name)
        server = self._lay_server(template.base, log)
        try:
            parameters.make_master(server.session, credentials, database)
        except BaseException:
            server.destroy()
            raise
        log.has(server.position())
        return server

    def restore(self, image: Image, archive: Archive | None = None, until: Position | None = None) -> PostgresServer:
        self._must_be_open()
        assert isinstance(image, PostgresImage)
        image.there()
        until = image.position if until is None else until
        if until < image.position:
            raise EngineError(
                f"The image is as of {text_of(image.position)}, later than {text_of(until)}. Restore from an older image"
            )
        log = self._new_log(image.timeline)
        self._lay_log(image, archive, until, log)
        server = self._lay_server(image.base, log)
        reached = position_of(server.session.row("SELECT checkpoint_lsn::text FROM pg_control_checkpoint()")[0])
        if reached < until:
            server.destroy()
            raise BeyondArchive(
                f"The log was damaged: it was asked for up to {text_of(until)} and ended at {text_of(reached)}. "
                "Restore to an earlier position"
            )
        log.has(until)
        return server

    def close(self) -> None:
        if self._closed or self._home.pid != os.getpid():
            return
        self._closed = True
        for server in self._servers:
            server.log.discard()
            server.destroy()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _lay_log(self, image: PostgresImage, archive: Archive | None, until: Position, log: Log) -> None:
        if archive is None or until == image.position:
            if until != image.position:
                raise EngineError("A restore to a position after its image's needs the archive of the image's line")
            lay(
                lambda number: image.wal / log.segment(number).name,
                log.folder,
                image.timeline,
                image.first_segment,
                until,
                self._home,
            )
            return
        assert isinstance(archive, Log)
        if archive.reaches < until:
            raise BeyondArchive(
                f"The archived log reaches {text_of(archive.reaches)}; {text_of(until)} was asked for. "
                "Restore to what it reaches"
            )
        if archive.timeline != image.timeline:
            raise EngineError(
                f"The image is of timeline {image.timeline}, the archive of {archive.timeline}: a promotion lies between. "
                "Restore from an image that was taken after the promotion"
            )
        try:
            lay(archive.segment, log.folder, image.timeline, image.first_segment, until, self._home)
        except FileNotFoundError as error:
            raise BeyondArchive(
                f"The archive has no segment {error.filename}: it is not of the image's line. Name that line's archive"
            ) from error

    def _new_log(self, timeline: int) -> Log:
        return Log(self.new_folder("l"), self._home, self.programs, timeline)

    def _lay_server(self, base: Base, log: Log) -> PostgresServer:
        """A started server with a copy of the base's files and this log, on a port that nobody has."""
        folder = self._home.make_folder(self.new_folder("s"))
        copy_database(base.data, folder / "data", self._home, lambda path, status: None)
        (folder / "data" / "pg_wal").symlink_to(log.folder)
        auto = folder / "data" / "postgresql.auto.conf"
        auto.write_text("")
        self._home.give(auto)
        for attempt in range(ATTEMPTS):
            server = PostgresServer(self._place, folder, free_port(), log, base)
            try:
                server.start()
            except EngineError as error:
                if "Address already in use" in str(error) and attempt < ATTEMPTS - 1:
                    continue
                server.destroy()
                raise
            self._servers.append(server)
            return server
        raise AssertionError("the last attempt returns or raises")

    def _must_be_open(self) -> None:
        if self._closed:
            raise EngineError("The database engine was closed with its simulation. Make another one")

    def _made_template(self) -> Template:
        global _template  # One per process, as making it takes longer than all the rest.
        self._must_be_open()
        if _template is None or _template.home is not self._home or _template.programs != self.programs:
            _template = Template(self._home, self.programs, self._make_template())
        return _template

    def _make_template(self) -> Base:
        folder = self._home.make_folder(_unused(self._home.folder, "t"))
        data, output = folder / "data", folder / "log"
        arguments = ["-D", str(data), *settings.initdb_arguments(self._major)]
        self._run([self.programs.folder / "initdb", *arguments], output)
        for name, content in (
            ("postgresql.conf", settings.configuration(self._major)),
            ("pg_hba.conf", settings.ACCESS),
        ):
            (data / name).write_text(content)
        statements = folder / "roles.sql"
        statements.write_text(settings.roles(self._major))
        self._home.give(statements)
        single = [self.programs.folder / "postgres", "--single", "-D", data, "postgres"]
        self._run(single, output, statements)
        return Base(data, filesystem_time(folder))

    def _run(self, command: list[str | Path], output: Path, given: Path | None = None) -> None:
        code = self._home.run(command, output, given=given)
        if code != 0:
            told = output.read_text(errors="replace").strip()[-600:]
            raise EngineError(f"{command[0]} ended with {code}, a database server cannot be made. It said: {told}")


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


def _unused(parent: Path, letter: str) -> Path:
    return next(path for number in itertools.count(1) if not (path := parent / f"{letter}{number}").exists())
