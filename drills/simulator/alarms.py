"""CloudWatch alarms: judged on the clock while there is something to judge, their actions sent to SNS.

Judged are alarms of one metric with a plain statistic; those of expressions and composite ones stay as moto has them.
Source: CloudWatch user guide, Using Amazon CloudWatch alarms: evaluation, missing data; SQS developer guide, metrics.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from moto.cloudwatch.models import Alarm, CloudWatchBackend, cloudwatch_backends
from moto.core.utils import utcnow
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from drills.simulator import metrics
from drills.simulator.gate import Request
from drills.simulator.metrics import Metric
from drills.simulator.replaced import Replacement
from drills.simulator.state import Simulation, current

STATISTICS = ("Sum", "Average", "Minimum", "Maximum", "SampleCount")
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}
QUEUE_METRICS = (
    "ApproximateNumberOfMessagesVisible",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
MINUTE = timedelta(minutes=1)

_due: set[tuple[str, str, str]] = set()
"""Alarms that have a judgement coming: account, region, name."""
_sampled: set[tuple[str, str, str]] = set()
"""Queues whose metrics are being written: account, region, name."""


def begin(_: Simulation) -> None:
    _due.clear()
    _sampled.clear()
    metrics.on_datum(_heard)


def _heard(metric: Metric, _: datetime) -> None:
    for alarm in cloudwatch_backends[metric.account][metric.region].alarms.values():
        if alarm.metric_name == metric.name and _metric_of(metric.account, metric.region, alarm) == metric:
            _judge_later(metric.account, metric.region, alarm)


def _metric_of(account: str, region: str, alarm: Alarm) -> Metric:
    dimensions = tuple((dimension.name, dimension.value) for dimension in alarm.dimensions)
    return Metric.of(account, region, alarm.namespace, alarm.metric_name, dimensions)


# --- Judging


def is_judged(alarm: Alarm) -> bool:
    """Whether this simulator judges the alarm."""
    plain = alarm.rule is None and not alarm.metric_data_queries and alarm.statistic in STATISTICS
    return plain and alarm.comparison_operator in COMPARISONS and bool(alarm.period)


def _judge_later(account: str, region: str, alarm: Alarm) -> None:
    """At the end of the period that is running; once."""
    key = (account, region, alarm.name)
    if key in _due or not is_judged(alarm):
        return
    _due.add(key)
    clock = current().clock
    period = int(alarm.period)
    ends = (int(clock.now().timestamp()) // period + 1) * period
    clock.call_at(datetime.fromtimestamp(ends, UTC), lambda: _judge(account, region, alarm.name))


def _judge(account: str, region: str, name: str) -> None:
    _due.discard((account, region, name))
    simulation = current()
    alarm = cloudwatch_backends[account][region].alarms.get(name)
    if alarm is None or not is_judged(alarm):
        return
    if simulation.is_down(region):
        # Nothing is judged during an outage; afterwards the next datum, or this, sets it going again.
        simulation.on_region_up.append(lambda up: _judge_later(account, region, alarm) if up == region else None)
        return
    points = _points(simulation, account, region, alarm)
    state = state_of(points, alarm)
    if state is not None and state != alarm.state_value:
        _change(account, region, alarm, state, points)
    if any(point is not None for point in points):
        _judge_later(account, region, alarm)


def _points(simulation: Simulation, account: str, region: str, alarm: Alarm) -> list[float | None]:
    """The metric's last periods, oldest first; None for a period without data."""
    metric, period = _metric_of(account, region, alarm), timedelta(seconds=int(alarm.period))
    end = simulation.clock.now()
    values: list[float | None] = []
    for back in range(int(alarm.evaluation_periods), 0, -1):
        found = metrics.between(metric, end - back * period, end - (back - 1) * period)
        values.append(None if found is None else found.value(alarm.statistic))
    return values


def state_of(points: list[float | None], alarm: Alarm) -> str | None:
    """OK, ALARM or INSUFFICIENT_DATA; None where the state stays what it is."""
    breaches = COMPARISONS[alarm.comparison_operator]
    needed = int(alarm.datapoints_to_alarm or alarm.evaluation_periods)
    missing = alarm.treat_missing_data or "missing"
    if all(point is None for point in points):
        if missing == "ignore":
            return None
        if missing == "missing":
            return "INSUFFICIENT_DATA"
    judged = [
        breaches(point, float(alarm.threshold)) if point is not None else missing == "breaching"
        for point in points
        if point is not None or missing in ("breaching", "notBreaching")
    ]
    if sum(judged) >= needed:
        return "ALARM"
    if missing in ("breaching", "notBreaching") or sum(judged) + points.count(None) < needed:
        return "OK"
    # Too few points to tell; AWS looks further back, and keeps the state when that does not tell either.
    return "OK" if not any(judged) else None


