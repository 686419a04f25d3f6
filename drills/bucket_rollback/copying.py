"""One version copied onto a key, by S3 itself, with all that belongs to it.

CopyObject keeps metadata, content type and tags; storage class, encryption, retention, legal hold, redirect and ACL are
forgotten unless they are said. Objects above 5 GB are copied in parts, which forgets everything. Source: Amazon S3 API
reference, CopyObject and UploadPartCopy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from drills.bucket_rollback.quick import Quick, quick_of

Keep = Literal["everything", "content"]
STANDARD = "STANDARD"
MEBIBYTE = 1 << 20
LARGEST_SINGLE_COPY = 5 << 30
MOST_PARTS = 10_000
ENCRYPTION = ("ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled")
GRANTS = {
    "FULL_CONTROL": "GrantFullControl",
    "READ": "GrantRead",
    "READ_ACP": "GrantReadACP",
    "WRITE_ACP": "GrantWriteACP",
}
METADATA = (
    "Metadata",
    "ContentType",
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "WebsiteRedirectLocation",
)


@dataclass(frozen=True, slots=True)
class Copying:
    """How versions are copied from one bucket to the same or another.

    ``read`` is a client that may read versions, ``write`` the one that copies; they may be the same. ``keep``:
    ``everything`` (one HeadObject more for each object), or ``content``: bytes, metadata, content type, tags, storage
    class. The flags say which of the rest can be there at all, so that nothing is asked for in vain.
    """

    read: Any
    write: Any
    source: str
    target: str
    keep: Keep = "everything"
    encryption: bool = True
    """Whether each object keeps its own encryption; else the target bucket's default holds."""
    retention: bool = True
    """Whether the target bucket has Object Lock; without it retention cannot be given."""
    grants: bool = False
    """Whether ACLs are in force in both buckets."""
    source_owner: str | None = None
    target_owner: str | None = None
    single_copy_bytes: int = LARGEST_SINGLE_COPY
    part_bytes: int = 512 * MEBIBYTE
    quick_read: Quick | None = None
    """Sends what it can of the calls of ``read`` directly; see there."""
    quick_write: Quick | None = None
    """The same for ``write``."""

    @contextmanager
    def quickly(self) -> Iterator[Copying]:
        """The same, but sent directly as far as the clients allow; its connections are closed in the end."""
        reading = quick_of(self.read)
        writing = reading if self.write is self.read else quick_of(self.write)
        try:
            yield replace(self, quick_read=reading, quick_write=writing)
        finally:
            for one in (reading, writing):
                if one is not None:
                    one.close()

    def copy(self, key: str, version_id: str, size: int, storage_class: str) -> str | None:
        """Copy one version onto the same key of the target; returns the id of the version that came into being.

        Raises botocore's ClientError, ``InvalidObjectState`` for an archived version.
        """
        large = size > self.single_copy_bytes
        seen = self._head(key, version_id, large) if self.keep == "everything" or large else {}
        grants = self._grants(key, version_id) if self.grants and self.keep == "everything" else {}
        wanted = {**self._kept(seen), **grants}
        if storage_class != STANDARD:
            wanted["StorageClass"] = storage_class
        if large:
            return self._copy_in_parts(key, version_id, size, {**_metadata(seen), **wanted})
        return self._copy_at_once(key, version_id, wanted)

    def _head(self, key: str, version_id: str, large: bool) -> Mapping[str, Any]:
        if self.quick_read is not None and not large:
            told = self.quick_read.head(self.source, key, version_id, self.source_owner)
            if told is not None:
                return told
        found: Mapping[str, Any] = self.read.head_object(
            Bucket=self.source, Key=key, VersionId=version_id, **_owner(self.source_owner)
        )
        return found

    def _kept(self, seen: Mapping[str, Any]) -> dict[str, Any]:
        kept = (
            {"WebsiteRedirectLocation": seen["WebsiteRedirectLocation"]} if seen.get("WebsiteRedirectLocation") else {}
        )
        if self.encryption:
            kept |= {name: seen[name] for name in ENCRYPTION if seen.get(name) not in (None, "")}
        if self.retention:
            kept |= _retention(seen)
        return kept

    def _copy_at_once(self, key: str, version_id: str, wanted: Mapping[str, Any]) -> str | None:
        # Metadata and tags are copied where nothing else is said.
        asked = {**self._owners(), **wanted}
        if self.quick_write is not None:
            done = self.quick_write.copy(self.target, key, self.source, version_id, asked)
            if done is not None:
                return done
        source = {"Bucket": self.source, "Key": key, "VersionId": version_id}
        new: str | None = self.write.copy_object(Bucket=self.target, Key=key, CopySource=source, **asked).get(
            "VersionId"
        )
        return new

    def _copy_in_parts(self, key: str, version_id: str, size: int, wanted: Mapping[str, Any]) -> str | None:
        tags = self.read.get_object_tagging(
            Bucket=self.source, Key=key, VersionId=version_id, **_owner(self.source_owner)
        )["TagSet"]
        target = {"Bucket": self.target, "Key": key, **_owner(self.target_owner)}
        upload = self.write.create_multipart_upload(**target, **wanted)["UploadId"]
        try:
            parts = []
            for number, (first, last) in enumerate(_ranges(size, self.part_bytes), start=1):
                answer = self.write.upload_part_copy(
                    Bucket=self.target,
                    Key=key,
                    UploadId=upload,
                    PartNumber=number,
                    CopySource={"Bucket": self.source, "Key": key, "VersionId": version_id},
                    CopySourceRange=f"bytes={first}-{last}",
                    **self._owners(),
                )
                parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
            done = self.write.complete_multipart_upload(**target, UploadId=upload, MultipartUpload={"Parts": parts})
        except BaseException:
            # Parts that nobody completes are paid for until somebody finds them.
            self.write.abort_multipart_upload(**target, UploadId=upload)
            raise
        new: str | None = done.get("VersionId")
        if tags:
            # Tags in the header of the upload would need an escaping of their own; this is one call more of many.
            self.write.put_object_tagging(**target, **_version(new), Tagging={"TagSet": tags})
        return new

    def _owners(self) -> dict[str, str]:
        source = {"ExpectedSourceBucketOwner": self.source_owner} if self.source_owner else {}
        return {**source, **_owner(self.target_owner)}

    def _grants(self, key: str, version_id: str) -> dict[str, str]:
        """The ACL as a call takes it; nothing where only the owner is named, which is what an object gets anyway."""
        acl = self.read.get_object_acl(Bucket=self.source, Key=key, VersionId=version_id, **_owner(self.source_owner))
        owner, named = acl["Owner"].get("ID"), acl["Grants"]
        if all(grant["Grantee"].get("ID") == owner for grant in named):
            return {}
        given: dict[str, list[str]] = {}
        for grant in (one for one in named if one["Permission"] in GRANTS):
            to = grant["Grantee"]
            whom = f'uri="{to["URI"]}"' if "URI" in to else f'id="{to["ID"]}"'
            given.setdefault(GRANTS[grant["Permission"]], []).append(whom)
        return {name: ", ".join(whom) for name, whom in given.items()}


def _owner(account: str | None) -> dict[str, str]:
    return {"ExpectedBucketOwner": account} if account else {}


def _version(version_id: str | None) -> dict[str, str]:
    return {"VersionId": version_id} if version_id else {}


def _metadata(seen: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: seen[name] for name in METADATA if seen.get(name)}
    if seen.get("ExpiresString"):
        kept["Expires"] = seen["ExpiresString"]
    return kept


def _retention(seen: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    until = seen.get("ObjectLockRetainUntilDate")
    if seen.get("ObjectLockMode") and until is not None and until > datetime.now(UTC):
        kept |= {"ObjectLockMode": seen["ObjectLockMode"], "ObjectLockRetainUntilDate": until}
    if seen.get("ObjectLockLegalHoldStatus") == "ON":
        kept["ObjectLockLegalHoldStatus"] = "ON"
    return kept


def _ranges(size: int, part_bytes: int) -> Iterator[tuple[int, int]]:
    """First and last byte of each part, of which there may be 10,000."""
    step = max(part_bytes, -(-size // MOST_PARTS))
    for first in range(0, size, step):
        yield first, min(first + step, size) - 1
