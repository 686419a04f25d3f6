"""What is declared missing is missing. The day that one of these fails, the declaration has become untrue."""

from __future__ import annotations

import json
from typing import Any

import boto3
import psycopg
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from drills.simulator import SimulatedAWS
from tests.simulator.policies import (
    ONE,
    REGION,
    TWO,
    allow,
    assumed,
    code_of,
    deny,
    document,
    role,
)


def test_signatures_are_not_verified(simulated_aws: SimulatedAWS) -> None:
    assert "accounts.signatures" in simulated_aws.missing
    unsigned = boto3.client("s3", region_name="us-east-1", config=Config(signature_version=UNSIGNED))
    unsigned.create_bucket(Bucket="drills")
    mine = simulated_aws.session(ONE).get_credentials()
    assert mine is not None
    forged = boto3.client("sts", aws_access_key_id=mine.access_key, aws_secret_access_key="wrong")
    assert forged.get_caller_identity()["Account"] == ONE


def test_policies_of_an_organization_are_not_judged(simulated_aws: SimulatedAWS) -> None:
    assert "iam.organization_policies" in simulated_aws.missing
    organizations = simulated_aws.session(ONE).client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    made = organizations.create_account(Email="a@example.com", AccountName="vault")["CreateAccountStatus"]
    policy = organizations.create_policy(
        Content=document(deny("*")), Description="nothing", Name="nothing", Type="SERVICE_CONTROL_POLICY"
    )["Policy"]["PolicySummary"]["Id"]
    organizations.attach_policy(PolicyId=policy, TargetId=made["AccountId"])
    simulated_aws.session(made["AccountId"], REGION).client("dynamodb").list_tables()


def test_policies_that_aws_provides_are_not_there(simulated_aws: SimulatedAWS) -> None:
    assert "iam.aws_managed_policies" in simulated_aws.missing
    role(simulated_aws, "worker")
    iam = simulated_aws.session(ONE).client("iam")
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    assert code_of(iam.attach_role_policy, RoleName="worker", PolicyArn=arn) == "NoSuchEntity"


def test_a_role_made_again_is_trusted_again(simulated_aws: SimulatedAWS) -> None:
    assert "iam.principal_ids" in simulated_aws.missing
    statement = allow("sts:AssumeRole")
    first = role(simulated_aws, "caller", statement)
    target = role(simulated_aws, "target", account=TWO, trusts=first)
    iam = simulated_aws.session(ONE).client("iam")
    iam.delete_role_policy(RoleName="caller", PolicyName="all")
    iam.delete_role(RoleName="caller")
    again = assumed(simulated_aws.session(ONE), role(simulated_aws, "caller", statement))
    assert assumed(again, target).client("sts").get_caller_identity()["Account"] == TWO


@pytest.mark.parametrize(
    ("missing", "engine"),
    [
        ("rds.mysql", "mysql"),
        ("rds.mysql", "aurora-mysql"),
        ("rds.mariadb", "mariadb"),
        ("rds.oracle", "oracle-ee"),
        ("rds.oracle", "db2-se"),
        ("rds.sqlserver", "sqlserver-ex"),
    ],
)
def test_engines_without_a_server_are_refused(simulated_aws: SimulatedAWS, missing: str, engine: str) -> None:
    assert missing in simulated_aws.missing
    rds = simulated_aws.session(ONE, REGION).client("rds")
    given: Any = {"DBInstanceIdentifier": "app", "DBInstanceClass": "db.t3.micro", "Engine": engine}
    assert code_of(rds.create_db_instance, **given) == "InvalidParameterValue"
    assert rds.describe_db_instances()["DBInstances"] == []


