"""A bucket that tells EventBridge of its objects says so when asked for its notifications.

Source: S3 API reference, GetBucketNotificationConfiguration.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from moto.s3.responses import S3Response

from drills.simulator.replaced import Replacement
from drills.simulator.s3.documents import NAMESPACES

_original = S3Response.get_bucket_notification


def get_bucket_notification(self: Any) -> Any:
    """moto's answer, with the EventBridge configuration that it keeps and leaves out."""
    status, headers, body = _original(self)
    found = self.backend.get_bucket_notification_configuration(self.bucket_name)
    if found is not None and found.event_bridge is not None:
        ElementTree.register_namespace("", NAMESPACES["s3"])
        root = ElementTree.fromstring(body)
        ElementTree.SubElement(root, f"{{{NAMESPACES['s3']}}}EventBridgeConfiguration")
        body = ElementTree.tostring(root, encoding="unicode")
    return status, headers, body


REPLACEMENTS = (
    Replacement(
        "moto.s3.responses:S3Response.get_bucket_notification",
        get_bucket_notification,
        "moto keeps a bucket's EventBridge configuration and does not tell of it",
        "82884034c165",
    ),
)
