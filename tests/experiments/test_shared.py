"""What the experiments share: data, stacks, what flows through them, training."""

from __future__ import annotations

import math

import pytest
import torch

pytest.importorskip("sklearn")

from gradoctor.experiments._data import breast_cancer, diabetes, digits, first_symbol
from gradoctor.experiments._judging import band, halves
from gradoctor.experiments._networks import (
    HE,
    Stack,
    constant,
    flow,
    generator,
    pulled,
    rms,
    scaled,
    slope,
    usual,
    xavier,
)
from gradoctor.experiments._training import (
    Trained,
    accuracy,
    batches,
    entropy,
    mean_loss,
    seeded,
    train,
)


@pytest.mark.parametrize(
    ("make", "trained", "features"),
    [(digits, 1297, 64), (breast_cancer, 399, 30), (diabetes, 310, 10)],
)
def test_data_are_split_and_scaled(make, trained, features):
    data = make()
    assert data.x.shape == (trained, features)
    assert data.inputs == features
    assert abs(float(data.x.mean())) < 1e-4
    assert float(data.x.std()) == pytest.approx(1, abs=0.02)
    seen = {tuple(row) for row in data.x.tolist()}
    shared = sum(tuple(row) in seen for row in data.test_x.tolist())
    assert shared < 0.02 * len(data.test_x)
    assert data.double().x.dtype == torch.float64
    assert data.double().y.dtype == (torch.float64 if make is diabetes else torch.int64)


def test_the_first_symbol_stands_only_at_the_start():
    x, y = first_symbol(7, 50, generator(0))
    assert x.shape == (50, 8, 5)
    assert torch.equal(x[:, 0, :4].argmax(1), y)
    assert not x[:, 1:, :4].any()
    assert set(x[:, 1:, 4].flatten().tolist()) == {-1.0, 1.0}
    assert set(y.tolist()) == {0, 1, 2, 3}


def test_weights_do_not_repeat_the_data():
    drawn = torch.randn(64, 64, generator=generator(3))
    net = Stack(1, "relu", scaled(8.0), seed=3)
    kinship = torch.corrcoef(
        torch.stack([drawn.flatten(), net.linears()[0].weight.detach().flatten()])
    )
    assert abs(float(kinship[0, 1])) < 0.1


def test_a_stack_is_drawn_from_its_seed_alone():
    before = torch.random.get_rng_state()
    one, two, other = (Stack(2, "relu", HE, seed=s) for s in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not torch.equal(one.linears()[0].weight, other.linears()[0].weight)
    assert not one.linears()[0].bias.any()
    assert not Stack(1, "relu", HE, head=constant(0.0)).head.weight.any()


@pytest.mark.parametrize(("draw", "gain"), [(HE, 2**0.5), (usual, 3**-0.5), (xavier, 1.0)])
def test_the_scale_of_the_weights(draw, gain):
    weight = Stack(1, "relu", draw, inputs=400, width=400).linears()[0].weight
    assert rms(weight) * 20 == pytest.approx(gain, rel=0.02)


def test_flow_agrees_with_backward():
    data = digits()
    net = Stack(3, "tanh", xavier)
    found = flow(net, data.x[:32], data.y[:32])
    assert all(p.grad is None for p in net.parameters())
    torch.nn.functional.cross_entropy(net(data.x[:32]), data.y[:32]).backward()
    told = [rms(linear.weight.grad) for linear in net.linears()]
    assert found.weights == pytest.approx(told[:3])
    assert found.ratio == pytest.approx(told[0] / told[2])
    assert len(found.signal) == len(found.gradient) == 3


def test_a_linear_chain_multiplies_the_pull():
    net = Stack(4, "linear", constant(0.5), inputs=1, width=1, dtype=torch.float64)
    sizes = pulled(net, torch.ones(8, 1, dtype=torch.float64), 0)
    assert [size / sizes[-1] for size in sizes] == pytest.approx([1 / 16, 1 / 8, 1 / 4, 1 / 2, 1])
    assert slope(sizes) == pytest.approx(-1)
    assert slope([0.0, 1.0]) == -math.inf


def test_a_way_around_leaves_the_input_there():
    net = Stack(3, "relu", constant(0.0), skip=True)
    x = torch.randn(4, 64, generator=generator(0))
    assert torch.equal(net.states(x)[-1], x)


def test_batches_go_through_all_data_before_any_comes_again():
    data = digits()
    seen = [row.tolist() for x, _ in batches(data, 100, 12, 0) for row in x]
    taken = {tuple(row) for row in seen}
    assert len(seen) == 1200
    assert len(taken) > 1150, "but for digits that were scanned alike"


def test_training_is_seeded_and_learns():
    data = digits()

    def learn() -> tuple[Trained, float]:
        net = Stack(1, "relu", HE)
        optimizer = torch.optim.SGD(net.parameters(), 0.1)
        run = train(net, data, optimizer, steps=60, watch=lambda: rms(net.head.weight), every=20)
        return run, accuracy(net, data.test_x, data.test_y)

    before = torch.random.get_rng_state()
    (one, right), (two, _) = learn(), learn()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert one.losses == two.losses
    assert len(one.watched) == 4
    assert one.watched[0] != one.watched[-1]
    assert right > 0.8
    assert one.steps_to(1.0) < 60
    assert one.steps_to(0.0) is None
    assert one.lowest() < 1
    assert not one.failed


def test_a_training_that_fails_ends_there():
    data = digits()
    net = Stack(6, "relu", scaled(30.0))
    run = train(net, data, torch.optim.SGD(net.parameters(), 10.0), steps=50)
    assert run.failed
    assert len(run.losses) < 50
    assert run.steps_to(1.0) is None
    assert run.lowest() > 10


def test_entropy_is_the_loss_of_knowing_shares_only():
    labels = torch.tensor([0, 0, 0, 1])
    assert entropy(labels) == pytest.approx(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    logits = torch.tensor([0.75, 0.25]).log().repeat(4, 1)
    constant_model = torch.nn.Identity()
    assert mean_loss(constant_model, logits, labels) == pytest.approx(entropy(labels))


def test_seeded_gives_the_same_and_restores():
    with seeded(5):
        one = torch.rand(3)
    with seeded(5):
        assert torch.equal(torch.rand(3), one)


def test_judging():
    assert [halves(True, True), halves(True, False), halves(False)] == ["true", "partly", "false"]
    curve = band("x", [1, 2], [[1.0, 5.0], [3.0, 4.0], [2.0, 9.0]])
    assert (curve.y, curve.low, curve.high) == ((2.0, 5.0), (1.0, 4.0), (3.0, 9.0))
