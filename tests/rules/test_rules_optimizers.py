"""What optimizers, clipping, decay and schedules do to the length of a step."""

from __future__ import annotations

import math

import pytest

from builders import INPUT, OPTIMIZER, RUN, Net
from gradoctor.records import Fact, Level, Site
from gradoctor.rules.evidence import UndecidedError
from gradoctor.rules.optimisation.accumulating_preconditioner import accumulating_preconditioner
from gradoctor.rules.optimisation.adam_epsilon_dominance import adam_epsilon_dominance
from gradoctor.rules.optimisation.adam_stale_second_moment import adam_stale_second_moment
from gradoctor.rules.optimisation.coupled_l2_in_adam import coupled_l2_in_adam
from gradoctor.rules.optimisation.large_effective_lr import large_effective_lr
from gradoctor.rules.optimisation.missing_warmup import missing_warmup
from gradoctor.rules.optimisation.rprop_with_minibatches import rprop_with_minibatches
from gradoctor.rules.optimisation.update_ratio_imbalance import update_ratio_imbalance
from gradoctor.rules.optimisation.weight_decay_dominates import weight_decay_dominates
from gradoctor.rules.schedule.clip_always_active import clip_always_active
from gradoctor.rules.schedule.lr_schedule_misuse import lr_schedule_misuse
from rules.structural.made import one

BASE = math.log(10)


def level(rule, net: Net) -> Level | None:
    found = one(rule, net)
    return None if found is None else found.level


def creeping(net: Net) -> Net:
    return net.loss(lambda t: BASE * (1.0 - 2e-5 * t), spread=1e-4)


def standing(net: Net) -> Net:
    return net.loss(lambda t: BASE * 0.9, spread=0.02)


class TestClipping:
    def clipped(self, norm: float = 50.0) -> Net:
        net = Net(4, 400)
        net.each_step("clip.norm", RUN, norm, spread=0.1)
        net.each_step("clip.max_norm", RUN, 1.0)
        net.facts.append(Fact("clip", None, file="train.py", line=7, data={"max_norm": 1.0}))
        return net

    def test_always_and_creeping_is_suspect(self):
        found = one(clip_always_active, creeping(self.clipped()))
        assert found is not None
        assert found.level == Level.SUSPECT
        assert found.line == 7
        assert found.values["over"] == pytest.approx(50, rel=0.1)

    @pytest.mark.parametrize(
        ("update", "wanted"),
        [(5e-5, Level.SICK), (1e-5, Level.SUSPECT), (1e-3, Level.SUSPECT)],
    )
    def test_the_clip_is_what_makes_the_steps_tiny(self, update, wanted):
        net = creeping(self.clipped())
        for weight in net.weights:
            net.set("update.ratio", weight, update)
        found = one(clip_always_active, net)
        assert found is not None
        assert (found.level, found.first_step) == (wanted, 0)

    def test_it_began_to_bite_later(self):
        net = creeping(self.clipped())
        net.each_step("clip.norm", RUN, lambda t: 0.5 if t < 15 else 50.0)
        found = one(clip_always_active, net)
        assert found is not None
        assert found.first_step > 0

    def test_always_and_learning_is_a_note(self):
        assert level(clip_always_active, self.clipped()) == Level.NOTE

    def test_now_and_then_is_what_it_is_for(self):
        net = creeping(self.clipped())
        net.each_step("clip.norm", RUN, lambda t: 50.0 if t % 3 == 0 else 0.5)
        assert one(clip_always_active, net) is None

    def test_just_above_the_bound_is_silent(self):
        assert one(clip_always_active, creeping(self.clipped(1.5))) is None

    def test_adam_undoes_it(self):
        net = creeping(self.clipped()).change(OPTIMIZER, adaptive=True)
        assert one(clip_always_active, net) is None

    def test_few_steps_are_undecided(self):
        net = Net(4, 60)
        net.each_step("clip.norm", RUN, 5.0)
        net.each_step("clip.max_norm", RUN, 1.0)
        with pytest.raises(UndecidedError):
            one(clip_always_active, net)


