"""What the forms of records draw, beside each form done again in the plainest way."""

from __future__ import annotations

import hashlib
import random
import string
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from drills import record_pools
from drills.record_drawing import Record
from drills.record_forms import (
    ConstForm,
    CycleForm,
    EitherForm,
    ListForm,
    MapForm,
    RefForm,
    SetForm,
    TemplateForm,
    TimeForm,
)
from drills.record_scalar_forms import (
    BytesForm,
    ChoiceForm,
    DecimalForm,
    FakerForm,
    Form,
    NumberForm,
    SequenceForm,
    TextForm,
    UuidForm,
)
from drills.records import MadeRecords, make_records, read_attributes

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
SEED = 11


def plainly(form: Form, rng: random.Random, n: int, record: Record) -> Any:
    """The value that a form says, drawn anew from what the estate file says each time."""
    match form:
        case FakerForm():
            pool = record_pools.pool(SEED, START, form.provider, form.locale, form.with_)
            return pool[int(rng.random() * len(pool))]
        case ChoiceForm(values=dict() as weights):
            at, total = rng.random(), sum(weights.values())
            for value, weight in weights.items():
                at -= weight / total
                if at < 0:
                    return value
            return list(weights)[-1]
        case ChoiceForm():
            return list(form.values)[int(rng.random() * len(form.values))]
        case SequenceForm():
            number = n if form.among is None else whole(rng, 0, form.among - 1)
            return form.of + number if isinstance(form.of, int) else form.of.format(n=number)
        case UuidForm():
            return str(uuid.UUID(int=rng.getrandbits(128), version=4))
        case NumberForm():
            return whole(rng, form.min, form.max)
        case DecimalForm(digits=None, max=Decimal() as most):
            step = Decimal(10) ** form.places
            return Decimal(f"{whole(rng, int(form.min * step), int(most * step))}E-{form.places}")
        case DecimalForm(digits=int() as digits):
            sign = -1 if rng.random() < 0.5 else 1
            return Decimal(f"{sign * whole(rng, 10 ** (digits - 1), 10**digits - 1)}E-{form.places}")
        case TextForm():
            words = " ".join(record_pools.pool(SEED, START, "word", "en_US", {})) + " "
            at = whole(rng, 0, len(words) - 1)
            return (words * (form.size // len(words) + 2))[at : at + form.size]
        case BytesForm():
            size = (
                whole(rng, form.min, form.max) if form.max is not None else whole(rng, form.size or 0, form.size or 0)
            )
            return bytes(rng.getrandbits(size * 8).to_bytes(size, "little")) if size else b""
        case ListForm():
            return [plainly(form.of, rng, n, record) for _ in range(whole(rng, *form.bounds()))]
        case SetForm():
            wanted, found = whole(rng, *form.bounds()), set()
            for _ in range(wanted * 4):
                found |= {plainly(form.of, rng, n, record)}
                if len(found) == wanted:
                    break
            return found
        case MapForm():
            return {name: plainly(entry, rng, n, record) for name, entry in form.entries.items()}
        case EitherForm():
            return plainly(form.forms[int(rng.random() * len(form.forms))], rng, n, record)
        case CycleForm():
            return plainly(form.forms[n % len(form.forms)], rng, n, record)
        case ConstForm():
            return form.value
        case TimeForm():
            factor = 1000 if form.as_ == "milliseconds" else 1
            start = int(START.timestamp())
            moment = whole(rng, (start + int(form.from_)) * factor, (start + int(form.to)) * factor)
            if form.as_ == "iso":
                return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=moment)).strftime("%Y-%m-%dT%H:%M:%SZ")
            return moment
        case TemplateForm():
            names = {name for _, name, _, _ in string.Formatter().parse(form.text) if name}
            given = {name: record.get(name, "") for name in names} | {"n": n}
            return string.Formatter().vformat(form.text, (), given)
        case RefForm():
            return record.get(form.attribute)
    raise AssertionError(f"no plain way for {form.word}")


def whole(rng: random.Random, low: int, high: int) -> int:
    """So many bits, scaled: the same on every Python, which ``randint`` need not be."""
    count = high - low + 1
    bits = count.bit_length() + 32
    return low + (rng.getrandbits(bits) * count >> bits)


