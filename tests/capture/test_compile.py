"""``torch.compile``: no crash, no compilation that would not have been, parameters still seen."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from .sinks import Listing, watched


def train(how: str, steps: int = 12) -> tuple[list[torch.Tensor], int]:
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    x, y = torch.randn(32, 8), torch.randint(0, 3, (32,))
    forward = model
    if how == "function":
        forward = torch.compile(model, backend="aot_eager")
    elif how == "method":
        model.compile(backend="aot_eager")
    losses = []
    for step in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(forward(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
        if step % 4 == 3:
            model.eval()
            with torch.no_grad():
                losses.append(forward(x).sum())
            model.train()
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    return [*losses, *(p.detach() for p in model.parameters())], graphs


@pytest.mark.parametrize("how", ["function", "method"])
def test_a_compiled_model(how: str) -> None:
    plain, graphs = train(how)
    with watched() as seen:
        result, graphs_watched = train(how)
    assert all(torch.equal(a, b) for a, b in zip(plain, result, strict=True))
    assert graphs_watched == graphs, "watching made torch compile again"
    assert statistics(seen) >= {"loss.value", "grad.rms", "weight.rms", "update.ratio", "lr"}


def statistics(seen: Listing) -> set[str]:
    return {name for _, _, row in seen.frames for _, name in row}
