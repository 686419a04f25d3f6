"""A bucket's settings: read as a flat mapping, made from an estate's config, put back where a restore left them out.

Nothing in the mapping names the bucket, its account or its region, so that two buckets that are to be alike compare as
equal wherever they lie. Values are as S3 gives them, without what S3 adds by itself, in a stable order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from drills.history import canonical
from drills.model import JSON, Location
from drills.site import Site
from drills.stores.s3_buckets import NO_LOCK, client, error_code, guard, refused, tag_list, tags_of
from drills.stores.s3_config import BucketConfig, LifecycleRule
from drills.stores.s3_replication import put_replication, replication_of

OWN_BUCKET, OWN_ACCOUNT, OWN_REGION = "<bucket>", "<account>", "<region>"
"""What stands in a policy or an ARN for the bucket, its account and its region."""
PUBLIC_ACCESS = {
    "block_acls": "BlockPublicAcls",
    "ignore_acls": "IgnorePublicAcls",
    "block_policy": "BlockPublicPolicy",
    "restrict": "RestrictPublicBuckets",
}
DEFAULT_ENCRYPTION: Mapping[str, JSON] = {"algorithm": "AES256", "key": None, "bucket_key": False}
"""Since January 2023, of every bucket. Source: S3 user guide, Setting default server-side encryption behavior."""


def settings_of(site: Site, at: Location) -> dict[str, JSON]:
    """Every setting by name. Raises botocore's exceptions, NoSuchBucket where there is no bucket."""
    bucket = _Bucket(site, at)
    return {name: setting.read(bucket) for name, setting in SETTINGS.items()}


def put(site: Site, at: Location, settings: Mapping[str, JSON]) -> None:
    """Make the settings of a new bucket what ``settings`` says; twice is as once.

    Raises botocore's ClientError for the first that AWS refuses: without what its estate asks for, a bucket is none to
    drill with, as a restore that forgets the same would look whole.
    """
    guard(site, at, "changing")
    bucket = _Bucket(site, at)
    for name in _differing(bucket, settings):
        SETTINGS[name].put(bucket, settings[name])


def put_back(site: Site, at: Location, settings: Mapping[str, JSON]) -> None:
    """Make a restored bucket's settings what ``settings`` says; twice is as once.

    What AWS refuses here, such as a topic that this account has not got, is noted, and stays as a difference to be
    found: the other settings are put back all the same.
    """
    guard(site, at, "changing")
    bucket = _Bucket(site, at)
    for name in _differing(bucket, settings):
        try:
            SETTINGS[name].put(bucket, settings[name])
        except ClientError as error:
            if not refused(error):
                raise
            site.note("setting.refused", setting=name, error=str(error))


def _differing(bucket: _Bucket, settings: Mapping[str, JSON]) -> Iterator[str]:
    """In the order in which they are put, each read only then: one may change with another."""
    return (name for name, one in SETTINGS.items() if name in settings and one.read(bucket) != settings[name])


def wanted(config: BucketConfig) -> dict[str, JSON]:
    """The settings that an estate's config asks for."""
    lock = config.object_lock
    return {
        "ownership": "BucketOwnerEnforced",
        "public_access_block": config.public_access_block.model_dump(),
        "versioning": {"enabled": "Enabled", "suspended": "Suspended", "off": "off"}[config.versioning],
        "object_lock": None if lock is None else {"mode": lock.mode.upper(), "days": lock.days, "years": None},
        "encryption": DEFAULT_ENCRYPTION,
        "tags": dict(config.tags),
        "lifecycle": _sorted([_rule(rule) for rule in config.lifecycle]),
        "cors": [_without_nothing(_cors(rule.model_dump())) for rule in config.cors],
        "policy": config.policy,
        "notifications": {"EventBridgeConfiguration": {}} if config.event_bridge else {},
    }


