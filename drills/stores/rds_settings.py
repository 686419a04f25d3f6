"""The settings of a database, by name: read in one form wherever it lies, and put back one by one.

Those of the instance or cluster are AWS's, those that begin with ``database.`` the server's own. A restore brings back
neither the parameter group nor the security groups, tags, deletion protection and retention unless it is told.
Source: RDS user guide, Restoring to a DB instance, Restoring a DB instance to a specified time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from drills.model import JSON, Location
from drills.site import Site
from drills.stores import rds_instances as instances
from drills.stores.rds_application import see_to_login
from drills.stores.rds_catalog import read_catalog
from drills.stores.rds_groups import family_of, group_of, put_group, set_by_user
from drills.stores.rds_instances import Found, guard, tag_list, tags_of
from drills.stores.rds_secret import is_known, renew_password
from drills.stores.rds_sessions import changing, kept
from drills.stores.rds_within import put_back_within

OWN_ACCOUNT = "<account>"
INSIGHTS_DAYS = 7


def settings_of(site: Site, at: Location) -> dict[str, JSON]:
    """Every setting by name. Raises botocore's exceptions where there is no database, Refused without a connection."""
    database = _Database(site, at)
    aws = {name: setting.read(database) for name, setting in SETTINGS.items() if setting.of(database)}
    return {**aws, **read_catalog(kept(site, at))}


def put_back(site: Site, at: Location, settings: Mapping[str, JSON]) -> None:
    """Make the settings what ``settings`` says, its password one that we know, its statistics fresh; twice is as once.

    What AWS or the server refuses is noted, and stays as a difference to be found.
    """
    guard(site, at, "changing")
    if not is_known(site, at):
        renew_password(site, at)
    database = _Database(site, at)
    for name, setting in SETTINGS.items():
        if name not in settings or not setting.of(database) or setting.read(database) == settings[name]:
            continue
        try:
            setting.put(database, settings[name])
        except ClientError as error:
            if int(error.response["ResponseMetadata"]["HTTPStatusCode"]) >= 500:
                raise
            site.note("setting.refused", setting=name, error=str(error))
        database.look_again()
    with changing(site, at, "settings put back"):
        made = put_back_within(site, at, settings)
    see_to_login(site, at, made)


# --- Of the instance or cluster --------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Database:
    """One database whose settings are read or put back. It is described once, until it is changed."""

    site: Site
    at: Location
    _found: Found | None = None
    _writer: Found | None = None

    @property
    def rds(self) -> Any:
        return instances.client(self.site, self.at)

    @property
    def found(self) -> Found:
        if self._found is None:
            self._found = instances.answered(self.site, self.at)
        return self._found

    @property
    def writer(self) -> Found:
        """The instance, or the cluster's writer; nothing of a cluster without instances."""
        if not self.is_aurora:
            return self.found
        if self._writer is None:
            self._writer = next(iter(instances.members(self.site, self.at)), {})
        return self._writer

    def look_again(self) -> None:
        """What was described may have changed."""
        self._found = self._writer = None

    @property
    def is_aurora(self) -> bool:
        return instances.is_aurora(self.site)

    def modify(self, **changes: Any) -> None:
        instances.modify(self.site, self.at, **changes)
        self.look_again()

    def modify_members(self, **changes: Any) -> None:
        instances.modify_members(self.site, self.at, **changes)
        self.look_again()


def _always(database: _Database) -> bool:
    return True


def _of_instances(database: _Database) -> bool:
    return not database.is_aurora


def _leave(database: _Database, setting: JSON) -> None:
    """What only the restore itself can decide is left as it is, to be found."""


@dataclass(frozen=True, slots=True)
class _Setting:
    """How one setting is read, how it is made what it should be, and whether there is one."""

    read: Callable[[_Database], JSON]
    put: Callable[[_Database, JSON], None] = _leave
    of: Callable[[_Database], bool] = _always


def _engine(database: _Database) -> JSON:
    found = database.found
    return {"name": found.get("Engine"), "version": found.get("EngineVersion")}


