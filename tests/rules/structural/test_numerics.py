"""Numbers that break, vanish or are lost: 701 704 705 711, and dropout and norms: 804 805."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from builders import LOSS, LOSSFN, OPTIMIZER, RUN, Net
from gradoctor.records import Level
from gradoctor.rules.architecture.bias_before_norm import bias_before_norm
from gradoctor.rules.architecture.dropout_misuse import dropout_misuse
from gradoctor.rules.numerics.bf16_stagnation import bf16_stagnation
from gradoctor.rules.numerics.gradscaler_misuse import gradscaler_misuse
from gradoctor.rules.numerics.nan_inf_origin import nan_inf_origin
from gradoctor.rules.numerics.nan_swallowed import nan_swallowed
from rules.structural.made import fact, one


def broken(net: Net, *steps: int) -> Net:
    """The loss is NaN at these steps."""
    net.each_step("loss.value", LOSS, lambda t: math.nan if t in steps else 2.0 - t / 300)
    return net.each_step("loss.nonfinite", LOSS, lambda t: float(t in steps))


class TestOrigin:
    def born(self, net: Net, **data: object) -> Net:
        told = {"where": "forward", "op": "log", "value": "nan", "producer": True, "exact": True,
                "low": -0.3, "high": 2.0, "key": "forward", "first_step": 100, **data}  # fmt: skip
        return fact(net, "nonfinite", net.layers[2], line=14, **told)

    def test_an_operation_made_it(self):
        net = self.born(broken(Net(), *range(100, 300)))
        found = one(nan_inf_origin, net)
        assert found is not None
        assert found.level == Level.SICK
        assert found.sites == (net.layers[2],)
        assert (found.file, found.line) == ("train.py", 14)
        assert found.values == {
            "step": 100, "op": "log", "value": "nan", "where": "forward", "low": -0.3, "high": 2.0,
            "kind": "operation", "dtype": "", "name": "", "samples": "", "batch": None,
            "capsule": "",
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("told", "kind"),
        [
            ({"cause": "input", "samples": [812, 813], "batch": 7}, "input"),
            ({"cause": "data", "rows": [3], "variable": "y"}, "data"),
            ({"cause": "data", "rows": [3], "variable": ""}, "given"),
            ({"cause": "weights", "op": ""}, "weights"),
            ({"cause": "grown", "op": "pow"}, "grown"),
            ({"cause": "operation"}, "operation"),
            ({"cause": "operation", "exact": False}, "likely"),
            ({"cause": "operation", "low": None}, "likely"),
            ({"where": "backward", "op": "sqrt", "cause": "operation"}, "backward"),
            ({"where": "backward", "op": ""}, ""),
            ({"op": ""}, ""),
        ],
    )
    def test_who_is_to_blame(self, told, kind):
        found = one(nan_inf_origin, self.born(broken(Net(), *range(100, 300)), **told))
        assert found is not None
        assert found.values["kind"] == kind
        rows = told.get("samples") or told.get("rows") or []
        assert found.values["samples"] == ", ".join(map(str, rows))

    def test_gradients_broke_before_the_loss_did(self):
        net = self.born(broken(Net(), *range(101, 300)), where="backward", op="sqrt")
        found = one(nan_inf_origin, net)
        assert found is not None
        assert (found.values["step"], found.first_step) == (100, 100)

    def test_the_script_gave_up(self):
        found = one(nan_inf_origin, self.born(broken(Net()), cause="operation", first_step=299))
        assert found is not None
        assert (found.level, found.values["step"]) == (Level.SICK, 299)

    def test_next_to_one(self):
        found = one(nan_inf_origin, self.born(broken(Net(), 299), op="acos", high=1.0000001192))
        assert found is not None
        assert found.values["high"] == "1.00000012"

    def test_gradients_broke_in_the_last_step(self):
        net = self.born(broken(Net()), where="backward", op="sqrt", first_step=299)
        found = one(nan_inf_origin, net)
        assert found is not None
        assert found.level == Level.SICK

    def test_nothing_is_known_of_its_birth(self):
        found = one(nan_inf_origin, broken(Net(), *range(100, 300)))
        assert found is not None
        assert found.level == Level.SICK
        assert found.sites == (LOSS,)
        assert found.values["where"] == "loss"

    def test_the_run_ends_on_it(self):
        found = one(nan_inf_origin, broken(Net(), 299))
        assert found is not None
        assert found.level == Level.SICK

    def test_weights_alone(self):
        net = Net()
        net.set("weight.nonfinite", net.weights[0], lambda t: float(t > 100))
        found = one(nan_inf_origin, net)
        assert found is not None
        assert found.level == Level.SICK

    def test_the_first_birth_is_told_before_what_was_hidden(self):
        net = self.born(broken(Net(), *range(100, 300)), key="hidden", where="hidden", first_step=3)
        found = one(nan_inf_origin, self.born(net, op="sqrt", where="backward", first_step=99))
        assert found is not None
        assert found.values["op"] == "sqrt"

    def test_one_that_was_got_over_is_a_note(self):
        found = one(nan_inf_origin, broken(Net(), 100))
        assert found is not None
        assert found.level == Level.NOTE
        found = one(nan_inf_origin, broken(Net(steps=1000), 100, 400))
        assert found is not None
        assert found.level == Level.NOTE

    def test_the_scalers_ordinary_work(self):
        net = broken(Net(), 0, 1)
        assert (
            one(nan_inf_origin, net.each_step("scaler.skipped", RUN, lambda t: float(t < 2)))
            is None
        )

    def test_finite_throughout(self):
        # minus infinity in a mask is a number like any other as long as the loss is finite
        assert one(nan_inf_origin, self.born(Net(), value="inf")) is None


class TestStagnation:
    def lost(self, net: Net, fraction, sites=None) -> Net:
        for site in net.weights if sites is None else sites:
            net.set("update.lost_fraction", site, fraction).change(site, dtype="bfloat16")
        return net

    def test_most_updates_are_lost(self):
        net = self.lost(Net(), 0.9)
        found = one(bf16_stagnation, net)
        assert found is not None
        assert found.level == Level.SICK
        assert set(found.sites) == set(net.weights)
        assert found.values["lost"] == pytest.approx(0.9)
        assert found.values["dtype"] == "bfloat16"
        assert found.values["count"] == 7
        assert found.values["update_ratio"] == pytest.approx(1e-3, rel=0.3)

    def test_fp32_master_weights_lose_nothing(self):
        assert one(bf16_stagnation, Net()) is None
        assert one(bf16_stagnation, self.lost(Net(), 0.05)) is None

    def test_a_few_small_tensors(self):
        net = Net()
        self.lost(self.lost(net, 0.05), 0.9, net.weights[:2])
        assert one(bf16_stagnation, net) is None

    def test_the_end_of_a_run_that_has_converged(self):
        assert one(bf16_stagnation, self.lost(Net(), lambda t: 0.1 if t < 200 else 0.95)) is None

    def test_schedule_tail_and_warm_up_are_suspect_at_most(self):
        for rate in (lambda t: 0.1 * (1 - t / 300), lambda t: 1e-4 * (t + 1)):
            net = self.lost(Net(), 0.9).each_step("lr", OPTIMIZER, rate)
            found = one(bf16_stagnation, net)
            assert found is not None
            assert found.level == Level.SUSPECT

    def test_the_first_batches_are_a_suspicion(self):
        found = one(bf16_stagnation, self.lost(Net(steps=3), 0.9))
        assert found is not None
        assert found.level == Level.SUSPECT
        assert one(bf16_stagnation, self.lost(Net(steps=2), 0.9)) is None
        assert one(bf16_stagnation, self.lost(Net(steps=6), 0.1)) is None

    def test_a_warm_up_passes_through_there(self):
        net = self.lost(Net(steps=6), 0.9).each_step("lr", OPTIMIZER, lambda t: 1e-5 * (t + 1))
        assert one(bf16_stagnation, net) is None


class TestScaler:
    right = "scaler_update zero_grad scale backward unscale clip scaler_step step"

    @pytest.mark.parametrize(
        ("words", "kind", "line"),
        [
            ("zero_grad scale backward step", "step_bypassed", 22),
            ("scaler_update zero_grad backward scaler_step step", "loss_not_scaled", 20),
            ("zero_grad scale backward scaler_step step", "no_update", 30),
            (
                "scaler_update zero_grad scale backward clip scaler_step step",
                "clip_before_unscale",
                21,
            ),
        ],
    )
    def test_out_of_order(self, words, kind, line):
        found = one(gradscaler_misuse, fact(Net(), "scaler", None, enabled=True), words)
        assert found is not None
        assert found.level == Level.SICK
        assert found.values == {"kind": kind, "steps": 300}
        assert (found.file, found.line) == ("train.py", line)

    def test_adam_divides_the_scale_away(self):
        net = fact(Net(optimizer="Adam"), "scaler", None, enabled=True)
        found = one(gradscaler_misuse, net, "zero_grad scale backward step")
        assert found is not None
        assert found.level == Level.SUSPECT

    @pytest.mark.parametrize(
        "words",
        [
            right,
            "scaler_update zero_grad scale backward scale backward scaler_step step",
            "scaler_update scale backward scaler_step",  # a skipped step
            "zero_grad scale backward unscale step",  # unscaled by the user's own call
            "zero_grad backward step",  # made and not used
        ],
    )
    def test_in_order(self, words):
        assert one(gradscaler_misuse, fact(Net(), "scaler", None, enabled=True), words) is None

    def test_switched_off(self):
        net = fact(Net(), "scaler", None, enabled=False)
        assert one(gradscaler_misuse, net, "zero_grad scale backward step") is None


class TestSwallowed:
    def hidden(self, net: Net, where: str = "hidden", **data: object) -> Net:
        told = {"where": where, "value": "nan", "op": "log", "key": where, "count": 60,
                "last_step": 299, **data}  # fmt: skip
        return fact(net, "nonfinite", None, line=14, **told)

    def stops(self, at: int = 100, value: float = 0.0) -> Net:
        return Net().each_step("loss.value", LOSS, lambda t: 2.0 - t / 200 if t < at else value)

    def test_the_loss_is_zero_since_values_are_nan(self):
        net = self.stops()
        net.set("act.nonfinite", net.layers[1], lambda t: float(t >= 100))
        found = one(nan_swallowed, net)
        assert found is not None
        assert found.level == Level.SICK
        assert found.values == {"kind": "zero", "first": 100, "steps": 300}

    def test_zero_from_the_first_step(self):
        found = one(nan_swallowed, self.hidden(self.stops(0)))
        assert found is not None
        assert found.level == Level.SICK
        assert (found.file, found.line) == ("train.py", 14)

    def test_frozen(self):
        found = one(nan_swallowed, self.hidden(self.stops(value=0.7)))
        assert found is not None
        assert found.values["kind"] == "frozen"

    def test_batches_are_passed_over(self):
        found = one(nan_swallowed, self.hidden(Net(), "skipped"))
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["kind"] == "skipped"
        assert found.values["steps"] == 60

    def test_hidden_again_and_again_is_suspect(self):
        found = one(nan_swallowed, self.hidden(Net()))
        assert found is not None
        assert found.level == Level.SUSPECT
        assert found.values["kind"] == "hidden"

    @pytest.mark.parametrize(
        "data", [{"count": 3}, {"value": "inf"}, {"where": "forward", "last_step": 9}]
    )
    def test_rare_or_of_another_kind(self, data):
        assert one(nan_swallowed, self.hidden(Net(), **data)) is None

    def test_converged_to_zero(self):
        assert one(nan_swallowed, self.stops()) is None

    def test_a_mask_of_minus_infinity_and_a_loss_that_reaches_zero(self):
        net = self.stops()
        net.set("act.nonfinite", net.layers[-1], 1.0)
        assert one(nan_swallowed, net) is None

    def test_a_loss_that_moves(self):
        net = Net()
        net.set("act.nonfinite", net.layers[-1], 1.0)
        assert one(nan_swallowed, net) is None


class TestDropout:
    def dropout(self, net: Net | None = None, **data: object) -> Net:
        told = {"p": 0.5, "functional": True, "active_in_eval": 0, "output_of_model": False,
                "grad_disabled": 0, **data}  # fmt: skip
        return fact(net or Net().loss(lambda t: 2.2), "dropout", None, line=13, **told)

    def test_active_in_evaluation(self):
        found = one(dropout_misuse, self.dropout(active_in_eval=6, grad_disabled=6))
        assert found is not None
        assert found.level == Level.SICK
        assert (found.file, found.line) == ("train.py", 13)
        assert found.values == {"kind": "in_eval", "p": 0.5, "times": 6}

    @pytest.mark.parametrize(("p", "level"), [(0.9, Level.SUSPECT), (1.0, Level.SICK)])
    def test_too_much(self, p, level):
        found = one(dropout_misuse, self.dropout(p=p))
        assert found is not None
        assert found.level == level
        assert found.values["kind"] == "too_much"

    def test_much_and_learning_all_the_same(self):
        found = one(dropout_misuse, self.dropout(Net(), p=0.8))
        assert found is not None
        assert found.level == Level.NOTE

    def module(self, p: float, snr: float, *, order: int = 3, gained: float = 0.05) -> Net:
        net = Net().loss(lambda t: math.log(10) * (1 - gained * t / 300)).set("grad.snr", RUN, snr)
        site = net._add("module", "drop", "Dropout", order=order, role="dropout", model="Net")
        return fact(net, "dropout", site, line=13, p=p, functional=False, active_in_eval=0,
                    output_of_model=False, grad_disabled=0)  # fmt: skip

    @pytest.mark.parametrize(
        ("net", "level"),
        [
            ({"p": 0.9, "snr": 1.0}, Level.SICK),
            ({"p": 0.8, "snr": 1.0}, Level.SUSPECT),
            ({"p": 0.9, "snr": 5.0}, Level.SUSPECT),  # gradients agree: something else
            ({"p": 0.9, "snr": 1.0, "gained": 0.4}, Level.SUSPECT),
            ({"p": 0.95, "snr": 1.0, "gained": 0.9}, Level.NOTE),
        ],
    )
    def test_masks_that_leave_nothing_to_learn(self, net, level):
        found = one(dropout_misuse, self.module(**net))
        assert found is not None
        assert (found.level, found.values["kind"]) == (level, "too_much")

    def test_masked_inputs_are_a_task(self):
        net = self.module(0.9, 1.0, order=-2)
        net.sites = [replace(s, order=s.order + 5) if s.kind == "module" else s for s in net.sites]
        found = one(dropout_misuse, net)
        assert found is not None
        assert found.level == Level.NOTE

    def test_without_a_baseline_its_own_beginning_counts(self):
        net = self.module(0.95, 1.0)
        net.rows["lossfn.baseline"][LOSSFN] = [math.nan] * len(net.looks)
        found = one(dropout_misuse, net)
        assert found is not None
        assert found.level == Level.SICK

    def test_on_the_output(self):
        found = one(dropout_misuse, self.dropout(output_of_model=True))
        assert found is not None
        assert found.level == Level.SUSPECT

    @pytest.mark.parametrize(
        "data",
        [
            {},
            {"functional": False, "active_in_eval": 9},  # Monte Carlo dropout by train()
            {"grad_disabled": 50},  # training=True was written: meant; or a teacher in train mode
            {"p": 0.7},
        ],
    )
    def test_look_alikes(self, data):
        assert one(dropout_misuse, self.dropout(**data)) is None


class TestBias:
    def biased(self, after: str, gradient: float) -> Net:
        net = Net(depth=2)
        bias = net._add(
            "parameter", "layers.0.bias", "Parameter", shape=[64], module=net.layers[0],
            leaf="bias", role="bias",
        )  # fmt: skip
        net.sites = [
            s if s.id != net.activations[0] else s.__class__(s.id, s.kind, "norm", after, order=1)
            for s in net.sites
        ]
        net.change(net.layers[0], params=[net.weights[0], bias])
        return net.set("grad.rms", bias, gradient)

    def test_before_batch_norm_is_a_note(self):
        found = one(bias_before_norm, self.biased("BatchNorm1d", 1e-10))
        assert found is not None
        assert found.level == Level.NOTE
        assert found.values == {"count": 1}

    @pytest.mark.parametrize(
        ("after", "gradient"), [("BatchNorm1d", 1e-4), ("LayerNorm", 1e-10), ("ReLU", 1e-10)]
    )
    def test_look_alikes(self, after, gradient):
        assert one(bias_before_norm, self.biased(after, gradient)) is None
