from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import LOSS, LOSSFN, OPTIMIZER, Net
from gradoctor.recording import Series
from gradoctor.records import Fact, Level, Site
from gradoctor.rules.evidence import diverged, grade, no_progress, paths, persistence, stuck
from gradoctor.rules.evidence import exclusions as benign
from gradoctor.rules.evidence.depth import backward_profile, cliff, slope
from gradoctor.rules.evidence.harm import left_behind
from gradoctor.rules.evidence.loss import level
from gradoctor.rules.evidence.robust import bootstrap_difference, ema, row_medians, theil_sen
from gradoctor.rules.evidence.timing import start_step, warm_up_end


def series(values, steps=None) -> Series:
    at = np.arange(len(values)) if steps is None else np.asarray(steps)
    return Series(at.astype(np.int64), np.asarray(values, np.float32))


class TestRobust:
    def test_theil_sen_ignores_a_quarter_of_outliers(self):
        x = np.arange(40.0)
        y = 3.0 - 0.5 * x
        y[::4] = 1e6
        assert theil_sen(x, y).slope == pytest.approx(-0.5, abs=0.05)

    @given(st.floats(-5, 5), st.floats(-100, 100), st.integers(2, 400))
    @settings(max_examples=40, deadline=None)
    def test_theil_sen_finds_a_straight_line(self, tilt, offset, count):
        x = np.arange(float(count))
        assert theil_sen(x, tilt * x + offset).slope == pytest.approx(tilt, abs=1e-6)

    def test_row_medians_leave_nan_out_and_keep_infinity(self):
        rows = np.array([[1, 3, 2], [np.nan, 5, np.nan], [np.inf, 1, np.inf], [4, 1, np.nan]])
        assert row_medians(rows.astype(np.float32)).tolist() == [2, 5, np.inf, 4]
        assert np.isnan(row_medians(np.full((1, 3), np.nan, np.float32))).all()

    def test_ema_of_a_constant_is_the_constant_from_the_start(self):
        assert ema([2.0] * 10, 5) == pytest.approx([2.0] * 10)

    def test_bootstrap_sees_a_fall_and_is_deterministic(self):
        noise = np.random.default_rng(0)
        high, low = 1 + 0.1 * noise.normal(size=200), 0.8 + 0.1 * noise.normal(size=200)
        interval = bootstrap_difference(high, low)
        assert 0.1 < interval[0] < 0.2 < interval[1] < 0.3
        assert interval == bootstrap_difference(high, low)
        same = bootstrap_difference(high, 1 + 0.1 * noise.normal(size=200))
        assert same[0] < 0 < same[1]


class TestTiming:
    def test_sgd_starts_at_20_and_adam_when_its_second_moment_has_settled(self):
        assert start_step(Net(steps=300).build()) == 20
        assert start_step(Net(steps=2000, optimizer="AdamW").build()) == 300

    def test_a_short_adam_run_is_judged_on_its_second_half_once_it_has_ended(self):
        net = Net(steps=200, optimizer="AdamW")
        assert start_step(net.build()) == 100
        net.meta["final"] = False
        assert start_step(net.build()) == 300

    def test_warm_up(self):
        net = Net().each_step("lr", OPTIMIZER, lambda t: min(0.1, 0.001 * (t + 1)))
        assert 97 <= warm_up_end(net.build()) <= 100
        assert start_step(net.build()) >= 97
        decay = Net().each_step("lr", OPTIMIZER, lambda t: 0.1 * 0.99**t)
        assert warm_up_end(decay.build()) == 0


