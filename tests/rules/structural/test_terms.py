"""Singular roots, drifting logits, light terms: 510 511 514."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from builders import LOSS, LOSSFN, Net
from gradoctor.records import Level, Site
from gradoctor.rules.losses.logit_drift import logit_drift
from gradoctor.rules.losses.loss_term_imbalance import loss_term_imbalance
from gradoctor.rules.losses.rmse_sqrt_singularity import rmse_sqrt_singularity
from rules.structural.made import called, fact, judged, one


class TestSingularity:
    def net(self, **data: object) -> Net:
        told = {"where": "backward", "op": "sqrt", "value": "nan", "low": 0.0, "high": 0.3, **data}
        return fact(Net(), "nonfinite", None, key="backward", line=12, first_step=9, **told)

    @pytest.mark.parametrize(
        "data", [{}, {"op": "norm"}, {"op": "acos", "low": 0.2, "high": 1.0}, {"op": "std"}]
    )
    def test_on_the_edge(self, data):
        found = one(rmse_sqrt_singularity, self.net(**data))
        assert found is not None
        assert (found.level, found.first_step, found.line) == (Level.SICK, 9, 12)

    @pytest.mark.parametrize(
        "data",
        [{"where": "forward"}, {"op": "div"}, {"low": 1e-4}, {"op": "acos", "high": 0.9},
         {"op": "", "low": None, "high": None}],
    )  # fmt: skip
    def test_another_birth(self, data):
        assert one(rmse_sqrt_singularity, self.net(**data)) is None

    def test_forward_was_first(self):
        net = self.net()
        fact(net, "nonfinite", None, key="forward", where="forward", op="log", first_step=3)
        assert one(rmse_sqrt_singularity, net) is None


class TestDrift:
    def net(self, logz, mean: float = 28.0, rms: float = 28.5) -> Net:
        net = called(Net()).set("lossfn.logz", LOSSFN, logz)
        return net.set("prediction.mean", LOSSFN, mean).set("prediction.rms", LOSSFN, rms)

    def test_all_logits_rise(self):
        found = one(logit_drift, self.net(lambda t: 2.3 + t / 10))
        assert found is not None
        assert found.level == Level.NOTE
        assert found.values["slope"] == pytest.approx(100, rel=0.01)

    @pytest.mark.parametrize(
        "net",
        [
            (lambda t: 2.3 + t / 10, 0.5, 12.0),  # sure of its answers
            (lambda t: 2.3, 0.0, 1.0),
            (lambda t: 30.0, 28.0, 28.5),  # it stays where it is
            (lambda t: 60.0 - t / 10, 28.0, 28.5),  # on its way back
        ],
    )
    def test_look_alikes(self, net):
        assert one(logit_drift, self.net(*net)) is None


class TestTerms:
    def net(self, weight: float, value: float = 1.0) -> Net:
        net = called(Net())
        net.set("lossfn.coefficient", LOSSFN, 1.0)
        other = Site(len(net.sites), "lossfn", "mse_loss", "mse_loss", "train.py", 21)
        net.sites.append(replace(other, meta={"function": "mse_loss", "loss": LOSS}))
        net.set("lossfn.coefficient", other.id, weight).set("lossfn.value", other.id, value)
        return net

    def test_a_light_term(self):
        found = one(loss_term_imbalance, self.net(1e-4))
        assert found is not None
        assert (found.level, found.line) == (Level.NOTE, 21)
        assert found.values["term"] == "mse_loss@21"

    def test_a_heavy_term(self):
        found = one(loss_term_imbalance, self.net(1.0, 5000.0))
        assert found is not None
        assert found.line == 18

    @pytest.mark.parametrize("weight", [0.1, 1.0, math.nan])
    def test_terms_of_like_weight(self, weight):
        assert judged(loss_term_imbalance, self.net(weight)) == []

    def test_a_single_term(self):
        assert judged(loss_term_imbalance, called(Net())) == []
