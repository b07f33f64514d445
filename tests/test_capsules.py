"""The capsule's file: safetensors, whole or not there at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gradoctor import capsules
from gradoctor.capsules import Raw
from gradoctor.errors import GradoctorError

TENSORS = {"a.b": Raw("F32", (2,), b"\0\0\x80?\0\0\0@"), "none": Raw("I64", (0, 3), b"")}


def test_it_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "run.capsule"
    capsules.write(file, TENSORS, {"step": 3, "odd": [float("inf"), "字"]})
    meta, tensors = capsules.read(file)
    assert (meta["step"], meta["odd"]) == (3, [float("inf"), "字"])
    assert {n: (r.dtype, r.shape, bytes(r.data)) for n, r in tensors.items()} == {
        n: (r.dtype, r.shape, r.data) for n, r in TENSORS.items()
    }
    assert [f.name for f in tmp_path.iterdir()] == ["run.capsule"]
    assert capsules.capsule_of(tmp_path / "run.db") == file


def test_the_library_of_the_format_reads_it(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors")
    file = tmp_path / "run.capsule"
    capsules.write(file, TENSORS, {"step": 3})
    with library.safe_open(file, "np") as opened:
        assert opened.get_tensor("a.b").tolist() == [1.0, 2.0]
        assert opened.get_tensor("none").shape == (0, 3)
        assert '"step": 3' in opened.metadata()["gradoctor"]


LARGE = """
import sys
from pathlib import Path
from gradoctor import capsules
raw = capsules.Raw("U8", (60_000_000,), bytes(60_000_000))
print("begun", flush=True)
while True:
    capsules.write(Path(sys.argv[1]), {"x": raw}, {})
"""


def test_killed_while_it_writes(tmp_path: Path) -> None:
    file = tmp_path / "run.capsule"
    for wait in (0.0, 0.02, 0.05, 0.1, 0.2):
        child = subprocess.Popen(
            [sys.executable, "-c", LARGE, str(file)], stdout=subprocess.PIPE
        )  # fmt: skip
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(wait)
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
        if file.exists():
            assert capsules.read(file)[1]["x"].size == 60_000_000


FULL = """
import resource, sys
from pathlib import Path
from gradoctor import capsules
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    capsules.write(Path(sys.argv[1]), {"x": capsules.Raw("U8", (9000,), bytes(9000))}, {})
except OSError as fault:
    print("no room")
"""


def test_a_disk_that_takes_no_more(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "run.capsule")], capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout == "no room\n"
    assert not list(tmp_path.iterdir())


def test_another_version(tmp_path: Path) -> None:
    file = tmp_path / "run.capsule"
    capsules.write(file, {}, {"version": 99})
    with pytest.raises(GradoctorError, match="version 99"):
        capsules.read(file)
    with pytest.raises(GradoctorError, match="cannot be read"):
        capsules.read(tmp_path / "other.capsule")