class TestPersistence:
    run = Net().build()

    def test_past_the_threshold_throughout(self):
        past = persistence(self.run, series([-12.0] * 200), -10, side="below")
        assert past.holds
        assert past.first == 0
        assert past.value == -12

    def test_a_fifth_of_the_window_may_be_clear(self):
        values = np.where(np.arange(200) % 6 == 0, 0.0, -12.0)
        assert persistence(self.run, series(values), -10, side="below").holds
        values = np.where(np.arange(200) % 3 == 0, 0.0, -12.0)
        assert not persistence(self.run, series(values), -10, side="below").mechanism

    def test_fewer_than_20_evaluations_do_not_hold(self):
        past = persistence(self.run, series([-12.0] * 30), -10, side="below")
        assert past.mechanism
        assert not past.holds

    def test_a_trend_towards_health_does_not_hold(self):
        values = -30 + 18 * np.arange(200) / 200
        past = persistence(self.run, series(values), -10, side="below", clear=-9)
        assert past.mechanism
        assert not past.holds

    def test_the_onset_is_that_of_the_last_stretch(self):
        values = np.r_[[-12.0] * 40, [0.0] * 40, [-12.0] * 120]
        assert persistence(self.run, series(values), -10, side="below").first == 80


class TestHarm:
    def test_healthy(self):
        run = Net().build()
        assert not diverged(run).found
        assert not stuck(run).found
        assert not no_progress(run).found
        assert not left_behind(run, Net().weights[:1]).found

    def test_one_bad_batch_is_not_divergence_and_a_run_that_ends_on_nan_is(self):
        once = Net().each_step("loss.nonfinite", LOSS, lambda t: float(t == 100))
        assert not diverged(once.build()).found
        ends = Net().each_step("loss.nonfinite", LOSS, lambda t: float(t >= 100))
        assert diverged(ends.build()).since == 100

    def test_converged_loss_that_wobbles_has_not_diverged(self):
        net = Net().loss(lambda t: 1e-5 if t < 150 else 1e-3)
        assert not diverged(net.build()).found

    def test_stuck_needs_a_constant_output(self):
        net = Net().stuck()
        assert stuck(net.build()).found
        net.set("prediction.centred_ratio", LOSSFN, 0.5).set("lossfn.kl", LOSSFN, 0.5)
        assert not stuck(net.build()).found

    def test_stuck_worse_than_the_baseline_with_a_constant_output(self):
        net = Net().stuck().loss(lambda t: 2.6, spread=0.01)
        assert stuck(net.build()).found

    def test_a_loss_that_went_on_falling_after_the_last_look_was_not_stuck(self):
        net = Net(steps=600).stuck()
        net.looks = [t for t in net.looks if t < 150]
        net.rows = {
            name: {site: values[: len(net.looks)] for site, values in columns.items()}
            for name, columns in net.rows.items()
        }
        assert stuck(net.build()).found
        net.each_step("loss.value", LOSS, lambda t: 2.31 if t < 300 else 2.31 * 0.997 ** (t - 300))
        assert not stuck(net.build()).found

    def test_a_surrogate_below_0_that_rises_has_not_diverged(self):
        def policy(t: int) -> float:
            return -8.0 if 100 < t < 200 else -0.1

        net = Net(steps=400).each_step("loss.value", LOSS, policy)
        net.rows.pop("lossfn.value")
        assert not diverged(net.build()).found
        assert diverged(net.each_step("loss.value", LOSS, lambda t: policy(t) + t**2).build()).found

    def test_a_loss_of_the_scripts_own_that_grows_with_the_returns_has_not_diverged(self):
        net = Net(steps=400).each_step("loss.value", LOSS, lambda t: 15 + 0.2 * t)
        assert diverged(net.build()).found
        net.rows.pop("lossfn.value")
        assert not diverged(net.build()).found
        assert diverged(net.each_step("loss.value", LOSS, lambda t: 1.5 * 1.03**t).build()).found

    def test_a_surrogate_that_stays_level_has_not_stopped_progressing(self):
        net = Net(steps=400).each_step("loss.value", LOSS, lambda t: 0.1 * (-1) ** t)
        net.rows.pop("lossfn.value")
        assert not no_progress(net.build()).found
        level_loss = net.each_step("loss.value", LOSS, lambda t: 2 + 0.1 * (-1) ** t)
        assert no_progress(level_loss.build()).found

    def test_now_is_what_the_last_values_say_and_not_their_smooth_mean(self):
        net = Net().loss(lambda t: 9.0 if t < 250 else 0.5)
        net.change(LOSSFN, loss=LOSS)
        net.facts.append(Fact("loss_call", LOSSFN, data={"factor": 1.0}))
        known = level(net.build())
        assert known is not None
        assert known.now == pytest.approx((np.log(10) - 0.5) / np.log(10), abs=0.01)

    def test_no_progress_at_a_learning_rate_of_0_is_no_harm(self):
        net = Net().loss(lambda t: 2.0, spread=0.01)
        assert no_progress(net.build()).found
        assert not no_progress(net.each_step("lr", OPTIMIZER, 0.0).build()).found

    def test_smaller_batches_of_a_summed_loss_hide_no_progress(self):
        def summed(t: int) -> float:
            return (400.0 - 0.15 * t) * (0.5 if t % 13 == 12 or t in (260, 270, 280) else 1.0)

        falling = Net(steps=300).each_step("loss.value", LOSS, summed).build()
        assert not no_progress(falling).found
        flat = Net(steps=300).each_step("loss.value", LOSS, lambda t: 400.0 + t % 3)
        assert no_progress(flat.build()).found

    def test_left_behind_by_movement_or_by_share(self):
        net = Net()
        net.set("weight.movement", net.weights[0], 1e-4)
        assert left_behind(net.build(), [net.weights[0]]).why == "moved"
        net = Net()
        net.set("update.progress", net.weights[0], 1e-8)
        assert left_behind(net.build(), [net.weights[0]]).why == "share"


