"""Files that are no run files, are damaged, newer, or taken: one clear error each."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from runs import whole, write

from gradoctor.errors import RunFileError
from gradoctor.store import RunWriter, create_run, open_run
from gradoctor.store.files import Hold, is_run_file, writer_of
from gradoctor.store.migrations import APPLICATION_ID, SCHEMA, migrate
from gradoctor.store.naming import new_run


def refusal(call, *args, **kwargs) -> RunFileError:
    """The error, which must say what, where, and what to do."""
    with pytest.raises(RunFileError) as caught:
        call(*args, **kwargs)
    fault = caught.value
    assert fault.exit_code == 2
    assert fault.cure.endswith(".")
    assert str(args[0]) in fault.what
    assert str(fault) == f"{fault.what} {fault.cure}"
    assert "\n" not in str(fault)
    return fault


def read(path: Path):
    with open_run(path) as file:
        return file.recording()


def test_a_missing_file(tmp_path):
    fault = refusal(read, tmp_path / "none.db")
    assert "No run file" in fault.what
    assert not (tmp_path / "none.db").exists()


def test_a_folder(tmp_path):
    assert "is a folder" in refusal(read, tmp_path).what


@pytest.mark.parametrize(
    "content",
    [b"", b"\0", b"x" * 50, b"not a database " * 1000, os.urandom(100_000)],
    ids=["empty", "one byte", "short", "text", "noise"],
)
def test_another_kind_of_file(tmp_path, content):
    path = tmp_path / "some.db"
    path.write_bytes(content)
    fault = refusal(read, path)
    assert "not a gradoctor run file" in fault.what
    assert path.read_bytes() == content
    assert not is_run_file(path)


def test_another_programs_database(tmp_path):
    path = tmp_path / "other.db"
    db = sqlite3.connect(path)
    db.execute("create table meta (key, value)")
    db.commit()
    db.close()
    assert "not a gradoctor run file" in refusal(read, path).what


@pytest.mark.parametrize("has_meta", [True, False], ids=["known tables", "other tables"])
def test_a_newer_file(tmp_path, has_meta):
    path = whole(tmp_path / "run.db")
    db = sqlite3.connect(path)
    db.execute(f"pragma user_version = {SCHEMA + 4}")
    if not has_meta:
        db.execute("drop table meta")
    db.commit()
    db.close()
    fault = refusal(read, path)
    assert f"schema {SCHEMA + 4}" in fault.what
    assert f"reads schema {SCHEMA}" in fault.what
    assert ("0.1.0" in fault.what) == has_meta
    assert fault.cure == "Upgrade gradoctor."


def test_migrating_is_done_once_and_marks_the_file(tmp_path):
    db = sqlite3.connect(tmp_path / "run.db", isolation_level=None)
    migrate(db)
    before = db.execute("select sql from sqlite_master").fetchall()
    migrate(db)
    assert db.execute("select sql from sqlite_master").fetchall() == before
    assert db.execute("pragma user_version").fetchone() == (SCHEMA,)
    assert db.execute("pragma application_id").fetchone() == (APPLICATION_ID,)
    db.close()


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    def broken(db: sqlite3.Connection) -> None:
        db.execute("create table half (x)")
        raise sqlite3.OperationalError("disk full")

    path = whole(tmp_path / "run.db")
    monkeypatch.setattr("gradoctor.store.migrations.MIGRATIONS", (lambda db: None, broken))
    db = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError):
        migrate(db)
    assert db.execute("pragma user_version").fetchone() == (1,)
    assert not db.execute("select * from sqlite_master where name = 'half'").fetchall()
    db.close()
    assert read(path).steps == 50


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_file_that_is_cut_short(tmp_path, share):
    path = whole(tmp_path / "run.db", steps=400)
    size = path.stat().st_size
    os.truncate(path, int(size * share))
    fault = refusal(read, path)
    assert "cut short" in fault.what or "not a gradoctor run file" in fault.what
    assert "Record the run again" in fault.cure


def test_a_damaged_file_is_read_or_refused_but_never_raises_anything_else(tmp_path):
    path = whole(tmp_path / "run.db", steps=100)
    good, draw, refused = path.read_bytes(), random.Random(0), 0
    for _ in range(150):
        bad = bytearray(good)
        start = draw.randrange(len(bad))
        for place in range(start, min(len(bad), start + draw.choice([1, 4, 64, 4096]))):
            bad[place] = draw.randrange(256)
        path.write_bytes(bad)
        try:
            run = read(path)
            for statistic in run.statistics:
                run.table(statistic)
        except RunFileError:
            refused += 1
    assert refused > 20


def test_a_log_that_is_cut_short_costs_only_its_end(tmp_path):
    path = create_run(tmp_path / "run.db", {"script": "a.py"})
    writer = RunWriter(path)
    writer.start()
    writer.meta("early", 1)
    while not path.with_name("run.db-wal").stat().st_size:
        pass
    for part in ("run.db", "run.db-wal"):
        shutil.copy(tmp_path / part, tmp_path / f"copy{part[3:]}")
    writer.close()
    os.truncate(tmp_path / "copy.db-wal", 100)
    assert read(tmp_path / "copy.db").meta["script"] == "a.py"


# ---- making one --------------------------------------------------------------------------------
def test_a_name_that_is_taken(tmp_path):
    path = whole(tmp_path / "run.db")
    assert "holds an earlier run" in refusal(create_run, path, {}).what
    assert read(path).steps == 50
    create_run(path, {"script": "new"}, force=True)
    assert read(path).meta == {"script": "new"}
    assert read(path).steps == 0


def test_force_leaves_nothing_of_the_earlier_run_behind(tmp_path):
    path = whole(tmp_path / "run.db")
    for tail in ("-wal", "-shm"):
        path.with_name(path.name + tail).write_bytes(b"left over")
    create_run(path, {}, force=True)
    assert read(path).meta == {}


@pytest.mark.parametrize("force", [False, True])
def test_a_file_of_another_kind_is_never_overwritten(tmp_path, force):
    path = tmp_path / "thesis.txt"
    path.write_text("years of work")
    fault = refusal(create_run, path, {}, force=force)
    assert "left as it is" in fault.what
    assert path.read_text() == "years of work"


def test_an_empty_file_may_be_used(tmp_path):
    path = tmp_path / "run.db"
    path.touch()
    assert read(create_run(path, {"a": 1})).meta == {"a": 1}


@pytest.mark.parametrize("force", [False, True])
def test_a_run_in_progress_is_never_overwritten(tmp_path, force):
    path = create_run(tmp_path / "run.db", {"pid": os.getpid()})
    writer = RunWriter(path)
    writer.start()
    fault = refusal(create_run, path, {}, force=force)
    assert "being written by another run" in fault.what
    assert f"process {os.getpid()}" in fault.what
    writer.close()
    assert writer_of(path) == 0


def test_a_run_of_another_process_is_seen_until_that_process_dies(tmp_path):
    path = create_run(tmp_path / "run.db", {})
    code = "import sys, time; from pathlib import Path; from gradoctor.store import RunWriter;"
    code += "w = RunWriter(sys.argv[1]); w.meta('pid', 77); w.start(); time.sleep(0.5);"
    code += "print('up', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        assert "process 77" in refusal(create_run, path, {}, force=True).what
        other.kill()
    create_run(path, {}, force=True)


def test_the_supervisor_holds_a_file_before_and_beside_the_writer(tmp_path):
    path = create_run(tmp_path / "run.db", {})
    held = Hold(path)
    assert "being written" in refusal(create_run, path, {}, force=True).what
    writer = RunWriter(path)
    writer.start()
    writer.close()
    assert writer.lost is None
    held.release()
    create_run(path, {}, force=True)


def test_a_folder_that_is_missing_or_cannot_be_written(tmp_path):
    assert "does not exist" in refusal(create_run, tmp_path / "none" / "run.db", {}).what
    assert "is a folder" in refusal(create_run, tmp_path, {}).what
    (tmp_path / "file").touch()
    assert "does not exist" in refusal(create_run, tmp_path / "file" / "run.db", {}).what


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc")
def test_a_read_only_folder():
    """/proc refuses new files to root too."""
    fault = refusal(create_run, Path("/proc/run.db"), {})
    assert "cannot write a run file here" in fault.what
    assert "--db" in fault.cure


def test_the_default_place_gives_way_to_a_temporary_one(tmp_path):
    (tmp_path / ".gradoctor").write_text("a file, not a folder")
    path = new_run("train", {"script": "train.py"}, tmp_path / ".gradoctor")
    assert read(path).meta["script"] == "train.py"
    assert path.parent.parent != tmp_path
    shutil.rmtree(path.parent)


def test_names_do_not_collide_and_git_ignores_them(tmp_path):
    paths = {new_run("a.b", {}, tmp_path / ".gradoctor") for _ in range(5)}
    assert len(paths) == 5
    assert (tmp_path / ".gradoctor" / ".gitignore").read_text() == "*\n"


def test_names_with_signs_that_mean_something_elsewhere(tmp_path):
    for name in ("a b.db", "ä?x=1#y.db", "100%.db", "[x].db"):
        path = write(tmp_path / name, [("meta", "a", 1)])
        assert read(path).meta == {"a": 1}