def _instance_class(database: _Database) -> JSON:
    return database.writer.get("DBInstanceClass")


def _put_instance_class(database: _Database, setting: JSON) -> None:
    database.modify_members(DBInstanceClass=setting)


def _storage(database: _Database) -> JSON:
    found = database.found
    return {"gb": found.get("AllocatedStorage"), "type": found.get("StorageType")}


def _put_storage(database: _Database, setting: JSON) -> None:
    changes: dict[str, Any] = {"StorageType": setting["type"]}
    # Storage never becomes smaller. Source: RDS user guide, Working with storage.
    if setting["gb"] > _storage(database)["gb"]:
        changes["AllocatedStorage"] = setting["gb"]
    database.modify(**changes)


def _multi_az(database: _Database) -> JSON:
    return bool(database.found.get("MultiAZ", False))


def _encryption(database: _Database) -> JSON:
    """Whether it is encrypted, and by whose key; the key itself is another in every account and region."""
    found = database.found
    if not found.get("StorageEncrypted"):
        return "none"
    key = found.get("KmsKeyId")
    if not key:
        return "unknown key"
    try:
        about = database.site.client("kms", database.at.role, database.at.region).describe_key(KeyId=key)["KeyMetadata"]
    except ClientError as error:
        return f"a key that cannot be used: {error.response['Error']['Code']}"
    return "default key" if about.get("KeyManager") == "AWS" else "customer key"


def _parameters(database: _Database) -> JSON:
    return set_by_user(database.site, database.at, group_of(database.site, database.found))


def _put_parameters(database: _Database, setting: JSON) -> None:
    site, at = database.site, database.at
    family = family_of(site.store.config.engine, str(database.found["EngineVersion"]))
    group = put_group(site, at, family, setting)
    word = "DBClusterParameterGroupName" if database.is_aurora else "DBParameterGroupName"
    if group_of(site, database.found) != group:
        database.modify(**{word: group})
    instances.reboot(site, at)


def _options(database: _Database) -> JSON:
    """The options of its option group by name: none, of PostgreSQL, which has none on AWS.

    Source: RDS user guide, Working with option groups: the engines that have options.
    """
    found: dict[str, JSON] = {}
    for membership in database.found.get("OptionGroupMemberships", []):
        groups = database.rds.describe_option_groups(OptionGroupName=membership["OptionGroupName"])
        for option in groups["OptionGroupsList"][0].get("Options", []):
            settings = option.get("OptionSettings", [])
            found[option["OptionName"]] = {one["Name"]: one.get("Value") for one in settings}
    return found


def _security_groups(database: _Database) -> JSON:
    """Their names: the ids are others in every account and region."""
    ids = [one["VpcSecurityGroupId"] for one in database.found.get("VpcSecurityGroups", [])]
    if not ids:
        return []
    found = _ec2(database).describe_security_groups(GroupIds=ids)["SecurityGroups"]
    return sorted(str(one["GroupName"]) for one in found)


def _put_security_groups(database: _Database, setting: JSON) -> None:
    found = _ec2(database).describe_security_groups(Filters=[{"Name": "group-name", "Values": list(setting)}])
    by_name = {one["GroupName"]: one["GroupId"] for one in found["SecurityGroups"]}
    missing = sorted(set(setting) - set(by_name))
    if missing:
        database.site.note("setting.refused", setting="security_groups", error=f"no group named {', '.join(missing)}")
    ids = [by_name[name] for name in setting if name in by_name]
    if ids:
        database.modify(VpcSecurityGroupIds=ids)


def _ec2(database: _Database) -> Any:
    return database.site.client("ec2", database.at.role, database.at.region)


def _iam_roles(database: _Database) -> JSON:
    roles = database.found.get("AssociatedRoles", [])
    return {one.get("FeatureName", ""): _generalised(database, one["RoleArn"]) for one in roles}


def _generalised(database: _Database, arn: str) -> str:
    return arn.replace(f":{database.at.account}:", f":{OWN_ACCOUNT}:")


