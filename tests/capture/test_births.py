"""Where NaN is born, on steps that nobody looked at: the operation, the line, the data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from gradoctor.capture.governor import Governor
from gradoctor.capture.recorder import Look

from .sinks import Listing, watched

BAD = 60
SAMPLES = torch.randn(256, 8, generator=torch.Generator().manual_seed(0))
CLASSES = torch.arange(256) % 3


@pytest.fixture(autouse=True)
def _light_from_step_50(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Governor.plan
    monkeypatch.setattr(
        Governor, "plan", lambda self, step: Look.LIGHT if step >= 50 else plan(self, step)
    )


def line_of(mark: str) -> int:
    with open(__file__, encoding="utf-8") as file:
        found = [i for i, line in enumerate(file, 1) if line.rstrip().endswith(mark)]
    assert len(found) == 1
    return found[0]


def net() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3))


Loss = Callable[[torch.Tensor, torch.Tensor, bool], torch.Tensor]


def train(loss_of: Loss, model: nn.Module | None = None, steps: int = BAD + 3) -> Listing:
    """Train so that ``bad`` is True at one step; nobody looks at that step."""
    with watched() as seen:
        model = model or net()
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        for i in range(steps):
            rows = (torch.arange(16) + 7 * i) % 256
            optimizer.zero_grad()
            loss_of(model(SAMPLES[rows]), CLASSES[rows], i == BAD).backward()
            optimizer.step()
    assert [look for step, look, _ in seen.frames if step == BAD] == [Look.LIGHT]
    return seen


def log_of_zero(out: torch.Tensor, y: torch.Tensor, bad: bool) -> torch.Tensor:
    p = F.softmax(out, 1).gather(1, y[:, None]) * (0.0 if bad else 1.0)
    return -torch.log(p).mean()  # log of nothing


def root_of_less(out: torch.Tensor, y: torch.Tensor, bad: bool) -> torch.Tensor:
    return torch.sqrt(out.pow(2).sum(1) - (1e3 if bad else 0)).mean()  # root of less


def divided(out: torch.Tensor, y: torch.Tensor, bad: bool) -> torch.Tensor:
    spread = torch.full((3,), 0.0 if bad else 1.0)
    return (out / spread).pow(2).mean()  # divided


def exponential(out: torch.Tensor, y: torch.Tensor, bad: bool) -> torch.Tensor:
    return (out.abs() * (1e4 if bad else 1)).exp().mean()  # exponential


def arc(out: torch.Tensor, y: torch.Tensor, bad: bool) -> torch.Tensor:
    return torch.acos(torch.tanh(out) * (9.0 if bad else 0.9)).mean()  # arc


def nothing_times_infinity(out: torch.Tensor, y: torch.Tensor, bad: bool) -> torch.Tensor:
    logs = torch.log(out.abs() * (not bad) + (0 if bad else 1))  # times nothing
    return (logs * torch.zeros(16, 3)).sum() + F.cross_entropy(out, y)


def half(out: torch.Tensor, y: torch.Tensor, bad: bool) -> torch.Tensor:
    scaled = out.half() * (6e4 if bad else 1.0) * 3  # half
    return F.cross_entropy(scaled.float(), y)


class Reciprocal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, scale: float) -> torch.Tensor:  # own function
        return x / scale

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        return grad, None


def own_function(out: torch.Tensor, y: torch.Tensor, bad: bool) -> torch.Tensor:
    return F.cross_entropy(Reciprocal.apply(out, 0.0 if bad else 1.0), y)


@pytest.mark.parametrize(
    ("loss", "op", "mark"),
    [
        (log_of_zero, "log", "# log of nothing"),
        (root_of_less, "sqrt", "# root of less"),
        (divided, "div", "# divided"),
        (exponential, "exp", "# exponential"),
        (arc, "acos", "# arc"),
        (nothing_times_infinity, "log", "# times nothing"),
        (half, "mul", "# half"),
        (own_function, "Reciprocal", "# own function"),
    ],
)
def test_born_in_forward(loss: Loss, op: str, mark: str) -> None:
    fact = train(loss).one("nonfinite")
    assert (fact.first_step, fact.data["where"], fact.data["cause"]) == (
        BAD,
        "forward",
        "operation",
    )
    line = line_of(mark)
    assert (fact.data["op"], fact.line) == (op, line - (op == "Reciprocal"))
    assert fact.data["producer"]


def root_at_nothing(out: torch.Tensor, y: torch.Tensor, bad: bool) -> torch.Tensor:
    return (out * (not bad)).pow(2).sum(1).sqrt().mean()  # root at nothing


def branch_not_taken(out: torch.Tensor, y: torch.Tensor, bad: bool) -> torch.Tensor:
    out = out + (0 if bad else 9)
    roots = torch.sqrt(out)  # not taken
    return torch.where(out > 0, roots, out * 0).mean()


def half_power(out: torch.Tensor, y: torch.Tensor, bad: bool) -> torch.Tensor:
    return ((out * (not bad)).abs() ** 0.5).mean()  # half power


class Clamp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, bad: bool) -> torch.Tensor:  # own backward
        ctx.bad = bad
        return x.clamp(-1, 1)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:  # own backward too
        return grad / (0 if ctx.bad else 1), None


def own_backward(out: torch.Tensor, y: torch.Tensor, bad: bool) -> torch.Tensor:
    return F.cross_entropy(Clamp.apply(out, bad), y)


@pytest.mark.parametrize(
    ("loss", "op", "mark"),
    [
        (root_at_nothing, "sqrt", "# root at nothing"),
        (branch_not_taken, "sqrt", "# not taken"),
        (half_power, "pow", "# half power"),
        (own_backward, "Clamp", "# own backward"),
    ],
)
def test_born_in_backward(loss: Loss, op: str, mark: str) -> None:
    fact = train(loss).one("nonfinite")
    assert (fact.first_step, fact.data["where"]) == (BAD, "backward")
    # of an own function the backward is named when it was heard, else the forward
    own = {line_of(mark) - 1, line_of("# own backward too") - 1}
    assert fact.data["op"] == op
    assert fact.line in (own if op == "Clamp" else {line_of(mark)})


class Masked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.out = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mask = torch.triu(torch.ones(len(x), len(x), dtype=torch.bool), 1)
        mask[2] |= self.calls == BAD
        self.calls += 1
        scores = (self.q(x) @ self.k(x).T).masked_fill(mask, float("-inf"))
        weights = torch.softmax(scores, dim=-1)  # all masked
        return self.out(weights @ x)


def test_a_row_that_is_masked_entirely() -> None:
    fact = train(lambda out, y, bad: F.cross_entropy(out, y), Masked()).one("nonfinite")
    assert (fact.data["op"], fact.line) == ("softmax", line_of("# all masked"))
    assert fact.data["module"].endswith("model")


def test_a_bad_sample_is_named() -> None:
    rows = SAMPLES.clone()
    rows[203, 4] = float("nan")
    with watched() as seen:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        torch.manual_seed(5)
        order: list[int] = []
        for epoch in range(2):
            loader = DataLoader(TensorDataset(rows, CLASSES, torch.arange(256)), 4, shuffle=True)
            for x, y, index in loader:
                order += index.tolist()
                optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
            del epoch
    fact = seen.one("nonfinite")
    at = order.index(203)
    assert (fact.data["cause"], fact.data["samples"]) == ("input", [203])
    assert (fact.first_step, fact.data["batch"]) == (at // 4, at // 4 % 64)
    assert fact.data["rows"] == [at % 4]
    assert not fact.data["producer"]


def test_a_bad_target_is_named() -> None:
    with watched() as seen:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        for i in range(BAD + 3):
            wanted = torch.ones(16, 3)
            wanted[5] = float("inf") if i == BAD else 1.0
            optimizer.zero_grad()
            F.mse_loss(model(SAMPLES[:16]), wanted).backward()
            optimizer.step()
    data = seen.one("nonfinite").data
    assert (data["cause"], data["variable"], data["rows"]) == ("data", "wanted", [5])


class Standardise(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - x.mean(0)) / x.std(0)  # no spread


def test_made_without_a_graph_inside_the_model() -> None:
    with watched() as seen:
        model = nn.Sequential(Standardise(), nn.Linear(8, 3))
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        for _ in range(3):
            optimizer.zero_grad()
            F.cross_entropy(model(torch.ones(6, 8)), CLASSES[:6]).backward()
            optimizer.step()
    fact = seen.one("nonfinite")
    assert (fact.data["op"], fact.line, fact.first_step) == ("div", line_of("# no spread"), 0)
    assert fact.data["cause"] == "operation"


def test_weights_that_grew() -> None:
    with watched() as seen:
        model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        for i in range(BAD + 20):
            optimizer.param_groups[0]["lr"] = 100.0 if i > BAD - 3 else 1e-3
            optimizer.zero_grad()
            (model(SAMPLES) - SAMPLES.sum(1, keepdim=True)).pow(2).mean().backward()  # overflows
            optimizer.step()
    fact = seen.one("nonfinite")
    assert (fact.data["cause"], fact.line) == ("grown", line_of("# overflows"))


def test_weights_that_an_update_broke() -> None:
    with watched() as seen:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        for i in range(BAD + 3):
            optimizer.param_groups[0]["lr"] = float("inf") if i == BAD else 1e-3
            optimizer.zero_grad()
            F.cross_entropy(model(SAMPLES), CLASSES).backward()
            optimizer.step()
    fact = seen.one("nonfinite")
    assert (fact.first_step, fact.data["cause"], fact.data["op"]) == (BAD + 1, "weights", "")


class TestNoAlarm:
    def test_masks_of_minus_infinity(self) -> None:
        class Causal(Masked):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                self.calls = -1
                return super().forward(x)

        assert not train(lambda out, y, bad: F.cross_entropy(out, y), Causal()).of("nonfinite")

    def test_missing_values_taken_out_first(self) -> None:
        with watched() as seen:
            model = net()
            optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
            for _ in range(BAD):
                x = torch.where(SAMPLES > 1, torch.nan, SAMPLES)
                optimizer.zero_grad()
                F.cross_entropy(model(x.nan_to_num()), CLASSES).backward()
                optimizer.step()
        assert not seen.of("nonfinite")

    def test_a_guarded_operand(self) -> None:
        def loss(out: torch.Tensor, y: torch.Tensor, bad: bool) -> torch.Tensor:
            safe = torch.where(out > 0, out, torch.ones_like(out))
            return torch.where(out > 0, safe.sqrt(), torch.zeros_like(out)).mean()

        assert not train(loss).of("nonfinite")

    def test_evaluation_alone(self) -> None:
        def loss(out: torch.Tensor, y: torch.Tensor, bad: bool) -> torch.Tensor:
            with torch.no_grad():
                torch.log(out - 1e3).mean()
            return F.cross_entropy(out, y)

        assert not train(loss).of("nonfinite")

    def test_a_scaler_that_finds_its_scale(self) -> None:
        with watched() as seen:
            model = net()
            optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
            scaler = torch.amp.GradScaler("cpu", init_scale=2.0**126, growth_interval=20)
            for _ in range(BAD):
                optimizer.zero_grad()
                scaler.scale(F.cross_entropy(model(SAMPLES), CLASSES) * 9).backward()
                scaler.step(optimizer)
                scaler.update()
        assert any((0, "scaler.skipped") in row for _, _, row in seen.frames)
        assert not seen.of("nonfinite")


def test_a_run_goes_on_to_the_bit() -> None:
    def run() -> list[torch.Tensor]:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        for i in range(BAD + 5):
            optimizer.zero_grad()
            out = F.dropout(model(SAMPLES[:16]), 0.3)
            root_at_nothing(out, CLASSES[:16], i == BAD).backward()
            for p in model.parameters():
                assert p.grad is not None
                p.grad.nan_to_num_()
            optimizer.step()
        return [p.detach() for p in model.parameters()] + [torch.get_rng_state()]

    plain = run()
    with watched() as seen:
        assert all(map(torch.equal, plain, run()))
    assert not seen.of("nonfinite"), "what the script mended is no alarm"
