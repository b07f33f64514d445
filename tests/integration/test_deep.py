"""The real ``gradoctor run --deep`` in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gradoctor.store import latest_run, open_run

MODEL = """
import sys
import torch
from torch import nn

torch.manual_seed(0)

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(9, 24)
        self.memory = nn.LSTM(24, 24, batch_first=True, bidirectional={both})
        self.head = nn.Linear(24 * (1 + {both}), 9)
    def forward(self, ids):
        return self.head(self.memory(self.embed(ids))[0])

model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-2)
"""
LEAKY = (
    MODEL.format(both=True)
    + """
for step in range(260):
    rows = torch.randint(0, 9, (32, 17))
    loss = nn.functional.cross_entropy(model(rows[:, :-1]).transpose(1, 2), rows[:, 1:])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
with open("done.txt", "a") as file:
    file.write("done\\n")
print("loss", loss.item())
sys.exit(5)
"""
)
HEALTHY = (
    MODEL.format(both=False)
    + """
for step in range(60):
    rows = (torch.arange(17) + torch.randint(0, 9, (32, 1))) % 9
    loss = nn.functional.cross_entropy(model(rows[:, :-1]).transpose(1, 2), rows[:, 1:])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("loss", loss.item())
"""
)
ENV = {**os.environ, "OMP_NUM_THREADS": "1", "GRADOCTOR_LANG": "en"}


def write(home: Path, text: str) -> Path:
    script = home / "train.py"
    script.write_text(text)
    return script


def deep(home: Path, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gradoctor", "run", "--deep", *options, "train.py", "--tag", "a b"],
        cwd=home, capture_output=True, text=True, timeout=240, check=False, env={**ENV, **env},
    )  # fmt: skip


def answers(home: Path) -> list[str]:
    with open_run(latest_run(home / ".gradoctor")) as file:
        return [fact.key for fact in file.recording().facts_of("probe")]


def test_a_suspicion_is_probed_and_raised(tmp_path):
    write(tmp_path, LEAKY)
    done = deep(tmp_path, "--json", "report.json", "--fail-on", "sick")
    assert done.returncode == 5, "the script's own code"
    assert done.stdout.count("loss") == 1, "the probe's run is not heard"
    assert (tmp_path / "done.txt").read_text() == "done\n", "nor does it write"
    assert "probing for at most 60 s (Ctrl-C skips): causal" in done.stderr
    assert "probed causal: outputs see what they are to predict" in done.stderr
    assert "GD916 leakage: raised to confirmed (was suspect)" in done.stderr
    assert answers(tmp_path) == ["causal"]
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["probed"]["changes"] == [
        {"code": "GD916", "before": "suspect", "after": "confirmed"}
    ]
    assert [(a["name"], a["verdict"]) for a in report["probed"]["answers"]] == [("causal", "leak")]
    assert (report["verdict"], report["findings"][0]["certainty"]) == ("sick", "proven")


def test_without_it_the_command_that_would_decide_is_told(tmp_path):
    write(tmp_path, LEAKY)
    done = subprocess.run(
        [sys.executable, "-m", "gradoctor", "run", "--json", "r.json", "train.py", "--tag", "a b"],
        cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False, env=ENV,
    )  # fmt: skip
    wanted = "gradoctor probe causal train.py --tag 'a b'"
    assert f"next: {wanted}" in done.stderr
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["verdict"] == "suspect"
    assert report["next"][0] == wanted
    assert report["probed"] == {"answers": [], "changes": []}


def test_a_healthy_run_is_not_probed(tmp_path):
    write(tmp_path, HEALTHY)
    done = deep(tmp_path)
    assert done.returncode == 0
    assert "is healthy" in done.stderr
    assert "prob" not in done.stderr
    assert answers(tmp_path) == []


def test_what_takes_too_long_is_told_and_left_out(tmp_path):
    write(tmp_path, "import os, time\ntime.sleep(60 * os.path.exists('done.txt'))\n" + LEAKY)
    done = deep(tmp_path, "--deep-limit", "2")
    assert done.returncode == 5
    assert "causal could not be asked: " in done.stderr
    assert "may be sick" in done.stderr
    assert answers(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_skips_the_probe_and_not_the_report(tmp_path, number):
    write(tmp_path, "import os, time\ntime.sleep(60 * os.path.exists('done.txt'))\n" + LEAKY)
    errors = tmp_path / "stderr.txt"
    with errors.open("w") as stderr:
        child = subprocess.Popen(
            [sys.executable, "-m", "gradoctor", "run", "--deep", "train.py"],
            cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=stderr, env=ENV,
        )  # fmt: skip
        until = time.monotonic() + 200
        while "step 0" not in errors.read_text() and child.poll() is None:
            assert time.monotonic() < until
            time.sleep(0.1)
        child.send_signal(number)
        code = child.wait(60)
    said = errors.read_text()
    assert "probing was skipped" in said
    assert "may be sick" in said
    assert code == 5
    assert answers(tmp_path) == []


def test_in_chinese(tmp_path):
    write(tmp_path, LEAKY)
    done = deep(tmp_path, "--lang", "zh", GRADOCTOR_LANG="")
    assert "正在探查，最多 60 秒（按 Ctrl-C 跳过）：causal" in done.stderr
    assert "GD916 leakage：升为证实（原为疑似）" in done.stderr
