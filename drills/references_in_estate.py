"""``references:`` of an estate file: which attribute of which store names the records of which other one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from drills.checked import Complaint
from drills.estate_file import ReferencePart
from drills.model import Reference, Store
from drills.record_file import FileRecords
from drills.suggestions import did_you_mean


def read_references(
    parts: Sequence[ReferencePart], stores: Mapping[str, Store | None]
) -> tuple[tuple[Reference, ...], list[Complaint]]:
    """The references, and what is wrong with them. A store that is None has complaints of its own."""
    found, wrong = [], []
    for index, part in enumerate(parts):
        complaints = list(_complaints(part, stores, index))
        wrong += complaints
        split = _split(part.from_, stores)
        if split is not None and not complaints:
            found.append(Reference(*split, part.to))
    return tuple(found), wrong


def _split(text: str, stores: Mapping[str, Store | None]) -> tuple[str, str] | None:
    """``orders.invoice_key`` → the store and its attribute; names of stores may have dots in them too."""
    fitting = [name for name in stores if text.startswith(f"{name}.") and len(text) > len(name) + 1]
    if not fitting:
        return None
    store = max(fitting, key=len)
    return store, text[len(store) + 1 :]


def _complaints(part: ReferencePart, stores: Mapping[str, Store | None], index: int) -> Iterator[Complaint]:
    split = _split(part.from_, stores)
    if split is None:
        name = part.from_.partition(".")[0]
        text = f"'from' of reference {index + 1}: expected a store and an attribute, as orders.invoice_key, found "
        yield Complaint(("references", index, "from"), f"{text}{part.from_!r}{did_you_mean(name, stores)}")
    elif (store := stores[split[0]]) is not None:
        names = _attributes(store)
        first = split[1].partition(".")[0]
        if split[1] not in names and first not in names:
            yield Complaint(
                ("references", index, "from"),
                f"reference {index + 1}: the records of store {split[0]!r} have no {first!r}"
                f"{did_you_mean(first, names)}",
            )
    if part.to not in stores:
        yield Complaint(
            ("references", index, "to"),
            f"reference {index + 1} names the store {part.to!r}, which does not exist{did_you_mean(part.to, stores)}",
        )
    elif (named := stores[part.to]) is not None and named.records is not None and len(named.records.keys) != 1:
        yield Complaint(
            ("references", index, "to"),
            f"reference {index + 1} names the store {part.to!r}, whose key is made of {len(named.records.keys)} "
            "attributes; expected a key of one",
        )


def _attributes(store: Store) -> set[str]:
    records = store.records
    if isinstance(records, FileRecords):
        return {name for record in records.records for name in record}
    return {attribute.name for attribute in records.attributes} if records is not None else set()
