"""The paths' steps against PyTorch's cells, and how gradients go along them."""

from __future__ import annotations

import math
import random

import pytest
import torch
from torch import nn

from gradoctor.knowledge.formulary import _path, entries

ENTRIES = {entry.name: entry for entry in entries("paths")}
H, X = 5, 3
SIGMOID_OF_ONE = 1 / (1 + math.exp(-1))


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def weights(cell):
    return [p.tolist() for p in (cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh)]


def test_the_lstm_step_is_pytorchs():
    cell = nn.LSTMCell(X, H).double()
    theirs = torch.zeros(2, H, dtype=torch.float64)
    hidden, state = [0.0] * H, [0.0] * H
    for x in 3 * torch.randn(20, X, dtype=torch.float64):
        theirs = cell(x, tuple(theirs))
        hidden, state = ENTRIES["lstm_gates"].step(x.tolist(), hidden, state, *weights(cell))
        torch.testing.assert_close(tensor(hidden), theirs[0].detach(), rtol=0, atol=1e-12)
        torch.testing.assert_close(tensor(state), theirs[1].detach(), rtol=0, atol=1e-12)


def test_the_gru_step_is_pytorchs():
    cell = nn.GRUCell(X, H).double()
    theirs, hidden = torch.zeros(H, dtype=torch.float64), [0.0] * H
    for x in 3 * torch.randn(20, X, dtype=torch.float64):
        theirs = cell(x, theirs)
        hidden = ENTRIES["gru_gates"].step(x.tolist(), hidden, *weights(cell))
        torch.testing.assert_close(tensor(hidden), theirs.detach(), rtol=0, atol=1e-12)


def test_along_the_cell_the_gradient_is_the_forget_gate():
    cell = nn.LSTMCell(X, H).double()
    x, hidden, state = (torch.randn(n, dtype=torch.float64) for n in (X, H, H))
    found = torch.autograd.functional.jacobian(lambda c: cell(x, (hidden, c))[1], state)
    total = cell.weight_ih @ x + cell.bias_ih + cell.weight_hh @ hidden + cell.bias_hh
    forget = total[H : 2 * H].sigmoid().detach()
    torch.testing.assert_close(found, torch.diag(forget))


@pytest.mark.parametrize("bias", [0.0, 1.0, 3.0])
def test_over_many_steps_it_is_their_product(bias):
    """With recurrent weights of 0 there is no way round through h."""
    cell = nn.LSTMCell(X, H).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        cell.bias_ih[H : 2 * H] = bias
    start = torch.zeros(H, dtype=torch.float64, requires_grad=True)
    hidden, state = torch.zeros(H, dtype=torch.float64), start
    for _ in range(30):
        hidden, state = cell(torch.randn(X, dtype=torch.float64), (hidden, state))
    state[0].backward()
    gate = _path.sigmoid(bias)
    assert start.grad[0].item() == pytest.approx(gate**30)


def test_pytorchs_lstm_starts_with_forget_gates_near_a_half():
    lstm = nn.LSTM(X, 400)
    bound = 400**-0.5
    for parameter in lstm.parameters():
        assert parameter.abs().max() <= bound
        assert parameter.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1)
    bias = (lstm.bias_ih_l0 + lstm.bias_hh_l0)[400:800]
    assert bias.sigmoid().mean().item() == pytest.approx(0.5, abs=0.01)
    assert pytest.approx(SIGMOID_OF_ONE, abs=2e-3) == 0.73
    assert _path.sigmoid(1.0) == pytest.approx(SIGMOID_OF_ONE)
    assert _path.sigmoid(-800.0) == 0


def test_the_code_of_the_lstm_sets_the_forget_gates_to_a_bias_of_one():
    space = {"torch": torch, "nn": nn}
    exec(ENTRIES["lstm_gates"].code, space)
    total = (space["lstm"].bias_ih_l0 + space["lstm"].bias_hh_l0).detach()
    torch.testing.assert_close(total[8:16], torch.ones(8))
    assert total[16:].abs().max() < 1


def gru_jacobian(keep):
    """By how much the state passes on, with an update bias and no recurrent weights."""
    cell = nn.GRUCell(X, H).double()
    with torch.no_grad():
        cell.weight_hh.zero_()
        cell.weight_ih.zero_()
        cell.bias_ih.zero_()
        cell.bias_hh.zero_()
        cell.bias_ih[H : 2 * H] = keep
    x = torch.randn(X, dtype=torch.float64)
    return torch.autograd.functional.jacobian(lambda h: cell(x, h), torch.randn(H).double())


@pytest.mark.parametrize("bias", [-2.0, 0.0, 4.0])
def test_the_update_gate_of_pytorch_keeps(bias):
    expected = torch.diag(torch.full((H,), _path.sigmoid(bias), dtype=torch.float64))
    torch.testing.assert_close(gru_jacobian(bias), expected)


def test_the_reset_gate_comes_after_the_product():
    """With r at 0, b' of the new gate vanishes too: it would stay were r applied to h."""
    cell = nn.GRUCell(1, 1).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        cell.bias_ih[0] = -100.0  # r = 0
        cell.bias_ih[1] = -100.0  # z = 0
        cell.bias_hh[2] = 2.0
    out = cell(torch.zeros(1).double(), torch.ones(1).double())
    assert out.item() == pytest.approx(0, abs=1e-12)


def test_a_gru_keeps_its_state_within_one():
    cell = nn.GRUCell(X, H)
    hidden = torch.zeros(H)
    for x in 100 * torch.randn(200, X):
        hidden = cell(x, hidden)
        assert hidden.abs().max() <= 1


