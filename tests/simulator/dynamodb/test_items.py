"""Single items through plain boto3 clients: what is stored, returned, refused, and what it is said to cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError

from tests.simulator.dynamodb.ground import REGION, Ground, plain_moto, refusal, refusal_code, simulated
from tests.simulator.dynamodb.tables import EVERY_TYPE, PEOPLE_ARN, Item, make, same

LIMIT = 400 * 1024
KEY = {"pk": {"S": "a"}}


@pytest.fixture
def ground() -> Iterator[Ground]:
    with simulated() as ground:
        yield ground


@pytest.fixture
def client(ground: Ground) -> Any:
    client = ground.client()
    make(client)
    return client


def get(client: Any, **more: Any) -> Item | None:
    found: Item | None = client.get_item(TableName="people", Key=KEY, **more).get("Item")
    return found


def put(client: Any, **attributes: Any) -> Any:
    return client.put_item(TableName="people", Item={**KEY, **attributes})


def nested(depth: int) -> Any:
    value: Any = {"S": "here"}
    for _ in range(depth):
        value = {"M": {"m": value}}
    return value


# --- What is stored


def test_every_type_comes_back_as_it_went_in(client: Any) -> None:
    put(client, **EVERY_TYPE)
    found = get(client, ConsistentRead=True)
    assert found is not None
    assert same(found, {**KEY, **EVERY_TYPE})


def test_maps_may_be_32_deep_and_no_deeper(client: Any) -> None:
    put(client, deep=nested(32))
    assert get(client) == {**KEY, "deep": nested(32)}
    code, message = refusal(put, client=client, deep=nested(33))
    assert (code, message) == ("ValidationException", "Nesting Levels have exceeded supported limits")


def test_an_item_of_exactly_400_kb_is_stored_and_a_byte_more_is_refused(client: Any) -> None:
    room = LIMIT - len("pk") - len("a") - len("text")
    put(client, text={"S": "x" * room})
    assert len((get(client) or {})["text"]["S"]) == room
    refused = ("ValidationException", "Item size has exceeded the maximum allowed size")
    assert refusal(put, client=client, text={"S": "x" * (room + 1)}) == refused
    assert refusal(put, client=client, text={"S": "ü" * (room // 2 + 1)}) == refused


def test_an_update_that_grows_an_item_over_400_kb_is_refused_and_leaves_it(client: Any) -> None:
    put(client, text={"S": "x" * 300_000})
    code, message = refusal(
        client.update_item,
        TableName="people",
        Key=KEY,
        UpdateExpression="SET more = :more",
        ExpressionAttributeValues={":more": {"S": "y" * 200_000}},
    )
    assert (code, message) == ("ValidationException", "Item size to update has exceeded the maximum allowed size")
    assert set(get(client) or {}) == {"pk", "text"}


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"s": {"SS": []}}, "An string set  may not be empty"),
        ({"s": {"SS": ["a", "a"]}}, "Input collection [a, a] contains duplicates."),
        ({"s": {"NS": ["1", "1.0"]}}, "contains duplicates"),
        ({"s": {"BS": [b"a", b"a"]}}, "contains duplicates"),
        ({"s": {"L": [{"M": {"in": {"NS": ["2", "2"]}}}]}}, "contains duplicates"),
        ({"s": {"NULL": False}}, "Null attribute value types must have the value of true"),
        ({"s": {}}, "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"),
    ],
)
def test_values_that_cannot_be_stored(ground: Ground, client: Any, attributes: Item, message: str) -> None:
    code, said = refusal(put, client=ground.unchecked_client(), **attributes)
    assert code == "ValidationException"
    assert message in said
    assert get(client) is None


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"other": {"S": "a"}}, "One or more parameter values were invalid: Missing the key pk in the item"),
        (
            {"pk": {"N": "1"}},
            "One or more parameter values were invalid: Type mismatch for key pk expected: S actual: N",
        ),
        (
            {"pk": {"S": ""}},
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            "empty string value. Key: pk",
        ),
        (
            {"pk": {"S": "k" * 2049}},
            "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 "
            "bytes",
        ),
    ],
)
def test_items_without_a_sound_key(client: Any, item: Item, message: str) -> None:
    assert refusal(client.put_item, TableName="people", Item=item) == ("ValidationException", message)


@pytest.mark.parametrize("key", [{"pk": {"N": "1"}}, {"other": {"S": "a"}}, {**KEY, "more": {"S": "b"}}, {}])
def test_keys_that_are_none_of_the_table(client: Any, key: Item) -> None:
    refused = ("ValidationException", "The provided key element does not match the schema")
    assert refusal(client.get_item, TableName="people", Key=key) == refused
    assert refusal(client.delete_item, TableName="people", Key=key) == refused
    assert refusal(client.update_item, TableName="people", Key=key) == refused


def test_key_attributes_of_an_index_are_judged(ground: Ground) -> None:
    client = ground.client()
    make(client, "indexed", gsi={"by-age": "age:N"})
    for value, message in (
        ({"S": "1"}, "Type mismatch for Index Key age Expected: N Actual: S IndexName: by-age"),
        ({"NULL": True}, "Type mismatch for Index Key age Expected: N Actual: NULL IndexName: by-age"),
    ):
        code, said = refusal(client.put_item, TableName="indexed", Item={**KEY, "age": value})
        assert code == "ValidationException"
        assert message in said
    client.put_item(TableName="indexed", Item=KEY)  # Without the attribute it is just not in the index.
    assert client.scan(TableName="indexed", IndexName="by-age")["Count"] == 0


def test_parameters_that_are_missing(ground: Ground, client: Any) -> None:
    unchecked = ground.unchecked_client()
    assert refusal(unchecked.get_item, TableName="people") == (
        "ValidationException",
        "1 validation error detected: Value null at 'key' failed to satisfy constraint: Member must not be null",
    )
    assert refusal_code(unchecked.put_item, TableName="people") == "ValidationException"
    assert refusal_code(unchecked.scan) == "ValidationException"
    assert refusal_code(unchecked.transact_write_items) == "ValidationException"


# --- Which table


def test_a_table_goes_by_its_name_or_its_arn(client: Any) -> None:
    client.put_item(TableName=PEOPLE_ARN, Item=KEY)
    assert client.get_item(TableName=PEOPLE_ARN, Key=KEY)["Item"] == KEY
    assert client.scan(TableName=PEOPLE_ARN)["Items"] == [KEY]
    answer = client.batch_get_item(RequestItems={PEOPLE_ARN: {"Keys": [KEY]}})
    assert answer["Responses"] == {PEOPLE_ARN: [KEY]}


def test_another_accounts_table_is_refused_without_a_resource_policy(ground: Ground, client: Any) -> None:
    assert ground.aws is not None
    stranger = ground.aws.session("222222222222", REGION).client("dynamodb")
    code, message = refusal(stranger.get_item, TableName=PEOPLE_ARN, Key=KEY)
    assert code == "AccessDeniedException"
    assert f"not authorized to perform: dynamodb:GetItem on resource: {PEOPLE_ARN}" in message
    assert "no resource-based policy allows" in message
    assert refusal_code(stranger.put_item, TableName=PEOPLE_ARN, Item=KEY) == "AccessDeniedException"
    assert refusal_code(stranger.get_item, TableName="people", Key=KEY) == "ResourceNotFoundException"


def calls_on(client: Any, table: str) -> list[tuple[Any, dict[str, Any]]]:
    """Every call of the data plane on one table."""
    named = {"TableName": table}
    write = {table: [{"PutRequest": {"Item": KEY}}]}
    condition = {"KeyConditionExpression": "pk = :a", "ExpressionAttributeValues": {":a": {"S": "a"}}}
    return [
        (client.get_item, {**named, "Key": KEY}),
        (client.put_item, {**named, "Item": KEY}),
        (client.delete_item, {**named, "Key": KEY}),
        (client.update_item, {**named, "Key": KEY}),
        (client.scan, named),
        (client.query, {**named, **condition}),
        (client.batch_get_item, {"RequestItems": {table: {"Keys": [KEY]}}}),
        (client.batch_write_item, {"RequestItems": write}),
        (client.transact_get_items, {"TransactItems": [{"Get": {**named, "Key": KEY}}]}),
        (client.transact_write_items, {"TransactItems": [{"Put": {**named, "Item": KEY}}]}),
    ]


def test_calls_on_a_table_that_is_not_there(client: Any) -> None:
    for call, arguments in calls_on(client, "nowhere"):
        assert refusal(call, **arguments) == ("ResourceNotFoundException", "Requested resource not found"), call


def test_calls_on_a_table_that_is_being_restored(ground: Ground, client: Any) -> None:
    backup = client.create_backup(TableName="people", BackupName="before")["BackupDetails"]["BackupArn"]
    ground.sleep(3600)
    client.restore_table_from_backup(TargetTableName="restored", BackupArn=backup)
    assert client.describe_table(TableName="restored")["Table"]["TableStatus"] == "CREATING"
    older = (client.scan, {"TableName": "restored", "ScanFilter": {"a": {"ComparisonOperator": "NULL"}}})
    for call, arguments in [*calls_on(client, "restored"), older]:
        assert refusal_code(call, **arguments) == "ResourceNotFoundException", call
    ground.sleep(4 * 3600)
    for call, arguments in calls_on(client, "restored"):
        call(**arguments)


# --- Reading


def test_projections_reach_into_maps_and_lists(client: Any) -> None:
    put(client, **EVERY_TYPE)
    found = get(
        client,
        ProjectionExpression="#m.#i.deep, #l[0], #l[3], absent, #m.#dot",
        ExpressionAttributeNames={"#m": "map", "#i": "inner", "#l": "list", "#dot": "a.b"},
    )
    assert found == {
        "map": {"M": {"inner": {"M": {"deep": {"BS": [b"x"]}}}}},
        "list": {"L": [{"N": "1"}, {"S": ""}]},
    }


def test_attributes_to_get(client: Any) -> None:
    put(client, a={"N": "1"}, b={"N": "2"})
    assert get(client, AttributesToGet=["a", "absent"]) == {"a": {"N": "1"}}
    mixed = {"TableName": "people", "Key": KEY, "AttributesToGet": ["a"], "ProjectionExpression": "a"}
    code, message = refusal(client.get_item, **mixed)
    assert code == "ValidationException"
    assert "Can not use both expression and non-expression parameters in the same request" in message


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"ProjectionExpression": ""}, "Invalid ProjectionExpression: The expression can not be empty;"),
        (
            {"ProjectionExpression": "name"},
            "Invalid ProjectionExpression: Attribute name is a reserved keyword; reserved keyword: name",
        ),
        (
            {"ProjectionExpression": "a, a.b"},
            "Invalid ProjectionExpression: Two document paths overlap with each other; must remove or rewrite one of "
            "these paths; path one: [a], path two: [a, b]",
        ),
        ({"ProjectionExpression": "a b"}, 'Invalid ProjectionExpression: Syntax error; token: "b", near: "a b"'),
        (
            {"ProjectionExpression": "#a"},
            "Invalid ProjectionExpression: An expression attribute name used in the document path is not defined; "
            "attribute name: #a",
        ),
        (
            {"ProjectionExpression": "a", "ExpressionAttributeNames": {"#b": "b"}},
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#b}",
        ),
        (
            {"ExpressionAttributeNames": {"#b": "b"}},
            "ExpressionAttributeNames can only be specified when using expressions",
        ),
        (
            {"ProjectionExpression": "a", "ExpressionAttributeNames": {}},
            "ExpressionAttributeNames must not be empty",
        ),
    ],
)
def test_projections_that_are_refused(client: Any, more: dict[str, Any], message: str) -> None:
    assert refusal(client.get_item, TableName="people", Key=KEY, **more) == ("ValidationException", message)


# --- Writing: conditions and what is returned


def test_a_condition_guards_every_kind_of_write(client: Any) -> None:
    put(client, version={"N": "1"})
    guard = {
        "TableName": "people",
        "ConditionExpression": "version = :v",
        "ExpressionAttributeValues": {":v": {"N": "2"}},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    for call, what in (
        (client.put_item, {"Item": KEY}),
        (client.delete_item, {"Key": KEY}),
        (client.update_item, {"Key": KEY}),
    ):
        with pytest.raises(client.exceptions.ConditionalCheckFailedException) as caught:
            call(**guard, **what)
        assert caught.value.response["Error"]["Message"] == "The conditional request failed"
        assert caught.value.response["Item"] == {**KEY, "version": {"N": "1"}}
    guard["ExpressionAttributeValues"] = {":v": {"N": "1.0"}}
    client.delete_item(**guard, Key=KEY)
    assert get(client) is None


def test_a_condition_on_an_item_that_is_not_there(client: Any) -> None:
    create = {"TableName": "people", "Item": KEY, "ConditionExpression": "attribute_not_exists(pk)"}
    client.put_item(**create)
    with pytest.raises(client.exceptions.ConditionalCheckFailedException) as caught:
        client.put_item(**create)
    assert "Item" not in caught.value.response


def test_what_puts_and_deletes_return(client: Any) -> None:
    old = {"TableName": "people", "ReturnValues": "ALL_OLD"}
    assert "Attributes" not in client.put_item(**old, Item={**KEY, "n": {"N": "1"}})
    assert client.put_item(**old, Item={**KEY, "n": {"N": "2"}})["Attributes"] == {**KEY, "n": {"N": "1"}}
    assert "Attributes" not in client.put_item(TableName="people", Item={**KEY, "n": {"N": "3"}})
    assert client.delete_item(**old, Key=KEY)["Attributes"] == {**KEY, "n": {"N": "3"}}
    assert "Attributes" not in client.delete_item(**old, Key=KEY)
    refused = refusal(client.put_item, TableName="people", Item=KEY, ReturnValues="ALL_NEW")
    assert refused == ("ValidationException", "Return values set to invalid value")


def test_what_updates_return(client: Any) -> None:
    put(client, n={"N": "1"}, m={"M": {"a": {"N": "1"}, "b": {"N": "2"}}}, other={"S": "o"})

    def update(wants: str) -> Any:
        return client.update_item(
            TableName="people",
            Key=KEY,
            UpdateExpression="SET m.a = m.a + :one, n = :n",
            ExpressionAttributeValues={":one": {"N": "1"}, ":n": {"N": "1"}},
            ReturnValues=wants,
        ).get("Attributes")

    whole = {**KEY, "n": {"N": "1"}, "other": {"S": "o"}}
    assert update("NONE") is None
    assert update("ALL_OLD") == {**whole, "m": {"M": {"a": {"N": "2"}, "b": {"N": "2"}}}}
    assert update("ALL_NEW") == {**whole, "m": {"M": {"a": {"N": "4"}, "b": {"N": "2"}}}}
    # What the expression names, changed or not: unlike moto, which compares.
    assert update("UPDATED_OLD") == {"n": {"N": "1"}, "m": {"M": {"a": {"N": "4"}}}}
    assert update("UPDATED_NEW") == {"n": {"N": "1"}, "m": {"M": {"a": {"N": "6"}}}}


# --- Updates


@pytest.mark.parametrize(
    ("expression", "given", "expected"),
    [
        ("SET a = b, b = a", {}, {"a": {"N": "2"}, "b": {"N": "1"}}),
        ("SET a = a + :x", {":x": {"N": "0.5"}}, {"a": {"N": "1.5"}}),
        ("SET a = :x - a", {":x": {"N": "1"}}, {"a": {"N": "0"}}),
        ("SET c = if_not_exists(c, :x) + b", {":x": {"N": "10"}}, {"c": {"N": "12"}}),
        ("SET a = if_not_exists(a, :x)", {":x": {"N": "10"}}, {"a": {"N": "1"}}),
        ("SET l = list_append(:x, l)", {":x": {"L": [{"S": "0"}]}}, {"l": {"L": [{"S": s} for s in "0xyz"]}}),
        ("SET l[1] = :x, l[9] = :x", {":x": {"S": "!"}}, {"l": {"L": [{"S": s} for s in "x!z!"]}}),
        ("REMOVE l[0], l[1], l[7]", {}, {"l": {"L": [{"S": "z"}]}}),
        ("SET l[2] = :x REMOVE l[0]", {":x": {"S": "!"}}, {"l": {"L": [{"S": "y"}, {"S": "!"}]}}),
        ("SET m.later = m.earlier REMOVE m.earlier", {}, {"m": {"M": {"later": {"S": "old"}}}}),
        ("REMOVE m.absent, gone", {}, {}),
        ("ADD a :x, c :x", {":x": {"N": "5"}}, {"a": {"N": "6"}, "c": {"N": "5"}}),
        ("ADD s :x", {":x": {"SS": ["b", "c"]}}, {"s": {"SS": ["a", "b", "c"]}}),
        ("DELETE s :x", {":x": {"SS": ["b", "c"]}}, {"s": {"SS": ["a"]}}),
        ("DELETE s :x", {":x": {"SS": ["a", "b"]}}, {"s": None}),
        ("SET t = :x", {":x": {"B": b"\x00"}}, {"t": {"B": b"\x00"}}),
        (
            "set a=:x-b",
            {":x": {"N": "12345678901234567890123456789012345678"}},
            {"a": {"N": "12345678901234567890123456789012345676"}},
        ),
    ],
)
def test_what_updates_make_of_an_item(client: Any, expression: str, given: Item, expected: Item) -> None:
    item = {
        **KEY,
        "a": {"N": "1"},
        "b": {"N": "2"},
        "l": {"L": [{"S": "x"}, {"S": "y"}, {"S": "z"}]},
        "m": {"M": {"earlier": {"S": "old"}}},
        "s": {"SS": ["a", "b"]},
    }
    client.put_item(TableName="people", Item=item)
    values = {"ExpressionAttributeValues": given} if given else {}
    client.update_item(TableName="people", Key=KEY, UpdateExpression=expression, **values)
    wanted = {name: value for name, value in {**item, **expected}.items() if value is not None}
    assert same(get(client) or {}, wanted)


def test_an_update_makes_the_item_that_is_not_there(client: Any) -> None:
    client.update_item(TableName="people", Key=KEY)
    assert get(client) == KEY
    client.delete_item(TableName="people", Key=KEY)
    values = {":n": {"N": "1"}}
    client.update_item(TableName="people", Key=KEY, UpdateExpression="ADD n :n", ExpressionAttributeValues=values)
    assert get(client) == {**KEY, "n": {"N": "1"}}


PATH = "The document path provided in the update expression is invalid for update"
OPERAND = "An operand in the update expression has an incorrect data type"


@pytest.mark.parametrize(
    ("expression", "given", "message"),
    [
        ("SET absent.a = :x", {":x": {"N": "1"}}, PATH),
        ("SET n.a = :x", {":x": {"N": "1"}}, PATH),
        ("REMOVE absent.a", {}, PATH),
        ("SET a = absent", {}, "The provided expression refers to an attribute that does not exist in the item"),
        ("SET a = s + :x", {":x": {"N": "1"}}, OPERAND),
        ("ADD s :x", {":x": {"N": "1"}}, OPERAND),
        ("SET a = list_append(n, :x)", {":x": {"L": []}}, OPERAND),
        (
            "SET a = n + :x",
            {":x": {"S": "1"}},
            "Invalid UpdateExpression: Incorrect operand type for operator or function; "
            "operator or function: +, operand type: S",
        ),
        (
            "ADD n :x",
            {":x": {"S": "1"}},
            "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: ADD, "
            "operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND",
        ),
        (
            "SET pk = :x",
            {":x": {"S": "b"}},
            "One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key",
        ),
        (
            "SET a.b = :x, a = :x",
            {":x": {"S": "b"}},
            "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these "
            "paths; path one: [a, b], path two: [a]",
        ),
        (
            "SET a = :x SET b = :x",
            {":x": {"S": "b"}},
            'Invalid UpdateExpression: The "SET" section can only be used once in an update expression;',
        ),
        ("", {}, "Invalid UpdateExpression: The expression can not be empty;"),
        ("SET a :x", {":x": {"N": "1"}}, 'Invalid UpdateExpression: Syntax error; token: ":x", near: "a :x"'),
        (
            "SET a = :y",
            {":x": {"N": "1"}},
            "Invalid UpdateExpression: An expression attribute value used in expression is not defined; "
            "attribute value: :y",
        ),
        (
            "REMOVE a",
            {":x": {"N": "1"}},
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:x}",
        ),
        ("SET a = n + :x", {":x": {"N": "9.9E+125"}}, None),
        (
            "SET a = big + :x",
            {":x": {"N": "9.9E+125"}},
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
        ),
    ],
)
def test_updates_that_are_refused_change_nothing(
    client: Any, expression: str, given: Item, message: str | None
) -> None:
    put(client, n={"N": "1"}, s={"S": "text"}, big={"N": "9.9E+125"})
    before = get(client)
    values = {"ExpressionAttributeValues": given} if given else {}
    arguments = {"TableName": "people", "Key": KEY, "UpdateExpression": expression, **values}
    if message is None:
        client.update_item(**arguments)
        return
    assert refusal(client.update_item, **arguments) == ("ValidationException", message)
    assert get(client) == before


# --- The older style, which is moto's


def test_the_older_style_goes_on_working(client: Any) -> None:
    expected = {"pk": {"Exists": False}}
    client.put_item(TableName="people", Item={**KEY, "n": {"N": "1"}}, Expected=expected)
    assert (
        refusal_code(client.put_item, TableName="people", Item=KEY, Expected=expected)
        == "ConditionalCheckFailedException"
    )
    updates = {"n": {"Action": "ADD", "Value": {"N": "2"}}, "t": {"Action": "PUT", "Value": {"S": "x"}}}
    client.update_item(TableName="people", Key=KEY, AttributeUpdates=updates)
    assert get(client) == {**KEY, "n": {"N": "3"}, "t": {"S": "x"}}
    conditions = {"pk": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]}}
    assert client.query(TableName="people", KeyConditions=conditions)["Count"] == 1
    client.delete_item(TableName="people", Key=KEY, Expected={"n": {"Value": {"N": "3"}}})
    assert get(client) is None


def test_older_filters_go_on_working(client: Any) -> None:
    put(client, n={"N": "5"}, raw={"B": b"q"})
    five = {"n": {"ComparisonOperator": "EQ", "AttributeValueList": [{"N": "5"}]}}
    assert client.scan(TableName="people", ScanFilter=five)["Items"] == [get(client)]
    conditions = {"pk": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]}}
    assert client.query(TableName="people", KeyConditions=conditions, QueryFilter=five)["Items"] == [get(client)]


def test_statements_in_partiql_go_on_working(client: Any) -> None:
    client.execute_statement(Statement="INSERT INTO \"people\" value {'pk': 'a', 'n': 1}")
    select = {"Statement": 'SELECT * FROM "people" WHERE pk = ?', "Parameters": [{"S": "a"}]}
    assert client.execute_statement(**select)["Items"] == [{**KEY, "n": {"N": "1"}}]
    client.execute_statement(Statement="UPDATE \"people\" SET n = '2' WHERE pk = 'a'")
    assert get(client) == {**KEY, "n": {"S": "2"}}
    client.execute_statement(Statement="DELETE FROM \"people\" WHERE pk = 'a'")
    assert get(client) is None


def test_the_two_styles_do_not_mix(client: Any) -> None:
    for call, what in (
        (client.put_item, {"Item": KEY, "Expected": {}, "ConditionExpression": "attribute_exists(pk)"}),
        (client.update_item, {"Key": KEY, "AttributeUpdates": {}, "UpdateExpression": "REMOVE a"}),
    ):
        code, message = refusal(call, TableName="people", **what)
        assert code == "ValidationException"
        assert message.startswith("Can not use both expression and non-expression parameters in the same request")


# --- What it costs


def test_capacity_is_counted_by_size(client: Any) -> None:
    total = {"TableName": "people", "ReturnConsumedCapacity": "TOTAL"}

    def units(answer: Any) -> float:
        assert answer["ConsumedCapacity"]["TableName"] == "people"
        return float(answer["ConsumedCapacity"]["CapacityUnits"])

    assert units(client.put_item(**total, Item={**KEY, "t": {"S": "x" * 5000}})) == 5
    assert units(client.get_item(**total, Key=KEY)) == 1
    assert units(client.get_item(**total, Key=KEY, ConsistentRead=True)) == 2
    assert units(client.get_item(**total, Key={"pk": {"S": "none"}})) == 0.5
    assert units(client.scan(**total)) == 1
    assert units(client.put_item(**total, Item=KEY)) == 5  # By the bigger of the two.
    assert units(client.delete_item(**total, Key=KEY)) == 1
    assert "ConsumedCapacity" not in client.put_item(TableName="people", Item=KEY)


def test_capacity_of_indexes_and_sizes_of_item_collections(ground: Ground) -> None:
    client = ground.client()
    make(client, "indexed", "pk:S sk:S", gsi={"by-age": "age:N"}, lsi={"by-town": "pk:S town:S"})
    item = {"pk": {"S": "a"}, "sk": {"S": "b"}, "age": {"N": "1"}, "town": {"S": "t"}}
    asked = {"ReturnConsumedCapacity": "INDEXES", "ReturnItemCollectionMetrics": "SIZE"}
    answer = client.put_item(TableName="indexed", Item=item, **asked)
    assert answer["ConsumedCapacity"] == {
        "TableName": "indexed",
        "CapacityUnits": 3.0,
        "Table": {"CapacityUnits": 1.0},
        "GlobalSecondaryIndexes": {"by-age": {"CapacityUnits": 1.0}},
        "LocalSecondaryIndexes": {"by-town": {"CapacityUnits": 1.0}},
    }
    assert answer["ItemCollectionMetrics"] == {
        "ItemCollectionKey": {"pk": {"S": "a"}},
        "SizeEstimateRangeGB": [0.0, 1.0],
    }
    moved = client.put_item(TableName="indexed", Item={**item, "age": {"N": "2"}}, **asked)["ConsumedCapacity"]
    assert moved["GlobalSecondaryIndexes"] == {"by-age": {"CapacityUnits": 2.0}}
    same_again = client.put_item(TableName="indexed", Item={**item, "age": {"N": "2"}}, **asked)["ConsumedCapacity"]
    assert same_again["CapacityUnits"] == 1.0


# --- Differences from plain moto in ordinary calls: none


def ordinary(client: Any) -> list[Any]:
    """Calls as most programs make them, and what came of each: the answer or the error's code."""
    make(client, gsi={"by-age": "age:N"})
    named = {"TableName": "people"}
    put = {"Item": {**KEY, "age": {"N": "7"}, "tags": {"SS": ["x"]}, "m": {"M": {"k": {"S": "v"}}}}}
    exists = {"ConditionExpression": "attribute_exists(pk)"}
    seven = {"ExpressionAttributeValues": {":n": {"N": "7"}}}
    other = {"pk": {"S": "b"}}
    steps: list[tuple[Any, dict[str, Any]]] = [
        (client.put_item, {**put, "ConditionExpression": "attribute_not_exists(pk)"}),
        (client.put_item, {**put, "ConditionExpression": "attribute_not_exists(pk)"}),
        (client.get_item, {"Key": KEY}),
        (client.get_item, {"Key": KEY, "ProjectionExpression": "m.k"}),
        (client.get_item, {"Key": other}),
        (client.put_item, {"Item": {**KEY, "age": {"N": "8"}}, "ReturnValues": "ALL_OLD"}),
        (client.update_item, {"Key": KEY, "UpdateExpression": "SET age = :n", **seven, "ReturnValues": "ALL_NEW"}),
        (client.update_item, {"Key": KEY, "UpdateExpression": "ADD hits :n", **seven, "ReturnValues": "UPDATED_NEW"}),
        (client.update_item, {"Key": other, "UpdateExpression": "SET age = :n", **seven, **exists}),
        (client.query, {"KeyConditionExpression": "pk = :k", "ExpressionAttributeValues": {":k": {"S": "a"}}}),
        (client.query, {"IndexName": "by-age", "KeyConditionExpression": "age = :n", **seven}),
        (client.scan, {"FilterExpression": "age = :n AND attribute_exists(pk)", **seven}),
        (client.scan, {"Select": "COUNT"}),
        (client.delete_item, {"Key": other}),
        (client.delete_item, {"Key": KEY, "ReturnValues": "ALL_OLD"}),
        (client.delete_item, {"Key": KEY, **exists}),
        (client.scan, {}),
    ]
    outcomes: list[Any] = []
    for call, arguments in steps:
        try:
            answer = call(**named, **arguments)
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])
            continue
        kept = ("Item", "Items", "Count", "ScannedCount", "Attributes")
        outcomes.append({name: answer[name] for name in kept if name in answer})
    return outcomes


def test_ordinary_calls_are_answered_as_by_plain_moto(monkeypatch: pytest.MonkeyPatch) -> None:
    with simulated() as ground:
        ours = ordinary(ground.client())
    with plain_moto(monkeypatch) as ground:
        assert ours == ordinary(ground.client())


def test_the_resource_interface_works_as_well() -> None:
    with simulated():
        resource = boto3.resource("dynamodb", region_name=REGION)
        make(resource.meta.client)
        table: Any = resource.Table("people")
        with table.batch_writer() as batch:
            for n in range(60):
                batch.put_item(Item={"pk": f"{n:03}", "n": n, "even": n % 2 == 0})
        assert len(table.scan()["Items"]) == 60
        assert table.query(KeyConditionExpression=Key("pk").eq("007"))["Items"][0]["n"] == 7
        wanted = Attr("n").between(10, 19) & Attr("even").eq(True) & ~Attr("n").is_in([12, 14])
        assert sorted(int(item["n"]) for item in table.scan(FilterExpression=wanted)["Items"]) == [10, 16, 18]


def test_request_ids_are_told_apart(client: Any) -> None:
    ids = {client.scan(TableName="people")["ResponseMetadata"]["RequestId"] for _ in range(3)}
    assert len(ids) == 3
