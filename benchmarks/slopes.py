"""Predicted beside measured slope of the gradient, and whether the verdict before training holds.

Networks on scikit-learn's digits over activation, initialisation, depth, normaliser and residual
connections. The slope is in bits a layer towards the input (negative: it vanishes). "Learns" is
asked of training itself: the lowest loss over a small sweep of optimizers and rates, as a share of
the entropy of the labels.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from _facts import machine, save, sentence, table
from sklearn.datasets import load_digits
from torch import nn

from gradoctor.forecast import examine
from gradoctor.nn import initialise

WIDTH, BATCH, CLASSES, STEPS = 128, 256, 10, 200
ACTIVATIONS: dict[str, Any] = {
    "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU, "gelu": nn.GELU, "selu": nn.SELU,
    "leaky_relu": nn.LeakyReLU,
}  # fmt: skip
TRIALS: dict[str, Any] = {
    "SGD 0.1": lambda p: torch.optim.SGD(p, lr=0.1),
    "SGD 0.01": lambda p: torch.optim.SGD(p, lr=0.01),
    "Adam 1e-3": lambda p: torch.optim.Adam(p, lr=1e-3),
}
LEARNS = 0.5


@dataclass(frozen=True)
class Case:
    """One network: what it is made of."""

    activation: str
    init: str
    depth: int
    norm: str
    residual: bool

    def __str__(self) -> str:
        parts = [self.activation, self.init, f"{self.depth} layers"]
        parts += [self.norm] if self.norm != "none" else []
        return ", ".join([*parts, "residual"] if self.residual else parts)


class Residual(nn.Module):
    def __init__(self, branch: nn.Module) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.branch(x)


def cases() -> Iterator[Case]:
    """A full grid of what people build, and the extremes of initialisation without norms."""
    for act, depth in itertools.product(ACTIVATIONS, (10, 20, 50)):
        for norm, residual in itertools.product(("none", "batch", "layer"), (False, True)):
            for init in ("default", "matched"):
                yield Case(act, init, depth, norm, residual)
    for act, init in itertools.product(ACTIVATIONS, ("xavier", "he x2", "normal 1", "normal 0.01")):
        yield Case(act, init, 20, "none", False)


def build(case: Case, batch: torch.Tensor) -> nn.Module:
    """The network, drawn from the seed that is set."""
    activation = ACTIVATIONS[case.activation]
    layers: list[nn.Module] = [nn.Linear(batch.shape[1], WIDTH)]
    for _ in range(case.depth - 1):
        block: list[nn.Module] = []
        if case.norm != "none":
            block.append((nn.BatchNorm1d if case.norm == "batch" else nn.LayerNorm)(WIDTH))
        block += [activation(), nn.Linear(WIDTH, WIDTH)]
        layers += [Residual(nn.Sequential(*block))] if case.residual else block
    model = nn.Sequential(*layers, activation(), nn.Linear(WIDTH, CLASSES))
    draw(model, case.init, batch)
    return model


def draw(model: nn.Module, init: str, batch: torch.Tensor) -> None:
    """Weights as the case names them; PyTorch's own when ``default``."""
    if init == "matched":
        initialise(model, batch)
    draws = {
        "xavier": nn.init.xavier_normal_,
        "he x2": lambda w: nn.init.normal_(w, std=2 * math.sqrt(2 / w.shape[1])),
        "normal 1": nn.init.normal_,
        "normal 0.01": lambda w: nn.init.normal_(w, std=0.01),
    }
    if init in draws:
        for module in model.modules():
            if isinstance(module, nn.Linear):
                draws[init](module.weight)
                nn.init.zeros_(module.bias)


def share(case: Case, x: torch.Tensor, y: torch.Tensor) -> float:
    """The loss of the first trial that learns over the entropy of the labels, else the lowest."""
    prior = torch.bincount(y).float() / len(y)
    entropy = float(-(prior * prior.log()).sum())
    best = math.inf
    for make in TRIALS.values():
        torch.manual_seed(0)
        model = build(case, x[:BATCH])
        optimizer = make(model.parameters())
        tail = []
        for step in range(STEPS):
            rows = torch.randint(0, len(x), (64,))
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step >= STEPS - 20:
                tail.append(loss.item())
        if math.isfinite(sum(tail)):
            best = min(best, sum(tail) / len(tail) / entropy)
        if best < LEARNS:
            break
    return best


def measure(case: Case, x: torch.Tensor, y: torch.Tensor, train: bool) -> dict[str, Any]:
    """One row."""
    torch.manual_seed(0)
    found = examine(build(case, x[:BATCH]), (x[:BATCH],))
    row: dict[str, Any] = {
        "case": str(case), "predicted": found.predicted, "measured": found.measured,
        "error": abs(found.predicted - found.measured), "span": found.span,
        "verdict": found.verdict,
    }  # fmt: skip
    if train:
        row["loss"] = share(case, x, y)
    return row


def report(rows: list[dict[str, Any]]) -> str:
    """The table of all rows and the figures over them."""
    errors = sorted(row["error"] for row in rows)
    lines = [
        f"{len(rows)} networks: median error {median(errors):.3f} bits a layer, 90 % below "
        f"{errors[int(0.9 * len(errors))]:.3f}, worst {errors[-1]:.3f}."
    ]
    if "loss" in rows[0]:
        seen = Counter((row["verdict"], row["loss"] < LEARNS) for row in rows)
        lines.append("")
        lines += table(
            ["verdict before training", "learns", "does not"],
            [[v, str(seen[v, True]), str(seen[v, False])] for v in ("healthy", "suspect", "sick")],
        ).splitlines()
    heads = ["network", "predicted", "measured", "error", "span (bits)", "verdict", "loss / prior"]
    body = [
        [r["case"], f"{r['predicted']:+.3f}", f"{r['measured']:+.3f}", f"{r['error']:.3f}",
         f"{r['span']:+.1f}", r["verdict"], f"{r.get('loss', math.nan):.2f}"]
        for r in rows
    ]  # fmt: skip
    return "\n".join([*lines, "", table(heads, body)])


def main() -> None:
    """Measure all cases, print the table and save it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-training", action="store_true", help="slopes only: a minute")
    options = parser.parse_args()
    torch.set_num_threads(1)
    digits = load_digits()
    x = torch.tensor(digits.data, dtype=torch.float32)
    x = (x - x.mean(0)) / (x.std(0) + 1e-6)
    y = torch.tensor(digits.target)
    rows = []
    for case in cases():
        rows.append(measure(case, x, y, not options.no_training))
        print(rows[-1], flush=True)
    facts = machine("cpu")
    text = f"Predicted and measured slope. {sentence(facts)}.\n\n{report(rows)}"
    print("\n" + text)
    save("slopes", facts, rows).with_suffix(".md").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
