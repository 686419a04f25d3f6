"""The checksums of S3, of whole objects and of parts, and what is refused before anything is stored.

Source: S3 user guide, Checking object integrity; the wordings are those of answers of AWS.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from drills.simulator.s3.calls import Refusal

ChecksumType = Literal["FULL_OBJECT", "COMPOSITE"]

CRC32C_POLYNOMIAL = 0x82F63B78
CRC64NVME_POLYNOMIAL = 0x9A6C9329AC4BC9B5
"""Both reflected: least significant bit first."""
DEFAULT = "CRC64NVME"
"""What S3 calculates where the client gives none."""
HEADER = "x-amz-checksum-"


def digest(algorithm: str, body: bytes) -> bytes:
    """The checksum of these bytes; ``algorithm`` is one of ``ALGORITHMS``."""
    return ALGORITHMS[algorithm](body)


def encoded(algorithm: str, body: bytes) -> str:
    """The checksum as S3 writes it: base64, big-endian."""
    return base64.b64encode(digest(algorithm, body)).decode()


@dataclass(frozen=True, slots=True)
class Checksum:
    """``value`` is base64; of a composite one, without the number of parts that S3 writes behind it."""

    algorithm: str
    value: str
    type: ChecksumType = "FULL_OBJECT"
    parts: int = 0

    @property
    def shown(self) -> str:
        return f"{self.value}-{self.parts}" if self.type == "COMPOSITE" else self.value

    @property
    def header(self) -> str:
        return HEADER + self.algorithm.lower()

    @property
    def element(self) -> str:
        """The name of its element in XML."""
        return f"Checksum{self.algorithm}"


def of_version(version: object) -> Checksum | None:
    """The checksum of a stored version."""
    algorithm, value = getattr(version, "checksum_algorithm", None), getattr(version, "checksum_value", None)
    if not algorithm or not value:
        return None
    kind: ChecksumType = "COMPOSITE" if getattr(version, "checksum_type", None) == "COMPOSITE" else "FULL_OBJECT"
    return Checksum(algorithm, value, kind, getattr(version, "checksum_parts", None) or 0)


def given(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """Algorithm and value of the checksum among these headers or trailers. Raises Refusal where there are two."""
    found = [(name, headers[HEADER + name.lower()]) for name in ALGORITHMS if HEADER + name.lower() in headers]
    if len(found) > 1:
        text = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        raise Refusal("InvalidRequest", text)
    return found[0] if found else None


def checked(body: bytes, headers: Mapping[str, str]) -> Checksum | None:
    """The checksum that the client gave, None where it gave none. Raises Refusal where one is not the body's.

    ``headers`` include the trailers.
    """
    _check_md5(body, headers.get("content-md5"))
    _check_signed(body, headers.get("x-amz-content-sha256", ""))
    found = given(headers)
    if found is None:
        return None
    algorithm, value = found
    check_form(algorithm, value)
    if encoded(algorithm, body) != value:
        raise Refusal("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")
    return Checksum(algorithm, value)


def check_form(algorithm: str, value: str) -> None:
    """Raises Refusal for what cannot be a checksum of this kind."""
    try:
        length = len(base64.b64decode(value, validate=True))
    except binascii.Error:
        length = -1
    if length != len(digest(algorithm, b"")):
        raise Refusal("InvalidRequest", f"Value for {HEADER}{algorithm.lower()} header is invalid.")


def _check_md5(body: bytes, value: str | None) -> None:
    if value is None:
        return
    try:
        expected = base64.b64decode(value, validate=True)
    except binascii.Error:
        expected = b""
    if len(expected) != 16:
        raise Refusal(
            "InvalidDigest", "The Content-MD5 you specified was invalid.", 400, None, **{"Content-MD5": value}
        )
    found = hashlib.md5(body, usedforsecurity=False).digest()
    if found != expected:
        text = "The Content-MD5 you specified did not match what we received."
        calculated = base64.b64encode(found).decode()
        raise Refusal("BadDigest", text, 400, None, ExpectedDigest=value, CalculatedDigest=calculated)


def _check_signed(body: bytes, value: str) -> None:
    if len(value) != 64:  # UNSIGNED-PAYLOAD, or one of the streaming kinds.
        return
    if hashlib.sha256(body).hexdigest() != value.lower():
        text = "The provided 'x-amz-content-sha256' header does not match what was computed."
        raise Refusal("XAmzContentSHA256Mismatch", text)


# --- The algorithms --------------------------------------------------------------------------------------------------


@cache
def _table(polynomial: int) -> tuple[int, ...]:
    table = []
    for index in range(256):
        value = index
        for _ in range(8):
            value = (value >> 1) ^ polynomial if value & 1 else value >> 1
        table.append(value)
    return tuple(table)


def _reflected(body: bytes, polynomial: int, width_bytes: int) -> bytes:
    table = _table(polynomial)
    ones = (1 << 8 * width_bytes) - 1
    value = ones
    for byte in body:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    return (value ^ ones).to_bytes(width_bytes, "big")


ALGORITHMS: Mapping[str, Callable[[bytes], bytes]] = {
    "CRC32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "CRC32C": lambda body: _reflected(body, CRC32C_POLYNOMIAL, 4),
    "CRC64NVME": lambda body: _reflected(body, CRC64NVME_POLYNOMIAL, 8),
    "SHA1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "SHA256": lambda body: hashlib.sha256(body).digest(),
}
