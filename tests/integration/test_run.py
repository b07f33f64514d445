"""The real command on real scripts, in a subprocess."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SIGMOID = """
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(512, 64)
y = torch.randint(0, 10, (512,))
layers = [nn.Linear(64, 64), nn.Sigmoid()]
for _ in range(19):
    layers += [nn.Linear(64, 64), nn.Sigmoid()]
model = nn.Sequential(*layers, nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(300):
    pick = torch.randint(0, 512, (64,))
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x[pick]), y[pick])
    loss.backward()
    optimizer.step()
print(repr(loss.item()), float(sum(p.double().sum() for p in model.parameters())))
print(torch.rand(3).tolist())
"""


def gradoctor(*args, cwd: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "gradoctor", *map(str, args)],
        cwd=cwd, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    (folder / "train.py").write_text(SIGMOID)
    done = gradoctor("run", "--json", "out.json", "train.py", cwd=folder)
    return folder, done


def test_a_sigmoid_tower_has_one_root_at_its_line(watched):
    folder, done = watched
    report = json.loads((folder / "out.json").read_text())
    roots = [f for f in report["findings"] if f["root"]]
    assert [f["code"] for f in roots] == ["GD101"], done.stderr
    assert Path(roots[0]["file"]).name == "train.py"
    assert roots[0]["line"] in (8, 10)
    assert report["verdict"] == "sick"
    assert "GD101" in done.stderr


def test_watching_changes_no_bit_of_training(watched):
    folder, done = watched
    plain = subprocess.run(
        [sys.executable, "train.py"], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stdout == plain.stdout
    assert done.returncode == 0


def test_show_reads_the_latest_run(watched):
    folder, _ = watched
    shown = gradoctor("show", "--json", cwd=folder)
    assert json.loads(shown.stdout)["verdict"] == "sick", shown.stderr


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (("run", "missing.py"), "No such script"),
        (("show", "missing.db"), "No run file"),
        (("explain", "GD999"), "No rule"),
    ],
)
def test_a_bad_request_ends_with_one_line_and_code_2(tmp_path, args, word):
    done = gradoctor(*args, cwd=tmp_path)
    assert done.returncode == 2
    assert word in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_script_keeps_its_exit_code_and_sees_its_own_arguments(tmp_path):
    (tmp_path / "s.py").write_text(
        "import sys, os\nprint(sys.argv, __name__, os.getcwd(), sys.path[0])\nsys.exit(3)\n"
    )
    plain = subprocess.run(
        [sys.executable, "s.py", "--db", "x"], cwd=tmp_path, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    done = gradoctor("run", "s.py", "--db", "x", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (plain.returncode, plain.stdout) == (3, plain.stdout)
