"""What the simulated RDS keeps: volumes with rows in them, instances, clusters, snapshots, automated backups.

One Region object per account and region, in ``Databases`` of the active simulation. Everything that AWS describes as of
the resource is a field here; handlers turn them into API shapes (``shapes.py``).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from drills.simulator.postgres.interface import Archive, Image, Position, Server
from drills.simulator.rds.uses import Uses

Tags = dict[str, str]
AURORA = "aurora-postgresql"
POSTGRES = "postgres"
ENGINES = (POSTGRES, AURORA)


@dataclass(slots=True)
class Positions:
    """How far a server's log reached at which simulated time: from this a moment becomes a position."""

    _times: list[datetime] = field(default_factory=list)
    _positions: list[Position] = field(default_factory=list)

    def note(self, at: datetime, position: Position) -> None:
        """At the end of the simulated moment ``at`` the log reached ``position``."""
        if self._times and self._times[-1] == at:
            self._positions[-1] = position
        elif not self._positions or self._positions[-1] != position:
            self._times.append(at)
            self._positions.append(position)

    def at(self, moment: datetime) -> Position | None:
        """The newest position noted at or before the moment; None before the first."""
        found = bisect_right(self._times, moment)
        return self._positions[found - 1] if found else None


@dataclass(slots=True)
class Volume:
    """What holds the rows of one instance or one Aurora cluster: a server and the history of its positions.

    ``server`` is None once the volume is gone; images and the archive may be kept by snapshots and automated backups.
    """

    server: Server | None
    positions: Positions
    began: datetime


@dataclass(slots=True)
class Held:
    """What an instance and a cluster have in common. ``status`` is AWS's word for the state."""

    account: str
    region: str
    identifier: str
    resource_id: str
    engine: str
    engine_version: str
    master_username: str
    database_name: str | None
    created: datetime
    status: str
    volume: Volume | None
    kms_key_id: str | None = None
    """ARN of the key the storage is encrypted with; None: not encrypted."""
    backup_retention_days: int = 1
    deletion_protection: bool = False
    copy_tags_to_snapshot: bool = False
    iam_authentication: bool = False
    parameter_group: str = ""
    security_groups: list[str] = field(default_factory=list)
    subnet_group: str | None = None
    preferred_backup_window: str = ""
    tags: Tags = field(default_factory=dict)
    role_arns: dict[str, str] = field(default_factory=dict)
    """Associated IAM roles by feature name."""
    master_secret_arn: str | None = None
    full_speed_at: datetime | None = None
    """Until then what was restored is still loaded lazily."""
    preferred_maintenance_window: str = ""
    availability_zone: str = ""
    network_type: str = "IPV4"
    auto_minor_version_upgrade: bool = True
    master_secret_key: str | None = None
    pending: dict[str, Any] = field(default_factory=dict)
    """PendingModifiedValues, in the API's words."""
    applied_parameters: dict[str, str] = field(default_factory=dict)
    """What the server runs with of its parameter group."""
    parameter_status: str = "in-sync"
    """ParameterApplyStatus: ``in-sync`` or ``pending-reboot``."""
    waiting_parameters: dict[str, str] = field(default_factory=dict)
    """What the group says and the server does not run with before a reboot."""
    been_available: bool = False
    started_by_itself_at: datetime | None = None
    """When AWS starts again what was stopped: after seven days."""


@dataclass(slots=True)
class Instance(Held):
    """A DB instance. A member of an Aurora cluster has no volume of its own: ``cluster`` names it."""

    instance_class: str = ""
    allocated_gb: int = 20
    storage_type: str = "gp3"
    option_group: str = ""
    multi_az: bool = False
    publicly_accessible: bool = False
    max_allocated_gb: int | None = None
    iops: int | None = None
    throughput: int | None = None
    ca_certificate: str = "rds-ca-rsa2048-g1"
    monitoring_interval_seconds: int = 0
    monitoring_role_arn: str | None = None
    logs_exported: list[str] = field(default_factory=list)
    cluster: str | None = None
    promotion_tier: int = 1
    replica_of: str | None = None
    """ARN of the source instance of a read replica."""
    replicas: list[str] = field(default_factory=list)
    """ARNs of its read replicas."""
    replica_status: str | None = None
    """Of a read replica: ``replicating``, or ``terminated`` when its source is gone."""

    @property
    def arn(self) -> str:
        return f"arn:aws:rds:{self.region}:{self.account}:db:{self.identifier}"


