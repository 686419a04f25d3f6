"""Option and subnet groups of databases, through plain boto3 clients."""

from __future__ import annotations

from typing import Any

import pytest

from drills.simulator import SimulatedAWS
from tests.simulator.rds.databases import ONE, OTHER, PASSWORD, REGION, USER, World, refused


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


CREATED = {
    "db": ("create_db_parameter_group", "DBParameterGroupName", "postgres17"),
    "cluster": ("create_db_cluster_parameter_group", "DBClusterParameterGroupName", "aurora-postgresql17"),
}


@pytest.mark.parametrize("of", CREATED)
def test_a_parameter_group_says_what_it_sets_and_what_it_leaves(simulated_aws: SimulatedAWS, of: str) -> None:
    rds = World(simulated_aws).rds()
    create, named, family = CREATED[of]
    describe = getattr(rds, create.replace("create_", "describe_").replace("_group", "s"))
    described = getattr(rds, create.replace("create_", "describe_") + "s")
    pages = rds.get_paginator(create.replace("create_", "describe_").replace("_group", "s"))
    getattr(rds, create)(**{named: "Mine", "DBParameterGroupFamily": family, "Description": "x"})
    getattr(rds, create.replace("create_", "modify_"))(
        **{named: "mine"},
        Parameters=[
            {"ParameterName": "work_mem", "ParameterValue": "8192", "ApplyMethod": "immediate"},
            {"ParameterName": "max_connections", "ParameterValue": "77", "ApplyMethod": "pending-reboot"},
        ],
    )
    mine = describe(**{named: "mine", "Source": "user"})["Parameters"]
    told = [(one["ParameterName"], one["ParameterValue"], one["ApplyType"], one["ApplyMethod"]) for one in mine]
    assert told == [
        ("max_connections", "77", "static", "pending-reboot"),
        ("work_mem", "8192", "dynamic", "immediate"),
    ]
    assert mine[1]["AllowedValues"] == "64-2147483647"
    every = {one["ParameterName"]: one for page in pages.paginate(**{named: "mine"}) for one in page["Parameters"]}
    assert len(every) > 250
    assert {"ParameterValue", "Source"} & every["wal_level"].keys() == {"Source"}
    assert [every[name]["IsModifiable"] for name in ("wal_level", "work_mem")] == [False, True]
    assert describe(**{named: f"default.{family}", "Source": "user"})["Parameters"] == []
    found = described(**{named: f"default.{family}"})
    assert [one[named] for one in found[f"{named.removesuffix('Name')}s"]] == [f"default.{family}"]
    for call in (describe, described):
        with refused("DBParameterGroupNotFound", "nowhere"):
            call(**{named: "nowhere"})


@pytest.mark.parametrize("of", CREATED)
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"ParameterName": "no_such_thing"}, "Could not find parameter with name: no_such_thing"),
        ({"ParameterValue": "8MB"}, "Invalid parameter value: 8MB for: work_mem allowed values are: 64-2147483647"),
        ({"ParameterValue": "1"}, "Invalid parameter value: 1 for: work_mem"),
    ],
)
def test_a_parameter_that_aws_does_not_take_is_in_no_group(
    simulated_aws: SimulatedAWS, of: str, wrong: dict[str, str], words: str
) -> None:
    rds = World(simulated_aws).rds()
    create, named, family = CREATED[of]
    getattr(rds, create)(**{named: "mine", "DBParameterGroupFamily": family, "Description": "x"})
    good = {"ParameterName": "work_mem", "ParameterValue": "8192", "ApplyMethod": "pending-reboot"}
    with refused("InvalidParameterValue", words):
        getattr(rds, create.replace("create_", "modify_"))(
            **{named: "mine"}, Parameters=[good | {"ParameterName": "temp_buffers"}, good | wrong]
        )
    describe = getattr(rds, create.replace("create_", "describe_").replace("_group", "s"))
    assert describe(**{named: "mine", "Source": "user"})["Parameters"] == []


@pytest.mark.parametrize("of", CREATED)
def test_a_parameter_group_has_a_name_and_a_family_that_there_are(simulated_aws: SimulatedAWS, of: str) -> None:
    rds = World(simulated_aws).rds()
    create, named, family = CREATED[of]
    for name, version, words in (
        ("default.mine", "", "not a valid identifier"),
        ("mine", "99", f"ParameterGroupFamily {family}99 is not a valid parameter group family"),
    ):
        with refused("InvalidParameterValue", words):
            getattr(rds, create)(**{named: name, "DBParameterGroupFamily": f"{family}{version}", "Description": "x"})
        with refused("DBParameterGroupNotFound"):
            getattr(rds, create.replace("create_", "describe_").replace("_group", "s"))(**{named: name})


@pytest.mark.parametrize("of", CREATED)
def test_a_group_of_awss_own_is_there_before_anybody_asked_and_cannot_be_changed(
    simulated_aws: SimulatedAWS, of: str
) -> None:
    create, named, family = CREATED[of]
    modify = getattr(World(simulated_aws).rds(), create.replace("create_", "modify_"))
    value = {"ParameterName": "work_mem", "ParameterValue": "8192", "ApplyMethod": "immediate"}
    with refused("InvalidDBParameterGroupState", f"default.{family}"):
        modify(**{named: f"default.{family}"}, Parameters=[value])


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


@pytest.mark.parametrize("of", CREATED)
def test_a_region_has_fifty_parameter_groups_of_a_kind(simulated_aws: SimulatedAWS, of: str) -> None:
    world = World(simulated_aws)
    create, named, family = CREATED[of]
    rest = {"DBParameterGroupFamily": family, "Description": "x"}
    make = getattr(world.rds(), create)
    for number in range(50):
        make(**{named: f"mine-{number}"}, **rest)
    with refused("DBParameterGroupQuotaExceeded", "Maximum: 50"):
        make(**{named: "one-more"}, **rest)
    getattr(world.rds(region=OTHER), create)(**{named: "one-more"}, **rest)
    getattr(world.rds(), create.replace("create", "delete"))(**{named: "mine-7"})
    make(**{named: "one-more"}, **rest)
