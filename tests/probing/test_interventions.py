"""Interventions in real scripts, each in a process of its own."""

from __future__ import annotations

import math
import re

import pytest
from probed_scripts import CLASSIFIER, DEEP, HALVED, IMAGES, SEQUENCES, script

from gradoctor.probes import PROBES, ask
from gradoctor.trials import Course, Trial, conduct


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(home, text: str, steps: int = 1000, **interventions) -> Course:
    return conduct(Trial((script(home, text),), interventions, steps=steps))


def asked(home, name: str, text: str, steps: int | None = None):
    return ask(PROBES[name], (script(home, text),), steps=steps)


def test_looking_at_a_snapshot_changes_no_bit_of_the_training(home):
    plain = run(home, SEQUENCES)
    look = {"at": 7, "stop": False}
    looked = run(home, SEQUENCES, train_eval=look, causal=look, span={"stop": False})
    assert set(looked.facts) == {"train_eval", "causal", "span"}
    assert plain.error["message"] == looked.error["message"]
    assert "True]" in plain.error["message"]
    assert plain.losses == looked.losses


def test_learning_random_targets_on_the_way_changes_no_bit_of_the_training(home):
    plain, asked_twice = run(home, SEQUENCES), run(home, SEQUENCES, plasticity={"first": 8})
    assert asked_twice.facts["plasticity"]["unasked"] == ""
    assert plain.error["message"] == asked_twice.error["message"]
    assert plain.losses == asked_twice.losses


class TestPlasticity:
    def test_a_rate_at_which_nothing_is_learnt(self, home):
        found = asked(home, "plasticity", CLASSIFIER.replace("lr=0.1", "lr=1e-9"))
        assert (found.verdict, found.bad) == ("too-hard", False)

    def test_units_that_were_silenced(self, home):
        silent = "loss.backward()\n        if epoch == 19: model[0].bias.data.fill_(-50.0)"
        found = asked(home, "plasticity", CLASSIFIER.replace("loss.backward()", silent))
        assert found.verdict == "lost", found.values
        assert found.values["losses"] == ["cross_entropy"]
        assert (found.bad, found.cautions) == (False, ("one-task",))
        kept = asked(home, "plasticity", CLASSIFIER)
        assert kept.verdict in ("kept", "slower"), kept.values
        assert kept.values["ratio"] < found.values["ratio"]

    @pytest.mark.parametrize(
        ("old", "new", "verdict"),
        [
            ("(x[:, 0] > 0).long()", "torch.zeros(256).long()", "no-targets"),
            ("nn.functional.cross_entropy(model(inputs), labels)",
             "-model(inputs).log_softmax(1)[torch.arange(len(labels)), labels].mean()",
             "unknown-loss"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_asked(self, home, old, new, verdict):
        assert old in CLASSIFIER
        found = asked(home, "plasticity", CLASSIFIER.replace(old, new))
        assert (found.verdict, found.bad) == (verdict, False)


class TestCausal:
    def test_a_causal_model(self, home):
        found = asked(home, "causal", SEQUENCES)
        assert (found.verdict, found.bad) == ("causal", False)
        assert found.values["next"] == 1.0
        assert found.steps <= 12, "it stops when it has seen enough"

    def test_a_missing_mask_is_found_in_the_module_that_needs_it(self, home):
        found = asked(home, "causal", SEQUENCES.replace("CAUSAL = True", "CAUSAL = False"))
        assert (found.verdict, found.values["module"], found.values["class"]) == (
            "leak", "mixer", "Mixer",
        )  # fmt: skip
        made = SEQUENCES.splitlines().index("        self.mixer = Mixer()") + 1
        assert found.values["line"] == made
        assert found.values["output"] < found.values["input"]

    def test_the_same_model_for_other_targets_is_no_fault(self, home):
        text = SEQUENCES.replace("CAUSAL = True", "CAUSAL = False")
        found = asked(home, "causal", text.replace("window[:, 1:]", "window[:, :-1] % 5"))
        assert (found.verdict, found.bad) == ("looks-ahead", False)


class TestTrainEval:
    def test_running_statistics_that_follow(self, home):
        found = asked(home, "train-eval", IMAGES, 90)
        assert (found.verdict, found.bad) == ("same", False)
        assert found.values["loss_train"] == pytest.approx(found.values["loss_eval"], rel=0.5)

    def test_running_statistics_that_never_come(self, home):
        found = asked(home, "train-eval", IMAGES.replace("momentum=0.1", "momentum=1e-5"), 90)
        assert (found.verdict, found.values["norm"]) == ("norm", "1")
        assert found.values["line"] == IMAGES.splitlines().index("model = nn.Sequential(") + 2

    def test_dropout_is_not_what_is_compared(self, home):
        text = IMAGES.replace("nn.BatchNorm2d(8, momentum=0.1), ", "")
        found = asked(home, "train-eval", text, 5)
        assert found.verdict == "no-modes"


class TestOverfit:
    def test_a_loader(self, home):
        course = run(home, IMAGES, 60, first_batch={"samples": 8}, no_dropout={})
        seen = course.facts["first_batch"]
        assert (seen["by"], seen["cut"], seen["samples"], seen["of"]) == ("loader", True, 8, 32)
        assert len(set(course.batches)) == 1
        assert seen["accuracy"][-1] == 1.0

    def test_batches_drawn_by_index_targets_and_all(self, home):
        found = asked(home, "overfit", SEQUENCES.replace("range(30)", "range(300)"))
        assert found.verdict == "memorises"
        assert (found.values["by"], found.values["of"]) == ("forward", 16)

    def test_a_network_that_learns_nothing(self, home):
        text = IMAGES.replace("model(inputs)", "model(inputs).detach() + 0 * model(inputs)")
        found = asked(home, "overfit", text, 60)
        assert (found.verdict, found.bad) == ("stuck", True)

    def test_a_loss_of_its_own_without_a_loader(self, home):
        text = HALVED.replace("mse_loss(out, y)", "relu((out - y) ** 2).mean()")
        assert asked(home, "overfit", text, 30).verdict == "unknown-loss"

    def test_a_script_that_needs_its_batch_whole(self, home):
        text = IMAGES.replace("optimizer.zero_grad()", "assert len(inputs) == 32", 1)
        text = text.replace("loss.backward()", "optimizer.zero_grad(); loss.backward()")
        found = asked(home, "overfit", text, 40)
        assert found.cautions == ("whole-batch",)
        assert found.values["samples"] == 32


class TestPrecision:
    def test_float32_in_the_place_of_half(self, home):
        single = run(home, HALVED, precision={"single": True})
        assert single.error["message"] == "['torch.float32', 'torch.float32']"
        half = run(home, HALVED, precision={"single": False})
        assert half.error["message"] == "['torch.bfloat16', 'torch.bfloat16']"
        assert half.facts["precision"]["autocast"] == "bfloat16"
        assert half.facts["precision"]["half"] > 0
        assert half.batches == single.batches or half.losses != single.losses

    def test_nothing_to_compare(self, home):
        assert asked(home, "precision", IMAGES, 3).verdict == "full"


@pytest.mark.parametrize(("gain", "verdict"), [("5 / 3", "data-scale"), ("0.2", "init")])
def test_noise_tells_weights_from_data(home, gain, verdict):
    found = asked(home, "init", DEEP.replace("GAIN", gain))
    assert found.verdict == verdict, found.values
    assert re.search(r"^\d+$", str(found.values["layers"]))
    assert math.isfinite(found.values["span"])
