"""kill -9, a full disk and faults of our own: the run file stays whole and training goes on."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gradoctor.store import open_run

TRAIN = """
import sys, time
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
steps, pause = int(sys.argv[1]), float(sys.argv[2])
log = open("steps.log", "w", buffering=1) if pause else None
for step in range(steps):
    x = torch.randn(16, 8)
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), (x[:, 0] > 0).long())
    loss.backward()
    optimizer.step()
    if log:
        log.write(f"{step} {time.time()}\\n")
        time.sleep(pause)
print(repr(loss.item()), sum(p.double().sum().item() for p in model.parameters()))
print(torch.rand(2).tolist())
"""
LOST = "Your training "


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "train.py").write_text(TRAIN)
    return tmp_path


def command(*args: object) -> list[str]:
    return [sys.executable, "-m", "gradoctor", "run", *map(str, args)]


@functools.cache
def plain(steps: int) -> str:
    """What Python alone prints; the script is the same in every folder."""
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, str(steps), "0"], capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return done.stdout


def watched(folder: Path, *args: object, steps: int = 200, **kwargs) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(*args, "train.py", steps, 0), cwd=folder, capture_output=True, text=True,
        timeout=120, check=False, **kwargs,
    )  # fmt: skip


def of_us(stderr: str) -> list[str]:
    """The lines in which something is said to be lost."""
    return [line for line in stderr.splitlines() if LOST in line]


# ---- kill -9 -------------------------------------------------------------------------------------
def logged(folder: Path) -> list[tuple[int, float]]:
    """The whole lines of the script's own log: step and time."""
    text = (folder / "steps.log").read_text()
    rows = [line.split() for line in text[: text.rfind("\n") + 1].splitlines()]
    return [(int(step), float(when)) for step, when in rows]


def kill_at(folder: Path, seconds: float, *, whole_group: bool) -> float:
    """Start a run, kill it outright ``seconds`` after its first step, and give that time."""
    log = folder / "steps.log"
    log.unlink(missing_ok=True)
    with subprocess.Popen(
        command("--quiet", "--force", "--db", "run.db", "train.py", 100_000, 0.002),
        cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True,
    ) as run:  # fmt: skip
        limit = time.monotonic() + 60
        while not (log.exists() and log.stat().st_size) and time.monotonic() < limit:
            time.sleep(0.005)
        time.sleep(seconds)
        # the parent alone: the training must not outlive the one that supervises it
        (os.killpg if whole_group else os.kill)(run.pid, signal.SIGKILL)
        killed = time.time()
        run.wait(30)
        assert run.returncode == -signal.SIGKILL
    return killed


@pytest.mark.parametrize("part", range(4))
def test_killed_outright_twenty_times_the_file_holds_all_but_the_last_half_second(folder, part):
    draw = random.Random(part)
    for time_of_death in [draw.uniform(0.0, 1.0) for _ in range(5)]:
        killed = kill_at(folder, time_of_death, whole_group=draw.random() < 0.5)
        time.sleep(0.1)
        with open_run(folder / "run.db") as file:
            run = file.recording()
        lines = logged(folder)
        assert lines[-1][1] < killed + 0.3, "the training went on without its supervisor"
        done = [step for step, when in lines if when < killed - 0.5]
        seen = run.series("backward.count")
        # the last step's numbers may still be on their way when the next one begins
        assert len(seen) >= len(done), (len(seen), len(done), len(lines))
        assert seen.steps.tolist() == list(range(len(seen)))
        assert len(seen) <= lines[-1][0] + 2
        assert run.meta["script"] == "train.py"
        if done:
            assert {"module", "parameter", "optimizer"} <= {s.kind for s in run.sites.values()}


def test_only_the_script_is_killed_and_the_report_still_comes(folder):
    with subprocess.Popen(
        command("--db", "run.db", "train.py", 100_000, 0.002), cwd=folder, text=True,
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
    ) as run:  # fmt: skip
        log = folder / "steps.log"
        limit = time.monotonic() + 60
        while not (log.exists() and log.stat().st_size > 2000) and time.monotonic() < limit:
            time.sleep(0.01)
        with open_run(folder / "run.db") as file:
            os.kill(file.meta()["pid"], signal.SIGKILL)
        _, said = run.communicate(timeout=60)
    assert run.returncode == -signal.SIGKILL
    assert "Traceback" not in said
    assert "train.py" in said
    with open_run(folder / "run.db") as file:
        assert file.meta()["signal"] == signal.SIGKILL


# ---- a full disk ---------------------------------------------------------------------------------
@contextlib.contextmanager
def small_disk(place: Path, kilobytes: int) -> Iterator[None]:
    """A disk of its own at ``place``; skips where none may be mounted."""
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)],
        capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("no disk can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def check_unharmed(folder: Path, done: subprocess.CompletedProcess, steps: int) -> str:
    """The same output and exit code as Python's; one line of ours says what was lost."""
    assert done.returncode == 0, done.stderr
    assert done.stdout == plain(steps)
    assert "Traceback" not in done.stderr
    lost = of_us(done.stderr)
    assert len(lost) == 1, done.stderr
    assert lost[0].startswith("gradoctor: ")
    return lost[0]


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small disk")
def test_a_disk_that_fills_up_while_training(folder):
    with small_disk(folder / "disk", 400):
        done = watched(folder, "--db", "disk/run.db", steps=1500)
        assert "full" in check_unharmed(folder, done, 1500)
        with open_run(folder / "disk" / "run.db") as file:
            run = file.recording()
        assert 0 < len(run.series("backward.count")) < 1500


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of file size")
def test_a_file_that_may_not_grow(folder):
    """The same through another fault of the system, also where no disk can be mounted."""
    import resource

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    done = watched(folder, "--db", "run.db", steps=1500, preexec_fn=limit)
    check_unharmed(folder, done, 1500)
    with open_run(folder / "run.db") as file:
        assert 0 < len(file.recording().series("backward.count")) < 1500


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small disk")
def test_a_disk_that_is_full_from_the_start(folder):
    with small_disk(folder / "disk", 64):
        (folder / "disk" / "rest").write_bytes(b"x" * 60_000)
        done = watched(folder, "--db", "disk/run.db")
        assert done.returncode == 2
        assert "cannot write a run file here" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert done.stdout == ""


def test_a_run_file_that_vanishes(folder):
    script = "import os\nos.remove('run.db')\n" + TRAIN
    (folder / "train.py").write_text(script)
    done = watched(folder, "--db", "run.db")
    assert done.returncode == 0
    assert done.stdout == plain(200)
    assert "Traceback" not in done.stderr


# ---- faults of our own ---------------------------------------------------------------------------
def test_a_kernel_that_raises_in_a_real_run(folder):
    """A sitecustomize of the user's own breaks a kernel before the script begins."""
    (folder / "late").mkdir()
    (folder / "late" / "sitecustomize.py").write_text(
        "import gradoctor.statistics as kernels\n"
        "def raising(*args, **kwargs):\n    raise RuntimeError('a kernel broke')\n"
        "kernels.summarise_activation = raising\n"
    )
    done = watched(folder, "--db", "run.db", env={**os.environ, "PYTHONPATH": str(folder / "late")})
    assert "a kernel broke" in check_unharmed(folder, done, 200)
    with open_run(folder / "run.db") as file:
        run = file.recording()
    assert len(run.series("backward.count")) == 200
    assert "grad.rms" in run.statistics
    assert any("a kernel broke" in f.data["message"] for f in run.facts_of("lost"))
