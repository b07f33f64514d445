"""The script that a remedy's code is put into: its names, and what single snippets need besides."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import torch
import torch.nn.functional as F
from torch import nn

from gradoctor.remedies import REMEDIES

Names = dict[str, Any]
BY_NAME = {r.name: r for r in REMEDIES}


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
    "use_binary_loss_for_one_output": lambda: {
        "logits": torch.randn(16, 1, requires_grad=True),
        "labels": torch.randint(0, 2, (16,)),
    },
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
