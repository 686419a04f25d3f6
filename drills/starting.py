"""What ``drills init`` writes: a starter for a user's own repository. Nothing that exists is touched."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from drills.errors import UsageError

STARTER = Path(__file__).resolve().parent / "starter"
FILES = {
    "scenarios/nightly_cleanup.py": "scenarios/nightly_cleanup.py",
    "fixtures/my_estate.yaml": "fixtures/my_estate.yaml",
    "tests/test_drills.py": "tests/test_drills.py",
    "ci/drills.yml": ".github/workflows/drills.yml",
}
"""The starter's files, and what they become in the user's folder."""


@dataclass(frozen=True, slots=True)
class Started:
    """What was written, what was left alone because it exists, and what to type next."""

    written: tuple[Path, ...]
    left_alone: tuple[Path, ...]
    next_command: str


PLANNING = "plan --estate shop --on sandbox.yaml"
SANDBOX = {"sandbox.yaml": "sandbox.yaml"}
"""What ``drills init --sandbox`` writes."""


def start(folder: Path, *, sandbox: bool = False) -> Started:
    """Write the starter into ``folder``, which is made if need be. Raises UsageError where nothing can be written."""
    written: list[Path] = []
    left_alone: list[Path] = []
    for source, target in (SANDBOX if sandbox else FILES).items():
        path = folder / target
        (written if _write_new(path, (STARTER / source).read_bytes()) else left_alone).append(path)
    go = "" if folder.resolve() == Path.cwd() else f"cd {folder} && "
    return Started(tuple(written), tuple(left_alone), f"{go}drills {PLANNING if sandbox else 'run --estate my_estate'}")


def _write_new(path: Path, content: bytes) -> bool:
    """Whether the file was written; False where something of that name is already there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # O_EXCL also refuses a dangling link, which would otherwise write somewhere else.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        if not path.parent.is_dir():
            raise UsageError(f"{path.parent} is a file; expected a folder to write {path.name} into") from None
        return False
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return True
