"""The simulated AWS behind one HTTP endpoint on loopback, in a process of its own, for clients that are not boto3 here.

``python -m tests.clients.simulated`` prints its port and answers until its standard input is closed. Its time goes on
with each call, as nobody else moves it: what takes AWS half an hour is done after some dozens of questions whether it
is. Each call is answered in turn.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from subprocess import PIPE, Popen
from typing import Any

from botocore.awsrequest import AWSPreparedRequest

from drills.simulator import SimulatedAWS, gate
from drills.simulator.request import SCOPE

SECONDS_A_CALL = 60.0
BEHIND = timedelta(hours=12)
OF_NO_REGION = frozenset({"iam"})


class _Handler(BaseHTTPRequestHandler):
    """Hands each request on as if it had been sent to the service and region that it is signed for."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    aws: Any = None
    one_by_one = threading.Lock()

    def _all(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        scope = SCOPE.search(headers.get("Authorization", ""))
        if scope is None:
            self.send_error(400, "expected a signed request")
            return
        region, service = scope[2], scope[3]
        host = f"{service}.amazonaws.com" if service in OF_NO_REGION else f"{service}.{region}.amazonaws.com"
        request = AWSPreparedRequest(self.command, f"https://{host}{self.path}", headers, body, False)  # type: ignore[arg-type]
        with self.one_by_one:
            opened = gate._gate
            assert opened is not None
            answer = opened.answer(request, "")
            self.aws.clock.sleep(SECONDS_A_CALL)
        self._answer(answer.status_code, dict(answer.headers), answer.content)

    def _answer(self, status: int, headers: dict[str, Any], raw: bytes) -> None:
        self.send_response_only(status)
        told = {name.lower(): str(value) for name, value in headers.items()}
        length = told.pop("content-length", "0") if self.command == "HEAD" else str(len(raw))
        for name, value in told.items():
            if name not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        if status != 204:
            self.send_header("content-length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(raw)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _all

    def log_message(self, *_: Any) -> None:
        """Nothing on stderr."""


@contextmanager
def simulated() -> Iterator[str]:
    """The endpoint's address."""
    command = [sys.executable, "-m", "tests.clients.simulated"]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.stdin.close()


if __name__ == "__main__":
    # Behind the clients' own clock, so that it does not get ahead of it.
    with SimulatedAWS(start=datetime.now(UTC).replace(microsecond=0) - BEHIND) as aws:
        _Handler.aws = aws
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        sys.stdin.read()
        server.shutdown()
