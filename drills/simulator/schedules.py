"""EventBridge rules with ``rate(…)``: they fire on the clock and invoke functions.

Source: EventBridge user guide, Creating a scheduled rule: rate expressions; targets and their permissions.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from moto.events.exceptions import ValidationException
from moto.events.models import EventsBackend, Rule, events_backends
from moto.moto_api._internal import mock_random

from drills.simulator import functions
from drills.simulator.replaced import Replacement
from drills.simulator.state import Simulation, current

RATE = re.compile(r"^rate\((\d+) (minute|hour|day)(s?)\)$")
SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}

_turns: dict[str, int] = {}
"""By a rule's ARN, a number that changes whenever it begins to count anew."""


def begin(_: Simulation) -> None:
    _turns.clear()


def seconds_of(expression: str | None) -> int | None:
    """Seconds between two firings; None for what is no rate."""
    found = RATE.match(expression or "")
    return int(found[1]) * SECONDS[found[2]] if found else None


def _check(expression: str | None) -> None:
    """Raises moto's ValidationException for a rate of nothing, and for ``1 minutes`` and ``5 minute``."""
    found = RATE.match(expression or "")
    if found and (int(found[1]) == 0 or (int(found[1]) == 1) == bool(found[3])):
        raise ValidationException("Parameter ScheduleExpression is not valid.")


def _begin_counting(rule: Rule) -> None:
    seconds = seconds_of(rule.scheduled_expression)
    turn = _turns[rule.arn] = _turns.get(rule.arn, 0) + 1
    if seconds is not None and rule.state == "ENABLED":
        current().clock.call_later(seconds, lambda: _fire(rule, seconds, turn))


def _fire(rule: Rule, seconds: int, turn: int) -> None:
    backend = events_backends[rule.account_id][rule.region_name]
    bus = backend.event_buses.get(rule.event_bus_name)
    if bus is None or bus.rules.get(rule.name) is not rule or _turns.get(rule.arn) != turn:
        return
    simulation = current()
    now = simulation.clock.now()
    simulation.clock.call_later(seconds, lambda: _fire(rule, seconds, turn))
    if not simulation.is_down(rule.region_name) and not simulation.is_closed(rule.account_id):
        for target in rule.targets:
            _send(rule, target, now)


def _send(rule: Rule, target: dict[str, Any], now: datetime) -> None:
    """To a function that allows it; moto sends to what else it knows."""
    arn = str(target["Arn"])
    if ":lambda:" not in arn:
        return
    function = functions.function_named(rule.account_id, rule.region_name, arn)
    if function is None or not _allows(function, rule.arn):
        return
    payload = str(target["Input"]) if "Input" in target else json.dumps(_event(rule, now))
    functions.runner().invoke_later(
        lambda: functions.function_named(rule.account_id, rule.region_name, arn), payload.encode()
    )


def _event(rule: Rule, now: datetime) -> dict[str, Any]:
    return {
        "version": "0",
        "id": str(mock_random.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": rule.account_id,
        "time": f"{now.replace(tzinfo=None).isoformat(timespec='seconds')}Z",
        "region": rule.region_name,
        "resources": [rule.arn],
        "detail": {},
    }


def _allows(function: Any, rule_arn: str) -> bool:
    """Whether the function's policy lets this rule invoke it."""
    for statement in function.policy.statements:
        service = (statement.get("Principal") or {}).get("Service")
        if service != "events.amazonaws.com" or statement.get("Action") not in ("lambda:InvokeFunction", "lambda:*"):
            continue
        conditions = statement.get("Condition") or {}
        wanted = [names.get("AWS:SourceArn") for names in conditions.values() if "AWS:SourceArn" in names]
        if all(fnmatchcase(rule_arn, str(pattern)) for pattern in wanted):
            return True
    return False


# --- Rules that come into being


_put_rule = EventsBackend.put_rule
_enable_rule = EventsBackend.enable_rule
_disable_rule = EventsBackend.disable_rule


def put_rule(self: EventsBackend, *args: Any, **kwargs: Any) -> Rule:
    """moto's; then the rule counts, from now on."""
    _check(kwargs.get("scheduled_expression"))
    rule = _put_rule(self, *args, **kwargs)
    _begin_counting(rule)
    return rule


def enable_rule(self: EventsBackend, name: str, event_bus_arn: str | None) -> bool:
    """moto's; then the rule counts again."""
    return _counted_anew(self, name, event_bus_arn, _enable_rule(self, name, event_bus_arn))


def disable_rule(self: EventsBackend, name: str, event_bus_arn: str | None) -> bool:
    """moto's; the rule counts no more."""
    return _counted_anew(self, name, event_bus_arn, _disable_rule(self, name, event_bus_arn))


def _counted_anew(self: EventsBackend, name: str, event_bus_arn: str | None, found: bool) -> bool:
    if found:
        bus = self._get_event_bus(self._normalize_event_bus_arn(event_bus_arn))
        _begin_counting(bus.rules[name])
    return found


REPLACEMENTS = (
    Replacement(
        "moto.events.models:EventsBackend.put_rule", put_rule, "moto's schedules never fire", digest="28bf0ac76b1b"
    ),
    Replacement(
        "moto.events.models:EventsBackend.enable_rule",
        enable_rule,
        "moto's schedules never fire",
        digest="e34ebc497b11",
    ),
    Replacement(
        "moto.events.models:EventsBackend.disable_rule",
        disable_rule,
        "moto's schedules never fire",
        digest="64d050344a24",
    ),
)
