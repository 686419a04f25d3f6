"""Option groups, which do not go along into another account or region: what a snapshot needs there is made there.

Source: RDS user guide, Copying a DB snapshot, Considerations for option groups; Sharing a DB snapshot: one whose group
has permanent or persistent options cannot be shared, which RDS says when it is tried, and the run as a problem.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from .making import tag_list
from .run import Run
from .snapshots import COPY_TAG, Snapshot, pages

DEFAULT = "default:"
OPTION_KEYS = ("OptionName", "OptionVersion", "Port")


def group_there(run: Run, source_rds: Any, rds: Any, source: Snapshot) -> str | None:
    """The option group that a copy of ``source`` is bound to where ``rds`` is; None for AWS's default.

    That which the settings name, or else one with the same options and settings, made or brought up to date. Security
    groups of options do not travel: AWS says so of an option that needs one, and people have to name a group.
    ``source_rds`` is a client of where the snapshot lies. Raises ClientError.
    """
    name = source.option_group
    if source.words.of != "db" or not name or name.startswith(DEFAULT):
        return None
    if name in run.settings.option_groups:
        return run.settings.option_groups[name]
    described = source_rds.describe_option_groups(OptionGroupName=name)["OptionGroupsList"][0]
    if not described.get("Options"):
        return None
    ours = f"{run.settings.prefix}-"
    target = name if name.startswith(ours) else f"{ours}{name}"
    now = _described(rds, target)
    if now is None:
        now = rds.create_option_group(
            OptionGroupName=target,
            EngineName=described["EngineName"],
            MajorEngineVersion=described["MajorEngineVersion"],
            OptionGroupDescription=f"As {name}, for copies of snapshots",
            Tags=tag_list({**run.settings.tags, COPY_TAG: run.settings.name}),
        )["OptionGroup"]
        run.told.done.append(f"making the option group {target} in {rds.meta.region_name}")
    wanted, there = _options(described), _options(now)
    differing = [option for one, option in wanted.items() if there.get(one) != option]
    if differing:
        rds.modify_option_group(OptionGroupName=target, OptionsToInclude=differing, ApplyImmediately=True)
    return target


def _described(rds: Any, name: str) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = rds.describe_option_groups(OptionGroupName=name)["OptionGroupsList"][0]
    except ClientError as error:
        if "NotFound" not in error.response["Error"]["Code"]:
            raise
        return None
    return found


def _options(described: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """By name, as ModifyOptionGroup takes them: with the settings that can be set."""
    found = {}
    for option in described.get("Options", ()):
        settings = [
            {"Name": one["Name"], "Value": one["Value"]}
            for one in sorted(option.get("OptionSettings", ()), key=lambda one: str(one["Name"]))
            if one.get("Value") is not None and one.get("IsModifiable", True)
        ]
        given = {key: option[key] for key in OPTION_KEYS if option.get(key)}
        found[str(option["OptionName"])] = {**given, **({"OptionSettings": settings} if settings else {})}
    return found


def delete_groups(run: Run, rds: Any) -> None:
    """Delete those that this copy made; one that a snapshot is still bound to waits."""
    for one in pages(rds, "describe_option_groups", "OptionGroupsList"):
        name = str(one["OptionGroupName"])
        if not name.startswith(f"{run.settings.prefix}-"):
            continue
        try:
            rds.delete_option_group(OptionGroupName=name)
        except ClientError as error:
            if "NotFound" not in error.response["Error"]["Code"]:
                run.told.waiting.append(f"option group {name}: {error}")