class TestRprop:
    def net(self, kind: str, hashes) -> Net:
        net = Net(4, 300, optimizer=kind)
        return net.set("input.hash", INPUT, hashes)

    def test_with_minibatches(self):
        found = one(rprop_with_minibatches, self.net("Rprop", float))
        assert found is not None
        assert found.level == Level.SUSPECT
        assert found.sites == (OPTIMIZER,)

    def test_with_the_whole_data_is_silent(self):
        assert one(rprop_with_minibatches, self.net("Rprop", 5.0)) is None

    def test_others_are_silent(self):
        assert one(rprop_with_minibatches, self.net("RMSprop", float)) is None


class TestAccumulating:
    def net(self, kind: str, last: float, *, ratio: float = 1e-2) -> Net:
        net = creeping(Net(4, 600, optimizer=kind)).set("grad.snr", RUN, 4.0)
        for weight in net.weights:
            net.set("update.rms", weight, lambda t: 1e-3 * (1.0 if t < 5 else last))
            net.set("grad.rms", weight, 1e-3)
            net.set("update.ratio", weight, ratio)
        return net

    def test_adagrad_that_has_faded(self):
        found = one(accumulating_preconditioner, self.net("Adagrad", 1e-3))
        assert found is not None
        assert found.level == Level.SUSPECT
        assert found.values["faded"] == pytest.approx(1e-3, rel=0.01)

    def test_adagrad_that_has_not_is_silent(self):
        assert one(accumulating_preconditioner, self.net("Adagrad", 0.1)) is None

    def test_adadelta_that_has_not_begun(self):
        net = self.net("Adadelta", 1.0, ratio=1e-5)
        assert level(accumulating_preconditioner, net) == Level.SUSPECT

    def test_with_progress_it_is_a_note(self):
        net = self.net("Adadelta", 1.0, ratio=1e-5)
        net.loss(lambda t: BASE * (1 - 0.3 * t / 600), spread=0.01)
        assert level(accumulating_preconditioner, net) == Level.NOTE

    def test_a_converged_run_may_fade(self):
        net = self.net("Adagrad", 1e-3).loss(lambda t: BASE * 0.1 * (1 - t / 1e4), spread=1e-4)
        assert one(accumulating_preconditioner, net) is None

    def test_other_optimizers_are_silent(self):
        assert one(accumulating_preconditioner, self.net("Adam", 1e-3)) is None


class TestDecay:
    def net(self, decay: float, shrink: float) -> Net:
        net = Net(4, 400).change(OPTIMIZER, weight_decay=0.5)
        for weight in net.weights:
            net.set("update.decay_rms", weight, decay)
            net.set("update.rms", weight, 1e-4)
            net.set("weight.rms", weight, lambda t: 0.1 * math.exp(-shrink * t / 100))
        return net

    def test_shrinking_and_standing_still_is_suspect(self):
        found = one(weight_decay_dominates, standing(self.net(5e-4, 0.1)))
        assert found is not None
        assert found.level == Level.SUSPECT
        assert found.values["ratio"] == pytest.approx(5, rel=0.01)
        assert found.values["shrink"] == pytest.approx(0.095, rel=0.05)

    @pytest.mark.parametrize(
        ("left", "momentum", "told"),
        [(0.96, 0.9, True), (0.96, 0.0, False), (1.0, 0.9, False), (0.99, 0.9, False)],
        ids=["as decay alone", "no momentum", "equilibrium", "the gradient holds against it"],
    )
    def test_momentum_piles_up_the_decay(self, left, momentum, told):
        net = standing(Net(4, 400)).change(OPTIMIZER, momentum=momentum)
        for weight in net.weights:
            net.set("weight.rms", weight, lambda t: 0.1 * left**t)
            net.set("update.decay_rms", weight, lambda t: 0.005 * 0.1 * left**t)
            net.set("update.rms", weight, lambda t: 0.04 * 0.1 * left**t)
        assert (one(weight_decay_dominates, net) is not None) == told

    def test_equilibrium_is_silent(self):
        assert one(weight_decay_dominates, standing(self.net(2e-4, 0.0))) is None

    def test_a_gradient_that_is_larger_is_silent(self):
        assert one(weight_decay_dominates, standing(self.net(5e-5, 0.1))) is None

    def test_converged_is_silent(self):
        assert one(weight_decay_dominates, self.net(5e-4, 0.1)) is None


