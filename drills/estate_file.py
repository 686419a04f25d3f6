"""The shape of an estate file, but for what each kind of store and each protection says of itself."""

from __future__ import annotations

import functools
import math
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from drills.checked import Checked
from drills.durations import seconds
from drills.locations_in_yaml import shown
from drills.suggestions import did_you_mean

ROLES = ("production", "vault", "recovery")
DEFAULT_IDS = {"production": "111111111111", "vault": "222222222222", "recovery": "333333333333"}
DEFAULT_REGIONS = {"production": "eu-west-1", "vault": "eu-central-1", "recovery": "eu-north-1"}


def _account_id(value: Any) -> Any:
    text = str(value) if isinstance(value, int) and value < 10**12 else value
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{12}", text):
        raise ValueError(f"expected an account id of 12 digits, found {shown(value)}")
    return text


def _region(value: str) -> str:
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-[0-9]", value):
        raise ValueError(f"expected a region such as eu-west-1, found {shown(value)}")
    known = _regions()
    if value not in known:
        raise ValueError(f"unknown region {value!r} (a new one needs a newer boto3){did_you_mean(value, known)}")
    return value


@functools.cache
def _regions() -> frozenset[str]:
    from boto3 import Session

    session = Session()
    partitions = session.get_available_partitions()
    return frozenset(region for one in partitions for region in session.get_available_regions("dynamodb", one))


NAMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


def _name(value: str) -> str:
    if NAMED.fullmatch(value) is None:
        raise ValueError(f"expected a name of letters, digits, '_', '-' and '.', at most 100, found {shown(value)}")
    return value


def _existing(value: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_.-]{3,255}", value) is None:
        raise ValueError(
            "expected the name that the store has in AWS, 3 to 255 letters, digits, '_', '-' and '.', "
            f"found {shown(value)}"
        )
    return value


Duration = Annotated[float, BeforeValidator(seconds)]
Name = Annotated[str, AfterValidator(_name)]
Weight = Annotated[float, Field(ge=0, le=1e9)]


class AccountPart(Checked):
    id: Annotated[str, BeforeValidator(_account_id)] | None = None
    region: Annotated[str, AfterValidator(_region)] | None = None


class AccountsPart(Checked):
    production: AccountPart = AccountPart()
    vault: AccountPart = AccountPart()
    recovery: AccountPart = AccountPart()


class WorkloadPart(Checked):
    writes_per_minute: Annotated[float, Field(ge=0, le=100_000)] = 60.0
    inserts: Weight = 3.0
    updates: Weight = 5.0
    deletes: Weight = 1.0
    erasures: Weight = 0.0


class ObjectivesPart(Checked):
    rto: Duration
    rpo: Duration


class ProductionPart(Checked):
    size_gb: Annotated[float, Field(gt=0, le=1e9)]
    items: Annotated[int, Field(ge=1, le=10**15)]


class StorePart(Checked):
    """The keys that every store has, whatever its kind."""

    name: Name
    kind: str
    exists: Annotated[str, AfterValidator(_existing)] | None = None
    records: Any = None
    records_from: Any = None
    share: Annotated[float, Field(gt=0, le=1e9)] = 1.0
    workload: WorkloadPart = WorkloadPart()
    protections: Annotated[list[Any], Field(min_length=1)]
    objectives: ObjectivesPart
    production: ProductionPart


class ExistingStorePart(StorePart):
    """A store that exists in AWS and has no records to be drilled with: nothing needs to be said of a drill."""

    objectives: ObjectivesPart = ObjectivesPart.model_construct(rto=math.inf, rpo=math.inf)
    production: ProductionPart = ProductionPart.model_construct(size_gb=0.0, items=0)


class ResponsePart(Checked):
    detect: dict[str, Duration] = Field(default_factory=lambda: {"default": 900.0})
    decide: Duration = 900.0
    cut_over: Duration = 0.0


class ReferencePart(Checked):
    """One attribute that names the records of another store."""

    from_: Annotated[str, Field(alias="from")]
    to: str


class EstatePart(Checked):
    """The keys of the file itself."""

    name: Name | None = None
    summary: str = ""
    accounts: AccountsPart = AccountsPart()
    stores: Annotated[list[Any], Field(min_length=1)]
    modules: dict[Name, Annotated[list[str], Field(min_length=1)]] = Field(default_factory=dict)
    references: list[ReferencePart] = Field(default_factory=list)
    response: ResponsePart = ResponsePart()
    workload_minutes: Annotated[float, Field(gt=0, le=100_000)] = 30.0
