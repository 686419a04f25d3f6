"""Option and subnet groups of databases, through plain boto3 clients."""

from __future__ import annotations

from typing import Any

from drills.simulator import SimulatedAWS
from tests.simulator.rds.databases import ONE, PASSWORD, REGION, USER, World, refused


def asked(name: str, **more: Any) -> dict[str, Any]:
    return {
        "DBInstanceIdentifier": name,
        "DBInstanceClass": "db.t3.micro",
        "Engine": "postgres",
        "AllocatedStorage": 20,
        "MasterUsername": USER,
        "MasterUserPassword": PASSWORD,
        **more,
    }


def test_an_option_group_of_a_new_version_is_made_used_and_stays_while_it_is(simulated_aws: SimulatedAWS) -> None:
    rds = World(simulated_aws).rds()
    group: dict[str, Any] = {"EngineName": "postgres", "MajorEngineVersion": "17", "OptionGroupDescription": "x"}
    made = rds.create_option_group(OptionGroupName="Opts", Tags=[{"Key": "a", "Value": "b"}], **group)["OptionGroup"]
    assert (made["OptionGroupName"], made["MajorEngineVersion"]) == ("opts", "17")
    assert made["OptionGroupArn"] == f"arn:aws:rds:{REGION}:{ONE}:og:opts"
    assert rds.list_tags_for_resource(ResourceName=made["OptionGroupArn"])["TagList"] == [{"Key": "a", "Value": "b"}]
    with refused("OptionGroupAlreadyExistsFault"):
        rds.create_option_group(OptionGroupName="opts", **group)
    rds.create_db_instance(**asked("app", OptionGroupName="opts"))
    with refused("InvalidOptionGroupStateFault", "app"):
        rds.delete_option_group(OptionGroupName="opts")
    with refused("InvalidParameterCombination", "opts"):
        rds.create_db_instance(**asked("old", OptionGroupName="opts", EngineVersion="16.4"))
    rds.delete_db_instance(DBInstanceIdentifier="app", SkipFinalSnapshot=True)
    simulated_aws.clock.sleep(600)
    rds.delete_option_group(OptionGroupName="opts")
    with refused("OptionGroupNotFoundFault"):
        rds.create_db_instance(**asked("app", OptionGroupName="opts"))


def test_a_subnet_group_is_shown_and_stays_while_it_is_used(simulated_aws: SimulatedAWS) -> None:
    session = simulated_aws.session(ONE, REGION)
    rds, ec2 = session.client("rds"), session.client("ec2")
    subnets = [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"]][:2]
    rds.create_db_subnet_group(
        DBSubnetGroupName="inner", DBSubnetGroupDescription="without a way out", SubnetIds=subnets
    )
    made = rds.create_db_instance(**asked("app", DBSubnetGroupName="Inner"))["DBInstance"]["DBSubnetGroup"]
    assert (made["DBSubnetGroupName"], made["DBSubnetGroupDescription"]) == ("inner", "without a way out")
    assert [one["SubnetIdentifier"] for one in made["Subnets"]] == subnets
    with refused("InvalidDBSubnetGroupStateFault"):
        rds.delete_db_subnet_group(DBSubnetGroupName="inner")
    rds.delete_db_instance(DBInstanceIdentifier="app", SkipFinalSnapshot=True)
    simulated_aws.clock.sleep(600)
    rds.delete_db_subnet_group(DBSubnetGroupName="inner")


def test_security_groups_are_shown_and_changed(simulated_aws: SimulatedAWS) -> None:
    session = simulated_aws.session(ONE, REGION)
    rds, ec2 = session.client("rds"), session.client("ec2")
    group = ec2.create_security_group(GroupName="app", Description="x")["GroupId"]
    made = rds.create_db_instance(**asked("app"))["DBInstance"]["VpcSecurityGroups"]
    assert [one["Status"] for one in made] == ["active"]
    simulated_aws.clock.sleep(1200)
    given: Any = {"EnableLogTypes": ["postgresql", "upgrade"]}
    rds.modify_db_instance(
        DBInstanceIdentifier="app", VpcSecurityGroupIds=[group], CloudwatchLogsExportConfiguration=given
    )
    rds.modify_db_instance(
        DBInstanceIdentifier="app", CloudwatchLogsExportConfiguration={"DisableLogTypes": ["upgrade"]}
    )
    found = rds.describe_db_instances()["DBInstances"][0]
    assert found["VpcSecurityGroups"] == [{"VpcSecurityGroupId": group, "Status": "active"}]
    assert found["EnabledCloudwatchLogsExports"] == ["postgresql"]


def test_all_option_groups_are_listed(simulated_aws: SimulatedAWS) -> None:
    """moto fails at a list of them all."""
    rds = simulated_aws.session("111111111111").client("rds", "eu-west-1")
    for name, engine, major in (("two", "mysql", "8.0"), ("one", "postgres", "17")):
        rds.create_option_group(
            OptionGroupName=name, EngineName=engine, MajorEngineVersion=major, OptionGroupDescription="of the test"
        )
    found = rds.describe_option_groups()["OptionGroupsList"]
    assert [(one["OptionGroupName"], one["EngineName"]) for one in found] == [("one", "postgres"), ("two", "mysql")]
    (only,) = rds.describe_option_groups(EngineName="mysql")["OptionGroupsList"]
    assert only["OptionGroupName"] == "two"
    (named,) = rds.describe_option_groups(OptionGroupName="one")["OptionGroupsList"]
    assert named["MajorEngineVersion"] == "17"
