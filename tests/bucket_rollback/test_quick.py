"""Copies sent without boto3: what they keep, who hears of them, and that whatever is not plainly good boto3 does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import Request, urlopen

import boto3
import botocore.session
import pytest
import time_machine
from botocore import UNSIGNED
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.credentials import CredentialResolver, Credentials, RefreshableCredentials
from botocore.exceptions import CredentialRetrievalError
from moto.core.botocore_stubber import MockRawResponse
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

from drills.bucket_rollback import RollBackStopped, keys_of, roll_back, wiring
from drills.bucket_rollback.quick import Quick, quick_of
from drills.errors import ProtectionError
from drills.guard import Guard
from drills.redaction import text_of_a_crash
from drills.simulator import SimulatedAWS
from tests.benchmarks.s3_endpoint import ACCOUNT, CREDENTIALS, SOURCE, client_of, make_buckets, unstubbed
from tests.bucket_rollback.buckets import contents

KEY = "invoices//a + ü.txt"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
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


def quick_way(s3: Any) -> Quick:
    found = quick_of(s3)
    assert found is not None
    return found


def sent_by_boto3(s3: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operations that boto3 itself sends from now on."""
    calls: list[str] = []
    whole = s3._endpoint.make_request

    def make_request(model: Any, request: Any) -> Any:
        calls.append(model.name)
        return whole(model, request)

    monkeypatch.setattr(s3._endpoint, "make_request", make_request)
    return calls


def test_what_a_call_without_boto3_is_signed_with_is_masked(s3: Any) -> None:
    s3.put_object(Bucket=SOURCE, Key=KEY, Body=b"good")
    version, secret = s3.head_object(Bucket=SOURCE, Key=KEY)["VersionId"], "a-secret-that-was-renewed-meanwhile"
    s3._request_signer._credentials.secret_key = secret
    assert secret in text_of_a_crash(f"in {secret}")
    assert quick_way(s3).head(SOURCE, KEY, version, None) is not None
    assert secret not in text_of_a_crash(f"in {secret}")


def overwritten(s3: Any) -> datetime:
    """A moment between a good version, made older, and a bad one."""
    s3.put_object(Bucket=SOURCE, Key=KEY, Body=b"good", Metadata={"city": "paris"}, ContentType="text/x", Tagging="a=b")
    s3_backends[ACCOUNT]["aws"].get_object(SOURCE, KEY).last_modified -= timedelta(hours=1)
    s3.put_object(Bucket=SOURCE, Key=KEY, Body=b"bad")
    return datetime.now(UTC) - timedelta(minutes=30)


# --- What it does ---------------------------------------------------------------------------------------------------


