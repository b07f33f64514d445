"""What capture states about who holds, lends, shares and clears what."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from gradoctor.capture.recorder import Look

from .sinks import watched

x, y = torch.randn(48, 8), torch.randint(0, 3, (48,))


def small() -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))


class Stack(nn.Module):
    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            h = layer(h)
        return h


class Times(Stack):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__([])
        self.layers = nn.ModuleList([layer] * 3)


def descend(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 6) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()


class TestOrphans:
    def test_a_model_that_was_copied_after_its_optimizer_was_made(self) -> None:
        with watched() as seen:
            model = small()
            optimizer = torch.optim.Adam(model.parameters())
            descend(copy.deepcopy(model), optimizer)
        assert seen.one("optimizer").data["orphans"] == 4

    def test_an_optimizer_that_is_made_for_each_step(self) -> None:
        with watched() as seen:
            model = small()
            for _ in range(12):
                descend(model, torch.optim.Adam(model.parameters()), 1)
        fact = seen.one("optimizer")
        assert (fact.data["steps"], fact.data["remade"]) == (12, 11)
        assert fact.last_step >= 11

    def test_an_optimizer_for_each_of_several_models(self) -> None:
        with watched() as seen:
            models = [small() for _ in range(3)]
            optimizers = [torch.optim.Adam(model.parameters()) for model in models]
            for model, optimizer in zip(models, optimizers, strict=True):
                descend(model, optimizer)
        made = [f.data["remade"] for f in seen.of("optimizer")]
        assert made == [0, 0, 0]

    def test_parameters_that_a_functional_call_lends(self) -> None:
        with watched() as seen:
            model = small()
            params = {k: v.detach().clone().requires_grad_() for k, v in model.named_parameters()}
            optimizer = torch.optim.Adam(params.values())
            for _ in range(6):
                optimizer.zero_grad()
                F.cross_entropy(functional_call(model, params, (x,)), y).backward()
                optimizer.step()
        assert seen.one("optimizer").data["orphans"] == 0


class TestRebuilt:
    def looks(self, *, head: nn.Module | None) -> list[int]:
        """The steps of deep looks, in a run whose budget allows none after step 50."""
        with watched() as seen:
            model = small()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            descend(model, optimizer, 90)
            if head is not None:
                model[2] = head
            descend(model, optimizer, 6)
        assert seen.one("governor").data["deep"] >= 7
        return [step for step, look, _ in seen.frames if look == Look.DEEP and step > 49]

    def test_a_new_head_is_looked_at_at_once(self) -> None:
        assert self.looks(head=nn.Linear(16, 3)) == [91, 92, 93]

    def test_what_has_no_weights_is_not(self) -> None:
        assert self.looks(head=nn.Identity()) == []
        assert self.looks(head=None) == []


class TestUntouched:
    @pytest.mark.parametrize(("by_hand", "untouched"), [(False, 6), (True, 0)])
    def test_gradients_that_somebody_wrote_to(self, by_hand: bool, untouched: int) -> None:
        with watched() as seen:
            model = small()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for _ in range(6):
                optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()
                for p in model.parameters() if by_hand else ():
                    p.grad = p.grad / 2 if p.grad is not None else None
                optimizer.step()
        assert seen.one("optimizer").data["untouched"] == untouched


@pytest.mark.parametrize(
    ("kind", "told"), [(torch.float32, "float32"), (torch.bfloat16, "bfloat16")]
)
def test_the_type_of_an_optimizers_state(kind: torch.dtype, told: str) -> None:
    with watched() as seen:
        model = nn.Linear(8, 3).to(kind)
        optimizer = torch.optim.Adam(model.parameters())
        model(x.to(kind)).square().mean().backward()
        optimizer.step()
    assert seen.one("optimizer").data["state"] == told


class TestRepeated:
    def test_a_list_multiplied(self) -> None:
        with watched() as seen:
            model = Times(nn.Linear(8, 8))
            descend(model, torch.optim.SGD(model.parameters(), lr=0.1), 2)
        fact = seen.one("repeated")
        assert (fact.data["entries"], fact.data["class"]) == (3, "Linear")
        assert fact.data["multiplied"]
        assert fact.line is not None

    @pytest.mark.parametrize(
        "layers",
        [
            [nn.Linear(8, 8), nn.Linear(8, 8)],
            [nn.PReLU()] * 2 + [nn.Linear(8, 8)],
            [nn.PReLU()] * 2,
        ],
    )
    def test_layers_of_their_own(self, layers: list[nn.Module]) -> None:
        with watched() as seen:
            model = Stack(layers)
            descend(model, torch.optim.SGD(model.parameters(), lr=0.1), 2)
        assert not seen.of("repeated")


@pytest.mark.parametrize(("counts", "epochs"), [(True, 3), (False, 1)])
def test_epochs_of_a_distributed_sampler(counts: bool, epochs: int) -> None:
    with watched() as seen:
        data = TensorDataset(x, y)
        sampler: DistributedSampler[object] = DistributedSampler(data, num_replicas=1, rank=0)
        loader = DataLoader(data, 16, sampler=sampler)
        model = small()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for epoch in range(3):
            if counts:
                sampler.set_epoch(epoch)
            for a, b in loader:
                optimizer.zero_grad()
                F.cross_entropy(model(a), b).backward()
                optimizer.step()
    assert seen.one("loader").data["sampler_epochs"] == epochs


class TestWithoutGradient:
    def run(self, *, train: bool, held: bool) -> list[str]:
        with watched() as seen:
            encoder, head = nn.Linear(8, 8), nn.Linear(8, 3)
            encoder.train(train)
            params = [*head.parameters(), *(encoder.parameters() if held else ())]
            optimizer = torch.optim.SGD(params, lr=0.1)
            for _ in range(6):
                with torch.no_grad():
                    h = encoder(x)
                optimizer.zero_grad()
                F.cross_entropy(head(h), y).backward()
                optimizer.step()
        cuts = [f for f in seen.of("cut") if f.data["op"] == "no_grad"]
        return sorted({name for f in cuts for name in f.data["upstream"]})

    def test_an_encoder_of_its_own_under_no_grad(self) -> None:
        assert len(self.run(train=True, held=True)) == 2

    @pytest.mark.parametrize(("train", "held"), [(False, True), (True, False)])
    def test_evaluations_and_what_nobody_trains(self, train: bool, held: bool) -> None:
        assert self.run(train=train, held=held) == []
