"""Lambda functions through plain boto3 clients: invoked in this process, without Docker."""

from __future__ import annotations

import base64
import importlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any
from unittest import mock

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from drills.simulator import SimulatedAWS, functions
from drills.simulator.functions import EnvironmentLost
from tests.simulator.lambdas import ACCOUNT, REGION, TRUST, Lambdas, zipped


@pytest.fixture
def aws() -> Iterator[SimulatedAWS]:
    with SimulatedAWS(seed=3) as aws:
        yield aws


@pytest.fixture
def lambdas(aws: SimulatedAWS) -> Lambdas:
    return Lambdas(aws)


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=code)


# --- The handler


def test_the_handler_runs(lambdas: Lambdas) -> None:
    lambdas.make("def handler(event, context):\n    return {'twice': event['n'] * 2}")
    answer = lambdas.invoke({"n": 2**70})
    assert answer["said"] == {"twice": 2**71}
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert "FunctionError" not in answer


def test_moto_needs_docker_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_docker(_: Any) -> Any:
        raise importlib.import_module("docker.errors").DockerException("no Docker here")

    monkeypatch.setattr("moto.utilities.docker_utilities.DockerModel.docker_client", property(no_docker))
    monkeypatch.setattr("moto.settings.moto_server_host", lambda: "http://localhost")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        session = boto3.Session(region_name=REGION)
        role = session.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))
        client = session.client("lambda")
        client.create_function(
            FunctionName="f",
            Runtime="python3.13",
            Role=role["Role"]["Arn"],
            Handler="main.handler",
            Code={"ZipFile": zipped({"main.py": "def handler(event, context):\n    return 1"})},
        )
        assert b"no Docker here" in client.invoke(FunctionName="f")["Payload"].read()


def test_the_handler_knows_itself(lambdas: Lambdas) -> None:
    arn = lambdas.make(
        """
        import os
        def handler(event, context):
            return {
                "context": [context.function_name, context.function_version, context.invoked_function_arn,
                            context.memory_limit_in_mb, context.log_group_name],
                "left": context.get_remaining_time_in_millis(),
                "request": context.aws_request_id,
                "environment": {name: os.environ.get(name) for name in event},
                "file": __file__,
            }
        """,
        variables={"MINE": "1"},
        Timeout=30,
        MemorySize=256,
    )
    names = ["MINE", "AWS_REGION", "AWS_LAMBDA_FUNCTION_NAME", "_HANDLER", "AWS_PROFILE"]
    with mock.patch.dict(os.environ, {"AWS_PROFILE": "the caller's"}):
        said = lambdas.say(names)
    assert said["context"] == ["f", "$LATEST", arn, "256", "/aws/lambda/f"]
    assert said["left"] == 30_000
    assert len(said["request"]) == 36
    assert said["environment"] == dict(zip(names, ["1", REGION, "f", "main.handler", None], strict=True))
    assert said["file"] == "/var/task/main.py"
    assert "MINE" not in os.environ


def test_modules_of_a_package_are_its_own(lambdas: Lambdas) -> None:
    files = {"lib/__init__.py": "", "lib/names.py": "NAME = '{}'", "lib/data.txt": "data of {}"}
    source = """
        import pkgutil, sys
        import {module}
        def handler(event, context):
            from lib.names import NAME
            return [NAME, pkgutil.get_data("lib", "data.txt").decode(), hasattr({module}, "loads")]
    """
    for name, module in (("one", "colorsys"), ("two", "json")):
        own = {path: text.format(name) for path, text in files.items()}
        if name == "two":
            own["json.py"] = "MINE = True"
        lambdas.make(source.format(module=module), name, files=own)
    assert lambdas.say(name="one")[:2] == ["one", "data of one"]
    assert lambdas.say(name="two") == ["two", "data of two", False]
    assert lambdas.say(name="one")[:2] == ["one", "data of one"]
    assert not {"lib", "main", "lib.names"} & sys.modules.keys()
    assert sys.modules["json"] is json


def test_a_module_is_loaded_once_until_code_or_configuration_change(lambdas: Lambdas) -> None:
    source = """
        import os
        COUNT = 0
        def handler(event, context):
            global COUNT
            COUNT += 1
            return [{}, COUNT, os.environ.get("X")]
    """
    lambdas.make(source.format(1))
    assert [lambdas.say() for _ in range(2)] == [[1, 1, None], [1, 2, None]]
    lambdas.client.update_function_configuration(FunctionName="f", Environment={"Variables": {"X": "y"}})
    assert [lambdas.say() for _ in range(2)] == [[1, 1, "y"], [1, 2, "y"]]
    lambdas.client.update_function_code(FunctionName="f", ZipFile=zipped({"main.py": source.format(2)}))
    assert lambdas.say() == [2, 1, "y"]


