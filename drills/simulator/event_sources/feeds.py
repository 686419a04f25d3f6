"""A mapping at work: its lanes over the shards of its stream, woken by new records."""

from __future__ import annotations

from dataclasses import dataclass

from drills.simulator import by_role, functions
from drills.simulator.dynamodb import streams
from drills.simulator.dynamodb.shards import Shard, Stream
from drills.simulator.event_sources.batches import Batch, first_failure
from drills.simulator.event_sources.failures import Conditions, send_to_destination
from drills.simulator.event_sources.lanes import BLOCKED_SECONDS, Lane
from drills.simulator.event_sources.mapping import Description, Settings
from drills.simulator.functions.running import RoleRefused, Throttled, count_for_function
from drills.simulator.gate import Response
from drills.simulator.state import Simulation
from drills.simulator.timing import Size

READING = ("GetRecords", "GetShardIterator", "DescribeStream", "ListStreams")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one invocation. ``first_failure`` is an index when the answer named failed records.

    ``blocked``: the function was not reached, or its answer was lost; that does not count as a retry.
    """

    succeeded: bool
    blocked: bool = False
    first_failure: int | None = None
    payload: bytes | None = None


class Feed:
    """Reads one stream for one function, from its checkpoints on, between ``start`` and ``stop``."""

    def __init__(self, simulation: Simulation, description: Description) -> None:
        self.simulation = simulation
        self.clock = simulation.clock
        self.description = description
        self.stream: Stream
        self.runs = False
        self.poll_seconds = simulation.timing.duration("dynamodb.stream_poll", Size(0, 0)).seconds
        self.lanes = 1
        self._from: int | None = 0 if description.starting_position == "TRIM_HORIZON" else None
        self._checkpoints: dict[str, list[int]] = {}
        self._lanes: dict[str, list[Lane]] = {}

    @property
    def settings(self) -> Settings:
        return self.description.settings

    # --- Starting and stopping

    def start(self) -> None:
        """Go on from the checkpoints, or begin where the mapping is to begin."""
        stream = streams.stream_named(self.description.source_arn)
        if stream is None:
            self.description.result = "PROBLEM: Stream not found"
            return
        self.stream = stream
        self.lanes = self.settings.lanes
        if self._from is None:
            self._from = stream.latest
        self.runs = True
        stream.listeners.append(self._heard)
        self.wake_all()

    def stop(self) -> None:
        """Nothing is read any more; the checkpoints stay."""
        if not self.runs:
            return
        self.runs = False
        if self._heard in self.stream.listeners:
            self.stream.listeners.remove(self._heard)
        for shard_id, lanes in self._lanes.items():
            self._checkpoints[shard_id] = [lane.position for lane in lanes]
            for lane in lanes:
                lane.stop()
        self._lanes.clear()

    def restart(self) -> None:
        """Take in changed settings, or begin anew after an outage."""
        self.stop()
        self.start()

    # --- Lanes

    def _heard(self, stream: Stream, shard: Shard) -> None:
        if not self.simulation.is_down(self.description.region):
            self._lanes_of(shard)[shard.hashes[-1] % self.lanes].wake()

    def _lanes_of(self, shard: Shard) -> list[Lane]:
        lanes = self._lanes.get(shard.id)
        if lanes is None:
            known = self._checkpoints.pop(shard.id, [])
            begin = min(known, default=self._from or 0)
            positions = known if len(known) == self.lanes else [begin] * self.lanes
            lanes = [Lane(self, shard, number, position) for number, position in enumerate(positions)]
            self._lanes[shard.id] = lanes
        return lanes

    def wake_all(self) -> None:
        """Wake every lane that has something to read."""
        for shard in list(self.stream.shards.values()):
            for lane in self._lanes_of(shard):
                if lane.has_work():
                    lane.wake()
        for gone in self._lanes.keys() - self.stream.shards.keys():
            del self._lanes[gone]

    def may_begin(self, shard: Shard) -> bool:
        """A parent is read to its end before its children. Source: DynamoDB developer guide, Streams and shards."""
        parent = None if shard.parent is None else self.stream.shards.get(shard.parent)
        if parent is None:
            return True
        return all(lane.finished() for lane in self._lanes_of(parent)) and self.may_begin(parent)

    # --- What may be in the way

    def blocked_seconds(self) -> float | None:
        """How long to wait when the stream cannot be read now, below 0 until told; None when it can."""
        description = self.description
        if self.simulation.is_down(description.region) or self.simulation.is_closed(description.account):
            return -1.0
        function = functions.function_named(description.account, description.region, description.function)
        if function is None:
            description.result = "PROBLEM: Function not found"
            return BLOCKED_SECONDS
        request = by_role.request_by(
            function.role, "dynamodb", "GetRecords", description.region, {"StreamArn": self.stream.arn}
        )
        if by_role.denial(self.simulation, request):
            description.result = cannot_access(self.stream.arn)
            return BLOCKED_SECONDS
        status, _, _ = by_role.with_faults(request, lambda _: (200, {}, b""))
        return None if status == 200 else 1.0

    # --- Invoking

    def invoke(self, batch: Batch) -> Verdict:
        """One invocation with one batch."""
        description = self.description
        function = functions.function_named(description.account, description.region, description.function)
        if function is None:
            description.result = "PROBLEM: Function not found"
            return Verdict(False, blocked=True)
        age = (self.clock.now() - batch.records[-1].at).total_seconds()
        count_for_function(
            description.account, description.region, function.function_name, "IteratorAge", age * 1000, "Milliseconds"
        )
        request = by_role.request_by(function.role, "lambda", "Invoke", description.region, {})
        request.headers = {}
        status, headers, payload = by_role.with_faults(request, lambda _: self._invoked(function, batch))
        verdict = self._verdict(batch, status, headers, payload)
        description.result = "OK" if verdict.succeeded else "PROBLEM: Function call failed"
        return verdict

    @staticmethod
    def _invoked(function: object, batch: Batch) -> Response:
        try:
            return functions.answer_of(functions.runner().invoke(function, batch.event))
        except Throttled:
            return functions.failure(429, "TooManyRequestsException", "Rate Exceeded.")
        except RoleRefused as error:
            return functions.failure(403, "AccessDeniedException", str(error))

    def _verdict(self, batch: Batch, status: int, headers: dict[str, str], payload: bytes) -> Verdict:
        if status != 200:
            return Verdict(False, blocked=True)
        if "x-amz-function-error" in headers:
            return Verdict(False, payload=payload)
        failed = first_failure(batch, payload) if self.settings.partial else None
        return Verdict(failed is None, first_failure=failed)

    def give_up(self, shard: Shard, batch: Batch, payload: bytes | None) -> None:
        """Records that will not be tried again: tell the failure destination."""
        exhausted = 0 <= self.settings.retries < batch.attempts
        condition: Conditions = "RetryAttemptsExhausted" if exhausted else "RecordAgeExceeded"
        send_to_destination(self.simulation, self.description, shard, batch, condition, payload is not None)


def cannot_access(stream_arn: str) -> str:
    return (
        f"PROBLEM: Cannot access stream {stream_arn}. Please ensure the role can perform the GetRecords, "
        "GetShardIterator, DescribeStream, and ListStreams Actions on your stream in IAM."
    )
