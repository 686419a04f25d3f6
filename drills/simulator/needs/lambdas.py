"""What calls of Lambda need. Source: service authorization reference, AWS Lambda."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from drills.simulator.needs.need import Need, action, arn, named
from drills.simulator.request import Request

ACTIONS = {"Invoke": "InvokeFunction", "InvokeWithResponseStream": "InvokeFunction", "InvokeAsync": "InvokeAsync"}
IN_PATH = re.compile(r"/(functions|layers|event-source-mappings|tags)/([^/]+)")
KINDS = {"functions": "function:", "layers": "layer:", "event-source-mappings": "event-source-mapping:", "tags": ""}
WITH_ROLE = ("CreateFunction", "UpdateFunctionConfiguration")


def needs(request: Request) -> Iterator[Need]:
    found = IN_PATH.search(unquote(urlsplit(request.url).path))
    name = found[2] if found else named(request, "FunctionName")
    kind = KINDS[found[1]] if found else "function:"
    about_mappings = request.operation.endswith(("EventSourceMapping", "EventSourceMappings"))
    function = named(request, "FunctionName")
    keys = {"lambda:functionarn": (_arn(request, function, "function:"),) if function else None}
    if (about_mappings and not found) or not name:
        yield Need(action(request), "*", keys)
    else:
        yield Need(action(request, ACTIONS.get(request.operation, "")), _arn(request, name, kind), keys)
    role = named(request, "Role") if request.operation in WITH_ROLE else ""
    if role:
        yield Need("iam:PassRole", role, {"iam:passedtoservice": ("lambda.amazonaws.com",)})


def _arn(request: Request, name: str, kind: str) -> str:
    if name.startswith("arn:"):
        return name
    partial = re.fullmatch(r"\d{12}:function:(.+)", name)
    return arn(request, kind + (partial[1] if partial else name))
