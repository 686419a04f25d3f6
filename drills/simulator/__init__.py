"""The simulated AWS: moto, with what disaster recovery relies on made true.

Use it without a drill, as a context manager; inside, plain boto3 clients reach it and nothing else::

    with SimulatedAWS(seed=7) as aws:
        table = aws.session("111111111111", "eu-west-1").resource("dynamodb").Table("orders")
        aws.clock.sleep(3600)
        with aws.region_down("eu-west-1"):
            ...
        aws.close_account("111111111111")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drills.errors import MissingExtra

if TYPE_CHECKING:
    from drills.simulator.aws import SimulatedAWS

__all__ = ["SimulatedAWS"]


NOT_OF_THE_EXTRA = frozenset({"boto3", "botocore", "drills", "orjson"})


def __getattr__(name: str) -> Any:
    # moto takes a second to import: only those who use the simulator pay for it.
    if name != "SimulatedAWS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from drills.simulator import descriptions

        # moto reads all of EC2's description while it is imported, once for each partition.
        with descriptions.shared():
            from drills.simulator.aws import SimulatedAWS
    except ModuleNotFoundError as error:
        # Whatever else the simulator imports comes with its extra: moto, time-machine, what moto itself needs.
        if error.name is not None and error.name.partition(".")[0] not in NOT_OF_THE_EXTRA:
            raise MissingExtra("simulated", f"the simulated AWS (module {error.name})") from error
        raise
    return SimulatedAWS
