"""Who may reach a bucket that is another's: its policy, its ACLs, who owns what lies in it, public-access blocks.

Source: S3 user guide, How Amazon S3 authorizes a request; Controlling ownership of objects; Blocking public access.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from moto.iam.access_control import PermissionResult
from moto.s3.models import ALL_USERS_GRANTEE, AUTHENTICATED_USERS_GRANTEE, FakeBucket
from moto.s3control.models import s3control_backends

from drills.simulator import accounts
from drills.simulator.accounts import Principal, parsed
from drills.simulator.conditions import Keys, listed
from drills.simulator.needs.need import Need
from drills.simulator.needs.s3 import bucket_and_key, bucket_named
from drills.simulator.replaced import Replacement
from drills.simulator.request import Request, Response
from drills.simulator.s3.documents import Refused, operation
from drills.simulator.state import active
from drills.simulator.statements import Document, judge, statements

Verdict = Literal["allow", "deny", "none"]

ENFORCED = "BucketOwnerEnforced"
ACCOUNTS_OWN = frozenset({"s3:CreateBucket", "s3:ListAllMyBuckets"})
"""Calls that name a bucket or none and concern the caller's own account only."""
PINNING = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceip",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
    }
)
"""Conditions that make a statement for everybody one for somebody. Source: Blocking public access, "public"."""
READS_OBJECT = frozenset({"s3:GetObject", "s3:GetObjectVersion"})
READS_BUCKET = frozenset({"s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"})
WRITES_BUCKET = frozenset({"s3:PutObject", "s3:DeleteObject"})


# --- What the gate asks ----------------------------------------------------------------------------------------------


def concerns(request: Request) -> bool:
    """Whether a bucket has a say in this call, even if an administrator makes it."""
    if request.service != "s3":
        return False
    names = [bucket_and_key(request.url)[0]]
    source = request.headers.get("x-amz-copy-source", "")
    if source:
        names.append(source.lstrip("/").partition("/")[0])
    buckets = [bucket for bucket in map(bucket_named, names) if bucket is not None]
    return any(bucket.policy is not None or bucket.account_id != request.account for bucket in buckets)


def names_another_owner(request: Request) -> bool:
    """Whether the call says who must own a bucket, and another does."""
    expected = request.headers.get("x-amz-expected-bucket-owner")
    if expected is not None and _not_of(bucket_and_key(request.url)[0], expected):
        return True
    expected = request.headers.get("x-amz-source-expected-bucket-owner")
    source = request.headers.get("x-amz-copy-source", "").lstrip("/").partition("/")[0]
    return expected is not None and _not_of(source, expected)


def _not_of(name: str, expected: str) -> bool:
    bucket = bucket_named(name)
    return bucket is not None and str(bucket.account_id) != expected


def bucket_of(need: Need) -> Any | None:
    """The bucket that a need is about, None where its policy has no say."""
    if not need.action.startswith("s3:") or need.action in ACCOUNTS_OWN or ":::" not in need.resource:
        return None
    return bucket_named(need.resource.partition(":::")[2].partition("/")[0])


def says(bucket: Any, caller: Principal, need: Need, keys: Keys) -> Verdict:
    """What the bucket says to this caller: its policy, and where that is silent its ACLs and who owns the object.

    Within the bucket's account ``allow`` means that the policy names the caller itself; one that names the account
    leaves it to the caller's own policies.
    """
    own = bucket.account_id == caller.account
    policy = policy_of(bucket)
    said: Verdict = "none"
    if policy:
        said = _policy_says(bucket, policy, caller, need, keys)
    if said == "deny":
        return said
    version = version_of(bucket, need, keys)
    if version is not None and need.action.startswith("s3:GetObject") and not _may_reach(bucket, version, caller):
        return "deny" if own else "none"
    if said == "none" and not own and _acl_allows(bucket, version, need):
        return "allow"
    return said


