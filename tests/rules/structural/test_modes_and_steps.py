"""Rules on eval mode, accumulation, stale optimizers and unregistered modules."""

from __future__ import annotations

import pytest

from builders import LOSS, LOSSFN, OPTIMIZER, RUN, Net
from gradoctor.records import Level, Site
from gradoctor.rules.wiring.accumulation_unscaled import accumulation_unscaled
from gradoctor.rules.wiring.eval_mode_while_training import eval_mode_while_training
from gradoctor.rules.wiring.stale_optimizer_params import stale_optimizer_params
from gradoctor.rules.wiring.unregistered_submodules import unregistered_submodules
from rules.structural.made import another_model, called, fact, judged, one, optimizer, wire

USUAL = "zero_grad backward step"


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
