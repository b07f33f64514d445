"""The writer: a thread that carries what capture saw into the run file.

On the training thread every call is an append to a queue. The thread commits five times a second,
so that ``kill -9`` loses at most that much. When the disk fills it stops, remembers why, and the
training goes on.
"""

from __future__ import annotations

import math
import os
import sqlite3
import threading
import weakref
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from gradoctor.records import Event, Fact, Site
from gradoctor.store.files import Hold, clean, connect, to_json, write_fact, write_meta
from gradoctor.store.migrations import migrate
from gradoctor.store.rollup import Rollup

FLOAT_MAX = 3.4028234663852886e38
CYCLES, EARLY_CYCLES = 4096, 1024
"""Orders of events at most, and how many of the first are kept: the next oldest make room."""


class AnyLayout(Protocol):
    """What the writer needs to know of a layout."""

    id: int
    columns: tuple[tuple[int, str], ...]


class RunWriter:
    """Writes one run file; made in the process that trains.

    Attributes:
        lost: why writing stopped, None while all is well.
    """

    def __init__(self, path: Path | str, *, flush_seconds: float = 0.2) -> None:
        self.path = Path(path)
        self.lost: str | None = None
        self._flush_seconds = flush_seconds
        self._queue: deque[tuple[str, Any]] = deque()
        self._wake = threading.Event()
        self._stop = False
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()
        self._db: sqlite3.Connection | None = None
        self._hold: Hold | None = None
        self._layouts: set[int] = set()
        self._statistics: dict[str, int] = {}
        self._orders: dict[str | None, int] = {}
        self._next_order = 0
        self._cycles = 0
        self._left_out: dict[str, str] = {}
        self._cycle: tuple[int, int, tuple[Event, ...]] | None = None
        self._rollup = Rollup()

    def start(self) -> None:
        """Open the file (it is made when missing) and start the thread.

        Raises:
            sqlite3.Error, OSError: the file cannot be opened for writing.
        """
        self._db = connect(self.path)
        migrate(self._db)
        self._hold = Hold(self.path)
        _abandon_in_children(self)
        self._thread = threading.Thread(target=self._run, name="gradoctor-writer", daemon=True)
        self._thread.start()

    # ---- called by the training thread -------------------------------------------------------
    def site(self, site: Site) -> None:
        """Add or replace a site."""
        self._queue.append(("site", site))

    def frame(self, step: int, look: int, layout: AnyLayout, block: Sequence[float]) -> None:
        """Add the numbers of a step."""
        self._queue.append(("frame", (step, look, layout, block)))

    def fact(self, fact: Fact) -> None:
        """Add or replace a fact."""
        self._queue.append(("fact", fact))

    def cycle(self, step: int, events: tuple[Event, ...]) -> None:
        """Add the order of events of a step."""
        self._queue.append(("cycle", (step, events)))

    def meta(self, key: str, value: Any) -> None:
        """Set a property of the run."""
        self._queue.append(("meta", (key, value)))

    def close(self, timeout: float = 5.0) -> None:
        """Write what is left and close the file."""
        if os.getpid() != self._pid or self._thread is None:
            return
        self._stop = True
        self._wake.set()
        self._thread.join(timeout)
        if self._thread.is_alive() and self.lost is None:
            self.lost = f"the disk took longer than {timeout:g} s"

    def abandon(self) -> None:
        """Drop everything without touching the file: for a forked child."""
        self._queue = deque(maxlen=0)
        self._thread = None

    # ---- the thread --------------------------------------------------------------------------
    def _run(self) -> None:
        while True:
            last = self._stop
            if self._queue:
                self._write_batch()
            if last and not self._queue:
                break
            if self.lost is not None:
                self._queue.clear()
            self._wake.wait(self._flush_seconds)
            if not self._stop:
                self._wake.clear()
        self._finish()

    def _write_batch(self) -> None:
        if self.lost is not None or self._db is None:
            self._queue.clear()
            return
        try:
            if not self._begin(self._db):
                return
            for _ in range(min(len(self._queue), 20_000)):
                self._write_one(self._db, *self._queue.popleft())
            self._write_cycles(self._db)
            self._rollup.fold(self._db)
            self._db.execute("commit")
        except Exception as fault:  # nobody would see it in this thread
            self.lost = f"{fault}"
            self._roll_back()

    def _begin(self, db: sqlite3.Connection) -> bool:
        """Begin a transaction; False while another program keeps the file locked."""
        try:
            db.execute("begin immediate")
        except sqlite3.OperationalError as fault:
            busy = fault.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if self._stop or not busy:
                raise
            return False
        return True

    def _write_one(self, db: sqlite3.Connection, kind: str, value: Any) -> None:
        """Write one thing; one that cannot be stored is left out, and the rest goes on."""
        try:
            getattr(self, f"_write_{kind}")(db, value)
        except Exception as fault:
            if isinstance(fault, OSError | sqlite3.OperationalError | MemoryError):
                raise  # the file is at fault, not the thing
            self._left_out[kind] = f"{type(fault).__name__}: {fault}"

    def _roll_back(self) -> None:
        try:
            if self._db is not None:
                self._db.execute("rollback")
        except sqlite3.Error:
            pass  # the transaction is gone already

    def _finish(self) -> None:
        if self._db is None:
            return
        try:
            if self.lost is None:
                for kind, message in self._left_out.items():
                    self._write_fact(self._db, Fact("lost", None, f"writer:{kind}",
                                     data={"what": kind, "message": message}))  # fmt: skip
                self._db.execute("pragma wal_checkpoint(truncate)")
            self._db.close()
        except sqlite3.Error:
            pass  # everything is in the file or in its log
        if self._hold is not None:
            self._hold.release()

    def _write_site(self, db: sqlite3.Connection, site: Site) -> None:
        db.execute(
            "insert or replace into sites values (?, ?, ?, ?, ?, ?, ?, ?)",
            (site.id, site.kind, clean(site.name), clean(site.type), clean(site.file), site.line,
             site.order,
             to_json(dict(site.meta))),
        )  # fmt: skip

    def _write_fact(self, db: sqlite3.Connection, fact: Fact) -> None:
        write_fact(db, fact)

    def _write_meta(self, db: sqlite3.Connection, pair: tuple[str, Any]) -> None:
        write_meta(db, {pair[0]: pair[1]})

    def _write_frame(
        self, db: sqlite3.Connection, frame: tuple[int, int, AnyLayout, Sequence[float]]
    ) -> None:
        step, look, layout, block = frame
        if layout.id not in self._layouts:
            self._write_layout(db, layout)
        data = pack(block)
        db.execute("insert into frames values (?, ?, ?, ?)", (step, look, layout.id, data))
        self._rollup.added(layout.id)

    def _write_layout(self, db: sqlite3.Connection, layout: AnyLayout) -> None:
        flat = array("i")
        for site, statistic in layout.columns:
            if statistic not in self._statistics:
                number = self._statistics[statistic] = len(self._statistics)
                db.execute("insert into statistics values (?, ?)", (number, statistic))
            flat.extend((site, self._statistics[statistic]))
        db.execute("insert into layouts values (?, ?)", (layout.id, flat.tobytes()))
        self._layouts.add(layout.id)

    def _write_cycle(self, db: sqlite3.Connection, value: tuple[int, tuple[Event, ...]]) -> None:
        step, events = value
        if self._cycle is not None and self._cycle[2] == events:
            self._cycle = (self._cycle[0], step, events)
            return
        self._write_cycles(db)
        self._cycle = (step, step, events)
        self._cycles += 1
        if self._cycles > CYCLES:
            self._drop_cycles(db)

    def _write_cycles(self, db: sqlite3.Connection) -> None:
        if self._cycle is None:
            return
        first, last, events = self._cycle
        text = to_json([list(asdict(e).values()) for e in events])
        if text not in self._orders:
            self._orders[text] = self._next_order
            self._next_order += 1
            db.execute("insert into orders values (?, ?)", (self._orders[text], text))
        db.execute(
            "insert or replace into cycles values (?, ?, ?)", (first, last, self._orders[text])
        )

    def _drop_cycles(self, db: sqlite3.Connection) -> None:
        """Make room: a loop whose order of events changes all the time has one at each step."""
        db.execute(
            "delete from cycles where first_step in"
            " (select first_step from cycles order by first_step limit ? offset ?)",
            (CYCLES // 4, EARLY_CYCLES),
        )
        db.execute("delete from orders where id not in (select orders from cycles)")
        self._cycles -= CYCLES // 4
        kept = {row[0] for row in db.execute("select id from orders")}
        self._orders = {text: order for text, order in self._orders.items() if order in kept}


def pack(block: Sequence[float]) -> bytes:
    """Floats as little-endian float32; what is beyond float32 becomes infinite."""
    try:
        data = array("f", block)
    except OverflowError:
        data = array("f", [_clip(v) for v in block])
    return data.tobytes()


def _clip(value: float) -> float:
    return value if math.isnan(value) or abs(value) <= FLOAT_MAX else math.copysign(math.inf, value)


def _abandon_in_children(writer: RunWriter) -> None:
    """A forked child has no writer thread: what it sees must not pile up in its memory."""
    alive = weakref.ref(writer)

    def abandon() -> None:
        left = alive()
        if left is not None:
            left.abandon()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=abandon)
