"""The reader: a run file, finished or still growing, as a ``Recording``. Read-only."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from gradoctor.errors import RunFileError
from gradoctor.recording import EMPTY_TABLE, Recording, Steps, Table
from gradoctor.records import Cycle, Event, Fact, Site
from gradoctor.store.migrations import APPLICATION_ID, SCHEMA

RECORD_AGAIN = "Record the run again with `gradoctor run`."


class RunFile:
    """An open run file.

    Args:
        path: the file.

    Raises:
        RunFileError: no such file, a folder, not a run file, cut short, or from a newer version.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        _check(self.path)
        self._db = self._open()
        try:
            self._check_schema()
        except BaseException:
            self._db.close()
            raise

    def _open(self) -> sqlite3.Connection:
        """Read-only; where not even the log's index can be made, the file alone, as it stands."""
        uri = self.path.absolute().as_uri()
        for mode in ("mode=ro", "mode=ro&immutable=1"):
            db = sqlite3.connect(f"{uri}?{mode}", uri=True, timeout=5, check_same_thread=False)
            try:
                db.execute("select count(*) from sqlite_master").fetchone()
                return db
            except sqlite3.OperationalError:
                db.close()
            except sqlite3.DatabaseError as fault:
                db.close()
                if fault.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
                    raise _foreign(self.path) from None
                raise _broken(self.path, fault) from None
        raise RunFileError(f"{self.path} cannot be opened.", "Check that you may read it.")

    def _check_schema(self) -> None:
        try:
            ours, version = (
                self._db.execute(f"pragma {name}").fetchone()[0]
                for name in ("application_id", "user_version")
            )
        except sqlite3.Error as fault:
            raise _broken(self.path, fault) from None
        if ours != APPLICATION_ID:
            raise _foreign(self.path)
        if version > SCHEMA:
            raise RunFileError(
                f"{self.path} was written by a newer gradoctor{self._writer()} (schema {version});"
                f" this one reads schema {SCHEMA}.",
                "Upgrade gradoctor.",
            )

    def _writer(self) -> str:
        try:
            return f", {self.meta()['gradoctor']}"
        except (sqlite3.Error, KeyError, ValueError):  # a newer one may keep it elsewhere
            return ""

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def version(self) -> int:
        """A number that changes when another process has written to the file."""
        return int(self._db.execute("pragma data_version").fetchone()[0])

    def meta(self) -> dict[str, Any]:
        """The properties of the run."""
        return {k: json.loads(v) for k, v in self._db.execute("select key, value from meta")}

    def recording(self) -> Recording:
        """The run as it stands now; numbers are decoded when a statistic is first asked for.

        Raises:
            RunFileError: the file is damaged.
        """
        try:
            self._db.execute("begin")  # one consistent view of a file that grows
            return self._read()
        except (sqlite3.Error, ValueError, LookupError, TypeError, OverflowError) as fault:
            raise _broken(self.path, fault) from None
        finally:
            if self._db.in_transaction:
                self._db.execute("rollback")

    def _read(self) -> Recording:
        meta = self.meta()
        matrices = Matrices(self._db)
        sites = {
            row[0]: Site(*row[:7], **{"meta": json.loads(row[7])})
            for row in self._db.execute("select * from sites")
        }
        facts = tuple(
            Fact(r[0], None if r[1] < 0 else r[1], *r[2:8], **{"data": json.loads(r[8])})
            for r in self._db.execute("select * from facts")
        )
        orders = {
            number: tuple(Event(*e) for e in json.loads(text))
            for number, text in self._db.execute("select id, events from orders")
        }
        cycles = tuple(
            Cycle(first, last, orders[order])
            for first, last, order in self._db.execute("select * from cycles order by first_step")
        )
        steps = max(
            int(meta.get("steps") or 0), matrices.steps, cycles[-1].last_step + 1 if cycles else 0
        )
        return Recording(
            meta=meta, sites=sites, load=matrices.table, statistics=frozenset(matrices.places),
            facts=facts, cycles=cycles, steps=steps,
        )  # fmt: skip


