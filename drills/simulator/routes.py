"""Which operation of a REST service a method and a path are, for calls that no botocore client named."""

from __future__ import annotations

import re
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader

SERVICES_BY_SIGNING_NAME = {
    "monitoring": "cloudwatch",
    "states": "stepfunctions",
    "tagging": "resourcegroupstaggingapi",
}
COPIES = frozenset({"CopyObject", "UploadPartCopy"})
"""They differ from PutObject and UploadPart in a header only, and need the same permission on the target."""
BUCKET_IN_HOST = re.compile(r"^(?P<bucket>.+)\.s3[.-]")


def operation_of(service: str, method: str, url: str) -> str:
    """The operation's name, empty when none of the service's routes fits."""
    parts = urlsplit(url)
    path, asked = parts.path or "/", {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    if service == "s3" and (bucket := BUCKET_IN_HOST.match(parts.hostname or "")):
        path = f"/{bucket['bucket']}{path}"
    best, best_score = "", -1
    for route in _routes(service):
        if route.method != method or not route.needs <= asked or not route.path.match(path):
            continue
        score = 10 * len(route.needs) + route.literals
        if score > best_score:
            best, best_score = route.operation, score
    return best


class _Route:
    """One operation's method, path and the query parameters that tell it from its neighbours."""

    def __init__(self, operation: str, http: dict[str, Any]) -> None:
        template, _, query = http["requestUri"].partition("?")
        self.operation = operation
        self.method = http["method"]
        self.needs = {name for name, _ in parse_qsl(query, keep_blank_values=True)}
        pieces = [piece for piece in template.split("/") if piece]
        self.literals = sum(not piece.startswith("{") for piece in pieces)
        self.path = re.compile("^/" + "/".join(self._pattern(piece) for piece in pieces) + "/?$")

    @staticmethod
    def _pattern(piece: str) -> str:
        if piece.startswith("{"):
            return ".+" if piece.endswith("+}") else "[^/]+"
        return re.escape(piece)


@cache
def _routes(service: str) -> tuple[_Route, ...]:
    name = SERVICES_BY_SIGNING_NAME.get(service, service)
    if not re.fullmatch(r"[a-z0-9-]+", name):
        return ()
    try:
        operations = Loader().load_service_model(name, "service-2")["operations"]
    except UnknownServiceError:
        return ()
    return tuple(_Route(name, one["http"]) for name, one in operations.items() if "http" in one and name not in COPIES)
