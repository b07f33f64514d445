"""``gradoctor demo`` as a newcomer types it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gradoctor.commands._judge import judge
from gradoctor.commands.demo import changes, curve, listed
from gradoctor.demo import DEFAULT, DEMOS
from gradoctor.knowledge.language import Translator
from gradoctor.reporters._digest import location
from gradoctor.reporters._layout import cells


def demo(*args, cwd: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "gradoctor", "demo", *args],
        cwd=cwd, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def default(tmp_path_factory):
    pytest.importorskip("sklearn")
    folder = tmp_path_factory.mktemp("demo")
    before = os.times()
    done = demo(cwd=folder)
    after = os.times()  # processor time: the machine may have other work to do
    used = after.children_user + after.children_system - before.children_user
    return folder, done, used - before.children_system


def test_the_default_demo_ends_with_one_root_at_its_line(default):
    folder, done, seconds = default
    assert done.returncode == 0, done.stderr
    assert seconds < 60
    script = folder / ".gradoctor" / "demo" / "sigmoid_20.py"
    source = script.read_text().splitlines()
    line = next(i for i, text in enumerate(source, 1) if "linear = nn.Linear(" in text)
    assert f".gradoctor/demo/sigmoid_20.py:{line}: GD101 vanishing-gradient [sick]" in done.stderr
    found = judge(only(folder, "sigmoid_20-*.db"), {})
    roots = [f for f in found.findings if f.root]
    assert [f.code for f in roots] == ["GD101"]
    assert location(roots[0], found)[1] == line


def test_the_mended_twin_is_healthy(default):
    folder, done, _ = default
    assert judge(only(folder, "sigmoid_20_mended-*.db"), {}).verdict == "healthy"
    assert "healthy" in done.stdout.split("Side by side:")[1]
    assert "+        return nn.Sequential(linear, nn.BatchNorm1d(width), nn.ReLU())" in done.stdout


def only(folder, pattern):
    (found,) = (folder / ".gradoctor").glob(pattern)
    return found


def test_what_the_demo_prints_fits_eighty_columns(default):
    _, done, _ = default
    wide = [row for row in (done.stdout + done.stderr).splitlines() if cells(row.rstrip()) > 80]
    # a finding told in one line while the script runs, and a command to copy, are never wrapped
    assert [row for row in wide if "[sick]" not in row and "next:" not in row] == []


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_list_names_every_demo_once(tmp_path, lang):
    done = demo("--list", "--lang", lang, cwd=tmp_path)
    assert done.returncode == 0
    assert [row.split()[0] for row in done.stdout.splitlines()] == list(DEMOS)
    assert [row.split()[1] for row in done.stdout.splitlines()] == [d.code for d in DEMOS.values()]
    assert done.stdout.strip() == listed(Translator(lang))


@pytest.mark.parametrize(
    ("name", "hint"), [("sigmoid20", "Did you mean sigmoid-20?"), ("qqq", "demo --list")]
)
def test_an_unknown_name_is_one_clear_line(tmp_path, name, hint):
    done = demo(name, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert f"No demo '{name}'" in done.stderr
    assert hint in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_every_demo_changes_few_lines_and_no_docstring():
    assert DEFAULT in DEMOS
    for lesson in DEMOS.values():
        rows = changes(lesson).splitlines()
        assert 1 <= len(rows) <= 6, lesson.name
        assert not any('"""' in row for row in rows)


def test_a_curve_marks_what_is_not_finite():
    assert curve((0.0, 0.5, 1.0, None), 1.0, "ab") == "abbx"


@pytest.mark.slow
@pytest.mark.skipif(
    os.environ.get("GRADOCTOR_SLICE") != "all", reason="GRADOCTOR_SLICE=all runs every demo"
)
@pytest.mark.parametrize("name", [name for name in DEMOS if name != DEFAULT])
def test_every_demo_shows_its_finding_and_its_twin_is_healthy(tmp_path, name):
    done = demo(name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    stem = name.replace("-", "_")
    found = judge(only(tmp_path, f"{stem}-*.db"), {})
    assert [f.code for f in found.findings if f.root] == [DEMOS[name].code]
    root = next(f for f in found.findings if f.root)
    assert location(root, found)[1] is not None
    assert judge(only(tmp_path, f"{stem}_mended-*.db"), {}).verdict == "healthy"
