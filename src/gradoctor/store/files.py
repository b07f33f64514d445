"""Run files on disk: making one, finding the latest, and what can be wrong with a path."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gradoctor.errors import RunFileError
from gradoctor.records import Fact
from gradoctor.store.migrations import APPLICATION_ID, migrate

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows: no advisory locks
    fcntl = None

SUFFIX = ".db"


def connect(path: Path, *, timeout: float = 5.0) -> sqlite3.Connection:
    """A connection for writing, in WAL mode, with explicit transactions."""
    db = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = normal")
    return db


def create_run(path: Path | str, meta: Mapping[str, Any], *, force: bool = False) -> Path:
    """Make an empty run file.

    Args:
        path: where.
        meta: the first properties of the run (JSON-able).
        force: overwrite an earlier, finished run.

    Raises:
        RunFileError: the folder is missing or read-only, the disk is full, the name is taken by
            another kind of file, by a finished run (without ``force``) or by a run in progress.
    """
    path = Path(path)
    _check_name(path, force)
    try:
        for part in (path, *_companions(path)):
            part.unlink(missing_ok=True)
        with contextlib.closing(connect(path)) as db:
            migrate(db)
            write_meta(db, meta)
    except (OSError, sqlite3.Error) as fault:
        raise RunFileError(
            f"{path}: cannot write a run file here ({fault}).",
            "Give another place with --db FILE.",
        ) from None
    return path


def write_meta(db: sqlite3.Connection, meta: Mapping[str, Any]) -> None:
    """Set properties of the run."""
    rows = [(key, to_json(value)) for key, value in meta.items()]
    db.executemany("insert or replace into meta values (?, ?)", rows)


def add_fact(path: Path, fact: Fact) -> None:
    """Add or replace a fact of a run that has ended.

    Raises:
        RunFileError: the file cannot be written.
    """
    try:
        with contextlib.closing(connect(path)) as db:
            write_fact(db, fact)
            db.execute("pragma journal_mode = delete")
    except sqlite3.Error as fault:
        raise RunFileError(
            f"{path}: cannot be written ({fault}).", "Check that no run is writing to it."
        ) from None


def write_fact(db: sqlite3.Connection, fact: Fact) -> None:
    """Add or replace a fact."""
    # null is distinct from null in a unique index, so "no site" is -1 in the file
    site = -1 if fact.site is None else fact.site
    db.execute(
        "insert or replace into facts values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (fact.kind, site, clean(fact.key), clean(fact.file), fact.line, fact.first_step,
         fact.last_step, fact.count, to_json(dict(fact.data))),
    )  # fmt: skip


def to_json(value: Any) -> str | None:
    """As JSON, whatever it is."""
    try:
        text = json.dumps(value, default=str, ensure_ascii=False)
    except (TypeError, ValueError):  # keys that are no names, circles
        text = json.dumps(str(value), ensure_ascii=False)
    return clean(text)


def clean(text: str | None) -> str | None:
    """Text that UTF-8 can hold: the bytes of a file name that is none become question marks."""
    return None if text is None else text.encode("utf-8", "replace").decode()


def _companions(path: Path) -> tuple[Path, Path]:
    return path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")


def _check_name(path: Path, force: bool) -> None:
    if not path.parent.is_dir():
        raise RunFileError(f"{path}: the folder {path.parent} does not exist.", "Make it first.")
    if path.is_dir():
        raise RunFileError(f"{path} is a folder.", "Give the name of a file with --db.")
    if not path.exists():
        return
    writer = writer_of(path)
    if writer:
        who = f" (process {writer})" if writer > 0 else ""
        raise RunFileError(
            f"{path} is being written by another run{who}.",
            "Give this run its own name with --db.",
        )
    if path.stat().st_size and not is_run_file(path):
        raise RunFileError(
            f"{path} exists and is not a gradoctor run file; it is left as it is.",
            "Give another name with --db.",
        )
    if path.stat().st_size and not force:
        raise RunFileError(
            f"{path} holds an earlier run.",
            "Give another name with --db, or overwrite with --force.",
        )


def is_run_file(path: Path) -> bool:
    """The file begins as a SQLite database that carries our application id."""
    try:
        with path.open("rb") as file:
            head = file.read(72)
    except OSError:
        return False
    return head[:15] == b"SQLite format 3" and int.from_bytes(head[68:72]) == APPLICATION_ID


def writer_of(path: Path) -> int:
    """Process id of the run that is being written to ``path``: 0 for none, -1 when unknown."""
    if fcntl is None:
        return 0
    if _identity(path) in _HELD:  # closing a file drops this process's own locks on it
        return os.getpid()
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(file, fcntl.LOCK_UN)
    except BlockingIOError:
        return _recorded_pid(path) or -1
    except OSError:
        return 0
    return 0


def _recorded_pid(path: Path) -> int:
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        ) as db:
            row = db.execute("select value from meta where key = 'pid'").fetchone()
        return int(row[0]) if row else 0
    except (sqlite3.Error, ValueError):
        return 0


class Hold:
    """A run file that is ours until it is let go or this process dies.

    Shared, for the process that supervises a run holds its file beside the one that writes it.
    """

    def __init__(self, path: Path) -> None:
        self._identity = _identity(path)
        self._file = path.open("rb")
        with contextlib.suppress(OSError):  # a file system without locks
            if fcntl is not None:
                fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        _HELD.add(self._identity)

    def release(self) -> None:
        """Let go. Only when this process has no connection to the file any more."""
        _HELD.discard(self._identity)
        self._file.close()


_HELD: set[tuple[int, int]] = set()


def _identity(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino


def runs_in(folder: Path | str) -> Iterator[Path]:
    """The run files in a folder, the newest first."""
    found = [p for p in Path(folder).glob(f"*{SUFFIX}") if is_run_file(p)]
    yield from sorted(found, key=lambda p: p.stat().st_mtime, reverse=True)


def latest_run(folder: Path | str) -> Path | None:
    """The newest run file in a folder that is not a child process's, or None."""
    runs = list(runs_in(folder))
    main = [p for p in runs if "." not in p.stem]
    return next(iter(main or runs), None)
