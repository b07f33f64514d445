"""The optimizers' reference rules against PyTorch's own, and what the entries say of them."""

from __future__ import annotations

import inspect

import pytest
import torch

from gradoctor.knowledge.formulary import _curvature, entries
from gradoctor.knowledge.formulary._muon import grown

F = torch.nn.functional
ENTRIES = {entry.name: entry for entry in entries("optimizers")}
ASKED = {  # beside PyTorch's defaults
    "momentum": {"lr": 0.05, "momentum": 0.9},
    "nesterov": {"lr": 0.05, "momentum": 0.9, "nesterov": True},
    "lbfgs": {"max_iter": 3, "history_size": 4},
}
needs_muon = pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")
NAMES = [pytest.param(n, marks=needs_muon) if n == "muon" else n for n in ENTRIES]


@pytest.fixture(autouse=True)
def _double():
    """NAdam keeps a product of momenta in the default precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def problem():
    """Logistic regression on badly scaled inputs, with a quartic penalty."""
    chance = torch.Generator().manual_seed(0)
    inputs = torch.randn(40, 6, generator=chance)
    inputs[:, 0] *= 5
    labels = (inputs @ torch.randn(6, generator=chance) > 0).double()
    start = torch.randn(6, generator=chance)

    def loss(weights):
        fit = F.binary_cross_entropy_with_logits(inputs @ weights.flatten(), labels)
        return fit + 0.01 * (weights**4).sum()

    return start, loss


def told(loss, weights):
    """The loss and the gradient at plain weights."""
    tensor = torch.tensor(weights, requires_grad=True)
    value = loss(tensor)
    value.backward()
    return value.item(), tensor.grad.tolist()


def torch_class(name):
    return getattr(torch.optim, ENTRIES[name].torch.rpartition(".")[2])


def both(name, problem, steps, **more):
    """PyTorch's weights and the reference's after each step."""
    start, loss = problem
    asked = {**ASKED.get(name, {}), **more}
    weights = torch.nn.Parameter(start.clone())
    optimizer = torch_class(name)([weights], **asked)
    asked.pop("nesterov", None)
    entry, plain = ENTRIES[name], start.tolist()
    state = entry.start(len(plain))

    def closure():
        optimizer.zero_grad()
        value = loss(weights)
        value.backward()
        return value

    for _ in range(steps):
        optimizer.step(closure)
        seen = (lambda w: told(loss, w)) if name == "lbfgs" else told(loss, plain)[1]
        plain = entry.step(plain, seen, state, **asked)
        yield weights.detach(), torch.tensor(plain), optimizer.state[weights]


@pytest.mark.parametrize("name", [n for n in ENTRIES if n != "muon"])
def test_the_reference_takes_pytorchs_steps(name, problem):
    for theirs, ours, _ in both(name, problem, 60):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
    assert (theirs - problem[0]).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("sgd", {"lr": 0.05, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.1}),
        ("adagrad", {"lr_decay": 0.05}),
        ("rprop", {"etas": (0.3, 1.5), "step_sizes": (1e-3, 0.1)}),
        ("adam", {"weight_decay": 0.1, "betas": (0.8, 0.9)}),
        ("adamw", {"weight_decay": 0.3}),
        ("radam", {"betas": (0.9, 0.99)}),
        ("lbfgs", {"max_iter": 20, "history_size": 100, "lr": 0.5}),
    ],
)
def test_and_with_other_hyperparameters(name, more, problem):
    for theirs, ours, _ in both(name, problem, 30, **more):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", [n for n in ENTRIES if n not in ("muon", "lbfgs")])
def test_the_state_is_as_large_as_the_entry_says(name, problem):
    *_, (weights, _, state) = both(name, problem, 2)
    held = sum(v.numel() for v in state.values() if torch.is_tensor(v) and v.numel() == 6)
    assert held / weights.numel() == ENTRIES[name].floats


def test_lbfgs_holds_two_vectors_for_each_pair_and_two_more(problem):
    def held(history):
        more = {"history_size": history, "lr": 0.1, "max_iter": 1}
        *_, (_, _, state) = both("lbfgs", problem, 20, **more)
        vectors = [state["d"], state["prev_flat_grad"], *state["old_dirs"], *state["old_stps"]]
        return sum(v.numel() for v in vectors) / 6

    assert held(3) == 2 * 3 + 2
    assert held(7) == 2 * 7 + 2
    assert ENTRIES["lbfgs"].floats == 2 * ENTRIES["lbfgs"].defaults["history_size"] + 2


@pytest.mark.parametrize("name", NAMES)
def test_the_defaults_are_pytorchs(name):
    entry = ENTRIES[name]
    theirs = inspect.signature(torch_class(name)).parameters
    for key, value in entry.defaults.items():
        assert theirs[key].default == value, key
    ours = inspect.signature(entry.step).parameters
    for key in set(ours) & set(entry.defaults) - {"momentum"}:
        assert ours[key].default == theirs[key].default, key


# Muon


def muon_pair(steps, **more):
    chance = torch.Generator().manual_seed(1)
    start, target = torch.randn(2, 4, 3, generator=chance)
    weights = torch.nn.Parameter(start.clone())
    optimizer = torch.optim.Muon([weights], lr=0.02, **more)
    plain = start.flatten().tolist()
    state = _curvature.start_muon(12, rows=4)
    for _ in range(steps):
        optimizer.zero_grad()
        ((weights - target) ** 4).sum().backward()
        optimizer.step()
        gradient = 4 * (torch.tensor(plain).reshape(4, 3) - target) ** 3
        plain = _curvature.muon(plain, gradient.flatten().tolist(), state, lr=0.02, **more)
        yield weights.detach(), torch.tensor(plain).reshape(4, 3), optimizer.state[weights]


@needs_muon
@pytest.mark.parametrize("more", [{}, {"nesterov": False, "momentum": 0.8, "ns_steps": 3}])
def test_muon_takes_pytorchs_steps_but_for_bfloat16(more, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    for theirs, ours, state in muon_pair(30, **more):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
        held = sum(v.numel() for v in state.values())
        assert held / theirs.numel() == ENTRIES["muon"].floats


@needs_muon
def test_muon_in_bfloat16_is_near():
    for theirs, ours, _ in muon_pair(5):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-3)


@needs_muon
def test_muon_refuses_a_vector():
    with pytest.raises(ValueError, match="2D"):
        torch.optim.Muon([torch.nn.Parameter(torch.zeros(3))])


def test_newton_schulz_brings_singular_values_near_one():
    matrix = torch.randn(5, 3, generator=torch.Generator().manual_seed(2))
    turned = torch.tensor(_curvature.orthogonalised(matrix.tolist()))
    values = torch.linalg.svdvals(turned)
    assert values.min() > 0.65
    assert values.max() < 1.25
    before = torch.linalg.svdvals(matrix / matrix.norm())
    reached = [grown(i / 1000, 5) for i in range(2, 1001)]
    assert min(reached) > 0.68
    assert max(reached) < 1.21
    expected = [grown(v, 5) for v in before.tolist()]
    torch.testing.assert_close(values, torch.tensor(sorted(expected, reverse=True)))
