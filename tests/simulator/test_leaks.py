"""Nothing leaves for the real AWS, whoever sends it and however. A spy stands where a connection would be made."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import boto3
import botocore.session
import pytest
import requests
import urllib3
from botocore.config import Config
from botocore.exceptions import NoCredentialsError

from drills.errors import RealAWSRefused
from drills.simulator import SimulatedAWS
from drills.simulator.barrier import is_real_aws

HOST = "dynamodb.eu-west-1.amazonaws.com"
METADATA = "169.254.169.254"


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every attempt to look up a name or to connect, recorded below what the simulator guards, and made to fail."""
    seen: list[Any] = []

    def spy(*args: Any, **_: Any) -> Any:
        seen.append(args)
        raise OSError("no connection is made in this test")

    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        monkeypatch.setattr(socket, name, spy)
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, lambda self, address: spy(address))
    return seen


@pytest.fixture
def earlier(connections: list[Any]) -> Any:
    """A client that was made before the simulated AWS began, with credentials that look real."""
    return boto3.client(
        "dynamodb", "eu-west-1", aws_access_key_id="AKIAIOSFODNN7EXAMPLA", aws_secret_access_key="x" * 40
    )


@pytest.fixture
def aws(earlier: Any) -> Iterator[SimulatedAWS]:
    with SimulatedAWS() as aws:
        yield aws


def test_a_client_of_before_is_answered_here(earlier: Any, aws: SimulatedAWS, connections: list[Any]) -> None:
    assert earlier.list_tables()["TableNames"] == []
    assert connections == []


def test_the_real_endpoints_are_answered_here(aws: SimulatedAWS, connections: list[Any]) -> None:
    for url in (f"https://{HOST}", f"http://{HOST}", "https://dynamodb.us-east-1.amazonaws.com"):
        assert boto3.client("dynamodb", "eu-west-1", endpoint_url=url).list_tables()["TableNames"] == []
    assert connections == []


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8000",
        "https://dynamodb.example.com",
        "http://10.1.2.3:4566",
        "https://x.execute-api.eu-west-1.amazonaws.com",
    ],
)
def test_other_endpoints_are_refused_before_anything_is_sent(
    aws: SimulatedAWS, connections: list[Any], url: str
) -> None:
    with pytest.raises(RealAWSRefused, match=r"was refused before it was sent.*endpoint_url"):
        boto3.client("dynamodb", "eu-west-1", endpoint_url=url).list_tables()
    assert connections == []


def test_an_endpoint_in_the_environment_is_refused(
    aws: SimulatedAWS, connections: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:4566")
    with pytest.raises(RealAWSRefused, match="AWS_ENDPOINT_URL"):
        boto3.client("dynamodb", "eu-west-1").list_tables()
    assert connections == []


def test_a_service_that_is_not_simulated_is_refused(aws: SimulatedAWS, connections: list[Any]) -> None:
    with pytest.raises(RealAWSRefused, match="not simulated"):
        boto3.client("gamelift", "eu-west-1").list_fleets()
    assert connections == []


def test_without_credentials_nobody_asks_the_machine_for_some(
    aws: SimulatedAWS, connections: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(NoCredentialsError):
        boto3.Session().client("dynamodb", "eu-west-1").list_tables()
    assert connections == []


def test_sessions_built_by_hand_and_proxies_are_answered_here(aws: SimulatedAWS, connections: list[Any]) -> None:
    session = botocore.session.Session()
    session.set_credentials("AKIAIOSFODNN7EXAMPLB", "x" * 40, "token")
    by_hand: Any = session.create_client("dynamodb", region_name="eu-west-1")
    assert by_hand.list_tables()["TableNames"] == []
    config = Config(proxies={"https": "http://proxy.example.com:3128"}, retries={"total_max_attempts": 1})
    assert boto3.client("dynamodb", "eu-west-1", config=config).list_tables()["TableNames"] == []
    assert connections == []


def test_a_client_without_motos_hook_is_answered_here(aws: SimulatedAWS, connections: list[Any]) -> None:
    client: Any = boto3.client("dynamodb", "eu-west-1")
    # As a client that was made before moto was imported.
    client.meta.events._emitter._handlers = type(client.meta.events._emitter._handlers)()
    assert client.meta.endpoint_url == f"https://{HOST}"
    assert client._endpoint.http_session.send(_prepared()).status_code == 200
    assert connections == []


def _prepared() -> Any:
    request = botocore.awsrequest.AWSRequest(
        "POST",
        f"https://{HOST}/",
        headers={"X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Type": "application/x-amz-json-1.0"},
        data=b"{}",
    )
    return request.prepare()


def test_large_transfers_in_threads_stay_here(aws: SimulatedAWS, connections: list[Any]) -> None:
    s3 = boto3.client("s3", "us-east-1")
    s3.create_bucket(Bucket="drills")
    content = b"x" * (17 * 1024 * 1024)
    s3.upload_fileobj(BytesIO(content), "drills", "large")
    back = BytesIO()
    s3.download_fileobj("drills", "large", back)
    assert back.getvalue() == content
    assert connections == []


def test_requests_reach_the_simulated_aws_and_nothing_else(aws: SimulatedAWS, connections: list[Any]) -> None:
    s3 = boto3.client("s3", "us-east-1")
    s3.create_bucket(Bucket="drills")
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "drills", "Key": "a"})
    assert requests.put(url, data=b"x", timeout=5).status_code == 200
    assert s3.get_object(Bucket="drills", Key="a")["Body"].read() == b"x"
    with pytest.raises(RealAWSRefused):
        requests.get("https://x.execute-api.eu-west-1.amazonaws.com/", timeout=5)
    assert connections == []


