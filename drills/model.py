"""The nouns of a drill, as frozen dataclasses. Nothing here needs AWS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Verdict = Literal["pass", "fail", "unknown"]
AccountRole = Literal["production", "vault", "recovery"]
Grade = Literal["simulated", "sandbox"]
ClockKind = Literal["simulated", "wall"]
WriteKind = Literal["put", "delete", "erase"]
RecordClass = Literal["recovered", "lost", "stale", "corrupt", "resurrected", "indeterminate"]
JSON = Any

PHASES = ("detect", "decide", "find_point", "restore", "reconfigure", "verify", "cut_over")
RECORD_CLASSES: tuple[RecordClass, ...] = ("recovered", "lost", "stale", "corrupt", "resurrected", "indeterminate")


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """``fail`` before ``unknown`` before ``pass``; nothing checked is ``unknown``, never ``pass``."""
    seen = set(verdicts)
    if "fail" in seen:
        return "fail"
    return "pass" if seen == {"pass"} else "unknown"


# --- The estate: what a drill protects, loses and restores ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Account:
    """One account by its role. ``region`` is where its part of the estate lives."""

    role: AccountRole
    id: str
    region: str


@dataclass(frozen=True, slots=True)
class Objectives:
    """What is demanded of a store. Seconds."""

    rto_seconds: float
    rpo_seconds: float


@dataclass(frozen=True, slots=True)
class ProductionSize:
    """The size to reckon with, so that a drill with few records predicts the durations of the real store."""

    size_gb: float
    items: int


@dataclass(frozen=True, slots=True)
class ProtectionUse:
    """One protection of a store, with its options as the estate gives them."""

    name: str
    options: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkloadMix:
    """The writes that go on until the failure. The shares are weights and need not add up to one."""

    writes_per_minute: float
    inserts: float
    updates: float
    deletes: float
    erasures: float


@dataclass(frozen=True, slots=True)
class Store:
    """One DynamoDB table, S3 bucket or database. ``config`` is the kind's own frozen description of it.

    ``records`` is None for a store that exists and cannot be drilled, as the estate does not say what to fill it with.
    """

    name: str
    kind: str
    config: Any
    records: Any
    share: float
    workload: WorkloadMix
    protections: tuple[ProtectionUse, ...]
    objectives: Objectives
    production: ProductionSize
    exists: str | None = None
    """What the store is called in AWS, where it exists already and is to be protected and restored. Drills make their
    own and never touch it."""


@dataclass(frozen=True, slots=True)
class Module:
    """One infrastructure module: everything it manages goes in one go.

    ``resources`` name what the module manages: ``"orders"`` is the store itself, ``"orders/dynamodb_global_table"``
    is what that protection made for it.
    """

    name: str
    resources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """An attribute of one store's records that names records of another by their key.

    ``attribute`` is a name, or a path of names with dots where it lies within a map.
    """

    store: str
    attribute: str
    to: str


@dataclass(frozen=True, slots=True)
class Response:
    """How people respond. ``detect_seconds`` by scenario name, with ``default`` for the others."""

    detect_seconds: Mapping[str, float]
    decide_seconds: float
    cut_over_seconds: float = 0.0
    """How long the application takes to use a store's new place once it is told (a roll-out, cached settings)."""

    def detect(self, scenario: str) -> float:
        return self.detect_seconds.get(scenario.partition(":")[0], self.detect_seconds["default"])


@dataclass(frozen=True, slots=True)
class Estate:
    """The stores a drill protects, loses and restores, with everything needed to make them."""

    name: str
    summary: str
    accounts: Mapping[AccountRole, Account]
    stores: tuple[Store, ...]
    modules: tuple[Module, ...]
    response: Response
    workload_minutes: float
    source: str
    """The estate file as it was read, for the evidence."""
    references: tuple[Reference, ...] = ()


# --- Where things lie ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """An account role and a region: where people respond from and where a store is restored into."""

    role: AccountRole
    region: str


@dataclass(frozen=True, slots=True)
class Location:
    """One physical store: for DynamoDB ``name`` is the table's name."""

    role: AccountRole
    account: str
    region: str
    name: str


