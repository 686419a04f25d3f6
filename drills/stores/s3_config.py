"""The keys that an S3 bucket brings to an estate file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from drills.checked import Checked
from drills.locations_in_yaml import shown

RULES = 1_000
"""Source: S3 user guide, Lifecycle configuration elements: rules per bucket."""
TAGS = 50 - 5
"""A bucket takes 50 tags, and the drill needs some. Source: S3 user guide, Using cost allocation tags."""
Days = Annotated[int, Field(ge=1, le=36_500)]
StorageClass = Literal[
    "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"
]  # fmt: skip


def _tags(value: dict[str, str]) -> dict[str, str]:
    if len(value) > TAGS:
        raise ValueError(f"expected at most {TAGS} tags, found {len(value)}")
    for name in value:
        if name.startswith(("aws:", "drills:")):
            raise ValueError(f"expected tags of your own: names with 'aws:' and 'drills:' are taken, found {name!r}")
    return value


def _policy(value: Any) -> Any:
    if value is None or (isinstance(value, dict) and isinstance(value.get("Statement"), list)):
        return value
    raise ValueError(
        "expected a bucket policy as AWS takes it, with 'Version' and a list 'Statement', where <bucket> and <account> "
        f"stand for the bucket's own name and account; found {shown(value)}"
    )


def _public_access(value: Any) -> Any:
    if isinstance(value, bool):
        return dict.fromkeys(PublicAccessBlock.model_fields, value)
    return value


class PublicAccessBlock(Checked):
    """What of public access is blocked: all of it, unless the estate says otherwise."""

    block_acls: bool = True
    ignore_acls: bool = True
    block_policy: bool = True
    restrict: bool = True


class Transition(Checked):
    """To which cheaper storage class objects move, and when."""

    days: Annotated[int, Field(ge=0, le=36_500)]
    storage_class: StorageClass


class LifecycleRule(Checked):
    """One rule of a bucket's lifecycle. It does something, or AWS would not take it."""

    id: Annotated[str, Field(min_length=1, max_length=255)]
    prefix: str = ""
    tags: dict[str, str] = Field(default_factory=dict)
    enabled: bool = True
    expire_days: Days | None = None
    expired_markers: bool = False
    noncurrent_days: Days | None = None
    newer_noncurrent: Annotated[int, Field(ge=1, le=100)] | None = None
    abort_uploads_days: Days | None = None
    transition: Transition | None = None

    @model_validator(mode="after")
    def _does_something(self) -> LifecycleRule:
        deeds = (self.expire_days, self.noncurrent_days, self.abort_uploads_days, self.transition)
        if not any(deeds) and not self.expired_markers:
            raise ValueError(
                f"rule {self.id!r}: expected one of expire_days, expired_markers, noncurrent_days, abort_uploads_days "
                "and transition, found none"
            )
        if self.newer_noncurrent is not None and self.noncurrent_days is None:
            raise ValueError(f"rule {self.id!r}: expected noncurrent_days beside newer_noncurrent, found none")
        if self.expired_markers and (self.expire_days is not None or self.tags):
            raise ValueError(f"rule {self.id!r}: expired_markers cannot stand beside expire_days or tags")
        if self.abort_uploads_days is not None and self.tags:
            raise ValueError(f"rule {self.id!r}: abort_uploads_days cannot stand beside tags")
        return self


class CorsRule(Checked):
    """From which web origins browsers may use the bucket."""

    origins: Annotated[list[str], Field(min_length=1)]
    methods: Annotated[list[Literal["GET", "PUT", "HEAD", "POST", "DELETE"]], Field(min_length=1)]
    headers: list[str] = Field(default_factory=list)
    expose: list[str] = Field(default_factory=list)
    max_age_seconds: Annotated[int, Field(ge=0)] | None = None


class ObjectLock(Checked):
    """The retention that every new version gets."""

    mode: Literal["governance", "compliance"]
    days: Days


class BucketConfig(Checked):
    """One bucket, as the estate file describes it."""

    versioning: Literal["enabled", "suspended", "off"] = "enabled"
    lifecycle: Annotated[list[LifecycleRule], Field(max_length=RULES)] = Field(default_factory=list)
    encryption: Literal["sse-s3"] = "sse-s3"
    tags: Annotated[dict[str, str], AfterValidator(_tags)] = Field(default_factory=dict)
    object_lock: ObjectLock | None = None
    cors: Annotated[list[CorsRule], Field(max_length=100)] = Field(default_factory=list)
    public_access_block: Annotated[PublicAccessBlock, BeforeValidator(_public_access)] = PublicAccessBlock()
    event_bridge: bool = False
    policy: Annotated[Any, BeforeValidator(_policy)] = None
    read_every_byte: bool = False

    @model_validator(mode="after")
    def _fits_together(self) -> BucketConfig:
        if self.object_lock is not None and self.versioning != "enabled":
            raise ValueError(f"expected versioning: enabled beside object_lock, found {self.versioning}")
        names = [rule.id for rule in self.lifecycle]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"expected rules with ids that differ, found {name!r} {names.count(name)} times")
        return self
