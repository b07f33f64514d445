"""Losses that a script writes out are seen as what they come to, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from .sinks import Listing, watched

N, K = 24, 3
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def trained(loss: Loss, target: torch.Tensor, width: int = 1, last: nn.Module | None = None,
            steps: int = 5) -> Listing:  # fmt: skip
    """Train a small net for a few steps with this loss."""
    torch.manual_seed(0)
    x = torch.randn(N, 4)
    parts = [nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, width), *([last] if last else [])]
    net = nn.Sequential(*parts)
    opt = torch.optim.SGD(net.parameters(), lr=1e-3)
    with watched() as sink:
        for _ in range(steps):
            opt.zero_grad()
            loss(net(x), target).backward()
            opt.step()
    return sink


Y = torch.linspace(-2, 3, N)[:, None]
LABELS = torch.arange(N) % K
BITS = (torch.arange(N) % 2).float()[:, None]


def squared(p: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    error = p - y
    return (error * error).mean()


def picked(p: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return -torch.log_softmax(p, 1)[torch.arange(len(y)), y].mean()


def one_hot(p: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return -(F.one_hot(y, K).float() * p.log_softmax(1)).sum(1).mean()


def entropy(p: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()


def entropy_of_two_terms(p: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return (-y * (p + 1e-7).log() - (1 - y) * (1 - p + 1e-7).log()).mean()


def nll(p: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return F.nll_loss(p.log_softmax(1), y)


WRITTEN: dict[str, tuple[Loss, Loss, torch.Tensor, int, nn.Module | None]] = {
    "power": (lambda p, y: ((p - y) ** 2).mean(), F.mse_loss, Y, 1, None),
    "pow": (lambda p, y: (y - p).pow(2).mean(), F.mse_loss, Y, 1, None),
    "square": (lambda p, y: torch.mean(torch.square(torch.sub(p, y))), F.mse_loss, Y, 1, None),
    "product": (squared, F.mse_loss, Y, 1, None),
    "rows": (lambda p, y: ((p - y) ** 2).sum(1).mean(), F.mse_loss, Y, 1, None),
    "divided": (lambda p, y: torch.sum((p - y) ** 2) / len(p), F.mse_loss, Y, 1, None),
    "abs": (lambda p, y: (p - y).abs().mean(), F.l1_loss, Y, 1, None),
    "picked": (picked, nll, LABELS, K, None),
    "gathered": (lambda p, y: -F.log_softmax(p, 1).gather(1, y[:, None]).mean(), nll, LABELS, K,
                 None),
    "log of softmax": (lambda p, y: -torch.softmax(p, 1)[range(N), y].log().mean(), nll, LABELS, K,
                       None),
    "entropy": (entropy, F.binary_cross_entropy, BITS, 1, nn.Sigmoid()),
    "two terms": (entropy_of_two_terms, F.binary_cross_entropy, BITS, 1, nn.Sigmoid()),
}  # fmt: skip
STATISTICS = (
    "lossfn.value", "lossfn.baseline", "lossfn.coefficient", "prediction.rms", "target.mean",
    "target.std", "label.entropy", "lossfn.kl",
)  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_a_written_loss_is_seen_as_the_function_it_is(name: str) -> None:
    loss, function, target, width, last = WRITTEN[name]
    sink, known = trained(loss, target, width, last), trained(function, target, width, last)
    (site,) = (s for s in sink.sites.values() if s.kind == "lossfn")
    (like,) = (s for s in known.sites.values() if s.kind == "lossfn")
    assert (site.name, site.meta["reduction"]) == (like.name, "mean")
    assert site.meta["loss"] is not None
    assert site.file == __file__
    assert site.line
    for statistic in STATISTICS:
        seen, expected = sink.series(site.name, statistic), known.series(like.name, statistic)
        assert seen == pytest.approx(expected, rel=1e-3, abs=1e-5), statistic
    data, other = sink.one("loss_call").data, known.one("loss_call").data
    for key in ("function", "prediction_shape", "target_shape", "classes", "label_counts"):
        assert data.get(key) == other.get(key), key
    assert data["factor"] == pytest.approx(1.0, abs=1e-3)


def test_one_hot_labels() -> None:
    sink = trained(one_hot, LABELS, K)
    assert sink.one("loss_call").data["one_hot"]
    assert sink.series("nll_loss", "lossfn.baseline")[-1] == pytest.approx(1.0986, abs=1e-3)


def test_a_sum_and_a_half_are_factors() -> None:
    sink = trained(lambda p, y: 0.5 * ((p - y) ** 2).mean(), Y)
    assert sink.one("loss_call").data["factor"] == pytest.approx(0.5)
    sink = trained(lambda p, y: (p - y).square().sum(), Y)
    (site,) = (s for s in sink.sites.values() if s.kind == "lossfn")
    assert site.meta["reduction"] == "sum"
    assert sink.series("mse_loss", "lossfn.coefficient") == pytest.approx([N] * 5, rel=1e-4)
    assert sink.series("mse_loss", "lossfn.value")[0] < 10


ADVANTAGE = torch.linspace(-1, 1, N)
LOOKALIKES: dict[str, Loss] = {
    "a penalty on the output": lambda p, y: (p**2).mean(),
    "a number for a target": lambda p, y: ((p - 1) ** 2).mean(),
    "what rises": lambda p, y: -((p - y) ** 2).mean(),
    "weighted terms": lambda p, y: (Y.abs() * (p - y) ** 2).mean(),
    "a sum of two": lambda p, y: ((p - y) ** 2).mean() + (p**2).mean(),
    "both sides learn": lambda p, y: ((p - p.flip(0)) ** 2).mean(),
    "a root": lambda p, y: ((p - y) ** 2).mean().sqrt(),
    "a divergence": lambda p, y: -0.5 * (1 + p - p**2 - p.exp()).sum(1).mean(),
    "a plain mean": lambda p, y: (p - y).mean(),
}


@pytest.mark.parametrize("name", LOOKALIKES)
def test_what_only_looks_like_one(name: str) -> None:
    assert not trained(LOOKALIKES[name], Y).of("loss_call")


def test_a_policy_gradient_is_none() -> None:
    def reinforce(p: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return -(p.log_softmax(1).gather(1, y[:, None]).squeeze(1) * ADVANTAGE).mean()

    assert not trained(reinforce, LABELS, K).of("loss_call")


def test_a_weight_that_is_drawn_to_where_it_was_is_none() -> None:
    w = nn.Parameter(torch.ones(8))
    opt = torch.optim.SGD([w], lr=0.1)
    with watched() as sink:
        for _ in range(5):
            opt.zero_grad()
            ((w - torch.zeros(8)) ** 2).sum().backward()
            opt.step()
    assert not sink.of("loss_call")


def test_a_known_loss_beside_a_term_stays_what_it_is() -> None:
    sink = trained(lambda p, y: F.mse_loss(p, y) + 0.1 * ((p - Y.flip(0)) ** 2).mean(), Y)
    assert [s.meta["function"] for s in sink.sites.values() if s.kind == "lossfn"] == ["mse_loss"]
