"""An S3 behind one HTTP endpoint on loopback, in a process of its own, with two filled buckets.

``python -m tests.benchmarks.s3_endpoint KIND COUNT`` prints the port and answers until its standard input is closed.
KIND is ``moto``, its ThreadedMotoServer but for listings, which cost it the square of the bucket and would hide all
else; or ``simulated``, a simulated AWS, which answers ten times as fast.
``source`` holds COUNT objects with a good version and a bad one written later; ``replica`` the same versions;
``target`` nothing.
"""

from __future__ import annotations

import sys
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from subprocess import DEVNULL, PIPE, Popen
from typing import Any, Literal

import boto3
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from moto.s3.models import S3Backend, s3_backends
from moto.server import ThreadedMotoServer

from drills.simulator import SimulatedAWS, gate
from drills.simulator.s3.changes import bucket_named, write
from drills.simulator.s3.versions import Version

Kind = Literal["moto", "simulated"]
HOST = "s3.eu-west-1.amazonaws.com"
CREDENTIALS = {"region_name": "eu-west-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}
BUCKETS = SOURCE, REPLICA, TARGET = "source", "replica", "target"
ACCOUNT = "123456789012"
APART_SECONDS = 60.0
PAGE = 1_000


def key_of(number: int) -> str:
    return f"invoices/2026/{number:08d}.txt"


def client_of(endpoint: str) -> Any:
    config = Config(s3={"addressing_style": "path"}, max_pool_connections=32)
    return unstubbed(boto3.client("s3", endpoint_url=endpoint, config=config, **CREDENTIALS))  # type: ignore[call-overload]


def unstubbed(client: Any) -> Any:
    """A client as in a process that has never heard of moto, which else answers in place of the network."""
    events = client.meta.events
    for listener in list(events._emitter._handlers.prefix_search("before-send.s3.CopyObject")):
        events.unregister("before-send", listener)
    return client


@contextmanager
def endpoint(kind: Kind, count: int) -> Iterator[tuple[str, int]]:
    """The address of a filled endpoint, and the id of its process."""
    command = [sys.executable, "-m", "tests.benchmarks.s3_endpoint", kind, str(count)]
    with Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}", server.pid
        finally:
            server.stdin.close()


def make_buckets(s3: Any) -> None:
    for name in BUCKETS:
        s3.create_bucket(
            Bucket=name,
            CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
            ObjectOwnership="BucketOwnerEnforced",
        )
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


# --- The simulated AWS ----------------------------------------------------------------------------------------------


class _Handler(BaseHTTPRequestHandler):
    """Hands each request to the simulated AWS as if it had been sent to S3."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    answer: Any = None

    def _all(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = dict(self.headers.items())
        request = AWSPreparedRequest(self.command, f"https://{HOST}{self.path}", headers, body, False)  # type: ignore[arg-type]
        status, answered, raw = type(self).answer(request)
        self.send_response_only(status)
        for name, value in answered.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, str(value))
        if self.command == "HEAD":
            self.send_header("content-length", str(answered.get("content-length", 0)))
            raw = b""
        else:
            self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)
        self.wfile.flush()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _all


def serve_simulated(count: int, ready: Callable[[int], None]) -> None:
    with SimulatedAWS() as aws:
        make_buckets(boto3.client("s3", **CREDENTIALS))  # type: ignore[call-overload]
        source, replica = bucket_named(SOURCE), bucket_named(REPLICA)
        for body in (b"good", b"bad"):
            for number in range(count):
                made = write(source, _version(source, number, body))
                write(replica, _version(replica, number, body), keeping_id=made.version_id, cause="replica")
            aws.clock.sleep(APART_SECONDS)
        opened = gate._gate
        assert opened is not None
        _Handler.answer = staticmethod(lambda request: opened.respond(request, ""))
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ready(server.server_address[1])
        server.shutdown()


def _version(bucket: Any, number: int, body: bytes) -> Version:
    version = Version(bucket, key_of(number), body)
    version.metadata.update({"x-amz-meta-city": "paris"})
    return version


# --- moto as it is --------------------------------------------------------------------------------------------------


class _AsTheyAre(list[Any]):
    """The versions of a key, which moto copies deeply for each page."""

    def __deepcopy__(self, _: Any) -> list[Any]:
        return list(self)


class _Near:
    """Stands in for moto's backend and bucket alike: only the keys that a page can be made of."""

    def __init__(self, bucket: Any, names: list[str], key_marker: str | None, most: int) -> None:
        first = bisect_left(names, key_marker or "")
        self.keys = self
        self._lists = [(name, _AsTheyAre(bucket.keys.getlist(name))) for name in names[first : first + most + 1]]

    def get_bucket(self, _: str) -> _Near:
        return self

    def iterlists(self) -> list[tuple[str, _AsTheyAre]]:
        return self._lists


def list_by_page(backend: S3Backend) -> None:
    """Let moto make each page of the keys near its marker. The names of the keys must stay the same from now on."""
    names = {name: sorted(bucket.keys) for name, bucket in backend.buckets.items()}

    def listed(
        self: S3Backend,
        bucket_name: str,
        delimiter: Any = None,
        key_marker: Any = None,
        max_keys: int = PAGE,
        *more: Any,
        **named: Any,
    ) -> Any:
        near: Any = _Near(self.get_bucket(bucket_name), names[bucket_name], key_marker or named.get("prefix"), max_keys)
        return whole(near, bucket_name, delimiter, key_marker, max_keys, *more, **named)

    whole = S3Backend.list_object_versions
    S3Backend.list_object_versions = listed


def serve_moto(count: int, ready: Callable[[int], None]) -> None:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    make_buckets(client_of(f"http://127.0.0.1:{port}"))
    backend = s3_backends[ACCOUNT]["aws"]
    for body, seconds in ((b"good", -2 * APART_SECONDS), (b"bad", -APART_SECONDS)):
        for number in range(count):
            made, replica = (backend.put_object(name, key_of(number), body) for name in (SOURCE, REPLICA))
            replica._version_id = made._version_id
            for one in (made, replica):
                one.metadata.update({"x-amz-meta-city": "paris"})
                one.last_modified += timedelta(seconds=seconds)
    list_by_page(backend)
    ready(port)
    server.stop()


def _until_closed(port: int) -> None:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    serve = serve_moto if sys.argv[1] == "moto" else serve_simulated
    serve(int(sys.argv[2]), _until_closed)
