"""float16: gradients that vanish (702), outputs too large (703), a scaler that collapses (706)."""

from __future__ import annotations

import math

from builders import LOSS, RUN, Net
from gradoctor.diagnosis import diagnose
from gradoctor.records import Level
from gradoctor.rules.numerics.fp16_gradient_underflow import fp16_gradient_underflow
from gradoctor.rules.numerics.fp16_overflow import fp16_overflow
from gradoctor.rules.numerics.gradscaler_collapse import gradscaler_collapse
from rules.structural.made import cycle, fact, judged, one


def underflowing(net: Net, layers: int, flushed: float = 0.2) -> Net:
    """The gradients of the first layers lose elements; their weights stand still."""
    for i, (layer, weight) in enumerate(zip(net.layers, net.weights, strict=True)):
        ill = i < layers
        net.set("actgrad.flushed_fraction", layer, flushed if ill else 0.0)
        net.set("actgrad.subnormal_fraction", layer, 1.0 if ill else 0.1)
        net.set("actgrad.rms", layer, 1e-7 if ill else 1e-3)
        if ill:
            net.set("weight.movement", weight, 1e-4)
    return net


class TestUnderflow:
    def test_layers_that_lose_elements_and_stand_still(self):
        net = underflowing(Net(), 3)
        found = one(fp16_gradient_underflow, net)
        assert found is not None
        assert found.level == Level.SICK
        assert found.sites == (net.layers[2], net.layers[1], net.layers[0])
        assert found.values["kind"] == "no_scaler"
        assert found.values["count"] == 3

    def test_the_root_of_layers_that_get_exact_zeros(self):
        net = underflowing(Net(), 3)
        for layer in net.layers[:2]:
            net.set("actgrad.flushed_fraction", layer, math.nan)
            net.set("actgrad.zero_fraction", layer, 1.0)
            net.set("actgrad.rms", layer, 0.0)
        found = one(fp16_gradient_underflow, net)
        assert found is not None
        assert found.sites == (net.layers[2], net.layers[1], net.layers[0])
        roots = [f.code for f in diagnose(net.build()).findings if f.root]
        assert roots == ["GD702"]

    def test_exact_zeros_alone_are_no_underflow(self):
        net = Net()
        for layer in net.layers:
            net.set("actgrad.flushed_fraction", layer, math.nan)
            net.set("actgrad.zero_fraction", layer, 1.0)
            net.set("actgrad.rms", layer, 0.0)
        assert one(fp16_gradient_underflow, net) is None

    def test_a_few_small_elements_among_large_ones(self):
        net = underflowing(Net(), 3)
        for layer in net.layers:
            net.set("actgrad.rms", layer, 1e-3)
        assert one(fp16_gradient_underflow, net) is None

    def test_few_are_lost(self):
        assert one(fp16_gradient_underflow, underflowing(Net(), 3, 0.01)) is None

    def test_one_that_heals(self):
        net = underflowing(Net(), 3)
        for layer in net.layers[:3]:
            net.set("actgrad.flushed_fraction", layer, lambda t: 0.3 if t < 60 else 0.0)
        assert one(fp16_gradient_underflow, net) is None

    def test_layers_that_train_all_the_same_are_a_note(self):
        net = underflowing(Net(), 3)
        for weight in net.weights:
            net.set("weight.movement", weight, 0.3)
        found = one(fp16_gradient_underflow, net)
        assert found is not None
        assert found.level == Level.NOTE

    def test_a_net_that_had_learnt_is_a_note(self):
        net = underflowing(Net(steps=1000), 3)
        net.loss(lambda t: 2.3 * math.exp(-t / 80))
        for layer in net.layers[:3]:
            net.set("actgrad.flushed_fraction", layer, lambda t: 0.3 if t > 250 else 0.0)
        found = one(fp16_gradient_underflow, net)
        assert found is not None
        assert found.level == Level.NOTE
        assert ("converged", True) in found.exclusions

    def test_a_scale_that_is_too_small(self):
        net = fact(underflowing(Net(), 3), "scaler", enabled=True)
        net.each_step("scaler.scale", RUN, 0.25)
        found = one(fp16_gradient_underflow, net)
        assert found is not None
        assert (found.values["kind"], found.values["scale"]) == ("scaled", 0.25)


def overflowing(net: Net, layer: int, step: int = 100) -> Net:
    """From a step on a layer and all after it are not finite."""
    for i, site in enumerate(net.layers):
        bad = i >= layer
        net.set("act.nonfinite", site, lambda t, b=bad: float(b and t >= step))
        net.set("act.headroom", site, lambda t, b=bad: -1.0 if b and t >= step else 9.0)
    return net


def broken_loss(net: Net, step: int = 100) -> Net:
    net.each_step("loss.value", LOSS, lambda t: math.nan if t >= step else 2.0)
    return net.each_step("loss.nonfinite", LOSS, lambda t: float(t >= step))