def _policy_says(bucket: Any, policy: Document, caller: Principal, need: Need, keys: Keys) -> Verdict:
    own = bucket.account_id == caller.account

    def named(statement: Document) -> bool:
        strictly = own and statement.get("Effect") == "Allow"
        return names(statement, caller, strictly)

    said = judge([policy], need, keys, named)
    if said == "allow" and not own and blocks(bucket)["restrict_public_buckets"] and is_public(policy):
        return "none"
    return "allow" if said == "allow" else "deny" if said == "deny" else "none"


def names(statement: Document, caller: Principal, strictly: bool) -> bool:
    """Whether a statement of a resource's policy names the caller; ``strictly``: not only the caller's account."""
    if "NotPrincipal" in statement:
        return not _among(statement["NotPrincipal"], caller, False)
    return _among(statement.get("Principal"), caller, strictly)


def _among(principal: Any, caller: Principal, strictly: bool) -> bool:
    named = listed(principal.get("AWS")) if isinstance(principal, dict) else listed(principal)
    if any(one in ("*", caller.arn, caller.role_arn, caller.user_arn) for one in named if one):
        return True
    partition = caller.arn.split(":")[1] if caller.arn else "aws"
    return not strictly and any(one in (caller.account, f"arn:{partition}:iam::{caller.account}:root") for one in named)


# --- Who owns an object, and ACLs ------------------------------------------------------------------------------------


def ownership(bucket: Any) -> str:
    """The bucket's object ownership. Buckets are made with ACLs disabled since April 2023."""
    return str(bucket.ownership_rule or ENFORCED)


def version_of(bucket: Any, need: Need, keys: Keys) -> Any | None:
    """The version of an object that a need is about, where there is one."""
    key = need.resource.partition(":::")[2].partition("/")[2]
    if not key or need.action == "s3:PutObject":
        return None
    chosen = keys.get("s3:versionid")
    return bucket.keys.find(key, chosen[0]) if chosen else bucket.keys.latest(key)


def owner_of(bucket: Any, version: Any) -> str:
    """The account that owns an object: where ACLs are disabled it is the bucket's, else who wrote it."""
    if ownership(bucket) == ENFORCED:
        return str(bucket.account_id)
    return str(getattr(version, "written_by", bucket.account_id))


def _may_reach(bucket: Any, version: Any, caller: Principal) -> bool:
    """Whether nothing but the object's owner stands between the caller and it: a bucket's policy and its owner's
    rights do not reach what others own in it, unless they let the bucket's owner have it."""
    owner = owner_of(bucket, version)
    return owner in (str(bucket.account_id), caller.account) or bool(
        getattr(version, "shared_with_bucket_owner", False)
    )


def _acl_allows(bucket: Any, version: Any, need: Need) -> bool:
    """Whether an ACL opens it to everybody with an account, or to everybody."""
    if bucket.ownership_rule == ENFORCED or blocks(bucket)["ignore_public_acls"]:
        return False
    if need.action in READS_OBJECT:
        return version is not None and is_open(version.acl, "READ")
    if need.action in READS_BUCKET:
        return is_open(bucket.acl, "READ")
    return need.action in WRITES_BUCKET and is_open(bucket.acl, "WRITE")


def is_open(acl: Any, permission: str) -> bool:
    """Whether an ACL gives a permission to everybody, or to everybody with an account."""
    return acl is not None and any(
        {permission, "FULL_CONTROL"} & set(grant.permissions)
        and any(grantee in (ALL_USERS_GRANTEE, AUTHENTICATED_USERS_GRANTEE) for grantee in grant.grantees)
        for grant in acl.grants
    )


# --- Policies and public access --------------------------------------------------------------------------------------


def policy_of(bucket: Any) -> Document:
    """The bucket's policy, empty when it has none."""
    raw = bucket.policy
    return parsed(raw.decode() if isinstance(raw, bytes) else raw) if raw else {}


def blocks(bucket: Any) -> Mapping[str, bool]:
    """The public-access blocks in force: the bucket's and its account's together."""
    account = s3control_backends[str(bucket.account_id)][str(bucket.partition)].public_access_block
    both = [one for one in (bucket.public_access_block, account) if one is not None]
    return {
        name: any(bool(getattr(one, name)) for one in both)
        for name in ("block_public_acls", "ignore_public_acls", "block_public_policy", "restrict_public_buckets")
    }


