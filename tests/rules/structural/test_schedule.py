"""Schedules and clipping: 405 411."""

from __future__ import annotations

import math

import pytest

from builders import OPTIMIZER, RUN, Net
from gradoctor.records import Finding, Level
from gradoctor.rules.schedule.clip_misplaced import clip_misplaced
from gradoctor.rules.schedule.lr_schedule_misuse import lr_schedule_misuse
from rules.structural.made import cycle, fact, one


def scheduled(net: Net, kind: str, rate, *, base: float = 0.1, **data: object) -> Finding | None:
    """The finding on a scheduler that gave this rate at every step."""
    site = net._add("scheduler", kind, kind, optimizer=OPTIMIZER)
    settings = {"base_lr": base, **data.pop("settings", {})}
    told = {"class": kind, "optimizer": OPTIMIZER, "steps": net.steps, "settings": settings,
            "optimizer_steps": net.steps, "optimizer_live": True, "before_first_step": False,
            **data}  # fmt: skip
    fact(net, "scheduler", site, line=25, **told)
    net.each_step("lr", OPTIMIZER, rate)
    return one(lr_schedule_misuse, net)


def cosine(period: float, base: float = 0.1):
    return lambda t: base * (1 + math.cos(math.pi * t / period)) / 2


class TestSick:
    def test_before_the_first_step(self):
        found = scheduled(Net(), "StepLR", 0.1, before_first_step=True, steps=10)
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["kind"] == "before_first_step"
        assert (found.file, found.line) == ("train.py", 25)

    def test_epoch_settings_called_every_batch(self):
        found = scheduled(Net(), "StepLR", lambda t: 0.1 * 0.1 ** (t // 10))
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["kind"] == "too_fast"
        assert found.values["step"] == 30
        assert found.values["first"] == pytest.approx(0.1)

    def test_milestones_in_epochs_called_every_batch(self):
        found = scheduled(
            Net().loss(lambda t: 2.3 - 0.3 * min(t, 9) / 9), "MultiStepLR",
            lambda t: 0.1 if t < 6 else 0.01 if t < 9 else 0.001,
        )  # fmt: skip
        assert found is not None
        assert (found.level, found.values["kind"]) == (Level.SICK, "too_fast")
        assert found.values["step"] == 9

    def test_a_rate_of_zero(self):
        found = scheduled(Net(), "LambdaLR", 0.0, steps=5)
        assert found is not None
        assert found.level == Level.SICK

    def test_a_lambda_that_returns_the_rate(self):
        found = scheduled(
            Net(), "LambdaLR", lambda t: 0.002**2 * 0.95 ** (t // 28), base=0.002, steps=10
        )
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["kind"] == "tiny_factor"
        assert found.values["lr"] == pytest.approx(0.002**2 * 0.95**10, rel=1e-4)

    def test_a_rate_for_a_factor_is_suspected_at_once(self):
        found = scheduled(Net(steps=6), "LambdaLR", 0.002**2, base=0.002, steps=0)
        assert found is not None
        assert (found.level, found.values["kind"]) == (Level.SUSPECT, "tiny_factor")

    @pytest.mark.parametrize(
        ("rate", "base"),
        [
            (lambda t: 1e-6 * (t + 1), 1e-3),  # a warm-up of 1000 steps
            (0.01, 0.1),  # of ten epochs
            (3e-6, 2e-3),
        ],
    )
    def test_first_rates_of_a_warm_up(self, rate, base):
        assert scheduled(Net(steps=6), "LambdaLR", rate, base=base, steps=0) is None

    def decayed(self, settings: dict[str, float], **data: object) -> Finding | None:
        net = fact(Net(steps=26), "loader", key="loader1", length=13, iterators=2)
        return scheduled(
            net, "StepLR", lambda t: 0.1 if t < 20 else 0.01, settings=settings, **data
        )

    def test_a_decay_per_batch_is_suspected_when_it_sets_in(self):
        found = self.decayed({"step_size": 20.0, "gamma": 0.1})
        assert found is not None
        assert (found.level, found.values["kind"]) == (Level.SUSPECT, "too_fast")
        assert (found.first_step, found.values["step"]) == (20, 20)

    @pytest.mark.parametrize(
        ("settings", "data"),
        [
            ({"step_size": 26.0, "gamma": 0.1}, {}),  # two epochs, counted in batches
            ({"step_size": 20.0, "gamma": 0.7}, {}),
            ({"step_size": 20.0, "gamma": 0.1}, {"steps": 2}),  # per epoch
        ],
    )
    def test_decays_that_are_meant(self, settings, data):
        assert self.decayed(settings, **data) is None

    @pytest.mark.parametrize(
        ("period", "loader"),
        [(20, None), (20, {"length": 25, "iterators": 12}), (60, {"length": 5, "iterators": 60})],
    )
    def test_a_cosine_called_every_batch(self, period, loader):
        net = Net()
        if loader:
            fact(net, "loader", None, **loader)
        found = scheduled(net, "CosineAnnealingLR", cosine(period), settings={"T_max": period})
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["kind"] == "turned_up"

    @pytest.mark.parametrize(
        ("loss", "steps"),
        [(lambda t: 2.3 * math.exp(-t / 4), 300), (lambda t: 2.0, 12)],
        ids=["converged all the same", "not stepped at every batch"],
    )
    def test_a_rate_that_is_soon_spent_on_purpose(self, loss, steps):
        rate = lambda t: 0.1 if t < 9 else 0.001  # noqa: E731
        assert scheduled(Net().loss(loss), "MultiStepLR", rate, steps=steps) is None

    def test_never_stepped(self):
        found = scheduled(Net(), "StepLR", 0.1, steps=0)
        assert found is not None
        assert found.level == Level.SUSPECT
        assert found.values["kind"] == "never_stepped"

    @pytest.mark.parametrize(
        ("last", "level"), [(0.5, Level.SUSPECT), (1.5, Level.NOTE), (None, Level.NOTE)]
    )
    def test_plateau_in_the_wrong_mode(self, last, level):
        net = Net().loss(lambda t: 2.0)
        if last is not None:
            site = net._add(
                "lossfn", "eval", "cross_entropy", function="cross_entropy", evaluation=True
            )
            net.each_step("eval.loss", site, lambda t: 1.0 + (last - 1.0) * t / 300)
        found = scheduled(
            net, "ReduceLROnPlateau", lambda t: 0.1 * 0.1 ** (t // 40), mode="max",
            metric_falls=True, steps=10,
        )  # fmt: skip
        assert found is not None
        assert found.level == level
        assert found.values["kind"] == "wrong_mode"

    @pytest.mark.parametrize(
        ("loss", "level"),
        [(lambda t: 2.3 - t / 200, Level.SUSPECT), (lambda t: 2.3 - t / 4000, Level.SICK)],
        ids=["learnt all the same", "the rate was gone before anything was learnt"],
    )
    def test_plateau_in_the_wrong_mode_with_the_loss_of_training(self, loss, level):
        found = scheduled(
            Net().loss(loss), "ReduceLROnPlateau", lambda t: 0.1 * 0.1 ** (t // 15), mode="max",
            metric_falls=True, steps=20,
        )  # fmt: skip
        assert found is not None
        assert (found.level, found.values["kind"]) == (level, "wrong_mode")

    def test_a_one_cycle_stepped_each_epoch_climbs_to_the_end(self):
        found = scheduled(
            Net(), "OneCycleLR", lambda t: 0.002 + t * 1e-5, settings={"total_steps": 300}, steps=15
        )
        assert found is not None
        assert (found.level, found.values["kind"]) == (Level.SUSPECT, "too_slow")

    def test_bound_to_an_optimizer_that_never_steps(self):
        found = scheduled(Net(), "StepLR", 0.1, optimizer_live=False, optimizer_steps=0)
        assert found is not None
        assert found.level == Level.SUSPECT
        assert found.values["kind"] == "dead_optimizer"


class TestSilent:
    def test_warm_up_and_cosine_to_zero(self):
        def rate(t: int) -> float:
            return 0.1 * min((t + 1) / 50, (1 + math.cos(math.pi * (t - 50) / 250)) / 2)

        assert scheduled(Net(), "LambdaLR", rate) is None

    def test_a_warm_up_that_has_only_begun(self):
        assert scheduled(Net(), "LambdaLR", lambda t: 1e-7 * t) is None
        assert scheduled(Net(), "LinearLR", lambda t: 1e-7 * (t + 1)) is None

    def test_one_cycle_that_ends_at_nothing_and_is_stepped_every_batch(self):
        def rate(t: int) -> float:
            return 0.1 * (t + 1) / 60 if t < 60 else max(4e-7, 0.1 * (1 - (t - 60) / 235))

        assert scheduled(Net(), "OneCycleLR", rate, base=0.004) is None

    @pytest.mark.parametrize("kind", ["CyclicLR", "CosineAnnealingWarmRestarts"])
    def test_cyclic_schedules_return(self, kind):
        assert scheduled(Net(), kind, cosine(20), settings={"T_max": 20}) is None

    def test_one_cosine_over_the_run(self):
        assert scheduled(Net(), "CosineAnnealingLR", cosine(300), settings={"T_max": 300}) is None

    def test_a_cosine_that_returns_by_design(self):
        # per epoch, and per batch with a period of four epochs
        found = scheduled(Net(), "CosineAnnealingLR", cosine(50), settings={"T_max": 5}, steps=30)
        assert found is not None
        assert found.level == Level.NOTE
        net = fact(Net(), "loader", None, length=25, iterators=12)
        found = scheduled(net, "CosineAnnealingLR", cosine(100), settings={"T_max": 100})
        assert found is not None
        assert found.level == Level.NOTE

    def test_a_lambda_that_decays_fast(self):
        assert scheduled(Net(), "LambdaLR", lambda t: 0.1 * 0.985**t) is None

    def test_noam_with_a_rate_of_one(self):
        def rate(t: int) -> float:
            return 64**-0.5 * min((t + 1) ** -0.5, (t + 1) * 100**-1.5)

        assert scheduled(Net(), "LambdaLR", rate, base=1.0) is None

    def test_plateau_after_convergence(self):
        rate = [0.1 * 0.1 ** (t // 15) for t in range(300)]
        assert scheduled(Net(), "ReduceLROnPlateau", rate, mode="min", steps=10) is None

    def test_a_scaler_that_skipped_the_first_step(self):
        net = Net().each_step("scaler.skipped", RUN, lambda t: float(t == 0))
        assert scheduled(net, "StepLR", 0.1, before_first_step=True, steps=10) is None

    def test_one_call_ahead_of_the_loop(self):
        found = scheduled(Net(), "LambdaLR", 0.1, before_first_step=True, steps=301)
        assert found is None

    def test_the_run_goes_on(self):
        net = Net()
        net.meta["final"] = False
        assert scheduled(net, "StepLR", 0.1, steps=0) is None

    def test_an_optimizer_for_later(self):
        found = scheduled(Net(), "StepLR", 0.1, steps=0, optimizer_live=False, optimizer_steps=0)
        assert found is None


def clipped(net: Net, words: object, **data: object) -> Finding | None:
    """The finding on a clipping call in this order of events."""
    told = {"params": 14, "grads": 14, "max_norm": 1.0, "trainable": 14, "count": 300, **data}
    fact(net, "clip", None, line=21, **told)
    if told["grads"]:
        net.each_step("clip.norm", RUN, 2.0)
    return one(clip_misplaced, net, words)


class TestClip:
    @pytest.mark.parametrize(
        ("words", "kind"),
        [
            ("zero_grad clip backward step", "before_backward"),
            ("clip zero_grad backward step", "after_step"),
            ("clip backward step", "before_backward"),
            ("zero_grad scale backward clip unscale scaler_step step scaler_update",
             "before_unscale"),
            ("scaler_update zero_grad scale backward clip scaler_step step", "before_unscale"),
        ],
    )  # fmt: skip
    def test_the_wrong_place(self, words, kind):
        net = fact(Net(), "scaler", None, enabled=True)
        found = clipped(net, words)
        assert found is not None
        assert found.level == Level.SICK
        assert found.values == {"kind": kind, "steps": 300}
        assert (found.file, found.line) == ("train.py", 21)

    def test_a_spent_iterator(self):
        found = clipped(Net(), "zero_grad backward clip step", params=0, grads=0)
        assert found is not None
        assert found.values == {"kind": "nothing", "steps": 300}
        assert found.line == 21

    def test_gradients_that_are_not_there_yet_have_another_name(self):
        found = clipped(Net(), "zero_grad clip backward step", grads=0)
        assert found is not None
        assert found.values["kind"] == "before_backward"

    @pytest.mark.parametrize(
        "words",
        [
            "zero_grad backward clip step",
            "backward clip step zero_grad",
            "backward backward clip step zero_grad",
            "backward clip backward clip step zero_grad",  # at each micro-batch
            "zero_grad scale backward unscale clip scaler_step step",
            "clip step:9 zero_grad backward step",  # the second of two optimizers
            "zero_grad backward clip step:9 zero_grad backward step",  # GAN, one player clipped
            "zero_grad backward step",
        ],
    )
    def test_the_right_place(self, words):
        assert clipped(Net(), words) is None

    def test_a_scaler_that_is_switched_off(self):
        net = fact(Net(), "scaler", None, enabled=False)
        assert clipped(net, "zero_grad scale backward clip scaler_step step scaler_update") is None

    @pytest.mark.parametrize("bound", [math.inf, 1e9])
    def test_a_bound_that_only_measures(self, bound):
        assert clipped(Net(), "clip zero_grad backward step", max_norm=bound) is None

    def test_the_last_call_alone_had_no_gradient(self):
        net = Net().each_step("clip.norm", RUN, lambda t: float(t < 299))
        assert clipped(net, "zero_grad backward clip step", grads=0) is None

    def test_a_few_steps_are_no_habit(self):
        wrong, right = "clip zero_grad backward step", "zero_grad backward clip step"
        cycles = [cycle(wrong, 0, 40), cycle(right, 41, 299)]
        assert clipped(Net(), cycles) is None
