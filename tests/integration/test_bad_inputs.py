"""Bad input: one clear line, the right exit code, no traceback of ours."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gradoctor.store import create_run

TORCH = "import torch\nmodel = torch.nn.Linear(2, 1)\n"
STEP = """
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model(torch.ones(3, 2)).sum().backward()
optimizer.step()
"""


def python(*args: object, cwd: Path, **kwargs) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *map(str, args)], cwd=cwd, capture_output=True, text=True, timeout=120,
        check=False, env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "80"}, **kwargs,
    )  # fmt: skip


def gradoctor(*args: object, cwd: Path, **kwargs) -> subprocess.CompletedProcess:
    return python("-m", "gradoctor", *args, cwd=cwd, **kwargs)


def refused(done: subprocess.CompletedProcess, *words: str) -> str:
    """One line that says what, where and what to do; nothing on stdout; exit code 2."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    assert lines[0].endswith(".")
    for word in words:
        assert word in lines[0]
    return lines[0]


def nothing_left(folder: Path) -> None:
    assert not (folder / ".gradoctor").exists()


# ---- scripts that cannot run ---------------------------------------------------------------------
def test_no_such_script(tmp_path):
    refused(gradoctor("run", "train.py", cwd=tmp_path), "No such script: train.py", "Check")
    nothing_left(tmp_path)


def test_a_folder_that_is_no_program(tmp_path):
    (tmp_path / "src").mkdir()
    refused(gradoctor("run", "src", cwd=tmp_path), "src is a folder", "Name a script")
    nothing_left(tmp_path)


def test_a_folder_with_a_main_runs_as_under_python(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "__main__.py").write_text("import sys; print(sys.argv, sys.path[0])")
    done = gradoctor("run", "src", "--x", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, python("src", "--x", cwd=tmp_path).stdout)


def test_a_binary_is_not_python(tmp_path):
    (tmp_path / "model.pt").write_bytes(b"\x80\x02\0\0" + os.urandom(2000))
    refused(gradoctor("run", "model.pt", cwd=tmp_path), "model.pt is not a Python script")
    nothing_left(tmp_path)


