"""One RDS call as handlers have it: its parameters by the API's own model, its answer as the API words it.

Source of shapes and their wire form: botocore's model of RDS, which both sides are read from.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any
from urllib.parse import parse_qsl

from botocore.utils import parse_timestamp
from moto.core.parse import QueryParser
from moto.core.utils import get_service_model

from drills.simulator.rds.answers import written
from drills.simulator.rds.state import databases
from drills.simulator.request import Request, Response, error_response

Handler = Callable[["Call"], Mapping[str, Any] | None]
PAGE = 100
IDENTITY = {
    "DBInstances": "DBInstanceArn",
    "DBClusters": "DBClusterArn",
    "DBSnapshots": "DBSnapshotArn",
    "DBClusterSnapshots": "DBClusterSnapshotArn",
    "DBInstanceAutomatedBackups": "DBInstanceAutomatedBackupsArn",
    "DBClusterAutomatedBackups": "DBClusterAutomatedBackupsArn",
    "GlobalClusters": "GlobalClusterArn",
    "OptionGroupsList": "OptionGroupArn",
    "Parameters": "ParameterName",
    "Events": "Number",
}
"""By the list of a Describe call's answer: what tells one of it from the others."""


class Refused(Exception):
    """A refusal in AWS's words. ``code`` as on the wire, such as ``DBInstanceNotFound``."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class Call:
    """A call: ``params`` are typed as the API's model says; what was not given is not there."""

    request: Request
    params: Mapping[str, Any]

    @property
    def account(self) -> str:
        return self.request.account

    @property
    def region(self) -> str:
        return self.request.region


def answering(handler: Handler) -> Callable[[Request], Response | None]:
    """A gate handler from one that gets a Call and gives the result's members, None to leave the call to moto."""

    @functools.wraps(handler)
    def handle(request: Request) -> Response | None:
        operation = get_service_model("rds").operation_model(request.operation)
        parser = QueryParser(operation, timestamp_parser=_moment)
        given = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        params = parser.parse({"values": given})
        try:
            result = handler(Call(request, params))
        except Refused as refusal:
            return error_response(request, refusal.code, refusal.message, refusal.status)
        if result is None:
            return None
        return 200, {"Content-Type": "text/xml"}, written(operation, result)

    return handle


def _moment(text: str) -> datetime:
    moment: datetime = parse_timestamp(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def page(call: Call, found: Sequence[Mapping[str, Any]], member: str) -> Mapping[str, Any]:
    """One page of a Describe call: ``Marker`` and ``MaxRecords`` (20 to 100). Raises Refused.

    What goes meanwhile shifts nothing: a marker stands for all that has been shown, so that who deletes as they page
    misses none.
    """
    most = call.params.get("MaxRecords", PAGE)
    if not 20 <= most <= PAGE:
        raise Refused("InvalidParameterValue", f"Invalid value {most} for MaxRecords. Must be between 20 and 100")
    marker, markers = call.params.get("Marker"), databases().markers
    if marker and marker not in markers:
        raise Refused("InvalidParameterValue", f"The marker {marker} is invalid")
    shown = markers[marker] if marker else frozenset()
    left = [one for one in found if one[IDENTITY[member]] not in shown]
    result: dict[str, Any] = {member: left[:most]}
    if len(left) > most:
        shown = shown | {str(one[IDENTITY[member]]) for one in left[:most]}
        result["Marker"] = blake2b(" ".join(sorted(shown)).encode(), digest_size=24).hexdigest()
        markers[result["Marker"]] = shown
    return result