@dataclass(slots=True)
class Cluster(Held):
    """An Aurora DB cluster. ``members`` are instance identifiers, the writer first."""

    members: list[str] = field(default_factory=list)
    global_cluster: str | None = None
    global_role: Literal["primary", "secondary"] | None = None

    @property
    def arn(self) -> str:
        return f"arn:aws:rds:{self.region}:{self.account}:cluster:{self.identifier}"


@dataclass(slots=True)
class Snapshot:
    """A DB snapshot (``of="db"``) or DB cluster snapshot (``of="cluster"``), manual or automated.

    ``image`` is None until the snapshot has become available, and for good when it failed. ``source`` holds the
    settings of what it was taken of; they do not drift.
    """

    account: str
    region: str
    identifier: str
    of: Literal["db", "cluster"]
    kind: Literal["manual", "automated"]
    source: Held
    source_identifier: str
    status: str
    created: datetime
    """SnapshotCreateTime: of this snapshot or copy."""
    as_of: datetime
    """OriginalSnapshotCreateTime: when the rows were as they are in it."""
    image: Image | None = None
    began: datetime | None = None
    """When it was begun to be taken or copied; None while a copy waits for its turn."""
    seconds: float = 0.0
    """How long taking or copying it takes."""
    kms_key_id: str | None = None
    option_group: str | None = None
    copied_from: str | None = None
    """ARN of the snapshot it is a copy of."""
    shared_with: list[str] = field(default_factory=list)
    """Account ids, or ``all``."""
    tags: Tags = field(default_factory=dict)

    @property
    def arn(self) -> str:
        word = "snapshot" if self.of == "db" else "cluster-snapshot"
        return f"arn:aws:rds:{self.region}:{self.account}:{word}:{self.identifier}"


@dataclass(slots=True)
class Line:
    """What one server wrote, from its beginning to when another took its place: images, and the log between them."""

    archive: Archive
    positions: Positions
    images: list[tuple[datetime, Image]] = field(default_factory=list)
    until: datetime | None = None
    """When it stopped being backed up, where that was before the next line began."""


@dataclass(slots=True)
class AutomatedBackup:
    """The images and the log of one volume, from which any second of its window can be restored.

    ``status``: ``active`` with its source, ``retained`` after it, ``replicating`` in another region.
    """

    account: str
    region: str
    source: Held
    of: Literal["db", "cluster"]
    status: str
    archive: Archive
    positions: Positions
    images: list[tuple[datetime, Image]] = field(default_factory=list)
    retention_days: int = 1
    ended: datetime | None = None
    """When the source was deleted, or could no longer be reached."""
    kms_key_id: str | None = None
    replicated_from: str | None = None
    """ARN of the source instance where this is a replica of another region's."""
    arn: str = ""
    lag_seconds: float = 0.0
    """How long after the source a replica has what was logged."""
    cut: datetime | None = None
    """Since when a replica hears nothing from its source, or a former primary follows another."""
    earlier: list[Line] = field(default_factory=list)
    """Of servers whose place another has taken, such as the writer's before a failover; oldest first."""
    reached: Position | None = None
    """How far the log reached when the newest image had been taken."""


@dataclass(frozen=True, slots=True)
class Failover:
    """A change of a global cluster's primary that is under way. ``status``: ``failing-over`` or ``switching-over``."""

    status: str
    from_arn: str
    to_arn: str
    data_loss_allowed: bool