@pytest.mark.parametrize("suffix", [".pyz", ".zip", ""])
def test_a_zipped_program_runs_whatever_its_name(tmp_path, suffix):
    import zipfile

    with zipfile.ZipFile(tmp_path / f"app{suffix}", "w") as file:
        file.writestr("__main__.py", "import sys; print('zipped', sys.argv[1:]); sys.exit(5)")
    done = gradoctor("run", f"app{suffix}", "1", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (5, "zipped ['1']\n")


def test_no_script_at_all(tmp_path):
    done = gradoctor("run", cwd=tmp_path)
    assert done.returncode == 2
    assert "Missing argument" in done.stderr


# ---- scripts that fail ---------------------------------------------------------------------------
FAILING = {
    "a syntax error": "def f(:\n    pass\n",
    "wrong indentation": "if True:\nprint(1)\n",
    "null bytes later": "x = 1\n" * 2000 + "\0\n",
    "not utf-8": b"# caf\xe9\nx = 1\n",
    "a missing module": "import nonexistent_module_of_nobody\n",
    "an error in a function": "def inner():\n    return 1 / 0\n\n\ninner()\n",
    "an error with a cause": "try:\n    {}[1]\nexcept KeyError as e:\n    raise OSError from e\n",
    "an interrupt": "raise KeyboardInterrupt\n",
    "an exit with words": "import sys\nsys.exit('all is lost')\n",
    "an exit with a big code": "import sys\nsys.exit(300)\n",
    "an exit without cleaning up": "import os\nos._exit(7)\n",
    "an exit with nothing": "raise SystemExit\n",
    "an error at import of torch": "import torch\nimport torch.nonexistent_part\n",
    "an error in the middle": TORCH + STEP + "print('half', flush=True)\n[1, 2][5]\n",
    "an exit with a code": TORCH + "import sys\nsys.exit(3)\n",
    "backward twice": TORCH + "y = (model(torch.ones(3, 2)) ** 2).sum()\n" + 2 * "y.backward()\n",
    "a bad argument of a module": "import torch\ntorch.nn.Linear(2)\n",
    "a bad argument of clipping": TORCH + "torch.nn.utils.clip_grad_norm_(3, 1.0)\n",
    "an error in forward": TORCH + (
        "class Net(torch.nn.Module):\n    def forward(self, x):\n        return x.nothing\n"
        "net = torch.nn.Sequential(model, Net())\nnet(torch.ones(3, 2))\n"
    ),
    "an error in a closure": TORCH + (
        "def closure():\n    raise RuntimeError('in closure')\n"
        "torch.optim.LBFGS(model.parameters()).step(closure)\n"
    ),
    "an error in a gradient": TORCH + (
        "def hook(g):\n    raise RuntimeError('in hook')\n"
        "y = model(torch.ones(3, 2)).sum()\ny.register_hook(hook)\ny.backward()\n"
    ),
}  # fmt: skip
# torch itself goes another way through its own code while anybody's global hooks are installed
OTHER_FRAMES_OF_TORCH = {"an error in forward"}


def without_torch(traceback: str) -> str:
    """A traceback less the frames within torch."""
    return re.sub(r'  File "[^"]*/torch/[^"]*", line .*\n(    .*\n)*', "", traceback)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return tmp_path_factory.mktemp("failing")


@pytest.mark.parametrize("name", FAILING)
def test_a_script_that_fails_fails_as_under_python(places, name):
    """Same exit code, same output, the same traceback to the letter; then our report."""
    source = FAILING[name]
    script = places / "train.py"
    script.write_bytes(source if isinstance(source, bytes) else source.encode())
    alone = python("train.py", cwd=places)
    done = gradoctor("run", "--quiet", "--force", "--db", "run.db", "train.py", cwd=places)
    assert done.returncode == alone.returncode
    assert done.stdout == alone.stdout
    if name in OTHER_FRAMES_OF_TORCH:
        assert without_torch(done.stderr) == without_torch(alone.stderr)
        assert "Traceback" in done.stderr
    else:
        assert done.stderr == alone.stderr


def test_the_report_follows_the_scripts_own_traceback(tmp_path):
    (tmp_path / "train.py").write_text(FAILING["an error in the middle"])
    alone = python("train.py", cwd=tmp_path)
    done = gradoctor("run", "train.py", cwd=tmp_path)
    assert done.returncode == alone.returncode
    assert done.stderr.startswith(alone.stderr)
    report = done.stderr.removeprefix(alone.stderr)
    assert "train.py" in report
    assert "Traceback" not in report
    shown = gradoctor("show", cwd=tmp_path)
    assert shown.returncode == 0
    assert "train.py" in shown.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_script_that_a_signal_ends(tmp_path, number):
    (tmp_path / "train.py").write_text(
        TORCH + f"import os\nprint('up', flush=True)\nos.kill(os.getpid(), {int(number)})\n"
    )
    done = gradoctor("run", "train.py", cwd=tmp_path)
    assert done.returncode == -number
    assert done.stdout == "up\n"
    assert "Traceback" not in done.stderr
    assert gradoctor("show", cwd=tmp_path).returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_signal_sent_to_us_reaches_the_script(tmp_path):
    (tmp_path / "train.py").write_text(
        "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\n"
        "print('up', flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-m", "gradoctor", "run", "train.py"], cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as run:  # fmt: skip
        run.stdout.readline()
        run.send_signal(signal.SIGTERM)
        _, said = run.communicate(timeout=60)
    assert run.returncode == 9
    assert "Traceback" not in said


# ---- where nothing can be written ----------------------------------------------------------------
def test_a_run_file_where_none_can_be(tmp_path):
    (tmp_path / "train.py").write_text("print('ran')\n")
    (tmp_path / "file").touch()
    for place, word in [
        ("file/run.db", "does not exist"),
        ("none/run.db", "does not exist"),
        (".", "is a folder"),
        ("train.py", "not a gradoctor run file"),
    ]:
        refused(gradoctor("run", "--db", place, "train.py", cwd=tmp_path), place, word)
    assert (tmp_path / "train.py").read_text() == "print('ran')\n"


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc")
def test_a_read_only_folder_for_the_run_file(tmp_path):
    """/proc refuses new files to root too."""
    (tmp_path / "train.py").write_text("print('ran')\n")
    done = gradoctor("run", "--db", "/proc/run.db", "train.py", cwd=tmp_path)
    refused(done, "/proc/run.db", "--db FILE")


def test_a_working_folder_where_nothing_can_be_written(tmp_path):
    (tmp_path / "train.py").write_text("import sys\nprint('ran')\nsys.exit(4)\n")
    (tmp_path / ".gradoctor").write_text("in the way")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    os.environ["TMPDIR"] = str(temporary)
    try:
        done = gradoctor("run", "train.py", cwd=tmp_path)
    finally:
        del os.environ["TMPDIR"]
    assert (done.returncode, done.stdout) == (4, "ran\n")
    assert "cannot write here; recording into" in done.stderr.splitlines()[0]
    assert len(list(temporary.glob("gradoctor-*/train-*.db"))) == 1


@pytest.mark.parametrize("option", ["--json", "--html"])
def test_a_report_that_cannot_be_written_is_refused_before_the_training(tmp_path, option):
    (tmp_path / "train.py").write_text("print('ran')\n")
    for place, word in [("none/out", "does not exist"), (".", "is a folder")]:
        refused(gradoctor("run", option, place, "train.py", cwd=tmp_path), place, word)
    nothing_left(tmp_path)


def test_a_report_whose_place_goes_away_does_not_change_the_scripts_code(tmp_path):
    (tmp_path / "out").mkdir()
    for code, wanted in [(0, 2), (6, 6)]:
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "train.py").write_text(f"import os, sys\nos.rmdir('out')\nsys.exit({code})\n")
        done = gradoctor("run", "--quiet", "--json", "out/r.json", "train.py", cwd=tmp_path)
        assert done.returncode == wanted
        assert done.stderr.startswith("error: Cannot write out/r.json")
        assert len(done.stderr.splitlines()) == 1


