"""Folds the top-level folders ``scenarios`` and ``fixtures`` into the wheel as ``drills/builtin/…``.

Only into the standard wheel: an editable install finds them beside the package. As top-level packages of a wheel they
would overwrite packages of those names on the user's machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDED = {"scenarios": "*.py", "fixtures": "*"}
LEFT_OUT = {"__pycache__", "__init__.py"}


class FoldBuiltins(BuildHookInterface[Any]):
    """hatchling's hook for the wheel target."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "standard":
            return
        for folder, pattern in FOLDED.items():
            for path in sorted(Path(self.root, folder).glob(pattern)):
                if path.is_file() and path.name not in LEFT_OUT:
                    build_data["force_include"][str(path)] = f"drills/builtin/{folder}/{path.name}"
