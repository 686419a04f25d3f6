"""Writes, markers, deletions, tags and outages at random: in the end each destination holds what the rules say.

The model knows no links, lags or queues: of each version it remembers which rules it was written under, and what of it
is there now.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drills.simulator import SimulatedAWS
from tests.simulator.policies import ONE, TWO, allow, document, role
from tests.simulator.s3.replicating import HERE, READING, THERE, TRUSTED, WRITING, make, v2

pytestmark = pytest.mark.simulated_aws

KEYS = ("a/x", "a/y", "b/x")
TAGS = ("", "k=v", "l=w")
DESTINATIONS = {"near": (ONE, HERE), "far": (TWO, THERE)}
QUIET_SECONDS = 3600.0

Step = tuple[Any, ...]

priorities = st.permutations([1, 2, 3])
filters = st.sampled_from(({}, {"Prefix": "a/"}, {"Tag": {"Key": "k", "Value": "v"}}))
rule_sets = st.tuples(
    priorities,
    st.lists(st.tuples(st.sampled_from(sorted(DESTINATIONS)), filters, st.booleans()), min_size=1, max_size=3),
)
puts = st.tuples(st.just("put"), st.sampled_from(KEYS), st.sampled_from(TAGS))
marks = st.tuples(st.just("mark"), st.sampled_from(KEYS))
deletions = st.tuples(st.just("delete"), st.integers(0, 9))
retags = st.tuples(st.just("tag"), st.integers(0, 9), st.sampled_from(TAGS))
moves = st.tuples(st.just("sleep"), st.sampled_from((0.0, 3.0, 9.0, 11.0, 600.0)))
interruptions = st.tuples(st.just("interrupt"), st.sampled_from((HERE, THERE)), st.sampled_from(KEYS))
outages = st.tuples(st.sampled_from(("down", "up")), st.sampled_from((HERE, THERE)))
changes_of_rules = st.tuples(st.just("rules"), rule_sets)
changes = st.one_of(puts, puts, marks, deletions, retags)
steps = st.lists(st.one_of(changes, changes, moves, interruptions, outages, changes_of_rules), min_size=5, max_size=30)


@dataclass(frozen=True)
class Rule:
    destination: str
    prefix: str
    tag: str
    priority: int
    markers: bool

    def fits(self, key: str, tag: str) -> bool:
        return key.startswith(self.prefix) and self.tag in ("", tag)


@dataclass
class Version:
    """One version or marker (``tag`` None) as it is in the source, and where it goes."""

    key: str
    id: str
    tag: str | None
    to: set[str]
    deleted: bool = False
    arrived: set[str] = field(default_factory=set)
    sent: dict[str, str | None] = field(default_factory=dict)


class Model:
    """The source with its rules, beside the simulated one."""

    def __init__(self, aws: SimulatedAWS) -> None:
        self.aws = aws
        self.source: Any = aws.session(ONE, HERE).client("s3")
        make(self.source, "source", HERE)
        self.clients: dict[str, Any] = {}
        self.role = role(aws, "replicator", allow([*READING, *WRITING]), trusts=TRUSTED)
        for name, (account, region) in DESTINATIONS.items():
            self.clients[name] = aws.session(account, region).client("s3")
            make(self.clients[name], name, region)
        statement = {**allow(list(WRITING), "arn:aws:s3:::far/*"), "Principal": {"AWS": self.role}}
        self.clients["far"].put_bucket_policy(Bucket="far", Policy=document(statement))
        self.rules: list[Rule] = []
        self.versions: list[Version] = []
        self.down: dict[str, Any] = {}

    # --- Steps

    def carry_out(self, step: Step) -> None:
        kind, *more = step
        if kind == "sleep":
            self.aws.clock.sleep(more[0])
        elif kind == "down" and more[0] not in self.down:
            self.down[more[0]] = self.aws.region_down(more[0])
        elif kind == "up" and more[0] in self.down:
            self.down.pop(more[0]).end()
        elif kind == "interrupt" and not self.down:
            self.interrupt(*more)
        elif kind in ("put", "mark", "delete", "tag") and HERE not in self.down:
            getattr(self, kind)(*more)
        elif kind == "rules" and not self.down:
            self.set_rules(*more[0])

    def set_rules(self, priorities: list[int], chosen: list[tuple[str, dict[str, Any], bool]]) -> None:
        self.rules, given = [], []
        for priority, (destination, choose, markers) in zip(priorities, chosen, strict=False):
            tagged = "Tag" in choose
            follows = markers and not tagged
            self.rules.append(
                Rule(destination, str(choose.get("Prefix", "")), "k=v" if tagged else "", priority, follows)
            )
            given.append(
                v2(
                    priority=priority,
                    choose=choose,
                    bucket=destination,
                    markers="Enabled" if follows else "Disabled",
                )
            )
        self.source.put_bucket_replication(
            Bucket="source", ReplicationConfiguration={"Role": self.role, "Rules": given}
        )

    def put(self, key: str, tag: str) -> None:
        put = self.source.put_object(Bucket="source", Key=key, Body=str(len(self.versions)).encode(), Tagging=tag)
        to = {rule.destination for rule in self.rules if rule.fits(key, tag)}
        self.versions.append(Version(key, put["VersionId"], tag, to))

    def interrupt(self, region: str, key: str) -> None:
        """A region goes down while something is on its way, for longer than that would have taken."""
        self.put(key, "k=v")
        with self.aws.region_down(region):
            self.aws.clock.sleep(7_200)

    def mark(self, key: str) -> None:
        marked = self.source.delete_object(Bucket="source", Key=key)
        best: dict[str, Rule] = {}
        for rule in sorted(self.rules, key=lambda rule: rule.priority):
            if rule.fits(key, "no tag"):
                best[rule.destination] = rule
        to = {name for name, rule in best.items() if rule.markers}
        self.versions.append(Version(key, marked["VersionId"], None, to))

    def delete(self, index: int) -> None:
        version = self._chosen(index)
        if version is None:
            return
        self._note_arrived()
        self.source.delete_object(Bucket="source", Key=version.key, VersionId=version.id)
        version.deleted = True

    def tag(self, index: int, tag: str) -> None:
        version = self._chosen(index)
        if version is None or version.tag is None:
            return
        name, _, value = tag.partition("=")
        tags = [{"Key": name, "Value": value}] if tag else []
        self._note_arrived()
        self.source.put_object_tagging(Bucket="source", Key=version.key, VersionId=version.id, Tagging={"TagSet": tags})
        followed = {rule.destination for rule in self.rules if rule.fits(version.key, tag)} & version.to
        for destination in version.arrived - followed:
            version.sent.setdefault(destination, version.tag)
        for destination in followed:
            version.sent.pop(destination, None)
        version.tag = tag

    def _chosen(self, index: int) -> Version | None:
        left = [version for version in self.versions if not version.deleted]
        return left[index % len(left)] if left else None

    def _note_arrived(self) -> None:
        """Remember what is there, before something changes that only what is still on its way will show."""
        for name in DESTINATIONS:
            there = self.found(name) if DESTINATIONS[name][1] not in self.down else None
            for version in self.versions:
                if there is not None and version.id in there:
                    version.arrived.add(name)

    # --- What must come of it

    def let_it_be_quiet(self) -> None:
        while self.down:
            self.down.popitem()[1].end()
        self.aws.clock.sleep(QUIET_SECONDS)

    def found(self, name: str) -> dict[str, tuple[str, str]]:
        """By version id: the key and what it is."""
        page = self.clients[name].list_object_versions(Bucket=name)
        found = {one["VersionId"]: (one["Key"], one["ETag"]) for one in page.get("Versions", ())}
        return {**found, **{one["VersionId"]: (one["Key"], "marker") for one in page.get("DeleteMarkers", ())}}

    def tags_of(self, name: str, version: Version) -> str:
        tags = self.clients[name].get_object_tagging(Bucket=name, Key=version.key, VersionId=version.id)["TagSet"]
        return "&".join(f"{tag['Key']}={tag['Value']}" for tag in tags)

    def check(self) -> None:
        for name in DESTINATIONS:
            there = self.found(name)
            for version in self.versions:
                if version.deleted:
                    # It may have been on its way when it was deleted; what had arrived must have stayed.
                    assert version.id in there or name not in version.arrived
                    assert version.id not in there or name in version.to
                    continue
                assert (version.id in there) is (name in version.to), (name, version)
                if name in version.to and version.tag is not None:
                    assert self.tags_of(name, version) == version.sent.get(name, version.tag), (name, version)
            assert set(there) <= {version.id for version in self.versions}
        for version in self.versions:
            if not version.deleted and version.tag is not None:
                head = self.source.head_object(Bucket="source", Key=version.key, VersionId=version.id)
                assert head.get("ReplicationStatus") == ("COMPLETED" if version.to else None)
        self._check_order()

    def _check_order(self) -> None:
        """The versions of a key are in the order in which they were written, in whatever order they arrived."""
        for name in DESTINATIONS:
            listed = [
                one["VersionId"] for one in self.clients[name].list_object_versions(Bucket=name).get("Versions", ())
            ]
            for key in KEYS:
                written = [version.id for version in self.versions if version.key == key and version.id in listed]
                assert [one for one in listed if one in written] == written[::-1]


def run(seed: int, first: tuple[list[int], Any], taken: list[Step]) -> None:
    with SimulatedAWS(seed=seed, durations="drawn") as aws:
        model = Model(aws)
        model.set_rules(*first)
        for step in taken:
            model.carry_out(step)
        model.let_it_be_quiet()
        model.check()


@given(st.integers(0, 1_000), rule_sets, steps)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_replication_comes_to_what_the_rules_say(seed: int, first: Any, taken: list[Step]) -> None:
    run(seed, first, taken)


@pytest.mark.soak
@given(st.integers(0, 1_000), rule_sets, steps)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_replication_comes_to_what_the_rules_say_for_long(seed: int, first: Any, taken: list[Step]) -> None:
    run(seed, first, taken)