def test_versions_keep_their_code(lambdas: Lambdas) -> None:
    lambdas.make("def handler(event, context):\n    return [1, context.function_version]")
    lambdas.client.publish_version(FunctionName="f")
    lambdas.client.update_function_code(
        FunctionName="f",
        ZipFile=zipped({"main.py": "def handler(event, context):\n    return [2, context.function_version]"}),
    )
    assert lambdas.invoke(Qualifier="1")["said"] == [1, "1"]
    assert lambdas.say() == [2, "$LATEST"]
    with refused("ResourceNotFoundException"):
        lambdas.invoke(Qualifier="7")


# --- Errors, as AWS reports them


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("def handler(e, c):\n    raise ValueError('no')", "ValueError", "no"),
        (
            "import nowhere\ndef handler(e, c): ...",
            "Runtime.ImportModuleError",
            "Unable to import module 'main'",
        ),
        ("def other(e, c): ...", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'main'"),
        ("def handler(e, c)\n", "Runtime.UserCodeSyntaxError", "Syntax error in module 'main'"),
        ("def handler(e, c):\n    return {1, 2}", "Runtime.MarshalError", "Unable to marshal response"),
        ("import sys\ndef handler(e, c):\n    sys.exit(3)", "Runtime.ExitError", "exit status 3"),
        ("raise RuntimeError('at once')\ndef handler(e, c): ...", "RuntimeError", "at once"),
    ],
)
def test_errors(lambdas: Lambdas, source: str, kind: str, message: str) -> None:
    lambdas.make(source)
    answer = lambdas.invoke()
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert answer["said"]["errorType"] == kind
    assert message in answer["said"]["errorMessage"]


def test_the_trace_is_of_the_functions_own_code(lambdas: Lambdas) -> None:
    lambdas.make("def inner():\n    raise KeyError('x')\ndef handler(e, c):\n    inner()")
    trace = lambdas.invoke()["said"]["stackTrace"]
    assert [line.split("\n")[0] for line in trace] == [
        '  File "/var/task/main.py", line 4, in handler',
        '  File "/var/task/main.py", line 2, in inner',
    ]
    assert "raise KeyError('x')" in trace[1]


def test_a_handler_without_a_module_is_malformed(lambdas: Lambdas) -> None:
    lambdas.make("", handler="handler")
    assert lambdas.invoke()["said"]["errorType"] == "Runtime.MalformedHandlerName"


def test_time_runs_out(aws: SimulatedAWS, lambdas: Lambdas) -> None:
    lambdas.make(
        """
        import time
        STATE = []
        def handler(event, context):
            STATE.append(1)
            time.sleep(event)
            return [len(STATE), context.get_remaining_time_in_millis()]
        """,
        Timeout=3,
    )
    assert lambdas.say(1) == [1, 2000]
    began = aws.clock.now()
    answer = lambdas.invoke(60)
    assert (aws.clock.now() - began).total_seconds() == 3
    assert answer["FunctionError"] == "Unhandled"
    assert "Task timed out after 3.00 seconds" in answer["said"]["errorMessage"]
    assert lambdas.say(0) == [1, 3000], "the environment did not begin anew"


def test_an_environment_can_be_lost(lambdas: Lambdas) -> None:
    lambdas.make(
        """
        import boto3
        CALLS = []
        def handler(event, context):
            CALLS.append(1)
            boto3.client("dynamodb").list_tables()
            return len(CALLS)
        """
    )
    assert [lambdas.say(), lambdas.say()] == [1, 2]
    with mock.patch("botocore.client.BaseClient._make_api_call", side_effect=[EnvironmentLost]):
        outcome = functions.runner().invoke(functions.function_named(ACCOUNT, REGION, "f"), b"{}")
    assert json.loads(outcome.payload)["errorType"] == "Runtime.ExitError"
    assert lambdas.say() == 1


# --- Whose calls they are

WHO = """
    import boto3
    def handler(event, context):
        return boto3.client("sts").get_caller_identity()["Arn"]
"""


def test_calls_are_made_as_the_role_in_the_functions_region(lambdas: Lambdas) -> None:
    lambdas.make(
        """
        import boto3
        client = boto3.client("dynamodb")
        def handler(event, context):
            return [boto3.client("sts").get_caller_identity()["Arn"], client.meta.region_name]
        """,
        role=lambdas.role("r"),
    )
    boto3.setup_default_session(region_name="us-west-2")
    mine = boto3.DEFAULT_SESSION
    assert lambdas.say() == [f"arn:aws:sts::{ACCOUNT}:assumed-role/r/f", REGION]
    assert boto3.DEFAULT_SESSION is mine
    boto3.DEFAULT_SESSION = None


