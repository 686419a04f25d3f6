"""Parameters of groups on the servers that use them: dynamic ones at once, static ones with the next reboot.

Source: RDS user guide, Parameter groups for Amazon RDS; PostgreSQL documentation, pg_settings. moto keeps the groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from moto.rds.models import rds_backends

from drills.errors import EngineError
from drills.simulator.postgres import programs
from drills.simulator.postgres.interface import Server
from drills.simulator.postgres.known import Known as Known
from drills.simulator.postgres.known import known as known_to
from drills.simulator.rds import data_plane, failing
from drills.simulator.rds.calls import Call, Refused
from drills.simulator.rds.model import Cluster, Held, Instance

_STATIC = """
    autovacuum_freeze_max_age autovacuum_max_workers autovacuum_multixact_freeze_max_age autovacuum_worker_slots
    huge_pages io_max_combine_limit io_max_concurrency io_method jit_provider max_active_replication_origins
    max_connections max_files_per_process max_locks_per_transaction max_logical_replication_workers
    max_pred_locks_per_transaction max_prepared_transactions max_replication_slots max_wal_senders
    max_worker_processes min_dynamic_shared_memory multixact_member_buffers multixact_offset_buffers notify_buffers
    old_snapshot_threshold pg_stat_statements.max rds.logical_replication serializable_buffers shared_buffers
    shared_memory_type shared_preload_libraries subtransaction_buffers superuser_reserved_connections
    track_activity_query_size track_commit_timestamp transaction_buffers wal_buffers wal_decode_buffer_size
"""
STATIC = frozenset(_STATIC.split())
"""Those that a server takes only at its start."""
_NOT_MODIFIABLE = """
    allow_system_table_mods archive_cleanup_command archive_command archive_library archive_mode bonjour
    cluster_name config_file data_directory data_sync_retry external_pid_file fsync full_page_writes hba_file
    hot_standby ident_file listen_addresses log_directory logging_collector port primary_conninfo primary_slot_name
    recovery_target recovery_target_lsn recovery_target_time restore_command ssl_ca_file ssl_cert_file ssl_key_file
    unix_socket_directories wal_level wal_segment_size wal_sync_method
"""
NOT_MODIFIABLE = frozenset(_NOT_MODIFIABLE.split())
"""AWS keeps these to itself."""
OF_AWS_ONLY = ("rds.", "apg_", "aurora", "babelfish", "pgaudit.", "pg_hint_plan.", "cron.", "auto_explain.")
"""Parameters of what the server at hand does not have; the group keeps them."""
LIBRARIES = frozenset({"auto_explain", "pg_prewarm", "pg_stat_statements"})
_OF_OTHER_VERSIONS = """
    autovacuum_worker_slots db_user_namespace force_parallel_mode io_max_combine_limit io_max_concurrency io_method
    old_snapshot_threshold promote_trigger_file stats_temp_directory vacuum_cleanup_index_scale_factor
    vacuum_defer_cleanup_age wal_keep_segments
"""
OF_OTHER_VERSIONS = frozenset(_OF_OTHER_VERSIONS.split())
"""Parameters that some version has of those that a group may be for, and the server at hand perhaps not."""
AT_START = frozenset({"postmaster", "internal"})
"""Contexts of parameters that a server takes only at its start."""
DATA_TYPES = {"BOOLEAN": "boolean", "INTEGER": "integer", "REAL": "float", "STRING": "string", "ENUM": "list"}
MOST_AT_ONCE = 20


def of_group(held: Held) -> dict[str, str]:
    """What the parameter group says that the server can be told."""
    backend = rds_backends[held.account][held.region]
    groups = backend.db_cluster_parameter_groups if isinstance(held, Cluster) else backend.db_parameter_groups
    group = groups.get(held.parameter_group)
    return _told({} if group is None else {name: one.get("ParameterValue") for name, one in group.parameters.items()})


def _told(parameters: Mapping[str, Any]) -> dict[str, str]:
    told = {}
    for name, value in parameters.items():
        # A formula such as {DBInstanceClassMemory/32768} is about the instance class, which is not this machine.
        if value is None or "{" in str(value) or name.startswith(OF_AWS_ONLY):
            continue
        if name == "shared_preload_libraries":
            value = ",".join(one for part in str(value).split(",") if (one := part.strip()) in LIBRARIES)
            if not value:
                continue
        told[name] = str(value)
    return told


def apply_all(held: Held) -> bool:
    """Let the server run with all that the group says, as after a reboot. False where it cannot: its state, or that of
    the cluster's writer, is ``incompatible-parameters`` then.

    The server is started again where it has to be. What it had before is what it starts with the next time.
    """
    server = held.volume.server if held.volume is not None else None
    wanted = of_group(held)
    held.waiting_parameters.clear()
    held.parameter_status = "in-sync"
    if server is None or wanted == held.applied_parameters:
        return True
    given_back = held.applied_parameters.keys() - wanted.keys()
    if not server.running and not failing.attempt(held, server.start):
        return False
    try:
        if server.set_parameters(wanted) or given_back & STATIC:
            server.stop()
            server.start()
    except failing.TROUBLE as error:
        _incompatible(held, server, error)
        return False
    held.applied_parameters = wanted
    return True


def _incompatible(held: Held, server: Server, why: Exception) -> None:
    """It is the group's fault if the server starts without what it says."""
    held.parameter_status = "pending-reboot"

    def start_as_before() -> None:
        server.undo_parameters()
        server.start()

    if not failing.attempt(held, start_as_before):
        return
    writer = data_plane.writer_of(held) if isinstance(held, Cluster) else held
    if writer is not None:
        failing.fail(writer, failing.INCOMPATIBLE_PARAMETERS, str(why))
    data_plane.settle(held)


