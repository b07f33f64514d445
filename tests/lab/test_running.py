"""Experiments run side by side; what fails is told, what ends is kept, what is stopped goes on."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from gradoctor.lab import running
from gradoctor.lab.keeping import Book

from .outcomes import WELL, outcome, programs


def carried_out(numbers, book, command, **options):
    options.setdefault("sources", lambda number: "same")
    return list(running.run(numbers, book, command=command, **options))


def test_results_are_kept_and_not_run_again(tmp_path):
    book = Book(tmp_path / "book")
    command = programs(tmp_path, n1=WELL, n2=WELL)
    first = carried_out([1, 2, 1], book, command, jobs=2)
    assert sorted((e.kind, e.number) for e in first) == [
        ("finished", 1), ("finished", 2), ("started", 1), ("started", 2),
    ]  # fmt: skip
    assert next(e.kept for e in first if e.kind == "finished").outcome == outcome()
    assert [e.kind for e in carried_out([1, 2], book, command)] == ["kept", "kept"]
    again = carried_out([1], book, command, again=True)
    assert [e.kind for e in again] == ["started", "finished"]
    other = carried_out([1], book, command, sources=lambda number: "other")
    assert [e.kind for e in other] == ["started", "finished"]


def test_a_folder_to_read_only_shows_what_it_has(tmp_path, monkeypatch):
    book = Book(tmp_path / "book")
    command = programs(tmp_path, n1=WELL)
    carried_out([1], book, command)
    monkeypatch.setattr(Book, "prepare", lambda self: pytest.fail("it writes"))
    assert [e.kind for e in carried_out([1], book, command)] == ["kept"]


def test_a_failure_says_why_and_stops_no_other(tmp_path):
    book = Book(tmp_path / "book")
    crash = "print('a', file=sys.stderr)\nraise ValueError('no such thing')"
    command = programs(tmp_path, n1=crash, n2=WELL, n3="", n4="out.write_text('{')")
    events = {e.number: e for e in carried_out([1, 2, 3, 4], book, command) if e.kind != "started"}
    assert {n: e.kind for n, e in events.items()} == {
        1: "failed", 2: "finished", 3: "failed", 4: "failed",
    }  # fmt: skip
    assert events[1].why.startswith("it ended with exit code 1\n")
    assert events[1].why.endswith("ValueError: no such thing")
    assert "its outcome cannot be read" in events[3].why
    assert "its outcome cannot be read" in events[4].why
    assert book.read(1) is None


def test_a_killed_experiment_names_its_signal(tmp_path):
    killed = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    (_, event) = carried_out([1], Book(tmp_path / "book"), programs(tmp_path, n1=killed))
    assert event.why == "it ended with signal 9"


ENDLESS = """
import os, subprocess, time
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
Path(__file__).with_suffix('.pids').write_text(f'{os.getpid()} {child.pid}')
time.sleep(600)
"""


def test_an_endless_experiment_is_ended_with_its_children(tmp_path):
    command = programs(tmp_path, n1=ENDLESS)
    events = carried_out([1], Book(tmp_path / "book"), command, limit=5)
    assert events[-1].kind == "failed"
    assert events[-1].why == "it took longer than 5 s"
    assert all(gone(pid) for pid in pids(tmp_path / "n1.pids"))


def test_leaving_early_ends_what_runs_and_keeps_what_is_done(tmp_path):
    book = Book(tmp_path / "book")
    command = programs(tmp_path, n1=WELL, n2=ENDLESS)
    events = running.run([1, 2], book, jobs=2, command=command, sources=lambda number: "same")
    for event in events:
        if event.kind == "finished":
            break
    written = pids(tmp_path / "n2.pids")
    events.close()
    assert all(gone(pid) for pid in written)
    assert book.read(1) is not None
    assert book.read(2) is None


def pids(file: Path) -> list[int]:
    """The processes that a program wrote down, as soon as it has."""
    for _ in range(1000):
        if file.exists() and len(found := file.read_text().split()) == 2:
            return [int(pid) for pid in found]
        time.sleep(0.02)
    raise AssertionError(f"{file} was never written")


def gone(pid: int) -> bool:
    """Whether the process ends; one that nobody waits for may stay as a zombie."""
    for _ in range(500):
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    return False


@pytest.mark.parametrize("jobs", [1, 2])
def test_no_more_run_at_a_time_than_asked_for(tmp_path, jobs):
    command = programs(tmp_path, n1=WELL, n2=WELL, n3=WELL)
    at_once, most = 0, 0
    for event in carried_out([1, 2, 3], Book(tmp_path / "book"), command, jobs=jobs):
        at_once += {"started": 1, "finished": -1}[event.kind]
        most = max(most, at_once)
    assert most == jobs