def _rule(rule: LifecycleRule) -> JSON:
    parts: dict[str, JSON] = {"Prefix": rule.prefix} if rule.prefix or not rule.tags else {}
    tags = tag_list(rule.tags)
    if len(tags) + len(parts) > 1:
        chosen: dict[str, JSON] = {"And": {**parts, "Tags": tags}}
    else:
        chosen = {"Tag": tags[0]} if tags else parts
    found: dict[str, JSON] = {
        "ID": rule.id,
        "Status": "Enabled" if rule.enabled else "Disabled",
        "Filter": chosen,
    }
    if rule.expire_days is not None:
        found["Expiration"] = {"Days": rule.expire_days}
    if rule.expired_markers:
        found["Expiration"] = {"ExpiredObjectDeleteMarker": True}
    if rule.noncurrent_days is not None:
        found["NoncurrentVersionExpiration"] = _without_nothing(
            {"NoncurrentDays": rule.noncurrent_days, "NewerNoncurrentVersions": rule.newer_noncurrent}
        )
    if rule.abort_uploads_days is not None:
        found["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": rule.abort_uploads_days}
    if rule.transition is not None:
        found["Transitions"] = [{"Days": rule.transition.days, "StorageClass": rule.transition.storage_class}]
    return found


def _cors(rule: Mapping[str, Any]) -> dict[str, JSON]:
    return {
        "AllowedOrigins": rule["origins"],
        "AllowedMethods": rule["methods"],
        "AllowedHeaders": rule["headers"],
        "ExposeHeaders": rule["expose"],
        "MaxAgeSeconds": rule["max_age_seconds"],
    }


def _without_nothing(entry: Mapping[str, JSON]) -> dict[str, JSON]:
    return {name: value for name, value in entry.items() if value not in (None, [], "")}


def _sorted(entries: Sequence[JSON]) -> list[JSON]:
    return sorted(entries, key=canonical)


# --- Setting by setting --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Bucket:
    """One bucket whose settings are read or put back."""

    site: Site
    at: Location

    @property
    def s3(self) -> Any:
        return client(self.site, self.at)

    @property
    def name(self) -> str:
        return self.at.name

    def generalised(self, value: JSON) -> JSON:
        """The value without this bucket's own name, account and region."""
        return self._replaced(
            value,
            (f":::{self.name}", f":::{OWN_BUCKET}"),
            (f":{self.at.region}:{self.at.account}:", f":{OWN_REGION}:{OWN_ACCOUNT}:"),
            (self.at.account, OWN_ACCOUNT),
        )

    def own(self, value: JSON) -> JSON:
        """A generalised value as it reads for this bucket."""
        return self._replaced(
            value, (OWN_BUCKET, self.name), (OWN_REGION, self.at.region), (OWN_ACCOUNT, self.at.account)
        )

    def _replaced(self, value: JSON, *pairs: tuple[str, str]) -> JSON:
        text = json.dumps(value)
        for old, new in pairs:
            text = text.replace(old, new)
        return json.loads(text)

    def answer(self, call: str, *absent: str) -> Mapping[str, Any]:
        """What S3 answers, without the metadata of the answer; nothing where it says that the setting is absent."""
        try:
            found = getattr(self.s3, call)(Bucket=self.name)
        except ClientError as error:
            if error_code(error) in absent:
                return {}
            raise
        return {name: value for name, value in found.items() if name != "ResponseMetadata"}


@dataclass(frozen=True, slots=True)
class _Setting:
    """How one setting is read, and how it is made what it should be."""

    read: Callable[[_Bucket], JSON]
    put: Callable[[_Bucket, JSON], None]


def _ownership(bucket: _Bucket) -> JSON:
    found = bucket.answer("get_bucket_ownership_controls", "OwnershipControlsNotFoundError")
    return found["OwnershipControls"]["Rules"][0]["ObjectOwnership"] if found else None


def _put_ownership(bucket: _Bucket, setting: JSON) -> None:
    if setting is None:
        bucket.s3.delete_bucket_ownership_controls(Bucket=bucket.name)
        return
    rules = [{"ObjectOwnership": setting}]
    bucket.s3.put_bucket_ownership_controls(Bucket=bucket.name, OwnershipControls={"Rules": rules})


def _public_access(bucket: _Bucket) -> JSON:
    found = bucket.answer("get_public_access_block", "NoSuchPublicAccessBlockConfiguration")
    blocked = found.get("PublicAccessBlockConfiguration", {})
    return {name: bool(blocked.get(word, False)) for name, word in PUBLIC_ACCESS.items()}


