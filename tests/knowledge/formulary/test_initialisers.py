"""Initialisers against samples of ``torch.nn.init`` and against networks that are really deep."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from gradoctor.knowledge.formulary._variances import fixup_scale
from gradoctor.knowledge.formulary.initialisers import ENTRIES, FIXUP_CODE
from gradoctor.nn import lsuv_

ENTRY = {e.name: e for e in ENTRIES}
SHAPES = ((400, 300), (300, 400), (64, 32, 3, 3))  # as PyTorch has them: outputs first
DRAWS = [
    ("zero", nn.init.zeros_, 1.0),
    ("constant", lambda w: nn.init.constant_(w, 0.3), 1.0),
    ("gaussian", lambda w: nn.init.normal_(w, std=0.02), 0.02),
    ("gaussian", lambda w: nn.init.uniform_(w, -0.02 * 3**0.5, 0.02 * 3**0.5), 0.02),
    ("xavier", lambda w: nn.init.xavier_normal_(w, gain=1.5), 1.5),
    ("xavier", lambda w: nn.init.xavier_uniform_(w, gain=1.5), 1.5),
    ("he", lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"), 2**0.5),
    ("he", lambda w: nn.init.kaiming_uniform_(w, nonlinearity="relu"), 2**0.5),
    ("he", lambda w: nn.init.kaiming_normal_(w, nonlinearity="linear"), 1.0),
    ("torch_default", lambda w: nn.init.kaiming_uniform_(w, a=5**0.5), 1.0),
]


def drawn(shape, fill, seed=0):
    torch.manual_seed(seed)
    weight = torch.empty(shape, dtype=torch.float64)
    fill(weight)
    return weight


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "fill", "gain"), DRAWS)
def test_the_variance_is_that_of_samples(name, fill, gain, shape):
    weight = drawn(shape, fill)
    kernel = math.prod(shape[2:])
    fans = shape[1] * kernel, shape[0] * kernel
    expected = ENTRY[name].variance(*fans, gain)
    assert weight.var().item() == pytest.approx(expected, rel=0.05, abs=1e-30)


def test_the_layers_of_pytorch_are_drawn_so():
    torch.manual_seed(0)
    for layer, fan_in, fan_out in (
        (nn.Linear(300, 400), 300, 400),
        (nn.Conv2d(32, 64, 3), 288, 576),
    ):
        expected = ENTRY["torch_default"].variance(fan_in, fan_out, 1.0)
        assert layer.weight.var().item() == pytest.approx(expected, rel=0.05)
        assert layer.weight.abs().max().item() <= fan_in**-0.5 * (1 + 1e-6)
        assert layer.bias.var().item() == pytest.approx(expected, rel=0.3)


@pytest.mark.parametrize(("fan_in", "fan_out"), [(200, 200), (200, 300), (300, 200)])
def test_orthogonal_weights(fan_in, fan_out):
    weight = drawn((fan_out, fan_in), lambda w: nn.init.orthogonal_(w, gain=1.5))
    square = (weight**2).mean().item()  # exact: the singular values are all 1.5
    assert square == pytest.approx(ENTRY["orthogonal"].variance(fan_in, fan_out, 1.5), rel=1e-12)
    x, g = torch.randn(fan_in).double(), torch.randn(fan_out).double()
    signal, gradient = (weight @ x).norm() / x.norm(), (weight.T @ g).norm() / g.norm()
    assert (abs(signal - 1.5) < 1e-12) == (fan_out >= fan_in)
    assert (abs(gradient - 1.5) < 1e-12) == (fan_out <= fan_in)


@pytest.mark.parametrize(
    ("name", "fill", "gain"), [d for d in DRAWS if d[0] not in ("zero", "constant")]
)
@pytest.mark.parametrize(("fan_in", "fan_out"), [(300, 300), (784, 100)])
def test_signal_and_gradient_factors_are_those_of_a_layer(name, fill, gain, fan_in, fan_out):
    weight = drawn((fan_out, fan_in), fill)
    x, g = torch.randn(500, fan_in).double(), torch.randn(500, fan_out).double()
    entry = ENTRY[name]
    signal, gradient = (x @ weight.T).var().item(), (g @ weight).var().item()
    assert entry.signal_factor(fan_in, fan_out, gain) == pytest.approx(signal, rel=0.05)
    assert entry.gradient_factor(fan_in, fan_out, gain) == pytest.approx(gradient, rel=0.05)


def test_xaviers_figures_at_unequal_fans():
    xavier = ENTRY["xavier"]
    assert xavier.signal_factor(784, 100) == pytest.approx(1.77, abs=5e-3)
    assert xavier.gradient_factor(784, 100) == pytest.approx(0.23, abs=5e-3)


def test_entries_without_a_variance_have_no_factor():
    for name in ("lsuv", "fixup"):
        assert ENTRY[name].signal_factor(3, 4) is None
        assert ENTRY[name].gradient_factor(3, 4) is None


# ---- in depth -----------------------------------------------------------------------------------
def bits_per_layer(fill, activation, width=512, depth=12):
    """What a layer adds to log2 of the RMS: forwards, and backwards."""
    torch.manual_seed(0)
    layers = [nn.Linear(width, width, bias=False).double() for _ in range(depth)]
    for layer in layers:
        fill(layer.weight.data)
    x = torch.randn(64, width, dtype=torch.float64, requires_grad=True)
    h, signals = x, []
    for layer in layers:
        h = layer(activation(h))
        h.retain_grad()
        signals.append(h)
    (h * torch.randn_like(h)).sum().backward()
    rms = [math.log2(s.detach().square().mean().sqrt()) for s in signals]
    gradients = [math.log2(s.grad.square().mean().sqrt()) for s in signals]
    return (rms[-1] - rms[0]) / (depth - 1), (gradients[0] - gradients[-1]) / (depth - 1)


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        (lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"), 0.0),
        (nn.init.xavier_uniform_, -0.5),
        (lambda w: nn.init.kaiming_uniform_(w, a=5**0.5), -1.29),
        (lambda w: nn.init.normal_(w, std=0.01), math.log2(0.16)),
        (lambda w: nn.init.normal_(w, std=(2 / 512) ** 0.5), 0.0),
    ],
    ids=["he", "xavier", "default", "gaussian 0.01", "gaussian right"],
)
def test_bits_per_relu_layer_that_the_texts_name(fill, expected):
    signal, gradient = bits_per_layer(fill, torch.relu)
    assert signal == pytest.approx(expected, abs=0.06)
    assert gradient == pytest.approx(expected, abs=0.06)


def test_he_on_linear_layers_doubles_the_mean_square():
    fill = lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu")  # noqa: E731
    assert bits_per_layer(fill, nn.Identity())[0] == pytest.approx(0.5, abs=0.06)


def test_what_is_drawn_is_what_a_wide_network_does():
    curve = next(c for c in ENTRY["xavier"].draw()[0].curves if c.label.en == "tanh, gain 1")
    torch.manual_seed(0)
    h = torch.randn(64, 1024)
    seen = [h.square().mean().sqrt().item()]
    for _ in range(29):
        weight = nn.init.xavier_uniform_(torch.empty(1024, 1024))
        h = torch.tanh(h) @ weight.T
        seen.append(h.square().mean().sqrt().item())
    np.testing.assert_allclose(curve.y, seen, rtol=0.1)


def test_how_far_single_draws_of_he_wander():
    ends = []
    for seed in range(150):
        torch.manual_seed(seed)
        x = torch.randn(100)
        start = x.square().mean().sqrt()
        for _ in range(30):
            x = torch.relu(torch.randn(100, 100) * (2 / 100) ** 0.5 @ x)
        ends.append((x.square().mean() * 2).sqrt().item() / start.item())
    within = np.mean([0.5 < e < 1.8 for e in ends])
    assert within == pytest.approx(0.8, abs=0.08)


def test_singular_values_of_products_spread_as_drawn():
    gaussian = next(c for c in ENTRY["orthogonal"].draw()[0].curves if c.label.en == "Gaussian")
    rng = np.random.default_rng(0)
    product = {"gaussian": np.eye(600), "orthogonal": np.eye(600)}
    for depth in range(1, 6):
        draw = rng.normal(size=(600, 600)) / 600**0.5
        product["gaussian"] = draw @ product["gaussian"]
        product["orthogonal"] = np.linalg.qr(draw)[0] @ product["orthogonal"]
        spread = {}
        for name, matrix in product.items():
            squares = np.linalg.svd(matrix, compute_uv=False) ** 2
            spread[name] = (squares**2).mean() / squares.mean() ** 2
        assert spread["gaussian"] == pytest.approx(gaussian.y[depth - 1], rel=0.1)
        assert spread["orthogonal"] == pytest.approx(1, rel=1e-9)


# ---- symmetry -----------------------------------------------------------------------------------
@pytest.mark.parametrize(("name", "fill", "gain"), [*DRAWS, ("orthogonal", nn.init.orthogonal_, 1)])
def test_equal_units_stay_equal(name, fill, gain):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1))
    for layer in model[0], model[2]:
        fill(layer.weight.data)
        nn.init.zeros_(layer.bias)
    x = torch.randn(32, 4)
    for _ in range(20):
        model.zero_grad()
        (model(x) - x.sin().sum(1, keepdim=True)).square().mean().backward()
        with torch.no_grad():
            for p in model.parameters():
                p.sub_(0.1 * p.grad)
    rows = model[0].weight.detach()
    assert bool(torch.allclose(rows, rows[:1].expand_as(rows))) == ENTRY[name].symmetric


def test_zero_weights_learn_the_last_bias_only():
    for activation in (nn.ReLU(), nn.Tanh()):
        model = nn.Sequential(nn.Linear(4, 6), activation, nn.Linear(6, 1))
        for p in model.parameters():
            nn.init.zeros_(p)
        (model(torch.randn(8, 4)) - 1).square().mean().backward()
        moved = [name for name, p in model.named_parameters() if p.grad.abs().max() > 0]
        assert moved == ["2.bias"]


# ---- recipes ------------------------------------------------------------------------------------
def test_fixup_scale():
    assert fixup_scale(16, 2) == pytest.approx(1 / 4)  # 1 / sqrt(L)
    assert fixup_scale(16, 3) == pytest.approx(1 / 2)
    assert fixup_scale(1, 2) == 1


def test_the_code_of_fixup_follows_its_rules():
    torch.manual_seed(0)
    space = {"torch": torch, "nn": nn, "__name__": "fixup"}
    exec(FIXUP_CODE, space)
    model, branches, width = space["model"], space["branches"], space["width"]
    x = torch.randn(5, width)
    assert torch.equal(model[:-1](x), x), "branches end in zero"
    assert (model(x) == 0).all(), "so does the head"
    expected = 2 / width * fixup_scale(branches, 2) ** 2
    variance = np.mean([branch.first.weight.var().item() for branch in model[:-1]])
    assert variance == pytest.approx(expected, rel=0.1)
    (model(x) - 1).square().sum().backward()  # the head learns first, and then the branches
    assert model[-1].weight.grad.abs().max() > 0
    assert all((branch.last.weight.grad == 0).all() for branch in model[:-1])
    nn.init.normal_(model[-1].weight)
    (model(x) - 1).square().sum().backward()
    assert all(branch.last.weight.grad.abs().max() > 0 for branch in model[:-1])


def test_one_step_of_fixup_changes_the_output_as_much_at_any_depth():
    """The rule's purpose: without the factor the change grows with the number of branches."""

    def change(branches, scale):
        torch.manual_seed(0)
        width = 256
        first = [torch.randn(width, width) * (2 / width) ** 0.5 * scale for _ in range(branches)]
        last = [torch.zeros(width, width, requires_grad=True) for _ in range(branches)]

        def run(x):
            for a, b in zip(first, last, strict=True):
                x = x + torch.relu(x @ a.T) @ b.T
            return x

        x = torch.randn(1, width)
        run(x).sum().backward()
        with torch.no_grad():
            before = run(x)
            for b in last:
                b.sub_(1e-7 * b.grad)
            return (run(x) - before).norm().item()

    plain, fixed = change(64, 1.0), change(64, fixup_scale(64, 2))
    assert plain / change(4, 1.0) == pytest.approx(16, rel=0.1)
    assert fixed / change(4, fixup_scale(4, 2)) == pytest.approx(1, rel=0.1)


