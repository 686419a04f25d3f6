"""Deployment packages of the functions: the same bytes on every machine."""

from __future__ import annotations

import hashlib
import io
import zipfile
from importlib import resources

FIRST_DAY = (1980, 1, 1, 0, 0, 0)
"""The earliest time that an entry can have; its own would differ from checkout to checkout."""
UNIX = 3


def packed(handler: str) -> bytes:
    """A zip of the package ``drills/handlers/<handler>``, which lies at its top, as Lambda takes it.

    Stored and not deflated: what deflating gives depends on the version of zlib, and it is a few kilobytes.
    """
    package = resources.files("drills.handlers").joinpath(handler)
    sources = {file.name: file.read_bytes() for file in package.iterdir() if file.name.endswith(".py")}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(sources):
            entry = zipfile.ZipInfo(f"{handler}/{name}", date_time=FIRST_DAY)
            entry.create_system = UNIX
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, sources[name])
    return content.getvalue()


def package_name(handler: str) -> str:
    """What the package's file is called: another name for other content, so that CloudFormation sees the change."""
    return f"{handler}-{hashlib.sha256(packed(handler)).hexdigest()[:16]}.zip"
