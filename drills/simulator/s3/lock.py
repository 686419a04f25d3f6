"""Object Lock: what keeps a version from being deleted, and who may shorten that.

Source: S3 user guide, Locking objects with Object Lock; the wordings are those of answers of AWS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from moto.s3.models import FakeBucket

from drills.simulator import iam
from drills.simulator.accounts import partition_of
from drills.simulator.needs.need import Need
from drills.simulator.request import Response
from drills.simulator.s3.calls import (
    Call,
    Refusal,
    access_denied,
    answering,
    document,
    empty,
    invalid_argument,
    named_version,
    version_headers,
)
from drills.simulator.s3.documents import malformed
from drills.simulator.s3.payload import parsed_body
from drills.simulator.s3.versions import Version
from drills.simulator.state import current

BYPASS = "x-amz-bypass-governance-retention"
MODE, UNTIL, HOLD = "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold"
MODES = ("GOVERNANCE", "COMPLIANCE")
STATES = ("ON", "OFF")
PROTECTED = "Access Denied because object protected by object lock."
NO_LOCK = "Bucket is missing Object Lock Configuration"
MOST_DAYS, MOST_YEARS = 36_500, 100


@dataclass(frozen=True, slots=True)
class Lock:
    """What a version is locked by; empty where it is not."""

    mode: str | None = None
    until: datetime | None = None
    legal_hold: str | None = None

    def put_on(self, version: Version) -> None:
        version.lock_mode = self.mode
        version.lock_until = None if self.until is None else written(self.until)
        version.lock_legal_status = self.legal_hold


# --- What holds ------------------------------------------------------------------------------------------------------


def until_of(version: Version) -> datetime | None:
    """Until when a version is retained, whether that has passed or not."""
    return None if not version.lock_until else moment(version.lock_until)


def retained(version: Version) -> bool:
    """Whether a retention of the version is still running."""
    until = until_of(version)
    return version.lock_mode is not None and until is not None and until > current().clock.now()


def check_deletable(call: Call, version: Version, key: str) -> None:
    """Raises Refusal where a lock keeps the version from being deleted by this call."""
    if version.lock_legal_status == "ON":
        raise access_denied(PROTECTED)
    if retained(version) and not (version.lock_mode == "GOVERNANCE" and bypasses(call, key)):
        raise access_denied(PROTECTED)


def bypasses(call: Call, key: str) -> bool:
    """Whether the call asks to bypass governance, and its principal may."""
    if call.header(BYPASS).lower() != "true":
        return False
    principal = call.request.principal
    if not current().iam_enforced or (principal.administrator and not principal.session_policies):
        return True
    arn = f"arn:{partition_of(call.request.region)}:s3:::{call.bucket.name}/{key}"
    keys = iam.keys_of(call.request, current().clock.now())
    return iam.denied(principal, Need("s3:BypassGovernanceRetention", arn), keys) is None


def check_bypass_header(call: Call) -> None:
    """Raises Refusal where the header stands in a call to a bucket without Object Lock, whatever it says."""
    if BYPASS in call.headers and not call.bucket.object_lock_enabled:
        text = f"{BYPASS} is only applicable to Object Lock enabled buckets."
        raise invalid_argument(text, BYPASS)


# --- What a new version gets -----------------------------------------------------------------------------------------


def asked_lock(bucket: FakeBucket, headers: Mapping[str, str]) -> Lock | None:
    """The lock that a call's headers ask for, None where they ask for none. Raises Refusal."""
    mode, until, hold = headers.get(MODE), headers.get(UNTIL), headers.get(HOLD)
    if mode is None and until is None and hold is None:
        return None
    if not bucket.object_lock_enabled:
        raise Refusal("InvalidRequest", NO_LOCK)
    if (mode is None) is not (until is None):
        text = f"{UNTIL} and {MODE} must both be supplied"
        raise invalid_argument(text, UNTIL if until is None else MODE)
    if mode is not None and mode not in MODES:
        raise invalid_argument("Unknown wormMode directive.", MODE, mode)
    if hold is not None and hold not in STATES:
        raise invalid_argument("Legal Hold must be either of 'ON' or 'OFF'", HOLD, hold)
    if until is None:
        return Lock(legal_hold=hold)
    ends = _future(until, UNTIL)
    return Lock(mode, ends, hold)


def lock_for(bucket: FakeBucket, asked: Lock | None) -> Lock:
    """What a version that is written now is locked by: what was asked for, and the bucket's default retention."""
    asked = asked or Lock()
    if asked.mode is not None or not bucket.object_lock_enabled or not bucket.default_lock_mode:
        return asked
    days = (bucket.default_lock_days or 0) + 365 * (bucket.default_lock_years or 0)
    return Lock(bucket.default_lock_mode, current().clock.now() + timedelta(days=days), asked.legal_hold)


def check_integrity_given(call: Call) -> None:
    """Raises Refusal where a locked object would be written without a checksum of its content."""
    named = ("content-md5", "x-amz-sdk-checksum-algorithm", "x-amz-trailer")
    if any(name in call.headers for name in named) or any(one.startswith("x-amz-checksum-") for one in call.headers):
        return
    text = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters"
    raise Refusal("InvalidRequest", text)


# --- Operations on objects -------------------------------------------------------------------------------------------


@answering
def put_object_retention(call: Call) -> Response:
    version = _lockable(call)
    root = parsed_body(call.request)
    mode, until = root.findtext("Mode"), root.findtext("RetainUntilDate")
    if root.tag != "Retention" or (mode is None) is not (until is None) or (mode is not None and mode not in MODES):
        raise malformed()
    ends = None if until is None else _future(until, "RetainUntilDate")
    _check_not_weaker(call, version, mode, ends)
    version.lock_mode = mode
    version.lock_until = None if ends is None else written(ends)
    return empty(headers=version_headers(version, call.bucket))


