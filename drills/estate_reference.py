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
map or a `jsonb` column, its path with dots) that holds a key of another store, or a list of keys; after a restore \
each must be found there | none |
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

S3_KEYS = """\
| key of an `s3` store | what it says | when left out |
|---|---|---|
| `versioning` | `enabled`, `suspended` or `off` | enabled |
| `lifecycle` | a list of rules, each with `id` and what it does: `expire_days`, `expired_markers: true`, \
`noncurrent_days` with or without `newer_noncurrent`, `abort_uploads_days`, `transition: {days: 30, storage_class: \
STANDARD_IA}`; for all objects, or those of a `prefix` and with `tags`; `enabled: false` keeps a rule without using \
it | none |
| `encryption` | how new objects are encrypted: `sse-s3` | sse-s3 |
| `tags` | tags by name | none |
| `object_lock` | the retention of every new version: `{mode: governance, days: 30}`, `mode` is `governance` or \
`compliance` | none |
| `cors` | a list of rules: `origins`, `methods`, `headers`, `expose`, `max_age_seconds` | none |
| `public_access_block` | `true`, `false`, or `{block_acls: true, ignore_acls: true, block_policy: true, restrict: \
true}` | true |
| `event_bridge` | whether EventBridge is told of the bucket's events | false |
| `policy` | the bucket's policy as AWS takes it; `<bucket>` and `<account>` stand for its own | none |
| `read_every_byte` | whether verifying reads every body, instead of trusting the checksums of whole objects that S3 \
itself has verified and kept | false |

| protection of an `s3` store | its options | when left out |
|---|---|---|
| `s3_versioning` | `keep_days`: how long older versions must stay before health complains | 7 |
| `s3_replication` | `lock_mode` (`governance` or `compliance`) and `lock_days` of the copy; `noncurrent_days` after \
which its older versions are deleted, 0 for never; `prefix`; `maximum_lag` before health complains; `deletions_every`: \
how often deletions are registered; `replication_time`: whether S3 promises its 15 minutes; `kms_key` of the copy | \
governance, 30, 0, all keys, 15m, 10m, false, none |

| protection of an `rds` store | its options | when left out |
|---|---|---|
| `rds_automated_backup` | `days` of retention, 1 to 35; `replicate_to`: a region; `maximum_gap`: how far the newest \
restorable moment may be behind | 7, none, 30m |
| `rds_snapshot` | `every`: the time between two snapshots; `keep`: how many stay | 6h, 8 |
| `rds_read_replica` | `region`: where it lies; `maximum_lag` before health complains | the recovery \
account's region, 5m |
| `aurora_global_database` | `region`: where the copy lies; `maximum_lag` before health complains | the recovery \
account's region, 5m |
| `rds_snapshot_copy` | `interval` between two snapshots; `take`: `own` or `automated` ones; `tags` that a database \
must have; `exclude_names`, `exclude_tags`, `names`: patterns; `production_keep` and `vault_keep`: how many stay on \
either side, of the vault's enough for noticing a failure, as one that is restored from is held until that has ended, \
by a tag `drills:held-until:…` with a moment that people may set too; `objective`: how old the newest copy may be \
before alarm and health complain; `every_minutes` either \
function runs; `production_key`, `vault_key`, `shareable_keys`: ARNs of keys; `option_groups`: the vault's by the \
database's; `copies_at_once`; `manual_snapshots`: how many of each kind either account may have in a region; \
`alarm_topics` by side | 1h, own, none, none, none, all; 2, 7; 1d; 15; keys of its own; none; 20; 100; none |

The records of an `s3` store have the attributes `key` and `body` (text or bytes), and may have `content_type`, \
`metadata` (a map), `tags` (a map), `storage_class`, `cache_control`, `content_disposition`, `content_encoding` and \
`content_language`. Attributes that begin with `_` are there to make others from.
"""

REFERENCE = "\n".join(part for part in (ESTATE_KEYS, STORE_KEYS, DYNAMODB_KEYS, S3_KEYS, RECORD_FORMS) if part)
"""All of it, as Markdown."""
