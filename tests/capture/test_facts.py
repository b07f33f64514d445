"""What capture states about the structure of a run, seen on a few steps of real training."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Bernoulli, Categorical, Independent, Normal
from torch.utils.data import DataLoader, TensorDataset

from .nets import model_and_optimizer
from .sinks import Listing, watched

HERE = __file__
x, y = torch.randn(48, 8), torch.randint(0, 3, (48,))


def line_of(text: str) -> int:
    """The line of this file that ends with a text."""
    lines = inspect.getsource(inspect.getmodule(line_of)).splitlines()  # type: ignore[arg-type]
    (found,) = [i for i, line in enumerate(lines, 1) if line.rstrip().endswith(text)]
    return found


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
