"""The copies as CloudFormation: a module each, which makes templates of the very definitions that are deployed by API.

To add a copy, write one file here with a module-level ``copy_template``. Nothing here calls AWS or writes a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol

from drills.errors import UsageError
from drills.model import JSON
from drills.site import Site
from drills.suggestions import did_you_mean
from drills.templates.structure import Bundle, Parameter, Structure, Template

__all__ = ["Bundle", "CopyTemplate", "Parameter", "Structure", "Template", "load", "names"]

SUFFIX = "_copy"


class CopyTemplate(Protocol):
    """One copy that can be deployed by CloudFormation."""

    @property
    def summary(self) -> str: ...

    @property
    def protection(self) -> str:
        """The protection of an estate that is deployed so."""

    def of_any(self, options: Mapping[str, JSON]) -> Bundle:
        """For any store: what it is called is a parameter. Raises ValueError for a wrong option."""

    def of_store(self, site: Site, options: Mapping[str, JSON]) -> Bundle:
        """For the site's store, just as the protection would deploy it."""


def names() -> tuple[str, ...]:
    """What ``drills template`` can be asked for: the names of the modules here that hold a copy, sorted."""
    return tuple(
        sorted(known.name.replace("_", "-") for known in iter_modules(__path__) if known.name.endswith("_copy"))
    )


def load(name: str) -> CopyTemplate:
    """Raises UsageError for an unknown name."""
    if name not in names():
        raise UsageError(f"there is no template {name!r}{did_you_mean(name, names())}")
    found: CopyTemplate = import_module(f"{__name__}.{name.replace('-', '_')}").copy_template
    return found
