"""The little of PostgreSQL's protocol that a sender of log needs.

Source: PostgreSQL's manual, frontend/backend protocol and streaming replication protocol.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence

SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
TEXT_OID = 25


class Closed(Exception):
    """The other side is gone."""


def read_startup(connection: socket.socket) -> None:
    """Read the first message; encryption, where it is asked for, is declined."""
    while True:
        (length,) = struct.unpack("!I", _exactly(connection, 4))
        body = _exactly(connection, length - 4)
        (code,) = struct.unpack("!I", body[:4])
        if code not in (SSL_REQUEST, GSS_REQUEST):
            return
        connection.sendall(b"N")


def read(connection: socket.socket) -> tuple[bytes, bytes]:
    """The kind and the content of the next message. Raises Closed."""
    head = _exactly(connection, 5)
    (length,) = struct.unpack("!I", head[1:])
    return head[:1], _exactly(connection, length - 4)


def message(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("!I", len(content) + 4) + content


def welcome(version: str) -> bytes:
    """The answer to a startup message: come in, no password needed."""
    told = {"server_version": version, "client_encoding": "UTF8", "integer_datetimes": "on", "DateStyle": "ISO, MDY"}
    settings = b"".join(message(b"S", f"{name}\0{value}\0".encode()) for name, value in told.items())
    return message(b"R", struct.pack("!I", 0)) + settings + message(b"K", bytes(8)) + READY


def one_row(values: Sequence[tuple[str, bytes]]) -> bytes:
    """A row of named values in text form, without what completes it."""
    columns = b"".join(name.encode() + b"\0" + struct.pack("!IHIhiH", 0, 0, TEXT_OID, -1, -1, 0) for name, _ in values)
    fields = b"".join(struct.pack("!I", len(value)) + value for _, value in values)
    count = struct.pack("!H", len(values))
    return message(b"T", count + columns) + message(b"D", count + fields)


def complete(tag: str) -> bytes:
    return message(b"C", tag.encode() + b"\0")


def error(text: str) -> bytes:
    return message(b"E", b"SERROR\0VERROR\0C0A000\0M" + text.encode() + b"\0\0") + READY


def log_data(start: int, end: int, data: bytes) -> bytes:
    """A piece of log that begins at ``start``; ``end``: how far the sender's log reaches."""
    return message(b"d", b"w" + struct.pack("!QQQ", start, end, 0) + data)


def keepalive(end: int) -> bytes:
    return message(b"d", b"k" + struct.pack("!QQB", end, 0, 0))


READY = message(b"Z", b"I")
BOTH_WAYS = message(b"W", struct.pack("!BH", 0, 0))
DONE = message(b"c", b"")


def _exactly(connection: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        try:
            part = connection.recv(count - len(parts))
        except OSError as error:
            raise Closed from error
        if not part:
            raise Closed
        parts += part
    return bytes(parts)
