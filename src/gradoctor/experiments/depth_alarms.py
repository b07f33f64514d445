"""How well one look at the gradients before training tells which nets will learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from gradoctor.experiments._data import digits
from gradoctor.experiments._judging import halves, once
from gradoctor.experiments._networks import HE, Stack, constant, flow, scaled, spread, usual, xavier
from gradoctor.experiments._training import accuracy, train
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Bars, Curve, Plot
from gradoctor.lab import Outcome

SEEDS, STEPS = 5, 300
SMALL, LARGE, APART = 1e-5, 100.0, 1e3
"""Bounds as monitoring scripts have them: on a layer's gradient norm, and between two layers."""
FLOOR = 1e-30
"""What stands for 0 on a logarithmic axis."""
cross_entropy = nn.functional.cross_entropy


@dataclass(frozen=True)
class Patient:
    """A net with its optimizer."""

    name: str
    make: Callable[..., Stack]
    optimizer: Callable[..., Optimizer]
    loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy


def _faint(out: Tensor, y: Tensor) -> Tensor:
    return cross_entropy(out, y) * 1e-6


def _summed(out: Tensor, y: Tensor) -> Tensor:
    return cross_entropy(out, y, reduction="sum")


SLOW = partial(SGD, lr=0.02)
ADAM = partial(Adam, lr=2e-3)
BRANCH = scaled(0.3)
PATIENTS = (
    Patient("ReLU 3, He", partial(Stack, 3, "relu", HE), partial(SGD, lr=0.05)),
    Patient("ReLU 10, He", partial(Stack, 10, "relu", HE), SLOW),
    Patient("tanh 10, Xavier", partial(Stack, 10, "tanh", xavier), SLOW),
    Patient("ReLU 10, PyTorch, Adam", partial(Stack, 10, "relu", usual), ADAM),
    Patient("sigmoid 4, Adam", partial(Stack, 4, "sigmoid", xavier), partial(Adam, lr=5e-3)),
    Patient("ReLU 3, head 0", partial(Stack, 3, "relu", HE, head=constant(0.0)), SLOW),
    Patient("ReLU 3, loss × 1e-6, Adam", partial(Stack, 3, "relu", HE), ADAM, _faint),
    Patient("ReLU 3, summed loss", partial(Stack, 3, "relu", HE), partial(SGD, lr=5e-4), _summed),
    Patient("BN + ReLU 20", partial(Stack, 20, "relu", HE, norm=nn.BatchNorm1d), ADAM),
    Patient("residual 30", partial(Stack, 30, "relu", BRANCH, skip=True), SLOW),
    Patient("sigmoid 20", partial(Stack, 20, "sigmoid", xavier), partial(SGD, lr=0.05)),
    Patient("ReLU 20, PyTorch", partial(Stack, 20, "relu", usual), partial(SGD, lr=0.05)),
    Patient("tanh 20, N(0, 0.01²)", partial(Stack, 20, "tanh", spread(0.01)), SLOW),
    Patient("ReLU 20, 2 × He", partial(Stack, 20, "relu", scaled(8**0.5)), SLOW),
    Patient("ReLU 6, N(0, 1)", partial(Stack, 6, "relu", spread(1.0)), SLOW),
)


@dataclass(frozen=True)
class Course:
    """What was seen at the first backward pass, and what came of the training."""

    smallest: float
    largest: float
    accuracy: float
    nonfinite: bool

    @property
    def alarm(self) -> bool:
        """One of the three bounds is crossed."""
        apart = self.largest > APART * self.smallest
        return self.smallest < SMALL or self.largest > LARGE or apart


@cache
def course(patient: Patient, seed: int) -> Course:
    """Look once, then train."""
    data = digits()
    net = patient.make(seed=seed)
    roots = [m.weight.numel() ** 0.5 for m in net.linears()[:-1]]
    seen = flow(net, data.x[:64], data.y[:64], patient.loss).weights
    norms = [size * root for size, root in zip(seen, roots, strict=True)]
    optimizer = patient.optimizer(net.parameters())
    run = train(net, data, optimizer, steps=STEPS, seed=seed, loss=patient.loss)
    broken = run.failed or not all(bool(p.isfinite().all()) for p in net.parameters())
    right = 0.0 if broken else accuracy(net, data.test_x, data.test_y)
    return Course(min(norms), max(norms), right, broken)


def one_look() -> Outcome:
    """Claim 18.

    Fifteen nets on the digits, 5 seeds each; a run is well when it ends above 85 % and ill when it
    ends below 50 %. Two halves. The signs find every run that is ill: a layer's gradient norm
    below 1e-5 or above 100 at the first backward pass, two layers more than a factor of 1000
    apart, or a loss or weights that are not finite later. And they
    raise no alarm on a run that is well.
    """
    runs = {(p.name, seed): course(p, seed) for p in PATIENTS for seed in range(SEEDS)}
    well = {key: run for key, run in runs.items() if run.accuracy > 0.85}
    ill = {key: run for key, run in runs.items() if run.accuracy < 0.5}
    found = sum(run.alarm or run.nonfinite for run in ill.values())
    false = [key for key, run in well.items() if run.alarm]
    broken = sum(run.nonfinite for run in ill.values())
    names = list(dict.fromkeys(name for name, _ in false))
    measured = Words(
        f"{found} of {len(ill)} runs that did not learn were noticed ({broken} had a loss or "
        "weights "
        f"that were not finite); but {len(false)} of {len(well)} that learned raised an alarm too: "
        f"{'; '.join(names)}.",
        f"{len(ill)} 次没有学会的训练中，有 {found} 次被察觉（其中 {broken} "
        "次损失或权重出现非有限值）；"
        f"但 {len(well)} 次学会的训练中，也有 {len(false)} 次报警：{'；'.join(names)}。",
    )
    figures = {
        "ill": len(ill), "ill.found": found, "ill.nonfinite": broken, "well": len(well),
        "well.alarms": len(false),
    }  # fmt: skip
    verdict = halves(found == len(ill), not false)
    return Outcome(verdict, measured, {k: once(v) for k, v in figures.items()}, _drawn(runs), SEEDS)


def _drawn(runs: dict[tuple[str, int], Course]) -> tuple[Plot, Bars]:
    def cloud(label: Words, alarm: bool) -> Curve:
        chosen = [run for run in runs.values() if run.alarm == alarm]
        places = tuple(max(run.smallest, FLOOR) for run in chosen)
        return Curve(label, places, tuple(run.accuracy for run in chosen), points=True)

    scatter = Plot(
        Words("One look before training, and what came of it", "训练前的一次检查与训练结果"),
        Words("a layer's smallest gradient norm (0 at 1e-30)", "各层梯度范数最小值（0 在 1e-30）"),
        Words("accuracy after 300 steps", "训练 300 步后的准确率"),
        (
            cloud(Words("alarm", "报警"), True),
            cloud(Words("no alarm", "未报警"), False),
        ),
        log_x=True,
        y_range=(-0.03, 1.03),
    )  # fmt: skip
    right = {
        p.name: torch.tensor([runs[p.name, s].accuracy for s in range(SEEDS)]).median().item()
        for p in PATIENTS
    }
    alarmed = {p.name: any(runs[p.name, s].alarm for s in range(SEEDS)) for p in PATIENTS}
    labels = tuple(
        Words(f"{n} (alarm)", f"{n}（报警）") if alarmed[n] else Words.same(n) for n in right
    )
    bars = Bars(
        Words("What the nets came to", "各网络的训练结果"),
        labels,
        tuple(right.values()),
        Words("accuracy, median", "准确率（中位数）"),
    )
    return scatter, bars
