"""Pure renderers: ``render(report) -> bytes``, one file per format."""

from __future__ import annotations

import os
from pathlib import Path

from drills.errors import DrillError
from drills.model import Report


def write_all(report: Report, folder: Path) -> None:
    """Write report.json, report.html and junit.xml into the drill's folder.

    Each file is replaced in one step and only after all three could be rendered: whoever reads the folder meanwhile, or
    after a crash, finds the old report or the new one. Raises DrillError where the folder cannot be written.
    """
    from drills.report.html import render as html
    from drills.report.json_report import render as json
    from drills.report.junit import render as junit

    rendered = {"report.json": json(report), "report.html": html(report), "junit.xml": junit(report)}
    for name, content in rendered.items():
        _replace(folder / name, content)


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise DrillError(
            f"{path}: expected to write the report there, found: {error.strerror or error}. Make room or give write "
            f"permission, then run `drills judge {path.parent}`."
        ) from error
