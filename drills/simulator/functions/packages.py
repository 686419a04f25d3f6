"""A deployment package: Python modules imported from a zip's bytes, each copy of them in a world of its own."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import CodeType, ModuleType
from typing import Any

ROOT = "/var/task/"
"""Where a package lies in Lambda, and so what its tracebacks say."""


@lru_cache(maxsize=64)
def _compiled(source: bytes, path: str) -> CodeType:
    return compile(source, path, "exec")


@lru_cache(maxsize=16)
def files_of(zipped: bytes) -> dict[str, bytes]:
    """The package's files by path."""
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        return {entry.filename: archive.read(entry) for entry in archive.infolist() if not entry.is_dir()}


class Package(MetaPathFinder, InspectLoader):
    """The modules of one zip. Two instances of the same zip share no state."""

    def __init__(self, zipped: bytes) -> None:
        self._files = files_of(zipped)
        self._tops = frozenset(path.partition("/")[0].removesuffix(".py") for path in self._files)
        self._modules: dict[str, ModuleType] = {}

    # --- Finding and loading. Source: Python library reference, importlib.abc.

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        file = self._file_of(fullname)
        if file is None:
            return None
        spec = spec_from_loader(fullname, self, origin=ROOT + file, is_package=self.is_package(fullname))
        if spec is not None:
            spec.has_location = True
        return spec

    def _file_of(self, fullname: str) -> str | None:
        stem = fullname.replace(".", "/")
        return next((file for file in (f"{stem}/__init__.py", f"{stem}.py") if file in self._files), None)

    def is_package(self, fullname: str) -> bool:
        file = self._file_of(fullname)
        return file is not None and file.endswith("/__init__.py")

    def get_source(self, fullname: str) -> str | None:
        file = self._file_of(fullname)
        return None if file is None else self._files[file].decode()

    def get_code(self, fullname: str) -> CodeType | None:
        file = self._file_of(fullname)
        return None if file is None else _compiled(self._files[file], ROOT + file)

    def get_data(self, path: str) -> bytes:
        """A file of the package; ``pkgutil.get_data`` comes here."""
        try:
            return self._files[path.removeprefix(ROOT)]
        except KeyError:
            raise FileNotFoundError(path) from None

    def exec_module(self, module: ModuleType) -> None:
        self._modules[module.__name__] = module
        super().exec_module(module)

    # --- Being the place that imports look first

    @contextmanager
    def importable(self) -> Iterator[None]:
        """Inside, imports find this package's modules before any others; outside, nobody sees them."""
        hidden = self._hide()
        sys.modules.update(self._modules)
        sys.meta_path.insert(0, self)
        try:
            yield
        finally:
            sys.meta_path.remove(self)
            for name in self._modules:
                sys.modules.pop(name, None)
            sys.modules.update(hidden)

    def _hide(self) -> dict[str, Any]:
        """Take out of the way what others imported under the names that this package has, and return it."""
        if not any(top in sys.modules for top in self._tops):
            return {}
        names = [name for name in sys.modules if name.partition(".")[0] in self._tops]
        return {name: sys.modules.pop(name) for name in names}
