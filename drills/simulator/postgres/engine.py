"""PostgreSQL as an Engine."""

from __future__ import annotations

import atexit
import itertools
import os
from dataclasses import dataclass
from pathlib import Path

from drills.errors import EngineError
from drills.simulator.postgres import extensions, making, parameters, programs, settings
from drills.simulator.postgres.files import copy_file
from drills.simulator.postgres.home import Home, home
from drills.simulator.postgres.images import Base, PostgresImage, filesystem_time
from drills.simulator.postgres.interface import Archive, Credentials, Image, Position, Programs
from drills.simulator.postgres.place import Place
from drills.simulator.postgres.server import PostgresServer
from drills.simulator.postgres.sessions import require_psycopg
from drills.simulator.postgres.wal import Log

FIRST_TIMELINE = 1


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
        self._home = home()
        self.programs = self._home.reachable(programs.find())
        self.version = programs.version_of(self.programs)
        self._numbers = itertools.count(1)
        self.folder = self._home.make_folder(_unused(self._home.folder, "e"))
        major = int(self.version.partition(".")[0])
        more = extensions.opened(self.programs, major, self.new_folder("x"), self._home)
        self._place = Place(self._home, self.programs, self.version, self.folder, self.new_folder, more)
        self._closed = False
        atexit.register(self.close)

    def new_folder(self, letter: str) -> Path:
        return self.folder / f"{letter}{next(self._numbers)}"

    def create(self, credentials: Credentials, database: str | None) -> PostgresServer:
        template = self._made_template()
        log = making.new_log(self._place, FIRST_TIMELINE)
        try:
            self._home.make_folder(log.folder)
            for file in sorted((template.base.data / "pg_wal").iterdir()):
                if file.is_file():
                    copy_file(file, log.folder / file.name, self._home)
            server = making.make(self._place, template.base, log)
            try:
                parameters.make_master(server.session, credentials, database)
            except BaseException:
                server.destroy()
                raise
        except BaseException:
            log.discard()
            log.let_go()
            raise
        log.has(server.position())
        return server

    def restore(self, image: Image, archive: Archive | None = None, until: Position | None = None) -> PostgresServer:
        self._must_be_open()
        assert isinstance(image, PostgresImage)
        assert archive is None or isinstance(archive, Log)
        return making.restore(self._place, image.there(), archive, image.position if until is None else until)

    def close(self) -> None:
        if self._closed or self._home.pid != os.getpid():
            return
        self._closed = True
        atexit.unregister(self.close)
        for server in self._place.servers:
            server.log.discard()
            server.destroy()
        self._home.remove(self.folder)

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
        arguments = ["-D", str(data), *settings.initdb_arguments(self._place.version)]
        self._run([str(self.programs.folder / "initdb"), *arguments], output)
        for name, content in (
            ("postgresql.conf", settings.configuration(self._place.version)),
            ("pg_hba.conf", settings.ACCESS),
        ):
            (data / name).write_text(content)
        statements = folder / "roles.sql"
        statements.write_text(settings.roles(self._place.version))
        self._home.give(statements)
        single = [str(self.programs.folder / "postgres"), "--single", "-D", str(data), "postgres"]
        self._run(single, output, statements)
        return Base(data, filesystem_time(folder))

    def _run(self, command: list[str], output: Path, given: Path | None = None) -> None:
        code = self._home.run(command, output, given=given)
        if code != 0:
            told = output.read_text(errors="replace").strip()[-600:]
            raise EngineError(f"{command[0]} ended with {code}, a database server cannot be made. It said: {told}")


def _unused(parent: Path, letter: str) -> Path:
    return next(path for number in itertools.count(1) if not (path := parent / f"{letter}{number}").exists())
