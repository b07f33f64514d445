"""Thresholds of optimizers, eigenvalues, and the probe sharpness in real scripts."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from probed_scripts import CLASSIFIER, SEQUENCES, script

from gradoctor.interventions.curvature import ROUNDS, hessian, top
from gradoctor.interventions.stability import SETTLED, SUPPORTED, stability
from gradoctor.probes import PROBES, Answer, ask
from gradoctor.probes.sharpness import EARLY, looks, thrown_out
from gradoctor.trials import Course, Trial, conduct

STEEPEST = 10.0
QUADRATIC = """
import sys
import torch
from torch import nn

torch.manual_seed(0)
curvatures = torch.linspace(0.1, 5.0, 30)
curvatures[-1] = 10.0

class Valley(nn.Module):
    def __init__(self):
        super().__init__()
        self.place = nn.Parameter(torch.randn(30))
    def forward(self, curvatures):
        return 0.5 * (curvatures * self.place**2).sum()

model = Valley()
optimizer = torch.optim.OPTIMIZER
for step in range(150):
    optimizer.zero_grad()
    loss = model(curvatures)
    loss.backward()
    optimizer.step()
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(home, text: str, steps: int = 60) -> Answer:
    return ask(PROBES["sharpness"], (script(home, text),), steps=steps)


def valley(curvatures: list[float]) -> tuple[torch.Tensor, torch.Tensor]:
    place = torch.ones(len(curvatures), requires_grad=True)
    return 0.5 * (torch.tensor(curvatures) * place.square()).sum(), place


class TestTop:
    @pytest.mark.parametrize(
        ("curvatures", "wanted"),
        [
            ([1.0, 3.0, 9.0], 9.0), ([-20.0, 1.0, 5.0], 5.0), ([-3.0, -8.0, -20.0], -3.0),
            ([0.0, 0.0], 0.0), ([7.0], 7.0),
        ],
    )  # fmt: skip
    def test_the_largest_eigenvalue_whatever_the_lowest_is(self, curvatures, wanted):
        loss, place = valley(curvatures)
        slopes, product = hessian(loss, [place])
        found = top(product, [place])
        assert found.value == pytest.approx(wanted, rel=0.01)
        assert found.rounds <= ROUNDS
        assert torch.equal(slopes[0], torch.tensor(curvatures))
        assert place.grad is None

    def test_it_never_lies_above_the_eigenvalue_and_moves_no_random_number(self):
        state = torch.get_rng_state()
        for seed in range(5):
            matrix = torch.tensor(np.random.default_rng(seed).normal(size=(40, 40)))
            matrix = matrix + matrix.T
            place = torch.zeros(40, dtype=torch.float64, requires_grad=True)
            product = hessian(0.5 * place @ matrix @ place, [place])[1]
            largest = float(torch.linalg.eigvalsh(matrix)[-1])
            assert 0.9 * largest < top(product, [place]).value <= largest * (1 + 1e-9)
        assert torch.equal(state, torch.get_rng_state())

    def test_a_loss_that_is_linear_in_its_weights_does_not_curve(self):
        place = torch.ones(3, requires_grad=True)
        assert top(hessian(place.sum(), [place])[1], [place]).value == 0.0


def diverges(make, rate: float) -> bool:
    """Whether an optimizer leaves the valley of curvature 10, after a long rest at its bottom."""
    place = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = make([place], rate)
    for step in range(1000):
        if step == 300:  # corrections of the moments have faded
            place.data.fill_(1e-3)
        optimizer.zero_grad()
        (0.5 * STEEPEST * place.square()).sum().backward()
        optimizer.step()
        if not abs(float(place.detach())) < 1.0:
            return True
    return False


MAKERS = {
    "sgd": torch.optim.SGD,
    "decay": lambda p, lr: torch.optim.SGD(p, lr, weight_decay=3.0),
    "heavy ball": lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9),
    "damped": lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9, dampening=0.4),
    "nesterov": lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9, nesterov=True),
    # an epsilon that drowns the second moment makes each a linear recursion
    "adam": lambda p, lr: torch.optim.Adam(p, lr, eps=1e6),
    "adam's decay": lambda p, lr: torch.optim.Adam(p, lr, eps=1e6, weight_decay=3.0),
    "adamw": lambda p, lr: torch.optim.AdamW(p, lr, eps=1e6, weight_decay=0.0),
    "rmsprop": lambda p, lr: torch.optim.RMSprop(p, lr, eps=1e6, momentum=0.5),
}


@pytest.mark.parametrize("name", MAKERS)
def test_the_threshold_is_where_the_optimizer_begins_to_leave_the_valley(name):
    make = MAKERS[name]
    place = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = make([place], 1.0)
    for _ in range(200):  # at the bottom, so that corrections of the moments have faded
        place.grad = torch.zeros_like(place)
        optimizer.step()
    known = stability(optimizer, place, optimizer.param_groups[0])
    rate = float(torch.as_tensor(known.rate).sum())
    edge = known.limit / (rate * (STEEPEST + known.decay))  # rates are linear in lr
    assert not diverges(make, 0.97 * edge)
    assert diverges(make, 1.03 * edge)
    scale = 1e6 if known.preconditioned else 1.0
    assert known.threshold == pytest.approx(known.limit / rate / scale, rel=1e-6)


