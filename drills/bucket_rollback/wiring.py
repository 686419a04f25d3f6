"""What a call that is sent without boto3 must keep to: who listens to the client, where it sends, with what.

Whatever cannot be told of a client, or would be answered otherwise by it, is left to boto3. Source of the events and
their order: botocore, ``BaseClient._make_api_call`` and ``Endpoint._send_request``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session, get_cert_path

Listener = Callable[..., Any]
OPERATIONS = ("CopyObject", "HeadObject", "ListObjectVersions")
TOLD = ("before-parameter-build", "before-call", "after-call")
"""The events at which others may look on; they hear the same from a call without boto3."""
NOT_TOLD = (
    "provide-client-params",
    "before-endpoint-resolution",
    "request-created",
    "choose-signer",
    "before-sign",
    "response-received",
    "before-parse",
    "needs-retry",
)
"""Whoever listens here may change the call or its answer, so that only boto3 can make it."""
HARMLESS_S3_CONFIG = ("addressing_style", "us_east_1_regional_endpoint", "use_dualstack_endpoint")


@dataclass(frozen=True, slots=True)
class Place:
    """Where requests about one bucket go. ``path`` ends before the slash in front of the key."""

    secure: bool
    host: str
    path: str
    region: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One call, as its listeners hear of it."""

    operation: str
    params: dict[str, Any]
    context: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wiring:
    """One client, whose calls may be sent without boto3."""

    client: Any
    credentials: Any
    certificates: str
    timeout_seconds: float | None
    listeners: Mapping[tuple[str, str], tuple[Listener, ...]]

    def place(self, bucket: str) -> Place | None:
        """Where the client itself would send: an endpoint of the user's, path or virtual style, dual stack, ..."""
        context: dict[str, Any] = {}
        url, more, _ = self.client._resolve_endpoint_ruleset(
            self._model("HeadObject"), {"Bucket": bucket, "Key": "key"}, context
        )
        signing, there = context.get("signing", {}), urlsplit(url)
        region = signing.get("region") or self.client.meta.region_name
        if more or context.get("auth_type", "v4") != "v4" or signing.get("signing_name", "s3") != "s3" or not region:
            return None
        return Place(there.scheme == "https", there.netloc, there.path.rstrip("/"), region)

    def before(self, asked: Asked, method: str, url: str, headers: Mapping[str, str]) -> bool:
        """Tell those who listen of a call that is about to be sent. False: one of them wants another call, or answers.

        What they raise stops the call, as it does with boto3.
        """
        if not self._hears(asked.operation):
            return True
        model = self._model(asked.operation)
        asked.context.update(
            client_region=self.client.meta.region_name,
            client_config=self.client.meta.config,
            has_streaming_input=model.has_streaming_input,
            auth_type=model.resolved_auth_type,
        )
        params = dict(asked.params)
        for listener in self.listeners[asked.operation, TOLD[0]]:
            listener(event_name=f"{TOLD[0]}.s3.{asked.operation}", params=params, model=model, context=asked.context)
        request = {"method": method, "url": url, "headers": dict(headers), "body": b"", "context": asked.context}
        for listener in self.listeners[asked.operation, TOLD[1]]:
            answer = listener(
                event_name=f"{TOLD[1]}.s3.{asked.operation}",
                model=model,
                params=request,
                request_signer=self.client._request_signer,
                context=asked.context,
            )
            if answer is not None:
                return False
        return params == asked.params and request["headers"] == headers and request["url"] == url

    def after(self, asked: Asked, url: str, headers: Mapping[str, str], parsed: Mapping[str, Any]) -> None:
        """Tell those who listen of a good answer."""
        listeners = self.listeners[asked.operation, TOLD[2]]
        if not listeners:
            return
        told = {"HTTPStatusCode": 200, "HTTPHeaders": dict(headers), "RetryAttempts": 0}
        for listener in listeners:
            listener(
                event_name=f"{TOLD[2]}.s3.{asked.operation}",
                http_response=AWSResponse(url, 200, dict(headers), None),  # type: ignore[arg-type]
                parsed={"ResponseMetadata": told, **parsed},
                model=self._model(asked.operation),
                context=asked.context,
            )

    def _hears(self, operation: str) -> bool:
        return any(self.listeners[operation, event] for event in TOLD)

    def _model(self, operation: str) -> Any:
        return self.client.meta.service_model.operation_model(operation)


def wiring_of(s3: Any) -> Wiring | None:
    """None for a client whose calls boto3 must make: what it is made of is not known, or answers in place of S3."""
    try:
        config, session, credentials = s3.meta.config, s3._endpoint.http_session, s3._request_signer._credentials
        listeners = _listeners(s3)
        s3._resolve_endpoint_ruleset  # noqa: B018 - only whether this botocore has it
        verify = session._verify
    except AttributeError:
        return None
    sent = all(sends_over_the_network(s3, operation) for operation in OPERATIONS)
    if listeners is None or not sent or not callable(getattr(credentials, "get_frozen_credentials", None)):
        return None
    proxied = config.proxies or getproxies().get(urlsplit(s3.meta.endpoint_url).scheme)
    unlike = [name for name, value in (config.s3 or {}).items() if value and name not in HARMLESS_S3_CONFIG]
    if proxied or unlike or config.client_cert or config.signature_version != "s3v4" or not verify:
        return None
    return Wiring(s3, credentials, str(get_cert_path(verify)), config.read_timeout, listeners)


def sends_over_the_network(s3: Any, operation: str) -> bool:
    """Whether botocore itself sends a call; a simulated AWS answers it in place of that."""
    try:
        # A simulated AWS answers before the call is sent, and botocore itself slows down here where it is told to.
        listened = _registered(s3, "before-send", operation)
        session = s3._endpoint.http_session
    except AttributeError:
        return False
    as_made = URLLib3Session.send.__module__ == "botocore.httpsession"
    return not listened and type(session) is URLLib3Session and as_made


def _listeners(s3: Any) -> Mapping[tuple[str, str], tuple[Listener, ...]] | None:
    """Others' listeners by operation and event; None where one of them needs boto3 to make the call."""
    found: dict[tuple[str, str], tuple[Listener, ...]] = {}
    for operation in OPERATIONS:
        for event in (*TOLD, *NOT_TOLD):
            others = [one for one in _registered(s3, event, operation) if not _is_known(one)]
            if others and event in NOT_TOLD:
                return None
            found[operation, event] = tuple(others)
    return found


def _registered(s3: Any, event: str, operation: str) -> list[Listener]:
    return list(s3.meta.events._emitter._handlers.prefix_search(f"{event}.s3.{operation}"))


def _is_known(listener: Listener) -> bool:
    """Whether it is botocore's own, reads a listing for us, or learns the secrets that calls are signed with, which
    what is sent without boto3 tells as well."""
    ours = ("botocore.", "drills.bucket_rollback.", "drills.sessions")
    return str(getattr(listener, "__module__", "")).startswith(ours)
