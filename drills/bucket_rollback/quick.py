"""CopyObject and HeadObject at little more than the cost of their bytes.

boto3 takes about a millisecond of this machine for a call, and Python takes one at a time: that bounds a roll-back of
millions of objects before S3 does. Here the two calls it consists of are signed and sent directly. Only an answer that
is plainly good counts; whatever else comes, a refusal, a throttle, a lost connection, makes the call again through
boto3, which knows how to wait, to try again and what to raise.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import os
import ssl
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import getproxies

EMPTY = hashlib.sha256(b"").hexdigest()
ALGORITHM = "AWS4-HMAC-SHA256"
TIMEOUT_SECONDS = 60
HEADERS: Mapping[str, str] = {
    "MetadataDirective": "x-amz-metadata-directive",
    "TaggingDirective": "x-amz-tagging-directive",
    "StorageClass": "x-amz-storage-class",
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
    "BucketKeyEnabled": "x-amz-server-side-encryption-bucket-key-enabled",
    "ObjectLockMode": "x-amz-object-lock-mode",
    "ObjectLockRetainUntilDate": "x-amz-object-lock-retain-until-date",
    "ObjectLockLegalHoldStatus": "x-amz-object-lock-legal-hold",
    "WebsiteRedirectLocation": "x-amz-website-redirect-location",
    "GrantFullControl": "x-amz-grant-full-control",
    "GrantRead": "x-amz-grant-read",
    "GrantReadACP": "x-amz-grant-read-acp",
    "GrantWriteACP": "x-amz-grant-write-acp",
    "ExpectedBucketOwner": "x-amz-expected-bucket-owner",
    "ExpectedSourceBucketOwner": "x-amz-source-expected-bucket-owner",
}
TOLD = (
    "ServerSideEncryption",
    "SSEKMSKeyId",
    "BucketKeyEnabled",
    "ObjectLockMode",
    "ObjectLockRetainUntilDate",
    "ObjectLockLegalHoldStatus",
    "WebsiteRedirectLocation",
)


class Quick:
    """The two calls, with the endpoint and region of a client and credentials as a boto3 session gives them."""

    def __init__(self, s3: Any, credentials: Any) -> None:
        self._s3 = s3
        self._credentials = credentials
        self._endpoint = urlsplit(s3.meta.endpoint_url)
        self._region = s3.meta.region_name
        self._path_style = (s3.meta.config.s3 or {}).get("addressing_style") == "path"
        self._threads = threading.local()
        self._opened: list[http.client.HTTPConnection] = []
        self._keys: dict[tuple[str, str], bytes] = {}
        # What a proxy must carry is left to boto3.
        self._usable = not getproxies().get(self._endpoint.scheme)

    def head(self, bucket: str, key: str, version_id: str, owner: str | None) -> Mapping[str, Any] | None:
        """What a copy must say again of an object, by boto3's names; None: ask boto3."""
        headers = {HEADERS["ExpectedBucketOwner"]: owner} if owner else {}
        answer = self._send("HEAD", bucket, key, f"versionId={quote(version_id, safe='')}", headers)
        if answer is None:
            return None
        found = answer[0]
        told: dict[str, Any] = {name: found[HEADERS[name]] for name in TOLD if HEADERS[name] in found}
        if "BucketKeyEnabled" in told:
            told["BucketKeyEnabled"] = told["BucketKeyEnabled"] == "true"
        if "ObjectLockRetainUntilDate" in told:
            told["ObjectLockRetainUntilDate"] = datetime.fromisoformat(told["ObjectLockRetainUntilDate"])
        return told

    def copy(self, bucket: str, key: str, source: str, version_id: str, wanted: Mapping[str, Any]) -> str | None:
        """The new version's id; None: let boto3 do it."""
        if not wanted.keys() <= HEADERS.keys():
            return None
        headers = {HEADERS[name]: _text(value) for name, value in wanted.items()}
        headers["x-amz-copy-source"] = f"{quote(f'{source}/{key}', safe='/~')}?versionId={quote(version_id, safe='')}"
        answer = self._send("PUT", bucket, key, "", headers)
        # S3 may find an error after it has begun to answer with 200.
        if answer is None or b"<CopyObjectResult" not in answer[1]:
            return None
        return answer[0].get("x-amz-version-id")

    def _send(
        self, method: str, bucket: str, key: str, query: str, headers: dict[str, str]
    ) -> tuple[dict[str, str], bytes] | None:
        if not self._usable:
            return None
        host, path = self._place(bucket, key)
        signed = self._signed(method, host, path, query, headers)
        connection = self._connection(host)
        try:
            connection.request(method, f"{path}?{query}" if query else path, headers=signed)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return None
        if answer.status != 200:
            return None
        return {name.lower(): value for name, value in answer.getheaders()}, body

    def _place(self, bucket: str, key: str) -> tuple[str, str]:
        path = quote(key, safe="/~")
        # A bucket with a dot in its name has no certificate as a host.
        if (
            self._path_style
            or "." in bucket
            or not self._endpoint.netloc.endswith(("amazonaws.com", "amazonaws.com.cn"))
        ):
            return self._endpoint.netloc, f"/{bucket}/{path}"
        return f"{bucket}.{self._endpoint.netloc}", f"/{path}"

    def _connection(self, host: str) -> http.client.HTTPConnection:
        known: dict[str, http.client.HTTPConnection] = self._threads.__dict__
        if host not in known:
            if self._endpoint.scheme == "https":
                context = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))
                known[host] = http.client.HTTPSConnection(host, timeout=TIMEOUT_SECONDS, context=context)
            else:
                known[host] = http.client.HTTPConnection(host, timeout=TIMEOUT_SECONDS)
            self._opened.append(known[host])
        return known[host]

    def close(self) -> None:
        """Close the connections of all threads."""
        for connection in self._opened:
            connection.close()

    def _signed(self, method: str, host: str, path: str, query: str, headers: dict[str, str]) -> dict[str, str]:
        """The headers with a signature. Source: S3 API reference, Signature Version 4 in the Authorization header."""
        credentials = self._credentials.get_frozen_credentials()
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        headers = {**headers, "host": host, "x-amz-date": moment, "x-amz-content-sha256": EMPTY}
        if credentials.token:
            headers["x-amz-security-token"] = credentials.token
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in sorted(headers))
        asked = "\n".join((method, path, query, lines, names, EMPTY))
        scope = f"{moment[:8]}/{self._region}/s3/aws4_request"
        text = "\n".join((ALGORITHM, moment, scope, hashlib.sha256(asked.encode()).hexdigest()))
        signature = hmac.new(self._key(credentials.secret_key, moment[:8]), text.encode(), hashlib.sha256).hexdigest()
        headers["authorization"] = (
            f"{ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        return headers

    def _key(self, secret: str, day: str) -> bytes:
        if (secret, day) not in self._keys:
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, "s3", "aws4_request"):
                key = hmac.new(key, part.encode(), hashlib.sha256).digest()
            self._keys = {(secret, day): key}
        return self._keys[secret, day]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else str(value)
