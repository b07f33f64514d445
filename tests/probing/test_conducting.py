"""Trials of real scripts in child processes."""

from __future__ import annotations

import math

import pytest
from probed_scripts import CLASSIFIER, script

from gradoctor.store import open_run
from gradoctor.store.files import create_run
from gradoctor.trials import Course, Trial, conduct


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_stops_after_its_steps_and_leaves_files_alone(home, capfd):
    (home / "model.pt").write_text("the weights of last week")
    (home / "log.txt").write_text("before\n")
    seen = []
    course = conduct(Trial((script(home, CLASSIFIER),), steps=20), tick=seen.append)
    assert (course.ended, course.steps, len(set(course.batches))) == ("stopped", 20, 20)
    assert all(math.isfinite(loss) for loss in course.losses)
    assert (home / "model.pt").read_text() == "the weights of last week"
    assert (home / "log.txt").read_text() == "before\n"
    assert capfd.readouterr() == ("", "")
    assert seen == sorted(seen)


def test_arms_with_one_seed_see_the_same_batches(home):
    unseeded = CLASSIFIER.replace("torch.manual_seed(1)\n", "")
    target = (script(home, unseeded),)
    plain, again = (conduct(Trial(target, steps=10, seed=3)) for _ in range(2))
    other = conduct(Trial(target, steps=10, seed=4))
    assert plain.losses == again.losses
    assert plain.batches == again.batches
    assert plain.batches != other.batches


def test_a_rate_is_scaled_inside_the_step_alone(home):
    told = script(home, CLASSIFIER.replace("range(20)", "range(2)").replace(
        "print(scheduler", "raise RuntimeError(scheduler"
    ))  # fmt: skip
    plain = conduct(Trial((told,), steps=100))
    frozen = conduct(Trial((told,), {"learning_rate": {"factor": 0.0}}, steps=100))
    assert plain.error["type"] == frozen.error["type"] == "RuntimeError"
    assert frozen.error["message"].startswith("([0.1], ")
    assert plain.losses[0] == frozen.losses[0]
    assert plain.losses[-1] < frozen.losses[-1]
    assert plain.batches == frozen.batches


def test_a_script_that_ends_before_its_steps(home):
    course = conduct(Trial((script(home, CLASSIFIER.replace("range(20)", "range(1)")),)))
    assert (course.ended, course.steps) == ("finished", 8)


@pytest.mark.parametrize(
    ("text", "ended", "said"),
    [
        ("print(1)", "finished", ""),
        ("import torch\nraise ValueError('no data here')", "crashed", "no data here"),
        ("raise ValueError('before torch')", "crashed", "before torch"),
        ("import torch, os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "killed", ""),
        ("import sys; sys.exit(4)", "crashed", ""),
    ],
)
def test_scripts_that_do_not_train(home, text, ended, said):
    course = conduct(Trial((script(home, text),)))
    assert (course.ended, course.steps) == (ended, 0)
    assert said in course.said


def test_one_that_hangs_is_ended(home):
    course = conduct(Trial((script(home, "import torch, time\ntime.sleep(600)"),)), limit=4)
    assert course.ended == "timeout"


def test_a_whole_capture_goes_to_a_run_file(home):
    path = create_run(home / "arm.db", {"script": "train.py"})
    course = conduct(Trial((script(home, CLASSIFIER),), steps=12, db=str(path)))
    with open_run(path) as file:
        run = file.recording()
        site = next(s for s in run.of_kind("loss"))
        assert run.series("loss.value", site.id).values.tolist() == pytest.approx(course.losses)
        assert len(run.table("update.ratio").steps)


def test_a_module_and_its_arguments(home):
    package = home / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    script(package, CLASSIFIER.replace("torch.manual_seed(1)", "import sys\nassert sys.argv[1:] == "
                                       "['--lr', '1']"))  # fmt: skip
    assert conduct(Trial(("-m", "package.train", "--lr", "1"), steps=5)).steps == 5


def test_a_line_cut_short_is_left_out():
    lines = [
        '{"step": {"1": 2.0, "2": 9.0}, "batch": "a"}',
        '{"step": {"1": 1.0}}',
        '{"fact": {"n"',
    ]
    course = Course.from_lines(lines)
    assert (course.losses, course.batches, course.ended) == ((2.0, 1.0), ("a", ""), "killed")
