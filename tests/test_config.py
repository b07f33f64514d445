"""``[tool.gradoctor]`` of a user's pyproject.toml."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gradoctor.commands._config import OPTIONS, settings
from gradoctor.commands.run import run
from gradoctor.errors import GradoctorError


def written(folder: Path, text: str) -> Path:
    (folder / "pyproject.toml").write_text(text)
    return folder


def test_every_setting_is_an_option_of_run():
    parameters = {p.name for p in run.params}
    assert {parameter for _, parameter in OPTIONS.values()} <= parameters
    words = {word for p in run.params for word in p.opts}
    assert {f"--{key}" for key in OPTIONS} <= words


def test_the_nearest_table_above_counts(tmp_path):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    written(tmp_path, '[tool.gradoctor]\nlang = "zh"\nselect = ["GD1", "GD9"]\nbudget = 0.05\n')
    written(tmp_path / "a", "[tool.other]\nx = 1\n")
    assert settings(inner) == {"lang": "zh", "select": ["GD1", "GD9"], "budget": "0.05"}
    written(inner, '[tool.gradoctor]\nignore = "GD805"\n')
    assert settings(inner) == {"ignore": ["GD805"]}


@pytest.mark.parametrize("text", ["", "[tool]\n", "not toml = = 1", "[tool.gradoctor]\n"])
def test_nothing_to_read_is_nothing_set(tmp_path, text):
    assert settings(written(tmp_path, text)) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour = true", "no option 'colour'"),
        ("quiet = 1", "quiet is of type int"),
        ("budget = true", "budget is of type bool"),
        ("select = 3", "select is of type int"),
    ],
)
def test_a_wrong_setting_is_told(tmp_path, text, words):
    with pytest.raises(GradoctorError, match=words):
        settings(written(tmp_path, f"[tool.gradoctor]\n{text}\n"))


def gradoctor(*args, cwd):
    return subprocess.run(
        [sys.executable, "-m", "gradoctor", *args], cwd=cwd, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip


def test_what_is_typed_wins_over_what_is_set(tmp_path):
    written(tmp_path, '[tool.gradoctor]\nlang = "zh"\njson = "out.json"\nselect = ["GD101"]\n')
    (tmp_path / "s.py").write_text("print('done')\n")
    done = gradoctor("run", "s.py", cwd=tmp_path)
    assert done.stdout == "done\n"
    assert "没有见到训练步" in done.stderr
    assert json.loads((tmp_path / "out.json").read_text())["verdict"] == "healthy"
    done = gradoctor("run", "--lang", "en", "s.py", cwd=tmp_path)
    assert "no training step was seen" in done.stderr


@pytest.mark.parametrize("args", [("--select", "GD999"), ("--ignore", "nonsense")])
def test_an_unknown_rule_is_refused_before_the_script_runs(tmp_path, args):
    (tmp_path / "s.py").write_text("print('ran')\n")
    done = gradoctor("run", *args, "s.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "No rule is called" in done.stderr
