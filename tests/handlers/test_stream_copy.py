"""The function by itself: events in the shapes that Lambda gives, a vault in plain moto."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from drills.handlers import stream_copy
from drills.handlers.stream_copy import marker_id, value_from_event, version_of
from tests.handlers.conftest import LABEL, VaultAccount, gone, put, record

LATER = "2026-01-06T09:00:00.000"


def test_copies_puts_and_deletes(vault: VaultAccount) -> None:
    assert vault.invoke(put("a", "1", 1), put("b", "1", 2), put("a", "2", 3), gone("b", 4)) == []
    assert vault.values() == {"a": "2"}


def test_the_copy_holds_nothing_but_the_item(vault: VaultAccount) -> None:
    vault.invoke(put("a", "1", 1))
    assert vault.items()["a"] == {"id": {"S": "a"}, "value": {"S": "1"}}


def test_every_type_is_copied_byte_for_byte(vault: VaultAccount) -> None:
    blob = bytes(range(256))
    text = base64.b64encode(blob).decode()
    image: dict[str, Any] = {
        "n38": {"N": "12345678901234567890123456789012345678"},
        "small": {"N": "1.2345678901234567890123456789012345678E-125"},
        "trailing": {"N": "1.10"},
        "ns": {"NS": ["3", "1.50", "99999999999999999999999999999999999999"]},
        "ss": {"SS": ["b", "a", ""]},
        "bs": {"BS": [text, ""]},
        "binary": {"B": text},
        "empty": {"S": ""},
        "empty_binary": {"B": ""},
        "null": {"NULL": True},
        "yes": {"BOOL": True},
        "unicode": {"S": "Zoë 🦊 \u0000 \u202e"},
        "nested": {"M": {"l": {"L": [{"B": text}, {"M": {}}, {"L": []}, {"N": "0"}]}, " ": {"S": "x"}}},
    }
    assert vault.invoke(record("INSERT", {"id": {"S": "a"}}, image, 1)) == []
    item = vault.items()["a"]
    assert item["binary"] == {"B": blob}
    assert item["bs"] == {"BS": [blob, b""]}
    assert item["nested"]["M"]["l"]["L"][0] == {"B": blob}
    for name in ("n38", "small", "trailing", "empty", "null", "yes", "unicode"):
        assert item[name] == image[name]
    assert sorted(item["ns"]["NS"]) == sorted(image["ns"]["NS"])


@pytest.mark.parametrize("key", [{"N": "38"}, {"B": base64.b64encode(b"\x00\xff").decode()}, {"S": "é"}])
def test_keys_of_every_type_have_markers(key: dict[str, Any]) -> None:
    assert len(marker_id({"id": value_from_event(key)})) == 64


def test_equal_numbers_have_one_marker() -> None:
    ids = {marker_id({"id": {"N": number}}) for number in ("1", "1.0", "01", "1e0", "0.1E1")}
    assert len(ids) == 1
    assert marker_id({"id": {"N": "0"}}) == marker_id({"id": {"N": "-0.00"}})
    longest = "1234567890123456789012345678901234567"
    assert marker_id({"id": {"N": longest + "8"}}) != marker_id({"id": {"N": longest + "9"}})


def test_key_names_and_types_do_not_run_together() -> None:
    assert marker_id({"a": {"S": "1"}}) != marker_id({"a": {"N": "1"}})
    assert marker_id({"a": {"S": "b"}, "c": {"S": "d"}}) != marker_id({"a": {"S": "d"}, "c": {"S": "b"}})


def test_an_item_near_400_kb(vault: VaultAccount) -> None:
    image = {"value": {"S": "x" * 404_000}}
    assert vault.invoke(record("INSERT", {"id": {"S": "a"}}, image, 1)) == []
    assert vault.items()["a"]["value"] == image["value"]


def test_large_items_are_spread_over_transactions() -> None:
    changes = [stream_copy.change_of(put(str(n), "x", n), n) for n in range(30)]
    large = [replace(change, size_bytes=400 * 1024) for change in changes]
    assert [len(chunk) for chunk in stream_copy.transactions(large)] == [8, 8, 8, 6]
    assert [len(chunk) for chunk in stream_copy.transactions(changes * 4)] == [50, 50, 20]


def test_older_records_never_win(vault: VaultAccount) -> None:
    vault.invoke(put("a", "new", 5))
    assert vault.invoke(put("a", "old", 4), gone("a", 3)) == []
    assert vault.values() == {"a": "new"}


def test_a_deleted_item_is_not_brought_back(vault: VaultAccount) -> None:
    vault.invoke(put("a", "1", 1), gone("a", 2))
    vault.invoke(put("a", "1", 1))
    assert vault.values() == {}
    marker = vault.marker({"id": {"S": "a"}})
    assert int(marker["expires_at"]["N"]) > 71 * 3600


def test_a_later_put_ends_the_tombstone(vault: VaultAccount) -> None:
    vault.invoke(put("a", "1", 1), gone("a", 2), put("a", "2", 3))
    assert vault.values() == {"a": "2"}
    assert "expires_at" not in vault.marker({"id": {"S": "a"}})


def test_a_new_stream_is_newer_than_all_of_the_old_one(vault: VaultAccount) -> None:
    vault.invoke(put("a", "new stream", 1, label=LATER))
    vault.invoke(put("a", "old stream", 999_999))
    assert vault.values() == {"a": "new stream"}
    assert version_of(LATER, "1") > version_of(LABEL, "9" * 40) > version_of(LABEL, "10") > version_of(LABEL, "9")


def test_records_of_a_stream_before_the_one_served_are_dropped(
    vault: VaultAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRILLS_STREAM_LABEL", LATER)
    assert vault.invoke(put("a", "old stream", 1), put("b", "1", 2, label=LATER)) == []
    assert vault.values() == {"b": "1"}


def test_a_duplicate_in_a_batch_does_not_hold_up_the_others(vault: VaultAccount) -> None:
    vault.invoke(put("a", "2", 2))
    assert vault.invoke(put("a", "1", 1), *(put(f"k{n}", "v", 10 + n) for n in range(60))) == []
    assert len(vault.values()) == 61


def test_only_the_last_of_several_puts_is_written(vault: VaultAccount, fail: Fail) -> None:
    calls = fail.count("TransactWriteItems")
    vault.invoke(*(put("a", str(n), n) for n in range(100)))
    assert vault.values() == {"a": "99"}
    assert len(calls) == 1


# --- What must be set aside ----------------------------------------------------------------------------------------


def test_poison_is_set_aside_and_blocks_nothing(vault: VaultAccount) -> None:
    bad = record("INSERT", {"id": {"S": "bad"}}, {"value": {"S": "x" * 410_000}}, 2)
    assert vault.invoke(put("a", "1", 1), bad, put("b", "1", 3)) == []
    assert vault.values() == {"a": "1", "b": "1"}
    (name,) = vault.set_aside()
    assert name == f"set-aside/clients/{LABEL.replace(':', '-')}/{str(10**20 + 2).zfill(40)}.json"
    document = json.loads(vault.s3.get_object(Bucket="aside", Key=name)["Body"].read())
    assert document["record"] == bad
    assert document["item"]["id"] == {"S": "bad"}
    assert document["reason"]


def test_poison_is_told_to_the_alarm(vault: VaultAccount, fail: Fail) -> None:
    told = fail.count("PutMetricData")
    vault.invoke(record("INSERT", {"id": {"S": "bad"}}, {"value": {"S": "x" * 410_000}}, 2))
    assert len(told) == 1
    assert told[0]["Namespace"] == "drills/stream-copy"
    (data,) = told[0]["MetricData"]
    assert (data["MetricName"], data["Value"]) == ("RecordsSetAside", 1)


def test_an_alarm_that_fails_blocks_nothing(vault: VaultAccount, fail: Fail) -> None:
    fail.always("PutMetricData", ConnectTimeoutError(endpoint_url="cloudwatch"))
    assert vault.invoke(record("INSERT", {"id": {"S": "bad"}}, {"value": {"S": "x" * 410_000}}, 2)) == []
    assert len(vault.set_aside()) == 1


@pytest.mark.parametrize(
    "broken",
    [
        {"dynamodb": {}},
        {"eventName": "INSERT", "dynamodb": {"Keys": {"id": {"S": "x"}}}, "eventSourceARN": "a/b/c/d"},
        record("INSERT", {"id": {"S": "x"}}, {"value": {"B": "not base64!"}}, 7),
        record("INSERT", {"id": {"S": "x"}}, {"value": {"S": 5}}, 7),
        record("INSERT", {"id": {"S": "x"}}, {"value": {"Z": "no such type"}}, 7),
        record("INSERT", {"id": {"S": "x"}}, {"value": {}}, 7),
        record("INSERT", {"id": {"S": "x"}}, None, 7),
    ],
)
def test_whatever_is_wrong_with_one_record_is_set_aside(vault: VaultAccount, broken: dict[str, Any]) -> None:
    assert vault.invoke(put("a", "1", 1), broken, put("b", "1", 9)) == []
    assert vault.values() == {"a": "1", "b": "1"}
    (name,) = vault.set_aside()
    assert json.loads(vault.s3.get_object(Bucket="aside", Key=name)["Body"].read())["record"] == broken


@pytest.mark.parametrize("codes", [["ValidationError", "None"], ["ItemCollectionSizeLimitExceeded", "None"]])
def test_permanent_reasons_of_a_cancellation_are_poison(vault: VaultAccount, fail: Fail, codes: list[str]) -> None:
    fail.when("TransactWriteItems", _cancelled_for("bad", codes))
    assert vault.invoke(put("a", "1", 1), put("bad", "1", 2), put("b", "1", 3)) == []
    assert vault.values() == {"a": "1", "b": "1"}
    assert len(vault.set_aside()) == 1


def test_a_refusal_of_the_whole_transaction_is_narrowed_down(vault: VaultAccount, fail: Fail) -> None:
    def refuse(params: dict[str, Any]) -> Exception | None:
        return _error("ValidationException", "TransactWriteItems") if '"bad"' in json.dumps(params) else None

    fail.when("TransactWriteItems", refuse)
    assert vault.invoke(put("bad", "1", 0), *(put(f"{n}", "1", n) for n in range(1, 40))) == []
    assert len(vault.values()) == 39
    assert len(vault.set_aside()) == 1


def test_a_later_good_record_of_the_same_item_applies(vault: VaultAccount) -> None:
    vault.invoke(record("INSERT", {"id": {"S": "a"}}, {"value": {"S": "x" * 410_000}}, 2))
    assert vault.marker({"id": {"S": "a"}})["aside"]
    vault.invoke(put("a", "good", 3))
    assert vault.values() == {"a": "good"}
    assert "aside" not in vault.marker({"id": {"S": "a"}})


def test_what_poison_had_made_needless_is_applied_after_all(vault: VaultAccount) -> None:
    vault.invoke(put("a", "good", 1), record("MODIFY", {"id": {"S": "a"}}, {"value": {"S": "x" * 410_000}}, 2))
    assert vault.values() == {"a": "good"}
    assert len(vault.set_aside()) == 1


def test_nothing_older_than_what_was_set_aside_is_applied(vault: VaultAccount) -> None:
    vault.invoke(record("MODIFY", {"id": {"S": "a"}}, {"value": {"S": "x" * 410_000}}, 2))
    vault.invoke(put("a", "old", 1))
    assert vault.values() == {}


def test_poison_that_is_overtaken_is_not_set_aside(vault: VaultAccount) -> None:
    vault.invoke(put("a", "new", 3))
    vault.invoke(record("MODIFY", {"id": {"S": "a"}}, {"value": {"S": "x" * 410_000}}, 2))
    assert vault.values() == {"a": "new"}


def test_when_setting_aside_fails_the_record_comes_again(vault: VaultAccount, fail: Fail) -> None:
    bad = record("INSERT", {"id": {"S": "bad"}}, {"value": {"S": "x" * 410_000}}, 2)
    fail.always("PutObject", _error("AccessDenied", "PutObject"))
    assert vault.invoke(put("a", "1", 1), bad, put("b", "1", 3)) == ["1"]
    fail.stop()
    assert vault.invoke(put("a", "1", 1), bad, put("b", "1", 3)) == []
    assert len(vault.set_aside()) == 1


# --- What must come again ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        ("ThrottlingException", "TransactWriteItems"),
        ("ProvisionedThroughputExceededException", "TransactWriteItems"),
        ("AccessDeniedException", "TransactWriteItems"),
        ("ResourceNotFoundException", "TransactWriteItems"),
        ("InternalServerError", "TransactWriteItems"),
        ("ExpiredTokenException", "TransactWriteItems"),
        ("TransactionInProgressException", "TransactWriteItems"),
        ("AccessDenied", "AssumeRole"),
    ],
)
def test_what_may_pass_comes_again(vault: VaultAccount, fail: Fail, error: tuple[str, str]) -> None:
    fail.always(error[1], _error(*error))
    assert vault.invoke(put("a", "1", 1), put("b", "1", 2)) == ["1"]
    fail.stop()
    assert vault.invoke(put("a", "1", 1), put("b", "1", 2)) == []
    assert vault.values() == {"a": "1", "b": "1"}
    assert vault.set_aside() == []


def test_an_outage_of_the_vault_comes_again(vault: VaultAccount, fail: Fail) -> None:
    fail.always("TransactWriteItems", ConnectTimeoutError(endpoint_url="dynamodb"))
    assert vault.invoke(put("a", "1", 1)) == ["1"]


def test_transactions_that_went_through_are_not_reported(vault: VaultAccount, fail: Fail) -> None:
    fail.after("TransactWriteItems", 1, _error("ThrottlingException", "TransactWriteItems"))
    failures = vault.invoke(*(put(f"{n:03}", "1", n) for n in range(120)))
    assert failures == ["50"]
    assert len(vault.values()) == 50


def test_conflicts_are_tried_again_at_once(vault: VaultAccount, fail: Fail) -> None:
    fail.times("TransactWriteItems", 2, _cancelled(["None", "TransactionConflict", "None", "None"]))
    assert vault.invoke(put("a", "1", 1), put("b", "1", 2)) == []
    assert vault.values() == {"a": "1", "b": "1"}


def test_a_conflict_that_stays_comes_again(vault: VaultAccount, fail: Fail) -> None:
    fail.always("TransactWriteItems", _cancelled(["None", "TransactionConflict"]))
    assert vault.invoke(put("a", "1", 1)) == ["1"]


def test_a_lost_acknowledgement_is_no_failure(vault: VaultAccount, fail: Fail) -> None:
    vault.invoke(put("a", "1", 1))
    assert vault.invoke(put("a", "1", 1)) == []
    assert vault.values() == {"a": "1"}


def test_stops_before_its_time_is_over_and_keeps_what_is_done(vault: VaultAccount) -> None:
    assert vault.invoke(put("a", "1", 1), seconds=5) == ["1"]
    assert vault.values() == {}


def test_a_record_without_a_number_repeats_the_whole_batch(vault: VaultAccount, fail: Fail) -> None:
    fail.always("PutObject", _error("SlowDown", "PutObject"))
    assert vault.invoke({"dynamodb": {}}, put("a", "1", 1)) == [""]


# --- What it tells of itself ---------------------------------------------------------------------------------------


def test_tells_the_vault_how_far_it_has_come(vault: VaultAccount) -> None:
    vault.invoke(put("a", "1", 2, at=1_767_603_700), put("b", "1", 1, at=1_767_603_600))
    row = vault.row("state")
    assert row["newest_version"]["S"] == version_of(LABEL, str(10**20 + 2))
    assert row["newest_source_at"]["N"] == "1767603700"
    vault.invoke(put("b", "1", 1, at=1_767_603_600))
    assert vault.row("state")["newest_version"] == row["newest_version"]


def test_one_state_write_a_batch(vault: VaultAccount, fail: Fail) -> None:
    calls = fail.count("UpdateItem")
    vault.invoke(*(put(f"{n:03}", "1", n) for n in range(120)))
    assert len(calls) == 1


def test_a_long_silence_is_noted(vault: VaultAccount) -> None:
    vault.invoke(put("a", "1", 1))
    seen = int(vault.row("state")["seen_at"]["N"]) - 30 * 3600
    vault.dynamodb.update_item(
        TableName="markers",
        Key={"id": {"S": "state"}},
        UpdateExpression="SET seen_at = :t",
        ExpressionAttributeValues={":t": {"N": str(seen)}},
    )
    vault.invoke(put("a", "2", 2))
    assert vault.row("state")["unseen_from"]["N"] == str(seen)
    vault.invoke(put("a", "3", 3))
    assert vault.row("state")["unseen_from"]["N"] == str(seen)


def test_a_state_that_cannot_be_written_blocks_nothing(vault: VaultAccount, fail: Fail) -> None:
    fail.always("UpdateItem", _error("ThrottlingException", "UpdateItem"))
    assert vault.invoke(put("a", "1", 1)) == []
    assert vault.values() == {"a": "1"}


# --- Faults --------------------------------------------------------------------------------------------------------


def _error(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)


def _cancelled(codes: list[str]) -> ClientError:
    response: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": "cancelled"},
        "CancellationReasons": [{"Code": code} for code in codes],
    }
    return ClientError(response, "TransactWriteItems")


def _cancelled_for(key: str, codes: list[str]) -> Callable[[dict[str, Any]], Exception | None]:
    def cancelled(params: dict[str, Any]) -> Exception | None:
        actions = params["TransactItems"]
        keys = [action["Put"]["Item"]["id"]["S"] for action in actions]
        if key not in keys:
            return None
        at = keys.index(key)
        return _cancelled(["None"] * at + codes + ["None"] * (len(keys) - at - 2))

    return cancelled


class Fail:
    """Makes API calls of any client fail, by the name of the operation; counts them too."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from botocore.client import BaseClient

        self._rules: dict[str, Callable[[int, dict[str, Any]], Exception | None]] = {}
        self._made: dict[str, list[dict[str, Any]]] = {}
        really: Any = vars(BaseClient)["_make_api_call"]

        def call(client: Any, operation: str, params: dict[str, Any]) -> Any:
            made = self._made.setdefault(operation, [])
            made.append(params)
            error = self._rules.get(operation, _nothing)(len(made), params)
            if error is not None:
                raise error
            return really(client, operation, params)

        monkeypatch.setattr(BaseClient, "_make_api_call", call)
        monkeypatch.setattr("time.sleep", lambda seconds: None)

    def always(self, operation: str, error: Exception) -> None:
        self._rules[operation] = lambda count, params: error

    def after(self, operation: str, calls: int, error: Exception) -> None:
        self._rules[operation] = lambda count, params: error if count > calls else None

    def times(self, operation: str, calls: int, error: Exception) -> None:
        self._rules[operation] = lambda count, params: error if count <= calls else None

    def when(self, operation: str, error: Callable[[dict[str, Any]], Exception | None]) -> None:
        self._rules[operation] = lambda count, params: error(params)

    def stop(self) -> None:
        self._rules.clear()

    def count(self, operation: str) -> list[dict[str, Any]]:
        return self._made.setdefault(operation, [])


def _nothing(count: int, params: dict[str, Any]) -> Exception | None:
    return None


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Fail:
    return Fail(monkeypatch)