def _put_public_access(bucket: _Bucket, setting: JSON) -> None:
    blocked = {word: setting[name] for name, word in PUBLIC_ACCESS.items()}
    bucket.s3.put_public_access_block(Bucket=bucket.name, PublicAccessBlockConfiguration=blocked)


def _versioning(bucket: _Bucket) -> JSON:
    return bucket.answer("get_bucket_versioning").get("Status", "off")


def _put_versioning(bucket: _Bucket, setting: JSON) -> None:
    # What was once versioned can only be suspended. Source: S3 user guide, Using versioning in S3 buckets.
    status = "Suspended" if setting == "off" else setting
    bucket.s3.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": status})


def _object_lock(bucket: _Bucket) -> JSON:
    found = bucket.answer("get_object_lock_configuration", *NO_LOCK).get("ObjectLockConfiguration", {})
    if found.get("ObjectLockEnabled") != "Enabled":
        return None
    retention = found.get("Rule", {}).get("DefaultRetention", {})
    return {"mode": retention.get("Mode"), "days": retention.get("Days"), "years": retention.get("Years")}


def _put_object_lock(bucket: _Bucket, setting: JSON) -> None:
    # A lock is never taken off a bucket; that there is one too many is left to be found.
    if setting is None:
        return
    retention = _without_nothing({"Mode": setting["mode"], "Days": setting["days"], "Years": setting["years"]})
    rule = {"Rule": {"DefaultRetention": retention}} if retention else {}
    lock = {"ObjectLockEnabled": "Enabled", **rule}
    bucket.s3.put_object_lock_configuration(Bucket=bucket.name, ObjectLockConfiguration=lock)


def _encryption(bucket: _Bucket) -> JSON:
    found = bucket.answer("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError")
    rules = found.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    if not rules:
        return dict(DEFAULT_ENCRYPTION)
    default = rules[0].get("ApplyServerSideEncryptionByDefault", {})
    return {
        "algorithm": default.get("SSEAlgorithm", "AES256"),
        "key": bucket.generalised(default.get("KMSMasterKeyID")),
        "bucket_key": bool(rules[0].get("BucketKeyEnabled", False)),
    }


def _put_encryption(bucket: _Bucket, setting: JSON) -> None:
    default = _without_nothing({"SSEAlgorithm": setting["algorithm"], "KMSMasterKeyID": bucket.own(setting["key"])})
    rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": setting["bucket_key"]}
    bucket.s3.put_bucket_encryption(Bucket=bucket.name, ServerSideEncryptionConfiguration={"Rules": [rule]})


def _tags(bucket: _Bucket) -> JSON:
    """The tags of the bucket's owners: neither ours nor AWS's."""
    tags = tags_of(bucket.s3, bucket.name)
    return {name: tags[name] for name in sorted(tags) if not _is_foreign(bucket, name)}


def _is_foreign(bucket: _Bucket, name: str) -> bool:
    return name in bucket.site.tags or name.startswith(("aws:", "drills:"))


def _put_tags(bucket: _Bucket, setting: JSON) -> None:
    # S3 takes all tags of a bucket at once, so that those which are not the owners' are sent with them.
    now = tags_of(bucket.s3, bucket.name)
    kept = {name: value for name, value in now.items() if _is_foreign(bucket, name) and not name.startswith("aws:")}
    tags = tag_list({**kept, **setting, **bucket.site.tags})
    bucket.s3.put_bucket_tagging(Bucket=bucket.name, Tagging={"TagSet": tags})


def _lifecycle(bucket: _Bucket) -> JSON:
    found = bucket.answer("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration")
    return _sorted([_plain_rule(rule) for rule in found.get("Rules", [])])


def _plain_rule(rule: Mapping[str, Any]) -> JSON:
    found = dict(_plain(rule))
    # An older way to write the same filter.
    if "Prefix" in found:
        found["Filter"] = {"Prefix": found.pop("Prefix")}
    if not found.get("Filter"):
        found["Filter"] = {"Prefix": ""}
    return found


def _plain(value: Any) -> Any:
    """As JSON: moments as text."""
    return json.loads(json.dumps(value, default=lambda moment: moment.isoformat()))