def test_settings_of_databases_that_have_no_effect_are_kept(simulated_aws: SimulatedAWS) -> None:
    assert {"rds.iam_authentication", "rds.network", "rds.multi_az", "rds.versions"} <= simulated_aws.missing.keys()
    rds = simulated_aws.session(ONE, REGION).client("rds")
    made = rds.create_db_instance(
        DBInstanceIdentifier="app",
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        EngineVersion="15.8",
        AllocatedStorage=20,
        MasterUsername="boss",
        MasterUserPassword="password1",
        BackupRetentionPeriod=0,
        EnableIAMDatabaseAuthentication=True,
        PubliclyAccessible=False,
        MultiAZ=True,
    )["DBInstance"]
    assert (made["EngineVersion"], made["MultiAZ"], made["IAMDatabaseAuthenticationEnabled"]) == ("15.8", True, True)
    rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier="app")
    endpoint = rds.describe_db_instances()["DBInstances"][0]["Endpoint"]
    with psycopg.connect(
        host=endpoint["Address"], port=endpoint["Port"], user="boss", password="password1", dbname="postgres"
    ) as connection:
        version, now = connection.execute("SELECT current_setting('server_version_num')::int, now()").fetchall()[0]
    assert version >= 160_000  # Whatever was asked for.
    assert "rds.server_time" in simulated_aws.missing
    assert abs((now - simulated_aws.clock.now()).days) > 0


def test_partiql_does_not_find_number_keys_and_tables_are_there_at_once(simulated_aws: SimulatedAWS) -> None:
    assert {"dynamodb.partiql", "dynamodb.transitions", "dynamodb.metrics"} <= simulated_aws.missing.keys()
    session = simulated_aws.session(ONE, REGION)
    dynamodb = session.client("dynamodb")
    made = dynamodb.create_table(
        TableName="numbers",
        KeySchema=[{"AttributeName": "n", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "n", "AttributeType": "N"}],
        BillingMode="PAY_PER_REQUEST",
    )
    assert made["TableDescription"]["TableStatus"] == "ACTIVE"
    for version in (1, 2):
        dynamodb.execute_statement(Statement=f"INSERT INTO \"numbers\" VALUE {{'n': 5, 'version': {version}}}")
    assert dynamodb.get_item(TableName="numbers", Key={"n": {"N": "5"}})["Item"]["version"] == {"N": "2"}
    assert dynamodb.execute_statement(Statement='SELECT * FROM "numbers" WHERE n = 5')["Items"] == []
    assert session.client("cloudwatch").list_metrics(Namespace="AWS/DynamoDB")["Metrics"] == []


def test_a_role_of_a_service_is_judged_with_its_conditions(simulated_aws: SimulatedAWS) -> None:
    lambdas = simulated_aws.session(ONE, REGION).client("lambda")

    def made_with(name: str, account: str) -> str:
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": account}},
        }
        arn = role(simulated_aws, name, trusts=statement)
        code = {"ZipFile": _zipped()}
        function: Any = {
            "FunctionName": name,
            "Runtime": "python3.12",
            "Handler": "f.handler",
            "Role": arn,
            "Code": code,
        }
        return code_of(lambdas.create_function, **function)

    assert made_with("ours", ONE) == ""
    assert made_with("theirs", TWO) == "InvalidParameterValueException"


def _zipped() -> bytes:
    import io
    import zipfile

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("f.py", f"def handler(event, context): return {json.dumps('done')}")
    return content.getvalue()


def test_live_copies_of_databases_have_no_backups_of_their_own(simulated_aws: SimulatedAWS) -> None:
    """What a replica has after its promotion, tests/simulator/rds/test_replicas.py tells."""
    assert {"rds.replica_backups", "rds.global_databases"} <= simulated_aws.missing.keys()
    rds = boto3.client("rds", "eu-west-1")
    rds.create_global_cluster(GlobalClusterIdentifier="world", Engine="aurora-postgresql")
    with pytest.raises(ClientError, match="does not upgrade"):
        rds.modify_global_cluster(GlobalClusterIdentifier="world", EngineVersion="18.1")
    assert "Endpoint" not in rds.describe_global_clusters()["GlobalClusters"][0]
