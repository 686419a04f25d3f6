"""What a standby's receiver connects to: it sends the source's log up to where it is let, and no byte further.

It takes the log from the source's files, which hold all that was acknowledged, so that a source that is down or starts
again makes no difference to what was handed over. It listens on a socket in a directory that is closed to others.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import threading
from dataclasses import dataclass
from pathlib import Path

from drills.simulator.postgres import messages
from drills.simulator.postgres.home import Home
from drills.simulator.postgres.interface import Position
from drills.simulator.postgres.wal import SEGMENT, Log, position_of, text_of

PIECE = 128 * 1024
"""Bytes sent at once at most, as PostgreSQL's own sender does."""
START = re.compile(r"START_REPLICATION .*?([0-9A-F]+/[0-9A-F]+) TIMELINE (\d+)")
HISTORY = re.compile(r"TIMELINE_HISTORY (\d+)")


@dataclass(frozen=True, slots=True)
class Source:
    """What the gate tells a receiver of the server that it stands for."""

    log: Log
    system: str
    """The system identifier: a receiver takes log of its own system only."""
    version: str


class Gate:
    """Serves one receiver at a time, in a thread of its own, until ``close()``.

    What it is let ends a record: a receiver that has the header of a page and nothing behind it takes that for log it
    can go on with, stops streaming and reads it again and again, for minutes.
    """

    def __init__(self, source: Source, path: Path, home: Home, allowed: Position) -> None:
        self.source = source
        self.allowed = allowed
        self._closing = False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        home.give(path)
        self._listener.listen()
        self._wake, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self._thread = threading.Thread(target=self._serve, name=f"gate {path.name}", daemon=True)
        self._thread.start()

    def let(self, position: Position) -> None:
        self.allowed = max(self.allowed, position)
        self._rouse()

    def close(self) -> None:
        self._closing = True
        self._rouse()
        self._thread.join()
        for end in (self._listener, self._wake, self._waker):
            end.close()

    def _rouse(self) -> None:
        # A full buffer rouses as well as one byte more.
        with contextlib.suppress(BlockingIOError):
            self._waker.send(b".")

    def _wait(self, connection: socket.socket) -> bool:
        """Wait until the connection has something to read (True) or the gate was roused (False)."""
        ready, _, _ = select.select([connection, self._wake], [], [])
        if self._wake in ready:
            self._wake.recv(4096)
        return connection in ready

    def _serve(self) -> None:
        while not self._closing:
            if not self._wait(self._listener):
                continue
            connection, _ = self._listener.accept()
            with connection, contextlib.suppress(messages.Closed, OSError):
                messages.read_startup(connection)
                connection.sendall(messages.welcome(self.source.version))
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        """Answer commands until the receiver or the gate has enough."""
        while not self._closing:
            if not self._wait(connection):
                continue
            kind, content = messages.read(connection)
            if kind == b"X":
                return
            if kind == b"Q":
                self._carry_out(connection, content.rstrip(b"\0").decode())

    def _carry_out(self, connection: socket.socket, command: str) -> None:
        start, history = START.match(command), HISTORY.match(command)
        log = self.source.log
        if command.startswith("IDENTIFY_SYSTEM"):
            told = {"systemid": self.source.system, "timeline": str(log.timeline), "xlogpos": text_of(self.allowed)}
            row = messages.one_row([(name, value.encode()) for name, value in told.items()])
            connection.sendall(row + messages.complete("IDENTIFY_SYSTEM") + messages.READY)
        elif history is not None:
            name = f"{int(history[1]):08X}.history"
            row = messages.one_row([("filename", name.encode()), ("content", (log.folder / name).read_bytes())])
            connection.sendall(row + messages.complete("TIMELINE_HISTORY") + messages.READY)
        elif start is not None:
            connection.sendall(messages.BOTH_WAYS)
            self._stream(connection, position_of(start[1]), int(start[2]))
        else:
            connection.sendall(messages.error(f"not known to this sender: {command}"))

    def _stream(self, connection: socket.socket, position: Position, timeline: int) -> None:
        """Send the log of one timeline until it ends or the receiver has enough."""
        while not self._closing:
            end = self.source.log.end_of(timeline)
            if end is not None and position >= end[0]:
                self._end_timeline(connection, end[0], end[1])
                return
            until = self.allowed if end is None else min(self.allowed, end[0])
            if position < until:
                data = self._piece(timeline, position, until)
                connection.sendall(messages.log_data(position, until, data))
                position += len(data)
                if not select.select([connection], [], [], 0)[0]:
                    continue
            elif not self._wait(connection):
                continue
            kind, content = messages.read(connection)
            if kind in (b"X", b"f"):
                raise messages.Closed
            if kind == b"c":
                connection.sendall(messages.DONE + messages.complete("START_REPLICATION") + messages.READY)
                return
            if kind == b"d" and content[:1] == b"r" and content[-1] == 1:
                connection.sendall(messages.keepalive(until))

    def _end_timeline(self, connection: socket.socket, switched_at: Position, following: int) -> None:
        """The source went on in another timeline, as a promoted server does: tell the receiver, which follows."""
        connection.sendall(messages.DONE)
        while messages.read(connection)[0] != b"c":
            pass
        row = messages.one_row(
            [("next_tli", str(following).encode()), ("next_tli_startpos", text_of(switched_at).encode())]
        )
        ends = messages.complete("START_STREAMING") + messages.complete("START_REPLICATION")
        connection.sendall(row + ends + messages.READY)

    def _piece(self, timeline: int, position: Position, until: Position) -> bytes:
        number, within = divmod(position, SEGMENT)
        with self.source.log.segment_of(timeline, number).open("rb") as stream:
            stream.seek(within)
            data = stream.read(min(PIECE, until - position, SEGMENT - within))
        if not data:
            raise messages.Closed
        return data