class Matrices:
    """All numbers of a run: one matrix ``[frames, columns]`` a layout, cut on demand."""

    def __init__(self, db: sqlite3.Connection) -> None:
        names = dict(db.execute("select id, name from statistics"))
        self.steps = 0
        self._data: dict[int, tuple[Steps, Any, Any, Any]] = {}
        # statistic -> (layout, its sites, its columns there)
        self.places: dict[str, list[tuple[int, Any, Any]]] = {}
        for layout, blob in db.execute("select id, columns from layouts"):
            pairs = np.frombuffer(blob, "<i4").reshape(-1, 2)
            for statistic in np.unique(pairs[:, 1]):
                columns = np.flatnonzero(pairs[:, 1] == statistic)
                place = (layout, pairs[columns, 0], columns)
                self.places.setdefault(names[int(statistic)], []).append(place)
            data = self._data[layout] = self._matrix(db, layout, len(pairs))
            self.steps = max(self.steps, int(data[0][-1]) + 1 if len(data[0]) else 0)

    def _matrix(
        self, db: sqlite3.Connection, layout: int, width: int
    ) -> tuple[Steps, Any, Any, Any]:
        rows = db.execute(
            "select step, block from frames where layout = ? order by step", (layout,)
        ).fetchall()
        steps = np.array([r[0] for r in rows], np.int64)
        values = np.frombuffer(b"".join(r[1] for r in rows), "<f4").reshape(len(rows), width)
        buckets = db.execute(
            "select first_step, last_step, low, mean, high from buckets where layout = ?"
            " order by first_step",
            (layout,),
        ).fetchall()
        if not buckets:
            return steps, values, values, values
        middle = np.array([(b[0] + b[1]) // 2 for b in buckets], np.int64)
        low, mean, high = (
            np.frombuffer(b"".join(b[i] for b in buckets), "<f4").reshape(len(buckets), width)
            for i in (2, 3, 4)
        )
        parts: tuple[Any, ...] = tuple(np.concatenate([p, values]) for p in (mean, low, high))
        every = np.concatenate([middle, steps])
        if np.all(every[1:] >= every[:-1]):  # as a rule: the old ones are in buckets
            return every, *parts
        order = np.argsort(every, kind="stable")
        return every[order], *(part[order] for part in parts)

    def table(self, statistic: str) -> Table:
        """The table of one statistic over all layouts."""
        places = [p for p in self.places.get(statistic, ()) if len(self._data[p[0]][0])]
        if not places:
            return EMPTY_TABLE
        sites = np.unique(np.concatenate([p[1] for p in places]))
        steps = np.unique(np.concatenate([self._data[p[0]][0] for p in places]))
        if len(places) == 1:
            data, (_, own, columns) = self._data[places[0][0]], places[0]
            columns = columns[np.argsort(own, kind="stable")]
            parts = [part[:, columns] for part in data[1:]] if len(own) == len(sites) else None
            if parts is not None and len(steps) == len(data[0]):
                return Table(data[0], tuple(int(s) for s in sites), *parts)
        out = [np.full((len(steps), len(sites)), np.nan, np.float32) for _ in range(3)]
        for layout, own, columns in places:
            data = self._data[layout]
            at = np.ix_(np.searchsorted(steps, data[0]), np.searchsorted(sites, own))
            for whole, part in zip(out, data[1:], strict=True):
                cut = part[:, columns]
                whole[at] = np.where(np.isnan(cut), whole[at], cut)
        return Table(steps, tuple(int(s) for s in sites), *out)


def _check(path: Path) -> None:
    if path.is_dir():
        raise RunFileError(f"{path} is a folder, not a run file.", "Name a file in it.")
    if not path.exists():
        raise RunFileError(
            f"No run file {path}.", "See `ls .gradoctor`, or record one with `gradoctor run`."
        )


def _foreign(path: Path) -> RunFileError:
    return RunFileError(f"{path} is not a gradoctor run file.", RECORD_AGAIN)


def _broken(path: Path, fault: Exception) -> RunFileError:
    return RunFileError(f"{path} is damaged or cut short ({fault}).", RECORD_AGAIN)


def open_run(path: Path | str) -> RunFile:
    """Open a run file for reading, also while it grows; see ``RunFile``."""
    return RunFile(path)
