"""The head: the layer whose product is the last before the loss, whatever it is called."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from .nets import TiedLanguageModel
from .sinks import watched


def heads(model: nn.Module, loss: Callable[[], torch.Tensor]) -> list[str]:
    """Names of the sites that are marked as heads after three steps."""
    opt = torch.optim.SGD(model.parameters(), lr=0.01)
    with watched() as sink:
        for _ in range(3):
            opt.zero_grad()
            loss().backward()
            opt.step()
    return sorted(s.name for s in sink.sites.values() if s.meta.get("head"))


def test_mlp() -> None:
    x, y = torch.randn(16, 4), torch.randint(0, 3, (16,))
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    assert heads(net, lambda: F.cross_entropy(net(x), y)) == ["2"]


def test_a_convolution_is_the_head_whatever_pools_it() -> None:
    x, y = torch.randn(4, 3, 8, 8), torch.randint(0, 5, (4,))
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(True), nn.Conv2d(8, 5, 1),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip
    assert heads(net, lambda: F.nll_loss(F.log_softmax(net(x), 1), y)) == ["3"]


def test_a_language_model_with_tied_weights() -> None:
    ids = torch.randint(0, 20, (4, 6))
    net = TiedLanguageModel()

    def loss() -> torch.Tensor:
        return F.cross_entropy(net(ids)["logits"].flatten(0, 1), ids.flatten())

    assert heads(net, loss) == ["head"]


class TiedByHand(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(11, 6)
        self.mix = nn.Linear(6, 6)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.mix(self.table(ids)).tanh() @ self.table.weight.t()


def test_an_embedding_that_is_multiplied_by_hand() -> None:
    ids = torch.randint(0, 11, (8,))
    net = TiedByHand()
    (name,) = heads(net, lambda: F.cross_entropy(net(ids), ids))
    assert name.startswith("matmul@") or name.endswith(".matmul")


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.what, self.where = nn.Linear(4, 8), nn.Linear(8, 3), nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h = self.trunk(x).relu()
        return self.what(h), self.where(h)


def test_two_heads() -> None:
    x, y, z = torch.randn(16, 4), torch.randint(0, 3, (16,)), torch.randn(16, 2)
    net = Two()

    def loss() -> torch.Tensor:
        what, where = net(x)
        return F.cross_entropy(what, y) + F.smooth_l1_loss(where, z)

    assert heads(net, loss) == ["what", "where"]


class Sparse(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.code, self.out = nn.Linear(4, 8), nn.Linear(8, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h = self.code(x).relu()
        return self.out(h), h


def test_a_loss_written_by_hand_and_a_penalty_on_the_middle() -> None:
    x, y = torch.randn(16, 4), torch.randn(16, 1)
    net = Sparse()

    def loss() -> torch.Tensor:
        out, hidden = net(x)
        return ((out - y) ** 2).mean() + 0.01 * hidden.abs().mean()

    assert heads(net, loss) == ["out"]


def test_what_comes_after_the_last_product_is_no_head() -> None:
    x, y = torch.randn(16, 4), torch.randint(0, 2, (16,)).float()
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1), nn.Sigmoid(), nn.Flatten(0))
    assert heads(net, lambda: F.binary_cross_entropy(net(x), y)) == ["2"]


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.before, self.rnn = nn.Linear(4, 6), nn.GRU(6, 3, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.rnn(self.before(x))[1][0]


def test_unknown_where_a_layer_hides_its_products() -> None:
    x, y = torch.randn(8, 5, 4), torch.randint(0, 3, (8,))
    net = Recurrent()
    assert heads(net, lambda: F.cross_entropy(net(x), y)) == []


def test_similarities_of_two_projections_are_no_layer() -> None:
    x = torch.randn(8, 4)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 6))

    def loss() -> torch.Tensor:
        z = F.normalize(net(x), dim=1)
        return F.cross_entropy(z @ z.t(), torch.arange(8))

    assert heads(net, loss) == ["2"]
