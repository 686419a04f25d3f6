"""Accounts with databases, and a copy of their snapshots in a vault, made and watched through plain boto3 clients."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from drills.handlers.snapshot_copy import Snapshot, is_ours, snapshots_in
from drills.snapshot_copy import Options, Side, SnapshotCopy, deploy
from tests.simulator.rds.databases import ONE, OTHER, REGION, THREE, TWO, World

PRODUCTION, VAULT, RECOVERY = ONE, TWO, THREE
ACCOUNTS: Mapping[Side, str] = {"production": PRODUCTION, "vault": VAULT}


@dataclass
class CopySite:
    """One copy in a simulated AWS."""

    world: World
    copy: SnapshotCopy
    made: dict[tuple[str, str, str], Any] = field(default_factory=dict)

    def clients(self, side: Side, service: str, region: str) -> Any:
        account = self.copy.place(side)[0]
        key = (account, service, region)
        if key not in self.made:
            self.made[key] = self.world.aws.session(account).client(service, region_name=region)  # type: ignore[call-overload]
        return self.made[key]

    def wait(self, what: str, ready: Callable[[], bool], *, every_seconds: float, limit_seconds: float) -> None:
        waited = 0.0
        while not ready():
            assert waited < limit_seconds, f"{what}: not within {limit_seconds} s"
            self.world.aws.clock.sleep(every_seconds)
            waited += every_seconds

    def deploy(self) -> None:
        deploy(self.copy, self.clients, self.wait)

    def invoke(self, side: Side) -> dict[str, Any]:
        """What a run of the side's function answers."""
        client = self.clients(side, "lambda", self.copy.place(side)[1])
        answer = client.invoke(FunctionName=self.copy.function(side), Payload=b"{}", LogType="Tail")
        told: dict[str, Any] = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, told
        return told

    def snapshots(self, side: Side, region: str | None = None) -> list[Snapshot]:
        """The copy's own on this side, oldest first."""
        region = region or self.copy.vault_region
        found = snapshots_in(self.clients(side, "rds", region))
        settings = self.copy.settings("", "")
        return sorted((one for one in found if is_ours(settings, one)), key=lambda one: one.age_key)


def copy_named(name: str, *, vault_region: str = REGION, vault: str = VAULT, **options: Any) -> SnapshotCopy:
    scope = options.pop("scope", ("*",))
    return SnapshotCopy(
        PRODUCTION,
        REGION,
        vault,
        vault_region,
        name,
        scope=scope,
        readers=(RECOVERY,),
        tags={"drills:drill": "test"},
        options=Options.parse(options),
        removable=True,
    )


__all__ = ["OTHER", "PRODUCTION", "RECOVERY", "REGION", "VAULT", "CopySite", "copy_named"]
