"""What tests of the vault's copies of snapshots have in common."""

from __future__ import annotations

from typing import Any

from drills.model import Place
from drills.protections.rds_snapshot_copy import copy_of
from drills.world_site import WorldSite

OPTIONS: dict[str, Any] = {"interval": "30m", "every_minutes": 10, "vault_keep": 20}
HOME = Place("production", "eu-west-1")
AWAY = Place("recovery", "eu-north-1")


def left_over(site: WorldSite) -> list[str]:
    """Manual snapshots in the recovery account and in production that no copy keeps."""
    found: list[str] = []
    for role in ("production", "recovery"):
        for region in ("eu-west-1", "eu-central-1", "eu-north-1"):
            rds = site.client("rds", role, region)
            for call, member in (
                (rds.describe_db_snapshots, "DBSnapshots"),
                (rds.describe_db_cluster_snapshots, "DBClusterSnapshots"),
            ):
                snapshots = call(SnapshotType="manual")[member]
                found += [one[f"{member[:-1]}Identifier"] for one in snapshots]
    prefix = copy_of(site, OPTIONS).prefix
    return [name for name in found if not name.startswith(f"{prefix}-")]
