"""Execution environments: a function's module loaded once, run with its role's credentials and its variables.

Source: Lambda developer guide, Lambda execution environment lifecycle; Defined runtime environment variables;
Lambda function handler in Python; Python context object.
"""

from __future__ import annotations

import importlib
import io
import json
import linecache
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import boto3

from drills.simulator import accounts
from drills.simulator.functions.packages import ROOT, Package
from drills.simulator.passing import sleeping
from drills.simulator.state import Simulation
from drills.simulator.turns import Turn

SESSION_SECONDS = 12 * 3600
RENEWED_BEFORE = timedelta(hours=1)
"""An environment whose credentials are about to end is not used again; the next one begins with new ones."""
RESPONSE_BYTES = 6_291_556
"""Source: Lambda developer guide, quotas."""


class EnvironmentLost(BaseException):
    """Ends an execution environment in the middle of what it does, as the failure of its machine would.

    Raise it from anything that a handler calls; what it did so far stays done, and the invocation fails.
    """


class _TimedOut(BaseException):
    pass


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one invocation came to. ``payload`` is JSON; ``error`` the function error's kind, None for none."""

    payload: bytes
    error: str | None
    request_id: str
    version: str
    seconds: float
    log: tuple[str, ...] = ()

    @property
    def tail(self) -> str:
        """The end of its log, up to 4 KB, as ``LogType=Tail`` asks for it."""
        return "\n".join(self.log)[-4096:]


@dataclass
class Context:
    """The handler's second argument."""

    function_name: str
    function_version: str
    invoked_function_arn: str
    memory_limit_in_mb: str
    aws_request_id: str
    log_group_name: str
    log_stream_name: str
    _remaining: Callable[[], float]
    identity: Any = None
    client_context: Any = None

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int(self._remaining() * 1000))


@dataclass(frozen=True, slots=True)
class Version:
    """What an environment is made of: code and configuration. Two that are equal can share environments."""

    account: str
    region: str
    name: str
    arn: str
    number: str
    handler: str
    role: str
    timeout_seconds: float
    memory_mb: int
    runtime: str
    variables: tuple[tuple[str, str], ...]
    code_sha: str

    @classmethod
    def of(cls, function: Any) -> Version:
        """Of moto's function as it is now."""
        return cls(
            function.account_id,
            function.region,
            function.function_name,
            function.function_arn,
            str(function.version),
            function.handler or "",
            function.role,
            float(function.timeout or 3),
            int(function.memory_size or 128),
            function.run_time or "",
            tuple(sorted((str(name), str(value)) for name, value in function.environment_vars.items())),
            function.code_sha_256,
        )


class _LogLines(logging.Handler):
    """What the handler logs, formatted as Lambda's runtime does."""

    def __init__(self) -> None:
        super().__init__()
        self.request_id = ""

    def emit(self, record: logging.LogRecord) -> None:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        trace = f"\n{''.join(traceback.format_exception(*record.exc_info))}" if record.exc_info else ""
        sys.stdout.write(
            f"[{record.levelname}]\t{moment}.{int(record.msecs):03d}Z\t{self.request_id}\t{record.getMessage()}{trace}\n"
        )


