"""``gradoctor.watch`` in processes of its own."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import torch
from torch import nn
import gradoctor

model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
{start}
for _ in range(25):
    optimizer.zero_grad()
    loss = model(torch.randn(16, 4)).square().mean()
    loss.backward()
    optimizer.step()
{end}
"""


def run(cwd, *command):
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip


def test_a_forgotten_stop_is_made_up_for_at_the_end(tmp_path):
    start = "checkup = gradoctor.watch(model).start()"
    (tmp_path / "s.py").write_text(SCRIPT.format(start=start, end=""))
    done = run(tmp_path, "s.py")
    assert done.returncode == 0, done.stderr
    assert "25 steps watched" in done.stderr


def test_under_gradoctor_run_it_shares_the_run_and_reports_once(tmp_path):
    start = "checkup = gradoctor.watch(model).start()"
    end = "checkup.stop()\nprint(checkup.diagnosis().steps)"
    (tmp_path / "s.py").write_text(SCRIPT.format(start=start, end=end))
    done = run(tmp_path, "-m", "gradoctor", "run", "s.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in {"24", "25"}
    assert done.stderr.count("steps watched") == 1
    assert len(list((tmp_path / ".gradoctor").glob("*.db"))) == 1


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import sys, gradoctor; assert gradoctor.__version__; dir(gradoctor);"
        "print(sorted({'torch', 'numpy', 'click', 'rich', 'sqlite3'} & set(sys.modules)))"
    )
    assert run(None, "-c", code).stdout.strip() == "[]"