def _change(account: str, region: str, alarm: Alarm, state: str, points: list[float | None]) -> None:
    old, now = alarm.state_value, utcnow()
    shown = [point for point in points if point is not None]
    said = f"Threshold Crossed: {len(shown)} datapoint{'' if len(shown) == 1 else 's'} {shown} "
    verb = "was" if len(shown) == 1 else "were"
    said += f"{verb} {'' if state == 'ALARM' else 'not '}beyond the threshold ({float(alarm.threshold)})."
    if not shown:
        said = f"Insufficient Data: {len(points)} datapoints were unknown."
    alarm.update_state(
        said, json.dumps({"version": "1.0", "queryDate": now.isoformat(), "recentDatapoints": shown}), state
    )
    actions = {"ALARM": alarm.alarm_actions, "OK": alarm.ok_actions}.get(state, alarm.insufficient_data_actions)
    if alarm.actions_enabled:
        for arn in actions or ():
            if ":sns:" in arn:
                publish(arn, json.dumps(_notice(account, region, alarm, old)), f'{state}: "{alarm.name}" in {region}')


def _notice(account: str, region: str, alarm: Alarm, old: str) -> dict[str, Any]:
    """What the topic gets. Source: CloudWatch user guide, example alarm notification."""
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description or None,
        "AWSAccountId": account,
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": f"{alarm.state_updated_timestamp.isoformat(timespec='milliseconds')}+0000",
        "Region": region,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": old,
        "Trigger": {
            "MetricName": alarm.metric_name,
            "Namespace": alarm.namespace,
            "StatisticType": "Statistic",
            "Statistic": str(alarm.statistic).upper(),
            "Dimensions": [{"name": one.name, "value": one.value} for one in alarm.dimensions],
            "Period": alarm.period,
            "EvaluationPeriods": alarm.evaluation_periods,
            "ComparisonOperator": alarm.comparison_operator,
            "Threshold": alarm.threshold,
            "TreatMissingData": alarm.treat_missing_data or "missing",
        },
    }


def publish(topic_arn: str, message: str, subject: str | None = None) -> None:
    """To an SNS topic, if there is one and it can be reached."""
    _, _, _, region, account, _ = topic_arn.split(":", 5)
    simulation = current()
    if simulation.is_down(region) or simulation.is_closed(account):
        return
    backend = sns_backends[account][region]
    if topic_arn in backend.topics:
        backend.publish(message, arn=topic_arn, subject=subject[:100] if subject else None)


# --- Alarms that come into being


_put_metric_alarm = CloudWatchBackend.put_metric_alarm


def put_metric_alarm(self: CloudWatchBackend, name: str, *args: Any, **kwargs: Any) -> Alarm:
    """moto's; a new alarm does not know its state yet, a changed one keeps it."""
    before = self.alarms.get(name)
    alarm = _put_metric_alarm(self, name, *args, **kwargs)
    if alarm.rule is None:
        alarm.state_value = "INSUFFICIENT_DATA" if before is None else before.state_value
    _judge_later(self.account_id, self.region_name, alarm)
    if alarm.namespace == "AWS/SQS":
        for dimension in alarm.dimensions:
            if dimension.name == "QueueName":
                queue_used(self.account_id, self.region_name, dimension.value)
    return alarm


# --- Queues


def queue_used(account: str, region: str, name: str) -> None:
    """Something came into the queue or left it: its metrics are written now, and every minute while an alarm watches
    it and it holds anything."""
    if (account, region, name) in _sampled:
        return
    _sampled.add((account, region, name))
    current().clock.call_later(0.0, lambda: _sample(account, region, name))


def _sample(account: str, region: str, name: str) -> None:
    _sampled.discard((account, region, name))
    queue = sqs_backends[account][region].queues.get(name)
    if queue is None:
        return
    simulation = current()
    held = _held(queue, simulation.clock.now().timestamp() * 1000)
    if not simulation.is_down(region):
        for metric, value in held.items():
            metrics.count(account, region, "AWS/SQS", metric, (("QueueName", name),), float(value), "Count")
    if any(held.values()) and _is_watched(account, region, name):
        _sampled.add((account, region, name))
        simulation.clock.call_later(60.0, lambda: _sample(account, region, name))


def _held(queue: Any, now_ms: float) -> dict[str, int]:
    """What a queue holds, in one pass; moto's own counts ask for the time twice for each message."""
    held = dict.fromkeys(QUEUE_METRICS, 0)
    for message in queue._messages:
        if message.delayed_until > now_ms:
            held["ApproximateNumberOfMessagesDelayed"] += 1
        elif message.visible_at < now_ms:
            held["ApproximateNumberOfMessagesVisible"] += 1
        else:
            held["ApproximateNumberOfMessagesNotVisible"] += 1
    return held


def _is_watched(account: str, region: str, name: str) -> bool:
    return any(
        alarm.namespace == "AWS/SQS" and any(dimension.value == name for dimension in alarm.dimensions)
        for alarm in cloudwatch_backends[account][region].alarms.values()
    )


def queue_called(request: Request) -> None:
    """A client's call that changes what a queue holds; moto answers it."""
    url = str(request.json().get("QueueUrl", ""))
    name = urlsplit(url).path.rpartition("/")[2]
    if name in sqs_backends[request.account][request.region].queues:
        queue_used(request.account, request.region, name)


OPERATIONS = {
    f"sqs:{operation}": queue_called
    for operation in ("SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessage", "PurgeQueue")
}

REPLACEMENTS = (
    Replacement(
        "moto.cloudwatch.models:CloudWatchBackend.put_metric_alarm",
        put_metric_alarm,
        "moto's alarms are OK from the beginning and never change by themselves",
        digest="aff786ddccbc",
    ),
)
