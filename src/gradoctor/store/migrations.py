"""The schema of the run file, as numbered steps; each is applied in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

APPLICATION_ID = 0x67724472  # "grDr": how we know a file is ours


def first_schema(db: sqlite3.Connection) -> None:
    """Meta, sites, facts, cycles, layouts, frames, and rolled-up frames."""
    for statement in (
        "create table meta (key text primary key, value text not null) without rowid",
        "create table sites (id integer primary key, kind text, name text, type text, file text,"
        " line integer, place integer, meta text)",
        "create table facts (kind text, site integer, key text, file text, line integer,"
        " first_step integer, last_step integer, count integer, data text,"
        " unique (kind, site, key))",
        "create table orders (id integer primary key, events text unique)",
        "create table cycles (first_step integer primary key, last_step integer, orders integer)",
        "create table statistics (id integer primary key, name text unique)",
        "create table layouts (id integer primary key, columns blob)",
        "create table frames (step integer, look integer, layout integer, block blob)",
        "create index frames_by_step on frames (layout, step)",
        # low, mean and high of `count` frames, each a block in the layout's order
        "create table buckets (layout integer, first_step integer, last_step integer,"
        " count integer, low blob, mean blob, high blob)",
    ):
        db.execute(statement)


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (first_schema,)
SCHEMA = len(MIGRATIONS)


def migrate(db: sqlite3.Connection) -> None:
    """Bring a file to the present schema: each step and the record of it in one transaction."""
    version = db.execute("pragma user_version").fetchone()[0]
    for number, step in enumerate(MIGRATIONS[version:], version + 1):
        with db:
            db.execute("begin immediate")
            step(db)
            db.execute(f"pragma user_version = {number}")
    db.execute(f"pragma application_id = {APPLICATION_ID}")
