"""The real ``gradoctor probe`` in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gradoctor.store import latest_run, open_run

LEAKY = """
import sys
import torch
from torch import nn

torch.manual_seed(0)
data = torch.randint(0, 9, (600,))
model = nn.Sequential(nn.Embedding(9, 16), nn.LSTM(16, 16, batch_first=True, bidirectional=True))
head = nn.Linear(32, 9)

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(9, 16)
        self.memory = nn.LSTM(16, 16, batch_first=True, bidirectional=True)
        self.head = nn.Linear(32, 9)
    def forward(self, ids):
        return self.head(self.memory(self.embed(ids))[0])

model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=float(sys.argv[1]))
for step in range(40):
    rows = torch.stack([data[i : i + 9] for i in torch.randint(0, 590, (16,)).tolist()])
    logits = model(rows[:, :-1])
    loss = nn.functional.cross_entropy(logits.transpose(1, 2), rows[:, 1:])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print("step", step)
"""


def run(*args: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gradoctor", *args], cwd=cwd, capture_output=True, text=True,
        timeout=180, check=False, env={**os.environ, "OMP_NUM_THREADS": "1", **env},
    )  # fmt: skip


@pytest.fixture
def home(tmp_path):
    (tmp_path / "train.py").write_text(LEAKY)
    return tmp_path


def test_an_answer_joins_the_run_and_rules_weigh_it(home):
    recorded = run("run", "--json", "before.json", "train.py", "0.01", cwd=home)
    assert recorded.returncode == 0, recorded.stderr
    wanted = ("--json", "answer.json", "--fail-on", "bad")
    done = run("probe", *wanted, "causal", "train.py", "0.01", cwd=home)
    assert done.returncode == 3, done.stderr
    assert "outputs see what they are to predict" in done.stdout
    assert "train.py:15" in done.stdout
    assert "step 3" not in done.stdout, "what the script prints is not shown"
    answer = json.loads((home / "answer.json").read_text())
    assert (answer["schema"], answer["verdict"]) == (1, "leak")
    assert answer["values"]["module"] == "memory"
    with open_run(latest_run(home / ".gradoctor")) as file:
        (fact,) = file.recording().facts_of("probe")
    assert (fact.key, fact.data["verdict"]) == ("causal", "leak")
    before = json.loads((home / "before.json").read_text())
    assert "GD916" not in [f["code"] for f in before["findings"]]
    shown = json.loads(run("show", "--json", cwd=home).stdout)
    (found,) = [f for f in shown["findings"] if f["code"] == "GD916"]
    assert (found["level"], found["root"], found["line"]) == ("confirmed", True, 15)


STEEP = """
import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(0)
digits = load_digits()
pixels = torch.tensor(digits.data, dtype=torch.float32) / 16
labels = torch.tensor(digits.target)
model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=8.0)
for step in range(150):
    rows = torch.randint(0, len(labels), (64,))
    loss = nn.functional.cross_entropy(model(pixels[rows]), labels[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


def test_curvature_explains_a_loss_that_was_thrown_out(home):
    (home / "steep.py").write_text(STEEP)
    assert run("run", "--json", "before.json", "steep.py", cwd=home).returncode == 0
    before = json.loads((home / "before.json").read_text())
    assert "GD416" not in [f["code"] for f in before["findings"]]
    (harm,) = [f for f in before["findings"] if f["root"]]
    assert harm["code"] in ("GD401", "GD402")
    done = run("probe", "--json", "answer.json", "sharpness", "steep.py", cwd=home)
    assert done.returncode == 0, done.stderr
    assert "the loss curves more than the steps can stand" in done.stdout
    assert "2 / lr" in done.stdout
    shown = json.loads(run("show", "--json", cwd=home).stdout)
    (found,) = [f for f in shown["findings"] if f["code"] == "GD416"]
    assert (found["level"], found["root"]) == (harm["level"], True)
    assert harm["code"] in found["explains"]
    answer = json.loads((home / "answer.json").read_text())
    assert answer["values"]["safe"] < 8.0
    assert shown["verdict"] == before["verdict"], "it never speaks alone"


def test_it_speaks_chinese(home):
    done = run("probe", "--lang", "zh", "init", "train.py", "0.01", cwd=home,
               PYTHONIOENCODING="utf-8")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "看到：" in done.stdout
    assert not (home / ".gradoctor").exists(), "nothing was recorded that it could be added to"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("overfitt", "train.py"), "No probe is called 'overfitt'. Known: overfit, train-eval"),
        (("overfit", "missing.py"), "No such script"),
        (("overfit", "-m"), "-m names no module"),
        (("--db", "none.db", "causal", "train.py"), "none.db"),
        (("causal", "train.py"), "at train.py:21: IndexError"),
        (("causal", "nothing.py"), "ended without a training step"),
    ],
)
def test_what_cannot_be_asked(home, args, said):
    (home / "nothing.py").write_text("import torch\nprint(torch.ones(3).sum())\n")
    done = run("probe", *args, cwd=home)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_help_names_every_probe(home):
    text = run("probe", "--help", cwd=home).stdout
    for name in ("overfit", "train-eval", "learning-rate", "precision", "causal", "init",
                 "sharpness"):  # fmt: skip
        assert name in text


TASKS = """
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(128, 12)
y = x[:, :4].argmax(1)
model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
for task in range(8):
    labels = torch.randperm(4)[y]
    for step in range(120):
        rows = torch.randperm(128)[:32]
        loss = nn.functional.cross_entropy(model(x[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        model[0].bias.sub_(DRIFT)
"""


@pytest.mark.parametrize(
    ("drift", "verdict", "code"), [("9.0 * (task == 7)", "lost", 3), ("0.0", "kept", 0)]
)
def test_plasticity_over_tasks(tmp_path, drift, verdict, code):
    (tmp_path / "train.py").write_text(TASKS.replace("DRIFT", drift))
    done = run("probe", "--json", "-", "--fail-on", "bad", "plasticity", "train.py", cwd=tmp_path)
    answer = json.loads(done.stdout)
    assert (answer["verdict"], answer["values"]["losses"]) == (verdict, ["cross_entropy"])
    assert done.returncode == code, done.stderr
    assert answer["values"]["steps"] == 960
