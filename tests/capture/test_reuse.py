"""What capture states about gradients, losses and graphs used twice, and about edited weights."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from .sinks import Listing, watched

x, y = torch.randn(48, 8), torch.randint(0, 3, (48,))
STEPS = 8
Extra = Callable[[nn.Module, torch.optim.Optimizer, torch.Tensor], None]


def small() -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))


def descend(after: Extra, steps: int = STEPS, **backward: bool) -> Listing:
    """Train a small net; ``after`` is called after each step with model, optimizer and loss."""
    with watched() as seen:
        model = small()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(steps):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward(**backward)
            optimizer.step()
            after(model, optimizer, loss)
    assert not seen.of("lost")
    return seen


class TestSteps:
    def test_a_second_step_on_the_same_gradients(self) -> None:
        seen = descend(lambda model, optimizer, loss: optimizer.step())
        assert seen.one("optimizer").data["repeated"] == STEPS

    def test_a_step_on_gradients_written_by_hand(self) -> None:
        def again(model: nn.Module, optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
            for p in model.parameters():
                p.grad = torch.ones_like(p)
            optimizer.step()

        assert descend(again).one("optimizer").data["repeated"] == 0

    def test_one_step_a_backward(self) -> None:
        seen = descend(lambda model, optimizer, loss: None)
        assert seen.one("optimizer").data["repeated"] == 0
        assert not seen.of("doubled") + seen.of("edited") + seen.of("retained")


class TestBackwards:
    def train(self, between: Callable[[torch.optim.Optimizer], None]) -> Listing:
        with watched() as seen:
            model = small()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for _ in range(STEPS):
                optimizer.zero_grad()
                loss = F.cross_entropy(model(x), y)
                loss.backward(retain_graph=True)
                between(optimizer)
                loss.backward()
                optimizer.step()
        return seen

    def test_the_same_loss_twice(self) -> None:
        assert self.train(lambda optimizer: None).one("doubled").count == STEPS

    def test_cleared_between(self) -> None:
        assert not self.train(lambda optimizer: optimizer.zero_grad()).of("doubled")

    def test_used_between(self) -> None:
        with pytest.raises(RuntimeError, match="inplace"):  # the step changed what backward needs
            self.train(lambda optimizer: optimizer.step())


class TestGraphs:
    def test_losses_that_are_added_up(self) -> None:
        total = torch.zeros(())

        def add(model: nn.Module, optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
            nonlocal total
            total = total + loss

        found = descend(add, 120).one("retained").data
        assert found["graphs"] >= 100
        assert found["share"] == pytest.approx(1.0)
        assert not found["buffers"]

    def test_numbers_that_are_added_up(self) -> None:
        total: list[float] = []
        seen = descend(lambda model, optimizer, loss: total.append(loss.item()), 120)
        assert not seen.of("retained")


class TestEdits:
    def test_each_step_is_taken_back(self) -> None:
        average: list[nn.Module] = []

        def follow(model: nn.Module, optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
            average.append(average[0] if average else copy.deepcopy(model))
            for own, mean in zip(model.parameters(), average[0].parameters(), strict=True):
                own.data.copy_(mean.data)

        edited = descend(follow).of("edited")
        assert {f.data["op"] for f in edited} == {"copy_"}
        assert all(f.line for f in edited)
        # the first average is of the model after its first step: only later ones are taken back
        assert {(f.data["checked"], f.data["undone"]) for f in edited} == {(STEPS - 1, STEPS - 2)}

    def test_an_average_that_follows_the_model(self) -> None:
        mean = small()

        def follow(model: nn.Module, optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
            with torch.no_grad():
                for own, other in zip(model.parameters(), mean.parameters(), strict=True):
                    other.lerp_(own, 0.01)

        assert not descend(follow).of("edited")

    @pytest.mark.parametrize("bound", [1e-3, 0.2])
    def test_a_clamp_takes_nothing_back(self, bound: float) -> None:
        def clamp(model: nn.Module, optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
            for p in model.parameters():
                p.data.clamp_(-bound, bound)

        edited = descend(clamp).of("edited")
        assert {f.data["undone"] for f in edited} == {0}
        assert all(f.data["edited"] for f in edited)

    def test_a_mask_takes_nothing_back(self) -> None:
        mask = (torch.rand(16, 8) < 0.05).float()

        def prune(model: nn.Module, optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
            next(model.parameters()).data.mul_(mask)

        (edited,) = descend(prune).of("edited")
        assert not edited.data["undone"]

    def test_a_state_that_is_loaded_again_and_again(self) -> None:
        kept: list[dict[str, torch.Tensor]] = []

        def reload(model: nn.Module, optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
            kept.append(kept[0] if kept else copy.deepcopy(model.state_dict()))
            model.load_state_dict(kept[0])

        edited = descend(reload).of("edited")
        assert {f.data["op"] for f in edited} == {"load_state_dict"}


class TestResuming:
    def resume(self, path: Path, *, both: bool) -> Listing:
        model = small()
        optimizer = torch.optim.Adam(model.parameters())
        model(x).sum().backward()
        optimizer.step()
        torch.save({"model": model.state_dict(), "optim": optimizer.state_dict()}, path)
        with watched() as seen:
            kept = torch.load(path)
            model.load_state_dict(kept["model"])
            optimizer = torch.optim.Adam(model.parameters())
            if both:
                optimizer.load_state_dict(kept["optim"])
            model(x).sum().backward()
            optimizer.step()
        return seen

    @pytest.mark.parametrize("both", [False, True])
    def test_what_was_taken_from_the_file(self, tmp_path: Path, both: bool) -> None:
        fact = self.resume(tmp_path / "state.pt", both=both).one("resumed")
        assert fact.key == "optim"
        assert (fact.data["models"], fact.data["optimizers"]) == (1, int(both))


class TestRisks:
    def test_the_log_of_a_softmax(self) -> None:
        with watched() as seen:
            model = small()
            probabilities = model(x).softmax(1)
            (-torch.log(probabilities[torch.arange(48), y])).mean().backward()
        fact = seen.one("risky")
        assert (fact.data["op"], fact.data["made"], fact.data["near"]) == ("log", "softmax", 0)
        assert 100 < fact.data["room"] < 130

    def test_a_root_of_next_to_nothing(self) -> None:
        with watched() as seen:
            model = small()
            ((model(x) - model(x).detach()).square() + 1e-38).sum().sqrt().backward()
        fact = seen.one("risky")
        assert (fact.data["op"], fact.data["near"]) == ("sqrt", 0)
        assert fact.data["operand"] == pytest.approx(48 * 3 * 1e-38, rel=0.1)

    def test_without_a_gradient_nothing_is_at_risk(self) -> None:
        with watched() as seen:
            model = small()
            model(x.exp().log()).sum().backward()
        assert not seen.of("risky")


class TestBeginnings:
    def test_the_forget_gate_of_an_lstm(self) -> None:
        with watched() as seen:
            layer = nn.LSTM(8, 16)
            with torch.no_grad():
                layer.bias_ih_l0[16:32] = 1.0
            layer(x[:, None])[0].sum().backward()
        means = sorted(f.data["mean"] for f in seen.of("forget_gate"))
        assert means[1] == pytest.approx(1.0)
        assert abs(means[0]) < 0.1

    def test_a_copied_embedding_in_a_file_that_speaks_of_tying(self) -> None:
        with watched() as seen:
            embedding, head = nn.Embedding(30, 16), nn.Linear(16, 30)
            head.weight.data.copy_(embedding.weight.data)
            F.cross_entropy(head(embedding(y)), y).backward()
        assert seen.one("cloned").data["tied"]
