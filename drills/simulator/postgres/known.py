"""The parameters that a PostgreSQL has, told by its program itself without a server.

Source: PostgreSQL documentation, postgres (``--describe-config``: name, context, group, type, default, least, most,
description, more of it).
"""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from drills.errors import EngineError
from drills.simulator.postgres.interface import Programs

FIELDS = 9


@dataclass(frozen=True, slots=True)
class Known:
    """``context`` as in pg_settings; ``least`` and ``most`` are those of numbers, in the parameter's own unit."""

    name: str
    context: str
    kind: str
    least: str
    most: str
    description: str


def known(programs: Programs) -> Mapping[str, Known]:
    """By name, those of extensions left out. Raises EngineError where the program does not run."""
    return _told(programs.folder, programs.found)


@functools.cache
def _told(folder: Path, found: str) -> Mapping[str, Known]:
    try:
        command = [str(folder / "postgres"), "--describe-config"]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise EngineError(
            f"PostgreSQL of {found} in {folder} does not tell its parameters: {error}. "
            "Set PGBIN to the programs of a PostgreSQL that does"
        ) from error
    lines = (line.split("\t") for line in told.splitlines())
    return MappingProxyType(
        {one[0]: Known(one[0], one[1], one[3], one[5], one[6], one[7]) for one in lines if len(one) == FIELDS}
    )
