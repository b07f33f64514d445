"""The modules that PyTorch lacks."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from gradoctor.nn import Maxout, RMSELoss, SwiGLU

values = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=20)


def test_maxout_is_the_largest_of_its_pieces():
    torch.manual_seed(0)
    layer, x = Maxout(5, 3, pieces=4).double(), torch.randn(7, 2, 5, dtype=torch.float64)
    w = layer.linear.weight.reshape(3, 4, 5)
    b = layer.linear.bias.reshape(3, 4)
    wanted = (torch.einsum("...i,oki->...ok", x, w) + b).amax(-1)
    assert torch.allclose(layer(x), wanted)
    assert layer(x).shape == (7, 2, 3)
    assert torch.autograd.gradcheck(layer, x.requires_grad_())
    assert "pieces=4" in repr(layer)


def test_two_pieces_can_be_relu_and_the_absolute_value():
    layer = Maxout(1, 1, bias=False)
    with torch.no_grad():
        layer.linear.weight.copy_(torch.tensor([[1.0], [0.0]]))
    x = torch.linspace(-2, 2, 9)[:, None]
    assert torch.equal(layer(x), x.relu())
    with torch.no_grad():
        layer.linear.weight.copy_(torch.tensor([[1.0], [-1.0]]))
    assert torch.equal(layer(x), x.abs())


def test_one_piece_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        Maxout(3, 3, pieces=1)


@given(values)
def test_rmse_is_the_root_with_its_gradient(errors):
    x = torch.tensor(errors, dtype=torch.float64, requires_grad=True)
    RMSELoss()(x, torch.zeros_like(x)).backward()
    root = torch.tensor(errors, dtype=torch.float64).square().mean().sqrt()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    if float(root) > 0:
        wanted = x.detach() / (len(errors) * root)
        assert torch.allclose(x.grad, wanted)


def test_rmse_is_safe_at_zero_where_the_plain_root_is_nan():
    x = torch.ones(3, requires_grad=True)
    RMSELoss()(x, torch.ones(3)).backward()
    assert torch.equal(x.grad, torch.zeros(3))
    y = torch.ones(3, requires_grad=True)
    nn.functional.mse_loss(y, torch.ones(3)).sqrt().backward()
    assert y.grad.isnan().all(), "else this loss is not needed"


def test_rmse_refuses_what_it_would_broadcast():
    with pytest.raises(ValueError, match=r"\(4, 1\) and target \(4,\)"):
        RMSELoss()(torch.zeros(4, 1), torch.zeros(4))


def test_swiglu_has_the_parameters_of_a_plain_layer():
    torch.manual_seed(0)
    layer, x = SwiGLU(48).double(), torch.randn(2, 48, dtype=torch.float64)
    gate = x @ layer.gate.weight.T
    wanted = (gate * torch.sigmoid(gate) * (x @ layer.up.weight.T)) @ layer.down.weight.T
    assert torch.allclose(layer(x), wanted)
    assert sum(p.numel() for p in layer.parameters()) == 2 * 48 * 4 * 48
    assert SwiGLU(8, hidden=5).down.in_features == 5
