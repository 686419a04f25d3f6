"""What a roll-back cannot do, told with the bucket, the key and what to do next."""

from __future__ import annotations

from drills.errors import ProtectionError, UsageError


class RollBackRefused(UsageError):
    """The bucket cannot be rolled back as it is; nothing was done."""


class RollBackStopped(ProtectionError):
    """It was begun and could not go on. ``key`` is the key it stopped at; what is done so far stands."""

    def __init__(self, message: str, key: str) -> None:
        super().__init__(message)
        self.key = key
