"""What boto3 reads and sets up anew for each session is read and set up once for all sessions of simulated AWSs.

Botocore's handlers take 10 ms to register, and the description of a service up to 130 ms to read; a drill has sessions
for each role, and an execution environment of a function makes its own.
"""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager
from functools import cache
from typing import Any
from unittest import mock

import botocore.session
from botocore.hooks import HierarchicalEmitter
from botocore.loaders import Loader

_create_loader = botocore.session.create_loader
_parsed: dict[Any, Any] = {}


def shared() -> AbstractContextManager[object]:
    """A context in which new sessions share what they read of the services."""
    return mock.patch.object(botocore.session, "create_loader", _sharing_loader)


def new_session() -> botocore.session.Session:
    """A session as ``botocore.session.get_session`` makes it."""
    return botocore.session.Session(event_hooks=copy.copy(_prepared_hooks()), include_builtin_handlers=False)


def _sharing_loader(search_path_string: str | None = None) -> Loader:
    loader: Loader = _create_loader(search_path_string)
    if search_path_string is None:
        # What a loader has parsed it never changes; one with a path of the user's own keeps to itself. Only that is
        # shared and not the loader, as boto3 appends its own folder to the search paths for each session.
        loader._cache = _parsed  # type: ignore[attr-defined]
    return loader


@cache
def _prepared_hooks() -> HierarchicalEmitter:
    """With botocore's own handlers, moto's among them."""
    hooks = HierarchicalEmitter()
    botocore.session.Session(event_hooks=hooks)
    return hooks
