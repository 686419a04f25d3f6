"""A site on the simulated AWS: one table in production, a vault in another account and region."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.config import Config

from drills.clock import Clock
from drills.model import (
    Account,
    AccountRole,
    Estate,
    Location,
    Objectives,
    ProductionSize,
    Response,
    Store,
    WorkloadMix,
)
from drills.simulator import SimulatedAWS

ACCOUNTS: Mapping[AccountRole, Account] = {
    "production": Account("production", "111111111111", "us-east-1"),
    "vault": Account("vault", "222222222222", "eu-west-1"),
    "recovery": Account("recovery", "333333333333", "us-west-2"),
}
STORE = Store(
    name="clients",
    kind="dynamodb",
    config=None,
    records=None,
    share=1,
    workload=WorkloadMix(60, 1, 1, 1, 1),
    protections=(),
    objectives=Objectives(3600, 60),
    production=ProductionSize(1, 1000),
)
ESTATE = Estate("test", "", ACCOUNTS, (STORE,), (), Response({"default": 60}, 60), 5, "")


@dataclass
class LocalSite:
    """drills.site.Site, for one table."""

    aws: SimulatedAWS
    estate: Estate = ESTATE
    store: Store = STORE
    tags: Mapping[str, str] = field(default_factory=lambda: {"drills:drill": "test"})
    capabilities: frozenset[str] = frozenset()
    notes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    modelled_operations: list[str] = field(default_factory=list)
    made: dict[Any, Any] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)

    @property
    def clock(self) -> Clock:
        return self.aws.clock

    def reach(self, at: Location, kind: str) -> None:
        """It is always there."""

    def statement(self, at: Location, kind: str, what: str, *, often: bool = False) -> AbstractContextManager[None]:
        return nullcontext()

    def name(self, suffix: str = "") -> str:
        return f"drill-clients-{suffix}" if suffix else "drill-clients"

    def account_id(self, role: AccountRole) -> str:
        return ACCOUNTS[role].id

    def region(self, role: AccountRole) -> str:
        return ACCOUNTS[role].region

    def client(self, service: str, role: AccountRole, region: str | None = None) -> Any:
        region = region or ACCOUNTS[role].region
        self.calls.append((role, service))
        key = (service, role, region)
        if key not in self.made:
            session = self.aws.session(ACCOUNTS[role].id)
            config = Config(retries={"mode": "standard", "total_max_attempts": 2})
            self.made[key] = session.client(service, region_name=region, config=config)  # type: ignore[call-overload]
        return self.made[key]

    def primary(self) -> Location:
        return Location("production", ACCOUNTS["production"].id, ACCOUNTS["production"].region, self.name())

    def every(self, seconds: float, action: Callable[[], None]) -> None: ...

    def modelled(self, operation: str, *, items: int | None = None, size_gb: float | None = None) -> None:
        self.modelled_operations.append(operation)

    def reckon(self, at: Location) -> None: ...

    def wait_until(self, moment: datetime) -> None:
        self.clock.sleep((moment - self.clock.now()).total_seconds())

    def wait(self, what: str, ready: Callable[[], bool], *, every_seconds: float, limit_seconds: float) -> None:
        waited = 0.0
        while not ready():
            assert waited < limit_seconds, f"{what}: not within {limit_seconds} s"
            self.clock.sleep(every_seconds)
            waited += every_seconds

    def note(self, kind: str, **data: Any) -> None:
        self.notes.append((kind, data))

    def failed_at(self) -> datetime | None:
        return None

    # --- the table, as the application uses it

    @property
    def table(self) -> Any:
        return self.client("dynamodb", "production")

    def put(self, key: str, **values: Any) -> None:
        self.table.put_item(TableName=self.name(), Item={"id": {"S": key}, **values})

    def delete(self, key: str) -> None:
        self.table.delete_item(TableName=self.name(), Key={"id": {"S": key}})

    def items(self, role: AccountRole = "production", table: str | None = None) -> dict[str, Any]:
        client = self.client("dynamodb", role)
        found: dict[str, Any] = {}
        for page in client.get_paginator("scan").paginate(TableName=table or self.name(), ConsistentRead=True):
            found.update({item["id"]["S"]: item for item in page["Items"]})
        return found

    def copied(self) -> dict[str, Any]:
        return self.items("vault", "drill-clients-copy")


@contextmanager
def local_site() -> Iterator[LocalSite]:
    """A simulated AWS with the table in production, nothing protected yet."""
    with SimulatedAWS(seed=1) as aws:
        site = LocalSite(aws)
        site.table.create_table(
            TableName=site.name(),
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[
                {"AttributeName": "id", "AttributeType": "S"},
                {"AttributeName": "email", "AttributeType": "S"},
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by-email",
                    "KeySchema": [{"AttributeName": "email", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        yield site
