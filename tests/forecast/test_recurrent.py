"""How far back in time a recurrent layer's gradient reaches."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from gradoctor.forecast import examine

X = torch.randn(16, 80, 6, generator=torch.Generator().manual_seed(0))


class Last(nn.Module):
    """A recurrent layer read at its last step."""

    def __init__(self, layer: nn.RNNBase, embed: bool = False) -> None:
        super().__init__()
        self.embed = nn.Linear(6, 6) if embed else nn.Identity()
        self.recurrent, self.head = layer, nn.Linear(layer.hidden_size, 2)

    def forward(self, x):
        out, _ = self.recurrent(self.embed(x))
        time = 1 if self.recurrent.batch_first else 0
        return self.head(out.select(time, -1))


def foretold(layer: nn.RNNBase, x=X, **more):
    torch.manual_seed(0)
    (found,) = examine(Last(layer, **more), (x,)).recurrences
    return found


def test_an_lstm_forgets_by_its_gates():
    """With the forget gate's bias at b the cell keeps sigmoid(b) a step."""
    for bias in (0.0, 2.0, 4.0):
        layer = nn.LSTM(6, 64, batch_first=True)
        for p in layer.parameters():
            nn.init.normal_(p, std=0.02)
        with torch.no_grad():
            layer.bias_ih_l0[64:128] = bias
        kept = math.log2(1 / (1 + math.exp(-bias)))
        assert foretold(layer).slope == pytest.approx(kept, abs=0.15)


def test_open_gates_and_orthogonal_weights_reach_farther():
    for make in (nn.LSTM, nn.RNN):
        found = foretold(make(6, 64, batch_first=True))
        assert found.slope < -0.3
        assert found.horizon < 40
        assert found.mended is not None
        assert abs(found.mended) < 0.6 * abs(found.slope)


def test_a_gru_is_measured_and_nothing_is_proposed():
    found = foretold(nn.GRU(6, 32, batch_first=True))
    assert (found.kind, found.steps, found.mended) == ("GRU", 80, None)


def test_what_grows_in_time_is_a_finding():
    layer = nn.RNN(6, 64, nonlinearity="relu", batch_first=True)
    nn.init.normal_(layer.weight_hh_l0, std=2 / 8)
    torch.manual_seed(0)
    case = examine(Last(layer), (X,))
    assert [(f.code, f.level) for f in case.faults] == [("GD102", "suspect")]
    assert case.recurrences[0].horizon == math.inf


def test_time_may_be_the_first_dimension_and_inputs_have_a_gradient():
    one = foretold(nn.RNN(6, 32, batch_first=True))
    torch.manual_seed(0)
    other = foretold(nn.RNN(6, 32), X.transpose(0, 1))
    assert other.steps == one.steps == 80
    assert foretold(nn.RNN(6, 32, batch_first=True), embed=True).steps == 80


def test_packed_sequences_and_short_ones_are_left_out():
    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.recurrent, self.head = nn.GRU(6, 8, batch_first=True), nn.Linear(8, 2)

        def forward(self, x):
            packed = nn.utils.rnn.pack_padded_sequence(x, [80] * len(x), batch_first=True)
            return self.head(self.recurrent(packed)[1][-1])

    assert examine(Packed(), (X,)).recurrences == ()
    assert examine(Last(nn.RNN(6, 8, batch_first=True)), (X[:, :3],)).recurrences == ()


def test_the_model_is_left_as_it_was():
    model = Last(nn.LSTM(6, 8, batch_first=True, dropout=0.3, num_layers=2))
    state, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    examine(model, (X,))
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert not any(m._forward_pre_hooks for m in model.modules())
