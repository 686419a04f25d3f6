"""Every key of an estate file, as the README shows it. A test compares it with what is accepted."""

from __future__ import annotations

ESTATE_KEYS = """\
| key | what it says | when left out |
|---|---|---|
| `name` | the estate's name, as reports show it | the file's stem |
| `summary` | one line for `drills list` | empty |
| `accounts` | by role, `production`, `vault` and `recovery`: `id` (12 digits) and `region` | ids of ones, twos and \
threes; eu-west-1, eu-central-1, eu-north-1 |
| `stores` | the list of stores, each with the keys below | must be given |
| `modules` | infrastructure modules by name, each with the list of what it manages: a store (`orders`) or what a \
protection made for it (`orders/dynamodb_global_table`). All of a module goes in one go when its code is wrong | each \
store by itself |
| `references` | which records name which others: `{from: orders.invoice_key, to: invoices}`, an attribute (within a \
map, its path with dots) that holds a key of another store, or a list of keys; after a restore each must be found \
there | none |
| `response.detect` | how long until a failure is noticed: `default`, and by scenario where that differs | 15m |
| `response.decide` | how long until it is decided to restore | 15m |
| `response.cut_over` | how long the application takes to use a store's new place once it is told | 0s |
| `workload_minutes` | how long the workload writes before the failure | 30 |
"""

STORE_KEYS = """\
| key of a store | what it says | when left out |
|---|---|---|
| `name` | letters, digits, `_`, `-`, `.` | must be given |
| `kind` | the kind of store, such as `dynamodb`; it brings keys of its own | must be given |
| `records` | how records are made: attribute by attribute, see below | this or `records_from` must be given, unless \
the store `exists` |
| `records_from` | a JSON Lines or CSV file beside the estate: its name, or `{file: clients.csv, types: {balance: \
number}}`; types are `string`, `number`, `boolean`, `base64`, `set`, `json` | |
| `share` | this store's weight in the drill's records | 1 |
| `workload.writes_per_minute` | how many writes a minute go on until the failure | 60 |
| `workload.inserts`, `workload.updates`, `workload.deletes`, `workload.erasures` | weights of the kinds of write; an \
erasure removes a person's data for good and must never be undone by a restore | 3, 5, 1, 0 |
| `protections` | a list in order of preference: a name, or `{name: {option: value}}` | must be given |
| `objectives.rto`, `objectives.rpo` | what is demanded | must be given with records |
| `production.size_gb`, `production.items` | the size to reckon with: a drill with few records predicts \
durations for it | must be given with records |
| `exists` | the name that the store has in AWS, for `drills protect` and `drills restore`; drills make stores of \
their own and never touch it | it is only drilled |

Durations are written with their unit: `90s`, `15m`, `4h`, `1d`, `1h30m`. Numbers stay exact.
"""

RECORD_FORMS = """\
| form of an attribute | what it gives |
|---|---|
| `email` | a [Faker](https://faker.readthedocs.io/en/stable/providers.html) provider by its name |
| `{faker: {provider: paragraph, locale: de_DE, with: {nb_sentences: 2}}}` | the same with a locale and arguments |
| `uuid` | a random UUID; unique |
| `{sequence: 1}`, `{sequence: "ORD-{n:08d}"}` | numbers in a row, also as text; unique |
| `{sequence: {of: "C-{n:06d}", among: 500}}` | one of the first 500, to refer to another store's key |
| `{choice: [new, paid]}`, `{choice: {new: 3, paid: 1}}` | one of some values, also by weight |
| `{number: {min: 1, max: 10}}` | a whole number |
| `{decimal: {min: 0.01, max: 99.99, places: 2}}`, `{decimal: {digits: 38}}` | an exact decimal number |
| `{text: 380KB}` | so many bytes of words (1 KB is 1,024 bytes) |
| `{bytes: 64}`, `{bytes: {min: 1, max: 64}}` | binary data |
| `{list: {of: email, size: [0, 3]}}` | a list; `of` is any form |
| `{set: {of: {choice: [red, green, blue]}, size: [1, 2]}}` | a set of different values |
| `{map: {street: street_address, city: city}}` | a nested map |
| `{either: [sentence, {const: null}]}` | one of several forms |
| `{cycle: [{template: "a/{n}"}, {template: "b/{n}"}]}` | the forms in turn, by the record's number; in two stores \
alike, so that one can name the other's keys |
| `{const: ""}` | always the same, `null` included |
| `{time: {from: -1h, to: 7d, as: iso}}` | a moment around the drill's start; `as` is `epoch` (seconds, as a time to \
live needs; the default), `milliseconds` or `iso` |
| `{template: "{email} no. {n}"}`, `{ref: email}` | made of attributes that stand before it; `{n}` is the record's \
number |

Beside a form, `share: 0.1` gives the attribute to a tenth of the records, `count: 3` to the first three only.
"""

DYNAMODB_KEYS = """\
| key of a `dynamodb` store | what it says | when left out |
|---|---|---|
| `key.partition`, `key.sort` | the attributes of the primary key; their types come from the records | \
`partition` must be given |
| `indexes` | a list of secondary indexes, each with `name`, `partition` and `sort`; `local: true` for one within a \
partition; `projection` is `all`, `keys_only` or a list of attributes | none; `projection: all` |
| `ttl` | the attribute with the time to live, in epoch seconds | nothing expires |
| `stream` | `new_and_old_images`, `new_image`, `old_image` or `keys_only` | no stream of its own |
| `billing` | `on_demand`, or `{read_units: 50, write_units: 50, autoscaling: {min: 50, max: 500, \
target_percent: 70}}` with or without `autoscaling`, which holds for reads and writes of the table and its \
global indexes | on_demand |
| `tags` | tags by name | none |
| `deletion_protection` | whether the table is protected against deletion | false |

| protection of a `dynamodb` store | its options | when left out |
|---|---|---|
| `dynamodb_pitr` | `period_days`: how many days it reaches back, 1 to 35 | 35 |
| `dynamodb_backup` | `every`: the time between two backups; `keep`: how many stay | 1h, 24 |
| `dynamodb_system_backup` | none; it needs `dynamodb_pitr` | |
| `dynamodb_global_table` | `region`: where the replica lies | the recovery account's region |
| `dynamodb_stream_copy` | `recovery_period_days` of the copy; `maximum_lag_seconds` before health complains; \
`parallelization_factor`, `batch_size`, `batch_window_seconds`, `maximum_record_age_seconds`, `timeout_seconds`, \
`memory_mb`, `tombstone_hours`, `alarm_topic` of its function and feed | 35, 300; 1, 100, 0, 82800, 60, 256, 72, none |
"""

REFERENCE = "\n".join(part for part in (ESTATE_KEYS, STORE_KEYS, DYNAMODB_KEYS, RECORD_FORMS) if part)
"""All of it, as Markdown."""
