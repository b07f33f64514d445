"""The normalisers on nested lists against PyTorch's, and what they do to gradients."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from gradoctor.knowledge.formulary import _normaliser, entries
from gradoctor.knowledge.formulary import _normaliser_pictures as pictures

ENTRIES = {entry.name: entry for entry in entries("normalisers")}
OF_WEIGHTS = ("weight_norm", "spectral_norm")
N, C, H, W = 4, 6, 5, 3
MODULES = {
    "batch_norm": lambda: nn.BatchNorm2d(C),
    "layer_norm": lambda: nn.LayerNorm([C, H, W]),
    "group_norm": lambda: nn.GroupNorm(2, C),
    "instance_norm": lambda: nn.InstanceNorm2d(C),
    "rms_norm": lambda: nn.RMSNorm([C, H, W]),
    "local_response_norm": lambda: nn.LocalResponseNorm(3, alpha=0.5),
    "weight_norm": lambda: nn.utils.parametrizations.weight_norm(nn.Linear(C, N, bias=False)),
    "spectral_norm": lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(C, N, bias=False)),
}
ASKED = {"group_norm": {"num_groups": 2}, "local_response_norm": {"size": 3, "alpha": 0.5}}
OF_BLOCKS = [name for name in ENTRIES if name not in OF_WEIGHTS]


def module(name):
    torch.manual_seed(0)
    return MODULES[name]().double()


@pytest.fixture
def block():
    return 2 * torch.randn(N, C, H, W, dtype=torch.float64) + torch.arange(C).reshape(1, C, 1, 1)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(1)


def flat(block):
    return block.flatten(2).tolist()


def tensor(nested):
    return torch.tensor(nested, dtype=torch.float64)


@pytest.mark.parametrize("name", OF_BLOCKS)
def test_the_reference_is_pytorchs(name, block):
    found = tensor(ENTRIES[name].apply(flat(block), **ASKED.get(name, {})))
    torch.testing.assert_close(found.reshape(block.shape), module(name)(block), rtol=0, atol=1e-10)


@pytest.mark.parametrize("size", [1, 2, 4, 5])
def test_local_response_windows_lie_as_pytorchs_do(size, block):
    found = tensor(_normaliser.local_response_norm(flat(block), size=size, alpha=2.0, k=0.5))
    expected = nn.LocalResponseNorm(size, alpha=2.0, k=0.5)(block).flatten(2)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


def test_local_response_divides_alpha_by_the_size():
    ones = torch.ones(1, 5, 1, 1)
    middle = nn.LocalResponseNorm(5, alpha=1.0, beta=1.0, k=1.0)(ones)[0, 2].item()
    assert middle == pytest.approx(1 / (1 + 1))  # 1/6 by the paper's formula


def test_batch_norm_remembers_the_unbiased_variance(block):
    theirs = module("batch_norm")
    mean, variance = [0.0] * C, [1.0] * C
    for batch in (block, 3 * block):
        theirs(batch)
        mean, variance = _normaliser.running_statistics(flat(batch), mean, variance)
    assert mean == pytest.approx(theirs.running_mean.tolist(), rel=1e-12)
    assert variance == pytest.approx(theirs.running_var.tolist(), rel=1e-12)
    found = tensor(_normaliser.batch_norm(flat(block), running=(mean, variance)))
    expected = theirs.eval()(block).flatten(2)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


def test_weight_norm_is_pytorchs_and_trains_both():
    layer = module("weight_norm")
    g, v = layer.parametrizations.weight.original0, layer.parametrizations.weight.original1
    with torch.no_grad():
        g.mul_(1.7)
        v.mul_(torch.rand_like(v) + 0.5)
    found = _normaliser.weight_norm(v.tolist(), g.flatten().tolist())
    torch.testing.assert_close(tensor(found), layer.weight.detach(), atol=1e-10, rtol=0)
    layer(torch.randn(8, C).double()).square().mean().backward()
    assert g.requires_grad
    assert v.requires_grad
    assert g.grad.abs().max() > 0
    assert v.grad.abs().max() > 0


def test_spectral_norm_is_pytorchs():
    layer = module("spectral_norm")
    hidden = layer.parametrizations.weight[0]
    weight = layer.parametrizations.weight.original.detach()
    before = hidden._u.tolist(), hidden._v.tolist()
    found = tensor(_normaliser.spectral_norm(weight.tolist(), *before))
    torch.testing.assert_close(found, layer.weight.detach(), atol=1e-10, rtol=0)


def test_the_power_iteration_finds_the_largest_singular_value():
    matrix = torch.randn(5, 7, dtype=torch.float64)
    left, right = [1.0] * 5, [1.0] * 7
    for _ in range(300):
        left, right = _normaliser.power_iteration(matrix.tolist(), left, right)
    found = _normaliser.largest(matrix.tolist(), left, right)
    assert found == pytest.approx(torch.linalg.svdvals(matrix)[0].item(), rel=1e-9)


@pytest.mark.parametrize("name", OF_BLOCKS)
def test_the_axes_are_those_of_its_statistics(name, block):
    """Normalising by hand over the axes named gives PyTorch's output."""
    axes = ENTRIES[name].axes
    if name == "local_response_norm":
        assert axes == ("C window",)
        return
    view, dims = block, tuple("NCHW".index(axis) for axis in axes if axis in "NCHW")
    if "C/G" in axes:  # the groups become examples of their own
        view, dims = block.reshape(2 * N, C // 2, H, W), (1, *dims)
    mean = 0 if name == "rms_norm" else view.mean(dims, keepdim=True)
    eps = 2.220446049250313e-16 if name == "rms_norm" else 1e-5
    spread = (view - mean).square().mean(dims, keepdim=True)
    found = ((view - mean) / (spread + eps).sqrt()).reshape(block.shape)
    torch.testing.assert_close(found, module(name)(block), rtol=0, atol=1e-10)


def output(name, given):
    """What comes out of (N, C, H, W), or what becomes of a weight matrix (N, C)."""
    layer = module(name)
    if name not in OF_WEIGHTS:
        return layer(given)
    hidden = layer.parametrizations.weight
    with torch.no_grad():
        (hidden.original1 if name == "weight_norm" else hidden.original).copy_(given[:, :, 0, 0])
    for _ in range(30):
        layer(torch.zeros(1, C).double())
    return layer.weight.detach()[:, :, None, None]


@pytest.mark.parametrize("name", ENTRIES)
def test_the_cells_marked_are_those_that_matter_to_the_focus(name, block):
    """Changing a cell changes the focus exactly where the picture marks it."""
    grid = ENTRIES[name].draw()[0]
    focus = pictures.FOCUS
    before = output(name, block)[focus]
    for n in range(N):
        for c in range(C):
            other = block.clone()
            other[n, c, 0, 0] += 1.5
            moved = (output(name, other)[focus] - before).abs().max() > 1e-9
            assert bool(grid.values[n][c]) == moved.item(), (n, c)
    assert grid.values[focus[0]][focus[1]] == 2


@pytest.mark.parametrize("name", ENTRIES)
def test_it_holds_the_parameters_and_buffers_named(name):
    layer = module(name)
    assert tuple(n.rpartition(".")[2] for n, _ in layer.named_parameters()) == (
        ENTRIES[name].parameters
    )
    assert tuple(n.rpartition(".")[2] for n, _ in layer.named_buffers()) == ENTRIES[name].buffers


@pytest.mark.parametrize("name", ENTRIES)
def test_the_mode_matters_where_the_entry_says(name, block):
    given = block if name not in OF_WEIGHTS else torch.randn(3, C, dtype=torch.float64)
    layer = module(name)
    before = [b.clone() for b in layer.buffers()]
    trained = layer(given)
    changed = any(not torch.equal(a, b) for a, b in zip(before, layer.buffers(), strict=True))
    again = [b.clone() for b in layer.buffers()]
    evaluated = layer.eval()(given)
    assert all(torch.equal(a, b) for a, b in zip(again, layer.buffers(), strict=True))
    differs = changed or not torch.allclose(trained, evaluated)
    assert differs == ENTRIES[name].differs


# Gradients


def gradients(layer, block):
    """The gradient that comes in and the one that goes back."""
    given = block.clone().requires_grad_()
    out = layer(given)
    upstream = torch.randn_like(out)
    out.backward(upstream)
    return upstream, given.grad


def mean(values, dims):
    return values.mean(dims, keepdim=True)


def test_batch_norm_sends_back_what_its_derivative_says(block):
    layer = module("batch_norm")
    with torch.no_grad():
        layer.weight.copy_(torch.rand(C) + 0.5)
    g, back = gradients(layer, block)
    dims, gain = (0, 2, 3), layer.weight.detach().reshape(1, C, 1, 1)
    deviation = (block.var(dims, correction=0, keepdim=True) + layer.eps).sqrt()
    hat = (block - mean(block, dims)) / deviation
    expected = gain / deviation * (g - mean(g, dims) - hat * mean(g * hat, dims))
    torch.testing.assert_close(back, expected)
    assert mean(back, dims).abs().max() < 1e-12
    assert mean(back * hat, dims).abs().max() < 1e-5


@pytest.mark.parametrize("name", ["layer_norm", "rms_norm", "group_norm", "instance_norm"])
def test_the_others_send_back_what_theirs_say(name, block):
    layer = module(name)
    for gain in layer.parameters():
        nn.init.uniform_(gain, 0.5, 1.5)
    g, back = gradients(layer, block)
    u = g
    if "weight" in ENTRIES[name].parameters:
        weight = layer.weight.detach()
        u = g * (weight.reshape(C, 1, 1) if weight.numel() == C else weight)
    groups = {"layer_norm": 1, "rms_norm": 1, "group_norm": 2, "instance_norm": C}[name]
    x, u = (t.reshape(N, groups, -1) for t in (block, u))
    centre = 0 if name == "rms_norm" else mean(x, -1)
    eps = 2.220446049250313e-16 if name == "rms_norm" else layer.eps
    deviation = (mean((x - centre).square(), -1) + eps).sqrt()
    hat = (x - centre) / deviation
    without = u if name == "rms_norm" else u - mean(u, -1)
    expected = (without - hat * mean(u * hat, -1)) / deviation
    torch.testing.assert_close(back.reshape(N, groups, -1), expected)


def test_local_response_norms_derivative(block):
    column = block[:1, :, :1, :1].clone()
    layer = nn.LocalResponseNorm(3, alpha=0.5)
    found = torch.autograd.functional.jacobian(layer, column).reshape(C, C)
    x = column.flatten()
    near = (torch.arange(C)[:, None] - torch.arange(C)).abs() <= 1
    s = 1 + 0.5 / 3 * (near * x.square()).sum(1)
    expected = torch.diag(s**-0.75)
    expected = expected - near * (2 * 0.5 * 0.75 / 3) * torch.outer(x * s**-1.75, x)
    torch.testing.assert_close(found, expected)


def test_weight_norms_derivatives():
    layer = module("weight_norm")
    hidden = layer.parametrizations.weight
    v, g = hidden.original1, hidden.original0
    with nn.utils.parametrize.cached():
        weight = layer.weight
        weight.retain_grad()
        layer(torch.randn(8, C).double()).sin().sum().backward()
    slope = weight.grad
    norm = v.detach().norm(dim=1, keepdim=True)
    unit = v.detach() / norm
    along = (slope * unit).sum(1, keepdim=True)
    torch.testing.assert_close(g.grad, along)
    torch.testing.assert_close(v.grad, g.detach() / norm * (slope - along * unit))
    assert (v.grad * v).sum(1).abs().max() < 1e-12


def test_spectral_norms_derivative():
    layer = module("spectral_norm").eval()
    hidden = layer.parametrizations.weight
    original = hidden.original
    with nn.utils.parametrize.cached():
        weight = layer.weight
        weight.retain_grad()
        layer(torch.randn(8, C).double()).sin().sum().backward()
    u, v = hidden[0]._u, hidden[0]._v
    sigma = u @ original.detach() @ v
    inner = (weight.grad * weight.detach()).sum()
    torch.testing.assert_close(original.grad, (weight.grad - inner * torch.outer(u, v)) / sigma)


def test_weights_before_batch_norm_have_no_scale():
    """Their gradient is orthogonal to them and falls as 1/‖w‖."""
    inputs, upstream = torch.randn(2, 64, 8, dtype=torch.float64)
    norm = nn.BatchNorm1d(8, eps=1e-20).double()
    start = torch.randn(8, 8, dtype=torch.float64)

    def slope(scale):
        weight = (scale * start).requires_grad_()
        (norm(inputs @ weight.T) * upstream).sum().backward()
        return weight.grad

    once, tenfold = slope(1.0), slope(10.0)
    assert (once * start).sum(1).abs().max() < 1e-10
    torch.testing.assert_close(tenfold, once / 10)


def test_batch_norm_and_relu_explode_without_skips():
    """By √(π/(π−1)) a layer, 0.276 bits."""
    torch.manual_seed(0)
    depth, width = 30, 256
    layers = []
    for _ in range(depth):
        linear = nn.Linear(width, width, bias=False)
        nn.init.kaiming_normal_(linear.weight)
        layers.append(nn.Sequential(linear, nn.BatchNorm1d(width), nn.ReLU()))
    signal = torch.randn(256, width).requires_grad_()
    signals = [signal]
    for layer in layers:
        signals.append(layer(signals[-1]))
        signals[-1].retain_grad()
    (signals[-1] * torch.randn_like(signals[-1])).sum().backward()
    norms = [s.grad.norm().item() for s in signals]
    bits = math.log2(norms[3] / norms[-4]) / (len(norms) - 7)
    assert math.log2(pictures.GROWTH) == pytest.approx(0.276, abs=5e-4)
    assert bits == pytest.approx(math.log2(pictures.GROWTH), rel=0.1)


# Pitfalls


def test_batch_norm_refuses_a_single_value():
    with pytest.raises(ValueError, match="more than 1 value"):
        nn.BatchNorm2d(3)(torch.randn(1, 3, 1, 1))


def test_a_bias_before_batch_norm_does_nothing(block):
    layer = module("batch_norm")
    torch.testing.assert_close(layer(block + 5), layer(block))


def test_layer_norm_of_two_features_is_plus_or_minus_one():
    found = nn.LayerNorm(2)(torch.tensor([[3.0, 40.0], [-1.0, -2.0]]))
    torch.testing.assert_close(found, torch.tensor([[-1.0, 1.0], [1.0, -1.0]]), atol=1e-4, rtol=0)


def test_instance_norm_of_one_position_is_zero():
    found = tensor(_normaliser.instance_norm([[[3.0], [-2.0]]]))
    assert found.abs().max() == 0


def test_groups_between_layer_and_instance_norm(block):
    given = flat(block)
    assert _normaliser.layer_norm(given) == _normaliser.group_norm(given, num_groups=1)
    assert _normaliser.instance_norm(given) == _normaliser.group_norm(given, num_groups=C)


def test_rms_norms_epsilon_is_that_of_the_type():
    tiny = torch.full((1, 4), 1e-4)
    expected = 1e-4 / math.sqrt(1e-8 + torch.finfo(torch.float32).eps)
    assert nn.RMSNorm(4)(tiny)[0, 0].item() == pytest.approx(expected, rel=1e-5)


def test_spectral_norm_bounds_every_singular_value():
    layer = module("spectral_norm")
    for _ in range(100):
        layer(torch.zeros(1, C).double())
    values = torch.linalg.svdvals(layer.weight.detach())
    assert values[0].item() == pytest.approx(1, rel=1e-6)
    assert values[1] < 1


def test_the_companions_of_a_small_batch_are_noise():
    curve = pictures.companions().curves[0]
    spread = [high - low for low, high in zip(curve.low, curve.high, strict=True)]
    assert spread[1] > 3 * spread[-1]


def test_weights_under_weight_norm_only_grow():
    falling, growing = pictures.lengths()
    norms, slopes = falling.curves[0].x, falling.curves[0].y
    products = [n * s for n, s in zip(norms, slopes, strict=True)]
    assert products == pytest.approx([products[0]] * len(products))
    for curve in growing.curves:
        assert all(b >= a * (1 - 1e-12) for a, b in pairwise(curve.y))
        assert curve.y[-1] > 1.01 * curve.y[0]


def test_the_rows_tell_axes_buffers_and_modes():
    rows = {name.en: value for name, value in ENTRIES["rms_norm"].details()}
    assert rows["buffers"].zh == "无"
    assert rows["parameters"].en == "weight"
