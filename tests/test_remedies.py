"""Remedies: the ledger, the texts, and every line of code that a user is told to type."""

from __future__ import annotations

import ast
import copy
import math
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gradoctor.remedies import REMEDIES, Remedy

Names = dict[str, Any]
BY_NAME = {r.name: r for r in REMEDIES}
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


class Tiny(nn.Module):
    """Two layers with what the snippets mend."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8), nn.ReLU())
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.dropout(self.body(x)))


def names() -> Names:
    """What stands in a user's script, under the names that the snippets use."""
    torch.manual_seed(0)
    model = Tiny()
    inputs, targets = torch.randn(16, 4), torch.randint(0, 3, (16,))
    dataset = torch.utils.data.TensorDataset(inputs, targets)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    sampler = torch.utils.data.DistributedSampler(dataset, num_replicas=2, rank=0)
    x = torch.rand(5, 6, requires_grad=True)
    return {
        "torch": torch,
        "nn": nn,
        "F": F,
        "numpy": numpy,
        "model": model,
        "head": model.head,
        "frozen": model.body,
        "encoder": model.body,
        "decoder": model.head,
        "inputs": inputs,
        "targets": targets,
        "train_inputs": inputs,
        "train_labels": targets,
        "dataset": dataset,
        "loader": torch.utils.data.DataLoader(dataset, batch_size=8),
        "sampler": sampler,
        "optimizer": optimizer,
        "scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 1000),
        "scaler": torch.amp.GradScaler("cpu", init_scale=1024.0),
        "loss_fn": F.cross_entropy,
        "loss": F.cross_entropy(model(inputs), targets),
        "logits": model(inputs).detach(),
        "total": 0.0,
        "epochs": 2,
        "accumulation_steps": 2,
        "device": "cpu",
        "d": 6,
        "depth": 3,
        "fan_in": 4,
        "fan_out": 8,
        "input_size": 4,
        "hidden_size": 8,
        "x": x,
        "a": torch.rand(5),
        "b": torch.zeros(5),
        "branch": nn.Linear(6, 6),
        "self": nn.Module(),
    }


def run(name: str, **others: Any) -> Names:
    """Type a remedy's code into a script that holds these names."""
    scope = names() | others
    exec(compile(BY_NAME[name].code, name, "exec"), scope)
    return scope


# ---- names that only one snippet needs
def saved() -> Names:
    model = Tiny()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(state, "before_the_spike.pt")
    return {"expected": model}


def dead_layer() -> Names:
    dead = torch.zeros(8, dtype=torch.bool)
    dead[2:5] = True
    layer, following = nn.Linear(4, 8), nn.Linear(8, 8)
    with torch.no_grad():
        layer.bias[dead] = -100.0
    return {"layer": layer, "following": following, "dead": dead}


def column() -> Names:
    prediction = torch.randn(16, 1, requires_grad=True)
    return {"prediction": prediction, "target": torch.randn(16)}


def attention() -> Names:
    return {n: 100 * torch.randn(2, 3, 5, 8) for n in ("query", "key", "value")}


def tokens() -> Names:
    model = nn.Sequential(nn.Embedding(7, 8), nn.Linear(8, 7))
    return {"tokens": torch.randint(0, 7, (4, 10)), "model": model}


def padded() -> Names:
    labels = torch.tensor([[1, 2, 0, 0]])
    return {"logits": torch.randn(1, 4, 5), "labels": labels, "padding_id": 0}


def two_terms() -> Names:
    shared = nn.Linear(4, 2)
    out = shared(torch.randn(8, 4))
    return {"shared": shared, "terms": {"data": out.pow(2).mean(), "penalty": out.abs().mean()}}


def regression() -> Names:
    target = 500 + 100 * torch.randn(16, 3)
    return {"target": target, "train_targets": target}


def recurrence() -> Names:
    return {"rnn": nn.LSTM(4, 8, num_layers=2)}


def residual_blocks() -> Names:
    blocks = [nn.Module() for _ in range(3)]
    for block in blocks:
        block.last = nn.Linear(6, 6)
    return {"blocks": blocks}


def words() -> Names:
    return {"embedding": nn.Embedding(20, 16), "tokens": torch.arange(5)}