def _put_lifecycle(bucket: _Bucket, setting: JSON) -> None:
    if not setting:
        bucket.s3.delete_bucket_lifecycle(Bucket=bucket.name)
        return
    configuration = {"Rules": setting}
    bucket.s3.put_bucket_lifecycle_configuration(Bucket=bucket.name, LifecycleConfiguration=configuration)


def _cors_of(bucket: _Bucket) -> JSON:
    rules = bucket.answer("get_bucket_cors", "NoSuchCORSConfiguration").get("CORSRules", [])
    return [_without_nothing(rule) for rule in rules]


def _put_cors(bucket: _Bucket, setting: JSON) -> None:
    if setting:
        bucket.s3.put_bucket_cors(Bucket=bucket.name, CORSConfiguration={"CORSRules": setting})
    else:
        bucket.s3.delete_bucket_cors(Bucket=bucket.name)


def _policy(bucket: _Bucket) -> JSON:
    found = bucket.answer("get_bucket_policy", "NoSuchBucketPolicy")
    return bucket.generalised(json.loads(found["Policy"])) if found else None


def _put_policy(bucket: _Bucket, setting: JSON) -> None:
    if setting is None:
        bucket.s3.delete_bucket_policy(Bucket=bucket.name)
    else:
        bucket.s3.put_bucket_policy(Bucket=bucket.name, Policy=json.dumps(bucket.own(setting)))


def _notifications(bucket: _Bucket) -> JSON:
    found = bucket.answer("get_bucket_notification_configuration")
    return bucket.generalised(
        {
            name: _sorted([_plain_notification(one) for one in value]) if isinstance(value, list) else dict(value)
            for name, value in sorted(found.items())
        }
    )


def _plain_notification(one: Mapping[str, Any]) -> JSON:
    """Without the id, which S3 makes up where none was given."""
    return {**{name: value for name, value in one.items() if name != "Id"}, "Events": sorted(one["Events"])}


def _put_notifications(bucket: _Bucket, setting: JSON) -> None:
    configuration = bucket.own(setting)
    bucket.s3.put_bucket_notification_configuration(Bucket=bucket.name, NotificationConfiguration=configuration)


def _logging(bucket: _Bucket) -> JSON:
    found = bucket.answer("get_bucket_logging").get("LoggingEnabled")
    return None if not found else {"bucket": found["TargetBucket"], "prefix": found.get("TargetPrefix", "")}


def _put_logging(bucket: _Bucket, setting: JSON) -> None:
    target = {} if setting is None else {"TargetBucket": setting["bucket"], "TargetPrefix": setting["prefix"]}
    status = {"LoggingEnabled": target} if target else {}
    bucket.s3.put_bucket_logging(Bucket=bucket.name, BucketLoggingStatus=status)


def _website(bucket: _Bucket) -> JSON:
    return _plain(bucket.answer("get_bucket_website", "NoSuchWebsiteConfiguration")) or None


def _put_website(bucket: _Bucket, setting: JSON) -> None:
    if setting is None:
        bucket.s3.delete_bucket_website(Bucket=bucket.name)
    else:
        bucket.s3.put_bucket_website(Bucket=bucket.name, WebsiteConfiguration=setting)


def _replication(bucket: _Bucket) -> JSON:
    return replication_of(bucket.s3, bucket.name)


def _put_replication(bucket: _Bucket, setting: JSON) -> None:
    put_replication(bucket.site, bucket.at, setting)


SETTINGS: Mapping[str, _Setting] = {
    "ownership": _Setting(_ownership, _put_ownership),
    "public_access_block": _Setting(_public_access, _put_public_access),
    "versioning": _Setting(_versioning, _put_versioning),
    "object_lock": _Setting(_object_lock, _put_object_lock),
    "encryption": _Setting(_encryption, _put_encryption),
    "tags": _Setting(_tags, _put_tags),
    "lifecycle": _Setting(_lifecycle, _put_lifecycle),
    "cors": _Setting(_cors_of, _put_cors),
    "policy": _Setting(_policy, _put_policy),
    "notifications": _Setting(_notifications, _put_notifications),
    "logging": _Setting(_logging, _put_logging),
    "website": _Setting(_website, _put_website),
    "replication": _Setting(_replication, _put_replication),
}
"""By name, in the order in which they are put back: versioning before what needs it, replication last."""
