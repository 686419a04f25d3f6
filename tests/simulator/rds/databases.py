"""Databases for tests of snapshots and backups, made and read through plain boto3 clients and psycopg."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError

from drills.simulator import SimulatedAWS
from tests.kept_clients import client_of

ONE, TWO, THREE = "111111111111", "222222222222", "333333333333"
REGION, OTHER = "eu-west-1", "eu-central-1"
USER, PASSWORD = "app", "a-long-password"


@dataclass(frozen=True)
class World:
    """One simulated AWS with what its tests do most."""

    aws: SimulatedAWS

    def rds(self, account: str = ONE, region: str = REGION) -> Any:
        return client_of(self.aws, account, "rds", region)

    def kms(self, account: str = ONE, region: str = REGION) -> Any:
        return client_of(self.aws, account, "kms", region)

    @property
    def now(self) -> datetime:
        return self.aws.clock.now()

    def pass_minutes(self, minutes: float) -> None:
        self.aws.clock.sleep(minutes * 60)

    def instance(self, name: str, account: str = ONE, region: str = REGION, **more: Any) -> None:
        """An available instance with one table, ``t``, of numbers."""
        wanted = {"BackupRetentionPeriod": 1, "Engine": "postgres", "DBInstanceClass": "db.t3.micro"} | more
        rds = self.rds(account, region)
        rds.create_db_instance(
            DBInstanceIdentifier=name,
            AllocatedStorage=20,
            MasterUsername=USER,
            MasterUserPassword=PASSWORD,
            DBName="shop",
            **wanted,
        )
        self.until_available(name, account, region)
        with self.connected(name, account, region) as connection:
            connection.execute("CREATE TABLE t (n int)")

    def cluster(self, name: str, account: str = ONE, region: str = REGION, **more: Any) -> None:
        """An available Aurora cluster with a writer and one table, ``t``, of numbers."""
        self.rds(account, region).create_db_cluster(
            DBClusterIdentifier=name,
            Engine="aurora-postgresql",
            MasterUsername=USER,
            MasterUserPassword=PASSWORD,
            DatabaseName="shop",
            **more,
        )
        self.writer(name, account, region)
        with self.connected(name, account, region) as connection:
            connection.execute("CREATE TABLE t (n int)")

    def writer(self, cluster: str, account: str = ONE, region: str = REGION) -> None:
        rds = self.rds(account, region)
        rds.create_db_instance(
            DBInstanceIdentifier=f"{cluster}-writer",
            DBClusterIdentifier=cluster,
            DBInstanceClass="db.r6g.large",
            Engine="aurora-postgresql",
        )
        self.until_available(f"{cluster}-writer", account, region)
        rds.get_waiter("db_cluster_available").wait(DBClusterIdentifier=cluster)

    def until_available(self, name: str, account: str = ONE, region: str = REGION) -> None:
        waiter = self.rds(account, region).get_waiter("db_instance_available")
        waiter.wait(DBInstanceIdentifier=name, WaiterConfig={"Delay": 30, "MaxAttempts": 500})

    @contextmanager
    def connected(self, name: str, account: str = ONE, region: str = REGION) -> Iterator[Any]:
        host, port = self.endpoint(name, account, region)
        with psycopg.connect(
            host=host, port=port, user=USER, password=PASSWORD, dbname="shop", autocommit=True
        ) as connection:
            yield connection

    def endpoint(self, name: str, account: str, region: str) -> tuple[str, int]:
        rds = self.rds(account, region)
        there = {one["DBClusterIdentifier"]: one for one in rds.describe_db_clusters()["DBClusters"]}
        if name in there:
            return there[name]["Endpoint"], there[name]["Port"]
        endpoint = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]["Endpoint"]
        return endpoint["Address"], endpoint["Port"]

    def write(self, name: str, number: int, account: str = ONE, region: str = REGION) -> None:
        with self.connected(name, account, region) as connection:
            connection.execute("INSERT INTO t VALUES (%s)", (number,))

    def rows(self, name: str, account: str = ONE, region: str = REGION) -> list[int]:
        with self.connected(name, account, region) as connection:
            return [row[0] for row in connection.execute("SELECT n FROM t ORDER BY n").fetchall()]

    def snapshot(self, name: str, identifier: str, account: str = ONE, region: str = REGION, **more: Any) -> str:
        """An available snapshot of an instance. Returns its ARN."""
        rds = self.rds(account, region)
        made = rds.create_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier=identifier, **more)
        self.until_there(identifier, account, region)
        self.until_available(name, account, region)
        return str(made["DBSnapshot"]["DBSnapshotArn"])

    def cluster_snapshot(self, name: str, identifier: str, account: str = ONE, region: str = REGION) -> str:
        rds = self.rds(account, region)
        made = rds.create_db_cluster_snapshot(DBClusterIdentifier=name, DBClusterSnapshotIdentifier=identifier)
        rds.get_waiter("db_cluster_snapshot_available").wait(DBClusterSnapshotIdentifier=identifier)
        rds.get_waiter("db_cluster_available").wait(DBClusterIdentifier=name)
        return str(made["DBClusterSnapshot"]["DBClusterSnapshotArn"])

    def until_there(self, identifier: str, account: str = ONE, region: str = REGION) -> None:
        waiter = self.rds(account, region).get_waiter("db_snapshot_available")
        waiter.wait(DBSnapshotIdentifier=identifier, WaiterConfig={"Delay": 30, "MaxAttempts": 500})

    def described(self, identifier: str, account: str = ONE, region: str = REGION) -> dict[str, Any]:
        found = self.rds(account, region).describe_db_snapshots(DBSnapshotIdentifier=identifier)["DBSnapshots"]
        return dict(found[0])

    def share(self, identifier: str, *accounts: str) -> None:
        self.rds().modify_db_snapshot_attribute(
            DBSnapshotIdentifier=identifier, AttributeName="restore", ValuesToAdd=list(accounts)
        )

    def key(self, account: str = ONE, region: str = REGION, **policy: Any) -> str:
        """A customer's key. ``policy``: statements by name, beside the account's own. Returns its ARN."""
        own = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "kms:*"}
        statements = [{**one, "Resource": "*"} for one in (own, *policy.values())]
        made = self.kms(account, region).create_key(
            Policy=json.dumps({"Version": "2012-10-17", "Statement": statements})
        )
        return str(made["KeyMetadata"]["Arn"])


def lets(account: str, *actions: str, effect: str = "Allow") -> dict[str, Any]:
    """A statement that lets an account use a key for these actions, by default all that RDS needs."""
    wanted = list(actions) or [
        "kms:DescribeKey",
        "kms:CreateGrant",
        "kms:Decrypt",
        "kms:Encrypt",
        "kms:GenerateDataKey*",
        "kms:ReEncrypt*",
    ]
    return {"Effect": effect, "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": wanted}


@contextmanager
def refused(code: str, words: str = "") -> Iterator[None]:
    """The call inside is refused with this code, and these words among the message's."""
    with pytest.raises(ClientError) as error:
        yield
    assert error.value.response["Error"]["Code"] == code
    assert words in error.value.response["Error"]["Message"]