def plain_record(spec: MadeRecords, n: int) -> Record:
    digest = hashlib.sha256(f"{SEED}/{spec.store}/records".encode()).digest()
    rng = random.Random((int.from_bytes(digest[:16], "big") << 64) + n)
    record: Record = {}
    for attribute in spec.attributes:
        presence = attribute.presence
        if (presence.count is None or n < presence.count) and (presence.share is None or rng.random() < presence.share):
            record[attribute.name] = plainly(attribute.form, rng, n, record)
    return record


small = st.integers(-(10**20), 10**20)
ordered = st.tuples(small, small).map(sorted)
weights = st.dictionaries(st.sampled_from("abcd"), st.sampled_from([0.5, 1, 7, 99]), min_size=1)
scalars = st.one_of(
    st.sampled_from(["uuid", "sequence", "name", "city", "date_of_birth"]),
    st.builds(lambda pair: {"number": {"min": pair[0], "max": pair[1]}}, ordered),
    st.builds(
        lambda pair, places: {"decimal": {"min": pair[0], "max": pair[1], "places": places}},
        ordered, st.integers(0, 30),
    ),
    st.builds(
        lambda digits, places: {"decimal": {"digits": digits, "places": places}}, st.integers(1, 38), st.integers(0, 30)
    ),
    st.builds(lambda low, more: {"bytes": {"min": low, "max": low + more}}, st.integers(0, 40), st.integers(0, 40)),
    st.builds(lambda size: {"bytes": size}, st.integers(0, 40)),
    st.builds(lambda size: {"text": size}, st.integers(0, 9_000)),
    st.builds(lambda values: {"choice": values}, st.lists(st.text(max_size=3), min_size=1, max_size=4) | weights),
    st.builds(lambda among: {"sequence": {"of": "C-{n:06d}", "among": among}}, st.integers(1, 10**6)),
    st.builds(
        lambda back, length, how: {"time": {"from": f"-{back + length}s", "to": f"-{back}s", "as": how}},
        st.integers(0, 8 * 10**8), st.integers(0, 10**8), st.sampled_from(["epoch", "milliseconds", "iso"]),
    ),
)  # fmt: skip
unmixed = st.sampled_from(["uuid", {"number": {"max": 4}}, {"bytes": 2}, {"choice": ["a", "b", "c"]}])
nested = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.builds(
            lambda of, low, more: {"list": {"of": of, "size": [low, low + more]}},
            inner, st.integers(0, 3), st.integers(0, 3),
        ),
        st.builds(lambda of, size: {"set": {"of": of, "size": size}}, unmixed, st.integers(1, 4)),
        st.dictionaries(st.sampled_from("xyz"), inner, min_size=1).map(lambda entries: {"map": {"entries": entries}}),
        st.lists(inner, min_size=1, max_size=3).map(lambda forms: {"either": {"forms": forms}}),
        st.lists(inner, min_size=1, max_size=3).map(lambda forms: {"cycle": {"forms": forms}}),
        st.sampled_from([None, True, "", {"k": [1]}]).map(lambda value: {"const": {"value": value}}),
    ),
    max_leaves=6,
)  # fmt: skip
absent: st.SearchStrategy[dict[str, Any]] = st.sampled_from([{}, {"share": 0.5}, {"count": 3}])


@st.composite
def specs(draw: st.DrawFn) -> MadeRecords:
    node: dict[str, Any] = {}
    for number, form in enumerate(draw(st.lists(nested, min_size=1, max_size=5))):
        node[f"a{number}"] = form | draw(absent) if isinstance(form, dict) else form
    node["told"] = {"template": "{a0}-{n:04d} {{" + "".join(f"{{{name}}}" for name in node) + "}}"}
    node["again"] = {"ref": draw(st.sampled_from(sorted(node)))}
    spec, complaints = read_attributes("store", node, ())
    assert complaints == []
    assert spec is not None
    return spec


@settings(max_examples=150, deadline=None)
@given(specs(), st.lists(st.integers(0, 2**40), min_size=1, max_size=4))
def test_records_are_exactly_what_their_forms_say(spec: MadeRecords, numbers: list[int]) -> None:
    maker = make_records(spec, SEED, START)
    for n in numbers:
        record = maker.record(n)
        assert typed(record) == typed(plain_record(spec, n))


def typed(value: Any) -> Any:
    """With types, as 1 equals True and Decimal(1)."""
    match value:
        case dict():
            return [(name, typed(member)) for name, member in value.items()]
        case list():
            return [typed(member) for member in value]
        case set():
            return {typed(member) for member in value}
        case Decimal():
            return ("Decimal", str(value))
        case _:
            return (type(value).__name__, value)
