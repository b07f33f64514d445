"""Who gets gradients, who is stepped, and in what order: 901 902 903 905 906 908 910 921."""

from __future__ import annotations

import pytest

from builders import LOSS, LOSSFN, OPTIMIZER, RUN, Net
from gradoctor.records import Level, Site
from gradoctor.rules.wiring.accumulation_unscaled import accumulation_unscaled
from gradoctor.rules.wiring.detached_graph import detached_graph
from gradoctor.rules.wiring.eval_mode_while_training import eval_mode_while_training
from gradoctor.rules.wiring.missing_zero_grad import missing_zero_grad
from gradoctor.rules.wiring.param_not_in_optimizer import param_not_in_optimizer
from gradoctor.rules.wiring.stale_optimizer_params import stale_optimizer_params
from gradoctor.rules.wiring.step_missing import step_missing
from gradoctor.rules.wiring.unregistered_submodules import unregistered_submodules
from rules.structural.made import another_model, called, cycle, fact, judged, one, optimizer, wire

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


class TestEvalMode:
    def norm(self, net: Net, model: str = "Net", **data: object) -> int:
        site = net._add("module", f"{model}.norm", "BatchNorm1d", role="norm", model=model)
        told = {"train": 60, "eval": 90, "eval_after_train": 90, "last_eval_run": 90,
                "whole_model_eval": True, "samples": 64, **data}  # fmt: skip
        fact(net, "mode", site, line=44, first_step=0, **told)
        return site

    def test_train_was_forgotten_after_the_validation(self):
        net = wire(Net())
        site = self.norm(net)
        found = one(eval_mode_while_training, net)
        assert found is not None
        assert found.level == Level.SICK
        assert found.sites == (site,)
        assert (found.file, found.line) == ("train.py", 44)
        assert found.values == {"forwards": 90, "count": 1, "after_train": True}

    def test_never_in_train_mode_may_be_meant(self):
        net = wire(Net())
        self.norm(net, train=0, eval_after_train=0)
        found = one(eval_mode_while_training, net)
        assert found is not None
        assert found.level == Level.SUSPECT

    def test_frozen_batch_norm_in_a_model_that_trains(self):
        net = wire(Net())
        self.norm(net, whole_model_eval=False)
        assert one(eval_mode_while_training, net) is None

    def test_backbone_in_eval_mode_head_in_train_mode(self):
        net = wire(Net())
        self.norm(net)
        self.norm(net, last_eval_run=0)
        assert one(eval_mode_while_training, net) is None

    def test_few_forwards(self):
        net = wire(Net())
        self.norm(net, last_eval_run=9)
        assert one(eval_mode_while_training, net) is None

    def test_a_teacher_in_eval_mode_is_no_disease_and_hides_none(self):
        net = Net()
        wire(net, *another_model(net, "Teacher"), optimizer=None, grads=0)
        self.norm(net, "Teacher", train=0, eval_after_train=0)
        assert one(eval_mode_while_training, net) is None
        self.norm(net)
        found = one(eval_mode_while_training, net)
        assert found is not None
        assert found.level == Level.SICK

    def test_another_model_in_train_mode_does_not_hide_it(self):
        net = Net()
        another_model(net, "Critic")
        self.norm(net, "Critic", last_eval_run=0)
        self.norm(net)
        assert one(eval_mode_while_training, net) is not None


