"""A new database as an estate describes it: parameter group, key, instance or cluster, secret, and the schema in it."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from drills.errors import ProtectionError
from drills.model import Location
from drills.site import Site
from drills.stores import rds_sql as sql
from drills.stores.rds_application import renew_login
from drills.stores.rds_config import DatabaseConfig
from drills.stores.rds_groups import family_of, put_group
from drills.stores.rds_instances import CREATED_SECONDS, client, label, tag_list, wait_available
from drills.stores.rds_secret import MASTER, keep_secret, new_password
from drills.stores.rds_sessions import changing, driver, kept


def make_database(site: Site, at: Location) -> None:
    """Make it and wait until it can be used. Raises ProtectionError for a taken name or a refused schema."""
    config: DatabaseConfig = site.store.config
    password = new_password()
    common: dict[str, Any] = {
        "Engine": config.engine,
        "EngineVersion": config.engine_version,
        "MasterUsername": MASTER,
        "MasterUserPassword": password,
        "BackupRetentionPeriod": config.backup_retention,
        "DeletionProtection": config.deletion_protection,
        "CopyTagsToSnapshot": True,
        "StorageEncrypted": config.encrypted,
        "Tags": tag_list({**config.tags, **site.tags}),
    }
    if config.customer_key:
        common["KmsKeyId"] = config.customer_key if isinstance(config.customer_key, str) else make_key(site, at)
    group = put_group(site, at, family_of(config.engine, config.engine_version), config.parameters)
    try:
        (_create_cluster if config.is_aurora else _create_instance)(site, at, common, group)
    except ClientError as error:
        if "AlreadyExists" not in error.response["Error"]["Code"]:
            raise
        raise ProtectionError(
            f"{label(site, at)}: expected the name to be free, found a database. It is left alone: if an earlier drill "
            "left it, delete it; else give the estate another name."
        ) from error
    wait_available(site, at, limit_seconds=CREATED_SECONDS)
    keep_secret(site, at, MASTER, password)
    migrate(site, at)
    renew_login(site, at)


def _create_instance(site: Site, at: Location, common: dict[str, Any], group: str) -> None:
    config: DatabaseConfig = site.store.config
    client(site, at).create_db_instance(
        DBInstanceIdentifier=at.name,
        DBInstanceClass=config.instance_class,
        AllocatedStorage=config.storage_gb,
        StorageType="gp3",
        MultiAZ=config.multi_az,
        DBName=config.database,
        DBParameterGroupName=group,
        PubliclyAccessible=False,
        **common,
    )


def _create_cluster(site: Site, at: Location, common: dict[str, Any], group: str) -> None:
    config: DatabaseConfig = site.store.config
    rds = client(site, at)
    rds.create_db_cluster(
        DBClusterIdentifier=at.name, DatabaseName=config.database, DBClusterParameterGroupName=group, **common
    )
    rds.create_db_instance(
        DBInstanceIdentifier=writer_name(at),
        DBClusterIdentifier=at.name,
        DBInstanceClass=config.instance_class,
        Engine=config.engine,
        PubliclyAccessible=False,
        Tags=common["Tags"],
    )


def writer_name(at: Location) -> str:
    """What the first instance of a cluster is called."""
    return f"{at.name}-1"


def make_key(site: Site, at: Location) -> str:
    """The ARN of a new customer key for the database there, with an alias of its name."""
    kms = site.client("kms", at.role, at.region)
    tags = [{"TagKey": key, "TagValue": value} for key, value in site.tags.items()]
    made = kms.create_key(Description=f"Storage of {at.name}", Tags=tags)["KeyMetadata"]
    kms.create_alias(AliasName=f"alias/{at.name}", TargetKeyId=made["KeyId"])
    return str(made["Arn"])


# --- The schema ------------------------------------------------------------------------------------------------------


def migrate(site: Site, at: Location) -> None:
    """Run the estate's schema in one go, and see that its tables are what the estate says of them."""
    config: DatabaseConfig = site.store.config
    try:
        with changing(site, at, "the schema"):
            connection = kept(site, at)
            connection.execute(config.db_schema)
            if config.application is not None:
                # Since PostgreSQL 16 whoever makes a role may administer it, and no more.
                connection.execute(f'GRANT "{config.application}" TO CURRENT_USER')
    except driver().Error as error:
        raise ProtectionError(
            f"store {site.store.name!r}: expected its schema to run on an empty {config.engine}, and the server "
            f"refused: {str(error).strip()}. {_remedy(error)}"
        ) from error
    for table in config.tables:
        _check_types(site, at, table)


def _remedy(error: Exception) -> str:
    """What the server does not bring along need not be wrong."""
    if isinstance(error, driver().errors.FeatureNotSupported):
        return (
            "Correct 'schema' in the estate, or, where the database is a simulated one, set PGBIN to the programs of a "
            "PostgreSQL that has it."
        )
    return "Correct 'schema' in the estate."


def _check_types(site: Site, at: Location, table: str) -> None:
    """Raises ProtectionError naming the first column that is not of the type that the estate says."""
    config: DatabaseConfig = site.store.config
    connection = kept(site, at)
    there, said = sql.declared(config, table)
    try:
        found, wanted = (_types(connection.execute(query)) for query in (there, said))
    except driver().Error as error:
        raise ProtectionError(
            f"store {site.store.name!r}: expected the schema to make table {table!r} with the columns that 'tables' "
            f"names, and it does not: {str(error).strip()}. Correct 'schema' or 'tables' in the estate."
        ) from error
    for name, real, told in zip(sql.columns_of(config, table), found, wanted, strict=True):
        if real != told:
            texts = [
                connection.execute("SELECT format_type(%s::oid, %s::int)", list(one)).fetchone() or [""]
                for one in (real, told)
            ]
            raise ProtectionError(
                f"store {site.store.name!r}: expected column {name!r} of table {table!r} to be of type {texts[1][0]}, "
                f"as 'tables' says, found {texts[0][0]} in the schema. Correct one of them."
            )


def _types(cursor: Any) -> list[tuple[int, int]]:
    """The type and its modifier of every column of a result."""
    result = cursor.pgresult
    return [(result.ftype(column), result.fmod(column)) for column in range(result.nfields)]
