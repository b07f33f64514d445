"""The real ``gradoctor checkup`` and ``gradoctor run --checkup`` in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NETS = """
import torch
from torch import nn

print("made by the user's code")

def sigmoid():
    layers = []
    for i in range(20):
        layers += [nn.Linear(16 if i == 0 else 32, 32), nn.Sigmoid()]
    return nn.Sequential(*layers, nn.Linear(32, 3))

class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 2)
    def forward(self, x, scale):
        return self.b(torch.relu(self.a(x))) * scale

def given():
    return Small(), {"x": torch.randn(5, 4), "scale": torch.ones(5, 1)}

def with_loss():
    return nn.Linear(4, 2), torch.randn(5, 4), lambda out: out.square().mean()

def broken():
    raise RuntimeError("no weights here")

def needs(width):
    return nn.Linear(width, 2)

def nothing():
    return 3

number = 3
"""

TRAIN = """
import torch
from torch import nn
torch.manual_seed(0)
layers = []
for i in range(12):
    layers += [nn.Linear(16, 16), nn.Dropout(0.1), nn.RReLU()]
model = nn.Sequential(*layers, nn.BatchNorm1d(16), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(30):
    x, y = torch.randn(32, 16), torch.randint(0, 3, (32,))
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
print([p.double().sum().item() for p in model.parameters()], loss.item(), torch.rand(1).item())
"""


def run(*args: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gradoctor", *args], cwd=cwd, capture_output=True, text=True,
        timeout=180, check=False, env={**os.environ, "OMP_NUM_THREADS": "1", **env},
    )  # fmt: skip


@pytest.fixture
def nets(tmp_path):
    (tmp_path / "nets.py").write_text(NETS)
    return tmp_path


def test_it_names_what_will_vanish_and_what_mends_it(nets):
    done = run("checkup", "nets.py:sigmoid", cwd=nets)
    assert done.returncode == 0, done.stderr
    assert "nets.py:10: GD101 vanishing-gradient [sick]" in done.stdout
    assert "theory" in done.stdout
    assert "a batch norm before each activation" in done.stdout
    assert "made by the user's code" in done.stderr, "stdout is the report's"
    assert max(len(line) for line in done.stdout.splitlines()) <= 80


def test_it_speaks_chinese(nets):
    done = run("checkup", "nets:sigmoid", "--lang", "zh", cwd=nets, PYTHONIOENCODING="utf-8")
    assert done.returncode == 0, done.stderr
    assert "梯度" in done.stdout
    assert "layer" not in done.stdout.replace("gradoctor", "").replace("layer(x)", "")


def test_json_and_exit_code(nets):
    done = run("checkup", "nets.py:sigmoid", "--json", "-", "--fail-on", "sick", cwd=nets)
    assert done.returncode == 3
    data = json.loads(done.stdout)
    assert (data["schema"], data["verdict"], len(data["layers"])) == (1, "sick", 20)
    assert data["slope"]["predicted"] == pytest.approx(data["slope"]["measured"], abs=0.1)


def test_a_picture(nets):
    pytest.importorskip("matplotlib")
    assert run("checkup", "nets.py:sigmoid", "--picture", "s.svg", cwd=nets).returncode == 0
    assert "predicted" in (nets / "s.svg").read_text()


@pytest.mark.parametrize("target", ["nets.py:given", "nets.py:with_loss"])
def test_a_factory_may_give_inputs_and_a_loss(nets, target):
    done = run("checkup", target, cwd=nets)
    assert done.returncode == 0, done.stderr
    assert "real data [5, 4]" in done.stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("nets.py:sigmod",), "Did you mean sigmoid?"),
        (("nets.py",), "names no factory"),
        (("nest.py:sigmoid",), "No such file: nest.py"),
        (("nowhere:sigmoid",), "No module named 'nowhere'"),
        (("nets.py:needs",), "needs arguments: width"),
        (("nets.py:nothing",), "gives int, not an nn.Module"),
        (("nets.py:number",), "gives int, not an nn.Module"),
        (("nets.py:Small",), "Small.forward(x, scale)"),
        (("nets.py:sigmoid", "--input", "a"), "is no shape"),
        (("nets.py:broken",), "nets.py:broken failed (RuntimeError: no weights here)"),
        (("nets.py:sigmoid", "--input", "5,7"), "mat1 and mat2"),
    ],
)
def test_what_goes_wrong_is_said_with_a_way_out(nets, args, said):
    done = run("checkup", *args, cwd=nets)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("error:") == 1


def test_a_file_that_ends_the_process_is_told(nets):
    (nets / "ends.py").write_text("import sys\nsys.exit(7)\n")
    done = run("checkup", "ends.py:model", cwd=nets)
    assert done.returncode != 0
    assert "ended before it was looked at" in done.stderr


def test_several_inputs(nets):
    done = run("checkup", "nets.py:Small", "--input", "6,4", "--input", "6,1", cwd=nets)
    assert "noise [6, 4], [6, 1]" in done.stdout


def test_run_with_a_checkup_trains_bit_by_bit_as_without(tmp_path):
    (tmp_path / "train.py").write_text(TRAIN)
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    plain = subprocess.run([sys.executable, "train.py"], cwd=tmp_path, capture_output=True,
                           text=True, check=True, env=env)  # fmt: skip
    watched = run("run", "--checkup", "train.py", cwd=tmp_path)
    assert watched.stdout == plain.stdout
    assert "Sequential on real data [32, 16]" in watched.stderr
    assert "GD303" in watched.stderr
    again = run("show", "--checkup", cwd=tmp_path)
    assert again.stdout in watched.stderr
    quiet = run("run", "--checkup", "--quiet", "train.py", cwd=tmp_path)
    assert (quiet.stdout, quiet.stderr) == (plain.stdout, "")
    assert run("show", "--checkup", cwd=tmp_path).stdout == again.stdout


def test_a_script_without_a_module_is_told_so(tmp_path):
    (tmp_path / "train.py").write_text("import torch\nprint(torch.ones(2).sum())\n")
    done = run("run", "--checkup", "train.py", cwd=tmp_path)
    assert done.returncode == 0
    assert "no forecast" in done.stderr
    again = run("show", "--checkup", cwd=tmp_path)
    assert (again.returncode, again.stdout) == (2, "")
    assert "gradoctor run --checkup" in again.stderr
