"""``gradoctor lab`` as it is typed, with claims and experiments of the tests' own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gradoctor.commands.lab import find, finite
from gradoctor.errors import GradoctorError
from gradoctor.knowledge.claims import CLAIMS
from gradoctor.reporters._layout import cells

from .test_bad_inputs import gradoctor, refused

# Each Python of a test begins with this: other claims, and a module of experiments beside ours.
BEGIN = """
from pathlib import Path
import gradoctor.experiments
from gradoctor.knowledge.claims import CLAIMS, Claim
from gradoctor.knowledge.language import Words
from gradoctor.lab import EXPERIMENTS
CLAIMS.clear()
EXPERIMENTS.clear()
for number, name in enumerate(("quick", "slow", "crash", "hangs"), 901):
    text = Words(f"The {name} experiment is interesting.", f"{name} 实验很有意思。")
    CLAIMS[number] = Claim(number, "depth", text, "true", Words("Because.", "因为。"))
    EXPERIMENTS[number] = f"made:{name}"
gradoctor.experiments.__path__.append(str(Path(__file__).parent))
"""
MADE = """
import time
from pathlib import Path
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Bars
from gradoctor.lab import Outcome, Spread
here = Path(__file__).parent
def made(name):
    with (here / "ran").open("a") as file:
        file.write(name + " ")
    bars = Bars(Words("Slopes", "斜率"), (Words.same("ReLU"),), (1.0,))
    verdict = (here / "verdict").read_text() if (here / "verdict").exists() else "true"
    figures = {"slope": Spread(0.25, 0.2, 0.3, 3), "odd": Spread.of([float("inf")])}
    return Outcome(verdict, Words("It is 0.25.", "为 0.25。"), figures, (bars,), 3)
def quick():
    return made("quick")
def slow():
    while not (here / "go").exists():
        time.sleep(0.02)
    return made("slow")
def crash():
    raise ValueError("no such thing")
