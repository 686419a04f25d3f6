"""The XML that S3 and S3 Control speak, read and written by botocore's own description of it, and refusals."""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import cache
from typing import Any
from xml.etree import ElementTree

from botocore import parsers, serialize
from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

from drills.simulator.request import Request, Response, error_response

NAMESPACES = {
    "s3": "http://s3.amazonaws.com/doc/2006-03-01/",
    "s3control": "http://awss3control.amazonaws.com/doc/2018-08-20/",
}
Document = dict[str, Any]
"""A structure as boto3 has it."""


class Refused(Exception):
    """AWS refuses the call: becomes an error response with this code, message and HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def malformed() -> Refused:
    text = "The XML you provided was not well-formed or did not validate against our published schema"
    return Refused("MalformedXML", text)


def invalid(message: str) -> Refused:
    return Refused("InvalidRequest", message)


def operation(handler: Callable[[Request], Response | None]) -> Callable[[Request], Response | None]:
    """A gate handler that may raise Refused."""

    @functools.wraps(handler)
    def handle(request: Request) -> Response | None:
        try:
            return handler(request)
        except Refused as refusal:
            return error_response(request, refusal.code, refusal.message, refusal.status)

    return handle


def read(body: bytes, shape: str, service: str = "s3") -> Document:
    """The document in a request's body. Raises Refused when it is none of this shape."""
    parser: Any = parsers.RestXMLParser()
    try:
        root = parser._parse_xml_string_to_dom(body)
        found = parser._parse_shape(_shape(service, shape), root)
    except (parsers.ResponseParserError, ValueError, KeyError) as error:
        raise malformed() from error
    if not isinstance(found, dict):
        raise malformed()
    return found


def written(document: Document, shape: str, name: str = "", service: str = "s3") -> bytes:
    """The document as XML, under this name of its root."""
    holder = ElementTree.Element("holder")
    serializer: Any = serialize.create_serializer("rest-xml", False)
    serializer._serialize(_shape(service, shape), document, holder, name or shape)
    root = holder[0]
    root.set("xmlns", NAMESPACES[service])
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root)


def answer(document: Document, shape: str, name: str = "", service: str = "s3") -> Response:
    """A successful response with this document."""
    body = written(document, shape, name, service)
    return 200, {"content-type": "application/xml", "content-length": str(len(body))}, body


def nothing(status: int = 200) -> Response:
    return status, {"content-length": "0"}, b""


@cache
def _model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


@cache
def _shape(service: str, name: str) -> Shape:
    return _model(service).shape_for(name)
