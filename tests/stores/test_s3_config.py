"""The keys of an S3 bucket in an estate file: what is accepted, what is wrong and where it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from drills.errors import ConfigurationError
from drills.estate import REFERENCE, parse_estate
from drills.model import Estate
from drills.plugins import load_estate, load_protection, load_store_kind, protection_names
from drills.stores.s3_config import BucketConfig, CorsRule, LifecycleRule, ObjectLock, PublicAccessBlock, Transition
from drills.stores.s3_names import LONGEST_NAME, bucket_name
from tests.stores.bucket_site import BUCKET, estate_text

PLAIN = '    records: {key: {template: "{n}"}, body: name}\n'


def read(bucket: str) -> Estate:
    return parse_estate(estate_text(bucket), file="f.yaml", name="f", folder=Path())


def test_a_bucket_is_read() -> None:
    config: BucketConfig = read(BUCKET).stores[0].config
    assert config.versioning == "enabled"
    assert [rule.id for rule in config.lifecycle] == ["old-versions", "scratch", "markers", "cold"]
    assert config.lifecycle[3].transition == Transition(days=30, storage_class="STANDARD_IA")
    assert config.event_bridge is True
    assert config.policy["Statement"][0]["Sid"] == "Accountants"
    assert read(BUCKET).stores[0].records.keys == {"key"}


def test_what_is_left_out() -> None:
    config: BucketConfig = read(PLAIN).stores[0].config
    assert config == BucketConfig()
    assert config.public_access_block == PublicAccessBlock(
        block_acls=True, ignore_acls=True, block_policy=True, restrict=True
    )
    assert (config.object_lock, config.lifecycle, config.policy, config.read_every_byte) == (None, [], None, False)


def test_public_access_in_one_word() -> None:
    config: BucketConfig = read(PLAIN + "    public_access_block: false").stores[0].config
    assert not any(config.public_access_block.model_dump().values())


def test_the_built_in_estate_has_a_bucket() -> None:
    (invoices,) = [store for store in load_estate("shop").stores if store.kind == "s3"]
    assert invoices.name == "invoices"
    assert [(one.store, one.attribute, one.to) for one in load_estate("shop").references] == [
        ("orders", "invoice_key", "invoices"),
        ("payments", "receipt_key", "invoices"),
        ("payments", "client_id", "clients"),
    ]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("versioning: on", "'versioning' in store 'Paper_Work'"),
        ("object_lock: {mode: governance, days: 1}\n    versioning: suspended", "expected versioning: enabled beside"),
        ("object_lock: {mode: soft, days: 1}", "'object_lock.mode' in store 'Paper_Work'"),
        ("lifecycle: [{id: idle}]", "rule 'idle': expected one of expire_days"),
        ("lifecycle: [{id: a, expire_days: 1}, {id: a, expire_days: 2}]", "found 'a' 2 times"),
        ("lifecycle: [{id: a, newer_noncurrent: 3, expire_days: 1}]", "expected noncurrent_days beside"),
        ("lifecycle: [{id: a, expired_markers: true, expire_days: 1}]", "cannot stand beside expire_days"),
        ("lifecycle: [{id: a, abort_uploads_days: 1, tags: {b: c}}]", "cannot stand beside tags"),
        ("lifecycle: [{id: a, expires_days: 1}]", "did you mean 'expire_days'"),
        ("policy: allow", "expected a bucket policy as AWS takes it"),
        ('tags: {"drills:drill": x}', "names with 'aws:' and 'drills:' are taken"),
        ("cors: [{origins: [], methods: [GET]}]", "'cors[0].origins'"),
        ("versionning: enabled", "did you mean 'versioning'"),
    ],
)
def test_what_is_wrong_is_told(key: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(f"{PLAIN}    {key}\n")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ("{body: name}", "lacks 'key'"),
        ('{key: {template: "{n}"}}', "lacks 'body'"),
        ('{key: {template: "{n}"}, body: name, content-type: {const: a/b}}', "did you mean 'content_type'"),
        ('{key: {template: "{n}"}, body: {list: {of: name}}}', "'body': expected text or a number, found list"),
        ('{key: {template: "{n}"}, body: name, metadata: {map: {Upper: name}}}', "expected names of a-z"),
        ('{key: {template: "{n}"}, body: name, metadata: {map: {a: {const: "é"}}}}', "expected printable ASCII"),
        ('{key: {template: "{n}"}, body: name, metadata: {map: {a: {text: 3KB}}}}', "at most 2,048 bytes in all"),
        ('{key: {template: "{n}"}, body: name, storage_class: {const: COLD}}', "expected one of STANDARD"),
        ('{key: {template: "{n}"}, body: name, tags: {const: x}}', "'tags': expected a map"),
        ('{_long: {text: 2KB}, key: {template: "{n} {_long}"}, body: name}', "expected 1 to 1,024 bytes"),
        ("{key: name, body: name}", "whose values repeat"),
    ],
)
def test_records_that_a_bucket_cannot_hold(records: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(f"    records: {records}\n")
    assert said in str(caught.value)


def test_the_reference_has_every_key() -> None:
    models: list[Any] = [BucketConfig, CorsRule, LifecycleRule, ObjectLock, PublicAccessBlock, Transition]
    for key in sorted({key for model in models for key in model.model_fields}):
        assert re.search(rf"[`.{{\s]{key}[`:.]", REFERENCE), key


def test_the_kind_is_found() -> None:
    assert load_store_kind("s3").name == "s3"


@pytest.mark.parametrize("name", [name for name in protection_names() if name.startswith("s3_")])
def test_the_reference_has_the_options_of_every_protection(name: str) -> None:
    """A protection that is asked for an option it has not says which there are."""
    with pytest.raises(ValueError) as caught:
        load_protection(name).check({"no_such": 1})
    (row,) = re.findall(rf"^\| `{name}` \| .*", REFERENCE, re.MULTILINE)
    told = str(caught.value).partition("expected ")[2].removeprefix("one of ").removeprefix("none")
    for option in filter(None, told.split(", ")):
        assert f"`{option}`" in row


def test_names_of_buckets() -> None:
    """Valid wherever they come from, always the same, and different for whatever is different."""
    wanted = [
        "drill-ab12-Paper_Work",
        "drill-ab12-paper.work",
        "x" * 200,
        "x" * 199,
        "..",
        "é",
        "drill-ab12-paper-work",
    ]
    places = [("111111111111", "eu-west-1"), ("111111111111", "eu-central-1"), ("222222222222", "eu-west-1")]
    names = [bucket_name(name, *place) for name in wanted for place in places]
    assert len(set(names)) == len(names)
    assert names == [bucket_name(name, *place) for name in wanted for place in places]
    for name in names:
        assert len(name) <= LONGEST_NAME
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]+[a-z0-9]", name), name
    assert names[0].startswith("drill-ab12-paper-work-")