hangs = slow
"""


@pytest.fixture
def fakes(tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    folder = tmp_path / "fakes"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(BEGIN)
    (folder / "made.py").write_text(MADE)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


def ran(fakes: Path) -> list[str]:
    file = fakes / "ran"
    return sorted(file.read_text().split()) if file.exists() else []


# ---- one claim -----------------------------------------------------------------------------------
def test_a_claim_is_tested_once_and_then_shown(tmp_path, fakes):
    first = gradoctor("lab", "901", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    for said in ("The quick experiment", "true  as expected", "It is 0.25.", "Because.", "3 seeds",
                 "Slopes", "████"):  # fmt: skip
        assert said in first.stdout
    assert first.stderr.splitlines() == ["[1/1] 901 true"]
    second = gradoctor("lab", "901", cwd=tmp_path)
    assert second.stdout == first.stdout
    assert second.stderr == ""
    assert ran(fakes) == ["quick"]
    gradoctor("lab", "901", "--again", cwd=tmp_path)
    assert ran(fakes) == ["quick", "quick"]


def test_a_change_of_verdict_and_a_surprise_are_told(tmp_path, fakes):
    gradoctor("lab", "901", cwd=tmp_path)
    (fakes / "verdict").write_text("partly")
    done = gradoctor("lab", "901", "--again", cwd=tmp_path)
    assert "partly true  expected: true" in done.stdout
    assert "an earlier run said: true" in done.stdout
    assert "[1/1] 901 partly true (expected: true)" in done.stderr
    listed = gradoctor("lab", "--lang", "zh", cwd=tmp_path).stdout
    assert "901  部分正确" in listed
    assert "902  —" in listed


def test_a_change_of_the_sources_is_a_new_run(tmp_path, fakes):
    gradoctor("lab", "901", cwd=tmp_path)
    with (fakes / "made.py").open("a") as file:
        file.write("# better\n")
    listed = gradoctor("lab", cwd=tmp_path).stdout
    assert "901  true*" in listed
    assert "* from a run of another version" in listed
    gradoctor("lab", "901", cwd=tmp_path)
    assert ran(fakes) == ["quick", "quick"]


def test_a_broken_result_is_measured_anew(tmp_path, fakes):
    gradoctor("lab", "901", cwd=tmp_path)
    (tmp_path / ".gradoctor" / "lab" / "901.json").write_text('{"number": 901, "outco')
    assert "901  —" in gradoctor("lab", cwd=tmp_path).stdout
    assert gradoctor("lab", "901", cwd=tmp_path).returncode == 0
    assert ran(fakes) == ["quick", "quick"]


@pytest.mark.usefixtures("fakes")
def test_a_failure_is_told_in_its_own_words(tmp_path):
    done = gradoctor("lab", "crash", "901", cwd=tmp_path)
    assert done.returncode == 1
    assert "Failed   it ended with exit code 1" in done.stdout
    assert "ValueError: no such thing" in done.stdout
    assert "true  as expected" in done.stdout
    assert "903 failed: it ended with exit code 1: ValueError: no such thing" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("fakes")
def test_an_output_that_is_not_utf8_is_no_fault(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = gradoctor("lab", "901", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "#####" in done.stdout


# ---- all of them ---------------------------------------------------------------------------------
def until(child: subprocess.Popen, said: str) -> str:
    """What the child says on stderr, up to a line that has this."""
    heard = ""
    for line in child.stderr:
        heard += line
        if said in line:
            return heard
    raise AssertionError(heard)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_goes_on_where_it_was(tmp_path, fakes, number):
    command = [sys.executable, "-m", "gradoctor", "lab", "--all", "--jobs", "4"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as child:
        heard = until(child, "] 901 ")
        child.send_signal(number)
        heard += child.stderr.read()
    assert child.returncode == 130
    assert "stopped: 1 result is kept; the same command goes on from there" in heard
    assert not (tmp_path / "lab.html").exists()
    assert no_experiment_runs(fakes)
    (fakes / "go").touch()
    done = gradoctor("lab", "--all", cwd=tmp_path)
    assert done.returncode == 1  # one crashes
    assert "true: 3" in done.stdout
    assert " 901 " not in done.stderr
    assert ran(fakes) == ["quick", "slow", "slow"]
    page = (tmp_path / "lab.html").read_text(encoding="utf-8")
    assert page.count('data-verdict="true"') == 3
    assert "ValueError: no such thing" in page


def no_experiment_runs(fakes: Path) -> bool:
    """Whether every process that was started for an experiment of this test has ended."""
    mine = f"PYTHONPATH={fakes}".encode()
    for _ in range(200):
        if not any(mine in environ(pid) for pid in Path("/proc").glob("[0-9]*")):
            return True
        time.sleep(0.02)
    return False


def environ(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""


@pytest.mark.usefixtures("fakes")
def test_pages_and_data_are_written_of_what_is_kept(tmp_path):
    gradoctor("lab", "901", cwd=tmp_path)
    done = gradoctor("lab", "--html", "a.html", "--json", "a.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == ["written: a.html", "written: a.json"]

    def strict(constant):
        raise AssertionError(constant)

    data = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"), parse_constant=strict)
    (result,) = data["results"]
    assert result["number"] == 901
    assert result["expected"] == "true"
    assert result["outcome"]["figures"]["slope"] == [0.25, 0.2, 0.3, 3]
    assert result["outcome"]["figures"]["odd"] == [None, None, None, 1]
    assert data["failed"] == []
    assert (tmp_path / "a.html").read_text(encoding="utf-8").count('data-verdict="untested"') == 3


# ---- what is typed -------------------------------------------------------------------------------
@pytest.mark.usefixtures("fakes")
def test_what_no_claim_has_is_one_clear_line(tmp_path):
    refused(gradoctor("lab", "899", cwd=tmp_path), "No claim 899.", "Did you mean 901?")
    refused(gradoctor("lab", "quik", cwd=tmp_path), "'quik'", "Did you mean quick?")
    for option in ("--html", "--json"):
        gone = gradoctor("lab", "901", option, "nowhere/x", cwd=tmp_path)
        refused(gone, "Cannot write nowhere/x", "Choose another file.")
    (tmp_path / ".gradoctor").write_text("")
    refused(gradoctor("lab", "901", cwd=tmp_path), "Cannot write", "Change to a folder")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_list_names_every_claim_in_eighty_columns(tmp_path, lang):
    done = gradoctor("lab", "--lang", lang, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()
    listed = [int(row[:4]) for row in rows if row[:4].strip().isdecimal()]
    assert sorted(listed) == sorted(CLAIMS)
    assert max(map(cells, rows)) <= 80
    assert list(tmp_path.iterdir()) == []


def test_claims_are_found_by_number_topic_and_word():
    number = next(iter(CLAIMS))
    assert find([str(number), str(number)]) == [number]
    assert set(find(["depth"])) == {n for n, c in CLAIMS.items() if c.topic == "depth"}
    assert number in find([CLAIMS[number].text.zh[:6]])
    assert number in find([CLAIMS[number].text.en[:12].upper()])
    with pytest.raises(GradoctorError):
        find([" "])


def test_json_has_neither_nan_nor_infinity():
    assert finite({"a": [1.0, float("nan"), (float("inf"), "x")]}) == {
        "a": [1.0, None, [None, "x"]]
    }


def test_help_shows_examples(tmp_path):
    assert "gradoctor lab 3 --again" in gradoctor("lab", "--help", cwd=tmp_path).stdout


# ---- the real experiments ------------------------------------------------------------------------
def test_an_experiment_gives_the_same_figures_each_time(tmp_path):
    pytest.importorskip("sklearn")
    outs = [tmp_path / "a.json", tmp_path / "b.json"]
    for out in outs:
        command = [sys.executable, "-m", "gradoctor.experiments", "2", "--out", str(out)]
        subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert outs[0].read_text() == outs[1].read_text()
    assert json.loads(outs[0].read_text())["figures"]


def test_an_unknown_experiment_is_refused(tmp_path):
    command = [sys.executable, "-m", "gradoctor.experiments", "9999", "--out", "x.json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "9999" in done.stderr
