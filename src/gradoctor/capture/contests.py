"""Watches models that are given real data and what another model made: critics of generators."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import torch
from torch import nn
from torch._C._functorch import is_functorch_wrapped_tensor

from gradoctor import statistics as kernels
from gradoctor.capture.models import Models
from gradoctor.capture.recorder import Recorder
from gradoctor.capture.roles import first_tensor

FEWEST = 8
"""Samples in a batch that can tell how far they differ."""
Taken = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass(slots=True)
class Critic:
    """A model that was given what another one made.

    Attributes:
        makers: names of the models that made it.
        real, made: of the latest batch of each kind in this step.
    """

    makers: set[str] = field(default_factory=set)
    real: Taken | None = None
    made: Taken | None = None


class ContestWatch:
    """Compares the two kinds of input of each critic."""

    def __init__(self, recorder: Recorder, models: Models) -> None:
        self.recorder = recorder
        self.models = models
        self._made: dict[int, tuple[weakref.ref[torch.Tensor], str]] = {}
        self._cut: list[weakref.ref[torch.Tensor]] = []
        self._critics: dict[int, Critic] = {}
        self._site: dict[int, int] = {}

    def is_made(self, x: torch.Tensor) -> bool:
        """A model made it, in this step as far as it was seen: it is no data."""
        if x.requires_grad or any(ref() is x for ref in self._cut):
            return True
        return _is_plain(x) and self._maker(x) is not None

    def detached(self, given: Any, out: Any) -> None:
        """``detach()`` was called: what comes of a graph is no data."""
        if isinstance(given, torch.Tensor) and given.grad_fn is not None:
            self._cut.append(weakref.ref(out))

    def ran(self, module: nn.Module, args: tuple[Any, ...], output: Any, site: int | None) -> None:
        """A forward of a top-level model ended; ``site`` is that of its input, if it has one."""
        given = next((a for a in args if isinstance(a, torch.Tensor)), None)
        out = first_tensor(output)
        if not _is_plain(out):
            return
        name = self.models.name_of(module)
        if _is_plain(given) and self.models.is_known(module):
            self._meet(module, name, given, out, site)
        self._made = {k: v for k, v in self._made.items() if v[0]() is not None}
        self._made[_place(out)] = (weakref.ref(out), name)

    def _meet(
        self, module: nn.Module, name: str, given: torch.Tensor, out: torch.Tensor,
        site: int | None,
    ) -> None:  # fmt: skip
        maker = self._maker(given)
        critic = self._critics.get(id(module))
        if maker is not None and maker != name:
            if critic is None:
                critic = self._critics[id(module)] = Critic()
            critic.makers.add(maker)
        if critic is None or site is None or given.dim() < 2 or given.shape[0] < FEWEST:
            return
        if out.dim() < 1 or out.shape[0] != given.shape[0]:
            return
        self._site[id(module)] = site
        with torch.no_grad(), torch._C.DisableTorchFunction():
            taken = (*kernels.batch_moments(given), kernels.sample_scores(out))
        if maker is not None:
            critic.made = taken
        elif not self.is_made(given):
            critic.real = taken

    def _maker(self, given: torch.Tensor) -> str | None:
        known = self._made.get(_place(given))
        return known[1] if known is not None and known[0]() is not None else None

    def close_step(self) -> None:
        """Record the critics that saw both kinds in this step."""
        for number, critic in self._critics.items():
            real, made = critic.real, critic.made
            critic.real = critic.made = None
            if real is not None and made is not None and real[0].shape == made[0].shape:
                site = self._site[number]
                self.recorder.put(site, kernels.SAMPLES, kernels.compare_samples(real, made))
                self._state(site, critic)
        self._cut = []

    def _state(self, site: int, critic: Critic) -> None:
        known = self.recorder.get(site)
        makers = sorted(critic.makers)
        if known.meta.get("makers") != makers:
            self.recorder.update_site(site, meta={**known.meta, "makers": makers})


def _is_plain(x: torch.Tensor | None) -> TypeGuard[torch.Tensor]:
    """A tensor of numbers that lie somewhere."""
    return (
        x is not None
        and x.is_floating_point()
        and x.layout is torch.strided
        and x.numel() > 0
        and not is_functorch_wrapped_tensor(x)
    )


def _place(x: torch.Tensor) -> int:
    return int(x.untyped_storage().data_ptr())