def test_two_runs_with_one_name(tmp_path):
    (tmp_path / "long.py").write_text("print('up', flush=True)\ninput()\n")
    (tmp_path / "train.py").write_text("print('ran')\n")
    with subprocess.Popen(
        [sys.executable, "-m", "gradoctor", "run", "--quiet", "--db", "run.db", "long.py"],
        cwd=tmp_path, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as first:  # fmt: skip
        first.stdout.readline()
        for force in ([], ["--force"]):
            done = gradoctor("run", *force, "--db", "run.db", "train.py", cwd=tmp_path)
            refused(done, "run.db is being written by another run", "--db")
        first.communicate("\n", timeout=60)
    assert first.returncode == 0
    refused(gradoctor("run", "--db", "run.db", "train.py", cwd=tmp_path), "earlier run", "--force")
    done = gradoctor("run", "--force", "--db", "run.db", "train.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "ran\n")


# ---- show, rules, explain ------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("content", "word"),
    [(None, "No run file"), (b"", "not a gradoctor"), (b"words " * 99, "not a gradoctor")],
    ids=["missing", "empty", "text"],
)
def test_showing_what_is_no_run_file(tmp_path, content, word):
    if content is not None:
        (tmp_path / "some.db").write_bytes(content)
    refused(gradoctor("show", "some.db", cwd=tmp_path), "some.db", word)


def test_showing_a_folder_or_nothing(tmp_path):
    refused(gradoctor("show", ".", cwd=tmp_path), "is a folder")
    refused(gradoctor("show", cwd=tmp_path), "No run was recorded in this folder", "gradoctor run")


def test_showing_a_file_that_is_cut_short_or_newer(tmp_path):
    path = create_run(tmp_path / "run.db", {"gradoctor": "9.9"})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(gradoctor("show", "run.db", cwd=tmp_path), "run.db is damaged or cut short", "again")
    path.write_bytes(whole)
    db = sqlite3.connect(path)
    db.execute("pragma user_version = 99")
    db.commit()
    db.close()
    refused(gradoctor("show", "run.db", cwd=tmp_path), "newer gradoctor, 9.9", "Upgrade")


def test_an_unknown_rule(tmp_path):
    line = refused(gradoctor("explain", "GD999", cwd=tmp_path), "No rule 'GD999'")
    assert "gradoctor rules" in line
    line = refused(gradoctor("explain", "vanishing-gradent", cwd=tmp_path))
    assert re.search(r"Did you mean vanishing-gradient", line)


@pytest.mark.parametrize("args", [("frobnicate",), ("run", "--frobnicate", "x.py"),
                                  ("run", "--budget", "much", "x.py")])  # fmt: skip
def test_a_command_or_option_that_does_not_exist(tmp_path, args):
    (tmp_path / "x.py").write_text("print('ran')\n")
    started = time.monotonic()
    done = gradoctor(*args, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "ran" not in done.stdout
    assert time.monotonic() - started < 30
