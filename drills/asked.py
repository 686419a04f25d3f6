"""What a drill in real accounts was asked to do, kept with its intentions: by these words it is planned again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from drills.model import JSON

Paths = Literal["all", "preferred"]


@dataclass(frozen=True, slots=True)
class Asked:
    """The words of a drill. ``folder``: where it was asked, from where names and files are looked up; ``approved``:
    the digest of the plan that was made of it and approved."""

    scenarios: tuple[str, ...]
    estate: str
    stores: tuple[str, ...]
    paths: Paths
    seed: int
    records: int
    folder: str
    approved: str

    @classmethod
    def here(
        cls,
        *,
        scenarios: tuple[str, ...],
        estate: str,
        stores: tuple[str, ...],
        paths: Paths,
        seed: int,
        records: int,
        approved: str,
    ) -> Asked:
        """Asked in the current folder. A file that exists is remembered by its whole path."""
        path = Path(estate)
        word = str(path.absolute()) if path.suffix and path.is_file() else estate
        return cls(scenarios, word, stores, paths, seed, records, str(Path.cwd()), approved)

    def as_json(self) -> Mapping[str, JSON]:
        return {
            "scenarios": list(self.scenarios),
            "estate": self.estate,
            "stores": list(self.stores),
            "paths": self.paths,
            "seed": self.seed,
            "records": self.records,
            "folder": self.folder,
            "approved": self.approved,
        }

    @classmethod
    def told_by(cls, entry: Mapping[str, Any]) -> Asked:
        """Raises KeyError, TypeError or ValueError where something is missing or spoilt."""
        if entry["paths"] not in ("all", "preferred"):
            raise ValueError("the paths")
        return cls(
            scenarios=tuple(map(str, entry["scenarios"])),
            estate=str(entry["estate"]),
            stores=tuple(map(str, entry["stores"])),
            paths=entry["paths"],
            seed=int(entry["seed"]),
            records=int(entry["records"]),
            folder=str(entry["folder"]),
            approved=str(entry["approved"]),
        )
