"""Exports into S3 and imports from there, through plain boto3 clients."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from moto.dynamodb.models.table_export import TableExport

from tests.simulator.dynamodb.ground import (
    REGION,
    START,
    Ground,
    contents,
    make_table,
    plain_moto,
    put,
    recoverable_table,
    refusal_code,
    simulated,
    status,
    wait_until_active,
)

VAULT = "222233334444"
KEYED = {
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}
ITEM: dict[str, Any] = {
    "id": {"S": "every type ✓"},
    "number": {"N": "12345678901234567890123456789012345678"},
    "binary": {"B": b"\x00\xff"},
    "texts": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "2.5"]},
    "binaries": {"BS": [b"\x01", b"\x02"]},
    "map": {"M": {"list": {"L": [{"BOOL": True}, {"NULL": True}, {"S": ""}]}}},
}


@pytest.fixture
def ground() -> Iterator[Ground]:
    with simulated() as ground:
        yield ground


def make_bucket(s3: Any, name: str = "exports", region: str = REGION) -> None:
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})


def finished(ground: Ground, client: Any, arn: str) -> dict[str, Any]:
    ground.sleep(3600)
    return dict(client.describe_export(ExportArn=arn)["ExportDescription"])


def read(s3: Any, key: str, bucket: str = "exports") -> bytes:
    return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


def exported_items(s3: Any, export: dict[str, Any], bucket: str = "exports") -> list[dict[str, Any]]:
    """The items of an export, found as a stranger would: from the manifest, with every checksum compared."""
    summary_raw = read(s3, export["ExportManifest"], bucket)
    summary = json.loads(summary_raw)
    files_raw = read(s3, summary["manifestFilesS3Key"], bucket)
    for name, raw in (("manifest-summary", summary_raw), ("manifest-files", files_raw)):
        key = export["ExportManifest"].replace("manifest-summary.json", f"{name}.md5")
        assert read(s3, key, bucket) == checksum(raw)
    items = []
    for line in files_raw.splitlines():
        file = json.loads(line)
        content = read(s3, file["dataFileS3Key"], bucket)
        assert checksum(content).decode() == file["md5Checksum"]
        assert s3.head_object(Bucket=bucket, Key=file["dataFileS3Key"])["ETag"].strip('"') == file["etag"]
        there = [json.loads(one)["Item"] for one in gzip.decompress(content).splitlines()]
        assert len(there) == file["itemCount"]
        items += there
    assert len(items) == summary["itemCount"] == export["ItemCount"]
    return items


def checksum(raw: bytes) -> bytes:
    return b64encode(hashlib.md5(raw).digest())


def test_an_export_holds_the_table_as_of_a_moment(ground: Ground) -> None:
    client, s3 = ground.client(), ground.client(service="s3")
    make_bucket(s3)
    arn = recoverable_table(client)["TableArn"]
    for number in range(20):
        put(client, f"k{number}", number)
    ground.sleep(600)
    moment = ground.now().replace(microsecond=0)
    ground.sleep(1)
    put(client, "k0", "mangled")
    client.delete_item(TableName="orders", Key={"id": {"S": "k1"}})
    begun = client.export_table_to_point_in_time(
        TableArn=arn, S3Bucket="exports", S3Prefix="nightly/", ExportTime=moment
    )["ExportDescription"]
    assert begun["ExportStatus"] == "IN_PROGRESS"
    assert begun["ExportTime"] == moment
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket="exports")["Contents"]]
    assert keys == [f"nightly/AWSDynamoDB/{begun['ExportArn'].rpartition('/')[2]}/_started"]
    export = finished(ground, client, begun["ExportArn"])
    assert export["ExportStatus"] == "COMPLETED"
    items = exported_items(s3, export)
    assert {item["id"]["S"]: item["value"]["S"] for item in items} == {f"k{n}": str(n) for n in range(20)}
    summary = json.loads(read(s3, export["ExportManifest"]))
    assert summary["exportTime"] == "2026-03-02T08:10:00.000Z"
    assert summary["tableArn"] == arn


def test_an_export_takes_its_time(ground: Ground) -> None:
    client, s3 = ground.client(), ground.client(service="s3")
    make_bucket(s3)
    arn = recoverable_table(client)["TableArn"]
    ground.sleep(1)
    begun = client.export_table_to_point_in_time(TableArn=arn, S3Bucket="exports")["ExportDescription"]
    assert ground.aws is not None
    took = ground.aws.durations[-1]
    assert took.operation == "dynamodb.export"
    assert took.seconds == pytest.approx(600, abs=1)

    def state() -> str:
        return str(client.describe_export(ExportArn=begun["ExportArn"])["ExportDescription"]["ExportStatus"])

    with ground.aws.region_down(REGION):
        ground.sleep(3600)
    ground.sleep(took.seconds - 1)
    assert state() == "IN_PROGRESS"
    ground.sleep(2)
    assert state() == "COMPLETED"


def test_an_export_goes_to_another_account_and_region(ground: Ground) -> None:
    client = ground.client()
    assert ground.aws is not None
    vault = ground.aws.session(VAULT, region="eu-central-1")
    make_bucket(vault.client("s3"), "vault-exports", "eu-central-1")
    arn = recoverable_table(client)["TableArn"]
    put(client, "a", 1)
    ground.sleep(600)
    call = {"TableArn": arn, "S3Bucket": "vault-exports"}
    begun = client.export_table_to_point_in_time(**call, S3BucketOwner=VAULT)["ExportDescription"]
    client.delete_table(TableName="orders")
    export = finished(ground, client, begun["ExportArn"])
    assert [item["id"] for item in exported_items(vault.client("s3"), export, "vault-exports")] == [{"S": "a"}]


def test_exports_that_cannot_be_written_fail(ground: Ground) -> None:
    client = ground.client()
    assert ground.aws is not None
    make_bucket(ground.aws.session(VAULT, region=REGION).client("s3"), "of-the-vault")
    arn = recoverable_table(client)["TableArn"]
    for bucket, code in (("none-such", "S3NoSuchBucket"), ("of-the-vault", "S3AccessDenied")):
        begun = client.export_table_to_point_in_time(TableArn=arn, S3Bucket=bucket)["ExportDescription"]
        export = finished(ground, client, begun["ExportArn"])
        assert (export["ExportStatus"], export["FailureCode"]) == ("FAILED", code)
        assert bucket in export["FailureMessage"] or "bucket" in export["FailureMessage"]
        assert "ExportManifest" not in export


def test_a_bucket_that_goes_away_meanwhile(ground: Ground) -> None:
    client, s3 = ground.client(), ground.client(service="s3")
    make_bucket(s3)
    arn = recoverable_table(client)["TableArn"]
    begun = client.export_table_to_point_in_time(TableArn=arn, S3Bucket="exports")["ExportDescription"]
    for one in s3.list_objects_v2(Bucket="exports")["Contents"]:
        s3.delete_object(Bucket="exports", Key=one["Key"])
    s3.delete_bucket(Bucket="exports")
    export = finished(ground, client, begun["ExportArn"])
    assert (export["ExportStatus"], export["FailureCode"]) == ("FAILED", "S3NoSuchBucket")


def test_exports_that_are_refused(ground: Ground) -> None:
    client, s3 = ground.client(), ground.client(service="s3")
    make_bucket(s3)
    arn = recoverable_table(client)["TableArn"]
    bare = make_table(client, "clients")["TableArn"]
    ground.sleep(3600)
    export = client.export_table_to_point_in_time

    def code(arn: str = arn, **more: Any) -> str:
        return refusal_code(export, TableArn=arn, S3Bucket="exports", **more)

    assert code(arn + "s") == "TableNotFoundException"
    assert code(bare) == "PointInTimeRecoveryUnavailableException"
    assert code(ExportTime=START - timedelta(seconds=1)) == "InvalidExportTimeException"
    assert code(ExportTime=ground.now() + timedelta(seconds=1)) == "InvalidExportTimeException"
    assert code(ExportFormat="ION") == "ValidationException"
    assert code(ExportType="INCREMENTAL_EXPORT") == "ValidationException"
    assert refusal_code(client.describe_export, ExportArn=arn + "/export/01234567890123-00000000") == (
        "ExportNotFoundException"
    )
    assert client.list_exports()["ExportSummaries"] == []


def test_twin_plain_moto_exports_any_moment_and_no_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    with plain_moto(monkeypatch) as ground:
        client, s3 = ground.client(), ground.client(service="s3")
        make_bucket(s3)
        arn = recoverable_table(client)["TableArn"]
        client.export_table_to_point_in_time(
            TableArn=arn, S3Bucket="exports", S3Prefix="nightly", ExportTime=START - timedelta(days=99)
        )
        for thread in threading.enumerate():
            if isinstance(thread, TableExport):
                thread.join()
        keys = [one["Key"] for one in s3.list_objects_v2(Bucket="exports").get("Contents", [])]
        assert not any("manifest" in key for key in keys)


def test_a_token_makes_one_export_of_several_calls(ground: Ground) -> None:
    client, s3 = ground.client(), ground.client(service="s3")
    make_bucket(s3)
    arn = recoverable_table(client)["TableArn"]
    call = {"TableArn": arn, "S3Bucket": "exports", "ClientToken": "once"}
    first = client.export_table_to_point_in_time(**call)["ExportDescription"]["ExportArn"]
    assert client.export_table_to_point_in_time(**call)["ExportDescription"]["ExportArn"] == first
    assert refusal_code(client.export_table_to_point_in_time, **call, S3Prefix="other") == "ExportConflictException"
    ground.sleep(8 * 3600 + 1)
    assert client.export_table_to_point_in_time(**call)["ExportDescription"]["ExportArn"] != first


def test_exports_are_listed(ground: Ground) -> None:
    client, s3 = ground.client(), ground.client(service="s3")
    make_bucket(s3)
    arns = [recoverable_table(client, name)["TableArn"] for name in ("orders", "clients")]
    for arn in (*arns, arns[0]):
        client.export_table_to_point_in_time(TableArn=arn, S3Bucket="exports")
        ground.sleep(60)
    assert len(client.list_exports()["ExportSummaries"]) == 3
    assert len(client.list_exports(TableArn=arns[0])["ExportSummaries"]) == 2
    page = client.list_exports(MaxResults=2)
    rest = client.list_exports(MaxResults=2, NextToken=page["NextToken"])
    assert (len(page["ExportSummaries"]), len(rest["ExportSummaries"])) == (2, 1)
    assert "NextToken" not in rest


# --- Imports


def import_from(client: Any, prefix: str, name: str = "rescued", **more: Any) -> dict[str, Any]:
    described: dict[str, Any] = client.import_table(
        S3BucketSource={"S3Bucket": "exports", "S3KeyPrefix": prefix, **more.pop("source", {})},
        InputFormat="DYNAMODB_JSON",
        InputCompressionType=more.pop("compression", "GZIP"),
        TableCreationParameters={"TableName": name, **KEYED, **more},
    )["ImportTableDescription"]
    return described


def test_an_export_is_imported_into_a_new_table_byte_for_byte(ground: Ground) -> None:
    client, s3 = ground.client(), ground.client(service="s3")
    make_bucket(s3)
    arn = recoverable_table(client)["TableArn"]
    client.put_item(TableName="orders", Item=ITEM)
    put(client, "plain", 1)
    begun = client.export_table_to_point_in_time(TableArn=arn, S3Bucket="exports")["ExportDescription"]
    finished(ground, client, begun["ExportArn"])
    started = import_from(client, "AWSDynamoDB/")
    assert started["ImportStatus"] == "IN_PROGRESS"
    assert status(client, "rescued") == "CREATING"
    assert refusal_code(client.scan, TableName="rescued") == "ResourceNotFoundException"
    wait_until_active(ground, client, "rescued")
    done = client.describe_import(ImportArn=started["ImportArn"])["ImportTableDescription"]
    assert (done["ImportStatus"], done["ImportedItemCount"], done["ErrorCount"]) == ("COMPLETED", 2, 0)
    assert sorted(client.scan(TableName="rescued")["Items"], key=str) == sorted(
        client.scan(TableName="orders")["Items"], key=str
    )
    assert client.list_imports()["ImportSummaryList"][0]["ImportArn"] == started["ImportArn"]


def test_of_duplicates_the_later_stays_and_what_does_not_fit_is_counted(ground: Ground) -> None:
    client, s3 = ground.client(), ground.client(service="s3")
    make_bucket(s3)
    first = [{"Item": {"id": {"S": "a"}, "value": {"S": "early"}}}, {"Item": {"id": {"N": "1"}}}, {"no": "item"}]
    second = [{"Item": {"id": {"S": "a"}, "value": {"S": "late"}}}]
    for key, lines in (("in/1.json", first), ("in/2.json", second)):
        s3.put_object(Bucket="exports", Key=key, Body="\n".join(map(json.dumps, lines)) + "\n{half")
    arn = import_from(client, "in/", compression="NONE")["ImportArn"]
    wait_until_active(ground, client, "rescued")
    assert contents(client, "rescued") == {"a": "late"}
    done = client.describe_import(ImportArn=arn)["ImportTableDescription"]
    assert (done["ProcessedItemCount"], done["ImportedItemCount"], done["ErrorCount"]) == (6, 2, 4)


def test_imports_that_are_refused_or_fail(ground: Ground) -> None:
    client, s3 = ground.client(), ground.client(service="s3")
    make_table(client)
    make_bucket(s3)
    call = {"S3BucketSource": {"S3Bucket": "none-such"}, "InputFormat": "DYNAMODB_JSON"}
    taken = {"TableCreationParameters": {"TableName": "orders", **KEYED}}
    assert refusal_code(client.import_table, **call, **taken) == "ResourceInUseException"
    fresh = {"TableCreationParameters": {"TableName": "rescued", **KEYED}}
    assert refusal_code(client.import_table, **{**call, "InputFormat": "CSV"}, **fresh) == "ValidationException"
    undefined = {"TableCreationParameters": {"TableName": "rescued", **KEYED, "AttributeDefinitions": []}}
    assert refusal_code(client.import_table, **call, **undefined) == "ValidationException"
    arn = client.import_table(**call, **fresh)["ImportTableDescription"]["ImportArn"]
    ground.sleep(3600)
    done = client.describe_import(ImportArn=arn)["ImportTableDescription"]
    assert (done["ImportStatus"], done["FailureCode"]) == ("FAILED", "S3NoSuchBucket")
    assert client.list_tables()["TableNames"] == ["orders"]
    assert refusal_code(client.describe_import, ImportArn=arn[:-1] + "_") == "ImportNotFoundException"


def test_the_same_seed_gives_the_same_objects() -> None:
    def export() -> list[tuple[str, str, datetime]]:
        with simulated() as ground:
            client, s3 = ground.client(), ground.client(service="s3")
            make_bucket(s3)
            arn = recoverable_table(client)["TableArn"]
            put(client, "a", 1)
            begun = client.export_table_to_point_in_time(TableArn=arn, S3Bucket="exports", ClientToken="t")
            finished(ground, client, begun["ExportDescription"]["ExportArn"])
            there = s3.list_objects_v2(Bucket="exports")["Contents"]
            return [(one["Key"], one["ETag"], one["LastModified"]) for one in there]

    assert export() == export()