@dataclass(frozen=True, slots=True)
class RecoveryPoint:
    """A state of a store that one protection can restore: where it lies, as of when.

    ``handle`` is the protection's own and is opaque to everyone else; it must be JSON.
    """

    id: str
    protection: str
    account: str
    region: str
    as_of: datetime
    handle: Mapping[str, JSON] = field(default_factory=dict)
    lag_seconds: float = 0.0
    """A live copy applies its parts independently: writes acknowledged up to this long before ``as_of`` may still be
    missing from it. Zero for a state that is consistent. What is missing counts for the RPO all the same."""
    since: datetime | None = None
    """Every moment from then to ``as_of`` can be restored as well; None: this one state alone."""


# --- The ledger and what is observed -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Write:
    """One write of the workload. ``item`` is canonical JSON, None for a delete. Times are microseconds since the epoch.

    ``acknowledged_us`` is None when the acknowledgement never came (indeterminate: it may be there or not); a write
    that was cleanly rejected is not in the ledger at all. ``expires_at`` is epoch seconds when the item carries a
    time to live.
    """

    sequence: int
    key: str
    kind: WriteKind
    item: bytes | None
    sent_us: int
    acknowledged_us: int | None
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """One record as it was read back: its key and its canonical JSON."""

    key: str
    item: bytes


@dataclass(frozen=True, slots=True)
class RecordCounts:
    """How many records are of each class; ``expected`` is how many the ledger says must be there."""

    expected: int
    recovered: int = 0
    lost: int = 0
    stale: int = 0
    corrupt: int = 0
    resurrected: int = 0
    indeterminate: int = 0


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One record that did not come back as it should. Values are canonical JSON as text, None for absent."""

    key: str
    record_class: RecordClass
    expected: str | None
    observed: str | None


# --- What a drill concludes ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's verdict. ``records_covered`` is how many records the check looked at."""

    check: str
    verdict: Verdict
    subject: str
    expected: str
    observed: str
    records_covered: int = 0


@dataclass(frozen=True, slots=True)
class Phases:
    """Seconds by phase; None for a phase that was not reached."""

    detect: float | None = None
    decide: float | None = None
    find_point: float | None = None
    restore: float | None = None
    reconfigure: float | None = None
    verify: float | None = None
    cut_over: float | None = None

    def items(self) -> tuple[tuple[str, float | None], ...]:
        return tuple((name, getattr(self, name)) for name in PHASES)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Three moments of a restored store that answers long before it is itself again, in seconds from the failure.

    None for one that was not reached, or that nothing told.
    """

    available_seconds: float | None
    """The restore had returned, and the store answered."""
    verified_seconds: float | None
    """Everything had been read back and checked."""
    full_speed_seconds: float | None
    """Its data had been loaded: until then, what was not read before is fetched at the first reading."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One recovery path, tried and judged. Figures are None where the path did not get that far."""

    protection: str
    recovery_point: RecoveryPoint | None
    verdict: Verdict
    rto_seconds: float | None
    rto_p95_seconds: float | None
    rpo_seconds: float | None
    writes_lost: int | None
    phases: Phases
    records: RecordCounts | None
    findings: tuple[Finding, ...]
    mismatches: tuple[Mismatch, ...] = ()
    assumed: bool = False
    """Whether a simulated duration rests on an assumption rather than on a published or measured figure."""
    endpoint: Endpoint | None = None
    """Only of kinds of stores that load lazily, or might."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One scenario × one store. The figures are the preferred path's; the attempts stand beside."""

    scenario: str
    store: str
    kind: str
    verdict: Verdict
    path: str | None
    rto_seconds: float | None
    rto_objective_seconds: float
    rpo_seconds: float | None
    rpo_objective_seconds: float
    writes_acknowledged: int
    writes_lost: int | None
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class DrillInfo:
    """What identifies a drill."""

    id: str
    seed: int
    version: str
    provider: str
    grade: Grade
    estate: str
    started: datetime
    clock: ClockKind


@dataclass(frozen=True, slots=True)
class Report:
    """A drill, judged."""

    drill: DrillInfo
    verdict: Verdict
    cells: tuple[Cell, ...]
    findings: tuple[Finding, ...] = ()
    """Findings about the drill as a whole, such as clean-up."""
