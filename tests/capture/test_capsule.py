"""What goes into a capsule, and that nothing of it disturbs the training."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from gradoctor import capsules
from gradoctor.capsules import Raw
from gradoctor.capture.capsule import Capsule
from gradoctor.capture.packing import from_raw, pack, unpack
from gradoctor.capture.watching import Watching

from .sinks import Listing

BAD = 4


class Pair(NamedTuple):
    left: torch.Tensor
    right: int


@pytest.mark.parametrize(
    "value",
    [
        torch.arange(6).reshape(2, 3), torch.ones(3, dtype=torch.bfloat16), torch.tensor(True),
        torch.empty(0, 4), torch.randn(4, 6).t()[1:], [1, "two", None, 2.5], (torch.ones(1), [3]),
        {"ids": torch.tensor([3, 4]), "deep": {"mask": torch.zeros(2, dtype=torch.bool)}},
        Pair(torch.ones(2), 7),
    ],
)  # fmt: skip
def test_values_come_back(value: Any) -> None:
    tensors: dict[str, Raw] = {}
    packed = pack(value, "x", tensors)
    back = unpack(packed, tensors, value)
    assert type(back) is type(value)
    same = torch.utils._pytree.tree_map(
        lambda a, b: torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b, value, back
    )
    assert all(torch.utils._pytree.tree_leaves(same))


def test_what_cannot_be_kept_stays_the_scripts_own() -> None:
    own = object()
    computed = torch.ones(2, requires_grad=True) * 2
    for value in (own, computed, torch.ones(2, dtype=torch.complex64), torch.eye(2).to_sparse()):
        tensors: dict[str, Raw] = {}
        assert unpack(pack(value, "x", tensors), tensors, own) is own
        assert not tensors


def run(path: Path | None, limit: int = 1 << 20) -> tuple[Listing, list[torch.Tensor]]:
    torch.manual_seed(0)
    sink = Listing()
    options = {"db": str(path), "capsule": limit, "target": ["train.py", "--lr", "1"]}
    watching = Watching(sink, options if path is not None else {})
    watching.start()
    try:
        model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        seen: list[torch.Tensor] = []
        for i in range(BAD + 3):
            x = torch.randn(5, 6)
            if i == BAD:
                seen = [torch.get_rng_state(), *(t.clone() for t in model.state_dict().values()), x]
            optimizer.zero_grad()
            out = model(x)
            (F.mse_loss(out, x[:, :2]) / (0.0 if i == BAD else 1.0)).backward()
            optimizer.step()
    finally:
        watching.stop()
    assert not watching.session.guard.faults
    return sink, [*seen, torch.get_rng_state()]


def test_the_step_is_kept_as_it_began(tmp_path: Path) -> None:
    sink, seen = run(tmp_path / "run.db")
    generator, *weights, x, _ = seen
    meta, tensors = capsules.read(tmp_path / "run.capsule")
    assert (meta["step"], meta["target"]) == (BAD, ["train.py", "--lr", "1"])
    assert torch.equal(from_raw(tensors["call.0.generator"]), generator)
    assert torch.equal(from_raw(tensors["call.0.args.0"]), x)
    kept = [n for n in tensors if n.startswith("model.0.")]
    assert len(kept) == len(weights) == 9
    names = list(nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 2))
                 .state_dict())  # fmt: skip
    for name, tensor in zip(names, weights, strict=True):
        assert torch.equal(from_raw(tensors[f"model.0.{name}"]), tensor), name
    variables = meta["frames"][0]["variables"]
    assert {"x", "i"} <= set(variables)
    assert variables["i"]["value"] == BAD
    assert sink.one("nonfinite").data["capsule"] == str(tmp_path / "run.capsule")


def test_training_goes_on_to_the_bit(tmp_path: Path) -> None:
    _, plain = run(None)
    _, kept = run(tmp_path / "run.db")
    assert all(
        torch.equal(a, b) or bool((a.isnan() & b.isnan()).any())
        for a, b in zip(plain, kept, strict=True)
    )


def test_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(capsules, "write", full)
    sink, kept = run(tmp_path / "run.db")
    data = sink.one("nonfinite").data
    assert (data["capsule"], "No space left" in data["capsule_lost"]) == ("", True)
    assert data["op"] == "div"
    assert torch.equal(kept[-1], run(None)[1][-1])


def test_it_is_too_large(tmp_path: Path) -> None:
    for limit, lost, there in ((100, "over 100 bytes", False), (5600, "the weights", True)):
        sink, _ = run(tmp_path / f"{limit}.db", limit)
        assert lost in sink.one("nonfinite").data["capsule_lost"]
        assert (tmp_path / f"{limit}.capsule").exists() is there


def test_no_capsule_without_a_run_file() -> None:
    sink, _ = run(None)
    assert sink.one("nonfinite").data["capsule"] == ""
    assert Capsule(None).keep({})["capsule"] == ""  # type: ignore[arg-type]