def test_it_is_boto3s_roll_back_without_its_calls(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    to, calls = overwritten(s3), sent_by_boto3(s3, monkeypatch)
    report = roll_back(s3, SOURCE, to, workers=2)
    assert report.counts["copied"] == 1
    assert "GetBucketVersioning" in calls
    assert not {"CopyObject", "HeadObject", "ListObjectVersions"} & set(calls)
    found = s3.get_object(Bucket=SOURCE, Key=KEY)
    assert (found["Body"].read(), found["Metadata"], found["ContentType"]) == (b"good", {"city": "paris"}, "text/x")
    assert s3.get_object_tagging(Bucket=SOURCE, Key=KEY)["TagSet"] == [{"Key": "a", "Value": "b"}]


def test_what_does_not_work_is_done_by_boto3(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    to, calls = overwritten(s3), sent_by_boto3(s3, monkeypatch)
    nowhere = wiring.Place(False, "127.0.0.1:1", "/nowhere", "eu-west-1")
    monkeypatch.setattr(wiring.Wiring, "place", lambda *_: nowhere)
    roll_back(s3, SOURCE, to, workers=1)
    assert {"CopyObject", "HeadObject", "ListObjectVersions"} <= set(calls)
    assert contents(s3, SOURCE) == {KEY: b"good"}


def test_a_listing_goes_on_where_its_page_ends(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ["a", "in/a b", "in/a+b", "in/ü", "in/%41"]
    for key in keys * 2:
        s3.put_object(Bucket=SOURCE, Key=key, Body=b"x")
    whole: Any = Quick._send
    calls = sent_by_boto3(s3, monkeypatch)
    monkeypatch.setattr(
        Quick,
        "_send",
        lambda self, *asked: whole(self, *asked[:3], f"{asked[3]}".replace("prefix", "max-keys=3&prefix"), *asked[4:]),
    )
    found = [(key, len(entries)) for key, entries in keys_of(s3, SOURCE, "in/", owner=ACCOUNT)]
    assert found == [(key, 2) for key in sorted(keys[1:])]
    assert calls == []


def test_a_refusal_is_boto3s_to_tell(s3: Any) -> None:
    quick = quick_way(s3)
    overwritten(s3)
    assert quick.head(SOURCE, KEY, "no-such-version", None) is None
    assert quick.copy(SOURCE, KEY, SOURCE, "no-such-version", {}) is None
    assert quick.copy(SOURCE, KEY, SOURCE, "v", {"NoSuchParameter": "x"}) is None
    quick.close()


@pytest.mark.parametrize("token", [None, "session"])
@pytest.mark.parametrize("query", ["versionId=v%2B1", "encoding-type=url&key-marker=a%20%2F&prefix=a&versions="])
def test_the_signature_is_botocores(s3: Any, token: str | None, query: str) -> None:
    credentials = Credentials("AKIDEXAMPLE", "secret", token)
    s3._request_signer._credentials = credentials
    quick = quick_way(s3)
    place = quick._wiring.place(SOURCE)
    assert place is not None
    path = f"/{SOURCE}/key"
    more = {"x-amz-storage-class": "STANDARD", "x-amz-website-redirect-location": "/two  blanks"}
    ours = quick._signed("HEAD", place, path, query, more)

    request = AWSRequest("HEAD", f"http://{place.host}{path}?{query}", headers=more)
    request.context["payload_signing_enabled"] = True
    moment = datetime.strptime(ours["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    with time_machine.travel(moment, tick=False):
        S3SigV4Auth(credentials, "s3", s3.meta.region_name).add_auth(request)
    assert ours["authorization"].encode() == request.headers["Authorization"].encode()


# --- Credentials and places -----------------------------------------------------------------------------------------


def refreshing(s3: Any, fetched: list[str], *, fails: bool = False) -> Any:
    """A client of a session whose credentials hold for a minute, so that each use fetches them again."""

    def fetch() -> dict[str, str]:
        fetched.append("again")
        if fails and len(fetched) > 1:
            raise CredentialRetrievalError(provider="a role", error_msg="it may not be assumed any more")
        until = datetime.now(UTC) + timedelta(seconds=60)
        return {"access_key": "a", "secret_key": "b", "token": f"t{len(fetched)}", "expiry_time": until.isoformat()}

    class Provider:
        METHOD = CANONICAL_NAME = "test"

        def load(self) -> RefreshableCredentials:
            return RefreshableCredentials.create_from_metadata(fetch(), fetch, "test")

    session = botocore.session.Session()
    session.register_component("credential_provider", CredentialResolver([Provider()]))  # type: ignore[list-item]
    return unstubbed(
        boto3.Session(botocore_session=session, region_name="eu-west-1").client(
            "s3", endpoint_url=s3.meta.endpoint_url, config=Config(retries={"total_max_attempts": 1})
        )
    )


def test_credentials_are_refreshed_as_they_run_out(s3: Any) -> None:
    overwritten(s3)
    of = s3.list_object_versions(Bucket=SOURCE)["Versions"][0]["VersionId"]
    fetched: list[str] = []
    quick = quick_way(refreshing(s3, fetched))
    for _ in range(3):
        assert quick.head(SOURCE, KEY, of, None) is not None
    quick.close()
    assert len(fetched) >= 4


def test_credentials_that_cannot_be_had_any_more_stop_the_roll_back(s3: Any) -> None:
    to, fetched = overwritten(s3), [""]
    client = refreshing(s3, fetched)
    fetched.clear()
    stopping = refreshing(s3, fetched, fails=True)
    assert roll_back(client, SOURCE, to, workers=1, dry_run=True).counts["copied"] == 1
    with pytest.raises((CredentialRetrievalError, RollBackStopped), match="may not be assumed"):
        roll_back(stopping, SOURCE, to, workers=1)


@pytest.mark.parametrize(
    ("bucket", "more"),
    [
        ("bucket", {}),
        ("dot.ted", {}),
        ("bucket", {"config": Config(s3={"addressing_style": "path"})}),
        ("bucket", {"config": Config(use_dualstack_endpoint=True)}),
        ("bucket", {"config": Config(use_fips_endpoint=True), "region_name": "us-east-1"}),
        ("bucket", {"region_name": "us-east-1"}),
        ("bucket", {"region_name": "cn-north-1"}),
        ("bucket", {"endpoint_url": "http://127.0.0.1:9000/s3", "config": Config(s3={"addressing_style": "path"})}),
        ("bucket", {"endpoint_url": "http://s3.local:9000"}),
    ],
)
def test_a_call_goes_where_boto3_would_send_it(bucket: str, more: dict[str, Any]) -> None:
    client: Any = boto3.client("s3", **{**CREDENTIALS, **more})
    known = wiring.wiring_of(unstubbed(client))
    assert known is not None
    place = known.place(bucket)
    assert place is not None
    sent: list[Any] = []

    def send(request: Any, **_: Any) -> AWSResponse:
        sent.append(request)
        return AWSResponse(request.url, 200, HTTPHeaders(), MockRawResponse(b""))

    client.meta.events.register("before-send.s3.HeadObject", send)
    client.head_object(Bucket=bucket, Key="key")
    assert f"{'https' if place.secure else 'http'}://{place.host}{place.path}/key" == sent[0].url
    assert f"/{place.region}/s3/aws4_request" in sent[0].headers["Authorization"].decode()


@pytest.mark.parametrize(
    "more",
    [
        {"config": Config(signature_version=UNSIGNED)},
        {"config": Config(proxies={"https": "http://proxy:3128"})},
        {"config": Config(s3={"use_accelerate_endpoint": True})},
        {"config": Config(client_cert="/client.pem")},
        {"config": Config(retries={"mode": "adaptive"})},
        {"verify": False},
        {"bucket": "express--euw1-az1--x-s3"},
    ],
    ids=["unsigned", "proxy", "accelerated", "client certificate", "slowed down", "unverified", "express"],
)
def test_what_only_boto3_can_do_is_left_to_it(more: dict[str, Any]) -> None:
    client = boto3.client(
        "s3",
        **CREDENTIALS,
        **{name: value for name, value in more.items() if name != "bucket"},  # type: ignore[call-overload]
    )
    if "adaptive" not in str(getattr(more.get("config"), "retries", "")):
        unstubbed(client)
    known = wiring.wiring_of(client)
    assert known is None or known.place(more.get("bucket", "b")) is None


def test_a_proxy_of_the_environment_is_left_to_boto3(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "getproxies", lambda: {"http": "http://proxy:3128"})
    assert quick_of(s3) is None


# --- Who listens ----------------------------------------------------------------------------------------------------


def test_listeners_hear_the_same_as_of_boto3(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    to, heard = overwritten(s3), list[tuple[Any, ...]]()

    def before(params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        context["mine"] = params.get("Key")

    def after(parsed: dict[str, Any], model: Any, context: dict[str, Any], http_response: Any, **_: Any) -> None:
        said = parsed["ResponseMetadata"]
        heard.append((model.name, context["mine"], said["HTTPStatusCode"], http_response.status_code))
        heard.append((context["client_region"], said["RetryAttempts"], said["HTTPHeaders"].get("x-amz-version-id")))

    for operation in ("HeadObject", "CopyObject", "ListObjectVersions"):
        s3.meta.events.register(f"before-parameter-build.s3.{operation}", before)
        s3.meta.events.register(f"after-call.s3.{operation}", after)
    calls = sent_by_boto3(s3, monkeypatch)
    roll_back(s3, SOURCE, to, workers=1)
    assert not {"CopyObject", "HeadObject", "ListObjectVersions"} & set(calls)
    told = list(heard)
    new, _, old = (one["VersionId"] for one in s3.list_object_versions(Bucket=SOURCE)["Versions"])
    assert told == [
        ("ListObjectVersions", None, 200, 200),
        ("eu-west-1", 0, None),
        ("HeadObject", KEY, 200, 200),
        ("eu-west-1", 0, old),
        ("CopyObject", KEY, 200, 200),
        ("eu-west-1", 0, new),
    ]


@pytest.mark.parametrize("event", ["before-send", "request-created", "before-sign", "needs-retry", "before-parse"])
def test_whoever_may_change_a_call_makes_boto3_send_it(s3: Any, event: str) -> None:
    s3.meta.events.register(f"{event}.s3.CopyObject", lambda **_: None)
    assert quick_of(s3) is None


def test_a_listener_that_changes_a_call_or_answers_it_is_heeded(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    to = overwritten(s3)

    def colder(params: dict[str, Any], **_: Any) -> None:
        params["StorageClass"] = "STANDARD_IA"

    s3.meta.events.register("before-parameter-build.s3.CopyObject", colder)
    roll_back(s3, SOURCE, to, workers=1)
    assert s3.head_object(Bucket=SOURCE, Key=KEY)["StorageClass"] == "STANDARD_IA"

    def header(params: dict[str, Any], **_: Any) -> None:
        params["headers"]["x-amz-meta-by"] = "listener"

    s3.meta.events.register("before-call.s3.HeadObject", header)
    of = s3.list_object_versions(Bucket=SOURCE)["Versions"][0]["VersionId"]
    assert quick_way(s3).head(SOURCE, KEY, of, None) is None


def test_the_guard_stops_a_call_without_boto3_too(s3: Any) -> None:
    """Every call that the guard would stop is stopped, and nothing has reached the endpoint."""
    overwritten(s3)
    versions = s3.list_object_versions(Bucket=SOURCE)["Versions"]
    Guard("a-drill").watch(s3, ACCOUNT)
    quick = quick_way(s3)
    assert quick.head(SOURCE, KEY, versions[1]["VersionId"], None) is not None
    with pytest.raises(ProtectionError, match="no record of making"):
        quick.copy(SOURCE, KEY, SOURCE, versions[1]["VersionId"], {})
    quick.close()
    assert s3.list_object_versions(Bucket=SOURCE)["Versions"] == versions


def test_the_guard_lets_pass_what_the_drill_made(s3: Any) -> None:
    s3.delete_bucket(Bucket=SOURCE)
    Guard("a-drill").watch(s3, ACCOUNT)
    s3.create_bucket(Bucket=SOURCE, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket=SOURCE, VersioningConfiguration={"Status": "Enabled"})
    to = overwritten(s3)
    assert quick_of(s3) is not None
    roll_back(s3, SOURCE, to, workers=1)
    assert contents(s3, SOURCE) == {KEY: b"good"}


def test_in_the_simulated_aws_every_call_passes_its_gate() -> None:
    """The gate answers in place of the network, with or without a listener of its own at the client."""
    with SimulatedAWS():
        client = boto3.client("s3", **CREDENTIALS)  # type: ignore[call-overload]
        assert quick_of(client) is None
        assert quick_of(unstubbed(client)) is None
    assert quick_of(unstubbed(boto3.client("s3", **CREDENTIALS))) is not None  # type: ignore[call-overload]
