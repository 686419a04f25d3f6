"""A folder with a provider file and an estate, moto's own server in a process beside, and a proxy that counts calls."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

from drills.cli import main
from drills.guard_rules import READS

PRODUCTION, VAULT, RECOVERY = "121212121212", "232323232323", "343434343434"
ACCOUNTS = {"production": PRODUCTION, "vault": VAULT, "recovery": RECOVERY}
REGIONS = {"production": "eu-west-1", "vault": "eu-central-1", "recovery": "eu-north-1"}
ESTATE = """
summary: One small table, written to for three seconds.
stores:
  - name: people
    kind: dynamodb
    key: {partition: person_id}
    records:
      person_id: uuid
      email: {template: "{person_id}@example.org"}
      visits: {number: {min: 0, max: 9}}
    workload: {writes_per_minute: 200, inserts: 3, updates: 4, deletes: 1}
    protections: PROTECTIONS
    objectives: {rto: 8h, rpo: 5m}
    production: {size_gb: 1, items: 1000}
response: {detect: {default: 1s}, decide: 1s, cut_over: 1s}
workload_minutes: 0.05
"""
FILE = """
accounts:
  production: {id: "121212121212", region: eu-west-1, role_arn: "arn:aws:iam::121212121212:role/drills", profile: here}
  vault: {id: "232323232323", region: eu-central-1, role_arn: "arn:aws:iam::232323232323:role/drills", profile: here}
  recovery: {id: "343434343434", region: eu-north-1, role_arn: "arn:aws:iam::343434343434:role/drills", profile: here}
endpoint_url: URL
"""
SECRET = "a-secret-that-nothing-may-quote-anywhere"


Trouble = Callable[[str, str], "bytes | None"]
"""By the operation and the protocol's content type: an HTTP answer instead of the server's, ``RESET`` or ``LOST``, or
None where the call goes through."""
RESET = b"reset"
"""The connection is closed before the call reaches the server."""
LOST = b"lost"
"""The server carries the call out, and the connection is closed before its answer."""


def refusal(status: int, code: str, message: str, content_type: str) -> bytes:
    """An error in the words of the service's protocol, status line first."""
    if "json" in content_type:
        body = json.dumps({"__type": f"com.amazonaws#{code}", "message": message}).encode()
    else:
        error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        body = f"<ErrorResponse>{error}<RequestId>r</RequestId></ErrorResponse>".encode()
    head = f"HTTP/1.1 {status} Refused\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@dataclass
class Ground:
    """What a test needs of the accounts behind the endpoint.

    ``calls``: what reached the proxy before the server, in order. ``troubles``: what answers instead, if anything.
    """

    folder: Path
    url: str
    calls: list[str] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)

    @property
    def behind(self) -> str:
        """The address of the server itself."""
        return os.environ["DRILLS_TEST_MOTO"]

    @property
    def writes(self) -> list[str]:
        reads = (*READS, "Assume")
        return [call for call in self.calls if not call.startswith(reads)]

    def client(self, service: str, role: str, region: str | None = None, policy: str | None = None) -> Any:
        """A client of that account, past the proxy's count; its session is narrowed by the policy, if one is given."""
        home = region or REGIONS[role]
        sts = self._of("sts", home, "testing", SECRET, None)
        narrowed = {"Policy": policy} if policy else {}
        found = sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNTS[role]}:role/test", RoleSessionName="test", **narrowed)[
            "Credentials"
        ]
        keys = (found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
        return self._of(service, home, *keys)

    def _of(self, service: str, region: str, key: str, secret: str, token: str | None) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,
            region_name=region,
            endpoint_url=self.behind,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(account_id_endpoint_mode="disabled", s3={"addressing_style": "path"}),
        )

    def mark(self, roles: Sequence[str] = tuple(ACCOUNTS)) -> None:
        for role in roles:
            self.client("iam", role).create_account_alias(AccountAlias=f"acme-sandbox-{role}")

    def estate(self, protections: str = "[{dynamodb_backup: {every: 1m, keep: 3}}]", text: str = ESTATE) -> str:
        path = self.folder / "small.yaml"
        path.write_text(text.replace("PROTECTIONS", protections))
        return str(path)

    def file(self, text: str = FILE) -> str:
        path = self.folder / "sandbox.yaml"
        path.write_text(text.replace("URL", self.url))
        return str(path)

    def drills(self, *arguments: str) -> int:
        """The exit code of a command."""
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
        assert isinstance(left.value.code, int)
        return left.value.code


@contextmanager
def sandbox_ground(
    folder: Path, monkeypatch: pytest.MonkeyPatch, moto: str, reset: str | None = "/moto-api/reset"
) -> Iterator[Ground]:
    """The accounts behind the server at ``moto`` are emptied, and unmarked, if it has a ``reset``."""
    if reset is not None:
        urllib.request.urlopen(urllib.request.Request(moto + reset, method="POST"), timeout=60).close()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    (folder / "credentials").write_text(f"[here]\naws_access_key_id = testing\naws_secret_access_key = {SECRET}\n")
    (folder / "config").write_text("")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    monkeypatch.chdir(folder)
    troubles: list[Trouble] = []
    with counting(moto, troubles) as (url, calls):
        monkeypatch.setenv("DRILLS_TEST_MOTO", moto)
        yield Ground(folder, url, calls, troubles)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def moto_server() -> Iterator[str]:
    """moto's own server, in a process of its own that ends with this one."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _answers(url, server)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=30)


def _answers(url: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/moto-api/", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("moto_server did not answer")


@contextmanager
def counting(behind: str, troubles: Sequence[Trouble] = ()) -> Iterator[tuple[str, list[str]]]:
    """A server that passes everything on but what meets trouble, and notes the operation of each call."""
    calls: list[str] = []

    class Passing(BaseHTTPRequestHandler):
        # By the older protocol a client that asks first whether to send its body waits a second for the answer.
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            operation = _operation(self.command, self.path, dict(self.headers), body)
            calls.append(operation)
            content_type = self.headers.get("Content-Type") or "text/xml"
            content_type = content_type if "json" in content_type else "text/xml"
            met = next(filter(None, (trouble(operation, content_type) for trouble in list(troubles))), None)
            if met is not None and met != LOST:
                self.wfile.write(b"" if met == RESET else met)
                self.close_connection = True
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            connection = http.client.HTTPConnection(urlsplit(behind).netloc, timeout=60)
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
            about = answer.headers["Content-Length"] if self.command == "HEAD" else None
            connection.close()
            if met == LOST:
                self.close_connection = True
                return
            self._answer(answer.status, answer.headers, content, about)

        def _answer(self, status: int, headers: Any, body: bytes, length: str | None) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", length or str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _pass

        def log_message(self, *_: Any) -> None:
            """Nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Passing)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", calls
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _operation(method: str, path: str, headers: dict[str, str], body: bytes) -> str:
    target = headers.get("X-Amz-Target", "")
    if target:
        return target.rpartition(".")[2]
    if path.startswith("/moto-api"):
        return "GetMotoPage"
    action = re.search(rb"(?:^|&)Action=(\w+)", body)
    return action[1].decode() if action else f"{'Get' if method in ('GET', 'HEAD') else method} {path}"
