"""What was written is what is read."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import LIGHT, RUN, STEP, WEIGHT, Layout, whole, write

from gradoctor.records import Cycle, Event, Fact, Site
from gradoctor.store import RunWriter, create_run, latest_run, open_run, runs_in
from gradoctor.store.writer import CYCLES, pack

TEXT = st.text(max_size=12)
NAMES = st.sampled_from(["grad.rms", "grad.norm", "loss.value", "act.rms"])
INTS = st.integers(-1, 2**31)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
FLOATS = st.floats(width=32) | st.floats()
SITES = st.builds(
    Site, st.integers(0, 2**31), st.sampled_from(["run", "module", "loss"]), TEXT, TEXT,
    st.none() | TEXT, st.none() | INTS, INTS, st.dictionaries(TEXT, JSON, max_size=3),
)  # fmt: skip
FACTS = st.builds(
    Fact, TEXT, st.none() | st.integers(0, 5), TEXT, st.none() | TEXT, st.none() | INTS, INTS, INTS,
    INTS, st.dictionaries(TEXT, JSON, max_size=3),
)  # fmt: skip
EVENTS = st.builds(
    Event, st.sampled_from(["backward", "step"]), st.none() | st.integers(0, 3), st.none() | TEXT,
    st.none() | INTS,
)  # fmt: skip
SOME = settings(max_examples=25, deadline=None)


def read(things, **meta):
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "run.db", things, **meta)
        with open_run(path) as file:
            run = file.recording()
            for statistic in run.statistics:
                run.table(statistic)
            return run


@given(st.lists(SITES, max_size=6), st.lists(FACTS, max_size=6), st.dictionaries(TEXT, JSON))
@SOME
def test_sites_facts_and_meta(sites, facts, meta):
    run = read(
        [
            *(("site", s) for s in sites),
            *(("fact", f) for f in facts),
            *(("meta", k, v) for k, v in meta.items()),
        ]
    )
    assert dict(run.sites) == {s.id: s for s in sites}
    wanted = {(f.kind, f.site, f.key): f for f in facts}
    assert {(f.kind, f.site, f.key): f for f in run.facts} == wanted
    assert len(run.facts) == len(wanted)
    assert run.meta == meta


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 4), NAMES), unique=True, min_size=1, max_size=6),
             min_size=1, max_size=4),
    st.data(),
)  # fmt: skip
@SOME
def test_frames_of_several_layouts(columns, data):
    layouts = [Layout(i, tuple(c)) for i, c in enumerate(columns)]
    frames, wanted = [], {}
    for step in sorted(data.draw(st.sets(st.integers(0, 10_000), max_size=12))):
        layout = data.draw(st.sampled_from(layouts))
        block = [data.draw(FLOATS) for _ in layout.columns]
        frames.append(("frame", step, 1, layout, block))
        for (site, statistic), value in zip(layout.columns, block, strict=True):
            if not math.isnan(value):
                with np.errstate(over="ignore"):
                    wanted[statistic, site, step] = np.float32(value)
    run = read(frames)
    got = {
        (statistic, site, int(step)): value
        for statistic in run.statistics
        for site in run.table(statistic).sites
        for step, value in zip(*_pairs(run.series(statistic, site)), strict=True)
    }
    assert got.keys() == wanted.keys()
    assert all(got[k] == wanted[k] for k in wanted)
    assert run.steps == max((f[1] + 1 for f in frames), default=0)


def _pairs(series):
    return series.steps, series.values


@given(st.lists(st.lists(EVENTS, max_size=3).map(tuple), max_size=30))
@SOME
def test_equal_neighbours_among_orders_of_events_become_one(orders):
    run = read([("cycle", step, events) for step, events in enumerate(orders)])
    unfolded = [c.events for c in run.cycles for _ in range(c.first_step, c.last_step + 1)]
    assert unfolded == orders
    assert all(a.events != b.events for a, b in zip(run.cycles, run.cycles[1:], strict=False))


@given(st.lists(st.floats(), max_size=5))
def test_a_block_holds_any_float(block):
    with np.errstate(over="ignore"):
        wanted = np.array(block, np.float64).astype("<f4")
    assert np.array_equal(np.frombuffer(pack(block), "<f4"), wanted, equal_nan=True)


def test_a_site_and_a_fact_said_again_replace_the_first():
    again = Site(1, "parameter", "other", meta={"a": 1})
    fact = Fact("clip", None, "x", count=1)
    more = Fact("clip", None, "x", count=7)
    run = read([("site", WEIGHT), ("fact", fact), ("site", again), ("fact", more)])
    assert run.sites[1] == again
    assert run.facts == (more,)


def test_what_cannot_be_stored_is_left_out_and_said_and_the_rest_goes_on():
    class Odd:
        def __str__(self):
            raise RuntimeError("no words")

    circle: dict = {}
    circle["me"] = circle
    name = "caf\udce9"  # a file name that is no UTF-8, as Python gives it
    run = read(
        [
            ("site", Site(1, "module", name, file=name, meta={"path": name, (1, 2): 3})),
            ("site", Site(2, "module", "odd", line=2**70)),
            ("meta", "odd", Odd()),
            ("meta", "circle", circle),
            ("frame", 0, 1, LIGHT, ["text", 1]),
            ("frame", 1, 1, LIGHT, [1.0, 2.0]),
        ]
    )
    assert run.sites[1].name == run.sites[1].file == "caf?"
    assert 2 not in run.sites
    assert "circle" in run.meta
    assert run.series("grad.norm").values.tolist() == [1]
    assert {f.data["what"] for f in run.facts_of("lost")} == {"site", "meta", "frame"}


def test_a_loop_that_never_repeats_itself_stays_bounded(tmp_path):
    steps = 3 * CYCLES
    path = write(
        tmp_path / "run.db",
        (("cycle", t, (Event("backward", 1, "a.py", t), *STEP)) for t in range(steps)),
    )
    with open_run(path) as file:
        run = file.recording()
        assert file._db.execute("select count(*) from orders").fetchone()[0] <= CYCLES
    assert len(run.cycles) <= CYCLES
    assert run.cycles[0].first_step == 0
    assert run.cycles[-1] == Cycle(
        steps - 1, steps - 1, (Event("backward", 1, "a.py", steps - 1), *STEP)
    )
    recent = [c.first_step for c in run.cycles[-1000:]]
    assert recent == list(range(steps - 1000, steps))


# ---- reading while it grows ----------------------------------------------------------------------
READER = """
import json, sys, time
from gradoctor.store import open_run
seen, end = [], time.monotonic() + 20
with open_run(sys.argv[1]) as file:
    while time.monotonic() < end:
        run = file.recording()
        series = run.series("grad.norm")
        assert series.values.tolist() == [float(s) for s in series.steps], "torn"
        assert len(series) == run.steps, (len(series), run.steps)
        seen.append(len(series))
        if run.meta.get("ended"):
            break
        time.sleep(0.02)
