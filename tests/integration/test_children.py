"""Processes that a script starts are watched, each with a run file of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gradoctor.store import open_run

COMMON = """
import torch
from torch import nn

def train(seed, steps=40):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.randn(64, 8)
    y = (x.sum(1) > 0).long()
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    print(seed, loss.item(), flush=True)
"""
MULTIPROCESSING = """
import multiprocessing, sys
from common import train
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    children = [context.Process(target=train, args=(seed,)) for seed in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    print([child.exitcode for child in children])
"""
SUBPROCESS = """
import subprocess, sys
done = subprocess.run([sys.executable, "-c", "from common import train; train(3)"])
print(done.returncode)
"""
FORK = """
import os, sys
from common import train
train(0)
child = os.fork()
if child == 0:
    train(1, steps=30)
    sys.exit(0)
os.waitpid(child, 0)
train(2)
"""
DDP = """
import torch, torch.distributed as dist
from torch import nn
dist.init_process_group("gloo")
model = nn.parallel.DistributedDataParallel(nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
torch.manual_seed(dist.get_rank())
x = torch.randn(64, 8)
y = (x.sum(1) > 0).long()
for _ in range(40):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
dist.destroy_process_group()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    texts = {"common": COMMON, "many": MULTIPROCESSING, "sub": SUBPROCESS, "fork": FORK, "ddp": DDP}
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def run(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "gradoctor",
        "run",
        "--db",
        "run.db",
        "--json",
        "r.json",
        *args,
    ]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=180, check=False
    )  # fmt: skip


def steps_of_children(folder: Path) -> list[int]:
    files = sorted(folder.glob("run.*.db"))
    counts = []
    for file in files:
        with open_run(file) as opened:
            counts.append(opened.recording().steps)
    return counts


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(folder: Path, method: str) -> None:
    done = run("many.py", method, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[0, 0]"
    assert steps_of_children(folder) == [40, 40]
    report = json.loads((folder / "r.json").read_text())
    assert report["steps"] == 40
    assert "many.py" in done.stderr, "the script's name stands above its child's report"
    assert "also recorded" in done.stderr


def test_a_subprocess(folder: Path) -> None:
    done = run("sub.py", cwd=folder)
    assert done.stdout.splitlines()[-1] == "0"
    assert steps_of_children(folder) == [40]


def test_a_fork_in_the_middle_leaves_the_parents_run_whole(folder: Path) -> None:
    done = run("fork.py", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert steps_of_children(folder) == [30]
    with open_run(folder / "run.db") as opened:
        assert opened.recording().steps >= 79


def test_ranks_of_torchrun(folder: Path) -> None:
    done = run(
        "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "ddp.py",
        cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in folder.glob("run.*.db")) == ["run.rank0.db", "run.rank1.db"]
    assert steps_of_children(folder) == [40, 40]


def test_workers_of_a_loader_leave_no_files(folder: Path) -> None:
    (folder / "workers.py").write_text(
        COMMON + "from torch.utils.data import DataLoader\n"
        "for _ in DataLoader(list(range(64)), batch_size=8, num_workers=2):\n    pass\ntrain(0)\n"
    )
    done = run("workers.py", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert not list(folder.glob("run.*.db"))


def test_no_training_at_all_is_said(folder: Path) -> None:
    (folder / "nothing.py").write_text("import torch\nprint(torch.ones(2).sum().item())\n")
    done = run("nothing.py", cwd=folder)
    assert done.returncode == 0
    assert "no training step was seen" in done.stderr.lower(), done.stderr
    (folder / "run.db").unlink()
    (folder / "without.py").write_text("print('no torch here')\n")
    done = run("without.py", cwd=folder)
    assert done.returncode == 0
    assert done.stdout == "no torch here\n"
    assert "no training step was seen" in done.stderr.lower(), done.stderr
