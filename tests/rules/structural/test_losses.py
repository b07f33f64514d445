"""What the loss function is given: 501 502 503 504 505 507."""

from __future__ import annotations

import math

import pytest

from builders import INPUT, LOSSFN, Net
from gradoctor.records import Level
from gradoctor.rules.losses.bce_range import bce_range
from gradoctor.rules.losses.broadcast_regression import broadcast_regression
from gradoctor.rules.losses.double_softmax import double_softmax
from gradoctor.rules.losses.label_range import label_range
from gradoctor.rules.losses.logits_into_nll import logits_into_nll
from gradoctor.rules.losses.target_unscaled import target_unscaled
from rules.structural.made import called, fact, judged, one

LOGITS = "binary_cross_entropy_with_logits"


def shaped(net: Net, *, simplex: float = 0, unit: float = 0, logprob: float = 0) -> Net:
    """The fractions of the prediction that look like probabilities, at every look."""
    net.set("lossfn.simplex", LOSSFN, simplex).set("lossfn.unit", LOSSFN, unit)
    return net.set("lossfn.logprob", LOSSFN, logprob)


class TestDoubleSoftmax:
    def test_probabilities(self):
        net = called(
            shaped(Net(), simplex=1, unit=1), producer="softmax", producer_file="train.py",
            producer_line=11,
        )  # fmt: skip
        found = one(double_softmax, net)
        assert found is not None
        assert found.level == Level.SICK
        assert found.sites == (LOSSFN,)
        assert (found.file, found.line) == ("train.py", 11)
        assert found.values["classes"] == 10
        assert found.values["floor"] == pytest.approx(1.461, abs=1e-3)

    def test_at_the_call_where_the_producer_is_unknown(self):
        found = one(double_softmax, called(shaped(Net(), simplex=1, unit=1), producer=""))
        assert found is not None
        assert (found.level, found.line) == (Level.SICK, 18)

    def test_sigmoid(self):
        net = called(shaped(Net(), unit=1), producer="sigmoid")
        found = one(double_softmax, net)
        assert found is not None
        assert found.level == Level.SICK

    @pytest.mark.parametrize(
        ("shape", "data"),
        [
            ({"logprob": 1}, {"producer": "log_softmax"}),
            ({"unit": 0.3}, {"producer": "div"}),  # logits over a temperature
            ({"unit": 1}, {"producer": "addmm"}),  # small logits
            ({"simplex": 0.97, "unit": 1}, {}),  # by chance
            ({"simplex": 1, "unit": 1}, {"classes": 1}),
            ({"simplex": 1, "unit": 1}, {"function": "nll_loss"}),
        ],
    )
    def test_look_alikes(self, shape, data):
        assert one(double_softmax, called(shaped(Net(), **shape), **data)) is None

    def test_two_batches_prove_nothing(self):
        assert one(double_softmax, called(shaped(Net(steps=2), simplex=1, unit=1))) is None


class TestNll:
    def test_logits(self):
        found = one(logits_into_nll, called(shaped(Net(), unit=0.2), "nll_loss", negative=40))
        assert found is not None
        assert found.level == Level.SICK
        assert found.values == {"kind": "logits", "negative": 40}
        assert (found.file, found.line) == ("train.py", 18)

    def test_probabilities(self):
        net = called(shaped(Net(), simplex=1, unit=1), "nll_loss", producer="softmax")
        found = one(logits_into_nll, net)
        assert found is not None
        assert found.values["kind"] == "probabilities"
        assert found.level == Level.SICK

    def test_logsigmoid_is_a_suspicion(self):
        found = one(logits_into_nll, called(shaped(Net()), "nll_loss", producer="log_sigmoid"))
        assert found is not None
        assert found.level == Level.SUSPECT

    @pytest.mark.parametrize("rows", [1.0, 0.9, 0.05])
    def test_log_probabilities(self, rows):
        assert one(logits_into_nll, called(shaped(Net(), logprob=rows), "nll_loss")) is None

    def test_cross_entropy_takes_logits(self):
        assert one(logits_into_nll, called(shaped(Net()))) is None


