"""How servers are set up: lean, on loopback, and so that nothing of their log is ever lost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

OPERATOR = "rdsadmin"
"""The superuser of each server. It can come in only by a socket in a directory that is closed to others."""
MASTERS = "rds_superuser"
"""The role of which master users are members: what a managed database gives instead of a superuser."""

LEAN = {
    "shared_buffers": "16MB",
    "max_connections": "40",
    "max_worker_processes": "4",
    "max_parallel_workers": "2",
    "max_logical_replication_workers": "0",
    "max_wal_size": "1GB",
    "min_wal_size": "2MB",
    "checkpoint_timeout": "1h",
    "wal_buffers": "512kB",
    "huge_pages": "off",
    "jit": "off",
    "track_io_timing": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
}
"""May be changed by ``set_parameters``; they lie in the configuration file."""

OWN = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_permissions": "0700",
    "wal_keep_size": "2147483647MB",
    "wal_recycle": "off",
    "wal_init_zero": "off",
    "wal_level": "replica",
    "archive_mode": "off",
    "fsync": "off",
    "full_page_writes": "on",
    "logging_collector": "off",
    "log_destination": "stderr",
    "wal_sender_timeout": "0",
    "wal_receiver_timeout": "0",
    "max_wal_senders": "4",
    "dynamic_shared_memory_type": "mmap",
    "hot_standby": "on",
    "hot_standby_feedback": "off",
    "wal_retrieve_retry_interval": "20ms",
    "max_standby_streaming_delay": "0",
    "recovery_target_timeline": "latest",
    "restart_after_crash": "off",
}
"""Given when a server starts and not open to change. fsync off: files outlive a server's processes, never the
machine. Shared memory in files: a server that is killed leaves none behind."""

RESERVED = frozenset(OWN) | {
    "port",
    "unix_socket_directories",
    "unix_socket_group",
    "data_directory",
    "config_file",
    "hba_file",
    "ident_file",
    "external_pid_file",
    "primary_conninfo",
    "primary_slot_name",
    "restore_command",
    "archive_command",
    "archive_library",
    "log_directory",
    "log_filename",
}


def configuration(version: int) -> str:
    """The content of ``postgresql.conf``."""
    chosen = dict(LEAN)
    if version >= 18:
        # Three processes less for each server.
        chosen["io_method"] = "sync"
    return "".join(f"{name} = '{value}'\n" for name, value in chosen.items())


ACCESS = f"""\
local all         {OPERATOR}              trust
local replication {OPERATOR}              trust
host  all         {OPERATOR} 127.0.0.1/32 reject
host  all         all        127.0.0.1/32 scram-sha-256
"""
"""The content of ``pg_hba.conf``."""


def initdb_arguments(version: int) -> Sequence[str]:
    localized = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if version >= 17 else []
    return [
        f"--username={OPERATOR}",
        "--wal-segsize=1",
        "--no-sync",
        "--encoding=UTF8",
        "--locale=C",
        "--auth-local=trust",
        "--auth-host=scram-sha-256",
        "--data-checksums",
        "--no-instructions",
        *localized,
    ]


def start_arguments(data: Path, port: int, sockets: Path, more: dict[str, str]) -> list[str]:
    arguments = ["-D", str(data)]
    for name, value in {**OWN, **more, "port": str(port), "unix_socket_directories": str(sockets)}.items():
        arguments += ["-c", f"{name}={value}"]
    return arguments


def roles(version: int) -> str:
    """What every new server has before its master user. One statement a line."""
    groups = ["pg_monitor", "pg_signal_backend", "pg_read_all_data", "pg_write_all_data"]
    if version >= 15:
        groups.append("pg_checkpoint")
    granted = "".join(f"GRANT {group} TO {MASTERS} WITH ADMIN OPTION;\n" for group in groups)
    if version >= 15:
        # On RDS members of rds_superuser may set it; older versions of PostgreSQL cannot grant that.
        granted += f"GRANT SET ON PARAMETER session_replication_role TO {MASTERS};\n"
    return f"CREATE ROLE {MASTERS} NOLOGIN;\n{granted}"
