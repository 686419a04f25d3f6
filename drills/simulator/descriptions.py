"""What boto3 reads and sets up anew for each session is read and set up once for all sessions of simulated AWSs.

Botocore's handlers take 10 ms to register, and the description of a service up to 130 ms to read; a drill has sessions
for each role, and an execution environment of a function makes its own.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest import mock

import botocore.session
import orjson
from botocore import handlers
from botocore.hooks import HierarchicalEmitter
from botocore.loaders import JSONFileLoader, Loader

_create_loader = botocore.session.create_loader
_parsed: dict[Any, Any] = {}


@contextmanager
def shared() -> Iterator[None]:
    """A context in which sessions share what is read of the services, read it faster, and copy botocore's handlers."""
    with (
        mock.patch.object(JSONFileLoader, "_load_file", load_file),
        mock.patch.object(botocore.session, "create_loader", _sharing_loader),
        mock.patch.object(botocore.session, "get_session", new_session),
    ):
        yield


def new_session(env_vars: Any = None) -> botocore.session.Session:
    """In place of ``botocore.session.get_session``."""
    hooks = copy.copy(_prepared_hooks(tuple(handlers.BUILTIN_HANDLERS)))
    return botocore.session.Session(env_vars, event_hooks=hooks, include_builtin_handlers=False)


def _sharing_loader(search_path_string: str | None = None) -> Loader:
    loader: Loader = _create_loader(search_path_string)
    if search_path_string is None:
        # What a loader has parsed it never changes; one with a path of the user's own keeps to itself. Only that is
        # shared and not the loader, as boto3 appends its own folder to the search paths for each session.
        loader._cache = _parsed  # type: ignore[attr-defined]
    return loader


@cache
def _prepared_hooks(_: tuple[Any, ...]) -> HierarchicalEmitter:
    """With botocore's own handlers and what was put among them, by moto for one."""
    hooks = HierarchicalEmitter()
    botocore.session.Session(event_hooks=hooks)
    return hooks


def load_file(self: Any, full_path: str, open_method: Callable[..., Any]) -> Any:
    """In place of ``JSONFileLoader._load_file``, which takes a quarter of a second for EC2's description."""
    if not os.path.isfile(full_path):
        return None
    with open_method(full_path, "rb") as file:
        return orjson.loads(file.read())