class TestOverflow:
    def test_the_first_output_that_does_not_fit(self):
        net = broken_loss(overflowing(Net(), 2))
        found = one(fp16_overflow, net)
        assert found is not None
        assert found.level == Level.SICK
        assert found.sites == (net.layers[2],)
        assert found.first_step == 100
        assert found.values["kind"] == "overflow"

    def test_it_is_the_root_of_the_nan(self):
        findings = diagnose(broken_loss(overflowing(Net(), 2)).build()).findings
        assert [f.code for f in findings if f.root] == ["GD703"]
        assert any(f.code == "GD701" and "GD703" in f.explained_by for f in findings)

    def test_a_scaler_that_refuses_ever_after(self):
        net = overflowing(Net(), 0, 0)
        net.each_step("scaler.skipped", RUN, 1.0).each_step("scaler.scale", RUN, 1e-9)
        found = one(fp16_overflow, net)
        assert found is not None
        assert found.level == Level.SICK

    def test_infinities_of_a_mask(self):
        assert one(fp16_overflow, overflowing(Net(), 2)) is None

    def test_a_nan_that_an_operation_made(self):
        net = fact(
            broken_loss(overflowing(Net(), 2)), "nonfinite", line=7, key="forward",
            where="forward", op="log", first_step=100,
        )  # fmt: skip
        assert one(fp16_overflow, net) is None

    def test_a_nan_that_was_in_the_data(self):
        net = broken_loss(overflowing(Net(), 0))
        net.set("input.nonfinite", 4, lambda t: float(t >= 100))
        assert one(fp16_overflow, net) is None

    def test_a_nan_in_a_float32_layer(self):
        net = broken_loss(overflowing(Net(), 2))
        del net.rows["act.headroom"][net.layers[2]]
        assert one(fp16_overflow, net) is None

    def test_little_room_is_a_note(self):
        net = Net()
        net.set("act.headroom", net.layers[3], 1.5)
        found = one(fp16_overflow, net)
        assert found is not None
        assert (found.level, found.values["kind"]) == (Level.NOTE, "near")

    def test_little_room_that_shrinks(self):
        net = Net()
        net.set("act.headroom", net.layers[3], lambda t: 1.0 - t / 400)
        found = one(fp16_overflow, net)
        assert found is not None
        assert found.level == Level.SUSPECT

    def test_room_enough(self):
        net = Net()
        for layer in net.layers:
            net.set("act.headroom", layer, 8.0)
        assert one(fp16_overflow, net) is None


class TestCollapse:
    def scaled(self, skipped, scale, steps: int = 300) -> Net:
        net = Net(steps=steps)
        net.each_step("scaler.skipped", RUN, lambda t: 1.0 if skipped(t) else math.nan)
        return net.each_step("scaler.scale", RUN, scale)

    def test_every_step_is_skipped(self):
        net = self.scaled(lambda t: True, lambda t: 65536.0 * 2.0**-t)
        fact(net, "nonfinite", line=17, key="forward", where="forward", op="log")
        found = one(gradscaler_collapse, net)
        assert found is not None
        assert found.level == Level.SICK
        assert (found.line, found.values["op"]) == (17, "log")
        assert found.values["skipped"] == 250

    def test_the_line_of_the_call_where_nothing_is_known(self):
        net = self.scaled(lambda t: True, lambda t: 65536.0 * 2.0**-t)
        found = one(gradscaler_collapse, net, [cycle("scale backward scaler_step", 0, 299)])
        assert found is not None
        assert (found.file, found.line) == ("train.py", 30)

    def test_one_step_in_eight_with_a_scale_that_holds(self):
        found = one(gradscaler_collapse, self.scaled(lambda t: t % 8 == 0, 4.0))
        assert found is not None
        assert found.level == Level.SUSPECT

    def test_a_scale_below_one(self):
        found = one(gradscaler_collapse, self.scaled(lambda t: t % 8 == 0, 0.01))
        assert found is not None
        assert found.level == Level.SICK

    def test_the_search_at_the_start(self):
        assert one(gradscaler_collapse, self.scaled(lambda t: t < 20, 4.0)) is None

    def early(self, code: float, steps: int = 6) -> Net:
        net = self.scaled(lambda t: True, lambda t: 65536.0 * 2.0**-t, steps)
        return net.each_step("loss.nonfinite", LOSS, code)

    def test_a_loss_that_was_nan_before_it_was_scaled(self):
        found = one(
            gradscaler_collapse, self.early(1.0), [cycle("scale backward scaler_step", 0, 5)]
        )
        assert found is not None
        assert (found.level, found.line) == (Level.SICK, 30)
        assert (found.values["kind"], found.values["skipped"]) == ("never", 6)

    def test_a_scale_that_is_still_looked_for(self):
        assert one(gradscaler_collapse, self.early(2.0)) is None, "infinite: scaled too far"
        assert one(gradscaler_collapse, self.early(0.0)) is None
        assert one(gradscaler_collapse, self.early(1.0, 3)) is None
        stepped = self.early(1.0).each_step("scaler.skipped", RUN, lambda t: 1.0 if t else math.nan)
        assert one(gradscaler_collapse, stepped) is None

    def test_a_scale_that_grows_every_ten_steps(self):
        net = self.scaled(lambda t: t % 10 == 9, lambda t: 8.0 if t % 10 == 8 else 4.0)
        assert one(gradscaler_collapse, net) is None

    def test_one_in_a_hundred(self):
        assert one(gradscaler_collapse, self.scaled(lambda t: t % 100 == 60, 4.0, 3000)) is None


def test_nothing_is_said_of_float32():
    net = Net()
    for rule in (fp16_gradient_underflow, fp16_overflow, gradscaler_collapse):
        assert rule.missing(net.build())
        assert judged(rule, net) == []