class TestMoments:
    def small(self, share: float = 0.9, ratio: float = 1e-6) -> Net:
        net = standing(Net(4, 600, optimizer="Adam"))
        for i, weight in enumerate(net.weights):
            first = i == 0
            net.set("moment.epsilon_share", weight, share if first else 0.0)
            net.set("update.ratio", weight, ratio if first else 1e-2)
            net.set("weight.movement", weight, 1e-5 if first else 0.3)
        return creeping(net)

    def test_epsilon_and_left_behind_is_suspect(self):
        net = self.small()
        found = one(adam_epsilon_dominance, net)
        assert found is not None
        assert found.level == Level.SUSPECT
        assert found.sites == (net.weights[0],)

    def test_learning_all_the_same_is_a_note(self):
        net = self.small().loss(lambda t: BASE * (1 - 0.4 * t / 600), spread=0.01)
        assert level(adam_epsilon_dominance, net) == Level.NOTE

    def test_an_epsilon_of_choice_is_a_note(self):
        assert level(adam_epsilon_dominance, self.small().change(OPTIMIZER, eps=1e-3)) == Level.NOTE

    def test_updates_like_the_others_are_silent(self):
        assert one(adam_epsilon_dominance, self.small(ratio=5e-3)) is None

    def test_gradients_above_it_are_silent(self):
        assert one(adam_epsilon_dominance, self.small(share=0.2)) is None

    def surprised(self, at: tuple[int, ...], *, surprise: float = 4.0) -> Net:
        net = Net(4, 1500, optimizer="Adam")
        up = {t + k for t in at for k in range(3, 12)}
        net.loss(lambda t: BASE * (2.0 if t in up else 0.4), spread=0.02)
        near = {t + k for t in at for k in range(-12, 4)}
        for weight in net.weights:
            net.set("moment.surprise", weight, lambda t: surprise if t in near else 1.0)
        return net

    def test_three_jumps_announced(self):
        found = one(adam_stale_second_moment, self.surprised((500, 800, 1100)))
        assert found is not None
        assert found.level == Level.SUSPECT
        assert found.values["count"] == 3

    def test_one_is_a_note_and_an_unannounced_one_silent(self):
        assert level(adam_stale_second_moment, self.surprised((800,))) == Level.NOTE
        assert one(adam_stale_second_moment, self.surprised((800,), surprise=1.5)) is None


class TestNotes:
    @pytest.mark.parametrize(
        ("kind", "decay", "decoupled", "found"),
        [
            ("Adam", 1e-2, False, True),
            ("Adam", 1e-2, True, False),
            ("Adam", 1e-5, False, False),
            ("AdamW", 1e-2, None, False),
            ("SGD", 1e-2, None, False),
        ],
    )
    def test_coupled_decay(self, kind, decay, decoupled, found):
        net = Net(4, 100, optimizer=kind)
        net.change(OPTIMIZER, weight_decay=decay, decoupled_weight_decay=decoupled)
        assert level(coupled_l2_in_adam, net) == (Level.NOTE if found else None)

    def test_a_high_momentum_where_nothing_moves(self):
        net = standing(Net(4, 400)).change(OPTIMIZER, momentum=0.99, lr=0.1)
        found = one(large_effective_lr, net)
        assert found is not None
        assert found.level == Level.NOTE
        assert found.values["effective"] == pytest.approx(10)
        assert one(large_effective_lr, net.change(OPTIMIZER, momentum=0.9)) is None

    def test_a_high_momentum_that_works_is_silent(self):
        net = Net(4, 400).change(OPTIMIZER, momentum=0.99, lr=0.1)
        assert one(large_effective_lr, net) is None

    def test_decades_between_layers(self):
        net = Net(6, 300)
        net.set("update.ratio", net.weights[2], 1e-7)
        found = one(update_ratio_imbalance, net)
        assert found is not None
        assert found.level == Level.NOTE
        assert found.values["slowest"] == "layers.2.weight"
        assert one(update_ratio_imbalance, Net(6, 300)) is None