class TestBce:
    def net(self, low: float = 0, high: float = 1, unit: float = 0.4, **data: object) -> Net:
        net = shaped(Net(), unit=unit)
        net.set("target.min", LOSSFN, low).set("target.max", LOSSFN, high)
        return called(net, **{"function": LOGITS, **data})

    def test_sigmoid_twice(self):
        found = one(bce_range, self.net(unit=1, producer="sigmoid"))
        assert found is not None
        assert found.level == Level.SICK
        assert found.values == {"kind": "double_sigmoid", "low": 0.0, "high": 1.0}
        assert (found.file, found.line) == ("train.py", 18)

    @pytest.mark.parametrize(("low", "high"), [(-1, 1), (0, 255)])
    def test_targets_out_of_range(self, low, high):
        found = one(bce_range, self.net(low, high))
        assert found is not None
        assert found.level == Level.SICK
        assert found.values == {"kind": "targets", "low": low, "high": high}

    def test_both(self):
        assert len(judged(bce_range, self.net(-1, 1, 1, producer="sigmoid"))) == 2

    @pytest.mark.parametrize(
        "net",
        [
            {"low": 0.05, "high": 0.95},  # soft labels
            {"unit": 1, "producer": "sigmoid", "function": "binary_cross_entropy"},
            {"unit": 1, "producer": "addmm"},  # logits that happen to be small
            {"unit": 0.9, "producer": "sigmoid"},
        ],
    )
    def test_look_alikes(self, net):
        assert one(bce_range, self.net(**net)) is None


class TestLabels:
    def counted(self, *counts: int, **data: object) -> Net:
        return called(Net(), label_counts=list(counts), **{"classes": len(counts), **data})

    def test_labels_from_one(self):
        found = one(label_range, self.counted(0, 300, 300, 300))
        assert found is not None
        assert found.level == Level.SICK
        assert found.values == {"kind": "off_by_one", "classes": 4, "seen": 3}
        assert (found.file, found.line) == ("train.py", 18)

    @pytest.mark.parametrize(
        ("classes", "function", "loss", "told"),
        [(1, "cross_entropy", 0.0, True), (1, "cross_entropy", 0.7, False),
         (2, "cross_entropy", 0.0, False), (1, "nll_loss", 0.0, False)],
        ids=["nothing can be lost", "weighted by the targets", "solved", "not by a softmax"],
    )  # fmt: skip
    def test_a_single_output(self, classes, function, loss, told):
        net = called(Net().loss(lambda t: loss), function, classes=classes, multi_label=True)
        found = one(label_range, net)
        kind = found.values["kind"] if found is not None else None
        assert (kind == "one_output") == told

    def test_a_rare_class_or_pixels_are_suspect(self):
        for net in (self.counted(0, 300, 300, 12), self.counted(0, 9, 9, 9, target_shape=[4, 9])):
            found = one(label_range, net)
            assert found is None or found.level == Level.SUSPECT

    @pytest.mark.parametrize(
        "counts",
        [
            (300, 300, 300, 0),  # padded vocabulary
            (300, 0, 300, 300),  # a rare class
            (0, 300, 0, 300),
            (0, 3, 4, 5),  # too few to tell
            (0, 300),
        ],
    )
    def test_look_alikes(self, counts):
        assert one(label_range, self.counted(*counts)) is None

    def test_zero_is_kept_for_padding(self):
        assert one(label_range, self.counted(0, 300, 300, 300, ignored=0.2)) is None
        assert one(label_range, self.counted(0, 300, 300, 300).change(INPUT, kind="ids")) is None

    def test_several_ones_in_a_row(self):
        net = self.counted(1, 1, 1, 1, multi_label=True, target_shape=[64, 4])
        found = one(label_range, net.set("target.mean", LOSSFN, 0.5))
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["kind"] == "multi_label"

    def test_masked_rows_of_zeros_and_one_hot_rows(self):
        net = self.counted(1, 1, 1, 1, multi_label=True)
        assert one(label_range, net.set("target.mean", LOSSFN, 0.2)) is None
        assert one(label_range, self.counted(1, 1, 1, 1, one_hot=True)) is None


