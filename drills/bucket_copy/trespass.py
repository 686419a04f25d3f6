"""Could production destroy its own copy? It is tried, on a canary, and must be denied.

A policy that reads well is no proof. What is tried would do harm to nothing but the canary if it were allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from drills.bucket_copy.model import CANARY, BucketCopy, Clients
from drills.bucket_copy.vault_side import lock_configuration
from drills.presence import exists

DENIED = ("AccessDenied", "403", "Forbidden", "AllAccessDisabled", "AccountProblem", "MethodNotAllowed")
OWN_POLICY = "because no identity-based policy allows"
"""Part of AWS's words where the caller's own policies do not allow it: then it never came to the copy's protection.
Source: IAM user guide, Troubleshoot access denied error messages."""
SHORT = timedelta(minutes=5)


def allowed_to_production(copy: BucketCopy, clients: Clients) -> list[str]:
    """What production's administrator was allowed to do to the copy; empty when all was denied.

    Raises botocore's errors for an answer that is neither, and where production's own policies already denied it:
    what a weak role may not, an administrator may.
    """
    allowed = []
    for deed, attempt in _attempts(copy, clients("production", "s3"), _canary(copy, clients)):
        try:
            attempt()
        except ClientError as error:
            if error.response["Error"]["Code"] not in DENIED or OWN_POLICY in str(error):
                raise
        else:
            allowed.append(deed)
    return allowed


def _canary(copy: BucketCopy, clients: Clients) -> dict[str, str]:
    vault = clients("vault", "s3")
    found = exists(lambda: vault.head_object(**copy.copy, Key=CANARY))
    if found is None:
        found = vault.put_object(**copy.copy, Key=CANARY, Body=b"Production must not be able to delete this.")
    return {"Key": CANARY, "VersionId": str(found["VersionId"])}


def _attempts(copy: BucketCopy, s3: Any, canary: dict[str, str]) -> Iterator[tuple[str, Callable[[], Any]]]:
    soon = datetime.now(UTC) + SHORT
    yield (
        "shorten the retention of a version",
        lambda: s3.put_object_retention(
            **copy.copy,
            **canary,
            Retention={"Mode": copy.options.lock_mode.upper(), "RetainUntilDate": soon},
            BypassGovernanceRetention=True,
        ),
    )
    yield "delete a version", lambda: s3.delete_object(**copy.copy, **canary, BypassGovernanceRetention=True)
    yield "hide an object below a delete marker", lambda: s3.delete_object(**copy.copy, Key=CANARY)
    yield "write over an object", lambda: s3.put_object(**copy.copy, Key=CANARY, Body=b"Written by production.")
    yield (
        "change the default retention",
        lambda: s3.put_object_lock_configuration(**copy.copy, ObjectLockConfiguration=lock_configuration(copy)),
    )