class TestWarmup:
    def net(self, *, attention: bool = True, early: float = 0.3) -> Net:
        net = standing(Net(4, 400, optimizer="Adam"))
        for weight in net.weights:
            net.set("update.ratio", weight, lambda t: early if t < 3 else 1e-3)
        if attention:
            meta = {"role": "attention", "model": "Net"}
            net.sites.append(
                Site(len(net.sites), "module", "attn", "MultiheadAttention", meta=meta)
            )
        return net

    def test_full_rate_from_the_start_and_nowhere(self):
        found = one(missing_warmup, self.net())
        assert found is not None
        assert found.level == Level.SUSPECT
        assert found.first_step == 0

    def test_with_a_warm_up_short_steps_or_no_attention_it_is_silent(self):
        warmed = self.net().each_step("lr", OPTIMIZER, lambda t: 1e-3 * min(1.0, (t + 1) / 50))
        assert one(missing_warmup, warmed) is None
        assert one(missing_warmup, self.net(early=0.02)) is None
        assert one(missing_warmup, self.net(attention=False)) is None

    def test_one_that_learns_is_silent(self):
        net = self.net().loss(lambda t: BASE * math.exp(-t / 100), spread=0.02)
        assert one(missing_warmup, net) is None


class TestTooSlow:
    def net(self, *, calls: int, length: int = 400) -> Net:
        net = Net(4, 400)
        site = Site(len(net.sites), "scheduler", "CosineAnnealingLR", meta={"optimizer": OPTIMIZER})
        net.sites.append(site)
        data = {
            "class": "CosineAnnealingLR", "optimizer": OPTIMIZER, "steps": calls,
            "optimizer_steps": 400, "before_first_step": False, "optimizer_live": True,
            "settings": {"T_max": float(length), "base_lr": 0.1},
        }  # fmt: skip
        net.facts.append(Fact("scheduler", site.id, data=data))
        return net

    def test_set_for_batches_and_called_each_epoch(self):
        found = one(lr_schedule_misuse, self.net(calls=10))
        assert found is not None
        assert found.level == Level.SUSPECT
        assert found.values["kind"] == "too_slow"

    def test_called_as_often_as_it_was_set_for(self):
        assert one(lr_schedule_misuse, self.net(calls=400)) is None
        assert one(lr_schedule_misuse, self.net(calls=10, length=10)) is None


def test_the_healthy_net_has_none_of_them():
    rules = (
        clip_always_active, rprop_with_minibatches, accumulating_preconditioner,
        weight_decay_dominates, adam_epsilon_dominance, adam_stale_second_moment,
        coupled_l2_in_adam, large_effective_lr, missing_warmup, update_ratio_imbalance,
    )  # fmt: skip
    net = Net(6, 400, optimizer="AdamW")
    net.set("moment.surprise", net.weights[0], 1.0).set("moment.epsilon_share", net.weights[0], 0.0)
    net.each_step("clip.norm", RUN, 0.5).each_step("clip.max_norm", RUN, 1.0)
    assert [r.name for r in rules if one(r, net) is not None] == []
