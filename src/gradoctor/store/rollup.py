"""Keeps a run file bounded: old frames are folded into buckets of low, mean and high."""

from __future__ import annotations

import sqlite3

import numpy as np

FIRST = 256
"""Frames of a layout at its beginning that are kept as they are."""
LAST = 2048
"""Frames of a layout at its end that are kept as they are."""
BUCKETS = 1024
"""Buckets of a layout at most; two neighbours become one when there are more."""
FOLD = 16
"""Frames that make a bucket at first."""


class Rollup:
    """Folds frames in the writer's thread, in small slices."""

    def __init__(self) -> None:
        self._frames: dict[int, int] = {}

    def added(self, layout: int) -> None:
        """A frame of this layout was written."""
        self._frames[layout] = self._frames.get(layout, 0) + 1

    def fold(self, db: sqlite3.Connection) -> None:
        """Fold what has grown too long."""
        for layout, frames in self._frames.items():
            count = frames
            while count > FIRST + LAST + FOLD:
                count -= self._fold_oldest(db, layout)
            self._frames[layout] = count

    def _fold_oldest(self, db: sqlite3.Connection, layout: int) -> int:
        rows = db.execute(
            "select rowid, step, block from frames where layout = ? order by step limit ? offset ?",
            (layout, FOLD, FIRST),
        ).fetchall()
        blocks = np.stack([np.frombuffer(r[2], "<f4") for r in rows])
        low, mean, high = summarise(blocks, np.ones(len(rows)))
        db.execute(
            "insert into buckets values (?, ?, ?, ?, ?, ?, ?)",
            (layout, rows[0][1], rows[-1][1], len(rows), low.tobytes(), mean.tobytes(),
             high.tobytes()),
        )  # fmt: skip
        db.executemany("delete from frames where rowid = ?", [(r[0],) for r in rows])
        if self._buckets(db, layout) > BUCKETS:
            self._halve(db, layout)
        return len(rows)

    @staticmethod
    def _buckets(db: sqlite3.Connection, layout: int) -> int:
        row = db.execute("select count(*) from buckets where layout = ?", (layout,)).fetchone()
        return int(row[0])

    @staticmethod
    def _halve(db: sqlite3.Connection, layout: int) -> None:
        rows = db.execute(
            "select rowid, first_step, last_step, count, low, mean, high from buckets"
            " where layout = ? order by first_step",
            (layout,),
        ).fetchall()
        for one, two in zip(rows[::2], rows[1::2], strict=False):
            parts = [[np.frombuffer(r[i], "<f4") for r in (one, two)] for i in (4, 5, 6)]
            counts = np.array([one[3], two[3]], np.float64)
            low = np.fmin(*parts[0])
            high = np.fmax(*parts[2])
            _, mean, _ = summarise(np.stack(parts[1]), counts)
            db.execute(
                "update buckets set last_step = ?, count = ?, low = ?, mean = ?, high = ?"
                " where rowid = ?",
                (two[2], one[3] + two[3], low.tobytes(), mean.tobytes(), high.tobytes(), one[0]),
            )
            db.execute("delete from buckets where rowid = ?", (two[0],))


def summarise(
    blocks: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    counts: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float32]], ...]:
    """Low, mean and high of ``[N, C]`` over N, what was not observed (NaN) left out."""
    seen = ~np.isnan(blocks)
    weight = seen * counts[:, None]
    total = weight.sum(0)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        mean = np.where(seen, blocks, 0).astype(np.float64) * weight
        mean = mean.sum(0) / np.where(total > 0, total, np.nan)
        low = np.fmin.reduce(blocks, 0)
        high = np.fmax.reduce(blocks, 0)
        return low.astype("<f4"), mean.astype("<f4"), high.astype("<f4")
