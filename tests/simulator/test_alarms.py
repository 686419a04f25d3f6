"""CloudWatch alarms and EventBridge schedules on the simulated clock, through plain boto3 clients."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from drills.simulator import SimulatedAWS
from tests.simulator.lambdas import ACCOUNT, REGION, Lambdas


class Ground:
    """One account's metrics, alarms, topic and queue."""

    def __init__(self, aws: SimulatedAWS) -> None:
        self.aws = aws
        self.lambdas = Lambdas(aws)
        session = self.lambdas.session
        self.cloudwatch, self.sqs, self.sns = (session.client(name) for name in ("cloudwatch", "sqs", "sns"))
        self.inbox = self.sqs.create_queue(QueueName="inbox")["QueueUrl"]
        self.topic = self.sns.create_topic(Name="t")["TopicArn"]
        self.sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:inbox")

    def alarm(self, **more: Any) -> None:
        self.cloudwatch.put_metric_alarm(
            **{
                "AlarmName": "a",
                "Namespace": "mine",
                "MetricName": "Things",
                "Dimensions": [{"Name": "Of", "Value": "x"}],
                "Statistic": "Sum",
                "Period": 60,
                "EvaluationPeriods": 1,
                "Threshold": 5,
                "ComparisonOperator": "GreaterThanThreshold",
                **more,
            }
        )

    def put(self, value: float, of: str = "x") -> None:
        dimensions = [{"Name": "Of", "Value": of}]
        self.cloudwatch.put_metric_data(
            Namespace="mine", MetricData=[{"MetricName": "Things", "Value": value, "Dimensions": dimensions}]
        )

    def state(self) -> str:
        (alarm,) = self.cloudwatch.describe_alarms(AlarmNames=["a"])["MetricAlarms"]
        return str(alarm["StateValue"])

    def after(self, seconds: float) -> str:
        self.aws.clock.sleep(seconds)
        return self.state()

    def notices(self) -> list[dict[str, Any]]:
        found = []
        while messages := self.sqs.receive_message(QueueUrl=self.inbox).get("Messages"):
            for message in messages:
                found.append(json.loads(json.loads(message["Body"])["Message"]))
                self.sqs.delete_message(QueueUrl=self.inbox, ReceiptHandle=message["ReceiptHandle"])
        return found


@pytest.fixture
def aws() -> Iterator[SimulatedAWS]:
    with SimulatedAWS(seed=3) as aws:
        yield aws


@pytest.fixture
def ground(aws: SimulatedAWS) -> Ground:
    return Ground(aws)


# --- Alarms


def test_an_alarm_goes_off_and_comes_back(ground: Ground) -> None:
    ground.alarm(AlarmActions=[ground.topic], OKActions=[ground.topic], TreatMissingData="notBreaching")
    assert ground.state() == "INSUFFICIENT_DATA"
    assert ground.after(61) == "OK"
    ground.put(3)
    ground.put(3)
    assert ground.after(61) == "ALARM"
    assert ground.after(61) == "OK"
    notices = ground.notices()
    assert [notice["NewStateValue"] for notice in notices] == ["OK", "ALARM", "OK"]
    assert notices[1]["AlarmName"] == "a"
    assert notices[1]["Trigger"]["MetricName"] == "Things"
    assert notices[1]["OldStateValue"] == "OK"


def test_motos_alarms_never_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        client = boto3.client("cloudwatch", region_name=REGION)
        client.put_metric_alarm(
            AlarmName="a",
            Namespace="mine",
            MetricName="Things",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=5,
            ComparisonOperator="GreaterThanThreshold",
        )
        client.put_metric_data(Namespace="mine", MetricData=[{"MetricName": "Things", "Value": 9}])
        assert client.describe_alarms()["MetricAlarms"][0]["StateValue"] == "OK"


def test_only_its_own_dimensions_count(ground: Ground) -> None:
    ground.alarm(TreatMissingData="notBreaching")
    ground.put(100, of="y")
    assert ground.after(120) == "OK"


@pytest.mark.parametrize(
    ("statistic", "state"),
    [("Sum", "ALARM"), ("Average", "OK"), ("Maximum", "OK"), ("Minimum", "OK"), ("SampleCount", "OK")],
)
def test_statistics(ground: Ground, statistic: str, state: str) -> None:
    ground.alarm(Statistic=statistic)
    ground.put(4)
    ground.put(2)
    assert ground.after(60) == state


