"""What the function needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """What the function needs to know, each from the environment variable of the same name, ``DRILLS_…``."""

    copy_table: str
    marker_table: str
    vault_account: str
    vault_region: str
    vault_role_arn: str
    external_id: str
    aside_bucket: str
    aside_prefix: str
    stream_label: str
    """Records of a stream before this one are dropped: the backfill for this label covers them."""
    tombstone_hours: str = "72"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        names = cls.__dataclass_fields__
        given = {name: environment[variable] for name in names if (variable := f"DRILLS_{name.upper()}") in environment}
        return cls(**given)

    def as_environment(self) -> dict[str, str]:
        return {f"DRILLS_{name.upper()}": getattr(self, name) for name in self.__dataclass_fields__}
