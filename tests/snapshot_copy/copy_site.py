"""Accounts with databases, and a copy of their snapshots in a vault, made and watched through plain boto3 clients."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from drills.handlers.snapshot_copy import Snapshot, is_ours, snapshots_in
from drills.simulator import SimulatedAWS
from drills.snapshot_copy import Options, Side, SnapshotCopy, deploy
from tests.simulator.rds.databases import ONE, OTHER, REGION, THREE, TWO, World
from tests.snapshot_copy.rowless import without_rows

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

    def deploy(self, *, scheduled: bool = True) -> None:
        """``scheduled``: whether its functions run by themselves, or only when they are invoked."""
        deploy(self.copy, self.clients, self.wait)
        for side in self.copy.sides if not scheduled else ():
            self.clients(side, "events", self.copy.place(side)[1]).disable_rule(Name=self.copy.rule(side))

    def invoke(self, side: Side) -> dict[str, Any]:
        """What a run of the side's function answers; it must not fail."""
        told, fine = self.invoked(side)
        assert fine, told
        return told

    def invoked(self, side: Side) -> tuple[dict[str, Any], bool]:
        """The answer, or the error, and whether it is an answer."""
        client = self.clients(side, "lambda", self.copy.place(side)[1])
        answer = client.invoke(FunctionName=self.copy.function(side), Payload=b"{}")
        return json.loads(answer["Payload"].read()), "FunctionError" not in answer

    def rounds(self, count: int = 1, minutes: float = 15) -> None:
        """Both functions one after the other, so many times, so many minutes apart: what is begun is done by then."""
        for _ in range(count):
            for side in self.copy.sides:
                self.invoke(side)
            self.world.pass_minutes(minutes)

    def database(self, name: str, **more: Any) -> None:
        """An instance in production, without waiting for it."""
        wanted = {"Engine": "postgres", "StorageEncrypted": True, "BackupRetentionPeriod": 0} | more
        self.world.rds().create_db_instance(
            DBInstanceIdentifier=name,
            DBInstanceClass="db.t3.micro",
            AllocatedStorage=20,
            MasterUsername="app",
            MasterUserPassword="long-enough",
            **wanted,
        )

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


@contextmanager
def rowless_site(
    copy: SnapshotCopy, *names: str, scheduled: bool = False, seed: int = 1, **more: Any
) -> Iterator[CopySite]:
    """A copy of databases of these names, which have no rows; deployed once they are available. Durations are drawn by
    any seed but 1."""
    with SimulatedAWS(seed=seed, durations="p50" if seed == 1 else "drawn") as aws:
        without_rows()
        site = CopySite(World(aws), copy)
        for name in names:
            site.database(name, **more)
        site.world.pass_minutes(30)
        site.deploy(scheduled=scheduled)
        yield site


__all__ = ["OTHER", "PRODUCTION", "RECOVERY", "REGION", "VAULT", "CopySite", "copy_named", "rowless_site"]
