"""The copy of RDS and Aurora snapshots in another account: what ``drills.snapshot_copy.deploy`` makes, as three stacks.

The key that shared snapshots are encrypted with belongs to production and lies in the vault's region, so it has a
stack of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from drills.model import JSON
from drills.packing import package_name
from drills.site import Site
from drills.snapshot_copy.model import Options, Side, SnapshotCopy
from drills.snapshot_copy.policies import key_policy
from drills.snapshot_copy.sides import (
    POLICY,
    alarms,
    function_code,
    function_configuration,
    key_description,
    roles,
    schedule_expression,
)
from drills.templates import common
from drills.templates.structure import (
    KEPT,
    Bundle,
    Parameter,
    Structure,
    Template,
    filled,
    placeholder,
    resource,
)

MODULE = "snapshot_copy"
KEY_ARN = r"arn:aws:kms:.+:key/.+"
NAME = f"(?!.*--){common.NAME}"
"""RDS takes no two hyphens in a row."""


class _AnySnapshotCopy(SnapshotCopy):
    """A copy whose names are the parameters of its templates."""

    @property
    def prefix(self) -> str:
        return self.name

    @property
    def external_id(self) -> str:
        return placeholder("ExternalId")


class SnapshotCopyTemplate:
    """See drills.templates.CopyTemplate."""

    summary = "copies of RDS and Aurora snapshots in the vault account: two functions, on a schedule, and keys"
    protection = "rds_snapshot_copy"

    def of_any(self, options: Mapping[str, JSON]) -> Bundle:
        copy = _AnySnapshotCopy(
            **common.ANY_WAY,
            readers=(placeholder("SourceAccount"), placeholder("RecoveryAccount")),
            options=Options.parse(options),
        )
        return _bundle(copy)

    def of_store(self, site: Site, options: Mapping[str, JSON]) -> Bundle:
        from drills.protections.rds_snapshot_copy import copy_of

        return _bundle(copy_of(site, options))


def _bundle(copy: SnapshotCopy) -> Bundle:
    given = copy.options
    topics: dict[str, str] = {side: placeholder("AlarmTopic") for side in copy.sides}
    copy = replace(copy, options=replace(given, alarm_topics=topics, production_key="", vault_key=""))
    stacks = (
        _production_key(copy, _parameters(given, "production")),
        _side(copy, "vault", _parameters(given, "vault")),
        _side(copy, "production", _parameters(given, "production")),
    )
    wanted = stacks[1:] if given.production_key else stacks
    return Bundle(wanted, {package_name(MODULE): function_code()}, _steps(bool(given.production_key)))


def _parameters(given: Options, side: Side) -> tuple[Parameter, ...]:
    return (
        replace(common.name_parameter(), pattern=NAME),
        common.account_parameter("SourceAccount", "production, whose databases are copied"),
        common.region_parameter("SourceRegion", "the databases that are copied"),
        common.account_parameter("VaultAccount", "the vault account, which holds the copies"),
        common.region_parameter("VaultRegion", "the copies in the vault account"),
        common.account_parameter("RecoveryAccount", "the account that restores from the copies and may read them"),
        common.external_id_parameter(),
        *common.code_parameters(MODULE),
        common.alarm_topic_parameter(given.alarm_topics.get(side, "")),
        Parameter(
            "ProductionKeyArn",
            "ARN of production's key, in the vault's region, that what is shared is encrypted with: an output of the "
            "key's stack.",
            default=given.production_key or None,
            pattern=KEY_ARN,
        ),
        Parameter(
            "VaultKeyArn",
            "ARN of the vault's key for its copies: in the vault's stack empty for a key that it makes, in "
            "production's that stack's output.",
            default=given.vault_key,
            pattern=f"({KEY_ARN})?",
        ),
    )


# --- Keys ------------------------------------------------------------------------------------------------------------


def _key(copy: SnapshotCopy, side: Side, **attributes: Any) -> dict[str, Structure]:
    properties = {"Description": key_description(copy, side), "KeyPolicy": key_policy(copy, side)}
    alias = {"AliasName": copy.key_alias(side), "TargetKeyId": {"Ref": "Key"}}
    return {
        "Key": resource("AWS::KMS::Key", {**properties, "Tags": copy.tag_list}, **KEPT, **attributes),
        "KeyAlias": resource("AWS::KMS::Alias", alias, **KEPT, **attributes),
    }


def _production_key(copy: SnapshotCopy, parameters: tuple[Parameter, ...]) -> Template:
    meanings = {"SourceAccount": placeholder("AWS::AccountId"), "VaultRegion": placeholder("AWS::Region")}
    return Template(
        name="production-key",
        account=common.said(copy.source_account, "production"),
        region=common.said(copy.vault_region, "the vault's region"),
        description="A copy of RDS and Aurora snapshots in another account, production's key in the vault's region: "
        "what is shared with the vault is encrypted with it.",
        parameters=parameters,
        resources=filled(_key(copy, "production"), meanings, {}),
        outputs={"ProductionKeyArn": ("The key, which both other stacks are given.", {"Fn::GetAtt": ["Key", "Arn"]})},
    )


# --- Sides -----------------------------------------------------------------------------------------------------------


def _side(copy: SnapshotCopy, side: Side, parameters: tuple[Parameter, ...]) -> Template:
    ours = side == "vault"
    settings = copy.settings(placeholder("ProductionKeyArn"), placeholder("VaultKey"))
    function: Structure = {"Ref": "Function"}
    resources = {
        **(_key(copy, side, Condition="MakesKey") if ours else {}),
        **_roles(copy, side),
        "Function": common.function(copy.function(side), function_configuration(copy, side, settings), copy.tags),
        "Schedule": common.schedule(copy.rule(side), schedule_expression(copy), copy.function_arn(side), {}, copy.tags),
        "SchedulePermission": common.permission(function, {"Fn::GetAtt": ["Schedule", "Arn"]}),
        **common.alarm_resources(alarms(copy, side), copy.name, copy.tags),
    }
    made = {"Fn::If": ["MakesKey", {"Fn::GetAtt": ["Key", "Arn"]}, {"Ref": "VaultKeyArn"}]}
    meanings = {
        "VaultAccount" if ours else "SourceAccount": placeholder("AWS::AccountId"),
        "VaultRegion" if ours else "SourceRegion": placeholder("AWS::Region"),
        "VaultKey": made if ours else placeholder("VaultKeyArn"),
    }
    attributes = {
        copy.role_arn(side): {"Fn::GetAtt": ["FunctionRole", "Arn"]},
        copy.function_arn(side): {"Fn::GetAtt": ["Function", "Arn"]},
    }
    outputs: dict[str, tuple[str, Any]] = {"FunctionArn": ("The function.", {"Fn::GetAtt": ["Function", "Arn"]})}
    if ours:
        outputs["VaultKeyArn"] = ("The key of the copies, which production's stack is given.", made)
    makes_key = {"MakesKey": {"Fn::Equals": [{"Ref": "VaultKeyArn"}, ""]}}
    account, region = copy.place(side)
    return Template(
        name=side,
        account=common.said(account, "the vault account" if ours else "production"),
        region=common.said(region, "the copies' region" if ours else "the databases' region"),
        description=DESCRIPTIONS[side],
        parameters=parameters,
        conditions={**common.HAS_ALARM_TOPIC, **(makes_key if ours else {})},
        resources=filled(resources, meanings, attributes),
        outputs=outputs,
    )


DESCRIPTIONS: Mapping[Side, str] = {
    "vault": "A copy of RDS and Aurora snapshots in another account, the vault's side: the function that copies what "
    "production shares, its role, its schedule and its alarms, and the key of the copies. Make it before production's "
    "stack, whose reader role trusts this one's.",
    "production": "A copy of RDS and Aurora snapshots in another account, production's side: the function that takes "
    "snapshots and shares them, its role, its schedule and its alarms, and the role by which the vault sees them.",
}


def _roles(copy: SnapshotCopy, side: Side) -> dict[str, Structure]:
    own = [(name, trust, policy) for one, name, trust, policy in roles(copy) if one == side]
    return {
        "FunctionRole" if name == copy.role(side) else "ReaderRole": common.role(name, trust, POLICY, policy, copy.tags)
        for name, trust, policy in own
    }


def _steps(has_key: bool) -> tuple[str, ...]:
    key = "make the stack of production-key.EXT in production, in the vault's region, and note its output"
    return (
        *(() if has_key else (key,)),
        f"upload {package_name(MODULE)} to a bucket in each side's region, CodeBucket",
        "make the stack of vault.EXT in the vault account (--capabilities CAPABILITY_NAMED_IAM) with ProductionKeyArn",
        "make the stack of production.EXT in production (--capabilities CAPABILITY_NAMED_IAM) with ProductionKeyArn "
        "and the vault's output VaultKeyArn",
        "prove the copy, when the first is through: drills status, with the store in an estate file",
    )


copy_template = SnapshotCopyTemplate()
