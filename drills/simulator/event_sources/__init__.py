"""Event source mappings: DynamoDB streams that invoke functions. Those of queues stay moto's.

Source: Lambda API reference, CreateEventSourceMapping, UpdateEventSourceMapping, DeleteEventSourceMapping,
GetEventSourceMapping, ListEventSourceMappings.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from moto.awslambda.models import lambda_backends
from moto.moto_api._internal import mock_random

from drills.simulator import by_role, functions
from drills.simulator.dynamodb import streams
from drills.simulator.event_sources.failures import denial_of
from drills.simulator.event_sources.feeds import READING, Feed, cannot_access
from drills.simulator.event_sources.mapping import POSITIONS, Description, Invalid, Settings
from drills.simulator.functions import failure
from drills.simulator.gate import Request, Response
from drills.simulator.state import Simulation, current
from drills.simulator.timing import Size

MAPPINGS = "/event-source-mappings"
IN_BETWEEN = ("Creating", "Enabling", "Disabling", "Updating", "Deleting")

_feeds: dict[str, Feed] = {}


def begin(simulation: Simulation) -> None:
    """Forget the mappings of an earlier simulated AWS."""
    _feeds.clear()
    simulation.on_region_down.append(_region_down)
    simulation.on_region_up.append(_region_up)
    simulation.on_account_reopened.append(_account_reopened)


def _region_down(region: str) -> None:
    for feed in _feeds.values():
        if feed.description.region == region and feed.runs:
            feed.stop()


def _region_up(region: str) -> None:
    for feed in _feeds.values():
        if feed.description.region == region and feed.description.state in ("Enabled", "Updating"):
            feed.restart()


def _account_reopened(account: str) -> None:
    for feed in _feeds.values():
        if feed.description.account == account and feed.runs:
            feed.restart()


# --- Finding


def _uuid(request: Request) -> str:
    return unquote(urlsplit(request.url).path.rstrip("/").rpartition("/")[2])


def _found(request: Request) -> Feed | None:
    feed = _feeds.get(_uuid(request))
    if feed is None or (feed.description.account, feed.description.region) != (request.account, request.region):
        return None
    return feed


def _is_moto(request: Request) -> bool:
    return lambda_backends[request.account][request.region].get_event_source_mapping(_uuid(request)) is not None


def _not_found() -> Response:
    return failure(404, "ResourceNotFoundException", "The resource you requested does not exist.")


def _answer(status: int, body: Any) -> Response:
    return status, {"content-type": "application/json"}, json.dumps(body).encode()


# --- Creating


def create(request: Request) -> Response | None:
    """CreateEventSourceMapping of a DynamoDB stream; what is no stream of DynamoDB is left to moto."""
    body = json.loads(request.body or b"{}")
    source = str(body.get("EventSourceArn", ""))
    if ":dynamodb:" not in source:
        return None
    function = functions.function_named(request.account, request.region, str(body.get("FunctionName", "")))
    if function is None:
        return failure(404, "ResourceNotFoundException", f"Function not found: {_function_arn(request, body)}")
    try:
        description = _described(request, body, function)
    except Invalid as error:
        return failure(400, "InvalidParameterValueException", str(error))
    twin = _same(description)
    if twin is not None:
        message = (
            f'The event source arn (" {source} ") and function (" {description.function} ") provided mapping already '
            f"exists. Please update or delete the existing mapping with UUID {twin.description.uuid}"
        )
        return failure(409, "ResourceConflictException", message)
    feed = Feed(current(), description)
    _feeds[description.uuid] = feed
    enabled = body.get("Enabled", True)
    _become(feed, "Enabled" if enabled else "Disabled", feed.start if enabled else None)
    return _answer(202, description.as_answer())


def _function_arn(request: Request, body: dict[str, Any]) -> str:
    name = str(body.get("FunctionName", ""))
    return name if name.startswith("arn:") else f"arn:aws:lambda:{request.region}:{request.account}:function:{name}"


def _described(request: Request, body: dict[str, Any], function: Any) -> Description:
    """Raises Invalid as AWS refuses what is wrong."""
    source, position = str(body["EventSourceArn"]), body.get("StartingPosition")
    stream = streams.stream_named(source)
    if stream is None or (stream.account, stream.region) != (request.account, request.region):
        raise Invalid(f"Stream not found: {source}")
    if position is None:
        raise Invalid(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
            "Member must not be null."
        )
    if position not in POSITIONS:
        raise Invalid(f"Unsupported starting position for DynamoDB event source: {position}")
    settings = Settings().updated(body)
    _check_role(function.role, source, settings, request.region)
    named = _function_arn(request, body).partition(":function:")[2]
    return Description(
        uuid=str(mock_random.uuid4()),
        account=request.account,
        region=request.region,
        source_arn=source,
        function=named,
        starting_position=position,
        settings=settings,
        tags=dict(body.get("Tags") or {}),
        modified=current().clock.now(),
    )


def _check_role(role: str, source: str, settings: Settings, region: str) -> None:
    """The role is looked at when a mapping is made or changed. Raises Invalid."""
    simulation = current()
    for operation in READING:
        asked = {"TableName": source.split("/")[1]} if operation == "ListStreams" else {"StreamArn": source}
        if by_role.denial(simulation, by_role.request_by(role, "dynamodb", operation, region, asked)):
            raise Invalid(cannot_access(source).removeprefix("PROBLEM: "))
    if settings.destination and denial_of(simulation, role, settings.destination):
        service = "SendMessage on SQS" if ":sqs:" in settings.destination else "Publish on SNS"
        raise Invalid(f"The provided execution role does not have permissions to call {service}")


def _same(description: Description) -> Feed | None:
    wanted = (description.account, description.region, description.source_arn, description.function)
    for feed in _feeds.values():
        other = feed.description
        if (other.account, other.region, other.source_arn, other.function) == wanted:
            return feed
    return None


def _become(feed: Feed, state: str, then: Callable[[], None] | None = None) -> None:
    """The mapping reaches a state after the time that takes."""
    simulation = feed.simulation
    modelled = simulation.timing.duration("lambda.event_source_state", Size(0, 0))

    def reached() -> None:
        if feed.description.uuid not in _feeds:
            return
        feed.description.state = state
        if then is not None:
            then()

    simulation.clock.call_later(modelled.seconds, reached)


# --- Changing, deleting


def update(request: Request) -> Response | None:
    """UpdateEventSourceMapping: settings, another function, on and off. The checkpoints stay."""
    if _is_moto(request):
        return None
    feed = _found(request)
    if feed is None:
        return _not_found()
    description = feed.description
    if description.state in IN_BETWEEN:
        return _in_use("update", description)
    body = json.loads(request.body or b"{}")
    name = str(body.get("FunctionName") or description.function_arn)
    function = functions.function_named(request.account, request.region, name)
    if function is None:
        return failure(404, "ResourceNotFoundException", f"Function not found: {name}")
    try:
        settings = description.settings.updated(body)
        _check_role(function.role, description.source_arn, settings, request.region)
    except Invalid as error:
        return failure(400, "InvalidParameterValueException", str(error))
    description.modified = current().clock.now()
    description.function = _function_arn(request, {"FunctionName": name}).partition(":function:")[2]
    was_on = description.state == "Enabled"
    enabled = bool(body.get("Enabled", was_on))
    _change(feed, settings, was_on, enabled)
    return _answer(202, description.as_answer())


def _change(feed: Feed, settings: Settings, was_on: bool, enabled: bool) -> None:
    description = feed.description
    description.settings = settings
    if enabled and was_on:
        description.state = "Updating"
        if feed.runs:
            feed.restart()
        _become(feed, "Enabled")
    elif enabled:
        description.state = "Enabling"
        _become(feed, "Enabled", feed.start)
    elif was_on:
        description.state = "Disabling"
        _become(feed, "Disabled", feed.stop)
    else:
        description.state = "Updating"
        _become(feed, "Disabled")


def delete(request: Request) -> Response | None:
    """DeleteEventSourceMapping."""
    if _is_moto(request):
        return None
    feed = _found(request)
    if feed is None:
        return _not_found()
    if feed.description.state in IN_BETWEEN:
        return _in_use("delete", feed.description)
    feed.stop()
    feed.description.state = "Deleting"
    _become(feed, "Deleted", lambda: _forget(feed))
    return _answer(202, feed.description.as_answer())


def _forget(feed: Feed) -> None:
    del _feeds[feed.description.uuid]


def _in_use(what: str, description: Description) -> Response:
    return failure(
        400,
        "ResourceInUseException",
        f"Cannot {what} the event source mapping because it is {description.state.lower()}.",
    )


# --- Reading


def get(request: Request) -> Response | None:
    """GetEventSourceMapping."""
    if _is_moto(request):
        return None
    feed = _found(request)
    return _not_found() if feed is None else _answer(200, feed.description.as_answer())


def list_mappings(request: Request) -> Response:
    """ListEventSourceMappings, those of queues included."""
    asked = parse_qs(urlsplit(request.url).query)
    source, name = asked.get("EventSourceArn", [None])[0], asked.get("FunctionName", [None])[0]
    arn = None if name is None else _function_arn(request, {"FunctionName": name})
    ours = [
        feed.description.as_answer()
        for feed in _feeds.values()
        if (feed.description.account, feed.description.region) == (request.account, request.region)
        and source in (None, feed.description.source_arn)
        and arn in (None, feed.description.function_arn)
    ]
    theirs = [
        one.get_configuration()
        for one in lambda_backends[request.account][request.region].list_event_source_mappings(source or "", "")
        if arn in (None, one.function_arn)
    ]
    return _page([*ours, *theirs], asked)


def _page(mappings: list[dict[str, Any]], asked: dict[str, list[str]]) -> Response:
    limit, begin_at = int(asked.get("MaxItems", ["100"])[0]), int(asked.get("Marker", ["0"])[0])
    body: dict[str, Any] = {"EventSourceMappings": mappings[begin_at : begin_at + limit]}
    if begin_at + limit < len(mappings):
        body["NextMarker"] = str(begin_at + limit)
    return _answer(200, body)


OPERATIONS = {
    "lambda:CreateEventSourceMapping": create,
    "lambda:UpdateEventSourceMapping": update,
    "lambda:DeleteEventSourceMapping": delete,
    "lambda:GetEventSourceMapping": get,
    "lambda:ListEventSourceMappings": list_mappings,
}
