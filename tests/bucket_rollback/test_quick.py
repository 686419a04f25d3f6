"""Copies sent without boto3: what they keep, and that whatever is not plainly good is done by boto3."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import Request, urlopen

import pytest
import time_machine
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

from drills.bucket_rollback import quick as quick_module
from drills.bucket_rollback import roll_back
from drills.bucket_rollback.quick import Quick
from tests.benchmarks.s3_endpoint import ACCOUNT, SOURCE, client_of, make_buckets
from tests.bucket_rollback.buckets import contents

KEY = "invoices//a + ü.txt"


@pytest.fixture
def s3() -> Iterator[Any]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = client_of(f"http://{host}:{port}")
    make_buckets(client)
    try:
        yield client
    finally:
        client.close()
        urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
        server.stop()


def calls_of(s3: Any) -> list[str]:
    calls: list[str] = []
    s3.meta.events.register("after-call.s3.*", lambda model, **_: calls.append(model.name))
    return calls


def overwritten(s3: Any) -> datetime:
    """A moment between a good version, made older, and a bad one."""
    s3.put_object(Bucket=SOURCE, Key=KEY, Body=b"good", Metadata={"city": "paris"}, ContentType="text/x", Tagging="a=b")
    s3_backends[ACCOUNT]["aws"].get_object(SOURCE, KEY).last_modified -= timedelta(hours=1)
    s3.put_object(Bucket=SOURCE, Key=KEY, Body=b"bad")
    return datetime.now(UTC) - timedelta(minutes=30)


def test_it_is_boto3s_roll_back_without_its_calls(s3: Any) -> None:
    to, calls = overwritten(s3), calls_of(s3)
    report = roll_back(s3, SOURCE, to, workers=2, quick=Credentials("a", "b"))
    assert report.counts["copied"] == 1
    assert not {"CopyObject", "HeadObject"} & set(calls)
    found = s3.get_object(Bucket=SOURCE, Key=KEY)
    assert (found["Body"].read(), found["Metadata"], found["ContentType"]) == (b"good", {"city": "paris"}, "text/x")
    assert s3.get_object_tagging(Bucket=SOURCE, Key=KEY)["TagSet"] == [{"Key": "a", "Value": "b"}]


def test_what_does_not_work_is_done_by_boto3(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    to, calls = overwritten(s3), calls_of(s3)
    monkeypatch.setattr(Quick, "_place", lambda *_: ("127.0.0.1:1", "/nowhere"))
    roll_back(s3, SOURCE, to, workers=1, quick=Credentials("a", "b"))
    assert {"CopyObject", "HeadObject"} <= set(calls)
    assert contents(s3, SOURCE) == {KEY: b"good"}


def test_a_refusal_is_boto3s_to_tell(s3: Any) -> None:
    quick = Quick(s3, Credentials("a", "b"))
    overwritten(s3)
    assert quick.head(SOURCE, KEY, "no-such-version", None) is None
    assert quick.copy(SOURCE, KEY, SOURCE, "no-such-version", {}) is None
    assert quick.copy(SOURCE, KEY, SOURCE, "v", {"NoSuchParameter": "x"}) is None
    quick.close()


def test_a_proxy_is_left_to_boto3(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick_module, "getproxies", lambda: {"http": "http://proxy:3128"})
    overwritten(s3)
    of = s3.list_object_versions(Bucket=SOURCE)["Versions"][0]["VersionId"]
    assert Quick(s3, Credentials("a", "b")).head(SOURCE, KEY, of, None) is None


@pytest.mark.parametrize("token", [None, "session"])
def test_the_signature_is_botocores(s3: Any, token: str | None) -> None:
    credentials = Credentials("AKIDEXAMPLE", "secret", token)
    quick = Quick(s3, credentials)
    host, path = quick._place(SOURCE, KEY)
    more = {"x-amz-storage-class": "STANDARD", "x-amz-website-redirect-location": "/two  blanks"}
    ours = quick._signed("HEAD", host, path, "versionId=v%2B1", more)

    request = AWSRequest("HEAD", f"http://{host}{path}?versionId=v%2B1", headers=more)
    request.context["payload_signing_enabled"] = True
    moment = datetime.strptime(ours["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    with time_machine.travel(moment, tick=False):
        S3SigV4Auth(credentials, "s3", s3.meta.region_name).add_auth(request)
    assert ours["authorization"].encode() == request.headers["Authorization"].encode()
