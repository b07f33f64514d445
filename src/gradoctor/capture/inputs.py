"""What goes into each model in training."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from gradoctor import statistics as kernels
from gradoctor.capture.contests import ContestWatch
from gradoctor.capture.models import Models, walk
from gradoctor.capture.recorder import Recorder
from gradoctor.capture.source import caller


class Inputs:
    """Summaries of the first tensor given to each top-level model."""

    def __init__(self, recorder: Recorder, models: Models) -> None:
        self.recorder = recorder
        self.models = models
        self.sites: dict[int, int] = {}
        self.contests = ContestWatch(recorder, models)
        self._moments: dict[int, kernels.FeatureMoments] = {}
        self._evaluated: dict[int, kernels.FeatureMoments] = {}
        self._pending: dict[int, torch.Tensor] = {}
        self._done: set[tuple[int, int]] = set()

    def observe(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        """A training forward of a top-level module begins; one batch a step is measured."""
        x = next((a for a in args if isinstance(a, torch.Tensor)), None)
        if x is None or x.numel() == 0:
            return
        site = self._site(module, x)
        if (site, self.recorder.step) in self._done:
            return
        self._done = {(site, self.recorder.step)} | {
            d for d in self._done if d[1] == self.recorder.step
        }
        x = x.detach()
        with torch.no_grad(), torch._C.DisableTorchFunction():
            self.recorder.put(site, kernels.INPUT, kernels.summarise_input(x))
            moments = self._moments.setdefault(site, kernels.FeatureMoments())
            moments.add(x)
            if x.is_floating_point():
                self.recorder.put(site, kernels.FEATURES, moments.summary())
            elif x.dim() == 2:
                padding = kernels.padding_fraction(x).reshape(1)
                self.recorder.put(site, ("input.padding",), padding)

    def observe_evaluation(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        """A forward without gradient begins, of a model whose training inputs are known."""
        x = next((a for a in args if isinstance(a, torch.Tensor)), None)
        site = self.sites.get(id(module))
        usual = self._moments.get(site) if site is not None else None
        if x is None or site is None or usual is None or not x.is_floating_point():
            return
        with torch.no_grad(), torch._C.DisableTorchFunction():
            moments = self._evaluated.setdefault(site, kernels.FeatureMoments())
            moments.add(x.detach())
            self._pending[site] = moments.against(usual)
        if not self.recorder.known_fact("eval_input", site):
            file, line = caller()
            self.recorder.fact("eval_input", site, file=file, line=line, shape=list(x.shape))

    def ended(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        """A forward of a top-level module ended, with gradient or without."""
        self.contests.ran(module, args, output, self.sites.get(id(module)))

    def close_step(self) -> None:
        """Record what evaluation forwards before the end of this step have shown."""
        self.contests.close_step()
        for site, found in self._pending.items():
            self.recorder.put(site, kernels.EVAL_INPUT, found)
        self._pending.clear()

    def _site(self, module: nn.Module, x: torch.Tensor) -> int:
        name = self.models.name_of(module)
        file, line = caller()  # the line that gives the model its input
        site = self.recorder.site(
            "input", f"{name}.input", key=id(module), type=type(module).__name__,
            file=file, line=line,
            meta={
                "model": name, "dtype": str(x.dtype).removeprefix("torch."),
                "shape": list(x.shape), "kind": "float" if x.is_floating_point() else "ids",
                "first_layer": None, "first_role": "",
            },
        )  # fmt: skip
        self.sites[id(module)] = site
        known = self.recorder.get(site)
        if known.meta.get("first_layer") is None:
            first = self._first_layer(module)
            if first is not None:
                meta = {**known.meta, "first_layer": first[0], "first_role": first[1]}
                self.recorder.update_site(site, meta=meta)
        return site

    def _first_layer(self, module: nn.Module) -> tuple[int, str] | None:
        """The watched module below ``module`` that ran first and has a say in the signal."""
        ran = [
            info
            for _, child, _ in walk(module)
            if (info := self.models.modules.get(id(child))) is not None and info.order >= 0
        ]
        ran = [i for i in ran if i.role not in ("other", "dropout", "pool")]
        if not ran:
            return None
        first = min(ran, key=lambda i: i.order)
        return first.site, first.role