async def _asynchronously(host: str) -> None:
    await asyncio.open_connection(host, 443)


def _pooled(host: str) -> None:
    pool = http.client.HTTPSConnection(host)
    pool.sock = socket.socket()  # As if it were connected already.
    try:
        pool.request("GET", "/")
    finally:
        pool.close()


def _by_proxy(host: str) -> None:
    urllib3.ProxyManager("http://10.0.0.1:3128").request("GET", f"http://{host}/", retries=False)


def _tunnelled(host: str) -> None:
    http.client.HTTPSConnection("10.0.0.1", 3128).set_tunnel(host)


def _raw(host: str) -> None:
    with socket.socket() as one:
        one.connect((host, 443))


def _raw_by_code(host: str) -> None:
    with socket.socket() as one:
        one.connect_ex((host, 443))


def _encrypted(host: str) -> None:
    with ssl.create_default_context().wrap_socket(socket.socket(), server_hostname=host) as one:
        one.connect((host, 443))


def _in_a_thread(host: str) -> None:
    failed: list[BaseException] = []

    def work() -> None:
        try:
            socket.create_connection((host, 443))
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread.
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    raise failed[0]


WAYS: list[Callable[[str], Any]] = [
    lambda host: urllib3.PoolManager().request("GET", f"https://{host}/", retries=False),
    lambda host: http.client.HTTPSConnection(host).request("GET", "/"),
    lambda host: socket.create_connection((host, 443)),
    lambda host: socket.gethostbyname(host),
    lambda host: socket.gethostbyname_ex(host),
    lambda host: socket.getaddrinfo(host.encode(), 443),
    lambda host: asyncio.run(_asynchronously(host)),
    _pooled,
    _by_proxy,
    _tunnelled,
    _raw,
    _raw_by_code,
    _encrypted,
    _in_a_thread,
]


@pytest.mark.parametrize("host", [HOST, "s3.cn-north-1.amazonaws.com.cn", "Lambda-Url.EU-west-1.ON.AWS."])
@pytest.mark.parametrize("way", range(len(WAYS)))
def test_no_library_gets_through(aws: SimulatedAWS, connections: list[Any], way: int, host: str) -> None:
    with pytest.raises(RealAWSRefused, match="refused before it was"):
        WAYS[way](host)
    assert connections == []


def test_the_metadata_address_is_shut(aws: SimulatedAWS, connections: list[Any]) -> None:
    with pytest.raises(RealAWSRefused):
        socket.create_connection((METADATA, 80))
    assert connections == []


def test_other_hosts_are_nobodys_business(aws: SimulatedAWS, connections: list[Any]) -> None:
    for host in ("localhost", "example.com", "notamazonaws.com", "amazonaws.com.example.org", "127.0.0.1"):
        assert not is_real_aws(host)
        with pytest.raises(OSError, match="no connection is made"):
            socket.create_connection((host, 80))
    assert len(connections) == 5


def test_everything_is_open_again_afterwards(connections: list[Any]) -> None:
    before = (socket.getaddrinfo, socket.socket.connect, http.client.HTTPConnection.putrequest)
    with pytest.raises(ZeroDivisionError), SimulatedAWS():
        raise ZeroDivisionError
    assert before == (socket.getaddrinfo, socket.socket.connect, http.client.HTTPConnection.putrequest)
    with pytest.raises(OSError, match="no connection is made"):
        socket.create_connection((HOST, 443))


def test_a_client_made_before_the_simulator_is_even_imported_stays_here() -> None:
    program = """
import boto3, socket
def refuse(*_a, **_k): raise SystemExit("a name was looked up: " + repr(_a))
client = boto3.client("dynamodb", "eu-west-1", aws_access_key_id="AKIAIOSFODNN7EXAMPLA", aws_secret_access_key="x")
socket.getaddrinfo = refuse
from drills.simulator import SimulatedAWS
with SimulatedAWS():
    print(client.list_tables()["TableNames"], client.meta.endpoint_url)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == f"[] https://{HOST}", done.stderr
