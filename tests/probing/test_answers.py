"""What probes make of numbers; nothing runs here."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest

from gradoctor.errors import GradoctorError
from gradoctor.knowledge.plots import Plot
from gradoctor.probes import PROBES, Answer
from gradoctor.probes.asking import check, finished
from gradoctor.probes.paired import paired, sign_test
from gradoctor.reporters import probe as reporter
from gradoctor.reporters._probe_words import CAUTIONS, DID, LABELS, SAID
from gradoctor.trials import Course

STEPS = 200
NOISE = np.random.default_rng(5).normal(0, 0.1, STEPS)


def falling(rate: float, begin: float = 2.3, noise: float = 1.0) -> Course:
    """A loss that falls exponentially, with the noise of its batches."""
    losses = begin * np.exp(-rate * np.arange(STEPS)) + noise * NOISE
    return course(losses)


def course(losses, **facts) -> Course:
    values = tuple(map(float, losses))
    return Course(values, tuple(f"b{i}" for i in range(len(values))), facts, "stopped")


def answered(name: str, courses: dict[str, Course]) -> Answer:
    return finished(PROBES[name].answer(courses), courses)


class TestPairs:
    def test_the_sign_test_is_that_of_a_fair_coin(self):
        assert sign_test(5, 10) == 1.0
        assert sign_test(0, 10) == pytest.approx(2 / 1024)
        assert sign_test(0, 0) == 1.0

    def test_noise_that_both_share_hides_nothing(self):
        found = paired(falling(0.005), falling(0.02))
        assert found.better
        assert not found.worse
        assert found.same

    def test_noise_of_their_own_is_no_difference(self):
        other = course(2.3 * np.exp(-0.01 * np.arange(STEPS)) + NOISE[::-1])
        found = paired(falling(0.01), other)
        assert not found.better
        assert not found.worse

    def test_two_runs_that_drift_apart_are_no_difference(self):
        """The test by batch alone would take a random walk between the arms for one."""
        base, sure = falling(0.01, noise=0.0), 0
        for seed in range(40):
            walk = np.cumsum(np.random.default_rng(seed).normal(0, 0.01, STEPS))
            found = paired(base, course(np.array(base.losses) + walk))
            sure += found.p < 0.01
            assert not found.better
            assert not found.worse
        assert sure, "or this tests nothing"

    @pytest.mark.parametrize("bad", [math.nan, math.inf, 50.0])
    def test_divergence(self, bad):
        losses = [2.0] * 100 + [bad] * 100
        found = paired(falling(0.01), course(losses))
        assert found.diverged
        assert found.worse
        assert not found.better

    def test_other_batches_are_told(self):
        other = Course(falling(0.01).losses, tuple("x" * STEPS), {}, "stopped")
        assert not paired(falling(0.01), other).same


class TestLearningRate:
    def verdict(self, base: Course, low: Course, high: Course) -> Answer:
        return answered("learning-rate", {"x1": base, "x0.1": low, "x10": high})

    def test_higher(self):
        found = self.verdict(falling(0.001), falling(0.0001), falling(0.01))
        assert (found.verdict, found.bad) == ("higher", False)
        assert "short-horizon" in found.cautions

    def test_right(self):
        assert self.verdict(falling(0.02), falling(0.002), falling(0.02)).verdict == "right"

    def test_too_high_with_and_without_divergence(self):
        burst = course([2.3, 9.0, *([math.nan] * 198)])
        found = self.verdict(burst, falling(0.01), burst)
        assert (found.verdict, found.bad) == ("lower", True)
        hovering = course(2.0 + NOISE)
        assert self.verdict(hovering, falling(0.01), hovering).verdict == "lower"

    def test_neither(self):
        flat = course(2.3 + NOISE)
        assert self.verdict(flat, flat, flat).verdict == "not-the-rate"
        burst = course([2.3] + [math.nan] * 199)
        assert self.verdict(burst, burst, burst).verdict == "diverges-anyway"


class TestOverfit:
    def verdict(self, values, accuracy=(), batches="a", whole=False, **seen) -> Answer:
        facts = {"by": "loader", "cut": True, "samples": 8, "of": 32, "losses": ["mse_loss"],
                 "optimizers": 1, "floor": 0.0, "accuracy": list(accuracy), **seen}  # fmt: skip
        values = tuple(map(float, values))
        run = Course(values, (batches,) * len(values), {"first_batch": facts}, "stopped")
        courses = {"8 samples": run}
        if whole:
            courses = {"8 samples": Course(ended="crashed"), "whole batch": run}
        return answered("overfit", courses)

    def test_by_heart(self):
        assert self.verdict(2.3 * np.exp(-0.05 * np.arange(100))).verdict == "memorises"
        noisy = self.verdict([2.3] * 10 + [0.9] * 10, [0.1] * 10 + [1.0] * 10)
        assert noisy.verdict == "memorises", "label smoothing leaves a floor"

    def test_above_a_known_floor(self):
        losses = 0.6 + 0.1 * np.exp(-0.05 * np.arange(100))
        assert self.verdict(losses, floor=0.6).verdict == "memorises"
        assert self.verdict(losses).verdict == "stuck"

    def test_stuck_falling_part(self):
        found = self.verdict(2.3 + 0.01 * NOISE, [0.125] * STEPS)
        assert (found.verdict, found.bad) == ("stuck", True)
        assert self.verdict([2.3, *([math.nan] * 100)]).verdict == "stuck"
        assert self.verdict(2.3 - 0.005 * np.arange(200)).verdict == "falling"
        assert self.verdict([2.0] * 20 + [0.5] * 100).verdict == "part"
        assert self.verdict([-1.0] * 20 + [-3.0] * 100).verdict == "part", "no ratio means anything"

    def test_what_cannot_be_said(self):
        flat = [2.3] * 100
        assert self.verdict(flat, optimizers=2).verdict == "several-optimizers"
        assert self.verdict(flat, by="forward", losses=[]).verdict == "unknown-loss"
        moving = Course(tuple(flat), tuple(map(str, range(100))), {"first_batch": {}}, "stopped")
        assert answered("overfit", {"8 samples": moving}).verdict == "not-fixed"
        gone = Course((2.3, 2.2), ("a", "a"), {}, "crashed")
        both = {"8 samples": gone, "whole batch": gone}
        assert answered("overfit", both).verdict == "crashed"

    def test_the_whole_batch_when_it_cannot_be_cut(self):
        plan = PROBES["overfit"].next
        first = plan({}, 100)
        assert first.name == "8 samples"
        assert plan({first.name: Course(ended="crashed")}, 100).name == "whole batch"
        assert plan({first.name: falling(0.01)}, 100) is None
        assert self.verdict([2.0] * 100, whole=True).cautions == ("whole-batch",)


class TestTrainEval:
    def verdict(self, train, evaluated, *, outputs=0.1, same=False, trains=True, **norm) -> Answer:
        row = {"name": "bn", "class": "BatchNorm1d", "shift": 0.1, "scale": 0.1, "momentum": 0.1,
               "batches": 100, "file": "train.py", "line": 4, **norm}  # fmt: skip
        seen = {"loss_train": train, "loss_eval": evaluated, "outputs": outputs, "same": same,
                "agree": None, "steps": 100, "forwards": 1, "model": "Net", "norms": [row],
                "trains": trains}  # fmt: skip
        return answered("train-eval", {"train-eval": course(falling(0.01).losses, train_eval=seen)})

    def test_small_differences_are_normal(self):
        assert self.verdict(0.5, 0.6).verdict == "same"
        assert self.verdict(0.5, 0.5, outputs=0.0, same=True).verdict == "no-modes"

    def test_a_norm_is_named(self):
        found = self.verdict(0.5, 2.0, shift=3.0)
        assert (found.verdict, found.bad, found.values["norm"]) == ("norm", True, "bn")
        assert found.values["gap"] == pytest.approx(3.0)

    def test_something_else(self):
        assert self.verdict(0.5, 2.0).verdict == "modes"

    def test_too_early_but_not_for_a_momentum_that_never_gets_there(self):
        assert self.verdict(0.5, 2.0, shift=3.0, batches=10).verdict == "early"
        assert self.verdict(0.5, 2.0, shift=3.0, momentum=1e-4).verdict == "norm"

    def test_without_a_loss_outputs_must_do(self):
        found = self.verdict(None, None, outputs=0.9, scale=-4.0)
        assert (found.verdict, found.cautions) == ("norm", ("outputs-only",))
        assert self.verdict(None, None, outputs=0.2).verdict == "same"

    def test_eval_mode_all_along_and_nothing_seen(self):
        assert self.verdict(0.5, 0.5, trains=False).verdict == "eval-already"
        assert answered("train-eval", {"train-eval": falling(0.01)}).verdict == "unseen"


class TestCausal:
    def verdict(self, tries, objective=(1, 1.0), batch=((0, 0, 0), (3, 3, 3))) -> Answer:
        axes = [{"axis": 0, "size": 8, "tries": [list(t) for t in batch]},
                {"axis": 1, "size": 32, "tries": [list(t) for t in tries]}]  # fmt: skip
        seen = {"axes": axes, "objective": objective and list(objective), "model": "GPT"}
        return answered("causal", {"causal": course([2.0] * 11, causal=seen)})

    def test_a_leak_and_none(self):
        found = self.verdict([(0, 0, 31), (10, 9, 31), (31, 0, 31)])
        assert (found.verdict, found.bad) == ("leak", True)
        assert (found.values["input"], found.values["output"]) == (10, 9)
        assert self.verdict([(0, 0, 31), (10, 10, 31)]).verdict == "causal"
        assert self.verdict([(0, 0, 0), (10, 10, 10)]).verdict == "pointwise"

    def test_a_bidirectional_model_is_no_fault(self):
        found = self.verdict([(10, 0, 31)], objective=None)
        assert (found.verdict, found.bad) == ("looks-ahead", False)

    def test_samples_that_see_each_other(self):
        found = self.verdict([(0, 0, 31), (10, 10, 31)], batch=[(3, 0, 7)])
        assert (found.verdict, found.bad) == ("mixes-samples", True)
        crossed = self.verdict([(10, 10, 31)], objective=None, batch=[(3, 0, 7)])
        assert crossed.verdict == "causal", "without an objective nothing is known of the axes"

    def test_nothing_to_look_along(self):
        seen = {"axes": [], "objective": None, "model": "CNN"}
        found = answered("causal", {"causal": course([1.0], causal=seen)})
        assert found.verdict == "no-axis"


@pytest.mark.parametrize(
    ("real", "noise", "standardised", "verdict"),
    [
        ("healthy", "healthy", "healthy", "healthy"), ("sick", "sick", "sick", "init"),
        ("sick", "healthy", "healthy", "data-scale"), ("sick", "healthy", "sick", "data"),
        ("suspect", None, None, "init"),
    ],
)  # fmt: skip
def test_init(real, noise, standardised, verdict):
    kinds = {"real": real, "noise": noise, "standardised": standardised}
    seen = {
        kind: {"verdict": said, "span": -20.0, "layers": 20, "codes": [], "signal": [0.5]}
        for kind, said in kinds.items()
        if said
    }
    found = answered("init", {"init": course([2.0], span={**seen, "model": "Net"})})
    assert found.verdict == verdict


def test_a_first_layer_that_is_too_loud_is_ill_too():
    well = {"verdict": "healthy", "span": 0.0, "layers": 9, "codes": [], "signal": [0.0, 1.0]}
    loud = {**well, "signal": [7.0, 1.0]}
    seen = {"real": loud, "noise": well, "standardised": well, "model": "Net"}
    assert answered("init", {"init": course([2.0], span=seen)}).verdict == "data-scale"
    assert answered("init", {"init": course([2.0], span={**seen, "noise": loud})}).verdict == "init"
    broken = {**seen, "real": {**well, "signal": [math.nan]}}
    assert answered("init", {"init": course([2.0], span=broken)}).verdict == "data-scale"


class TestPlasticity:
    def verdict(self, losses=(1.0, 0.5, 0.3), **seen) -> Answer:
        facts = {"unasked": "", "initial": 20, "now": 20, "out": 0, "ratio": 1.0, **seen}
        facts = {"least": facts["ratio"], **facts}
        return answered("plasticity", {"plasticity": course(losses, plasticity=facts)})

    @pytest.mark.parametrize(
        ("ratio", "verdict"), [(0.4, "kept"), (1.5, "kept"), (1.7, "slower"), (2.0, "lost")]
    )
    def test_how_many_times_as_many_steps(self, ratio, verdict):
        assert self.verdict(ratio=ratio).verdict == verdict

    def test_it_is_lost_only_when_each_draw_says_so(self):
        assert self.verdict(ratio=2.1, least=1.9).verdict == "slower"

    def test_it_is_bad_only_where_tasks_follow_one_another(self):
        tasks = [2.3 * np.exp(-(t % 50) / 9) for t in range(500)]
        found = self.verdict(tasks, ratio=3.0, out=3)
        assert (found.verdict, found.bad, found.cautions) == ("lost", True, ())
        assert (found.values["tasks"], found.values["task_steps"]) == (10, 50)
        alone = self.verdict(ratio=3.0)
        assert (alone.verdict, alone.bad, alone.cautions) == ("lost", False, ("one-task",))

    def test_what_cannot_be_said(self):
        assert self.verdict(initial=3, ratio=2.7).verdict == "too-quick"
        assert self.verdict(unasked="too-hard").verdict == "too-hard"
        nothing = answered("plasticity", {"plasticity": course([1.0, 0.9])})
        assert (nothing.verdict, nothing.bad) == ("unseen", False)


class TestPrecision:
    def verdict(self, base: Course, single: Course | None) -> str:
        used = {"autocast": "float16" if single else None, "scaler": False, "half": 0}
        courses = {"as it is": course(base.losses, precision=used)}
        if single is not None:
            courses["float32"] = single
        return answered("precision", courses).verdict

    def test_what_half_precision_costs(self):
        burst = course([2.3] * 50 + [math.nan] * 150)
        assert self.verdict(falling(0.01), None) == "full"
        assert self.verdict(falling(0.01), falling(0.01)) == "same"
        assert self.verdict(falling(0.001), falling(0.02)) == "costs"
        assert self.verdict(burst, falling(0.01)) == "breaks"
        assert self.verdict(burst, burst) == "breaks-anyway"

    def test_float32_runs_only_where_less_is_used(self):
        plan = PROBES["precision"].next
        used = {"autocast": "bfloat16", "scaler": False, "half": 0}
        assert plan({"as it is": course([1.0], precision=used)}, 9).name == "float32"
        assert plan({"as it is": course([1.0], precision={**used, "autocast": None})}, 9) is None


@pytest.mark.parametrize(
    ("found", "what", "cure"),
    [
        (Course(ended="finished"), "ended without a training step", "arguments"),
        (Course(ended="timeout", seconds=30.0), "did not come to a training step", "--limit"),
        (Course(ended="killed"), "it was killed", "python train.py"),
        (
            Course(ended="crashed", said="x\nValueError: no", error={"file": "a.py", "line": 3}),
            "at a.py:3: ValueError: no", "python train.py",
        ),
    ],
)  # fmt: skip
def test_scripts_of_which_nothing_can_be_said(found, what, cure):
    with pytest.raises(GradoctorError) as fault:
        check(found, ("train.py",))
    assert what in str(fault.value)
    assert cure in str(fault.value)
    check(course([1.0]), ("train.py",))


# ---- words ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("key", sorted(SAID))
def test_both_languages_name_the_same_values(key):
    for words in SAID[key]:
        assert words.en
        assert words.zh
        names = [sorted(re.findall(r"\{(\w+)", text)) for text in words]
        assert names[0] == names[1], words.en
        assert not re.search(r"[,.;:!?]$", words.zh), "full-width punctuation"
    for text in (DID[key[0]].zh, *(w.zh for w in SAID[key])):
        assert re.search(r"[\u4e00-\u9fff]", text)


def test_every_verdict_that_the_docstrings_name_has_words():
    for name, probe in PROBES.items():
        named = re.findall(r"``([a-z-]+)``", probe.answer.__doc__ or "")
        for verdict in set(named) - {"unseen"}:
            assert (name, verdict) in SAID
    assert {probe for probe, _ in SAID} == set(PROBES) == set(DID)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_an_answer_as_text(lang):
    courses = {"x1": falling(0.001), "x0.1": falling(0.0001), "x10": falling(0.01)}
    found = answered("learning-rate", courses)
    text = reporter.render(found, lang, width=70)
    said = SAID["learning-rate", "higher"]
    assert said.title.told(lang) in text
    assert CAUTIONS["short-horizon"].told(lang)[:12] in text
    assert "?" not in text
    assert "{" not in text
    assert isinstance(reporter.picture(found), Plot)
    assert [c.label for c in reporter.picture(found).curves] == [LABELS[name] for name in courses]


def test_an_answer_comes_back_from_json():
    found = answered("learning-rate", dict.fromkeys(("x1", "x0.1", "x10"), course([2.0, math.nan])))
    again = Answer.from_data(json.loads(json.dumps(found.to_data(), allow_nan=False)))
    assert again.verdict == found.verdict
    assert math.isnan(again.arms["x1"][1])
