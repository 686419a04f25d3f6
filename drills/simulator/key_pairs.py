"""Key pairs of simulated KMS keys, made when they are first used: symmetric keys have none, and nearly all are."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from moto.kms.utils import generate_private_key

from drills.simulator.replaced import Replacement


class KeyPair:
    """What moto makes with each key, and takes 50 ms for."""

    def __init__(self, key_spec: str) -> None:
        self._key_spec = key_spec

    @cached_property
    def _made(self) -> Any:
        return generate_private_key(self._key_spec)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._made, name)


REPLACEMENTS = (
    Replacement(
        "moto.kms.models:generate_private_key",
        KeyPair,
        "moto makes an RSA key pair for each symmetric key too",
        digest="cdf2b67aac14",
    ),
)