class TestStability:
    def test_what_has_no_threshold_yet_or_at_all(self):
        place = torch.ones(2, requires_grad=True)
        place.grad = torch.ones(2)
        adam = torch.optim.Adam([place], 0.1)
        for _ in range(SETTLED):
            assert stability(adam, place, adam.param_groups[0]) is None
            adam.step()
        assert stability(adam, place, adam.param_groups[0]) is not None
        still = torch.optim.SGD([place], 0.0)
        assert stability(still, place, still.param_groups[0]) is None
        other = torch.optim.Adagrad([place], 0.1)
        assert type(other) not in SUPPORTED
        assert stability(other, place, other.param_groups[0]) is None

    def test_adam_of_the_usual_settings_stands_38_over_its_rate(self):
        place = torch.ones(2, requires_grad=True)
        place.grad = torch.ones(2)
        adam = torch.optim.AdamW([place], 0.01)
        for _ in range(300):
            adam.step()
        known = stability(adam, place, adam.param_groups[0])
        assert known.threshold == pytest.approx(38 / 0.01, rel=1e-6)
        assert known.preconditioned
        assert known.decay == 0.0


class TestScripts:
    @pytest.mark.parametrize(
        ("optimizer", "ratio", "verdict"),
        [
            ("SGD(model.parameters(), lr=0.19)", 0.95, "at-edge"),
            ("SGD(model.parameters(), lr=0.21)", 1.05, "crossed"),
            ("SGD(model.parameters(), lr=0.5)", 2.5, "above"),
            ("SGD(model.parameters(), lr=0.02, momentum=0.9)", 0.2 / 3.8, "below"),
            ("SGD(model.parameters(), lr=0.02, weight_decay=5.0)", 0.15, "below"),
        ],
    )
    def test_an_eigenvalue_that_is_known(self, home, optimizer, ratio, verdict):
        found = asked(home, QUADRATIC.replace("OPTIMIZER", optimizer))
        assert found.verdict == verdict
        assert found.bad == (verdict == "above")
        for look in found.values["looks"]:
            assert look["ratio"] == pytest.approx(ratio, rel=0.01)
            assert look["factor"] == pytest.approx(1.0)
        assert found.values["safe"] * ratio == pytest.approx(found.values["lr"], rel=0.01)

    def test_adam_feels_the_curvature_over_its_second_moment(self, home):
        text = QUADRATIC.replace("OPTIMIZER", "Adam(model.parameters(), lr=0.01, eps=1000.0)")
        found = asked(home, text)
        assert found.values["preconditioned"]
        assert len(found.values["looks"]) >= 5, "from the 20th step on"
        last = found.values["looks"][-1]
        # the square root of the second moment is at most the largest gradient, some 30
        assert 10 / 1030 < last["sharpness"] <= 10 / 1000
        assert last["threshold"] == pytest.approx(380 * 10, rel=0.01)

    def test_several_backwards_and_clipping_and_a_scaler_count_as_they_are(self, home):
        text = QUADRATIC.replace("OPTIMIZER", "SGD(model.parameters(), lr=0.02)")
        twice = text.replace("loss.backward()", "loss.backward(); model(2 * curvatures).backward()")
        for look in asked(home, twice, 12).values["looks"]:
            assert look["sharpness"] == pytest.approx(30, rel=0.01)
        scaled = text.replace("loss.backward()", "(256 * loss).backward()").replace(
            "optimizer.step()", "model.place.grad /= 512; optimizer.step()"
        )
        for look in asked(home, scaled, 12).values["looks"]:
            assert look["sharpness"] == pytest.approx(5, rel=0.01)
            assert look["factor"] == pytest.approx(1 / 512, rel=1e-4)

    def test_looking_changes_no_bit_of_the_training(self, home):
        plain = conduct(Trial((script(home, SEQUENCES),), {}, steps=1000))
        look = {"at": [0, 3, 4, 20]}
        looked = conduct(Trial((script(home, SEQUENCES),), {"sharpness": look}, steps=1000))
        assert [row["step"] for row in looked.facts["sharpness"]["looks"]]
        assert plain.losses == looked.losses
        assert plain.error["message"] == looked.error["message"]

    def test_attention_of_torch_s_own(self, home):
        text = QUADRATIC.replace("OPTIMIZER", "SGD(model.parameters(), lr=0.02)").replace(
            "return 0.5",
            "x = self.place.view(1, 1, 5, 6)\n"
            "        x = nn.functional.scaled_dot_product_attention(x, x, x)\n"
            "        return x.square().sum() + 0.5",
        )
        found = asked(home, text, 12)
        assert found.verdict not in ("no-second-derivative", "unseen")

    @pytest.mark.parametrize(
        ("old", "new", "verdict"),
        [
            ("    optimizer.zero_grad()\n", "", "other-gradient"),
            ("    optimizer.step()", "    model.place.grad.sign_(); optimizer.step()",
             "other-gradient"),
            ("    optimizer.step()",
             "    optimizer.step(); torch.optim.SGD(model.parameters(), lr=0.1).step()",
             "several-optimizers"),
            ("torch.optim.SGD", "torch.optim.Adagrad", "optimizer-unknown"),
            ("lr=0.02", "lr=0.0", "unseen"),
            ("self.place**2", "Once.apply(self.place) ** 2",
             "no-second-derivative"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_asked(self, home, old, new, verdict):
        once = """
from torch.autograd.function import once_differentiable

class Once(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        return x.clone()
    @staticmethod
    @once_differentiable
    def backward(context, slope):
        return slope.clone()

class Valley(
"""
        text = QUADRATIC.replace("OPTIMIZER", "SGD(model.parameters(), lr=0.02)")
        text = text.replace("\nclass Valley(", once.rstrip("\n"))
        assert old in text
        found = asked(home, text.replace(old, new), 30)
        assert (found.verdict, found.bad) == (verdict, False)
        assert bool(found.values["said"]) == (verdict == "no-second-derivative")

    def test_a_classifier_in_health_and_one_at_a_rate_that_kills_it(self, home):
        assert asked(home, CLASSIFIER).verdict in ("below", "at-edge")
        wild = CLASSIFIER.replace("lr=0.1", "lr=60.0, momentum=0.9").replace("10, 0.5", "99, 0.5")
        found = asked(home, wild)
        assert (found.verdict, found.bad) == ("above", True)
        assert found.values["safe"] < 60


class TestAnswer:
    FALLING = tuple(2.3 * np.exp(-0.02 * np.arange(200)))
    FLAT = (2.3,) * 200
    GONE = (2.3, 2.4, 5.0, 40.0, 900.0, *((math.nan,) * 195))

    def verdict(self, losses, ratio=5.0, others=5.0, at=None, problem="") -> Answer:
        rows = [
            {"step": step, "ratio": ratio, "others": [others, others], "threshold": 20.0, "lr": 0.1,
             "formula": "2 / lr", "preconditioned": False, "factor": 1.0, "rounds": 5}
            for step in (looks(200) if at is None else at)
        ]  # fmt: skip
        seen = {"looks": rows, "optimizer": "SGD", "problem": problem, "said": ""}
        course = Course(tuple(map(float, losses)), (), {"sharpness": seen}, "stopped")
        return PROBES["sharpness"].answer({"sharpness": course})

    def test_above_needs_harm_and_other_batches(self):
        assert self.verdict(self.FLAT).verdict == "above"
        assert self.verdict(self.FLAT).bad
        assert self.verdict(self.FALLING).verdict == "tolerated"
        assert self.verdict(self.FLAT, others=1.5).verdict == "unsettled"
        assert self.verdict(self.FLAT, others=math.nan).verdict == "unsettled"

    def test_hovering_is_normal_with_or_without_harm(self):
        for ratio in (0.6, 1.0, 1.9):
            for losses in (self.FLAT, self.FALLING):
                found = self.verdict(losses, ratio, ratio)
                assert (found.verdict, found.bad) == ("at-edge", False)
        assert self.verdict(self.FALLING, 0.3).verdict == "below"
        assert self.verdict(self.FALLING, -2.0).values["safe"] is None

    def test_a_loss_thrown_up_at_once_is_no_descent(self):
        up = (2.3, *(11.0,) * 11, *(1.9,) * 188)
        assert self.verdict(up, others=0.0).verdict == "unsettled"
        assert self.verdict(up).values["start"] == 2.3

    def test_a_loss_that_is_thrown_out(self):
        assert thrown_out(self.GONE) == 2
        found = self.verdict(self.GONE, others=0.0)
        assert (found.verdict, found.values["onset"], found.values["safe"]) == ("above", 2, 0.02)
        assert self.verdict(self.GONE, 1.5).verdict == "crossed"
        assert self.verdict(self.GONE, 0.5).verdict == "other-reason"
        assert self.verdict(self.GONE, at=(40, 60)).verdict == "too-early"

    def test_a_spike_that_is_got_over_is_not_thrown_out(self):
        catapult = (2.3, 9.0, 30.0, 12.0, *self.FALLING[4:])
        assert thrown_out(catapult) is None
        assert self.verdict(catapult).verdict == "tolerated"
        assert thrown_out((2.3, 9.0, *self.FLAT[2:])) is None, "one batch is no excursion"
        assert thrown_out((math.nan,) * 3) == 0
        assert thrown_out(()) is None

    def test_what_cannot_be_said(self):
        assert self.verdict(self.FLAT, problem="other-gradient").verdict == "other-gradient"
        assert self.verdict(self.FLAT, at=()).verdict == "unseen"
        assert self.verdict(self.FLAT, math.nan).verdict == "unseen"

    @pytest.mark.parametrize("steps", [1, 2, 5, 30, 200, 3000])
    def test_looks_are_within_the_run(self, steps):
        at = looks(steps)
        assert at == sorted(set(at))
        assert at[0] >= 0
        assert at[-1] < steps
        assert steps < 30 or set(EARLY) <= set(at)