def _put_iam_roles(database: _Database, setting: JSON) -> None:
    now = _iam_roles(database)
    kind = "cluster" if database.is_aurora else "instance"
    name = {f"DB{kind.capitalize()}Identifier": database.at.name}
    for feature in {*now, *setting}:
        if now.get(feature) == setting.get(feature):
            continue
        for roles, call in ((now, f"remove_role_from_db_{kind}"), (setting, f"add_role_to_db_{kind}")):
            if feature in roles:
                own = str(roles[feature]).replace(f":{OWN_ACCOUNT}:", f":{database.at.account}:")
                getattr(database.rds, call)(**name, RoleArn=own, FeatureName=feature)
                instances.wait_available(database.site, database.at)


def _plain(member: str, parameter: str, missing: JSON) -> _Setting:
    """A setting that the description and the change name each with one word."""
    return _Setting(
        lambda database: database.found.get(member, missing),
        lambda database, setting: database.modify(**{parameter: setting}),
    )


def _of_members(member: str, missing: JSON) -> _Setting:
    """A setting of every instance of it, by the same word in the description and in the change."""
    return _Setting(
        lambda database: database.writer.get(member, missing),
        lambda database, setting: database.modify_members(**{member: setting}),
    )


def _insights(database: _Database) -> JSON:
    writer = database.writer
    if not writer.get("PerformanceInsightsEnabled"):
        return None
    return {"days": writer.get("PerformanceInsightsRetentionPeriod", INSIGHTS_DAYS)}


def _put_insights(database: _Database, setting: JSON) -> None:
    days = {} if setting is None else {"PerformanceInsightsRetentionPeriod": setting["days"]}
    database.modify_members(EnablePerformanceInsights=setting is not None, **days)


def _tags(database: _Database) -> JSON:
    """The tags of the database's owners: neither ours nor AWS's."""
    tags = tags_of(database.site, database.at)
    return {name: tags[name] for name in sorted(tags) if not _is_foreign(database, name)}


def _is_foreign(database: _Database, name: str) -> bool:
    return name in database.site.tags or name.startswith(("aws:", "drills:"))


def _put_tags(database: _Database, setting: JSON) -> None:
    now = _tags(database)
    arn = instances.arn(database.site, database.found)
    gone = sorted(set(now) - set(setting))
    if gone:
        database.rds.remove_tags_from_resource(ResourceName=arn, TagKeys=gone)
    if setting:
        database.rds.add_tags_to_resource(ResourceName=arn, Tags=tag_list(setting))


SETTINGS: Mapping[str, _Setting] = {
    "engine": _Setting(_engine),
    "encryption": _Setting(_encryption),
    "instance_class": _Setting(_instance_class, _put_instance_class),
    "storage": _Setting(_storage, _put_storage, _of_instances),
    "multi_az": _Setting(_multi_az, lambda database, setting: database.modify(MultiAZ=setting), _of_instances),
    "options": _Setting(_options, of=_of_instances),
    "parameters": _Setting(_parameters, _put_parameters),
    "security_groups": _Setting(_security_groups, _put_security_groups),
    "iam_roles": _Setting(_iam_roles, _put_iam_roles),
    "iam_authentication": _plain("IAMDatabaseAuthenticationEnabled", "EnableIAMDatabaseAuthentication", False),
    "backup_retention": _plain("BackupRetentionPeriod", "BackupRetentionPeriod", 0),
    "copy_tags_to_snapshots": _plain("CopyTagsToSnapshot", "CopyTagsToSnapshot", False),
    "auto_minor_upgrade": _of_members("AutoMinorVersionUpgrade", True),
    "publicly_accessible": _of_members("PubliclyAccessible", False),
    "performance_insights": _Setting(_insights, _put_insights),
    "tags": _Setting(_tags, _put_tags),
    "deletion_protection": _plain("DeletionProtection", "DeletionProtection", False),
}
"""By name, in the order in which they are put back: what restarts the servers first, protection last."""