def _check_not_weaker(call: Call, version: Version, mode: str | None, ends: datetime | None) -> None:
    before = until_of(version)
    if not retained(version) or before is None:
        return
    weaker = ends is None or ends < before or (version.lock_mode == "COMPLIANCE" and mode != "COMPLIANCE")
    if weaker and (version.lock_mode == "COMPLIANCE" or not bypasses(call, call.key)):
        raise access_denied(PROTECTED)


@answering
def get_object_retention(call: Call) -> Response:
    version = _lockable(call)
    if version.lock_mode is None or version.lock_until is None:
        raise _not_locked()
    content = f"<Mode>{version.lock_mode}</Mode><RetainUntilDate>{version.lock_until}</RetainUntilDate>"
    return document("Retention", content, version_headers(version, call.bucket))


@answering
def put_object_legal_hold(call: Call) -> Response:
    version = _lockable(call)
    root = parsed_body(call.request)
    status = root.findtext("Status")
    if root.tag != "LegalHold" or status not in STATES:
        raise malformed()
    version.lock_legal_status = status
    return empty(headers=version_headers(version, call.bucket))


@answering
def get_object_legal_hold(call: Call) -> Response:
    version = _lockable(call)
    if version.lock_legal_status is None:
        raise _not_locked()
    content = f"<Status>{version.lock_legal_status}</Status>"
    return document("LegalHold", content, version_headers(version, call.bucket))


def _lockable(call: Call) -> Version:
    """The version that the call names, in a bucket with Object Lock."""
    if not call.bucket.object_lock_enabled:
        raise Refusal("InvalidRequest", NO_LOCK)
    return named_version(call)


def _not_locked() -> Refusal:
    text = "The specified object does not have a ObjectLock configuration"
    return Refusal("NoSuchObjectLockConfiguration", text, 404)


# --- Operations on buckets -------------------------------------------------------------------------------------------


@answering
def put_object_lock_configuration(call: Call) -> Response:
    bucket = call.bucket
    if bucket.versioning_status != "Enabled":
        text = "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"
        raise Refusal("InvalidBucketState", text, 409)
    root = parsed_body(call.request)
    if root.tag != "ObjectLockConfiguration" or root.findtext("ObjectLockEnabled") != "Enabled":
        raise malformed()
    mode: str | None = None
    days = years = 0
    rule = root.find("Rule")
    if rule is not None:
        mode = rule.findtext("DefaultRetention/Mode")
        given_days, given_years = rule.findtext("DefaultRetention/Days"), rule.findtext("DefaultRetention/Years")
        if mode not in MODES or (given_days is None) is (given_years is None):
            raise malformed()
        days, years = _period(given_days, MOST_DAYS), _period(given_years, MOST_YEARS)
    bucket.object_lock_enabled = True
    bucket.default_lock_mode, bucket.default_lock_days, bucket.default_lock_years = mode, days, years
    return empty()


def _period(text: str | None, most: int) -> int:
    if text is None:
        return 0
    if not text.lstrip("-").isdigit():
        raise malformed()
    if int(text) <= 0:
        raise Refusal("InvalidArgument", "Default retention period must be a positive integer value.")
    if int(text) > most:
        raise Refusal("InvalidArgument", "Default retention period too large")
    return int(text)


@answering
def get_object_lock_configuration(call: Call) -> Response:
    bucket = call.bucket
    if not bucket.object_lock_enabled:
        text = "Object Lock configuration does not exist for this bucket"
        raise Refusal("ObjectLockConfigurationNotFoundError", text, 404, BucketName=bucket.name)
    content = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>"
    if bucket.default_lock_mode:
        unit, period = ("Days", bucket.default_lock_days)
        if bucket.default_lock_years:
            unit, period = ("Years", bucket.default_lock_years)
        retention = f"<Mode>{bucket.default_lock_mode}</Mode><{unit}>{period}</{unit}>"
        content += f"<Rule><DefaultRetention>{retention}</DefaultRetention></Rule>"
    return document("ObjectLockConfiguration", content)


@answering
def put_bucket_versioning(call: Call) -> Response:
    root = parsed_body(call.request)
    status = root.findtext("Status")
    if status is None:
        text = "The Versioning element must be specified"
        raise Refusal("IllegalVersioningConfigurationException", text)
    if status not in ("Enabled", "Suspended"):
        raise malformed()
    if status == "Suspended" and call.bucket.object_lock_enabled:
        text = "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed."
        raise Refusal("InvalidBucketState", text, 409)
    call.bucket.versioning_status = status
    return empty()


# --- Times -----------------------------------------------------------------------------------------------------------


def moment(text: str) -> datetime:
    """A moment as it stands in a header or document. Raises ValueError."""
    found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def written(until: datetime) -> str:
    return until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _future(text: str, name: str) -> datetime:
    try:
        until = moment(text)
    except ValueError:
        if name == UNTIL:
            raise invalid_argument("The retain until date must be provided in ISO 8601 format", name, text) from None
        raise malformed() from None
    if until <= current().clock.now():
        raise invalid_argument("The retain until date must be in the future!", name, text)
    return until


OPERATIONS = {
    "s3:PutObjectRetention": put_object_retention,
    "s3:GetObjectRetention": get_object_retention,
    "s3:PutObjectLegalHold": put_object_legal_hold,
    "s3:GetObjectLegalHold": get_object_legal_hold,
    "s3:PutObjectLockConfiguration": put_object_lock_configuration,
    "s3:GetObjectLockConfiguration": get_object_lock_configuration,
    "s3:PutBucketVersioning": put_bucket_versioning,
}
