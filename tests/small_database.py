"""A small estate of one database, on RDS or on Aurora, for drills that a test reaches into."""

from __future__ import annotations

from typing import Any

from drills.simulator import SimulatedAWS
from tests.small_drill import PRODUCTION, RECOVERY, VAULT, production, vault

HEAD = f"""
summary: One ledger of payments with everything that a restore can forget.
accounts:
  production: {{id: "{PRODUCTION}", region: eu-west-1}}
  vault: {{id: "{VAULT}", region: eu-central-1}}
  recovery: {{id: "{RECOVERY}", region: eu-north-1}}
"""
STORE = """
  - name: %(name)s
    kind: rds
    engine: %(engine)s
    customer_key: true
    parameters: {work_mem: 16384}
    tags: {team: billing}
    database: books
    application: teller
    schema: |
      CREATE EXTENSION citext;
      CREATE TYPE state AS ENUM ('open', 'settled');
      CREATE SEQUENCE receipts START 1000;
      CREATE TABLE payments (
        id text PRIMARY KEY,
        state state NOT NULL DEFAULT 'open',
        amount numeric(12,2) NOT NULL,
        email citext,
        at timestamptz NOT NULL,
        more jsonb,
        signature bytea,
        receipt bigint NOT NULL DEFAULT nextval('receipts'),
        entry bigint GENERATED ALWAYS AS IDENTITY
      );
      CREATE INDEX payments_at ON payments (at);
      CREATE TABLE lines (
        payment text NOT NULL REFERENCES payments,
        number integer NOT NULL,
        sku text NOT NULL,
        price numeric(10,2) NOT NULL,
        PRIMARY KEY (payment, number)
      );
      CREATE ROLE readers;
      CREATE ROLE teller LOGIN;
      GRANT SELECT ON payments, lines TO readers;
      GRANT SELECT, INSERT, UPDATE, DELETE ON payments, lines TO teller;
      GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO teller;
    tables:
      payments:
        key: id
        columns:
          id: text
          state: state
          amount: numeric(12,2)
          email: citext
          at: timestamptz
          more: jsonb
          signature: bytea
      lines:
        of: payments
        by: payment
        order: number
        as: lines
        columns: {number: integer, sku: text, price: "numeric(10,2)"}
    records:
      id: {sequence: "PAY-{n:06d}"}
      state: {choice: [open, settled]}
      amount: {decimal: {max: 4999.99, places: 2}}
      email: {template: "{id}@example.org"}
      at: {time: {from: -30d, to: 0s, as: iso}}
      more: {map: {city: city, fee: {decimal: {max: 9, places: 4}}}}
      signature: {bytes: {min: 1, max: 64}, share: 0.5}
      lines:
        list:
          of: {map: {sku: ean13, price: {decimal: {max: 499, places: 2}}}}
          size: [1, 3]
    workload: {writes_per_minute: 4, inserts: 3, updates: 4, deletes: 1, erasures: 1}
    protections: %(protections)s
    objectives: {rto: 12h, rpo: %(rpo)s}
    production: {size_gb: 20, items: 10_000_000}
"""
TAIL = """
response:
  detect: {default: 10m, bulk_erase: 45m}
  decide: 10m
workload_minutes: 80
"""
POSTGRES = STORE % {
    "name": "payments",
    "engine": "postgres",
    "protections": "[rds_automated_backup, rds_snapshot, rds_read_replica, rds_snapshot_copy]",
    "rpo": "25h",
}
AURORA = STORE % {
    "name": "refunds",
    "engine": "aurora-postgresql",
    "protections": "[rds_automated_backup, aurora_global_database, rds_snapshot_copy]",
    "rpo": "25h",
}


def text(*stores: str, tail: str = TAIL) -> str:
    return HEAD + "stores:" + "".join(stores) + tail
