"""Real networks before their first step."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from gradoctor.errors import GradoctorError
from gradoctor.forecast import examine
from gradoctor.forecast.inputs import guessed, parsed
from gradoctor.nn import initialise

X = torch.randn(128, 32, generator=torch.Generator().manual_seed(0))


def mlp(activation, depth: int, std: float | None = None) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i in range(depth):
        layers += [nn.Linear(32 if i == 0 else 64, 64), activation()]
    model = nn.Sequential(*layers, nn.Linear(64, 5))
    for module in model.modules():
        if isinstance(module, nn.Linear) and std is not None:
            nn.init.normal_(module.weight, std=std * module.in_features**-0.5)
            nn.init.zeros_(module.bias)
    return model


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda: mlp(nn.Sigmoid, 20), [("GD101", "sick")]),
        (lambda: mlp(nn.ReLU, 20), [("GD303", "sick")]),
        (lambda: mlp(nn.ReLU, 6), []),
        (lambda: mlp(nn.ReLU, 30, 2**0.5), []),
        (lambda: mlp(nn.Tanh, 30, 1.4), []),
        (lambda: mlp(nn.ReLU, 20, 2 * 2**0.5), [("GD304", "sick")]),
        (lambda: mlp(nn.ReLU, 6, 0.08), [("GD303", "sick")]),
        (lambda: mlp(nn.SELU, 40, 1.0), []),
    ],
    ids=["sigmoid 20", "relu 20 default", "relu 6 default", "he 30", "tanh 30", "he x 2", "tiny",
         "selu 40"],
)  # fmt: skip
def test_the_sick_are_named_and_the_healthy_cleared(make, wanted):
    torch.manual_seed(0)
    case = examine(make(), (X,))
    assert [(f.code, f.level) for f in case.faults] == wanted
    assert abs(case.predicted - case.measured) < 0.1


def test_the_first_cure_is_tried_and_holds():
    torch.manual_seed(0)
    case = examine(mlp(nn.ReLU, 20), (X,))
    cure = case.cures[0]
    assert cure.name == "initialise"
    assert abs(cure.slope) < 0.05
    assert cure.measured is not None
    assert abs(cure.measured) < 0.15


def test_for_sigmoid_no_weights_are_proposed():
    torch.manual_seed(0)
    names = [cure.name for cure in examine(mlp(nn.Sigmoid, 20), (X,)).cures]
    assert "initialise" not in names
    assert {"relu", "batch_norm", "residual"} <= set(names)


def test_the_loss_does_not_change_the_slope():
    torch.manual_seed(0)
    model, y = mlp(nn.Tanh, 20, 1.2), torch.randint(0, 5, (128,))
    noise = examine(model, (X,))
    loss = examine(model, (X,), loss=lambda out: nn.functional.cross_entropy(out, y))
    assert loss.measured == pytest.approx(noise.measured, abs=0.1)
    assert loss.measured == pytest.approx(
        examine(model, (X,), loss=lambda out: 1e-6 * out.square().sum()).measured, abs=0.1
    )


def test_the_model_is_left_as_it_was():
    torch.manual_seed(1)
    model = nn.Sequential(mlp(nn.ReLU, 12), nn.BatchNorm1d(5), nn.Dropout(0.5))
    model(X).sum().backward()
    state, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    gradients = [p.grad.clone() for p in model.parameters()]
    examine(model, (X,))
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), gradients, strict=True))
    assert torch.equal(torch.get_rng_state(), random)
    assert model.training


def test_numbers_that_are_not_finite_are_found_where_they_begin():
    model = mlp(nn.ReLU, 6)
    with torch.no_grad():
        model[4].weight[0, 0] = torch.nan
    (fault,) = examine(model, (X,)).faults
    assert (fault.code, fault.values["layer"]) == ("GD701", "4")


def test_an_output_without_gradient_is_refused():
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(32, 2)

        def forward(self, x):
            return self.layer(x).detach()

    with pytest.raises(GradoctorError, match="has no gradient"):
        examine(Cut(), (X,))


def test_outputs_of_any_kind_get_a_gradient():
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.a, self.b = mlp(nn.Tanh, 4), nn.Linear(5, 2), nn.Linear(5, 3)

        def forward(self, x):
            h = self.body(x)
            return {"a": self.a(h), "b": [self.b(h), 3]}

    case = examine(Two(), (X,))
    assert len(case.layers) == 6
    assert case.verdict == "healthy"


def test_a_matched_network_is_healthy_at_any_depth():
    torch.manual_seed(0)
    model = mlp(nn.Tanh, 60)
    assert examine(model, (X,)).verdict != "healthy"
    initialise(model, X)
    assert examine(model, (X,)).verdict == "healthy"


# ---- inputs ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (nn.Linear(7, 2), [64, 7]),
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), [64, 784]),
        (nn.Sequential(nn.Unflatten(1, (1, 28)), nn.Conv2d(1, 2, 3)), None),
        (
            nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 26 * 26, 2)),
            [16, 3, 28, 28],
        ),
        (nn.Conv1d(5, 2, 3), [64, 5, 32]),
        (nn.Sequential(nn.Embedding(11, 8), nn.Linear(8, 2)), [64, 16]),
        (nn.TransformerEncoderLayer(16, 2), [64, 16]),
        (nn.LSTM(9, 4, batch_first=True), [64, 16, 9]),
    ],
)
def test_inputs_are_guessed_by_the_first_layer(model, shape):
    if shape is None:
        with pytest.raises(GradoctorError, match="Say what to pass: --input"):
            guessed(model)
    else:
        assert list(guessed(model).shape) == shape


def test_what_cannot_be_guessed_names_the_signature():
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(3, 3)

        def forward(self, x, mask):
            return self.a(x) * mask

    with pytest.raises(GradoctorError, match=r"Two\.forward\(x, mask\).*missing 1 required"):
        guessed(Two())


def test_shapes_as_a_user_writes_them():
    embed = nn.Embedding(11, 8)
    assert list(parsed("4,3,8,8", embed).shape) == [4, 3, 8, 8]
    ids = parsed("4x6:long", embed)
    assert ids.dtype == torch.long
    assert int(ids.max()) < 11
    assert parsed("2,3", nn.Linear(3, 3).double()).dtype == torch.float64
    for wrong in ("", "3,", "a,b", "0,3", "-1,3", "4,6:int7"):
        with pytest.raises(GradoctorError, match="is no shape"):
            parsed(wrong, embed)