@pytest.mark.parametrize(
    ("operator", "state"),
    [
        ("GreaterThanThreshold", "OK"),
        ("GreaterThanOrEqualToThreshold", "ALARM"),
        ("LessThanThreshold", "OK"),
        ("LessThanOrEqualToThreshold", "ALARM"),
    ],
)
def test_comparisons(ground: Ground, operator: str, state: str) -> None:
    ground.alarm(ComparisonOperator=operator)
    ground.put(5)
    assert ground.after(60) == state


@pytest.mark.parametrize(
    ("treatment", "states"),
    [
        ("missing", ["ALARM", "INSUFFICIENT_DATA"]),
        ("notBreaching", ["ALARM", "OK"]),
        ("breaching", ["ALARM", "ALARM"]),
        ("ignore", ["ALARM", "ALARM"]),
    ],
)
def test_missing_data(ground: Ground, treatment: str, states: list[str]) -> None:
    ground.alarm(TreatMissingData=treatment)
    ground.put(9)
    assert [ground.after(60), ground.after(600)] == states


def test_several_periods(ground: Ground) -> None:
    ground.alarm(EvaluationPeriods=3, DatapointsToAlarm=2, TreatMissingData="notBreaching")
    ground.put(9)
    assert ground.after(60) == "OK"
    ground.put(1)
    assert ground.after(60) == "OK"
    ground.put(9)
    assert ground.after(60) == "ALARM"
    assert ground.after(600) == "OK"


def test_a_changed_alarm_keeps_its_state(ground: Ground) -> None:
    ground.alarm(TreatMissingData="ignore")
    ground.put(9)
    assert ground.after(60) == "ALARM"
    ground.alarm(TreatMissingData="ignore", Threshold=50)
    assert ground.state() == "ALARM"


def test_a_deleted_alarm_is_silent(ground: Ground) -> None:
    ground.alarm(AlarmActions=[ground.topic])
    ground.put(9)
    ground.cloudwatch.delete_alarms(AlarmNames=["a"])
    ground.aws.clock.sleep(600)
    assert ground.notices() == []


def test_disabled_actions_are_not_taken(ground: Ground) -> None:
    ground.alarm(AlarmActions=[ground.topic])
    ground.cloudwatch.disable_alarm_actions(AlarmNames=["a"])
    ground.put(9)
    assert ground.after(60) == "ALARM"
    assert ground.notices() == []


def test_nothing_is_judged_during_an_outage(aws: SimulatedAWS, ground: Ground) -> None:
    ground.alarm(AlarmActions=[ground.topic], TreatMissingData="notBreaching")
    aws.clock.sleep(61)
    ground.put(9)
    with aws.region_down(REGION):
        aws.clock.sleep(600)
    assert ground.notices() == []
    assert ground.after(120) == "OK"


def test_a_queue_that_fills_is_seen(ground: Ground) -> None:
    queue = ground.sqs.create_queue(QueueName="q")["QueueUrl"]
    ground.alarm(
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": "q"}],
        Statistic="Maximum",
        Threshold=0,
        TreatMissingData="notBreaching",
    )
    assert ground.after(120) == "OK"
    ground.sqs.send_message(QueueUrl=queue, MessageBody="x")
    assert ground.after(120) == "ALARM"
    assert ground.after(3600) == "ALARM"
    ground.sqs.purge_queue(QueueUrl=queue)
    assert ground.after(180) == "OK"


def test_errors_of_a_function_are_seen(ground: Ground) -> None:
    ground.lambdas.make("def handler(event, context):\n    if event: raise ValueError")
    ground.alarm(
        Namespace="AWS/Lambda",
        MetricName="Errors",
        Dimensions=[{"Name": "FunctionName", "Value": "f"}],
        Threshold=0,
        TreatMissingData="notBreaching",
    )
    ground.lambdas.invoke(0)
    assert ground.after(60) == "OK"
    ground.lambdas.invoke(1)
    assert ground.after(60) == "ALARM"


# --- Schedules

COUNTER = """
    import boto3, json
    def handler(event, context):
        boto3.client("sqs").send_message(
            QueueUrl="https://sqs.eu-west-1.amazonaws.com/111111111111/ticks", MessageBody=json.dumps(event)
        )
        if event.get("fail"):
            raise ValueError
"""