@pytest.mark.parametrize(("name", "gates"), [("lstm_gates", 4), ("gru_gates", 3)])
def test_it_has_as_many_weights_as_the_entry_says(name, gates):
    cls = getattr(nn, ENTRIES[name].torch.rpartition(".")[2])
    count = sum(p.numel() for p in cls(X, H).parameters())
    assert count == gates * sum(p.numel() for p in nn.RNN(X, H).parameters())


# Residual


def test_a_residual_block_adds_and_its_gradient_is_one_more():
    layer = nn.Linear(H, H).double()
    x = torch.randn(H, dtype=torch.float64, requires_grad=True)

    def branch(values):
        return layer(tensor(values)).tanh().tolist()

    found = ENTRIES["residual"].step(x.tolist(), branch, scale=0.5)
    expected = x + 0.5 * layer(x).tanh()
    torch.testing.assert_close(tensor(found), expected.detach())
    jacobian = torch.autograd.functional.jacobian(lambda v: v + 0.5 * layer(v).tanh(), x)
    inner = torch.autograd.functional.jacobian(lambda v: 0.5 * layer(v).tanh(), x)
    torch.testing.assert_close(jacobian, torch.eye(H, dtype=torch.float64) + inner)


def linear_stack(blocks, scale, width=256):
    """Mean square of a signal after residual blocks with branches as strong as their input."""
    signal = torch.randn(width, 64, dtype=torch.float64)
    for _ in range(blocks):
        weight = torch.randn(width, width, dtype=torch.float64) / math.sqrt(width)
        signal = signal + scale * weight @ signal
    return signal.square().mean().item()


def test_variances_double_at_each_block_unless_branches_are_scaled():
    assert linear_stack(10, 1.0) == pytest.approx(2**10, rel=0.2)
    blocks = 12
    branches = 2 * blocks
    scaled = linear_stack(branches, branches**-0.5)
    assert scaled == pytest.approx((1 + 1 / branches) ** branches, rel=0.1)
    assert (1 + 1 / branches) ** branches < math.e


def test_post_norm_divides_the_path_at_every_block():
    """By √2 where branch and input are equally strong; pre-norm does not."""
    width, depth = 512, 10

    def gradient(post):
        signal = start = torch.randn(width, dtype=torch.float64).requires_grad_()
        for _ in range(depth):
            weight = torch.randn(width, width, dtype=torch.float64) / math.sqrt(width)
            normed = nn.functional.layer_norm
            branch = weight @ (signal if post else normed(signal, (width,)))
            signal = signal + branch.detach()  # the direct path alone
            signal = normed(signal, (width,)) if post else signal
        signal.backward(torch.randn(width, dtype=torch.float64))
        return start.grad.norm().item() / math.sqrt(width)

    assert gradient(post=False) == pytest.approx(1, rel=0.1)
    assert gradient(post=True) == pytest.approx(2 ** (-depth / 2), rel=0.2)


def test_the_path_can_be_cancelled():
    x = torch.tensor([0.3], requires_grad=True)
    (x + (-x)).backward()
    assert x.grad.item() == 0


def test_through_fifty_layers_plain_vanishes_and_residual_grows():
    plain, skip, scaled = (
        _path.through(*kind)[1][-1] for kind in ((0.0, 1.0), (1.0, 1.0), (1.0, 50**-0.5))
    )
    assert plain < 1e-2
    assert skip > 10
    assert 0.5 < scaled < 3


def test_what_was_drawn_back_is_what_autograd_finds():
    """The norms of ``through`` against a network with its weights."""
    chance = random.Random(0)
    width, depth = _path.WIDTH, _path.DEPTH
    start = tensor([chance.gauss(0, 1) for _ in range(width)]).requires_grad_()
    signal = start
    for _ in range(depth):
        weight = [[chance.gauss(0, width**-0.5) for _ in range(width)] for _ in range(width)]
        signal = signal + (tensor(weight) @ signal).tanh()
    gradient = tensor([chance.gauss(0, 1) for _ in range(width)])
    signal.backward(gradient / gradient.norm())
    squares, norms = _path.through(1.0, 1.0)
    assert norms[-1] == pytest.approx(start.grad.norm().item())
    assert squares[-1] == pytest.approx(signal.square().mean().item())


@pytest.mark.parametrize("name", ["lstm_gates", "gru_gates"])
def test_over_a_hundred_steps_only_open_gates_keep_a_gradient(name):
    curves = ENTRIES[name].draw()[0].curves
    half, _, _, open_gate, plain = (curve.y[100] for curve in curves)
    assert half == pytest.approx(0.5**100)
    assert open_gate == pytest.approx(0.37, abs=0.01)
    assert plain < 1e-15


def test_a_plain_recurrence_loses_its_gradient_as_pytorchs_does():
    """At its default start: the rate at which a gradient shrinks, among those of other seeds."""
    rnn = nn.RNN(_path.WIDTH, _path.WIDTH).double()
    start = torch.zeros(1, _path.WIDTH, dtype=torch.float64, requires_grad=True)
    out, _ = rnn(torch.randn(_path.LAGS, _path.WIDTH, dtype=torch.float64), start)
    out[-1].backward(torch.randn(_path.WIDTH, dtype=torch.float64) / 4)
    theirs = math.log(start.grad.norm().item()) / _path.LAGS
    ours = [math.log(_path.plain_recurrence(seed)[-1]) / _path.LAGS for seed in range(20)]
    assert min(ours) < theirs < max(ours)
    assert max(ours) < math.log(0.75)


def test_the_rows_tell_the_direct_path():
    rows = {name.en: value for name, value in ENTRIES["gru_gates"].details()}
    assert "z" in rows["along the direct path"].zh
