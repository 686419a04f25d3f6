"""The tags of objects: of each version its own, whichever account asks. Source: S3 API reference."""

from __future__ import annotations

from typing import Any

from moto.s3 import notifications
from moto.s3.models import FakeKey
from moto.s3.notifications import S3NotificationEvent

from drills.simulator.replaced import Replacement
from drills.simulator.request import Response
from drills.simulator.s3.attributes import checked_tags
from drills.simulator.s3.calls import Call, answering, document, empty, escaped, find_version, version_headers
from drills.simulator.s3.documents import malformed
from drills.simulator.s3.payload import parsed_body
from drills.simulator.s3.versions import Version


@answering
def get_object_tagging(call: Call) -> Response:
    version = _tagged(call)
    tags = "".join(
        f"<Tag><Key>{escaped(key)}</Key><Value>{escaped(value)}</Value></Tag>" for key, value in version.tags.items()
    )
    return document("Tagging", f"<TagSet>{tags}</TagSet>", version_headers(version, call.bucket))


@answering
def put_object_tagging(call: Call) -> Response:
    version = _tagged(call)
    root = parsed_body(call.request)
    tag_set = root.find("TagSet")
    if root.tag != "Tagging" or tag_set is None:
        raise malformed()
    version.tags = checked_tags([(tag.findtext("Key") or "", tag.findtext("Value") or "") for tag in tag_set])
    _notify(call, S3NotificationEvent.OBJECT_TAGGING_PUT_EVENT, version)
    return empty(headers=version_headers(version, call.bucket))


@answering
def delete_object_tagging(call: Call) -> Response:
    version = _tagged(call)
    version.tags = {}
    _notify(call, S3NotificationEvent.OBJECT_TAGGING_DELETE_EVENT, version)
    return empty(204, version_headers(version, call.bucket))


def _tagged(call: Call) -> Version:
    """The version that the call names. A marker has no tags, also where it is the latest. Raises Refusal."""
    latest: Any = call.bucket.keys.latest(call.key) if call.version_id is None else None
    return find_version(call.bucket, call.key, latest.version_id if latest else call.version_id, call.request.method)


def _notify(call: Call, event: S3NotificationEvent, version: FakeKey) -> None:
    notifications.send_event(call.bucket.account_id, event, call.bucket, version)


# --- What moto itself reads and writes -------------------------------------------------------------------------------


def tags_of(self: Any, key: Any) -> dict[str, list[dict[str, str]]]:
    """In place of ``S3Backend.get_object_tagging``."""
    return {"Tags": [{"Key": name, "Value": value} for name, value in key.tags.items()]}


def tag(self: Any, key: Any, tags: dict[str, str] | None) -> Any:
    """In place of ``S3Backend.put_object_tagging``."""
    key.tags = checked_tags(list((tags or {}).items()))
    return key


LOST = "moto keeps tags with the account that wrote them, so that other accounts read none and copies lose them"
OPERATIONS = {
    "s3:GetObjectTagging": get_object_tagging,
    "s3:PutObjectTagging": put_object_tagging,
    "s3:DeleteObjectTagging": delete_object_tagging,
}
REPLACEMENTS = (
    Replacement("moto.s3.models:S3Backend.get_object_tagging", tags_of, LOST, "c0775840ed39"),
    Replacement("moto.s3.models:S3Backend.put_object_tagging", tag, LOST, "5d1ebe6352a4"),
)
