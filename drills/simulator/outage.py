"""A region that is down: what cannot be reached, and what elsewhere depends on it.

Source: AWS Fault Isolation Boundaries, Global services: the control planes of IAM, Organizations and Route 53 are in
us-east-1, and changes of buckets in any region depend on it; STS works by itself in every region, except its global
endpoint, which is us-east-1's. As a request to a global service is signed for the region of its control plane, the
region of the signature decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from functools import cache
from urllib.parse import urlsplit

import requests
from botocore.exceptions import EndpointConnectionError
from botocore.session import get_session

from drills.errors import SimulatorError
from drills.simulator.needs.s3 import bucket_and_key, bucket_named
from drills.simulator.request import GLOBAL_REGION, Request
from drills.simulator.state import Simulation

METADATA_HOSTS = frozenset({"169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23"})
CHANGES_OF_BUCKETS = frozenset(
    {
        "CreateBucket",
        "DeleteBucket",
        "DeleteBucketCors",
        "DeleteBucketEncryption",
        "DeleteBucketLifecycle",
        "DeleteBucketPolicy",
        "DeleteBucketReplication",
        "DeleteBucketTagging",
        "DeleteBucketWebsite",
        "DeletePublicAccessBlock",
        "PutObjectLockConfiguration",
        "PutPublicAccessBlock",
    }
)


class Outage:
    """A region that is down, until ``end()`` or the end of the ``with``."""

    def __init__(self, simulation: Simulation, region: str) -> None:
        self._simulation = simulation
        self._ended = False
        self.region = region
        simulation.outages.append(self)
        if region not in simulation.regions_down:
            simulation.regions_down.add(region)
            for tell in simulation.on_region_down:
                tell(region)

    def end(self) -> None:
        """Every call to the region is answered again, unless another outage of it goes on."""
        if self._ended:
            return
        self._ended = True
        self._simulation.outages.remove(self)
        if all(other.region != self.region for other in self._simulation.outages):
            self._simulation.regions_down.discard(self.region)
            for tell in self._simulation.on_region_up:
                tell(self.region)

    def __enter__(self) -> Outage:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def check_region(name: str) -> None:
    """Raises SimulatorError for a region that AWS does not have."""
    if name not in regions():
        near = get_close_matches(str(name), sorted(regions()), 3) or ["eu-west-1", "us-east-1"]
        raise SimulatorError(f"region {name!r}: expected one of AWS's regions, such as {', '.join(near)}")


@cache
def regions() -> frozenset[str]:
    """The regions of all of AWS's partitions."""
    session = get_session()
    return frozenset(
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("dynamodb", partition)
    )


def unreachable(simulation: Simulation, request: Request) -> bool:
    """Whether the call goes to a region that is down; for S3, also whether its bucket lies there."""
    if simulation.is_down(request.region):
        return True
    if request.service != "s3":
        return False
    bucket = bucket_named(bucket_and_key(request.url)[0])
    return bucket is not None and simulation.is_down(str(bucket.region_name))


def depends_on_what_is_down(simulation: Simulation, request: Request) -> bool:
    """Whether a region that is up cannot do this, as it needs us-east-1."""
    if request.service != "s3" or not simulation.is_down(GLOBAL_REGION):
        return False
    return request.operation in CHANGES_OF_BUCKETS or request.operation.startswith("PutBucket")


def no_connection(request: Request) -> EndpointConnectionError:
    """What a client sees of a region that is down. botocore tries again by itself before it gives up."""
    return EndpointConnectionError(endpoint_url=request.url)


# --- Machines that lend credentials ----------------------------------------------------------------------------------


def gives_credentials(url: str) -> bool:
    """Whether this is where a machine on AWS gets its credentials. This one is not on AWS."""
    return (urlsplit(url).hostname or "") in METADATA_HOSTS


def no_metadata(url: str) -> EndpointConnectionError:
    return EndpointConnectionError(endpoint_url=url)


@contextmanager
def told_to_requests() -> Iterator[None]:
    """The connection error in the words of the ``requests`` library."""
    try:
        yield
    except EndpointConnectionError as error:
        raise requests.exceptions.ConnectionError(str(error)) from error