@dataclass(slots=True)
class GlobalCluster:
    """An Aurora global database: lives in its account, whatever the region. ``members`` are cluster ARNs, the primary
    first."""

    account: str
    identifier: str
    resource_id: str
    engine: str
    engine_version: str
    status: str
    database_name: str | None = None
    deletion_protection: bool = False
    storage_encrypted: bool = False
    members: list[str] = field(default_factory=list)
    failover: Failover | None = None
    resyncing: set[str] = field(default_factory=set)
    """ARNs of members that still have to be made anew from a new primary."""
    unsaved: set[str] = field(default_factory=set)
    """ARNs of former primaries whose rows go into a snapshot before they are made anew."""
    tags: Tags = field(default_factory=dict)

    @property
    def arn(self) -> str:
        return f"arn:aws:rds::{self.account}:global-cluster:{self.identifier}"


@dataclass(frozen=True, slots=True)
class Event:
    """What RDS tells of an instance or a cluster. ``identifier`` and ``arn`` are those it had then."""

    account: str
    region: str
    at: datetime
    source_type: str
    identifier: str
    arn: str
    category: str
    message: str


@dataclass(slots=True)
class Region:
    """All that one account has in one region, by identifier."""

    account: str
    region: str
    instances: dict[str, Instance] = field(default_factory=dict)
    clusters: dict[str, Cluster] = field(default_factory=dict)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    cluster_snapshots: dict[str, Snapshot] = field(default_factory=dict)
    automated: dict[str, AutomatedBackup] = field(default_factory=dict)
    """By the DbiResourceId or DbClusterResourceId of the source."""


@dataclass(slots=True)
class Databases:
    """All databases of one simulated AWS. Observers are told after the fact, in the order of registration."""

    regions: dict[tuple[str, str], Region] = field(default_factory=dict)
    global_clusters: dict[tuple[str, str], GlobalCluster] = field(default_factory=dict)
    """By account and identifier."""
    events: list[Event] = field(default_factory=list)
    """Of all accounts and regions, oldest first."""
    on_serving: list[Callable[[Held], None]] = field(default_factory=list)
    """Told when a server takes its first connection: before the first backing-up, and so before ``on_available``."""
    on_available: list[Callable[[Held], None]] = field(default_factory=list)
    """Told when an instance or cluster with a volume of its own has become available the first time."""
    on_deleting: list[Callable[[Held, bool], None]] = field(default_factory=list)
    """Told just before a volume goes, while its server runs; the flag: whether automated backups are deleted too."""
    on_backed_up: list[Callable[[AutomatedBackup], None]] = field(default_factory=list)
    """Told when an automated backup has one image more."""
    on_new_line: list[Callable[[Held], None]] = field(default_factory=list)
    """Told when another server has taken the place of its former one: promoted, or failed over to."""
    on_modified: list[Callable[[Held], None]] = field(default_factory=list)
    on_renamed: list[Callable[[Held, str], None]] = field(default_factory=list)
    """Told with the ARN it had before."""

    reader_server: Callable[[Cluster, Instance], Server | None] | None = None
    """Makes the server of a reader of an Aurora cluster; None when the cluster cannot be followed."""
    final_snapshot: Callable[[Held, str, Tags], Snapshot] | None = None
    """Takes a manual snapshot of what is about to go or to stop; its name has been checked by then."""
    on_new_writer: list[Callable[[Cluster], None]] = field(default_factory=list)
    """Told when a reader has become the writer as the former one is being deleted."""
    uses: Uses = field(default_factory=Uses)
    markers: dict[str, frozenset[str]] = field(default_factory=dict)
    """By the marker that a Describe call answered with: what has been shown by then."""
    failing_copies: list[Callable[[Snapshot], bool]] = field(default_factory=list)
    """Asked as a copy of a snapshot ends: one that says so makes it fail, as copies on AWS do now and then."""

    def of(self, account: str, region: str) -> Region:
        key = (account, region)
        if key not in self.regions:
            self.regions[key] = Region(account, region)
        return self.regions[key]
