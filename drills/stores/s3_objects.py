"""One object: as a record of an estate, as canonical JSON, as S3 is sent it, and as S3 gives it back.

The canonical form is a JSON object of ``body`` (``{"sha256": hex, "size": bytes}``), ``content_type``, ``metadata``,
``storage_class`` and ``tags``, and of the headers in HEADERS that the object has. What an object should have by its
bucket and has not, such as a retention, stands in it too, so that it is a difference like any other.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from drills.history import canonical
from drills.stores.s3_config import BucketConfig
from drills.suggestions import did_you_mean

KEY_BYTES = 1_024
"""Source: S3 user guide, Naming objects."""
METADATA_BYTES = 2_048
"""Source: S3 user guide, Working with object metadata: names and values together."""
TAGS = 10
"""Source: S3 user guide, Categorizing your storage using tags."""
STORAGE_CLASSES = (
    "STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE",
)  # fmt: skip
ARCHIVED: Final = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""Objects of these classes cannot be read before they are brought back."""
HEADERS: Mapping[str, str] = {
    "cache_control": "CacheControl",
    "content_disposition": "ContentDisposition",
    "content_encoding": "ContentEncoding",
    "content_language": "ContentLanguage",
}
OWN = ("key", "body", "content_type", "metadata", "tags", "storage_class", *HEADERS)
"""What a record can say of an object. Names that begin with ``_`` are only there to make others from."""


# --- A record → its key, its canonical form, its body --------------------------------------------------------------


def key_of(record: Mapping[str, Any]) -> str:
    """Raises KeyError for a record without a key, ValueError for what cannot be one."""
    key = _text(record["key"], "key")
    size = len(_utf8(key, "key"))
    if not 1 <= size <= KEY_BYTES:
        raise ValueError(f"'key': expected 1 to {KEY_BYTES:,} bytes of UTF-8, found {size:,}")
    return key


def body_of(record: Mapping[str, Any]) -> bytes:
    """Raises KeyError for a record without a body, ValueError for what is neither text nor bytes."""
    body = record["body"]
    if isinstance(body, bytes):
        return body
    return _utf8(_text(body, "body"), "body")


def encoded(record: Mapping[str, Any]) -> bytes:
    """A record in canonical form. Raises KeyError, or ValueError naming what an object cannot hold."""
    for name in record:
        if name not in OWN and not name.startswith("_"):
            raise ValueError(f"an object has no {name!r}{did_you_mean(name, OWN)}; begin it with _ to make others from")
    storage_class = record.get("storage_class", "STANDARD")
    if storage_class not in STORAGE_CLASSES:
        raise ValueError(f"'storage_class': expected one of {', '.join(STORAGE_CLASSES)}, found {storage_class!r}")
    body = body_of(record)
    return canonical(
        {
            "body": {"sha256": hashlib.sha256(body).hexdigest(), "size": len(body)},
            "content_type": _header(record.get("content_type", "binary/octet-stream"), "content_type"),
            "metadata": _metadata(record.get("metadata", {})),
            "storage_class": storage_class,
            "tags": _tags(record.get("tags", {})),
            **{name: _header(record[name], name) for name in HEADERS if name in record},
        }
    )


def _text(value: Any, name: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"{name!r}: expected text or a number, found {type(value).__name__}")
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _utf8(text: str, name: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name!r}: expected text that UTF-8 can hold, found half of a surrogate pair") from None


def _header(value: Any, name: str) -> str:
    text = _text(value, name)
    if not text.isascii() or not text.isprintable() or text != text.strip() or not text:
        raise ValueError(f"{name!r}: expected printable ASCII without blanks around it, as headers are, found {text!r}")
    return text


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name!r}: expected a map of names and texts, found {type(value).__name__}")
    return value


