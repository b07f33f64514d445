"""A run with NaN far from any look: the operation and the line are named, and the step replayed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gradoctor.diagnosis import diagnose
from gradoctor.records import Finding
from gradoctor.store import open_run

SCRIPT = """
import sys
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
kind = sys.argv[1]
x = torch.randn(2480, 10)
y = (x.sum(1) > 0).long()
if kind in ("norm", "raise", "exit"):
    x[2403] = 0.0
elif kind == "twins":
    x[2403] = 2 * x[2403].sign()
    x[2404] = x[2403]
elif kind == "data":
    x[2403, 7] = float("nan")

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(10, 16, bias=False)
        self.out = nn.Linear(16, 2)

    def forward(self, x):
        h = torch.relu(self.inner(x))
        if kind in ("norm", "raise", "exit"):
            h = h / h.norm(dim=1, keepdim=True)  # norm
        if kind == "dropout":
            kept = F.dropout(torch.ones(len(h), 4), 0.17)
            h = h / kept.sum(1, keepdim=True)  # dropout
        return self.out(h)

model = Net()
opt = torch.optim.SGD(model.parameters(), lr=0.05)

def main():
    step = 0
    for xb, yb in DataLoader(TensorDataset(x, y), batch_size=8):
        opt.zero_grad()
        heat = max(0.0, 1.0 - step / 300)
        out = model(xb)
        loss = F.cross_entropy(out, yb)
        if kind == "heat":
            spread = F.softmax(out / (torch.ones(2) * heat), 1)  # heat
            loss = loss - 0.1 * spread.var()
        if kind == "twins":
            gap = out[1:] - out[:-1]
            loss = loss + 0.1 * gap.pow(2).sum(1).sqrt().mean()  # twins
        if kind in ("raise", "exit") and not loss.isfinite():
            if kind == "exit":
                sys.exit(3)
            raise ValueError("the loss is gone")
        loss.backward()
        opt.step()
        step += 1

main()
print(float(sum(p.double().sum() for p in model.parameters())), torch.rand(2).tolist())
"""


def gradoctor(*args: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gradoctor", *map(str, args)],
        cwd=cwd, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def findings(folder: Path) -> dict[str, Finding]:
    """What is found in the only run of a folder, by code."""
    (path,) = (folder / ".gradoctor").glob("*.db")
    with open_run(path) as file:
        return {f.code: f for f in diagnose(file.recording()).findings}


def line_of(mark: str) -> int:
    lines = SCRIPT.splitlines()
    return next(i for i, line in enumerate(lines, 1) if line.endswith(f"# {mark}"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(SCRIPT)
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "op", "told", "step"),
    [
        ("norm", "div", "operation", 300),
        ("heat", "div", "operation", 300),
        ("twins", "sqrt", "backward", 300),
        ("dropout", "div", "operation", None),
    ],
)
def test_it_is_named_and_comes_again(
    folder: Path, kind: str, op: str, told: str, step: int | None
) -> None:
    done = gradoctor("run", "train.py", kind, cwd=folder)
    found = findings(folder)["GD701"]
    assert (found.values["op"], found.values["kind"]) == (op, told), done.stderr
    assert (Path(found.file or "").name, found.line) == ("train.py", line_of(kind))
    assert step in (None, found.values["step"])
    assert "next: gradoctor replay" in done.stderr
    again = gradoctor("replay", found.values["capsule"], cwd=folder)
    assert again.returncode == 0, again.stdout + again.stderr
    assert f"train.py:{line_of(kind)}" in again.stdout.splitlines()[-1]
    assert "reproduced" in again.stdout
    chinese = gradoctor("replay", "--lang", "zh", "--steps", cwd=folder)
    assert chinese.returncode == 0
    assert "重现" in chinese.stdout


def test_the_data_is_at_fault(folder: Path) -> None:
    gradoctor("run", "--quiet", "train.py", "data", cwd=folder)
    found = findings(folder)
    assert "GD602" in found
    told = found["GD701"].values
    assert (told["kind"], told["samples"], told["batch"]) == ("input", "2403", 300)
    assert gradoctor("replay", cwd=folder).returncode == 0


def test_training_is_the_same_to_the_bit(folder: Path) -> None:
    plain = subprocess.run(
        [sys.executable, "train.py", "dropout"], cwd=folder, capture_output=True, check=True,
        text=True,
    )  # fmt: skip
    assert gradoctor("run", "train.py", "dropout", cwd=folder).stdout == plain.stdout


@pytest.mark.parametrize(("kind", "code"), [("raise", 1), ("exit", 3)])
def test_a_script_that_gives_up_at_once(folder: Path, kind: str, code: int) -> None:
    assert gradoctor("run", "--quiet", "train.py", kind, cwd=folder).returncode == code
    found = findings(folder)["GD701"]
    assert (found.values["op"], found.line, found.first_step) == ("div", line_of("norm"), 300)
    done = gradoctor("replay", cwd=folder)
    assert (done.returncode, "reproduced" in done.stdout) == (0, True), done.stdout


class TestNotReproduced:
    @pytest.fixture
    def capsule(self, folder: Path) -> Path:
        gradoctor("run", "--quiet", "train.py", "norm", cwd=folder)
        (found,) = (folder / ".gradoctor").glob("*.capsule")
        return found

    def test_the_script_was_mended(self, folder: Path, capsule: Path) -> None:
        mended = SCRIPT.replace("keepdim=True)  # norm", "keepdim=True).clamp_min(1e-6)")
        (folder / "train.py").write_text(mended)
        done = gradoctor("replay", capsule, cwd=folder)
        assert done.returncode == 1
        assert "not reproduced" in done.stdout

    def test_the_script_fails_or_trains_something_else(self, folder: Path, capsule: Path) -> None:
        (folder / "train.py").write_text("import torch\nraise ValueError('no data here')")
        done = gradoctor("replay", capsule, cwd=folder)
        assert (done.returncode, "no data here" in done.stdout) == (1, True)
        (folder / "train.py").write_text(SCRIPT.replace("Net", "Other"))
        assert "never trained Net" in gradoctor("replay", capsule, cwd=folder).stdout

    def test_files_that_are_no_capsules(self, folder: Path, capsule: Path) -> None:
        cut = folder / "cut.capsule"
        for content in (b"", b"x" * 50, capsule.read_bytes()[:-20], b"\xff" * 9):
            cut.write_bytes(content)
            done = gradoctor("replay", cut, cwd=folder)
            assert done.returncode == 2
            assert "no replay capsule" in done.stderr
        (folder / "train.py").unlink()
        assert "script of that run is gone" in gradoctor("replay", capsule, cwd=folder).stderr


def test_no_capsule_is_wanted_or_fits(folder: Path) -> None:
    for size, wanted in (("0", ""), ("100", "over 100 bytes")):
        gradoctor("run", "--quiet", "--capsule", size, "train.py", "norm", cwd=folder)
        assert not list((folder / ".gradoctor").glob("*.capsule")), wanted
    done = gradoctor("run", "--capsule", "huge", "train.py", cwd=folder)
    assert "is no size" in done.stderr
    assert "no capsule in this folder" in gradoctor("replay", cwd=folder).stderr


def test_weights_that_do_not_fit_are_left_out(folder: Path) -> None:
    gradoctor("run", "--quiet", "--capsule", "6k", "train.py", "norm", cwd=folder)
    done = gradoctor("replay", cwd=folder)
    assert done.returncode == 0, "a zero row has no direction, whatever the weights"
    assert "lacks the weights" in done.stdout