print(json.dumps([seen, "torch" in sys.modules]))
"""


def test_another_process_reads_a_consistent_view_while_it_grows(tmp_path):
    path = create_run(tmp_path / "run.db", {})
    writer = RunWriter(path, flush_seconds=0.02)
    writer.start()
    with subprocess.Popen(
        [sys.executable, "-c", READER, path], stdout=subprocess.PIPE, text=True
    ) as reader:
        for t in range(1500):
            writer.frame(t, 0, LIGHT, [float(t), 0.0])
            writer.cycle(t, STEP)
            time.sleep(0.001)
        writer.meta("ended", 1.0)
        writer.close()
        out, _ = reader.communicate(timeout=30)
    seen, torch = json.loads(out)
    assert reader.returncode == 0
    assert seen == sorted(seen)
    assert seen[-1] == 1500
    assert len(set(seen)) > 5, "it was seen growing"
    assert not torch


def test_a_reader_in_the_writing_process_does_not_drop_its_locks(tmp_path):
    path = create_run(tmp_path / "run.db", {})
    writer = RunWriter(path, flush_seconds=0.01)
    writer.start()
    writer.frame(0, 0, LIGHT, [0.0, 0.0])
    time.sleep(0.2)
    with open_run(path) as file:
        file.recording()
    with pytest.raises(Exception, match="being written"):
        create_run(path, {}, force=True)
    visitor = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]);"
    visitor += "db.execute('select * from meta').fetchall(); db.close()"
    subprocess.run([sys.executable, "-c", visitor, path], check=True)
    assert path.with_name("run.db-wal").exists(), "the visitor took the log away"
    for t in range(1, 50):
        writer.frame(t, 0, LIGHT, [float(t), 0.0])
    writer.close()
    with open_run(path) as file:
        assert len(file.recording().series("grad.norm")) == 50


def test_many_readers_of_one_file_agree(tmp_path):
    path = whole(tmp_path / "run.db")
    got = []

    def look() -> None:
        with open_run(path) as file:
            got.append(len(file.recording().series("grad.rms", 1)))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [50] * 8


def test_a_finished_file_stands_alone(tmp_path):
    path = whole(tmp_path / "run.db")
    assert [p.name for p in tmp_path.iterdir()] == ["run.db"]
    moved = path.rename(tmp_path / "elsewhere.db")
    with open_run(moved) as file:
        run = file.recording()
        assert (run.steps, len(run.cycles), run.meta["script"]) == (50, 1, "train.py")
        assert file.version() == file.version()


def test_the_latest_run_is_not_a_childs(tmp_path):
    one, child = whole(tmp_path / "one.db", 1), whole(tmp_path / "one.77.db", 1)
    (tmp_path / "notes.db").write_bytes(b"not ours")
    assert latest_run(tmp_path) == one
    assert set(runs_in(tmp_path)) == {one, child}
    assert latest_run(tmp_path / "missing") is None


def test_a_run_without_steps_is_empty(tmp_path):
    with open_run(write(tmp_path / "run.db", [("site", RUN)])) as file:
        run = file.recording()
    assert (run.steps, run.facts, run.cycles, run.statistics) == (0, (), (), frozenset())
    assert len(run.series("grad.norm")) == 0
