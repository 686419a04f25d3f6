"""What calls of RDS need. Source: service authorization reference, Amazon RDS: actions, resource types, condition keys.

A call needs its action on each resource that it names; one that names none needs it on all of a kind. Whoever gives
tags to what is made must be allowed to add tags to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from drills.simulator.conditions import Keys
from drills.simulator.needs.need import Need, action, arn, parameters
from drills.simulator.rds.state import databases
from drills.simulator.request import Request

WORDS: Mapping[str, str] = {
    "DBInstanceIdentifier": "db",
    "SourceDBInstanceIdentifier": "db",
    "TargetDBInstanceIdentifier": "db",
    "NewDBInstanceIdentifier": "db",
    "SourceDBInstanceArn": "db",
    "DBClusterIdentifier": "cluster",
    "SourceDBClusterIdentifier": "cluster",
    "NewDBClusterIdentifier": "cluster",
    "ReplicationSourceIdentifier": "cluster",
    "DBSnapshotIdentifier": "snapshot",
    "SourceDBSnapshotIdentifier": "snapshot",
    "TargetDBSnapshotIdentifier": "snapshot",
    "DBClusterSnapshotIdentifier": "cluster-snapshot",
    "SourceDBClusterSnapshotIdentifier": "cluster-snapshot",
    "TargetDBClusterSnapshotIdentifier": "cluster-snapshot",
    "SnapshotIdentifier": "cluster-snapshot",
    "DBParameterGroupName": "pg",
    "DBClusterParameterGroupName": "cluster-pg",
    "OptionGroupName": "og",
    "DBSubnetGroupName": "subgrp",
    "GlobalClusterIdentifier": "global-cluster",
}
"""The parameters that name a resource, and the word for its kind in ARNs."""
MADE = ("Create", "Copy", "Restore")


def needs(request: Request) -> Iterator[Need]:
    given = parameters(request)
    named = [
        Need(action(request), _arn(request, word, str(given[name])), _keys(request, word, str(given[name])))
        for name, word in WORDS.items()
        if given.get(name)
    ]
    if given.get("ResourceName"):
        name = str(given["ResourceName"])
        named.append(Need(action(request), name, _keys(request, "", name)))
    yield from named or [Need(action(request), "*")]
    if request.operation.startswith(MADE) and _tag_keys(given):
        made = [name for name in given if name in WORDS and not name.startswith(("Source", "Replication"))]
        kinds = {"Snapshot": "snapshot", "ParameterGroup": "pg"}
        word = next((kinds[one] for one in kinds if one in request.operation), "")
        for name in made:
            if _is_made(request.operation, name, word):
                yield Need("rds:AddTagsToResource", _arn(request, WORDS[name], str(given[name])), _given(given))


def _is_made(operation: str, parameter: str, word: str) -> bool:
    """Whether the parameter names what the call makes, rather than what it makes it of."""
    if operation.startswith("Restore"):
        return parameter in ("DBInstanceIdentifier", "TargetDBInstanceIdentifier", "DBClusterIdentifier")
    if word == "snapshot":
        return WORDS[parameter].endswith("snapshot")
    if word == "pg":
        return WORDS[parameter].endswith("pg")
    return operation.removeprefix("Create").startswith(parameter.removesuffix("Identifier").removesuffix("Name"))


def _arn(request: Request, word: str, name: str) -> str:
    if name.startswith("arn:"):
        return name
    return arn(request, f"{word}:{name.lower()}", region=word != "global-cluster")


def _tag_keys(given: Mapping[str, object]) -> dict[str, str]:
    """Tags in the query's form: ``Tags.Tag.1.Key`` and ``…Value``."""
    found = {}
    for name, value in given.items():
        if name.startswith("Tags.") and name.endswith(".Key"):
            found[str(value)] = str(given.get(f"{name.removesuffix('.Key')}.Value", ""))
    return found


def _given(given: Mapping[str, object]) -> Keys:
    tags = _tag_keys(given)
    return {
        "aws:tagkeys": tuple(tags) or None,
        **{f"aws:requesttag/{key.lower()}": (value,) for key, value in tags.items()},
    }


def _keys(request: Request, word: str, name: str) -> Keys:
    """What the call says, and the tags that the resource has."""
    return {**_given(parameters(request)), **_existing(_arn(request, word, name))}


def _existing(name: str) -> Keys:
    parts = name.split(":", 6)
    if len(parts) < 7 or (parts[4], parts[3]) not in databases().regions:
        return {}
    place, kind = databases().of(parts[4], parts[3]), parts[5]
    kept = {
        "db": place.instances,
        "cluster": place.clusters,
        "snapshot": place.snapshots,
        "cluster-snapshot": place.cluster_snapshots,
    }
    found = kept.get(kind, {}).get(parts[6])  # type: ignore[attr-defined]
    if found is None:
        return {}
    return {f"aws:resourcetag/{key.lower()}": (value,) for key, value in found.tags.items()}