def test_calls_are_judged_by_the_roles_policies(lambdas: Lambdas) -> None:
    source = """
        import boto3
        def handler(event, context):
            return boto3.client("dynamodb").list_tables()["TableNames"]
    """
    role = lambdas.role("r", {"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    lambdas.make(source, role=role)
    answer = lambdas.invoke()
    assert answer["said"]["errorType"] == "ClientError"
    assert "assumed-role/r/f is not authorized to perform: dynamodb:ListTables" in answer["said"]["errorMessage"]
    lambdas.allow("r", {"Effect": "Allow", "Action": "dynamodb:ListTables", "Resource": "*"})
    assert lambdas.say() == []


def test_credentials_are_renewed_before_they_end(aws: SimulatedAWS, lambdas: Lambdas) -> None:
    lambdas.make(WHO)
    arn = lambdas.say()
    for _ in range(5):
        aws.clock.sleep(7 * 3600)
        assert lambdas.say() == arn


def test_the_role_must_exist_and_trust_lambda(lambdas: Lambdas) -> None:
    stranger = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
        ],
    }
    for role in (f"arn:aws:iam::{ACCOUNT}:role/nobody", lambdas.role("r", trust=stranger)):
        with refused("InvalidParameterValueException.*cannot be assumed by Lambda"):
            lambdas.make(WHO, role=role)
    lambdas.make(WHO, role=lambdas.role("gone"))
    lambdas.iam.delete_role_policy(RoleName="gone", PolicyName="p")
    lambdas.iam.delete_role(RoleName="gone")
    with refused("AccessDeniedException"):
        lambdas.invoke()


def test_invoking_needs_permission(aws: SimulatedAWS, lambdas: Lambdas) -> None:
    lambdas.make(WHO)
    user = lambdas.iam.create_user(UserName="u")["User"]["UserName"]
    key = lambdas.iam.create_access_key(UserName=user)["AccessKey"]
    client = boto3.client(
        "lambda",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        region_name=REGION,
    )
    with refused("AccessDeniedException.*lambda:InvokeFunction"):
        client.invoke(FunctionName="f")


# --- Ways of invoking


def test_names_and_arns(lambdas: Lambdas) -> None:
    arn = lambdas.make("def handler(e, c):\n    return 1")
    for name in ("f", arn, f"{ACCOUNT}:function:f", f"{arn}:$LATEST"):
        assert lambdas.say(name=name) == 1
    with refused("ResourceNotFoundException.*Function not found"):
        lambdas.say(name="nothing")


def test_a_payload_must_be_json(lambdas: Lambdas) -> None:
    lambdas.make("def handler(e, c):\n    return e")
    with refused("InvalidRequestContentException"):
        lambdas.client.invoke(FunctionName="f", Payload=b"{")
    with refused("RequestTooLargeException"):
        lambdas.client.invoke(FunctionName="f", Payload=json.dumps("x" * 6_291_500))
    answer = lambdas.client.invoke(FunctionName="f", InvocationType="DryRun")
    assert answer["StatusCode"] == 204


def test_an_asynchronous_invocation_is_tried_three_times(aws: SimulatedAWS, lambdas: Lambdas) -> None:
    lambdas.session.client("s3").create_bucket(Bucket="seen", CreateBucketConfiguration={"LocationConstraint": REGION})
    lambdas.make(
        """
        import boto3
        def handler(event, context):
            boto3.client("s3").put_object(Bucket="seen", Key=context.aws_request_id)
            raise ValueError
        """
    )

    def seen() -> int:
        return int(lambdas.session.client("s3").list_objects_v2(Bucket="seen")["KeyCount"])

    assert lambdas.client.invoke(FunctionName="f", InvocationType="Event")["StatusCode"] == 202
    assert seen() == 0
    counts = []
    for seconds in (1, 60, 120, 3600):
        aws.clock.sleep(seconds)
        counts.append(seen())
    assert counts == [1, 2, 3, 3]


def test_reserved_concurrency(lambdas: Lambdas) -> None:
    lambdas.make("def handler(e, c):\n    return 1")
    lambdas.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    with refused("TooManyRequestsException"):
        lambdas.client.invoke(FunctionName="f")


def test_the_world_goes_on_while_a_handler_sleeps(aws: SimulatedAWS, lambdas: Lambdas) -> None:
    """Another invocation of the same function meanwhile gets an environment of its own."""
    lambdas.make(
        """
        import time
        COUNT = 0
        def handler(event, context):
            global COUNT
            COUNT += 1
            time.sleep(event)
            return COUNT
        """,
        Timeout=60,
    )
    inside: list[Any] = []

    def meanwhile() -> None:
        inside.append((lambdas.say(0), os.environ.get("AWS_LAMBDA_FUNCTION_NAME"), "main" in sys.modules))

    aws.clock.call_later(5, meanwhile)
    assert lambdas.say(10) == 1
    assert inside == [(1, None, False)]
    assert lambdas.say(0) == 2