def test_he_in_branches_that_begin_with_relu_doubles_the_variance():
    torch.manual_seed(0)
    x = torch.randn(256, 512)
    before = x.var().item()
    draw = lambda: torch.randn(512, 512) * (2 / 512) ** 0.5  # noqa: E731
    for _ in range(5):
        x = x + torch.relu(torch.relu(x) @ draw().T) @ draw().T
    assert x.var().item() / before == pytest.approx(2**5, rel=0.2)


def test_lsuv_gives_every_layer_unit_variance_whatever_the_activation():
    for activation in (nn.ReLU, nn.Sigmoid, nn.Tanh):
        torch.manual_seed(0)
        model = nn.Sequential(
            *[m for _ in range(4) for m in (nn.Linear(64, 64), activation())], nn.Linear(64, 3)
        )
        x = torch.randn(256, 64)
        lsuv_(model, x)
        for layer in model:
            x = layer(x)
            if isinstance(layer, nn.Linear):
                assert x.std().item() == pytest.approx(1, rel=1e-3)


def test_pytorchs_fans_as_the_pitfalls_tell_them():
    fans = nn.init._calculate_fan_in_and_fan_out
    assert fans(nn.ConvTranspose2d(8, 32, 3).weight) == (32 * 9, 8 * 9)  # swapped
    assert fans(nn.Conv2d(16, 32, 3, groups=4).weight) == (4 * 9, 32 * 9)
    with pytest.raises(ValueError, match="Unsupported"):
        nn.init.kaiming_normal_(torch.empty(3, 3), nonlinearity="gelu")
    weight = drawn((200, 200), lambda w: nn.init.trunc_normal_(w, std=0.02))
    assert weight.abs().max() > 3 * 0.02, "nothing is cut at two standard deviations"
    assert drawn((200, 200), nn.init.uniform_).mean().item() == pytest.approx(0.5, abs=0.01)
