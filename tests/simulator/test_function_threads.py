"""Functions that start threads: pools, S3 transfers, asyncio. The function waits for them, and they make calls."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from drills.simulator import SimulatedAWS
from tests.simulator.lambdas import REGION, Lambdas

CALLERS = """
    import boto3, asyncio, threading, time
    from concurrent.futures import ThreadPoolExecutor

    def who():
        return boto3.client("sts").get_caller_identity()["Account"]
"""
WARM = """
    from concurrent.futures import ThreadPoolExecutor
    import boto3
    pool = ThreadPoolExecutor(2)
    sts = boto3.client("sts")
    def handler(event, context):
        return [one.result()["Account"] for one in [pool.submit(sts.get_caller_identity) for _ in range(4)]]
"""


@pytest.fixture
def lambdas() -> Iterator[Lambdas]:
    with SimulatedAWS(seed=3) as aws:
        yield Lambdas(aws)


def finishes(work: Future[object]) -> object:
    """What a call comes to that would hang for ever if threads waited for one another."""
    return work.result(timeout=60)


def say(lambdas: Lambdas, event: object = None, name: str = "f") -> object:
    # A thread that nobody waits for at the end, so that a hanging call fails this test and no more.
    done: Future[object] = Future()

    def call() -> None:
        try:
            done.set_result(lambdas.say(event, name))
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread.
            done.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    return finishes(done)


def test_a_handler_calls_from_a_pool(lambdas: Lambdas) -> None:
    lambdas.make(
        f"""{CALLERS}
    def handler(event, context):
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda _: who(), range(8)))
        """
    )
    assert say(lambdas) == [lambdas.account] * 8


def test_a_pool_that_outlives_an_invocation_serves_the_next(lambdas: Lambdas) -> None:
    lambdas.make(WARM)
    assert say(lambdas) == say(lambdas) == [lambdas.account] * 4


def test_a_handler_transfers_an_object(lambdas: Lambdas) -> None:
    s3 = lambdas.session.client("s3")
    s3.create_bucket(Bucket="objects", CreateBucketConfiguration={"LocationConstraint": REGION})
    lambdas.make(
        """
        import boto3, io
        from boto3.s3.transfer import TransferConfig
        def handler(event, context):
            parts = TransferConfig(multipart_threshold=5_242_880, multipart_chunksize=5_242_880)
            boto3.client("s3").upload_fileobj(io.BytesIO(bytes(11_000_000)), "objects", "k", Config=parts)
        """
    )
    say(lambdas)
    assert s3.head_object(Bucket="objects", Key="k")["ContentLength"] == 11_000_000


def test_a_handler_runs_asyncio(lambdas: Lambdas) -> None:
    lambdas.make(
        f"""{CALLERS}
    async def both():
        return await asyncio.gather(asyncio.to_thread(who), asyncio.to_thread(who))
    def handler(event, context):
        return asyncio.run(both())
        """
    )
    assert say(lambdas) == [lambdas.account] * 2


def test_threads_of_a_handler_sleep_on_the_clock_and_count_towards_its_time(lambdas: Lambdas) -> None:
    lambdas.make(
        f"""{CALLERS}
    def handler(event, context):
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(time.sleep, event))
        return who()
        """,
        Timeout=10,
    )
    began = lambdas.aws.clock.now()
    assert say(lambdas, [1, 2]) == lambdas.account
    assert (lambdas.aws.clock.now() - began).total_seconds() == 3.0  # One after the other: there is one clock.
    assert lambdas.invoke([11])["said"]["errorType"] == "Sandbox.Timedout"


def test_a_functions_thread_invokes_another_function_whose_threads_call(lambdas: Lambdas) -> None:
    lambdas.make(WARM, "inner")
    lambdas.make(
        f"""{CALLERS}
    def ask(_):
        return boto3.client("lambda").invoke(FunctionName="inner", Payload=b"{{}}")["Payload"].read().decode()
    def handler(event, context):
        with ThreadPoolExecutor(3) as pool:
            return list(pool.map(ask, range(3)))
        """
    )
    assert say(lambdas) == [str([lambdas.account] * 4).replace("'", '"')] * 3


def test_a_thread_that_outlives_its_invocation_waits_its_turn(lambdas: Lambdas) -> None:
    lambdas.make(
        f"""{CALLERS}
    go, seen = threading.Event(), []
    def later():
        go.wait()
        seen.append(boto3.client("sts", region_name="eu-west-1").get_caller_identity()["Account"])
    worker = threading.Thread(target=later)
    def handler(event, context):
        if event == "begin":
            worker.start()
        else:
            go.set()
            worker.join()
        return seen
        """
    )
    assert say(lambdas, "begin") == []
    assert say(lambdas, "end") == [lambdas.account]


def test_what_other_threads_do_meanwhile_does_not_meet_the_handler(lambdas: Lambdas) -> None:
    lambdas.make(
        f"""{CALLERS}
    import os
    def handler(event, context):
        before = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: (time.sleep(0.01), who()), range(10)))
        return before == os.environ["AWS_LAMBDA_FUNCTION_NAME"] == "f"
        """
    )
    client = lambdas.session.client("sqs")
    queue = client.create_queue(QueueName="q")["QueueUrl"]

    def outside(number: int) -> object:
        client.send_message(QueueUrl=queue, MessageBody=str(number))
        lambdas.aws.clock.sleep(0.001)
        return lambdas.say()

    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(outside, number) for number in range(12)]
        assert all(finishes(call) for call in calls)
    assert "AWS_LAMBDA_FUNCTION_NAME" not in os.environ
