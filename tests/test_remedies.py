"""Remedies: the ledger, the texts, and every line of code that a user is told to type."""

from __future__ import annotations

import ast
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gradoctor.remedies import REMEDIES, Remedy
from tests.scenes import (
    SCENES,
    Tiny,
    column,
    copies,
    dead_layer,
    names,
    recurrence,
    regression,
    residual_blocks,
    router,
    run,
    saved,
    tokens,
    words,
)  # fmt: skip

EVERY = pytest.mark.parametrize("remedy", REMEDIES, ids=lambda r: r.name)


class TestCode:
    @EVERY
    def test_it_is_python_that_fits_a_terminal(self, remedy: Remedy):
        assert ast.parse(remedy.code).body
        for line in remedy.code.splitlines():
            assert len(line) <= 72
            assert line == line.rstrip()

    @EVERY
    @pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
    def test_it_runs(self, remedy: Remedy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.chdir(tmp_path)
        run(remedy.name, **SCENES.get(remedy.name, dict)())


class TestEffect:
    """What the code does, for those where that can be said in a line."""

    def test_he_initialisation_keeps_the_scale(self):
        deep = nn.Sequential(*[m for _ in range(20) for m in (nn.Linear(64, 64), nn.ReLU())])
        x = torch.randn(256, 64)
        assert deep(x).pow(2).mean().sqrt() < 0.1
        run("use_he_initialisation", model=deep)
        assert 0.1 < deep(x).pow(2).mean().sqrt() < 10

    def test_xavier_initialisation_leaves_tanh_steep(self):
        net = nn.Sequential(nn.Linear(64, 64), nn.Tanh())
        nn.init.normal_(net[0].weight, std=1.0)
        x = torch.randn(256, 64)
        assert (net(x).abs() > 0.97).float().mean() > 0.5
        run("use_xavier_initialisation", model=net)
        assert (net(x).abs() > 0.97).float().mean() < 0.35

    def test_rescaling_gives_each_layer_unit_output(self):
        net = nn.Sequential(*[m for _ in range(6) for m in (nn.Linear(32, 32), nn.ReLU())])
        for layer in net[::2]:
            nn.init.normal_(layer.weight, std=0.001)
        x = torch.randn(64, 32)
        run("rescale_layers_by_data", model=net, inputs=x)
        for end in range(1, len(net), 2):
            assert net[:end](x).std().item() == pytest.approx(1.0, abs=1e-3)
        assert not any(m._forward_hooks for m in net.modules())

    def test_activations_are_replaced_wherever_they_stand(self):
        scope = run("replace_saturating_activations")
        assert not any(isinstance(m, nn.Tanh) for m in scope["model"].modules())
        assert sum(isinstance(m, nn.ReLU) for m in scope["model"].modules()) == 2
        assert isinstance(run("use_leaky_relu")["model"].body[3], nn.LeakyReLU)

    def test_revived_units_live_and_change_nothing(self):
        scene = dead_layer()
        x = torch.randn(500, 4)

        def both() -> tuple[torch.Tensor, torch.Tensor]:
            hidden = scene["layer"](x).relu()
            return (hidden > 0).any(0), scene["following"](hidden)

        alive, before = both()
        assert not alive[scene["dead"]].any()
        run("revive_dead_units", **scene)
        alive, after = both()
        assert alive[scene["dead"]].all()
        torch.testing.assert_close(before, after)

    def test_recurrence_starts_open_and_isometric(self):
        rnn = run("open_forget_gates", **recurrence())["rnn"]
        assert (rnn.bias_ih_l1[8:16] == 1.0).all()
        assert (rnn.bias_ih_l1[:8] != 1.0).all()
        rnn = run("use_orthogonal_recurrence", **recurrence())["rnn"]
        gate = rnn.weight_hh_l0[8:16]
        torch.testing.assert_close(gate @ gate.T, torch.eye(8))

    def test_an_even_load_costs_least(self):
        even = {"gates": torch.full((40, 4), 0.25), "chosen": torch.arange(40) % 4}
        one = {"gates": torch.eye(4)[torch.zeros(40, dtype=torch.long)]}
        costs = [
            run("balance_the_router", **router())["balance"].item(),
            run("balance_the_router", **{**router(), **even})["balance"].item(),
            run("balance_the_router", **{**router(), **one, "chosen": torch.zeros(40).long()})[
                "balance"
            ].item(),
        ]
        assert costs[1] == pytest.approx(1.0)
        assert costs[2] == pytest.approx(4.0)
        assert costs[1] <= costs[0] + 1e-3

    def test_copies_differ_once_drawn_again(self):
        layers = run("draw_copies_again", **copies())["layers"]
        assert not torch.equal(layers[0].weight, layers[1].weight)

    def test_capped_logits_stay_in_their_bounds(self):
        scope = run("cap_attention_logits", logits=1000 * torch.randn(5, 5))
        assert scope["logits"].abs().max() <= 30.0

    def test_branches_start_silent(self):
        for block in run("start_branches_at_zero", **residual_blocks())["blocks"]:
            assert not block.last(torch.randn(4, 6)).any()

    def test_a_shared_embedding_gives_small_logits(self):
        embedding = run("draw_small_embedding", **words())["embedding"]
        logits = torch.randn(50, 16) @ embedding.weight.T
        assert logits.std() < 0.2
        scope = run("scale_embedding_on_the_way_in", **words())
        assert 0.5 < scope["x"].std() < 2.0

    def test_head_starts_at_the_prior(self):
        labels = torch.tensor([0] * 60 + [1] * 30 + [2] * 10)
        head = nn.Linear(8, 3)
        nn.init.zeros_(head.weight)
        run("set_head_bias_to_class_frequencies", head=head, train_labels=labels)
        shares = head(torch.zeros(1, 8)).softmax(-1)[0]
        assert shares.tolist() == pytest.approx([0.6, 0.3, 0.1], abs=0.02)

    def test_scheduled_rates(self):
        optimizer = torch.optim.SGD(Tiny().parameters(), lr=1.0)
        scheduler = run("warm_up_learning_rate", optimizer=optimizer)["scheduler"]
        assert optimizer.param_groups[0]["lr"] == pytest.approx(1 / 200)
        for _ in range(300):
            optimizer.step()
            scheduler.step()
        assert optimizer.param_groups[0]["lr"] == 1.0
        assert run("match_schedule_to_steps")["scheduler"].T_max == 4

    def test_a_rate_goes_to_half_of_what_was_measured_as_the_most(self):
        changed = run("lower_rate_below_threshold")["optimizer"]
        assert changed.param_groups[0]["lr"] == pytest.approx(0.1 / 4 / 2)

    def test_rates_are_changed_tenfold(self):
        assert run("lower_learning_rate")["optimizer"].param_groups[0]["lr"] == pytest.approx(0.01)
        assert run("raise_learning_rate")["optimizer"].param_groups[0]["lr"] == pytest.approx(1.0)

    def test_one_batch_is_memorised(self, capsys: pytest.CaptureFixture[str]):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 3))
        run("overfit_one_batch", model=net, optimizer=torch.optim.AdamW(net.parameters(), lr=1e-2))
        assert float(capsys.readouterr().out) < 0.05

    def test_range_test_raises_the_rate_at_each_step(self, capsys: pytest.CaptureFixture[str]):
        run("find_learning_rate")
        rates = [float(row.split()[0]) for row in capsys.readouterr().out.splitlines()]
        assert rates == pytest.approx([1e-7, 1.1e-7])

    def test_checkpoint_brings_back_weights_and_rate(self, tmp_path: Path, monkeypatch: Any):
        monkeypatch.chdir(tmp_path)
        scope = run("return_to_checkpoint", **saved())
        expected = scope["expected"].state_dict()
        for name, value in scope["model"].state_dict().items():
            assert torch.equal(value, expected[name])
        assert scope["optimizer"].param_groups[0]["lr"] == 0.5

    def test_regression_shapes_meet(self):
        for name in ("squeeze_prediction", "unsqueeze_target"):
            scene = column()
            with pytest.warns(UserWarning, match="target size"):
                wrong = F.mse_loss(scene["prediction"], scene["target"])
            right = (scene["prediction"][:, 0] - scene["target"]).pow(2).mean()
            got = run(name, **scene)["loss"]
            assert got.item() == pytest.approx(right.item())
            assert got.item() != pytest.approx(wrong.item())

    def test_standardised_targets_come_back_in_their_unit(self):
        scope = run("standardise_targets", **regression())
        assert scope["loss"] < 3
        assert 300 < scope["prediction"].mean() < 700

    def test_targets_end_at_the_edges_of_the_range(self):
        target = run("bring_targets_into_range", **regression())["target"]
        assert (target.min().item(), target.max().item()) == (0.0, 1.0)

    def test_no_counted_target_gives_no_nan(self):
        nothing = torch.full((16,), -100)
        assert run("divide_by_counted_targets", targets=nothing)["loss"].item() == 0.0
        mean = run("ignore_a_number_no_class_has")["loss"]
        assert run("divide_by_counted_targets")["loss"].item() == pytest.approx(mean.item())

    def test_a_root_of_zero_has_a_finite_gradient(self):
        prediction = torch.zeros(4, 1, requires_grad=True)
        run("add_epsilon_under_the_root", prediction=prediction, target=torch.zeros(4, 1))[
            "loss"
        ].backward()
        assert prediction.grad is not None
        assert prediction.grad.isfinite().all()

    def test_rare_classes_weigh_as_much_together(self):
        labels = torch.tensor([0] * 90 + [1] * 9 + [2])
        weight = run("weight_classes_by_rarity", train_labels=labels)["weight"]
        assert (weight * torch.bincount(labels)).tolist() == pytest.approx([100 / 3] * 3)

    def test_labels_are_the_next_tokens(self):
        scope = run("shift_labels_once", **tokens())
        assert torch.equal(scope["labels"][:, :-1], scope["inputs"][:, 1:])

    def test_nll_of_logits_is_cross_entropy(self):
        left = run("apply_log_softmax_before_nll")["loss"]
        assert left.item() == pytest.approx(run("use_cross_entropy_on_logits")["loss"].item())

    def test_inputs_are_standardised(self):
        raw = 128 + 100 * torch.randn(500, 4)
        made = run("standardise_inputs", inputs=raw, train_inputs=raw)["inputs"]
        assert made.mean(0).abs().max() < 1e-4
        assert made.std(0).tolist() == pytest.approx([1.0] * 4, abs=1e-4)

    def test_stable_operations_are_finite_where_the_plain_ones_are_not(self):
        zeros = torch.zeros(3)
        scope = run(
            "use_stable_operations",
            logits=torch.tensor([[-200.0, 0.0, 200.0]]),
            x=zeros,
            a=torch.ones(3),
            b=zeros,
        )
        for name in ("log_p", "log_s", "log_x", "ratio", "root"):
            assert scope[name].isfinite().all(), name
        assert not torch.log(zeros).isfinite().any()

    def test_bad_samples_are_found(self, capsys: pytest.CaptureFixture[str]):
        rows = torch.randn(16, 4)
        rows[11, 2] = math.nan
        data = torch.utils.data.TensorDataset(rows, torch.zeros(16))
        run("find_nonfinite_samples", loader=torch.utils.data.DataLoader(data, batch_size=8))
        assert capsys.readouterr().out.split() == ["1", "[3]"]

    def test_missing_values_are_marked(self):
        scope = run("mark_missing_values", **SCENES["mark_missing_values"]())
        assert scope["inputs"].tolist() == [[1.0, 0.0, 0.0, 1.0]]

    def test_non_finite_values_stop_the_run(self):
        bad = {"loss": torch.tensor(math.nan)}
        with pytest.raises(FloatingPointError):
            run("stop_at_nonfinite_loss", **bad)
        scope = names()
        scope["loss"].backward()
        next(scope["model"].parameters()).grad[0] = math.inf
        with pytest.raises(RuntimeError, match="non-finite"):
            run("fail_on_nonfinite_gradients", model=scope["model"])

    def test_master_weights_learn_what_bf16_loses(self):
        model = nn.Linear(4, 1, bias=False).bfloat16()
        nn.init.ones_(model.weight)
        step = run("keep_float32_master_weights", model=model)["step"]
        for _ in range(20):
            model(torch.ones(1, 4).bfloat16()).sum().backward()
            step()
        assert model.weight.dtype == torch.bfloat16
        assert (model.weight < 0.99).all()

    def test_the_optimizer_gets_what_it_lacks_and_only_that(self):
        model = Tiny()
        optimizer = torch.optim.SGD(model.body.parameters(), lr=0.1)
        run("add_parameters_to_optimizer", model=model, optimizer=optimizer)
        held = [id(p) for group in optimizer.param_groups for p in group["params"]]
        assert sorted(held) == sorted(id(p) for p in model.parameters())

    def test_accumulated_gradients_are_those_of_one_large_batch(self):
        scope = names()
        model = scope["model"].eval()
        F.cross_entropy(model(scope["inputs"]), scope["targets"]).backward()
        whole = [p.grad.clone() for p in model.parameters()]
        model.zero_grad()
        seen: list[torch.Tensor] = []
        optimizer = SimpleNamespace(
            step=lambda: seen.extend(p.grad.clone() for p in model.parameters()),
            zero_grad=model.zero_grad,
        )
        run("divide_loss_by_accumulation_steps", model=model, optimizer=optimizer)
        for mine, wanted in zip(seen, whole, strict=True):
            torch.testing.assert_close(mine, wanted)

    def test_batch_norm_alone_is_frozen(self):
        model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout()).eval()
        run("freeze_batch_norm_openly", model=model)
        assert [m.training for m in model] == [True, False, True]

    def test_gradients_pass_the_rounding(self):
        scope = run("use_straight_through_gradient")
        scope["y"].sum().backward()
        assert torch.equal(scope["y"].detach(), scope["x"].detach().round())
        assert torch.equal(scope["x"].grad, torch.ones_like(scope["x"]))

    def test_held_layers_are_registered(self):
        assert len(list(run("use_module_list")["self"].parameters())) == 6
        assert len(list(run("register_parameters")["self"].parameters())) == 4