class Scheduled(Ground):
    def __init__(self, aws: SimulatedAWS, rate: str = "rate(1 hour)", **target: Any) -> None:
        super().__init__(aws)
        self.events = self.lambdas.session.client("events")
        self.url = self.sqs.create_queue(QueueName="ticks")["QueueUrl"]
        arn = self.lambdas.make(COUNTER)
        self.rule = self.events.put_rule(Name="r", ScheduleExpression=rate)["RuleArn"]
        self.events.put_targets(Rule="r", Targets=[{"Id": "f", "Arn": arn, **target}])

    def permit(self, rule: str | None = None) -> None:
        self.lambdas.client.add_permission(
            FunctionName="f",
            StatementId="s",
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=rule or self.rule,
        )

    def ticks(self) -> list[dict[str, Any]]:
        found = []
        while messages := self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return found


def test_a_rate_fires_on_the_clock(aws: SimulatedAWS) -> None:
    ground = Scheduled(aws)
    ground.permit()
    aws.clock.sleep(3599)
    assert ground.ticks() == []
    aws.clock.sleep(1)
    (event,) = ground.ticks()
    assert (event["source"], event["detail-type"]) == ("aws.events", "Scheduled Event")
    assert (event["resources"], event["time"]) == ([ground.rule], "2026-01-05T10:00:00Z")
    aws.clock.sleep(5 * 3600)
    assert len(ground.ticks()) == 5


def test_a_target_may_have_its_own_input(aws: SimulatedAWS) -> None:
    ground = Scheduled(aws, rate="rate(5 minutes)", Input='{"drills": "heartbeat"}')
    ground.permit()
    aws.clock.sleep(600)
    assert ground.ticks() == [{"drills": "heartbeat"}] * 2


@pytest.mark.parametrize("rule", [None, "arn:aws:events:eu-west-1:111111111111:rule/another"])
def test_without_permission_nothing_is_invoked(aws: SimulatedAWS, rule: str | None) -> None:
    ground = Scheduled(aws)
    if rule:
        ground.permit(rule)
    aws.clock.sleep(2 * 3600)
    assert ground.ticks() == []


def test_a_failed_tick_is_tried_three_times(aws: SimulatedAWS) -> None:
    ground = Scheduled(aws, Input='{"fail": true}')
    ground.permit()
    aws.clock.sleep(3600 + 600)
    assert len(ground.ticks()) == 3


def test_rules_are_disabled_changed_and_deleted(aws: SimulatedAWS) -> None:
    ground = Scheduled(aws)
    ground.permit()
    ground.events.disable_rule(Name="r")
    aws.clock.sleep(3 * 3600)
    assert ground.ticks() == []
    ground.events.enable_rule(Name="r")
    aws.clock.sleep(3600)
    assert len(ground.ticks()) == 1
    ground.events.put_rule(Name="r", ScheduleExpression="rate(1 day)")
    aws.clock.sleep(23 * 3600)
    assert ground.ticks() == []
    aws.clock.sleep(3600)
    assert len(ground.ticks()) == 1
    ground.events.remove_targets(Rule="r", Ids=["f"])
    ground.events.delete_rule(Name="r")
    aws.clock.sleep(3 * 86_400)
    assert ground.ticks() == []


def test_an_outage_swallows_ticks(aws: SimulatedAWS) -> None:
    ground = Scheduled(aws)
    ground.permit()
    with aws.region_down(REGION):
        aws.clock.sleep(2 * 3600 + 1)
    assert ground.ticks() == []
    aws.clock.sleep(3600)
    assert len(ground.ticks()) == 1


@pytest.mark.parametrize("wrong", ["rate(0 minutes)", "rate(1 minutes)", "rate(5 minute)", "rate(1 days)"])
def test_a_rate_that_aws_does_not_take_is_refused(aws: SimulatedAWS, wrong: str) -> None:
    events = aws.session(ACCOUNT, REGION).client("events")
    with pytest.raises(ClientError, match="Parameter ScheduleExpression is not valid"):
        events.put_rule(Name="r", ScheduleExpression=wrong)
    assert events.list_rules()["Rules"] == []
    for right in ("rate(1 minute)", "rate(2 hours)", "cron(0 12 * * ? *)"):
        events.put_rule(Name="r", ScheduleExpression=right)