@dataclass
class Environment:
    """One environment of one version. Runs one invocation at a time."""

    simulation: Simulation
    version: Version
    code: bytes
    number: int
    credentials: dict[str, Any]
    ended: bool = False
    _package: Package = field(init=False)
    _handler: Callable[[Any, Any], Any] | None = None
    _session: Any = None
    _log: _LogLines = field(default_factory=_LogLines)
    _inside: ExitStack | None = None
    _turn: Turn = field(default_factory=Turn)
    _thread: threading.Thread | None = None
    _deadline: datetime | None = None

    def __post_init__(self) -> None:
        self._package = Package(self.code)
        self._variables = _encoded(self._all_variables())

    def usable(self, now: datetime) -> bool:
        until: datetime = self.credentials["expires"]
        return not self.ended and until - now > RENEWED_BEFORE

    @property
    def log_stream(self) -> str:
        return f"{self.simulation.clock.now():%Y/%m/%d}/[{self.version.number}]{self.number:032x}"

    def run(self, payload: bytes, request_id: str) -> Outcome:
        """One invocation. Whatever the handler does comes back as an outcome."""
        clock, version = self.simulation.clock, self.version
        began = clock.now()
        self._deadline = began + timedelta(seconds=version.timeout_seconds)
        self._log.request_id = request_id
        printed = io.StringIO()
        with self._entered(printed):
            result, error = self._result(payload, self._context(request_id))
        seconds = (clock.now() - began).total_seconds()
        if error is None and seconds > version.timeout_seconds:
            result, error = self._timed_out(request_id), "Unhandled"
        lines = tuple(printed.getvalue().splitlines())
        if error is not None:
            lines += (_error_line(result),)
        return Outcome(result, error, request_id, version.number, seconds, lines)

    def _result(self, payload: bytes, context: Context) -> tuple[bytes, str | None]:
        """JSON and the kind of the function's error."""
        request_id = context.aws_request_id
        try:
            if self._handler is None:
                self._handler = self._loaded()
            answer = self._handler(json.loads(payload), context)
            return _marshalled(answer, request_id)
        except _TimedOut:
            self.ended = True
            return self._timed_out(request_id), "Unhandled"
        except (EnvironmentLost, SystemExit) as error:
            self.ended = True
            status = error.code if isinstance(error, SystemExit) else 137
            said = f"RequestId: {request_id} Error: Runtime exited with error: exit status {status}"
            return _error_json("Runtime.ExitError", said), "Unhandled"
        except _InitError as error:
            self.ended = True
            return _error_json(error.kind, str(error), request_id, []), "Unhandled"
        except Exception as error:  # noqa: BLE001 - a handler may raise anything; Lambda reports it to the caller.
            return _error_json(type(error).__name__, str(error), request_id, _stack(error)), "Unhandled"

    def _timed_out(self, request_id: str) -> bytes:
        said = f"RequestId: {request_id} Error: Task timed out after {self.version.timeout_seconds:.2f} seconds"
        return _error_json("Sandbox.Timedout", said)

    def _context(self, request_id: str) -> Context:
        version = self.version
        return Context(
            version.name,
            version.number,
            version.arn,
            str(version.memory_mb),
            request_id,
            f"/aws/lambda/{version.name}",
            self.log_stream,
            lambda: (self._deadline - self.simulation.clock.now()).total_seconds() if self._deadline else 0.0,
        )

    def _loaded(self) -> Callable[[Any, Any], Any]:
        module_name, dot, name = self.version.handler.rpartition(".")
        if not dot:
            raise _InitError(
                "Runtime.MalformedHandlerName",
                f"Bad handler '{self.version.handler}': not enough values to unpack (expected 2, got 1)",
            )
        module_name = module_name.replace("/", ".")
        try:
            module = importlib.import_module(module_name)
        except ImportError as error:
            raise _InitError(
                "Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}"
            ) from error
        except SyntaxError as error:
            raise _InitError(
                "Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}"
            ) from error
        try:
            return getattr(module, name)  # type: ignore[no-any-return]
        except AttributeError as error:
            raise _InitError(
                "Runtime.HandlerNotFound", f"Handler '{name}' missing on module '{module_name}'"
            ) from error

    # --- Being inside: variables, modules, the default session, the log, and a sleep that ends with the function's time

    @contextmanager
    def _entered(self, printed: io.StringIO) -> Iterator[None]:
        self._printed = printed
        self._thread = threading.current_thread()
        with self.simulation.turns.inside(self._turn):
            self._enter()
            try:
                yield
            finally:
                with self.simulation.turns:
                    self._leave()

    def _enter(self) -> None:
        stack = self._inside = ExitStack()
        stack.enter_context(self._package.importable())
        stack.enter_context(_environment(self._variables))
        stack.enter_context(redirect_stdout(self._printed))
        root = logging.getLogger()
        root.addHandler(self._log)
        stack.callback(root.removeHandler, self._log)
        stack.callback(setattr, time, "sleep", time.sleep)
        time.sleep = sleeping(self._sleep)  # type: ignore[assignment]
        outside = boto3.DEFAULT_SESSION
        boto3.DEFAULT_SESSION = self._session
        stack.callback(setattr, boto3, "DEFAULT_SESSION", outside)

    def _leave(self) -> None:
        self._session = boto3.DEFAULT_SESSION
        assert self._inside is not None
        self._inside.close()
        self._inside = None

    def _sleep(self, seconds: float) -> None:
        """The world goes on outside while the handler sleeps; the handler does not outlive its time or its region."""
        clock = self.simulation.clock
        if threading.current_thread() is not self._thread:
            clock.sleep(seconds)  # The handler goes on meanwhile, or waits for this thread.
            return
        assert self._deadline is not None
        with self.simulation.turns:
            left = (self._deadline - clock.now()).total_seconds()
            self._leave()
            try:
                clock.sleep(min(seconds, max(0.0, left)))
            finally:
                self._enter()
        if self.simulation.is_down(self.version.region) or self.simulation.is_closed(self.version.account):
            raise EnvironmentLost
        if seconds > left:
            raise _TimedOut

    def _all_variables(self) -> dict[str, str]:
        version, credentials = self.version, self.credentials
        return {
            **dict(version.variables),
            "AWS_ACCESS_KEY_ID": credentials["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": credentials["aws_secret_access_key"],
            "AWS_SESSION_TOKEN": credentials["aws_session_token"],
            "AWS_REGION": version.region,
            "AWS_DEFAULT_REGION": version.region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{version.runtime}",
            "AWS_LAMBDA_FUNCTION_NAME": version.name,
            "AWS_LAMBDA_FUNCTION_VERSION": version.number,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(version.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{version.name}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "LAMBDA_TASK_ROOT": ROOT.rstrip("/"),
            "_HANDLER": version.handler,
        }


class _InitError(Exception):
    """The function's module could not be loaded."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


CALLERS_OWN = frozenset(
    (b"AWS_PROFILE", b"AWS_DEFAULT_PROFILE", b"AWS_ENDPOINT_URL", b"AWS_ROLE_ARN", b"MOTO_ACCOUNT_ID")
)
"""What the process outside may have set and a function would not see."""


def _encoded(variables: dict[str, str]) -> dict[bytes, bytes]:
    """As ``os.environ`` keeps them."""
    return {os.fsencode(name): os.fsencode(value) for name, value in variables.items()}


@contextmanager
def _environment(variables: dict[bytes, bytes]) -> Iterator[None]:
    """What ``os.environ`` holds, exchanged whole: setting and restoring each variable would cost more than the rest."""
    environ: Any = vars(os.environ)
    before = environ["_data"]
    environ["_data"] = {name: value for name, value in before.items() if name not in CALLERS_OWN} | variables
    try:
        yield
    finally:
        environ["_data"] = before


def _marshalled(answer: Any, request_id: str) -> tuple[bytes, str | None]:
    try:
        payload = json.dumps(answer, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        return _error_json("Runtime.MarshalError", f"Unable to marshal response: {error}", request_id, []), "Unhandled"
    if len(payload) > RESPONSE_BYTES:
        said = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_BYTES} bytes)."
        return _error_json("Function.ResponseSizeTooLarge", said), "Unhandled"
    return payload, None


def _error_json(kind: str, message: str, request_id: str | None = None, stack: list[str] | None = None) -> bytes:
    body: dict[str, Any] = {"errorMessage": message, "errorType": kind}
    if request_id is not None:
        body |= {"requestId": request_id, "stackTrace": stack or []}
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def _error_line(payload: bytes) -> str:
    said = json.loads(payload)
    trace = "".join(said.get("stackTrace", ()))
    heading = "\nTraceback (most recent call last):\n" if trace else ""
    return f"[ERROR] {said['errorType']}: {said['errorMessage']}{heading}{trace}"


def _stack(error: Exception) -> list[str]:
    """The frames of the function's own code and what it called, not those of this simulator."""
    for file in [file for file in linecache.cache if file.startswith(ROOT)]:
        del linecache.cache[file]  # Another function's module of the same name.
    frames = traceback.extract_tb(error.__traceback__)
    first = next((number for number, frame in enumerate(frames) if frame.filename.startswith(ROOT)), len(frames))
    return traceback.format_list(frames[first:])


def credentials_of(role_arn: str, session_name: str) -> dict[str, Any]:
    """New credentials of a function's role."""
    return accounts.session_of_role(role_arn, session_name, SESSION_SECONDS)
