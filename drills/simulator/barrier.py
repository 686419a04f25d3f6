"""Nothing leaves for the real AWS: below botocore, every way to AWS's hosts is shut while a simulated AWS is active.

The gate answers or refuses what botocore and ``requests`` send. Here are the ways that do not pass it: names that are
looked up, sockets that connect, connections that are open already, and the C library that may carry S3 transfers.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import boto3.s3.transfer
from botocore.httpsession import URLLib3Session
from moto.core import models as moto_core
from moto.core.botocore_stubber import BotocoreStubber

from drills.errors import RealAWSRefused
from drills.simulator import gate
from drills.simulator.outage import METADATA_HOSTS

DOMAINS = (
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "amazonwebservices.com.cn",
    "aws",
    "cloud.adc-e.uk",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "csp.hci.ic.gov",
)
"""AWS's domains, of all its partitions; every name below one is AWS's."""


def is_real_aws(host: object) -> bool:
    """Whether a host name or address is the real AWS's, or lends its credentials."""
    name = (host.decode("latin-1") if isinstance(host, bytes) else str(host or "")).lower().strip("[]").rstrip(".")
    return name in METADATA_HOSTS or any(name == domain or name.endswith(f".{domain}") for domain in DOMAINS)


def shut(stack: ExitStack) -> None:
    """Shut every way until the stack is unwound."""
    patch = mock.patch.object
    for patched in (
        patch(BotocoreStubber, "__call__", gate.stub_call),
        patch(URLLib3Session, "send", gate.send),
        patch(moto_core.botocore_stubber, "process_request", gate.plain_http),
        patch(boto3.s3.transfer, "HAS_CRT", False),
        patch(socket, "getaddrinfo", _guarded(socket.getaddrinfo)),
        patch(socket, "gethostbyname", _guarded(socket.gethostbyname)),
        patch(socket, "gethostbyname_ex", _guarded(socket.gethostbyname_ex)),
        patch(socket.socket, "connect", _connecting(socket.socket.connect)),
        patch(socket.socket, "connect_ex", _connecting(socket.socket.connect_ex)),
        patch(http.client.HTTPConnection, "set_tunnel", _tunnelling(http.client.HTTPConnection.set_tunnel)),
        patch(http.client.HTTPConnection, "putrequest", _requesting(http.client.HTTPConnection.putrequest)),
    ):
        stack.enter_context(patched)


def _refuse(host: object) -> None:
    if is_real_aws(host):
        name = host.decode("latin-1") if isinstance(host, bytes) else host
        raise RealAWSRefused(
            f"{name}: a connection to the real AWS was refused before it was made, because a simulated AWS is active. "
            "Call it through boto3 or requests inside the simulated AWS, or make the call outside of it."
        )


def _guarded(original: Callable[..., Any]) -> Callable[..., Any]:
    def look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
        _refuse(host)
        return original(host, *args, **kwargs)

    return look_up


def _connecting(original: Callable[..., Any]) -> Callable[..., Any]:
    def connect(self: socket.socket, address: Any, /) -> Any:
        if isinstance(address, tuple) and address:
            _refuse(address[0])
        return original(self, address)

    return connect


def _tunnelling(original: Callable[..., Any]) -> Callable[..., Any]:
    def set_tunnel(self: http.client.HTTPConnection, host: str, *args: Any, **kwargs: Any) -> Any:
        _refuse(host.partition(":")[0])
        return original(self, host, *args, **kwargs)

    return set_tunnel


def _requesting(original: Callable[..., Any]) -> Callable[..., Any]:
    def putrequest(self: http.client.HTTPConnection, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        # The connection may have been open before, or go through a proxy, which is told the whole URL.
        for host in (self.host, getattr(self, "_tunnel_host", None), urlsplit(url).hostname):
            _refuse(host)
        return original(self, method, url, *args, **kwargs)

    return putrequest
