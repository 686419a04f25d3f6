"""The function's package in a process as Lambda's: the package and boto3 on the path, and nothing else."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")
"""What Lambda's Python has beside the standard library. Source: Lambda developer guide, Python runtimes."""
PROGRAM = """
import importlib, json, os, sys, time
sys.path[:0] = [os.environ["PACKAGE"], os.environ["LIBRARIES"]]
given = json.load(sys.stdin)

class Context:
    function_name = "orders-copy"
    invoked_function_arn = given["function_arn"]
    def get_remaining_time_in_millis(self):
        return 60_000

def timed(name):
    began = time.perf_counter()
    module = importlib.import_module(name)
    return module, time.perf_counter() - began

_, runtime_seconds = timed("boto3")
for part in ("boto3.session", "botocore.config", "botocore.exceptions"):
    importlib.import_module(part)
before = set(sys.modules)
module, seconds = timed(given["module"])
answers = [getattr(module, given["handler"])(event, Context()) for event in given["events"]]
tops = sorted({name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names)
print(json.dumps({"answers": answers, "tops": tops, "runtime_seconds": runtime_seconds, "seconds": seconds}))
"""


@dataclass(frozen=True)
class Invoked:
    """The answers to the events, the names of what was imported, and how long boto3 and the handler took to import."""

    answers: Sequence[Any]
    tops: Sequence[str]
    runtime_seconds: float
    seconds: float
    told: str


def invoke(
    folder: Path,
    package: bytes,
    handler: str,
    environment: Mapping[str, str],
    events: Sequence[Mapping[str, Any]] = (),
    function_arn: str = "",
) -> Invoked:
    """Unpack into ``folder`` and hand the events to the handler, ``module.function``, one after the other."""
    code, libraries = folder / "package", folder / "libraries"
    if not code.exists():
        with zipfile.ZipFile(io.BytesIO(package)) as archive:
            archive.extractall(code)
        libraries.mkdir()
        for name in RUNTIME:
            spec = find_spec(name)
            assert spec is not None
            assert spec.origin is not None
            origin = Path(spec.origin)
            found = origin.parent if origin.name == "__init__.py" else origin
            (libraries / found.name).symlink_to(found)
    module, _, function = handler.partition(".")
    given = {"module": module, "handler": function, "events": events, "function_arn": function_arn}
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-W", "error", "-c", PROGRAM],
        input=json.dumps(given),
        env={"PACKAGE": str(code), "LIBRARIES": str(libraries), "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return Invoked(**json.loads(done.stdout), told=done.stderr)
