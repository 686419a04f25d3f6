"""Kinds of store. One file a kind; each has a module-level ``kind`` that satisfies StoreKind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from drills.errors import DrillError
from drills.model import JSON, Finding, Location, Observed, Write
from drills.site import Site

LEFT_OUT = "left out by the estate"
"""What ``unlisted`` says of something that nobody is to verify."""


class Refused(DrillError):
    """A write that certainly did not happen, of a kind whose client raises no error of AWS's.

    It was never sent, or the server refused it before it was committed.
    """


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record on its way into a store: its key, its canonical JSON, and its payload where the kind has one."""

    key: str
    item: bytes
    payload: Any = None


class Load(Protocol):
    """See StoreKind."""

    def __call__(self, site: Site, at: Location) -> Mapping[str, JSON]:
        """Read all that the store holds once, so that nothing is left to be fetched; returns what the history is to
        say of it. The store is as it was afterwards. Raises DrillError with the reason where that cannot be done."""
        ...


class StoreKind(Protocol):
    """What a drill needs of a kind of store. Everything here works through plain boto3 clients of the Site.

    A kind whose restored stores answer before their data is where it is read from has ``load`` besides: Load.
    """

    name: str
    """The word in ``kind:`` of an estate file, for instance ``dynamodb``."""

    def needs(self, config: Any) -> frozenset[str]:
        """The capabilities without which there can be no such store, by their names in drills.providers.capabilities.

        A kind that does not say is taken to need none.
        """
        ...

    def parse(self, node: Mapping[str, JSON]) -> Any:
        """The kind's own keys of a store in an estate file → its frozen config. Raises pydantic.ValidationError."""
        ...

    def key_of(self, config: Any, record: Mapping[str, Any]) -> str:
        """The key of a generated record, as canonical text."""
        ...

    def encode(self, config: Any, record: Mapping[str, Any]) -> bytes:
        """A generated record (plain Python values) → canonical JSON, the form the ledger and inventories compare."""
        ...

    def outgoing(self, config: Any, record: Mapping[str, Any]) -> Outgoing:
        """A generated record as it is sent: its key, its canonical JSON, and its payload where the kind has one.

        Raises as ``key_of`` and ``encode`` do.
        """
        ...

    def expires_at(self, config: Any, record: Mapping[str, Any]) -> int | None:
        """Epoch seconds at which the record expires, None when it does not."""
        ...

    def physical_name(self, name: str, account: str, region: str) -> str:
        """A name of the site's → what a store of this kind can be called there; always the same for the same."""
        ...

    def provision(self, site: Site) -> Location:
        """Create the store in production as its config says; returns when it is usable."""
        ...

    def seed(self, site: Site, at: Location, records: Iterable[Outgoing]) -> None:
        """Write many records quickly. ``records`` may be made as they are taken: they are not to be kept."""
        ...

    def write(self, site: Site, at: Location, write: Write, payload: Any) -> None:
        """Send one write of the workload with its payload, None for a delete.

        Returns when acknowledged; the client's exception otherwise. Refused says that nothing was written.
        """
        ...

    def inventory(self, site: Site, at: Location) -> Iterator[Observed]:
        """Every record, streaming, in any order, consistently read."""
        ...

    def unlisted(self, site: Site, at: Location) -> Mapping[str, str]:
        """What the store holds that no record covers: by name, a text that is the same as long as all of it is, or
        LEFT_OUT."""
        ...

    def settings(self, site: Site, at: Location) -> Mapping[str, JSON]:
        """Every setting the application or the operators rely on, by name, comparable with ``==``."""
        ...

    def reconfigure(self, site: Site, at: Location, settings: Mapping[str, JSON]) -> None:
        """Put back what a restore does not bring back, so that ``settings(at)`` equals ``settings``."""
        ...

    def erase(self, site: Site, at: Location, keys: Sequence[str]) -> None:
        """Delete these keys again: erasures made after the recovery point."""
        ...

    def purge_expired(self, site: Site, at: Location) -> int:
        """Delete what has expired by now; returns how many."""
        ...

    def probe(self, site: Site, at: Location) -> Sequence[Finding]:
        """Does it answer as the application needs: key and index queries, a canary written, read and removed."""
        ...

    def damage(self, site: Site, at: Location, variant: str) -> int:
        """Mangle records as a bug would (bulk_erase's variants); returns how many records were touched."""
        ...

    def take_name(self, stranger: Callable[[str, str], Any], at: Location) -> bool:
        """Make an empty store of that name in an account that is none of the estate's; whether that was done.

        It is not where names are each account's own. ``stranger`` gives that account's client of a service in a
        region, or None where there is no such account to act with.
        """
        ...

    def unlock(self, site: Site, at: Location) -> None:
        """Make that ``destroy`` can begin at once: wait for what stands in its way, and turn off what forbids it.

        The store is used as before meanwhile. What can be deleted at once is left as it is.
        """
        ...

    def destroy(self, site: Site, at: Location) -> None:
        """Delete the store itself, as bad infrastructure code does."""
        ...