def router() -> Names:
    logits = torch.randn(40, 4, requires_grad=True)
    gates = logits.softmax(-1)
    return {"router_logits": logits, "gates": gates, "chosen": gates.argmax(-1)}


def copies() -> Names:
    first = nn.Linear(6, 6)
    layers = [copy.deepcopy(first) for _ in range(3)]
    return {"layers": layers}


def last() -> Names:
    scene = saved()
    Path("before_the_spike.pt").rename("last.pt")
    return scene


def start() -> Names:
    torch.save(Tiny().state_dict(), "start.pt")
    return {}


def latent() -> Names:
    mean, log_var = torch.randn(8, 3, requires_grad=True), torch.zeros(8, 3, requires_grad=True)
    terms = {"reconstruction": mean.square().mean(), "divergence": mean.square().sum()}
    return {"mean": mean, "log_var": log_var, "step": 100, "x": torch.rand(8, 6),
            "reconstructed": torch.rand(8, 6, requires_grad=True), **terms}  # fmt: skip


def game() -> Names:
    real = torch.randn(8, 4)
    return {"generator": nn.Linear(2, 4), "discriminator": nn.Linear(4, 1), "real": real,
            "noise": torch.randn(8, 2), "d_loss": torch.zeros(())}  # fmt: skip


def two_views() -> Names:
    one, two = (torch.randn(8, 6, requires_grad=True) for _ in range(2))
    return {"one": one, "two": two, "predictor": nn.Linear(6, 6)}


SCENES: dict[str, Callable[[], Names]] = {
    "load_the_optimizer_too": last,
    "load_once_before_training": start,
    "let_the_average_follow": lambda: {"average": Tiny()},
    "tie_by_assignment": lambda: {"head": nn.Linear(8, 7), "embedding": nn.Embedding(7, 8)},
    "mask_the_future": lambda: {
        **dict.fromkeys("qkvx", torch.rand(2, 5, 4)),
        "scores": torch.rand(2, 5, 5),
    },
    "balance_the_router": router,
    "sum_reconstruction_over_a_sample": latent,
    "warm_up_the_divergence": latent,
    "keep_free_bits": latent,
    "slow_the_stronger_player": game,
    "use_the_non_saturating_loss": game,
    "penalise_the_slope_on_data": game,
    "stop_the_gradient_on_one_side": two_views,
    "take_other_samples_as_negatives": two_views,
    "hold_the_spread_of_embeddings": two_views,
    "keep_router_logits_small": router,
    "draw_copies_again": copies,
    "open_forget_gates": recurrence,
    "use_orthogonal_recurrence": recurrence,
    "start_branches_at_zero": residual_blocks,
    "draw_small_embedding": words,
    "scale_embedding_on_the_way_in": words,
    "load_weights_strictly": lambda: {"state": Tiny().state_dict()},
    "return_to_checkpoint": saved,
    "revive_dead_units": dead_layer,
    "normalise_queries_and_keys": attention,
    "squeeze_prediction": column,
    "unsqueeze_target": column,
    "standardise_targets": regression,
    "set_head_bias_to_target_mean": regression,
    "use_bce_with_logits": lambda: {"targets": torch.randint(0, 2, (16, 3))},
    "use_bce_for_several_labels": lambda: {"multi_hot": torch.randint(0, 2, (16, 3))},
    "end_with_a_linear_layer": lambda: {"head": nn.Linear(8, 3)},
    "bring_targets_into_range": regression,
    "shift_labels_once": tokens,
    "leave_padding_out_of_the_loss": padded,
    "use_a_robust_loss": lambda: {**column(), "target": torch.randn(16, 1)},
    "batch_by_length": lambda: {"texts": ["a" * n for n in range(200)], "random": random},
    "add_epsilon_under_the_root": lambda: {**column(), "target": torch.randn(16, 1)},
    "compare_gradients_of_terms": two_terms,
    "use_class_indices": lambda: {"one_hot": torch.eye(3)},
    "pass_training_to_dropout": lambda: {"self": Tiny().eval()},
    "use_dropout_modules": lambda: {"self": Tiny().eval()},
    "keep_the_best_weights": lambda: {"valid_loss": 1.0},
    "mark_missing_values": lambda: {"inputs": torch.tensor([[1.0, math.nan]])},
}


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
