"""What capture states about the structure of a run, seen on a few steps of real training."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Bernoulli, Categorical, Independent, Normal
from torch.utils.data import DataLoader, TensorDataset

from .sinks import Listing, watched

HERE = __file__
x, y = torch.randn(48, 8), torch.randint(0, 3, (48,))


def line_of(text: str) -> int:
    """The line of this file that ends with a text."""
    lines = inspect.getsource(inspect.getmodule(line_of)).splitlines()  # type: ignore[arg-type]
    (found,) = [i for i, line in enumerate(lines, 1) if line.rstrip().endswith(text)]
    return found


def model_and_optimizer(*layers: nn.Module) -> tuple[nn.Module, torch.optim.Optimizer]:
    model = nn.Sequential(*(layers or (nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))))
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    F.cross_entropy(model(x), y).backward()
    optimizer.step()


class TestSchedulers:
    def test_one_that_is_stepped_before_the_optimizer(self) -> None:
        with watched() as seen:
            model, optimizer = model_and_optimizer()
            scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.5)
            for _ in range(6):
                scheduler.step()  # before
                step(model, optimizer)
        fact = seen.one("scheduler")
        assert fact.data["class"] == "StepLR"
        assert fact.data["before_first_step"]
        assert (fact.data["steps"], fact.data["optimizer_steps"]) == (6, 6)
        assert fact.data["settings"] == {"step_size": 5.0, "gamma": 0.5, "base_lr": 0.1}
        assert (fact.file, fact.line) == (HERE, line_of("# before"))
        assert [v for row in seen.frames for (_, k), v in row[2].items() if k == "lr"][-1] < 0.1

    def test_parts_of_a_composed_one_are_not_counted(self) -> None:
        schedulers = torch.optim.lr_scheduler
        with watched() as seen:
            model, optimizer = model_and_optimizer()
            parts = [
                schedulers.LinearLR(optimizer, total_iters=2),
                schedulers.CosineAnnealingLR(optimizer, 5),
            ]
            scheduler = schedulers.SequentialLR(optimizer, parts, milestones=[2])
            for _ in range(5):
                step(model, optimizer)
                scheduler.step()
        fact = seen.one("scheduler")
        assert (fact.data["class"], fact.data["steps"]) == ("SequentialLR", 5)
        assert not fact.data["before_first_step"]

    def test_one_that_is_never_stepped(self) -> None:
        with watched() as seen:
            model, optimizer = model_and_optimizer()
            kept = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.2, total_steps=9)
            for _ in range(3):
                step(model, optimizer)
        assert seen.one("scheduler").data["steps"] == 0
        assert kept.last_epoch == 0

    def test_a_plateau_that_watches_a_falling_metric(self) -> None:
        with watched() as seen:
            model, optimizer = model_and_optimizer()
            plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode="max")
            for i in range(4):
                step(model, optimizer)
                plateau.step(1.0 - 0.1 * i)
        fact = seen.one("scheduler")
        assert fact.data["mode"] == "max"
        assert fact.data["metric_falls"] is True


def test_loaders_count_iterators_and_batches() -> None:
    with watched() as seen:
        model, optimizer = model_and_optimizer()
        loader = DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True)
        for _ in range(4):
            next(iter(loader))  # drawn
            step(model, optimizer)
    data = seen.one("loader").data
    assert (data["iterators"], data["batches"], data["max_drawn"]) == (4, 4, 1)
    assert (data["length"], data["shuffle"], data["batch_size"]) == (3, True, 16)
    assert seen.one("loader").line == line_of("# drawn")


class TestModes:
    def layers(self) -> list[nn.Module]:
        hidden = (nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2))
        return [nn.Linear(8, 16), *hidden, nn.Linear(16, 3)]

    def test_left_in_eval_mode_after_an_evaluation(self) -> None:
        with watched() as seen:
            model, optimizer = model_and_optimizer(*self.layers())
            for epoch in range(3):
                for _ in range(4):
                    step(model, optimizer)
                if not epoch:
                    model.eval()  # and never back
        facts = {seen.sites[f.site].type: f for f in seen.of("mode") if f.site is not None}
        assert set(facts) == {"BatchNorm1d", "Dropout"}
        data = facts["BatchNorm1d"].data
        assert (data["train"], data["eval"], data["eval_after_train"]) == (4, 8, 8)
        assert (data["last_eval_run"], data["whole_model_eval"], data["samples"]) == (8, True, 48)
        assert facts["BatchNorm1d"].line == line_of("# and never back")

    def test_a_frozen_norm_alone(self) -> None:
        with watched() as seen:
            model, optimizer = model_and_optimizer(*self.layers())
            model[1].eval()
            for _ in range(3):
                step(model, optimizer)
        data = {seen.sites[f.site].type: f.data for f in seen.of("mode") if f.site is not None}
        assert data["BatchNorm1d"]["last_eval_run"] == 3
        assert not data["BatchNorm1d"]["whole_model_eval"]
        assert data["Dropout"]["train"] == 3


class Noisy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(8, 16), nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(F.dropout(torch.relu(self.a(x)), 0.4))  # forgotten


class Meant(Noisy):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(
            F.dropout(
                torch.relu(self.a(x)),
                0.4,
                training=True,
            )
        )


class MeantByPosition(Noisy):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(F.dropout(torch.relu(self.a(x)), 0.4, True))


@pytest.mark.parametrize(("kind", "times"), [(Noisy, 2), (Meant, 0), (MeantByPosition, 0)])
def test_functional_dropout_in_evaluation(kind: type[nn.Module], times: int) -> None:
    with watched() as seen:
        model = kind()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(3):
            step(model, optimizer)
        model.eval()
        with torch.no_grad():
            for _ in range(4):
                model(x)
    fact = seen.one("dropout")
    assert fact.data["p"] == 0.4
    assert fact.data["active_in_eval"] == times
    if times:
        assert fact.line == line_of("# forgotten")


class Severed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.below, self.above = nn.Linear(8, 16), nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.above(self.below(x).relu().detach())  # severed


class Unwatched(Severed):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            h = self.below(x)  # without gradient
        return self.above(h)


@pytest.mark.parametrize(
    ("kind", "op", "text"),
    [(Severed, "detach", "# severed"), (Unwatched, "no_grad", "# without gradient")],
)
def test_cuts_name_the_parameters_behind_them(kind: type[nn.Module], op: str, text: str) -> None:
    with watched() as seen:
        model = kind()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(3):
            step(model, optimizer)
            F.cross_entropy(model(x), y).item()
    cuts = {f.data["op"]: f for f in seen.of("cut")}
    assert cuts[op].data["upstream"] == ["below.bias", "below.weight"]
    assert cuts[op].line == line_of(text)
    others = {o: f.data["upstream"] for o, f in cuts.items() if o != op}
    assert not any(set(names) - {"below.bias", "below.weight"} for names in others.values())


class Hidden(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(8, 8), nn.Linear(8, 8)]  # unseen
        self.teacher = [nn.Linear(8, 3).requires_grad_(False)]
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x).relu()
        return self.head(x)


def test_layers_in_a_plain_list() -> None:
    with watched() as seen:
        model = Hidden()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(3):
            step(model, optimizer)
    fact = seen.one("unregistered")
    assert (fact.data["attribute"], fact.data["container"]) == ("layers", "list")
    assert (fact.data["parameters"], fact.data["executed"]) == (144, True)
    assert fact.line == line_of("# unseen")


class TestNonFinite:
    def train(self, loss_of: object, steps: int = 4) -> Listing:
        with watched() as seen:
            model, optimizer = model_and_optimizer(nn.Linear(8, 3))
            for i in range(steps):
                optimizer.zero_grad()
                loss = loss_of(model(x), i)  # type: ignore[operator]
                if not loss.isfinite() and getattr(self, "skip", False):
                    continue
                loss.backward()
                optimizer.step()
        return seen

    def test_a_logarithm_of_zero(self) -> None:
        seen = self.train(lambda out, i: torch.log(out.relu() * (i < 2)).mean())  # logarithm
        fact = seen.one("nonfinite")
        assert (fact.data["where"], fact.data["op"]) == ("forward", "log")
        assert fact.data["low"] == 0.0
        assert fact.line == line_of("# logarithm")

    def test_an_infinite_derivative(self) -> None:
        seen = self.train(lambda out, i: ((out - out.detach()) ** 2).sum(1).sqrt().mean())  # root
        fact = seen.one("nonfinite")
        assert (fact.data["where"], fact.data["op"], fact.first_step) == ("backward", "sqrt", 0)
        assert fact.line == line_of("# root")

    def test_a_batch_that_is_passed_over(self) -> None:
        self.skip = True
        seen = self.train(
            lambda out, i: F.mse_loss(out / (i % 2), torch.ones_like(out)), steps=8
        )  # fmt: skip
        assert {f.data["where"] for f in seen.of("nonfinite")} == {"skipped"}

    def test_a_finite_run_has_none(self) -> None:
        assert not self.train(lambda out, i: (out**2).mean().sqrt()).of("nonfinite")


def test_where_a_prediction_was_squashed() -> None:
    with watched() as seen:
        model, optimizer = model_and_optimizer()
        for _ in range(3):
            optimizer.zero_grad()
            p = torch.softmax(model(x), dim=1)  # squashed
            F.cross_entropy(p, y).backward()
            optimizer.step()
    data = seen.one("loss_call").data
    assert (data["producer"], data["producer_line"]) == ("softmax", line_of("# squashed"))


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


def test_a_module_that_was_replaced_leaves_orphans() -> None:
    with watched() as seen:
        model, optimizer = model_and_optimizer()
        for i in range(8):
            if i == 3:
                model[2] = nn.Linear(16, 3)
            step(model, optimizer)
    assert seen.one("optimizer").data["orphans"] == 2


def test_a_skipped_step_of_a_gradient_scaler() -> None:
    with watched() as seen:
        model, optimizer = model_and_optimizer()
        scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
        for i in range(5):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y) * (math.inf if i == 2 else 1.0)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
    assert seen.one("scaler").data == {"class": "GradScaler", "enabled": True}
    assert seen.series("run", "scaler.skipped") == [1.0]
    kinds = [e.kind for e in seen.cycles[1][1]]
    words = "scaler_update zero_grad scale backward scaler_step unscale step"
    assert kinds == words.split()


def test_recurrent_gradients_fade_towards_the_first_step() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.rnn = nn.Embedding(9, 8), nn.RNN(8, 8, batch_first=True)
            self.cell, self.head = nn.GRUCell(8, 8), nn.Linear(8, 3)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            out, _ = self.rnn(self.embed(ids))
            h = torch.zeros(len(ids), 8)
            for t in range(out.shape[1]):
                h = self.cell(out[:, t], h)
            return self.head(h)

    with watched() as seen:
        torch.manual_seed(0)
        model = Reader()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            F.cross_entropy(model(torch.randint(0, 9, (48, 12))), y).backward()
            optimizer.step()
    for name in ("rnn", "cell"):
        assert seen.series(name, "time.length") == [12.0, 12.0]
        assert all(slope > 0.2 for slope in seen.series(name, "time.slope")), name


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
        "kind", ["flag", "encoder", "filled", "added", "padded", "slopes", "where"]
    )
    def test_masks(self, kind: str) -> None:
        later = torch.ones(13, 13, dtype=torch.bool).triu(1)
        minus = torch.zeros(13, 13).masked_fill(later, -math.inf)
        padding = torch.arange(13) >= torch.tensor([11, 13, 6, 9, 10, 13])[:, None, None]
        apart = torch.arange(13.0)[None] - torch.arange(13.0)[:, None]
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
        assert fact.file == HERE


class TestDraws:
    """Lines that sample what a network put out."""

    def drawn(self, draw: Callable[[torch.Tensor], object]) -> list[str]:
        with watched() as seen:
            model, optimizer = model_and_optimizer()
            for _ in range(3):
                draw(model(x))
                step(model, optimizer)
        return [f.data["what"] for f in seen.of("draw")]

    @pytest.mark.parametrize(
        ("draw", "what"),
        [
            (lambda out: Categorical(logits=out).sample(), "Categorical"),
            (lambda out: Categorical(logits=out.detach()).sample(), ""),
            (lambda out: out.softmax(-1).multinomial(1), "multinomial"),
            (lambda out: Normal(out, 1.0).sample(), "Normal"),
            (lambda out: Normal(0.0, 1.0).sample((4,)), ""),
            (lambda out: Normal(torch.zeros(3), torch.ones(3)).sample((4,)), ""),
            (lambda out: Independent(Bernoulli(logits=out), 1).sample(), "Bernoulli"),
            (lambda out: Normal(out, 1.0).rsample(), ""),
            (lambda out: torch.multinomial(torch.ones(9), 2), ""),
        ],
    )
    def test_with_gradients_on(self, draw: Callable[[torch.Tensor], object], what: str) -> None:
        assert self.drawn(draw) == ([what] if what else [])

    def test_without_gradients(self) -> None:
        def roll_out(_: torch.Tensor) -> None:
            with torch.no_grad():
                Categorical(logits=net(x)).sample()

        net = nn.Linear(8, 3)
        assert self.drawn(roll_out) == ["Categorical"]