def test_an_outage_ends_what_runs_there(aws: SimulatedAWS, lambdas: Lambdas) -> None:
    table: dict[str, Any] = {
        "TableName": "far",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    far = lambdas.session.client("dynamodb", region_name="us-west-2")
    far.create_table(**table)
    far.get_waiter("table_exists").wait(TableName="far")
    lambdas.make(
        """
        import boto3, time
        def handler(event, context):
            time.sleep(10)
            boto3.client("dynamodb", region_name="us-west-2").put_item(TableName="far", Item={"id": {"S": "x"}})
        """,
        Timeout=60,
    )
    lambdas.client.invoke(FunctionName="f", InvocationType="Event")

    def outage() -> None:
        aws.region_down(REGION)

    aws.clock.call_later(5, outage)
    aws.clock.sleep(20)
    assert far.scan(TableName="far")["Items"] == []


# --- Logs and metrics


def test_what_is_printed_and_logged_is_in_the_log(lambdas: Lambdas) -> None:
    lambdas.make(
        """
        import logging
        def handler(event, context):
            print("printed")
            logging.getLogger("x").error("logged %d", 5)
        """
    )
    answer = lambdas.invoke(LogType="Tail")
    tail = base64.b64decode(answer["LogResult"]).decode()
    assert "printed\n[ERROR]\t2026-01-05T09:00:00.000Z" in tail
    logs = lambdas.session.client("logs")
    events = logs.filter_log_events(logGroupName="/aws/lambda/f")["events"]
    said = [event["message"] for event in events]
    assert said[0].startswith("START RequestId: ")
    assert said[1] == "printed"
    assert said[2].endswith("logged 5")


def test_a_role_that_may_not_log_logs_nothing(lambdas: Lambdas) -> None:
    lambdas.make(
        "def handler(e, c):\n    print('x')", role=lambdas.role("r", {"Effect": "Deny", "Action": "*", "Resource": "*"})
    )
    lambdas.invoke()
    assert lambdas.session.client("logs").describe_log_groups()["logGroups"] == []


def test_metrics_of_a_function(aws: SimulatedAWS, lambdas: Lambdas) -> None:
    lambdas.make(
        """
        import time
        def handler(event, context):
            time.sleep(event)
            if event == 2:
                raise ValueError
        """
    )
    for seconds in (0, 1, 2):
        lambdas.invoke(seconds)
    cloudwatch, now = lambdas.session.client("cloudwatch"), aws.clock.now()

    def total(metric: str, statistic: str = "Sum") -> float:
        answer = cloudwatch.get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName=metric,
            Dimensions=[{"Name": "FunctionName", "Value": "f"}],
            StartTime=now.timestamp() - 600,
            EndTime=now.timestamp() + 60,
            Period=3600,
            Statistics=[statistic],
        )
        (point,) = answer["Datapoints"]
        return float(point[statistic])

    assert (total("Invocations"), total("Errors"), total("Duration", "Maximum")) == (3, 1, 2000)


def test_embedded_metrics(aws: SimulatedAWS, lambdas: Lambdas) -> None:
    lambdas.make(
        """
        import json
        def handler(event, context):
            print(json.dumps({
                "_aws": {"Timestamp": 0, "CloudWatchMetrics": [{"Namespace": "mine", "Dimensions": [["Of"]],
                         "Metrics": [{"Name": "Things", "Unit": "Count"}]}]},
                "Of": "f", "Things": 3,
            }))
        """
    )
    lambdas.invoke()
    (metric,) = lambdas.session.client("cloudwatch").list_metrics(Namespace="mine")["Metrics"]
    assert metric["MetricName"] == "Things"
    assert metric["Dimensions"] == [{"Name": "Of", "Value": "f"}]


def test_a_deleted_function_is_gone(lambdas: Lambdas) -> None:
    lambdas.make("def handler(e, c):\n    return 1")
    lambdas.say()
    lambdas.client.delete_function(FunctionName="f")
    with refused("ResourceNotFoundException"):
        lambdas.say()


def test_moto_itself_invokes_in_process(aws: SimulatedAWS, lambdas: Lambdas) -> None:
    """A queue's mapping is moto's; the function it invokes is ours."""
    sqs = lambdas.session.client("sqs")
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    done = sqs.create_queue(QueueName="done")["QueueUrl"]
    lambdas.make(
        """
        import boto3, os
        def handler(event, context):
            for record in event["Records"]:
                boto3.client("sqs").send_message(QueueUrl=os.environ["DONE"], MessageBody=record["body"])
        """,
        variables={"DONE": done},
    )
    lambdas.client.create_event_source_mapping(FunctionName="f", EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:q")
    assert len(lambdas.client.list_event_source_mappings(FunctionName="f")["EventSourceMappings"]) == 1
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    (message,) = sqs.receive_message(QueueUrl=done)["Messages"]
    assert message["Body"] == "hello"
