"""Watching never changes training: the same bits with and without, for every way to train."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch

from gradoctor.capture.watching import Watching

from .kinds import KINDS
from .sinks import Listing


def trained(name: str) -> tuple[list[Any], torch.Tensor]:
    torch.manual_seed(3)
    outcome = KINDS[name]()
    return outcome, torch.get_rng_state()


def same(one: Any, two: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return one.shape == two.shape and one.dtype == two.dtype and (
            torch.equal(one, two) or bool(((one == two) | (one != one) & (two != two)).all())
        )  # fmt: skip
    return bool(one == two)


@pytest.mark.parametrize("name", KINDS)
def test_no_bit_differs(name: str) -> None:
    plain, plain_rng = trained(name)
    sink = Listing()
    watching = Watching(sink, {})
    watching.start()
    try:
        watched, watched_rng = trained(name)
    finally:
        watching.stop()
    assert torch.equal(plain_rng, watched_rng), "the random numbers went another way"
    assert len(plain) == len(watched)
    differing = [i for i, (a, b) in enumerate(zip(plain, watched, strict=True)) if not same(a, b)]
    assert not differing
    assert not watching.session.guard.faults, "something was not seen"
    assert len(sink.frames) >= 4, "the training was seen"
    assert any(s.kind == "parameter" for s in sink.sites.values())


def test_nothing_is_left_behind() -> None:
    from torch.nn.modules import module as torch_module

    before = {
        "backward": torch.autograd.backward, "init": torch.nn.Module.__init__,
        "zero_grad": torch.optim.Optimizer.zero_grad, "train": torch.nn.Module.train,
        "loss": torch.nn.functional.cross_entropy,
        "next": torch.utils.data.dataloader._BaseDataLoaderIter.__next__,
        "step": torch.optim.lr_scheduler.StepLR.step,
        "draw": torch.distributions.Categorical.sample,
    }  # fmt: skip
    watching = Watching(Listing(), {})
    watching.start()
    assert torch.autograd.backward is not before["backward"]
    KINDS["evaluation_between_epochs"]()
    watching.stop()
    after = {
        "backward": torch.autograd.backward, "init": torch.nn.Module.__init__,
        "zero_grad": torch.optim.Optimizer.zero_grad, "train": torch.nn.Module.train,
        "loss": torch.nn.functional.cross_entropy,
        "next": torch.utils.data.dataloader._BaseDataLoaderIter.__next__,
        "step": torch.optim.lr_scheduler.StepLR.step,
        "draw": torch.distributions.Categorical.sample,
    }  # fmt: skip
    assert after == before
    assert not torch_module._global_forward_hooks
    assert not torch_module._global_forward_pre_hooks
    assert not sys.modules["torch.optim.optimizer"]._global_optimizer_pre_hooks
    assert torch._C._len_torch_function_stack() == 0


def test_user_objects_carry_nothing_of_ours() -> None:
    watching = Watching(Listing(), {})
    watching.start()
    try:
        model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        kept = [vars(m) for m in (model, model[0], optimizer)]
    finally:
        watching.stop()
    fresh = torch.nn.Linear(2, 2)
    assert set(kept[1]) == set(vars(fresh))
    assert not kept[1]["_forward_hooks"]
    assert not any("gradoctor" in repr(type(v)) for held in kept for v in held.values())
