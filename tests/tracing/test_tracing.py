"""A forward as a graph: which rule each call follows, and that nothing of the run is touched."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from gradoctor.theory.graph import bits, predict
from gradoctor.theory.signal import Add, Elementwise, Local, Multiply, Normalised, Scale, Weights
from gradoctor.tracing import trace, untouched
from gradoctor.tracing.moments import measure


class Function(nn.Module):
    """A module of one weight and any code."""

    def __init__(self, code, *shape: int) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(shape or (16, 16)))
        self.code = code

    def forward(self, *x: torch.Tensor) -> torch.Tensor:
        return self.code(self.w, *x)


def rules_of(model: nn.Module, *x: torch.Tensor) -> list[type]:
    tracer, _ = trace(model, x, {})
    return [type(n.rule) for n in tracer.nodes if n.rule is not None]


def traced(model: nn.Module, *x: torch.Tensor):
    """The graph after a backward of noise, and the prediction."""
    with untouched(model):
        tracer, out = trace(model, x, {})
        out.backward(torch.randn_like(out))
    return tracer.nodes, predict(tracer.nodes)


X = torch.randn(64, 16, generator=torch.Generator().manual_seed(0))
IMAGE = torch.randn(8, 4, 9, 7, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("model", "x", "wanted"),
    [
        (nn.Linear(16, 8), X, [Weights]),
        (nn.Conv2d(4, 6, 3, padding=1), IMAGE, [Weights]),
        (nn.Sequential(nn.Linear(16, 8), nn.ReLU(inplace=True)), X, [Weights, Elementwise]),
        (nn.Sequential(nn.Linear(16, 8), nn.PReLU(8)), X, [Weights, Elementwise]),
        (nn.Sequential(nn.Linear(16, 8), nn.BatchNorm1d(8)), X, [Weights, Normalised]),
        (nn.Sequential(nn.Linear(16, 8), nn.BatchNorm1d(8).eval()), X, [Weights, Scale]),
        (nn.Sequential(nn.Linear(16, 8), nn.LayerNorm(8)), X, [Weights, Normalised]),
        (nn.Sequential(nn.Conv2d(4, 6, 3), nn.GroupNorm(2, 6)), IMAGE, [Weights, Normalised]),
        (nn.Sequential(nn.Linear(16, 8), nn.Dropout(0.3)), X, [Weights, Scale]),
        (nn.Sequential(nn.Linear(16, 8), nn.Softmax(-1)), X, [Weights, Local]),
        (Function(lambda w, x: x @ w), X, [Weights]),
        (Function(lambda w, x: torch.addmm(torch.zeros(16), x, w)), X, [Weights]),
        (Function(lambda w, x: (h := x @ w) + torch.tanh(h) @ w), X,
         [Weights, Elementwise, Weights, Add]),
        (Function(lambda w, x: (x @ w) * (x @ w.abs())), X, [Weights, Local, Local, Multiply]),
        (Function(lambda w, x: 3 * (x @ w)), X, [Weights, Scale]),
        (Function(lambda w, x: (h := x @ w) * torch.sigmoid(h)), X,
         [Weights, Elementwise, Elementwise]),
    ],
)  # fmt: skip
def test_the_rule_of_a_call(model, x, wanted):
    assert rules_of(model, x) == wanted


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64)),
        lambda: nn.Sequential(nn.Linear(64, 64), nn.GELU(), nn.Dropout(0.4), nn.Linear(64, 64)),
        lambda: nn.Sequential(nn.Linear(64, 64), nn.LayerNorm(64), nn.SiLU(), nn.Linear(64, 64)),
        lambda: nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 64)),
        lambda: nn.Sequential(nn.Linear(64, 128), nn.GLU(), nn.Linear(64, 64)),
        lambda: nn.Sequential(nn.Linear(64, 64), nn.Softsign(), nn.PReLU(), nn.Linear(64, 64)),
        lambda: Function(lambda w, x: torch.relu(x @ w / 8) @ w.roll(1, 0), 64, 64),
        lambda: Function(lambda w, x: (h := x @ w / 8) * torch.sigmoid(1.7 * h), 64, 64),
    ],
    ids=["tanh", "gelu", "layer norm", "batch norm", "glu", "chain", "products", "by hand"],
)
def test_prediction_meets_measurement(make):
    torch.manual_seed(0)
    nodes, found = traced(make(), torch.randn(512, 64))
    for node in nodes:
        if not node.layer:
            continue
        assert found.values[node.id].square == pytest.approx(node.measured.square, rel=0.2)
        assert node.gradient is not None
        gap = bits(found.gradients[node.id], 1) - bits(node.gradient, 1)
        assert abs(gap) < 0.25, node


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 16, 3),
        nn.Conv2d(4, 16, 3, padding=1),
        nn.Conv2d(4, 16, 5, padding=2, stride=2),
        nn.Conv2d(4, 16, 3, padding="same"),
        nn.Conv2d(4, 16, 3, padding=2, dilation=2),
        nn.Conv2d(4, 16, (1, 3), stride=(1, 2), padding=(0, 1)),
        nn.Conv2d(4, 16, 3, padding=1, groups=4),
    ],
)
def test_the_fans_of_a_convolution(layer):
    """Against the layer itself: forward on noise, and backward of noise."""
    torch.manual_seed(0)
    x = torch.randn(64, 4, 9, 7, requires_grad=True)
    nn.init.normal_(layer.weight)
    nn.init.zeros_(layer.bias)
    tracer, out = trace(layer, (x,), {})
    out.backward(torch.randn_like(out))
    rule = tracer.nodes[-1].rule
    assert isinstance(rule, Weights)
    assert rule.fan_in * rule.variance == pytest.approx(
        float(out.detach().square().mean()), rel=0.12
    )
    assert rule.fan_out * rule.variance == pytest.approx(float(x.grad.square().mean()), rel=0.12)


def test_moments_are_those_of_their_definition():
    x = torch.randn(50, 7, 5, dtype=torch.float64) + 0.3
    found = measure(x)
    rows = x.reshape(-1, 5)
    pairs = (rows @ rows.T) / 5
    cross = (pairs.sum() - pairs.diagonal().sum()) / (350 * 349)
    assert found.mean == pytest.approx(float(x.mean()))
    assert found.square == pytest.approx(float(x.square().mean()))
    assert found.cross == pytest.approx(float(cross))
    assert measure(torch.tensor(2.0)).square == 4.0
    assert measure(torch.zeros(0, 3)).square == 0.0


def test_a_detached_layer_gets_no_gradient():
    model = Function(lambda w, x: (x @ w).detach() @ w)
    nodes, found = traced(model, X)
    assert [n.gradient is None for n in nodes if n.layer] == [True, False]
    assert found.gradients[1].square == 0.0


def test_attention_in_one_call_is_measured():
    model = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, dropout=0.2)
    nodes, found = traced(model, torch.randn(4, 6, 16))
    assert any(isinstance(n.rule, Local) for n in nodes)
    assert all(g.square >= 0 for g in found.gradients.values())


def test_a_causal_mask_is_no_overflow():
    def attend(w, x):
        scores = (x @ w) @ x.T / 16
        hidden = torch.triu(torch.ones(64, 64, dtype=torch.bool), 1)
        return scores.masked_fill(hidden, -torch.inf).softmax(-1) @ (x @ w)

    nodes, found = traced(Function(attend), X)
    assert all(math.isfinite(n.measured.square) for n in nodes)
    assert all(math.isfinite(g.square) for g in found.gradients.values())


def test_an_operation_that_changes_its_input_keeps_the_size():
    model = Function(lambda w, x: (x @ w).cumsum_(0))
    nodes, found = traced(model, X)
    assert nodes[-1].rule == Local((1.0,), 0.0)
    assert found.gradients[1].square == pytest.approx(found.gradients[2].square)


class Everything(nn.Module):
    """Buffers, dropout, random activations, shared weights, in-place sums."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.norm = nn.Linear(16, 16), nn.BatchNorm1d(16)
        self.random, self.drop = nn.RReLU(), nn.Dropout(0.5)
        self.spectral = nn.utils.parametrizations.spectral_norm(nn.Linear(16, 16))
        self.instance = nn.InstanceNorm1d(16, track_running_stats=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.drop(self.random(self.norm(self.a(x))))
        k = self.spectral(h)
        k += self.a(h)
        return self.instance(k.unsqueeze(-1).expand(-1, -1, 4)).mean(-1)


def test_nothing_of_the_model_is_touched():
    torch.manual_seed(3)
    model = Everything()
    model(X).sum().backward()
    gradients = [p.grad.clone() for p in model.parameters()]
    state, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    traced(model, X)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), gradients, strict=True))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_the_trace_of_a_forward_leaves_its_result_as_it_was():
    """With the tracer looking on, buffers, outputs and gradients are those of a plain run."""

    def run(look: bool):
        torch.manual_seed(3)
        model = Everything()
        out = trace(model, (X,), {})[1] if look else model(X)
        out.sum().backward()
        return out, [p.grad for p in model.parameters()], model.state_dict(), torch.get_rng_state()

    plain, watched = run(False), run(True)
    assert torch.equal(plain[0], watched[0])
    assert all(torch.equal(a, b) for a, b in zip(plain[1], watched[1], strict=True))
    assert all(torch.equal(plain[2][k], watched[2][k]) for k in plain[2])
    assert torch.equal(plain[3], watched[3])


def test_a_fault_in_the_model_puts_everything_back():
    model = nn.Sequential(nn.BatchNorm1d(16), nn.Linear(7, 7))
    before, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    with pytest.raises(RuntimeError), untouched(model):
        trace(model, (X,), {})
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert not any(m._forward_hooks for m in model.modules())
