"""A kernel that raises: the training ends with the same bits, and what was lost is told once."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gradoctor import statistics as kernels
from gradoctor.capture.watching import Watching
from gradoctor.store import RunWriter, create_run, open_run

STEPS = 60


def train() -> list[torch.Tensor]:
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 2)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(STEPS):
        x = torch.randn(16, 8)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), (x[:, 0] > 0).long()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return [*(p.detach() for p in model.parameters()), torch.random.get_rng_state()]


@pytest.fixture(scope="module")
def alone():
    return train()


@pytest.fixture
def watched(tmp_path):
    """Train under watch; gives the result and the recording."""

    def run():
        writer = RunWriter(create_run(tmp_path / "run.db", {}))
        writer.start()
        watching = Watching(writer, {})
        watching.start()
        try:
            result = train()
        finally:
            watching.stop()
            writer.close()
        with open_run(tmp_path / "run.db") as file:
            return result, file.recording()

    return run


def raising(*args, **kwargs):
    raise RuntimeError("a kernel broke")


# the noise is made with the session: when it breaks the run is not watched at all
NAMES = [n for n in vars(kernels) if callable(getattr(kernels, n)) and n != "GradientNoise"]


@pytest.mark.parametrize("name", NAMES)
def test_a_kernel_that_raises(name, monkeypatch, capsys, alone, watched):
    monkeypatch.setattr(kernels, name, raising)
    result, run = watched()
    assert all(torch.equal(a, b) for a, b in zip(alone, result, strict=True))
    said = capsys.readouterr().err.splitlines()
    assert len(said) == len(set(said)) <= 6
    for line in said:
        assert line.startswith("gradoctor: lost sight of ")
        assert "a kernel broke" in line
        assert line.endswith("Your training is not affected and goes on.")
    lost = [f.data["message"] for f in run.facts_of("lost")]
    assert len(lost) == len(said)
    assert all("a kernel broke" in message for message in lost)


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_kernel_costs_only_its_own_numbers(name, monkeypatch, watched):
    monkeypatch.setattr(kernels, name, raising)
    _, run = watched()
    assert len(run.series("backward.count")) == STEPS
    assert run.steps == STEPS


def test_nothing_is_lost_when_nothing_breaks(watched, alone, capsys):
    result, run = watched()
    assert all(torch.equal(a, b) for a, b in zip(alone, result, strict=True))
    assert capsys.readouterr().err == ""
    assert run.facts_of("lost") == ()
    assert run.steps == STEPS