class TestBroadcast:
    def mixed(self, left: object, right: object, out: object, **more: object) -> Net:
        told = {"op": "sub", "left": left, "right": right, "out": out, "batch": 64,
                "reaches_loss": True, "count": 5, **more}  # fmt: skip
        return fact(Net(), "broadcast", None, line=17, key="17", **told)

    @pytest.mark.parametrize(("left", "right"), [([64, 1], [64]), ([64], [64, 1])])
    def test_a_column_and_a_row(self, left, right):
        found = one(broadcast_regression, self.mixed(left, right, [64, 64]))
        assert found is not None
        assert found.level == Level.SICK
        assert (found.file, found.line) == ("train.py", 17)
        assert found.values["out"] == "[64, 64]"

    @pytest.mark.parametrize(
        ("left", "right", "out"),
        [
            ([64, 1, 8], [1, 64, 8], [64, 64, 8]),  # pairwise distances
            ([64, 1], [1, 64], [64, 64]),  # a matrix of differences
            ([64, 10], [10], [64, 10]),  # a bias
            ([64, 1], [10], [64, 10]),
        ],
    )
    def test_axes_made_on_purpose(self, left, right, out):
        assert one(broadcast_regression, self.mixed(left, right, out)) is None

    @pytest.mark.parametrize("more", [{"reaches_loss": False}, {"count": 1}, {"batch": 1}])
    def test_not_judged(self, more):
        assert one(broadcast_regression, self.mixed([64, 1], [64], [64, 64], **more)) is None


class TestTargets:
    def regression(
        self, mean: float, std: float, loss, first: float = 0.3, steps: int = 300
    ) -> Net:
        net = called(Net(steps=steps), "mse_loss", reduction="mean")
        net.set("target.mean", LOSSFN, mean).set("target.std", LOSSFN, std)
        net.set("prediction.rms", LOSSFN, first).set("lossfn.baseline", LOSSFN, std**2)
        return net.loss(loss)

    def test_large_targets_and_worse_than_their_mean(self):
        found = one(target_unscaled, self.regression(500, 100, lambda t: 2.6e5 - 200 * t))
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["mean"] == pytest.approx(500)
        assert found.values["ratio"] == pytest.approx(math.hypot(500, 100) / 0.3, rel=1e-3)
        assert found.values["loss"] > found.values["baseline"] == pytest.approx(1e4)
        assert (found.file, found.line) == ("train.py", 18)

    @pytest.mark.parametrize(
        ("speed", "level"), [(0.05, Level.SUSPECT), (0.0, Level.SUSPECT), (5.0, Level.NOTE)]
    )
    def test_the_first_steps_lead_nowhere(self, speed: float, level: Level):
        net = self.regression(500, 100, lambda t: 2.6e5 - 200 * t, steps=6)
        found = one(target_unscaled, net.set("prediction.rms", LOSSFN, lambda t: 0.3 + speed * t))
        assert found is not None
        assert found.level == level

    def test_a_head_that_has_learned_the_scale_is_a_note(self):
        found = one(target_unscaled, self.regression(500, 100, lambda t: 2e3 + 2e5 * 0.9**t))
        assert found is not None
        assert found.level == Level.NOTE

    @pytest.mark.parametrize("first", [0.3, 1e-4, 0.0])
    def test_standard_targets_whatever_the_head_says_at_first(self, first):
        net = self.regression(0.1, 1.0, lambda t: 1.0 + t / 100, first)
        assert one(target_unscaled, net) is None

    def test_a_head_whose_bias_was_set(self):
        net = self.regression(500, 100, lambda t: 2e4, first=500)
        assert one(target_unscaled, net) is None

    def test_cross_entropy_has_no_scale(self):
        net = self.regression(500, 100, lambda t: 2e5)
        net.facts = [f for f in net.facts if f.kind != "loss_call"]
        assert one(target_unscaled, called(net)) is None
