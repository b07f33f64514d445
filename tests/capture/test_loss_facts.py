"""What capture states about losses: broadcasts before them, ids beside labels, their weights."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from .nets import model_and_optimizer
from .sinks import watched

x, y = torch.randn(48, 8), torch.randint(0, 3, (48,))


def test_a_column_less_a_row() -> None:
    with watched() as seen:
        model, optimizer = model_and_optimizer(nn.Linear(8, 1))
        for _ in range(3):
            optimizer.zero_grad()
            ((model(x) - y) ** 2).mean().backward()
            optimizer.step()
    data = seen.one("broadcast").data
    assert (data["left"], data["right"], data["reaches_loss"]) == ([48, 1], [48], True)


def test_scores_against_each_other() -> None:
    with watched() as seen:
        model, optimizer = model_and_optimizer(nn.Linear(8, 1), nn.Flatten(0))
        for _ in range(3):
            optimizer.zero_grad()
            score = model(x)
            F.softplus(score.unsqueeze(1) - score).mean().backward()
            optimizer.step()
    data = seen.one("broadcast").data
    assert (data["left"], data["right"], data["both"]) == ([48, 1], [48], True)


class TestTokens:
    """Labels beside the ids that went in, and what makes a model causal."""

    ids = torch.randint(0, 9, (6, 13))

    def train(self, inputs: torch.Tensor, labels: torch.Tensor, body: nn.Module) -> None:
        embed, head = nn.Embedding(9, 8), nn.Linear(8, 9)
        optimizer = torch.optim.SGD([*embed.parameters(), *head.parameters()], lr=0.1)
        for _ in range(3):
            out = body(embed(inputs))
            logits = head(out[0] if isinstance(out, tuple) else out)
            optimizer.zero_grad()
            F.cross_entropy(logits.flatten(0, 1), labels.flatten()).backward()
            optimizer.step()

    def test_labels_shifted_by_one(self) -> None:
        with watched() as seen:
            self.train(self.ids[:, :-1], self.ids[:, 1:], nn.Identity())
        assert seen.series("cross_entropy", "label.next") == [1.0] * 3
        assert max(seen.series("cross_entropy", "label.copy")) < 0.5
        assert seen.of("causal") == []

    def test_a_model_that_is_given_its_labels(self) -> None:
        class Model(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.embed, self.head = nn.Embedding(9, 8), nn.Linear(8, 9)

            def forward(self, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
                logits = self.head(self.embed(inputs))
                return F.cross_entropy(logits.flatten(0, 1), labels.flatten())

        with watched() as seen:
            model = Model()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for _ in range(3):
                optimizer.zero_grad()
                model(self.ids[:, :-1], self.ids[:, 1:]).backward()
                optimizer.step()
        assert seen.series("cross_entropy", "label.next") == [1.0] * 3
        assert max(seen.series("cross_entropy", "label.copy")) < 0.5

    @pytest.mark.parametrize(
        ("layer", "how"),
        [(nn.GRU(8, 8, batch_first=True), ["recurrent"]),
         (nn.LSTM(8, 4, batch_first=True, bidirectional=True), [])],
    )  # fmt: skip
    def test_recurrence(self, layer: nn.Module, how: list[str]) -> None:
        with watched() as seen:
            self.train(self.ids, self.ids, layer)
        assert [f.data["how"] for f in seen.of("causal")] == how

    @pytest.mark.parametrize(
        "kind",
        [
            "flag",
            "encoder",
            "filled",
            "added",
            "padded",
            "slopes",
            "where",
            "window",
            "decay",
            "cut",
            "assigned",
        ],
    )
    def test_masks(self, kind: str) -> None:
        later = torch.ones(13, 13, dtype=torch.bool).triu(1)
        minus = torch.zeros(13, 13).masked_fill(later, -math.inf)
        padding = torch.arange(13) >= torch.tensor([11, 13, 6, 9, 10, 13])[:, None, None]
        apart = torch.arange(13.0)[None] - torch.arange(13.0)[:, None]

        def assigned(x: torch.Tensor) -> torch.Tensor:
            scores = x @ x.mT
            scores[:, later] = -math.inf
            return scores.softmax(-1) @ x

        layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True)
        bodies = {
            "flag": lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True),
            "encoder": lambda x: layer(x, src_mask=minus),
            "filled": lambda x: (x @ x.mT).masked_fill(later, -math.inf).softmax(-1) @ x,
            "added": lambda x: (x @ x.mT + minus).softmax(-1) @ x,
            "padded": lambda x: F.scaled_dot_product_attention(
                *(x[:, None],) * 3, attn_mask=~(later | padding)[:, None]
            )[:, 0],
            "slopes": lambda x: (x @ x.mT + (0.1 * apart + minus)).softmax(-1) @ x,
            "window": lambda x: F.scaled_dot_product_attention(
                x, x, x, attn_mask=~(later | (apart < -2))
            ),
            "decay": lambda x: (x @ x.mT * (0.9 ** (-apart)).tril()) @ x,
            "cut": lambda x: (x @ x.mT).tril() @ x,
            "assigned": assigned,
            "where": lambda x: torch.where(later, -math.inf, x @ x.mT).softmax(-1) @ x,
        }
        with watched() as seen:
            self.train(self.ids, self.ids, bodies[kind])  # type: ignore[arg-type]
        assert [f.data["how"] for f in seen.of("causal")] == ["mask"]

    @pytest.mark.parametrize("kind", ["padding", "window", "identity", "backward"])
    def test_what_hides_no_future(self, kind: str) -> None:
        square = torch.ones(13, 13, dtype=torch.bool)
        apart = torch.arange(13)[None] - torch.arange(13)[:, None]
        masks = {
            "padding": torch.arange(13) >= torch.tensor([11, 13, 6, 9, 10, 13])[:, None, None],
            "window": apart.abs() > 2, "identity": ~torch.eye(13, dtype=torch.bool),
            "backward": square.tril(-1),
        }  # fmt: skip

        def body(x: torch.Tensor) -> torch.Tensor:
            return (x @ x.mT).masked_fill(masks[kind], -1e9).softmax(-1) @ x

        with watched() as seen:
            self.train(self.ids, self.ids, body)  # type: ignore[arg-type]
        assert seen.of("causal") == []


@pytest.mark.parametrize(
    ("loss_of", "coefficient"),
    [
        (lambda z: F.cross_entropy(z, y), 1.0),
        (lambda z: F.cross_entropy(z, y, reduction="sum"), 48.0),
        (lambda z: F.cross_entropy(z, y) / 4, 0.25),
        (lambda z: F.cross_entropy(z, y, reduction="none").sum(), 48.0),
        (lambda z: 3 * F.cross_entropy(z, y) + z.square().mean(), 3.0),
    ],
)
def test_the_weight_of_a_loss_in_backward(loss_of: Any, coefficient: float) -> None:
    with watched() as seen:
        model, optimizer = model_and_optimizer()
        for _ in range(2):
            optimizer.zero_grad()
            loss_of(model(x)).backward()
            optimizer.step()
    got = seen.series("cross_entropy", "lossfn.coefficient")
    assert got == pytest.approx([coefficient] * 2, rel=1e-5)


def test_two_heads_on_one_line_keep_the_next_token() -> None:
    ids = torch.randint(0, 9, (6, 14))
    with watched() as seen:
        model = nn.Sequential(nn.Embedding(9, 8), nn.Linear(8, 18))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(2):
            out = model(ids[:, :-2]).unflatten(-1, (2, 9)).permute(2, 0, 3, 1)
            loss = sum(F.cross_entropy(z, ids[:, 1 + i :][:, :12]) for i, z in enumerate(out))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[union-attr]
            optimizer.step()
    # the last put of a step stands
    assert seen.series("cross_entropy", "label.next") == [1.0] * 2


class TestBroadcasts:
    @pytest.mark.parametrize(
        "loss", [nn.MSELoss(), F.l1_loss, lambda a, b: ((a - b) ** 2).mean()],
        ids=["module", "function", "by hand"],
    )  # fmt: skip
    @pytest.mark.filterwarnings("ignore:Using a target size")
    def test_a_forgotten_squeeze(self, loss) -> None:
        with watched() as seen:
            model, optimizer = model_and_optimizer(nn.Linear(8, 1))
            for _ in range(3):
                optimizer.zero_grad()
                loss(model(x), y.float()).backward()
                optimizer.step()
        fact = seen.one("broadcast")
        assert fact.data["reaches_loss"]
        assert [fact.data[side] for side in ("left", "right", "out")] == [[48, 1], [48], [48, 48]]
        assert fact.file == __file__
