"""A small estate of one database, on RDS or on Aurora, for drills that a test reaches into."""

from __future__ import annotations

from collections.abc import Sequence

from tests.small_drill import PRODUCTION, RECOVERY, VAULT

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
      CREATE EXTENSION pg_trgm;
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
    objectives: {rto: 4h, rpo: 2h}
    production: {size_gb: 100, items: 10_000_000}
"""
COPY = "{rds_snapshot_copy: {interval: 15m, every_minutes: 5}}"


def store(engine: str, protections: Sequence[str]) -> str:
    """A store of this engine: ``payments`` on postgres, ``refunds`` on aurora-postgresql."""
    name = {"postgres": "payments", "aurora-postgresql": "refunds"}[engine]
    return STORE % {"name": name, "engine": engine, "protections": f"[{', '.join(protections)}]"}


def text(*stores: str, minutes: int = 30) -> str:
    """An estate file of these stores. Each module manages a store and what follows it live."""
    modules = [
        f"  {name}: [{name}, {name}/{live}]\n"
        for name, live in (("payments", "rds_read_replica"), ("refunds", "aurora_global_database"))
        if any(f"name: {name}" in one and live in one for one in stores)
    ]
    response = "response:\n  detect: {default: 10m, bulk_erase: 20m}\n  decide: 10m\n"
    managed = f"modules:\n{''.join(modules)}" if modules else ""
    return f"{HEAD}stores:{''.join(stores)}{managed}{response}workload_minutes: {minutes}\n"


POSTGRES = store("postgres", ["rds_automated_backup", "{rds_snapshot: {every: 1h}}", "rds_read_replica", COPY])
AURORA = store("aurora-postgresql", ["rds_automated_backup", "aurora_global_database", COPY])
