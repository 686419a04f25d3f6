"""A shop small enough for endpoints on loopback: orders that name invoices, protected in all the ways there are."""

from __future__ import annotations

ESTATE = """
summary: Orders and their invoices, written to for three seconds.
stores:
  - name: orders
    kind: dynamodb
    key: {partition: client_id, sort: order_id}
    indexes:
      - {name: by-status, partition: status, sort: order_id}
    stream: new_and_old_images
    ttl: expires_at
    tags: {team: checkout}
    records:
      client_id: {sequence: {of: "C-{n:06d}", among: 7}}
      order_id: {sequence: "ORD-{n:08d}"}
      invoice_key:
        cycle:
          - {template: "invoices/{order_id}.txt"}
          - {template: "invoices//{order_id} + copy.txt"}
          - {template: "/Rechnungen/Größe L/{order_id} ß.txt"}
      status: {choice: {placed: 3, paid: 2, shipped: 4}}
      ledger_entry: {decimal: {digits: 38, places: 12}}
      paid: {choice: [true, false]}
      lines: {list: {of: {map: {sku: ean13, note: {either: [sentence, {const: ""}, {const: null}]}}}, size: [1, 3]}}
      labels: {set: {of: {choice: [gift, express, "été", "𝒢rün"]}, size: [1, 3]}, share: 0.5}
      weights: {set: {of: {decimal: {min: 0.1, max: 30, places: 3}}, size: [1, 3]}, share: 0.3}
      signature: {bytes: 48, share: 0.3}
      expires_at: {time: {from: 1d, to: 20d}, share: 0.3}
    workload: {writes_per_minute: 120, inserts: 3, updates: 4, deletes: 1}
    protections:
      - dynamodb_pitr
      - dynamodb_system_backup
      - dynamodb_global_table
      - dynamodb_backup: {every: 1m, keep: 3}
      - dynamodb_stream_copy
    objectives: {rto: 8h, rpo: 5m}
    production: {size_gb: 1, items: 1000}
  - name: invoices
    kind: s3
    versioning: enabled
    lifecycle:
      - {id: old-versions, noncurrent_days: 90}
    cors: [{origins: ["https://shop.example"], methods: [GET], headers: ["*"], max_age_seconds: 600}]
    tags: {team: billing}
    records:
      _order_id: {sequence: "ORD-{n:08d}"}
      key:
        cycle:
          - {template: "invoices/{_order_id}.txt"}
          - {template: "invoices//{_order_id} + copy.txt"}
          - {template: "/Rechnungen/Größe L/{_order_id} ß.txt"}
      body: {either: [{faker: {provider: text, with: {max_nb_chars: 900}}}, {bytes: 64}, {const: ""}]}
      content_type: {choice: {text/plain; charset=utf-8: 5, application/octet-stream: 1}}
      metadata: {map: {currency: {choice: [EUR, SEK, JPY]}}}
      tags: {map: {state: {choice: [open, paid, "written off"]}}, share: 0.7}
    workload: {writes_per_minute: 120, inserts: 3, updates: 3, deletes: 1}
    protections: [s3_versioning, s3_replication]
    objectives: {rto: 8h, rpo: 15m}
    production: {size_gb: 1, items: 1000}
response: {detect: {default: 1s}, decide: 1s, cut_over: 1s}
workload_minutes: 0.05
"""
