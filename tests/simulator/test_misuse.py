"""SimulatedAWS used in ways that it cannot be: each says what was expected and what to do."""

from __future__ import annotations

import inspect
import math
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

from drills.errors import SimulatorError
from drills.simulator import SimulatedAWS

ACCOUNT = "111111111111"
USES: dict[str, Callable[[SimulatedAWS], Any]] = {
    "session": lambda aws: aws.session(ACCOUNT),
    "close_account": lambda aws: aws.close_account(ACCOUNT),
    "reopen_account": lambda aws: aws.reopen_account(ACCOUNT),
    "region_down": lambda aws: aws.region_down("eu-west-1"),
    "faults": lambda aws: aws.faults(throttle=0.1),
    "reckon": lambda aws: aws.reckon("arn:aws:dynamodb:eu-west-1:1:table/t", size_gb=1, items=1),
    "elapse": lambda aws: aws.elapse("dynamodb.backup", resource="t", size_gb=1, items=1),
    "on_call": lambda aws: aws.on_call(lambda *_: None),
    "sleep": lambda aws: aws.clock.sleep(1),
}


@pytest.mark.parametrize("use", USES)
def test_it_must_be_entered(use: str) -> None:
    with pytest.raises(SimulatorError, match="has not been entered: use it as `with SimulatedAWS"):
        USES[use](SimulatedAWS())


@pytest.mark.parametrize("use", USES)
def test_nothing_happens_in_it_after_its_end(use: str) -> None:
    with SimulatedAWS() as aws:
        aws.elapse("dynamodb.backup", resource="t", size_gb=1, items=1)
        ended = aws.clock.now()
    with pytest.raises(SimulatorError, match="has been left"):
        USES[use](aws)
    assert aws.clock.now() == ended
    assert [one.operation for one in aws.durations] == ["dynamodb.backup"]


def test_it_can_be_entered_again_and_begins_anew() -> None:
    aws = SimulatedAWS()
    for _ in range(2):
        with aws:
            sqs = aws.session(ACCOUNT).client("sqs")
            assert "QueueUrls" not in sqs.list_queues()
            sqs.create_queue(QueueName="q")
            aws.clock.sleep(5)
            assert aws.region_down("eu-west-1").region == "eu-west-1"


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (lambda aws: aws.session("1234"), "expected a text of twelve digits"),
        (lambda aws: aws.reopen_account("1234"), "expected a text of twelve digits"),
        (lambda aws: aws.session(ACCOUNT, "eu-west-1a"), "such as eu-west-1"),
        (lambda aws: aws.region_down("eu-vest-1"), "such as eu-west-1"),
        (lambda aws: aws.faults(throttle="often"), "a share of calls, from 0 to 1; got 'often'"),
        (lambda aws: aws.faults(reject=math.nan), "a share of calls"),
        (lambda aws: aws.faults(lose_acknowledgement=-0.1), "a share of calls"),
        (lambda aws: aws.faults(latency_seconds=math.nan), "not negative; got nan"),
        (lambda aws: aws.faults(services=["dynamo"]), "expected boto3's name of one, such as dynamodb"),
        (lambda aws: aws.reckon("orders", size_gb=1, items=1), "expected the ARN"),
        (lambda aws: aws.reckon("arn:aws:x", size_gb=-1, items=1), "size_gb is a number that is not negative"),
        (lambda aws: aws.elapse("restore", resource="t", size_gb=1, items=1), "expected one of .*dynamodb.backup"),
        (lambda aws: aws.clock.sleep(timedelta(hours=1)), "sleeps a number of seconds"),
        (lambda aws: aws.clock.sleep(math.nan), "sleeps a number of seconds"),
        (lambda aws: aws.clock.sleep(1e12), "below a century"),
        (lambda aws: aws.clock.run_until(datetime(2026, 2, 1)), "a time with a zone"),  # noqa: DTZ001 - the mistake.
    ],
)
def test_what_is_wrong_is_named(simulated_aws: SimulatedAWS, use: Callable[[SimulatedAWS], Any], said: str) -> None:
    with pytest.raises(SimulatorError, match=said):
        use(simulated_aws)


def test_services_are_named_as_boto3_or_signatures_do(simulated_aws: SimulatedAWS) -> None:
    for name in ("dynamodb", "dynamodbstreams", "cloudwatch", "monitoring", "states", "s3"):
        simulated_aws.faults(services=[name]).end()


@pytest.mark.parametrize("options", [{"start": "2026-01-01"}, {"replica_source_kept_seconds": -1}])
def test_options_are_judged_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(SimulatorError):
        SimulatedAWS(**options)


def test_time_sleep_refuses_what_pythons_own_refuses(simulated_aws: SimulatedAWS) -> None:
    for wrong, error in ((-1, ValueError), (math.nan, ValueError), ("1", TypeError), (None, TypeError)):
        with pytest.raises(error):
            time.sleep(wrong)  # type: ignore[arg-type]
    began = simulated_aws.clock.now()
    simulated_aws.clock.sleep(-1)  # As much as nothing: what a loop has left until its deadline.
    assert simulated_aws.clock.now() == began


def test_a_region_that_aws_does_not_have_has_no_host(simulated_aws: SimulatedAWS) -> None:
    once = Config(retries={"total_max_attempts": 1})
    session: Any = boto3.Session(region_name="eu-west-99")
    for service, call in (("dynamodb", "list_tables"), ("sqs", "list_queues"), ("lambda", "list_functions")):
        client = session.client(service, config=once)
        with pytest.raises(EndpointConnectionError, match="eu-west-99"):
            getattr(client, call)()


WITHOUT = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hidden())
from drills.errors import MissingExtra
try:
    from drills.simulator import SimulatedAWS
except MissingExtra as error:
    print(error)
"""


@pytest.mark.parametrize("missing", ["moto", "time_machine", "responses"])
def test_without_the_extra_its_name_is_told(missing: str) -> None:
    # In a process of its own, as nothing of the simulator may have been imported yet.
    done = subprocess.run([sys.executable, "-c", WITHOUT.format(missing=missing)], capture_output=True, text=True)
    assert "pip install 'dr-drills[simulated]'" in done.stdout, done.stderr


def test_everything_public_says_what_it_is() -> None:
    public = {name: thing for name, thing in vars(SimulatedAWS).items() if not name.startswith("_")}
    told = [name for name, thing in public.items() if callable(thing) or isinstance(thing, property)]
    assert {"clock", "session", "faults", "durations"} <= set(told)
    assert all(inspect.getdoc(public[name]) for name in told)
    said = inspect.getdoc(SimulatedAWS) or ""
    parameters = list(inspect.signature(SimulatedAWS).parameters)
    assert all(f"``{name}``" in said for name in [*parameters, "capabilities", "missing"])
