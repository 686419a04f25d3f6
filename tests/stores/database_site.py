"""A real Site on the simulated AWS with one small database, as an estate file describes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from drills.history import Event, History, read_history
from drills.model import Location
from drills.stores.rds_secret import read_secret
from drills.world_site import WorldSite
from tests.stores.small_site import (
    PRODUCTION,
    RECOVERY,
    VAULT,
    as_ledger_says,
    aws,
    by_check,
    client_of,
    estate_of,
    filled,
    inventory,
    small_site,
)

__all__ = [
    "AURORA",
    "DATABASE",
    "PLAIN",
    "PRODUCTION",
    "RECOVERY",
    "VAULT",
    "as_ledger_says",
    "asked",
    "aws",
    "by_check",
    "database_site",
    "describe",
    "estate_text",
    "events",
    "filled",
    "inventory",
    "plain_client",
    "stranger",
    "told",
]

DATABASE = """
    engine: postgres
    instance_class: db.t4g.medium
    parameters: {work_mem: 8192, log_min_duration_statement: 500}
    backup_retention: 7
    tags: {team: billing, data: personal}
    database: shop
    application: shop_payments
    schema: |
      CREATE EXTENSION citext;
      CREATE EXTENSION pg_trgm;
      CREATE TYPE payment_state AS ENUM ('authorised', 'captured', 'refunded');
      CREATE SEQUENCE receipt_numbers START 1000;
      CREATE TABLE payments (
        payment_id text NOT NULL,
        booked date NOT NULL,
        state payment_state NOT NULL DEFAULT 'authorised',
        amount numeric(12,2) NOT NULL CHECK (amount >= 0),
        rate numeric,
        email citext,
        at timestamptz NOT NULL,
        details jsonb,
        signature bytea,
        scan oid,
        labels text[],
        receipt_number bigint NOT NULL DEFAULT nextval('receipt_numbers'),
        entry bigint GENERATED ALWAYS AS IDENTITY,
        cents bigint GENERATED ALWAYS AS ((amount * 100)::bigint) STORED,
        PRIMARY KEY (payment_id, booked)
      ) PARTITION BY RANGE (booked);
      CREATE TABLE payments_first PARTITION OF payments FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
      CREATE TABLE payments_other PARTITION OF payments DEFAULT;
      CREATE INDEX payments_email ON payments USING gin (email gin_trgm_ops);
      CREATE TABLE payment_lines (
        payment_id text NOT NULL,
        booked date NOT NULL,
        line_no integer NOT NULL,
        sku text NOT NULL,
        quantity integer NOT NULL,
        price numeric(10,2) NOT NULL,
        PRIMARY KEY (payment_id, booked, line_no),
        FOREIGN KEY (payment_id, booked) REFERENCES payments ON UPDATE CASCADE
      );
      CREATE ROLE readers;
      CREATE ROLE shop_payments LOGIN;
      GRANT readers TO shop_payments;
      GRANT SELECT, INSERT, UPDATE, DELETE ON payments, payment_lines TO shop_payments;
      GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO shop_payments;
      ALTER ROLE shop_payments SET statement_timeout = '30s';
    tables:
      payments:
        key: payment_id
        columns:
          payment_id: text
          booked: date
          state: payment_state
          amount: numeric(12,2)
          rate: numeric
          email: citext
          at: timestamptz
          details: jsonb
          signature: bytea
          scan: large_object
          labels: text[]
      payment_lines:
        of: payments
        by: [payment_id, booked]
        order: line_no
        as: lines
        columns: {line_no: integer, sku: text, quantity: integer, price: "numeric(10,2)"}
    records:
      payment_id: {sequence: "PAY-{n:07d}"}
      booked: {time: {from: -400d, to: 0s, as: iso}}
      state: {choice: [authorised, captured, refunded]}
      amount: {decimal: {min: 0, max: 9999.99, places: 2}}
      rate: {decimal: {digits: 38, places: 12}}
      email: {template: "{payment_id}@Example.org"}
      at: {time: {from: -400d, to: 0s, as: iso}}
      details: {map: {n: {decimal: {max: 9, places: 3}}, "a \\"quoted\\" näme": {const: null}, b: {choice: [true, 1]}}}
      signature: {bytes: {min: 1, max: 600}, share: 0.7}
      scan: {bytes: {min: 1, max: 6000}, share: 0.3}
      labels: {set: {of: {choice: [gift, "a, b", "{}", "é\\\\\\"", "null"]}, size: [1, 3]}, share: 0.6}
      lines:
        list:
          of: {map: {sku: ean13, quantity: {number: {min: 1, max: 9}}, price: {decimal: {max: 499, places: 2}}}}
          size: [0, 3]
"""
AURORA = DATABASE.replace("engine: postgres", "engine: aurora-postgresql")
assert AURORA != DATABASE
PLAIN = """
    application: app
    deletion_protection: false
    schema: |
      CREATE TABLE things (id text PRIMARY KEY, value integer CHECK (value <> 13), word text);
      ALTER TABLE things ADD CONSTRAINT late UNIQUE (word) DEFERRABLE INITIALLY DEFERRED;
      CREATE ROLE app;
      GRANT SELECT, INSERT, UPDATE, DELETE ON things TO app;
    tables: {things: {key: id, columns: {id: text, value: integer, word: text}}}
    records: {id: {template: "K-{n:03d}"}, value: {number: {min: 14, max: 99}}, word: {template: "word {n}"}}
"""


def estate_text(database: str = DATABASE) -> str:
    return estate_of("rds", "pay_ments", database, updates=6, protections="[rds_automated_backup]")


@contextmanager
def database_site(folder: Path, database: str = DATABASE) -> Iterator[WorldSite]:
    """The site, with nothing provisioned yet."""
    with small_site(folder, estate_text(database)) as site:
        yield site


def plain_client(site: WorldSite, at: Location, service: str = "rds") -> Any:
    """A client of the database's account that is not the site's own."""
    return client_of(site, at, service)


@contextmanager
def stranger(site: WorldSite, at: Location) -> Iterator[psycopg.Connection]:
    """A connection to the endpoint that RDS reports, as anybody with the secret would make it."""
    rds = plain_client(site, at)
    if site.store.config.is_aurora:
        (found,) = rds.describe_db_clusters(DBClusterIdentifier=at.name)["DBClusters"]
        host, port = found["Endpoint"], found["Port"]
    else:
        (found,) = rds.describe_db_instances(DBInstanceIdentifier=at.name)["DBInstances"]
        host, port = found["Endpoint"]["Address"], found["Endpoint"]["Port"]
    secret = read_secret(site, at)
    with psycopg.connect(
        host=host,
        port=port,
        user=secret["username"],
        password=secret["password"],
        dbname=secret["dbname"],
        autocommit=True,
    ) as connection:
        yield connection


def asked(site: WorldSite, at: Location, query: str) -> list[Any]:
    with stranger(site, at) as connection:
        return connection.execute(query).fetchall()


def told(site: WorldSite, at: Location, statement: str) -> None:
    with stranger(site, at) as connection:
        connection.execute(statement)


def events(site: WorldSite, kind: str) -> list[Event]:
    """What was noted of this kind so far."""
    assert isinstance(site._history, History)
    return [event for event in read_history(Path(site._history._file.name).parent) if event.kind == kind]


def describe(site: WorldSite, at: Location) -> Any:
    rds = plain_client(site, at)
    if site.store.config.is_aurora:
        return rds.describe_db_clusters(DBClusterIdentifier=at.name)["DBClusters"][0]
    return rds.describe_db_instances(DBInstanceIdentifier=at.name)["DBInstances"][0]
