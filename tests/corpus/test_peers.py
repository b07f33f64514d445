"""The other tools: hosted without touching the training, and judged by their own words."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import corpus.peers.__main__ as peers
from corpus.cases import load_cases
from corpus.peers import comparison
from corpus.peers.__main__ import brief, verdict
from corpus.peers.host import TOOLS
from corpus.running import environment

ROOT = Path(__file__).parents[2]
THRESHOLDS = "SageMaker Debugger's thresholds"
SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(0, 3, (256,))
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
with torch.no_grad():
    model[0].bias.fill_({bias})
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(30):
    picked = torch.randint(0, 256, (32,))
    loss = nn.functional.cross_entropy(model(x[picked]), y[picked])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(float(loss), float(torch.rand(1)))
"""


def hosted(folder: Path, bias: float) -> tuple[dict, str]:
    script, out = folder / "script.py", folder / "said.json"
    script.write_text(SCRIPT.format(bias=bias))
    command = [sys.executable, "-m", "corpus.peers.host", str(out), str(script), THRESHOLDS]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)  # noqa: PLW1510
    assert not done.returncode, done.stderr
    return json.loads(out.read_text()), done.stdout


def test_thresholds_see_dead_units_and_say_nothing_of_live_ones(tmp_path):
    dead, _ = hosted(tmp_path, -50.0)
    assert "DeadRelu 1" in [s["message"] for s in dead["said"][THRESHOLDS]]
    live, _ = hosted(tmp_path, 0.0)
    assert live == {"steps": 30, "said": {THRESHOLDS: []}, "faults": {}}


def test_a_hosted_script_trains_as_it_does_alone(tmp_path):
    _, printed = hosted(tmp_path, 0.0)
    alone = subprocess.run(
        [sys.executable, str(tmp_path / "script.py")], env=environment(), capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert printed == alone.stdout


def message(severity: str, *codes: str) -> dict:
    return {"severity": severity, "message": severity, "codes": codes, "module": ""}


@pytest.mark.parametrize(
    ("said", "expected", "root"),
    [
        ([], "healthy", False),
        ([message("note", "GD901")], "healthy", False),
        ([message("suspect", "GD901")], "suspect", True),
        ([message("suspect", "GD901"), message("sick", "GD101")], "sick", False),
        ([message("sick", "GD101", "GD901"), message("sick", "GD401")], "sick", True),
    ],
)
def test_the_gravest_word_counts_and_the_first_of_them_is_the_root(said, expected, root):
    case = next(c for c in load_cases() if c.ill and c.accept[0] == "GD901")
    row = verdict(case, "a tool", {"said": {"a tool": said}, "faults": {}})
    assert (row["verdict"], row["root"], row["place"]) == (expected, root, False)


def test_a_tool_that_broke_the_script_has_no_verdict():
    case = next(c for c in load_cases() if c.kind == "healthy")
    row = verdict(case, "a tool", {"said": {}, "faults": {"a tool": "RuntimeError"}})
    assert row["error"] == "RuntimeError"
    assert "verdict" not in row


def test_an_error_is_told_in_one_sentence_and_without_places():
    fault = "RuntimeError: 'aten::ne.Scalar' failed. SparseCPU: at /home/x/site-packages [kernel]"
    assert brief(fault) == "RuntimeError: 'aten::ne.Scalar' failed."
    assert brief("ValueError: no\nFile /home/x/train.py") == "ValueError: no"
    errors = {row["error"] for row in comparison.kept() if "error" in row}
    assert errors
    assert not [error for error in errors if "site-packages" in error or len(error) > 200]


def test_without_the_tools_nothing_is_run_or_written(monkeypatch, capsys):
    monkeypatch.setattr(peers, "LIBRARY", peers.ROOT / "no-such-folder")
    monkeypatch.setattr("sys.argv", ["peers"])
    with pytest.raises(SystemExit) as stopped:
        peers.main()
    assert stopped.value.code == 2
    assert "run `make peers`" in capsys.readouterr().err


def test_every_message_that_is_known_has_a_meaning():
    from corpus.peers import meanings

    tables = [v for k, v in vars(meanings).items() if k.isupper() and isinstance(v, dict)]
    assert len(tables) == len(TOOLS) - 1
    assert all(codes for table in tables for codes in table.values())


def row(tool: str, kind: str, said: str, **more: object) -> dict:
    return {"tool": tool, "case": kind, "kind": kind, "seed": 0, "verdict": said, **more}


def test_tools_are_compared_on_the_runs_that_all_were_given():
    found = {"root": True, "place": False}
    ours = [row("gradoctor", "sick", "sick", **found), row("gradoctor", "healthy", "healthy")]
    other = [row("x", "healthy", "suspect")]
    lines = comparison.comparison(ours, other).splitlines()
    assert [cell.strip() for cell in lines[-1].split("|")[1:-1]] == [
        "x", "", "", "", "", "0 % (0/1)", "100 % (1/1)", "", "",
    ]  # fmt: skip