def _metadata(value: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, given in _mapping(value, "metadata").items():
        if not name.isascii() or name != name.lower() or not all(c.isalnum() or c in "-_." for c in name):
            raise ValueError(f"'metadata': expected names of a-z, 0-9, '-', '_' and '.', found {name!r}")
        found[name] = _header(given, f"metadata.{name}")
    size = sum(len(name) + len(text) for name, text in found.items())
    if size > METADATA_BYTES:
        raise ValueError(f"'metadata': expected at most {METADATA_BYTES:,} bytes in all, found {size:,}")
    return found


def _tags(value: Any) -> dict[str, str]:
    found = {name: _text(given, f"tags.{name}") for name, given in _mapping(value, "tags").items()}
    if len(found) > TAGS:
        raise ValueError(f"'tags': an object has at most {TAGS}, found {len(found)}")
    for name, text in found.items():
        if not 1 <= len(name) <= 128 or len(text) > 256 or name.startswith("aws:"):
            raise ValueError(f"'tags': expected names of 1 to 128 characters and values of at most 256, found {name!r}")
    return found


# --- The canonical form → what S3 is sent --------------------------------------------------------------------------


def parsed(item: bytes) -> dict[str, Any]:
    """The canonical form as a mapping."""
    found: dict[str, Any] = orjson.loads(item)
    return found


def put_arguments(item: Mapping[str, Any]) -> dict[str, Any]:
    """What PutObject, CreateMultipartUpload and CopyObject are told of an object, but for its body and checksum."""
    arguments: dict[str, Any] = {
        "ContentType": item["content_type"],
        "Metadata": item["metadata"],
        **{header: item[name] for name, header in HEADERS.items() if name in item},
    }
    if item["storage_class"] != "STANDARD":
        arguments["StorageClass"] = item["storage_class"]
    if item["tags"]:
        arguments["Tagging"] = urlencode(item["tags"])
    return arguments


def checksum(sha256_hex: str) -> str:
    """A SHA-256 as S3 writes it: base64."""
    return base64.b64encode(bytes.fromhex(sha256_hex)).decode()


# --- What S3 answers → the canonical form --------------------------------------------------------------------------


def trusted_sha256(answer: Mapping[str, Any]) -> str | None:
    """The SHA-256 of the whole object in hex, from a HEAD or GET with checksums; None where there is none to trust.

    The checksum of an object that was uploaded in parts is made of those of its parts, and S3 says so by its type. One
    whose type is not told, as by services that only speak like S3, may be either, and is not trusted.
    Source: S3 user guide, Checking object integrity for data uploads.
    """
    found = answer.get("ChecksumSHA256")
    if not found or answer.get("ChecksumType") != "FULL_OBJECT":
        return None
    try:
        digest = base64.b64decode(found, validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest.hex() if len(digest) == hashlib.sha256().digest_size else None


def observed(config: BucketConfig, answer: Mapping[str, Any], sha256_hex: str, tags: Mapping[str, str]) -> bytes:
    """What a HEAD or GET of an object said, with its digest and tags, in canonical form."""
    return canonical(
        {
            "body": {"sha256": sha256_hex, "size": answer["ContentLength"]},
            "content_type": answer.get("ContentType", ""),
            "metadata": answer.get("Metadata", {}),
            "storage_class": answer.get("StorageClass", "STANDARD"),
            "tags": tags,
            **{name: answer[header] for name, header in HEADERS.items() if answer.get(header)},
            **_not_as_the_bucket(config, answer),
        }
    )


def _not_as_the_bucket(config: BucketConfig, answer: Mapping[str, Any]) -> dict[str, str]:
    """What an object's encryption and retention are, where they are not what its bucket gives to every object."""
    found = {}
    encryption = answer.get("ServerSideEncryption")
    if encryption not in (None, "AES256"):
        found["encryption"] = str(encryption)
    retention = str(answer.get("ObjectLockMode", "none")).lower()
    if retention != ("none" if config.object_lock is None else config.object_lock.mode):
        found["retention"] = retention
    return found