class TestExclusions:
    def test_sparsity_without_death(self):
        net = Net()
        assert benign.sparsity_without_death(net.build(), net.activations[0]).found
        net.set("act.dead_fraction", net.activations[0], 0.9)
        assert not benign.sparsity_without_death(net.build(), net.activations[0]).found

    def test_zero_init_with_and_without_escape(self):
        net = Net()
        net.facts.append(
            Fact("init", net.weights[0], "b", data={"zero": True, "first_grad_absmax": 0.0})
        )
        assert not benign.zero_init_escape(net.build()).found
        net.facts.append(
            Fact("init", net.weights[0], "c", data={"zero": True, "first_grad_absmax": 0.1})
        )
        assert benign.zero_init_escape(net.build()).found

    def test_parameters(self):
        net = Net()
        net.change(net.weights[1], role="embedding")
        run = net.build()
        assert benign.is_embedding(run, run.sites[net.weights[1]]).found
        assert not benign.is_embedding(run, run.sites[net.weights[0]]).found

    def test_a_loss_about_own_samples(self):
        net = Net()
        net.facts.append(Fact("loss_call", LOSSFN, data={"factor": None}))
        assert not benign.adversarial(net.build()).found
        net.facts.append(Fact("draw", None, "train.py:9", data={"what": "Categorical"}))
        assert benign.adversarial(net.build()).name == "own-samples"
        net.facts[-2] = Fact("loss_call", LOSSFN, data={"factor": 1.0})
        assert not benign.adversarial(net.build()).found, "cross entropy; sampled for show"

    def test_schedule(self):
        rising = Net().each_step("lr", OPTIMIZER, lambda t: t / 1000)
        falling = Net().each_step("lr", OPTIMIZER, lambda t: 0.1 * (1 - t / 300))
        assert benign.warming_up(rising.build()).found
        assert not benign.warming_up(falling.build()).found
        assert benign.schedule_tail(falling.build()).found
        assert not benign.schedule_tail(rising.build()).found

    def test_outcome(self):
        assert benign.converged(Net().build()).found
        assert not benign.converged(Net().stuck().build()).found
        assert benign.fine_tuning(Net().loss(lambda t: 0.5).build()).found
        assert not benign.fine_tuning(Net().build()).found
        assert benign.too_early(Net(steps=90).build(), final=True).found
        assert benign.too_early(Net(steps=150).build(), final=False).found
        assert not benign.too_early(Net(steps=250).build(), final=False).found

    def test_targets_that_move(self):
        def regression(mean, std: float = 1.0, spread: float = 0.05, function: str = "mse_loss"):
            net = Net().change(LOSSFN, function=function).set("target.std", LOSSFN, std)
            return net.set("target.mean", LOSSFN, mean, spread=spread)

        assert not benign.moving_targets(Net().build()).found
        assert not benign.moving_targets(regression(5.0).build()).found
        assert not benign.moving_targets(regression(5.0, 0.0, 0.3).build()).found, "one a batch"
        assert benign.moving_targets(regression(lambda t: t / 50).build()).found
        assert benign.moving_targets(regression(5.0, lambda t: 1 + t / 60).build()).found

    def test_players(self):
        net = Net()
        assert not benign.adversarial(net.build()).found
        net.sites.append(Site(len(net.sites), "optimizer", "Muon", "Muon"))
        assert not benign.adversarial(net.build()).found, "two optimizers, one loss"
        net.sites.append(Site(len(net.sites), "loss", "critic", meta={"optimizers": [9]}))
        net.each_step("loss.value", len(net.sites) - 1, 1.0)
        assert benign.adversarial(net.build()).found

    def test_steps(self):
        net = Net().each_step("backward.count", 0, 4.0)
        net.each_step("scaler.skipped", 0, lambda t: float(t < 5))
        assert benign.accumulating(net.build()).found
        assert benign.scaler_skips(net.build()).found
        assert not benign.accumulating(Net().build()).found


