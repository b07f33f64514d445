"""Who gets gradients, who is stepped, and in what order: 901 902 903 905 906 908 910 921."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import LOSS, OPTIMIZER, Net
from gradoctor.records import Level
from gradoctor.rules.wiring.detached_graph import detached_graph
from gradoctor.rules.wiring.missing_zero_grad import missing_zero_grad
from gradoctor.rules.wiring.param_not_in_optimizer import param_not_in_optimizer
from gradoctor.rules.wiring.step_missing import step_missing
from rules.structural.made import another_model, cycle, fact, one, optimizer, wire

USUAL = "zero_grad backward step"


class TestMissingZeroGrad:
    def test_every_step_uses_what_was_left_over(self):
        net = wire(Net())
        found = one(missing_zero_grad, wire(net, stale=299), "backward step")
        assert found is not None
        assert found.level == Level.SICK
        assert found.sites == (OPTIMIZER,)
        assert (found.file, found.line) == ("train.py", 20)
        assert found.values["share"] == pytest.approx(1.0)
        assert found.values["steps"] == 300
        assert found.values["optimizer"] == "SGD"

    def test_one_of_two_models_is_never_cleared(self):
        net = Net()
        wire(net, *another_model(net), stale=299)
        found = one(missing_zero_grad, net, USUAL)
        assert found is not None
        assert found.level == Level.SICK

    def test_healthy_and_accumulating(self):
        assert one(missing_zero_grad, wire(Net()), USUAL) is None
        assert one(missing_zero_grad, wire(Net()), "backward backward step zero_grad") is None

    def test_a_few_omissions_are_no_disease(self):
        assert one(missing_zero_grad, wire(Net(), stale=30), USUAL) is None

    def test_closures_may_call_backward_several_times(self):
        net = optimizer(wire(Net(), stale=299), closure=True)
        assert one(missing_zero_grad, net, "backward step") is None

    def test_gan_gradients_that_are_cleared_before_their_use(self):
        # the generator's pass dirties the discriminator, which clears before its own: stale is 0
        net = wire(Net(), stale=0, backwards=600)
        words = "zero_grad backward step:9 zero_grad backward step"
        assert one(missing_zero_grad, net, words) is None

    @pytest.mark.parametrize(
        "changes", [{"optimizer": None}, {"checked": 2, "stale": 2}, {"grads": 0}]
    )
    def test_not_judged(self, changes):
        assert one(missing_zero_grad, wire(Net(), **{"stale": 299, **changes})) is None


class TestParamNotInOptimizer:
    def test_part_of_the_model_was_left_out(self):
        net = Net()
        wire(net, *net.weights[:3], optimizer=None)
        found = one(param_not_in_optimizer, net, USUAL)
        assert found is not None
        assert found.level == Level.SICK
        assert found.sites == tuple(net.weights[:3])
        assert (found.values["count"], found.values["total"]) == (3, 7)
        assert found.values["names"].startswith("layers.0.weight")

    def test_a_whole_model_was_left_out(self):
        net = Net()
        other = another_model(net, "decoder")
        wire(net, *other, optimizer=None)
        found = one(param_not_in_optimizer, net, USUAL)
        assert found is not None
        assert found.level == Level.SICK
        assert found.sites == tuple(other)

    def test_a_gradient_that_is_missing_now_and_then_changes_nothing(self):
        net = Net()
        wire(net, net.weights[0], optimizer=None, grads=290)
        assert one(param_not_in_optimizer, net) is not None

    @pytest.mark.parametrize(
        "changes",
        [
            {"requires_grad": False, "grads": 0},  # a frozen backbone
            {"moved_unowned": True},  # an EMA teacher, an update by hand
            {"grads": 0},  # a target network
            {"registered": False},  # GD921's
            {"backwards": 2, "grads": 2},
        ],
    )
    def test_look_alikes(self, changes):
        net = Net()
        wire(net, *net.weights[:3], optimizer=None, **changes)
        assert one(param_not_in_optimizer, net, USUAL) is None

    def test_all_weights_moved_by_hand_and_no_optimizer(self):
        net = wire(Net(), optimizer=None, moved_unowned=True)
        net.facts = [f for f in net.facts if f.kind != "optimizer"]
        assert one(param_not_in_optimizer, net) is None

    def test_an_input_is_optimised(self):
        # style transfer, a deep dream, an attack: the optimizer holds the picture and nothing else
        net = Net()
        wire(net, optimizer=None)
        picture = net._add("parameter", "parameter", "Tensor", shape=[1, 3, 8, 8], numel=192)
        fact(net, "wiring", picture, requires_grad=True, optimizer=OPTIMIZER, backwards=300,
             grads=300, registered=False)  # fmt: skip
        assert one(param_not_in_optimizer, net) is None

    def test_a_perceptual_loss_in_eval_mode_looks_on(self):
        net = Net()
        wire(net, *another_model(net, "VGG"), optimizer=None)
        norm = net._add("module", "VGG.norm", "BatchNorm2d", role="norm", model="VGG")
        fact(net, "mode", norm, train=0, eval=300, last_eval_run=300, whole_model_eval=True)
        found = one(param_not_in_optimizer, net)
        assert found is not None
        assert found.level == Level.NOTE

    def test_nothing_is_decided_before_the_optimizer_steps(self):
        net = Net()
        wire(net, net.weights[0], optimizer=None)
        assert one(param_not_in_optimizer, optimizer(net, steps=2)) is None


def starve(net: Net, *sites: int, **changes: object) -> Net:
    """Weights without gradient, which therefore stay where they are."""
    wire(net, *sites, **{"grads": 0, **changes})
    for site in sites:
        net.set("weight.movement", site, 0.0)
    return net


class TestDetachedGraph:
    def cut(self, net: Net, upstream: list[str], op: str = "detach") -> Net:
        return fact(net, "cut", line=12, key="12", op=op, module="layers.2", upstream=upstream)

    def test_a_cut_with_parameters_behind_it(self):
        net = Net()
        starve(net, *net.weights[:3])
        self.cut(self.cut(net, ["layers.0.weight", "layers.2.weight"]), [], "item")
        found = one(detached_graph, net, USUAL)
        assert found is not None
        assert found.level == Level.SICK
        assert (found.file, found.line) == ("train.py", 12)
        assert found.values["op"] == "detach"
        assert found.values["count"] == 3

    def test_no_cut_was_seen(self):
        net = Net()
        starve(net, *net.weights[:3])
        found = one(detached_graph, net)
        assert found is not None
        assert found.level == Level.SUSPECT

    @pytest.mark.parametrize(("backwards", "level"), [(115, Level.SICK), (8, Level.SUSPECT)])
    def test_nothing_trains_at_all(self, backwards, level):
        net = Net()
        net.sites[LOSS] = replace(net.sites[LOSS], file="train.py", line=30)
        starve(net, *net.weights, backwards=backwards)
        found = one(detached_graph, net)
        assert found is not None
        assert found.level == level
        assert (found.line == 30) == (level == Level.SICK)

    def test_nothing_got_a_gradient_and_something_moved(self):
        net = starve(Net(), *Net().weights)
        net.set("weight.movement", net.weights[0], 0.1)
        found = one(detached_graph, net)
        assert found is None or found.level < Level.SICK

    def test_a_second_head_that_the_loss_does_not_use_is_a_note(self):
        net = Net()
        starve(net, net.weights[-1])
        found = one(detached_graph, net)
        assert found is not None
        assert found.level == Level.NOTE

    def test_backward_without_a_graph_ends_the_script(self):
        net = self.cut(Net(steps=1), [], "tensor")
        fact(net, "error", line=31, first_step=1, type="RuntimeError", known="no_grad_fn")
        found = one(detached_graph, net)
        assert found is not None
        assert found.level == Level.SICK
        assert (found.file, found.line) == ("train.py", 31)
        assert found.values == {"kind": "error", "op": "tensor", "count": 0, "names": ""}

    def test_other_errors_are_not_ours(self):
        net = fact(Net(), "error", line=31, type="ValueError", known="")
        assert one(detached_graph, net) is None

    @pytest.mark.parametrize(
        "changes",
        [
            {"optimizer": None},  # BYOL's target, DQN's target network
            {"requires_grad": False},  # a frozen backbone
            {"used": False},  # an expert that was not chosen
            {"backwards": 2},
        ],
    )
    def test_look_alikes(self, changes):
        net = Net()
        starve(net, *net.weights[:3], **changes)
        self.cut(net, ["layers.0.weight"])
        assert one(detached_graph, net) is None

    def test_a_target_inside_the_optimized_module_that_the_script_moves(self):
        # Adam(agent.parameters()) holds the target network, which load_state_dict moves
        net = Net()
        starve(net, *net.weights[:3])
        self.cut(net, ["layers.0.weight"])
        for site in net.weights[:3]:
            net.set("weight.movement", site, lambda t: 0.1 if t > 100 else 0.0)
        assert one(detached_graph, net) is None

    def test_a_module_of_which_a_part_gets_gradients_is_whole(self):
        net = Net()
        wire(net)
        scale = net._add("parameter", "layers.0.scale", "Parameter", module=net.layers[0])
        fact(net, "wiring", scale, requires_grad=True, used=True, optimizer=3, backwards=9, grads=0)
        assert one(detached_graph, net) is None

    def test_everything_gets_gradients(self):
        assert one(detached_graph, self.cut(wire(Net()), [])) is None


class TestStepMissing:
    def test_gradients_are_cleared_unused(self):
        net = optimizer(wire(Net()), steps=0)
        found = one(step_missing, net, "zero_grad backward")
        assert found is not None
        assert found.level == Level.SICK
        assert found.values == {"backwards": 300, "kind": "no_step", "optimizer": "SGD"}
        assert (found.file, found.line) == ("train.py", 20)

    def test_they_pile_up_to_the_end(self):
        net = optimizer(Net(steps=40), steps=0)
        assert one(step_missing, net, "backward") is not None
        assert one(step_missing, net, "backward", final=False) is None

    def test_live_and_cleared_is_sick_at_once(self):
        assert one(step_missing, Net(steps=30), "zero_grad backward", final=False) is not None

    def test_large_accumulation_is_waited_for(self):
        # 64 micro-batches a step: the first step is still to come
        net = optimizer(Net(steps=60), steps=0)
        assert one(step_missing, net, "backward", final=False) is None

    def test_without_any_optimizer_the_gradients_may_be_wanted(self):
        net = Net()
        net.facts = [f for f in net.facts if f.kind != "optimizer"]
        found = one(step_missing, net, "zero_grad backward")
        assert found is not None
        assert found.level == Level.SUSPECT

    @pytest.mark.parametrize(
        "words",
        [USUAL, "backward backward backward step zero_grad", "backward manual_step",
         "scale backward scaler_step scaler_update"],
    )  # fmt: skip
    def test_look_alikes(self, words):
        assert one(step_missing, wire(Net()), words) is None

    def test_weights_moved_by_hand(self):
        net = optimizer(wire(Net(), moved_unowned=True), steps=0)
        assert one(step_missing, net, "backward") is None

    def test_few_backwards(self):
        assert one(step_missing, Net(steps=19), "backward") is None

    def test_steps_without_backward(self):
        net = optimizer(wire(Net(), grads=0), steps_without_backward=300)
        for site in net.weights:
            net.rows["grad.absmax"].pop(site)
        found = one(step_missing, net, "zero_grad step")
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["kind"] == "no_backward"
        assert found.sites == (OPTIMIZER,)

    def test_two_optimizers_share_one_backward(self):
        net = wire(Net())
        decoder = net._add("optimizer", "SGD2", "SGD")
        fact(net, "optimizer", decoder, steps=299, steps_without_backward=299)
        words = f"step:{decoder} zero_grad zero_grad backward step"
        cycles = [cycle("zero_grad zero_grad backward step", 0, 0), cycle(words, 1, 299)]
        assert one(step_missing, net, cycles) is None

    def test_gradients_written_by_hand(self):
        net = optimizer(wire(Net()), steps_without_backward=300)
        assert one(step_missing, net, "step") is None

    def test_closures(self):
        net = optimizer(wire(Net(), grads=0), steps_without_backward=300, closure=True)
        assert one(step_missing, net, "step") is None
