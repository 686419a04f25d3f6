"""A region that is down and an account that is lost, on this side of the wire: such calls are not sent.

Neither can be had for real in an account that is to be used again. Each call is refused in the words that AWS would
use; whether AWS itself would refuse it as well is proved elsewhere, by a session whose policy denies everything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import EndpointConnectionError

CONTEXT = "drills_barriers"
ARN = re.compile(r"^arn:[\w-]+:[\w-]+:([\w-]*):([0-9]{12}):")
BUCKET_ARN = re.compile(r"^arn:[\w-]+:s3:::([^/]+)")
QUEUE_URL = re.compile(r"^https?://[^/]+/([0-9]{12})/")
CONTENT = frozenset(
    {"Item", "Items", "Key", "RequestItems", "TransactItems", "Body", "Policy", "PolicyDocument", "Tags", "Value"}
    | {
        "ResourcePolicy",
        "ExpressionAttributeValues",
        "AssumeRolePolicyDocument",
        "Environment",
        "Metadata",
        "Dimensions",
    }
)
"""Parameters whose value is content: what they name is not what the call is about."""
INVALID = {
    "s3": "InvalidAccessKeyId",
    "dynamodb": "UnrecognizedClientException",
    "lambda": "UnrecognizedClientException",
}
Told = Callable[[dict[str, Any], str, str, str], None]


class Barriers:
    """What is lost and what is down in one world, and which bucket lies where."""

    def __init__(self) -> None:
        self.lost: set[str] = set()
        """Ids of accounts."""
        self.down: set[str] = set()
        self._buckets: dict[str, tuple[str, str]] = {}

    def check(self, account: str, region: str) -> None:
        """Raises EndpointConnectionError for a connection, which is no API call, to what is lost or down."""
        if region in self.down or account in self.lost:
            what = f"region {region} is down" if region in self.down else f"the account {account} is lost"
            raise EndpointConnectionError(endpoint_url=f"a server of {account} in {region} ({what} in this drill)")

    def lies(self, bucket: str, account: str, region: str) -> None:
        """A bucket that was made before this world was there lies there."""
        self._buckets[bucket] = (account, region)

    def watch(self, client: Any, account: str, told: Told) -> None:
        """Refuse this client's calls that meet a barrier. ``told`` learns of those that no answer is made up for."""
        region = str(client.meta.region_name)

        def asked(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
            context[CONTEXT] = dict(params)

        def sending(model: Any, context: dict[str, Any], **_: Any) -> Any:
            service, operation = model.service_model.service_name, model.name
            params = context.get(CONTEXT, {})
            regions, accounts = self._touched(params)
            if self.down & {region, *regions}:
                told(context, service, operation, "EndpointConnectionError")
                raise EndpointConnectionError(endpoint_url=client.meta.endpoint_url)
            if account in self.lost:
                return _refusal(INVALID.get(service, "InvalidClientTokenId"), f"the account {account} is lost")
            if lost := self.lost & set(accounts):
                return _refusal("AccessDenied", f"the account {min(lost)}, which the call is about, is lost")
            return None

        def answered(parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
            if model.name == "CreateBucket" and parsed.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) < 300:
                self._buckets[str(context[CONTEXT]["Bucket"])] = (account, region)

        for event, listener in (("before-parameter-build", asked), ("before-call", sending), ("after-call", answered)):
            client.meta.events.register(event, listener, unique_id=f"drills-barriers-{event}")

    def _touched(self, params: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """The regions and accounts of what a call names."""
        regions: list[str] = []
        accounts: list[str] = []
        for name, text in _texts(params, ""):
            bucket = BUCKET_ARN.match(text)
            known = self._buckets.get(bucket[1] if bucket else text.partition("/")[0])
            if known is not None and (bucket or name in ("Bucket", "CopySource")):
                accounts.append(known[0])
                regions.append(known[1])
            if arn := ARN.match(text):
                # Where an ARN is named of a region that is down, AWS needs that region: a backup's, a source table's.
                accounts.append(arn[2])
                regions.append(arn[1])
            if queue := QUEUE_URL.match(text):
                accounts.append(queue[1])
        return regions, accounts


def _texts(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key not in CONTENT:
                yield from _texts(item, str(key))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item, name)


class _NotSent:
    """Stands for the HTTP answer of a call that was not sent."""

    status_code = 403


def _refusal(code: str, why: str) -> tuple[_NotSent, dict[str, Any]]:
    message = f"{why} in this drill: the call was not sent"
    metadata = {"HTTPStatusCode": 403, "HTTPHeaders": {}, "RetryAttempts": 0}
    return _NotSent(), {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}
