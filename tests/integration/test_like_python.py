"""A script under ``gradoctor run`` sees and does what it would under plain Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROBE = """
import json, os, sys, threading
names_at_start = sorted(n for n in globals() if n != "names_at_start")
import torch
from torch import nn
torch.manual_seed(0)
model = nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    optimizer.zero_grad()
    model(torch.ones(2, 4)).sum().backward()
    optimizer.step()
print(json.dumps({
    "argv": sys.argv, "name": __name__, "file": __file__, "package": __package__,
    "spec": __spec__ and __spec__.name, "doc": __doc__, "cwd": os.getcwd(), "path0": sys.path[0],
    "path": sys.path, "names": names_at_start, "flags": repr(sys.flags),
    "main": sys.modules["__main__"].__dict__ is globals(), "orig_argv": sys.orig_argv[1:],
    "stdin": sys.stdin.read(), "isatty": sys.stdin.isatty(), "executable": sys.executable,
    "annotations": repr(globals().get("__annotations__")), "hash": os.environ.get("PYTHONHASHSEED"),
    "signals": [str(__import__("signal").getsignal(s)) for s in (2, 15)],
    "main_thread": threading.current_thread() is threading.main_thread(),
    "sitecustomize": "sitecustomize" in sys.modules, "rng": torch.rand(3).tolist(),
    "warnings": [str(f) for f in __import__("warnings").filters],
}))
print("to stderr", file=sys.stderr)
raise SystemExit(7)
"""


def native(*args: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *args], cwd=cwd, input=stdin, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip


def watched(*args: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return native("-m", "gradoctor", "run", "--quiet", *args, cwd=cwd, stdin=stdin)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "probe.py").write_text(PROBE)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "probe.py").write_text(PROBE)
    return tmp_path


@pytest.mark.parametrize(
    "args",
    [
        ["probe.py", "--epochs", "3", "-m", "x", "--", "--json"],
        ["-m", "package.probe", "-h"],
        ["./package/probe.py"],
    ],
    ids=["script", "module", "script in a folder"],
)
def test_all_that_a_script_can_see(folder: Path, args: list[str]) -> None:
    text = "first line\nsecond — 第二行\n"
    plain, ours = native(*args, cwd=folder, stdin=text), watched(*args, cwd=folder, stdin=text)
    assert json.loads(ours.stdout) == json.loads(plain.stdout)
    assert ours.returncode == plain.returncode == 7
    assert ours.stderr == plain.stderr == "to stderr\n"


def test_output_comes_as_it_is_written(folder: Path) -> None:
    (folder / "bytes.py").write_text(
        "import sys, torch\nsys.stdout.buffer.write(bytes(range(256)))\nprint()\n"
    )
    command = [sys.executable, "-m", "gradoctor", "run", "--quiet", "bytes.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=120, check=False)
    assert done.stdout == bytes(range(256)) + os.linesep.encode()


FAILURES = {
    "in backward": "loss = model(x).sum()\nloss.backward()\nloss.backward()",
    "in a forward": "model(torch.ones(3, 5))",
    "in a functional": "nn.functional.cross_entropy(model(x), torch.tensor([9, 9]))",
    "in an optimizer": "torch.optim.SGD([], lr=0.1)",
    "in a loader": "list(torch.utils.data.DataLoader([1, 'a', None]))",
    "with a cause": "try:\n    model(torch.ones(3, 5))\nexcept RuntimeError as e:\n"
    "    raise ValueError('again') from e",
    "printed by the script": "import traceback\ntry:\n    torch.ones(1).backward()\n"
    "except RuntimeError:\n    traceback.print_exc()",
}
BEFORE = "import torch\nfrom torch import nn\nmodel = nn.Linear(4, 2)\nx = torch.ones(2, 4)\n"


@pytest.mark.parametrize("name", FAILURES)
def test_tracebacks_show_the_users_lines_and_none_of_ours(folder: Path, name: str) -> None:
    (folder / "fails.py").write_text(BEFORE + FAILURES[name] + "\n")
    plain, ours = native("fails.py", cwd=folder), watched("fails.py", cwd=folder)
    assert ours.returncode == plain.returncode
    assert "gradoctor" not in ours.stderr
    assert frames(ours.stderr) == frames(plain.stderr)
    assert ours.stderr.splitlines()[-1] == plain.stderr.splitlines()[-1]


def frames(text: str) -> list[str]:
    """The user's own lines of a traceback."""
    return [line for line in text.splitlines() if 'fails.py"' in line or "Error" in line]


def test_flags_of_the_interpreter_reach_the_script(folder: Path) -> None:
    (folder / "flags.py").write_text("import sys\nprint(sys.flags.optimize, sys._xoptions)\n")
    command = ["-O", "-X", "importtime=0", "-W", "error::FutureWarning"]
    plain = native(*command, "flags.py", cwd=folder)
    ours = native(*command, "-m", "gradoctor", "run", "--quiet", "flags.py", cwd=folder)
    assert ours.stdout == plain.stdout
