"""What both functions need to know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .selection import Selection


@dataclass(frozen=True, slots=True)
class Settings:
    """What both functions need to know, as JSON in the environment variable ``DRILLS_SNAPSHOT_COPY``."""

    name: str
    prefix: str
    """What the identifiers of all its snapshots begin with."""
    source_account: str
    source_region: str
    vault_account: str
    vault_region: str
    selection: Selection = field(default_factory=Selection)
    take: Literal["own", "automated"] = "own"
    interval_seconds: float = 3600.0
    production_keep: int = 2
    vault_keep: int = 7
    production_key: str = ""
    """ARN of production's key, in the vault's region, that what is shared is encrypted with."""
    shareable_keys: tuple[str, ...] = ()
    """ARNs of other keys whose policies let the vault in, so that snapshots under them are shared as they are."""
    vault_key: str = ""
    """ARN of the vault's key that its copies are encrypted with; of production's region copy: production's."""
    readers: tuple[str, ...] = ()
    """Accounts that the vault's copies are shared with, so that they can be restored there at once."""
    option_groups: Mapping[str, str] = field(default_factory=dict)
    """By a database's option group, the one that its copies in another account or region are bound to."""
    reader_role_arn: str = ""
    external_id: str = ""
    copies_at_once: int = 20
    manual_snapshots: int = 100
    """How many manual snapshots of each kind either account may have in a region."""
    objective_seconds: float = 86_400.0
    tags: Mapping[str, str] = field(default_factory=dict)
    removable: bool = False
    """Whether everything may be deleted when asked; for drills alone."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        given = json.loads(environment["DRILLS_SNAPSHOT_COPY"])
        lists = {name: tuple(given[name]) for name in ("shareable_keys", "readers") if name in given}
        chosen: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in given["selection"].items()
        }
        return cls(**{**given, **lists, "selection": Selection(**chosen)})

    def as_environment(self) -> dict[str, str]:
        """What differs from the defaults; an environment holds 4 KB. Source: Lambda developer guide, quotas."""
        default = Settings("", "", "", "", "", "")
        said = {name: getattr(self, name) for name in self.__dataclass_fields__}
        given = {name: value for name, value in said.items() if value != getattr(default, name)}
        chosen = {name: getattr(self.selection, name) for name in Selection.__dataclass_fields__}
        given["selection"] = {name: value for name, value in chosen.items() if value != getattr(Selection(), name)}
        return {"DRILLS_SNAPSHOT_COPY": json.dumps(given, sort_keys=True, separators=(",", ":"), default=dict)}

    @property
    def crosses_accounts(self) -> bool:
        return self.vault_account != self.source_account

    @property
    def crosses_regions(self) -> bool:
        return self.vault_region != self.source_region
