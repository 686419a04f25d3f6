"""Why a record is not copied: for now, or for good."""

from __future__ import annotations


class Retryable(Exception):
    """This did not work now and may work later: Lambda must deliver the record again."""


class Poison(Exception):
    """Something permanent about one record: it is set aside."""
