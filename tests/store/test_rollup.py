"""Growth is bounded, and what is folded keeps its least, mean and greatest."""

from __future__ import annotations

import itertools
import math
import sqlite3
import time
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from runs import Layout

from gradoctor.store import RunWriter, create_run, open_run
from gradoctor.store.rollup import BUCKETS, FIRST, LAST, summarise

WIDTH = 40
LIGHT = Layout(0, tuple((site, "grad.rms") for site in range(WIDTH)))
FULL = Layout(1, tuple((site, "act.rms") for site in range(WIDTH)))
STEPS = 100_000


def value(step: int) -> float:
    return math.sin(step / 1000) * step


@pytest.fixture(scope="module")
def long_run(tmp_path_factory):
    path = create_run(tmp_path_factory.mktemp("long") / "run.db", {})
    writer = RunWriter(path, flush_seconds=0.01)
    writer.start()
    sizes = []
    for step in range(STEPS):
        block = [value(step)] * WIDTH
        block[1] = math.nan
        block[2] = math.nan if step % 3 else 1.0
        writer.frame(step, 0, LIGHT, block)
        if step % 25 == 0:
            writer.frame(step, 1, FULL, block)
        if step % 1000 == 999:
            while writer._queue:  # a training does not outrun its disk
                time.sleep(0.001)
        if step % 20_000 == 19_999:
            sizes.append(path.stat().st_size)
    writer.close(60)
    assert writer.lost is None
    return path, sizes


def test_a_hundred_thousand_steps_stay_bounded(long_run):
    path, sizes = long_run
    plain = STEPS * WIDTH * 4
    assert path.stat().st_size < plain / 4
    assert sizes[-1] < sizes[1] * 1.5, (sizes, "from a point on it hardly grows")
    db = sqlite3.connect(path)
    frames = dict(db.execute("select layout, count(*) from frames group by layout"))
    buckets = dict(db.execute("select layout, count(*) from buckets group by layout"))
    db.close()
    assert frames[0] < FIRST + LAST + 64
    assert buckets[0] <= BUCKETS
    assert frames[1] + 16 * buckets[1] == STEPS // 25


def test_folding_keeps_least_mean_and_greatest(long_run):
    path, _ = long_run
    with open_run(path) as file:
        run = file.recording()
    table = run.table("grad.rms")
    true = np.array([value(t) for t in range(STEPS)], np.float32)
    assert run.steps == STEPS
    assert (np.diff(table.steps) > 0).all()
    assert table.low[:, 0].min() == true.min()
    assert table.high[:, 0].max() == true.max()
    assert (table.low[:, 0] <= table.values[:, 0]).all()
    assert (table.values[:, 0] <= table.high[:, 0]).all()
    early, late = table.steps < FIRST, table.steps >= STEPS - LAST
    for part in (early, late):
        steps = table.steps[part]
        assert np.array_equal(table.values[part, 0], true[steps])
        assert np.array_equal(table.low[part, 0], true[steps])
        assert (np.diff(steps) == 1).all()
    db = sqlite3.connect(path)
    rows = db.execute(
        "select first_step, last_step, count, low, mean, high from buckets where layout = 0"
        " order by first_step"
    ).fetchall()
    db.close()
    assert rows[0][0] == FIRST
    assert all(a[1] + 1 == b[0] for a, b in itertools.pairwise(rows))
    for first, last, count, *blobs in rows:
        part = true[first : last + 1]
        low, mean, high = (np.frombuffer(b, "<f4")[0] for b in blobs)
        assert count == len(part)
        assert (low, high) == (part.min(), part.max())
        assert mean == pytest.approx(part.mean(dtype=np.float64), rel=1e-4, abs=1e-2)


def test_what_was_never_observed_stays_so_and_gaps_do_not_count(long_run):
    path, _ = long_run
    with open_run(path) as file:
        run = file.recording()
    assert len(run.series("grad.rms", 1)) == 0
    assert set(run.series("grad.rms", 2).values.tolist()) == {1.0}


BLOCKS = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 20), st.integers(1, 4)),
    elements=st.floats(-1e6, 1e6, width=32) | st.just(math.nan),
)  # fmt: skip


@given(BLOCKS, st.data())
@settings(max_examples=60, deadline=None)
def test_summaries_of_summaries_are_those_of_the_whole(blocks, data):
    cut = data.draw(st.integers(0, len(blocks)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        low, high = np.nanmin(blocks, 0), np.nanmax(blocks, 0)
        mean = np.nanmean(blocks.astype(np.float64), 0)
    got = summarise(blocks, np.ones(len(blocks)))
    assert np.array_equal(got[0], low, equal_nan=True)
    assert np.array_equal(got[2], high, equal_nan=True)
    assert np.allclose(got[1], mean, rtol=1e-5, atol=1e-3, equal_nan=True)
    parts = [p for p in (blocks[:cut], blocks[cut:]) if len(p)]
    halves = [summarise(p, np.ones(len(p))) for p in parts]
    if not np.isnan(blocks).any():
        counts = np.array([len(p) for p in parts], np.float64)
        both = summarise(np.stack([h[1] for h in halves]), counts)[1]
        assert np.allclose(both, mean, rtol=1e-4, atol=1e-2)