class TestAccumulation:
    words = "backward backward backward backward step zero_grad"

    def net(self, optimizer: str = "SGD", k: int = 4, **data: object) -> Net:
        net = called(Net(optimizer=optimizer), **data)
        return net.each_step("backward.count", RUN, float(k))

    def test_the_mean_is_not_divided(self):
        found = one(accumulation_unscaled, self.net(), self.words)
        assert found is not None
        assert found.level == Level.SICK
        assert found.sites == (LOSSFN,)
        assert (found.file, found.line) == ("train.py", 20)
        assert found.values == {"k": 4, "factor": 1.0}

    def test_adam_and_clipping_do_not_mind(self):
        adam = one(accumulation_unscaled, self.net("Adam"), self.words)
        assert adam is not None
        assert adam.level == Level.NOTE
        clipped = one(accumulation_unscaled, fact(self.net(), "clip", line=21), self.words)
        assert clipped is not None
        assert clipped.level == Level.NOTE

    @pytest.mark.parametrize(
        "data", [{"factor": 0.25}, {"reduction": "sum"}, {"factor": None}, {"factor": 0.5}]
    )
    def test_divided_or_summed_on_purpose(self, data):
        assert one(accumulation_unscaled, self.net(**data), self.words) is None

    @pytest.mark.parametrize(
        "words",
        [
            "backward:1 backward:7 backward:8 backward:9 step zero_grad",  # several losses
            "backward step:9 backward step:9 backward step:9 backward step",  # several players
            "zero_grad backward zero_grad backward zero_grad backward zero_grad backward step",
        ],
    )
    def test_no_accumulation(self, words):
        assert one(accumulation_unscaled, self.net(), words) is None

    def test_one_backward_a_step(self):
        assert one(accumulation_unscaled, self.net(k=1), "zero_grad backward step") is None

    def test_another_losses_factor_is_not_this_ones(self):
        net = self.net()
        net.sites.append(Site(len(net.sites), "loss", "other"))
        net.change(LOSSFN, loss=len(net.sites) - 1)
        assert one(accumulation_unscaled, net, self.words) is None
        assert net.sites[LOSSFN].meta["loss"] != LOSS


class TestStaleOptimizer:
    def test_the_head_was_replaced_after_the_optimizer_was_made(self):
        net = optimizer(Net(), orphans=2)
        wire(net, net.weights[-1], optimizer=None)
        found = one(stale_optimizer_params, net)
        assert found is not None
        assert found.level == Level.SICK
        assert found.sites == (OPTIMIZER, net.weights[-1])
        assert found.values == {"orphans": 2, "unowned": 1, "optimizer": "SGD"}

    def test_something_unused_was_handed_over(self):
        found = one(stale_optimizer_params, optimizer(wire(Net()), orphans=2))
        assert found is not None
        assert found.level == Level.NOTE

    @pytest.mark.parametrize(
        "changes",
        [{"moved_unowned": True}, {"requires_grad": False}, {"grads": 1}, {"registered": False}],
    )
    def test_what_is_left_out_is_no_new_model(self, changes):
        net = optimizer(Net(), orphans=2)
        wire(net, net.weights[-1], **{"optimizer": None, **changes})
        found = one(stale_optimizer_params, net)
        assert found is not None
        assert found.level == Level.NOTE

    def test_healthy(self):
        assert one(stale_optimizer_params, optimizer(wire(Net()), orphans=0)) is None
        assert one(stale_optimizer_params, optimizer(wire(Net()), orphans=2, steps=2)) is None


class TestUnregistered:
    def hidden(self, net: Net, **changes: object) -> Net:
        told = {"owner": "Net", "attribute": "layers", "container": "list", "parameters": 4160,
                "executed": True, "in_optimizer": False, **changes}  # fmt: skip
        return fact(net, "unregistered", None, line=9, key="Net.layers", **told)

    def test_layers_in_a_list(self):
        found = one(unregistered_submodules, self.hidden(wire(Net())))
        assert found is not None
        assert found.level == Level.SICK
        assert (found.file, found.line) == ("train.py", 9)
        assert found.values == {
            "owner": "Net", "attribute": "layers", "container": "list", "parameters": 4160,
        }  # fmt: skip

    @pytest.mark.parametrize(
        "changes", [{"executed": False}, {"in_optimizer": True}, {"parameters": 0}]
    )
    def test_look_alikes(self, changes):
        assert one(unregistered_submodules, self.hidden(wire(Net()), **changes)) is None

    def test_moved_by_hand_or_frozen_on_purpose(self):
        for changes in ({"moved_unowned": True}, {"requires_grad": False}):
            net = self.hidden(Net())
            wire(net, net.weights[0], registered=False, **changes)
            assert one(unregistered_submodules, net) is None

    def test_each_attribute_is_told(self):
        net = self.hidden(self.hidden(wire(Net())), attribute="heads")
        assert len(judged(unregistered_submodules, net)) == 2
