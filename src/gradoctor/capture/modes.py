"""Train and eval mode of the modules that behave differently in the two: norms and dropout."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from gradoctor.capture.models import ModuleInfo
from gradoctor.capture.places import Place
from gradoctor.capture.recorder import Recorder

_NORMS = (nn.modules.batchnorm._BatchNorm,)


@dataclass(slots=True)
class Mode:
    """How a module ran in forwards that a backward followed."""

    train: int = 0
    eval: int = 0
    eval_after_train: int = 0
    run: int = 0
    samples: int = 0
    sizes: dict[int, int] = field(default_factory=dict)


class Modes:
    """Counts, for each batch norm and dropout, the mode of its training forwards."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.evals: dict[int, tuple[weakref.ref[nn.Module], Place]] = {}
        self._known: dict[int, Mode] = {}
        self._now: dict[int, tuple[bool, int, weakref.ref[nn.Module]]] = {}
        self._told: set[int] = set()
        self._norms: dict[int, dict[str, Any]] = {}

    def called_eval(self, module: nn.Module, place: Place) -> None:
        """``module.eval()`` was called."""
        self.evals[id(module)] = (weakref.ref(module), place)

    def observe(
        self, info: ModuleInfo, module: nn.Module, output: torch.Tensor, top: nn.Module
    ) -> None:
        """A module ran with gradient; what counts is the last call before the backward."""
        if info.role == "dropout" and info.site not in self._told:
            self._told.add(info.site)
            self._describe_dropout(info, module)
        if isinstance(module, _NORMS):
            samples = output.numel() // max(1, output.shape[1] if output.dim() > 1 else 1)
            self._norms[info.site] = {
                "momentum": module.momentum, "tracks": module.running_mean is not None
            }  # fmt: skip
        elif info.role == "dropout":
            samples = 0
        else:
            return
        self._now[info.site] = (module.training, samples, weakref.ref(top))

    def _describe_dropout(self, info: ModuleInfo, module: Any) -> None:
        site = self.recorder.get(info.site)
        self.recorder.fact(
            "dropout", info.site, file=site.file, line=site.line, p=float(module.p),
            functional=False, active_in_eval=0, output_of_model=False, grad_disabled=0,
        )  # fmt: skip

    def close_step(self, had_backward: bool) -> None:
        """Count what ran in this step, if a backward followed."""
        now, self._now = self._now, {}
        if not had_backward:
            return
        whole: dict[int, bool] = {}
        for site, (training, samples, ref) in now.items():
            mode = self._known.setdefault(site, Mode())
            mode.samples = samples
            if training:
                if samples and (samples in mode.sizes or len(mode.sizes) < 64):
                    mode.sizes[samples] = mode.sizes.get(samples, 0) + 1
                mode.train += 1
                mode.run = 0
            else:
                mode.eval += 1
                mode.run += 1
                mode.eval_after_train += mode.train > 0
            top = ref()
            if top is not None and id(top) not in whole:
                whole[id(top)] = not any(m.training for m in top.modules())
            file, line = self._place(top)
            self.recorder.fact(
                "mode", site, file=file, line=line, train=mode.train, eval=mode.eval,
                eval_after_train=mode.eval_after_train, last_eval_run=mode.run,
                whole_model_eval=bool(top is not None and whole[id(top)]), samples=mode.samples,
                usual_samples=max(mode.sizes, key=mode.sizes.__getitem__, default=0),
                fewest_samples=min(mode.sizes, default=0),
                **self._norms.get(site, {"momentum": None, "tracks": False}),
            )  # fmt: skip

    def _place(self, top: nn.Module | None) -> Place:
        """The line that last called ``eval()`` on the model."""
        found = self.evals.get(id(top)) if top is not None else None
        return found[1] if found is not None and found[0]() is top else (None, None)
