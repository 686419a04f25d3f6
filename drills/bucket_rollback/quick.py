"""CopyObject, HeadObject and ListObjectVersions at little more than the cost of their bytes.

boto3 takes about a millisecond of this machine for a call, and Python takes one at a time: that bounds a roll-back of
millions of objects before S3 does. Here the three calls it consists of are signed and sent directly, with the client's
own credentials, endpoint and certificates, and the client's listeners hear of them. Only an answer that is plainly good
counts; whatever else comes, a refusal, a throttle, a lost connection, makes the call again through boto3, which knows
how to wait, to try again and what to raise.
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
from urllib.parse import quote

from drills.bucket_rollback.wiring import Asked, Place, Wiring, wiring_of
from drills.redaction import learn

EMPTY = hashlib.sha256(b"").hexdigest()
ALGORITHM = "AWS4-HMAC-SHA256"
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
QUERY: Mapping[str, str] = {
    "EncodingType": "encoding-type",
    "KeyMarker": "key-marker",
    "Prefix": "prefix",
    "VersionIdMarker": "version-id-marker",
}
HEAD_BYTES = 1_000
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
    """The three calls of one client."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._agent = str(wiring.client.meta.config.user_agent)
        self._places: dict[str, Place | None] = {}
        self._threads = threading.local()
        self._opened: list[http.client.HTTPConnection] = []
        self._keys: dict[tuple[str, str, str], bytes] = {}

    def head(self, bucket: str, key: str, version_id: str, owner: str | None) -> Mapping[str, Any] | None:
        """What a copy must say again of an object, by boto3's names; None: ask boto3."""
        headers = {HEADERS["ExpectedBucketOwner"]: owner} if owner else {}
        params = {"Bucket": bucket, "Key": key, "VersionId": version_id}
        if owner:
            params["ExpectedBucketOwner"] = owner
        query = f"versionId={quote(version_id, safe='')}"
        answer = self._send("HEAD", Asked("HeadObject", params), key, query, headers)
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
        of = {"Bucket": source, "Key": key, "VersionId": version_id}
        asked = Asked("CopyObject", {"Bucket": bucket, "Key": key, "CopySource": of, **wanted})
        # S3 may find an error after it has begun to answer with 200.
        answer = self._send("PUT", asked, key, "", headers, b"<CopyObjectResult")
        return answer[0].get("x-amz-version-id") if answer is not None else None

    def versions(self, request: Mapping[str, Any]) -> bytes | None:
        """One page of a listing as S3 sends it, for a request in boto3's names; None: ask boto3."""
        if not request.keys() <= {"Bucket", "ExpectedBucketOwner", *QUERY}:
            return None
        owner = request.get("ExpectedBucketOwner")
        headers = {HEADERS["ExpectedBucketOwner"]: owner} if owner else {}
        asked = [f"{name}={quote(request[of], safe='~')}" for of, name in QUERY.items() if of in request]
        # In the order of names, as a signature wants it.
        query = "&".join((*asked, "versions="))
        answer = self._send(
            "GET", Asked("ListObjectVersions", dict(request)), "", query, headers, b"ListVersionsResult"
        )
        return answer[1] if answer is not None else None

    def _send(
        self, method: str, asked: Asked, key: str, query: str, headers: dict[str, str], good: bytes = b""
    ) -> tuple[dict[str, str], bytes] | None:
        bucket = asked.params["Bucket"]
        if bucket not in self._places:
            self._places[bucket] = self._wiring.place(bucket)
        place = self._places[bucket]
        if place is None or not "".join(headers.values()).isascii():
            return None
        path = f"{place.path}/{quote(key, safe='/~')}" if key else place.path or "/"
        target = f"{path}?{query}" if query else path
        url = f"{'https' if place.secure else 'http'}://{place.host}{target}"
        if not self._wiring.before(asked, method, url, headers):
            return None
        signed = self._signed(method, place, path, query, headers)
        connection = self._connection(place)
        try:
            connection.request(method, target, headers=signed)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return None
        if answer.status != 200 or good not in body[:HEAD_BYTES]:
            return None
        found = {name.lower(): value for name, value in answer.getheaders()}
        known = {"VersionId": found["x-amz-version-id"]} if "x-amz-version-id" in found else {}
        self._wiring.after(asked, url, found, known)
        return found, body

    def _connection(self, place: Place) -> http.client.HTTPConnection:
        known: dict[str, http.client.HTTPConnection] = self._threads.__dict__
        if place.host not in known:
            seconds = self._wiring.timeout_seconds
            if place.secure:
                certificates = self._wiring.certificates
                where = {"capath" if os.path.isdir(certificates) else "cafile": certificates}
                context = ssl.create_default_context(**where)  # type: ignore[arg-type]
                known[place.host] = http.client.HTTPSConnection(place.host, timeout=seconds, context=context)
            else:
                known[place.host] = http.client.HTTPConnection(place.host, timeout=seconds)
            self._opened.append(known[place.host])
        return known[place.host]

    def close(self) -> None:
        """Close the connections of all threads."""
        for connection in self._opened:
            connection.close()

    def _signed(self, method: str, place: Place, path: str, query: str, headers: dict[str, str]) -> dict[str, str]:
        """The headers with a signature. Source: S3 API reference, Signature Version 4 in the Authorization header."""
        credentials = self._wiring.credentials.get_frozen_credentials()
        learn(credentials.secret_key, credentials.token)
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        headers = {**headers, "host": place.host, "x-amz-date": moment, "x-amz-content-sha256": EMPTY}
        if credentials.token:
            headers["x-amz-security-token"] = credentials.token
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in sorted(headers))
        asked = "\n".join((method, path, query, lines, names, EMPTY))
        scope = f"{moment[:8]}/{place.region}/s3/aws4_request"
        text = "\n".join((ALGORITHM, moment, scope, hashlib.sha256(asked.encode()).hexdigest()))
        key = self._key(credentials.secret_key, moment[:8], place.region)
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        headers["authorization"] = (
            f"{ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        headers["user-agent"] = self._agent
        return headers

    def _key(self, secret: str, day: str, region: str) -> bytes:
        known = self._keys.get((secret, day, region))
        if known is None:
            known = f"AWS4{secret}".encode()
            for part in (day, region, "s3", "aws4_request"):
                known = hmac.new(known, part.encode(), hashlib.sha256).digest()
            self._keys = {(secret, day, region): known}
        return known


def quick_of(s3: Any) -> Quick | None:
    """None for a client whose calls boto3 must make."""
    wiring = wiring_of(s3)
    return None if wiring is None else Quick(wiring)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else str(value)