def known() -> Mapping[str, Known]:
    """Those of the PostgreSQL at hand, by name; none where there is no PostgreSQL."""
    try:
        return known_to(programs.find())
    except EngineError:
        return {}


def _check_known(name: str, value: Any) -> None:
    """Raises Refused for a parameter that no PostgreSQL on AWS has, and for a number that it does not take."""
    there = known()
    elsewhere = "." in name or name.startswith(OF_AWS_ONLY) or name in STATIC | OF_OTHER_VERSIONS
    if there and name not in there and not elsewhere:
        raise Refused("InvalidParameterValue", f"Could not find parameter with name: {name}")
    one = there.get(name)
    if one is not None and one.kind in ("INTEGER", "REAL") and value is not None and "{" not in str(value):
        _check_number(one, str(value))


def _check_number(one: Known, value: str) -> None:
    """Groups take numbers without units, in the parameter's own."""
    try:
        good = float(one.least) <= float(value) <= float(one.most)
    except ValueError:
        good = False
    if not good:
        raise Refused(
            "InvalidParameterValue",
            f"Invalid parameter value: {value} for: {one.name} allowed values are: {one.least}-{one.most}",
        )


def check(parameters: list[Mapping[str, Any]]) -> None:
    """Raises Refused for what the API refuses of a change of parameters."""
    if not parameters:
        raise Refused("InvalidParameterValue", "The parameter Parameters must be provided and must not be blank.")
    if len(parameters) > MOST_AT_ONCE:
        raise Refused("InvalidParameterValue", f"At most {MOST_AT_ONCE} parameters can be modified in one request.")
    for one in parameters:
        name, method = str(one.get("ParameterName", "")), one.get("ApplyMethod")
        if name in NOT_MODIFIABLE:
            raise Refused("InvalidParameterValue", f"The parameter {name} cannot be modified.")
        _check_known(name, one.get("ParameterValue"))
        if method not in ("immediate", "pending-reboot"):
            raise Refused("InvalidParameterValue", f"Invalid apply method {method} for parameter {name}.")
        if method == "immediate" and name in STATIC:
            raise Refused(
                "InvalidParameterCombination", f"cannot use immediate apply method for static parameter: {name}"
            )


def changed(held: Held, values: Mapping[str, str | None], now: frozenset[str]) -> None:
    """The group's values of these parameters have changed, None: back to the default. Those in ``now`` take effect.

    Raises Refused for a value that the server does not take.
    """
    at_once = {name: value for name, value in values.items() if name in now}
    server = held.volume.server if held.volume is not None else None
    if server is not None and server.running and at_once:
        wanted = {name: value for name, value in held.applied_parameters.items() if name not in at_once}
        wanted |= _told(at_once)
        try:
            server.set_parameters(wanted)
        except EngineError as error:
            raise Refused(
                "InvalidParameterValue", f"Invalid parameter value for {', '.join(at_once)}: {error}"
            ) from error
        held.applied_parameters = wanted
    if len(at_once) < len(values):
        held.parameter_status = "pending-reboot"


def users_of(call: Call, group: str, *, of_clusters: bool) -> Iterator[Instance | Cluster]:
    """Instances, or clusters, of the caller's account and region that use the parameter group."""
    for held in data_plane.everything():
        here = (held.account, held.region) == (call.account, call.region)
        if here and held.parameter_group == group and isinstance(held, Cluster) == of_clusters:
            yield held