class TestDepth:
    def test_the_main_path_is_layers_in_order_up_to_the_head(self):
        net = Net(5)
        (path,) = paths(net.build())
        assert path.ids == tuple(net.layers)
        assert path.weights == tuple(net.weights)

    def test_what_is_lost_right_behind_the_head_is_seen(self):
        net = Net(4)
        for layer in net.layers[:-1]:
            net.set("actgrad.rms", layer, 0.0)
        (path,) = paths(net.build())
        at, fall = cliff(backward_profile(net.build(), path).middle(net.build()))
        assert at == 3
        assert fall > 100

    def test_models_have_paths_of_their_own_and_short_ones_have_none(self):
        net = Net(8)
        for site in net.layers[:4]:
            net.change(site, model="Other")
        assert {p.model for p in paths(net.build())} == {"Other", "Net"}
        assert not paths(Net(1).build())

    def test_span_and_slope(self):
        run = Net(11).gradient_slope(1.5).build()
        (path,) = paths(run)
        profile = backward_profile(run, path)
        assert profile.span.values == pytest.approx([-16.5] * len(profile.span), abs=1e-3)
        line = slope(profile.middle(run))
        assert line.slope == pytest.approx(1.5, abs=1e-3)
        assert line.r2 == pytest.approx(1.0, abs=1e-3)

    def test_widths_do_not_pass_for_decay(self):
        net = Net(4)
        for i, layer in enumerate(net.layers):
            width = 4096 >> (2 * i)
            net.change(layer, out_shape=[64, width])
            net.set("actgrad.rms", layer, 1e-2 / width**0.5)
        (path,) = paths(net.build())
        assert backward_profile(net.build(), path).span.values == pytest.approx(0.0, abs=1e-3)

    def test_cliff(self):
        assert cliff(np.array([-30.0, -29, -10, -9])) == (1, 19.0)


def test_grade():
    found = benign.Exclusion("x", True)
    assert grade(persists=True, harm=True) == Level.SICK
    assert grade(persists=True, harm=True, exclusions=[found]) == Level.SUSPECT
    assert grade(persists=True, harm=True, exclusions=[found] * 3) == Level.NOTE
    assert grade(persists=True, harm=False) == Level.NOTE
    assert grade(persists=True, harm=None) == Level.SUSPECT
    assert grade(persists=False, harm=True) == Level.SUSPECT