def is_public(policy: Document) -> bool:
    """Whether a statement lets everybody in, with no condition that says who."""
    for statement in statements(policy):
        if statement.get("Effect") != "Allow" or "*" not in _principals(statement.get("Principal")):
            continue
        keys = {key.lower() for wanted in (statement.get("Condition") or {}).values() for key in wanted}
        if not keys & PINNING:
            return True
    return False


def _principals(principal: Any) -> list[str]:
    return [str(one) for one in (listed(principal.get("AWS")) if isinstance(principal, dict) else listed(principal))]


@operation
def put_bucket_policy(request: Request) -> Response | None:
    """Refuse a policy that is none, that names nobody or what is not the bucket's, or a public one that is blocked."""
    name = bucket_and_key(request.url)[0]
    bucket = bucket_named(name)
    if bucket is None:
        return None
    try:
        policy = json.loads(request.body)
    except ValueError:
        policy = None
    if not isinstance(policy, dict) or not statements(policy):
        raise _bad_policy("Policies must be valid JSON and the first byte must be '{'")
    for statement in statements(policy):
        _check_statement(statement, f"arn:{bucket.partition}:s3:::{name}")
    if blocks(bucket)["block_public_policy"] and is_public(policy):
        raise Refused(
            "AccessDenied",
            f"User: {request.principal.arn} is not authorized to perform: s3:PutBucketPolicy on resource: "
            f'"arn:{bucket.partition}:s3:::{name}" because public policies are prevented by the BlockPublicPolicy '
            "setting in S3 Block Public Access.",
            403,
        )
    return None


def _check_statement(statement: Document, bucket_arn: str) -> None:
    if not {"Principal", "NotPrincipal"} & statement.keys():
        raise _bad_policy("Missing required field Principal")
    if not {"Action", "NotAction"} & statement.keys():
        raise _bad_policy("Missing required field Action")
    if not {"Resource", "NotResource"} & statement.keys():
        raise _bad_policy("Missing required field Resource")
    for resource in listed(statement.get("Resource")):
        if str(resource) != "*" and not str(resource).startswith((bucket_arn, "arn:aws:s3:::*", "arn:aws:s3:::${")):
            raise _bad_policy("Policy has invalid resource")
    for principal in _unknown(statement):
        raise Refused("MalformedPolicy", f"Invalid principal in policy: {principal}")


def _unknown(statement: Document) -> Iterator[str]:
    """Roles and users that the statement names and that are not there."""
    for name in _principals(statement.get("Principal") or statement.get("NotPrincipal")):
        if ":role/" in name and accounts.role_named(name) is None:
            yield name
        if ":user/" in name and not name.endswith(":user/administrator") and accounts.user_named(name) is None:
            yield name


def _bad_policy(message: str) -> Refused:
    return Refused("MalformedPolicy", message)


# --- moto's own judgement --------------------------------------------------------------------------------------------

_get_permission = FakeBucket.get_permission


def get_permission(self: Any, action: str, resource: str) -> Any:
    """In place of moto's: the gate has judged whoever has credentials, so what is left are those who have none."""
    simulation = active()
    if simulation is None or not simulation.iam_enforced:
        return _get_permission(self, action, resource)
    anybody = judge([policy_of(self)], Need(action, resource), {}, _names_everybody)
    return PermissionResult.PERMITTED if anybody == "allow" else PermissionResult.NEUTRAL


def _names_everybody(statement: Document) -> bool:
    return "*" in _principals(statement.get("Principal"))


OPERATIONS = {"s3:PutBucketPolicy": put_bucket_policy}
REPLACEMENTS = (
    Replacement(
        "moto.s3.models:FakeBucket.get_permission",
        get_permission,
        "moto judges a bucket's policy without its principals and conditions",
        digest="7571412a3495",
    ),
)
