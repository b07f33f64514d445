"""The tools, each behind the same three calls: it begins, it sees a step, it has spoken."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Protocol

import torch
from torch import nn

from corpus.peers import meanings as mean
from corpus.peers.meanings import Said, Severity

EVERY = 10
"""Steps between two inspections of tools that leave the cadence to the user: scripts of the corpus
take a few hundred steps, of which their defaults (100 and more) would see two or three."""


LEVELS: dict[str, Severity] = {"info": "note", "warning": "suspect", "critical": "sick"}
"""Most of them use these three words."""


class Tool(Protocol):
    """A tool that watches one model; a fault of its own ends it, not the training."""

    def before_step(self, step: int, loss: float, lr: float) -> None:
        """Gradients are there, the optimizer has not stepped."""

    def after_step(self, step: int, loss: float) -> None:
        """The optimizer has stepped."""

    def said(self) -> list[Said]:
        """All that it said, in its own order."""


class Torchmortem:
    """``torchmortem.Autopsy``, default sampling: a report at the end."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer | None) -> None:
        from torchmortem import Autopsy

        self.autopsy = Autopsy(model, optimizer=optimizer)
        self.autopsy.attach()

    def before_step(self, step: int, loss: float, lr: float) -> None:
        pass

    def after_step(self, step: int, loss: float) -> None:
        self.autopsy.step(loss=loss)

    def said(self) -> list[Said]:
        self.autopsy.detach()
        report = self.autopsy.get_report()
        return [
            Said(LEVELS[f.severity.name.lower()], f.title, _meant(f.title, mean.TORCHMORTEM),
                 f.title.partition(" in ")[2])
            for f in (report.findings if report else ())
        ]  # fmt: skip


class ModelClinic:
    """``model_clinic.ClinicMonitor``."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer | None) -> None:
        from model_clinic._monitor import ClinicMonitor

        self.monitor = ClinicMonitor(model, log_every=EVERY)

    def before_step(self, step: int, loss: float, lr: float) -> None:
        self.monitor.step(step, loss=loss)

    def after_step(self, step: int, loss: float) -> None:
        pass

    def said(self) -> list[Said]:
        return [
            Said("sick" if a.severity == "ERROR" else "suspect", a.message,
                 mean.MODEL_CLINIC.get(a.condition, ()),
                 str(a.details.get("layer") or a.details.get("param") or ""))
            for a in self.monitor.alerts()
        ]  # fmt: skip


class TrainingDoctor:
    """``training_doctor.Doctor``, fed the loss, the gradient norm and the rate."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer | None) -> None:
        from training_doctor.doctor import Doctor

        self.doctor, self.model = Doctor(), model

    def before_step(self, step: int, loss: float, lr: float) -> None:
        self.doctor.log(step, loss=loss, grad_norm=grad_norm(self.model), lr=lr)

    def after_step(self, step: int, loss: float) -> None:
        pass

    def said(self) -> list[Said]:
        return [
            Said(LEVELS[d.severity.value], d.problem, _meant(d.problem, mean.TRAINING_DOCTOR))
            for d in self.doctor.diagnoses
        ]


class Trainpulse:
    """``trainpulse.Monitor``, fed the loss, the gradient norm and the rate."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer | None) -> None:
        from trainpulse.monitor import Monitor

        self.monitor, self.model = Monitor(), model

    def before_step(self, step: int, loss: float, lr: float) -> None:
        self.monitor.log("loss", step, loss)
        self.monitor.log("grad_norm", step, grad_norm(self.model))
        self.monitor.log("lr", step, lr)

    def after_step(self, step: int, loss: float) -> None:
        pass

    def said(self) -> list[Said]:
        return [
            Said(LEVELS[a.severity.value], a.message, _meant(a.message, mean.TRAINPULSE))
            for a in self.monitor.alerts
        ]


class Traintools:
    """``traintools.GradientHealthMonitor``; its warnings have no levels of their own.

    One that comes in the half of all inspections or more, or that says non-finite, counts as sick.
    """

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer | None) -> None:
        from traintools.gradhealth import GradientHealthMonitor

        self.monitor, self.model = GradientHealthMonitor(), model
        self.looks = 0
        self.counts: Counter[tuple[str, str]] = Counter()

    def before_step(self, step: int, loss: float, lr: float) -> None:
        if step % EVERY:
            return
        self.looks += 1
        heard: set[tuple[str, str]] = set()
        for warning in self.monitor.inspect(self.model, step=step, lr=lr).warnings:
            key = next((k for k in mean.TRAINTOOLS if k in warning), "")
            heard.add((key, warning.split(" ")[0] if "global" not in warning else ""))
        self.counts.update(heard)

    def after_step(self, step: int, loss: float) -> None:
        pass

    def said(self) -> list[Said]:
        found = [
            Said("sick" if key == "non-finite" or 2 * n >= self.looks else "suspect",
                 f"{name} gradient: {key}".strip(), mean.TRAINTOOLS.get(key, ()), name)
            for (key, name), n in self.counts.most_common()
        ]  # fmt: skip
        return sorted(found, key=lambda s: s.severity != "sick")


def grad_norm(model: nn.Module) -> float:
    """L2 norm of all gradients of a model."""
    total = math.fsum(_squares(model))
    return math.sqrt(total) if total >= 0 else total


def _squares(model: nn.Module) -> Iterator[float]:
    for p in model.parameters():
        if p.grad is not None:
            yield float(p.grad.detach().double().square().sum())


def _meant(message: str, means: mean.Meanings) -> tuple[str, ...]:
    return next((codes for key, codes in means.items() if message.startswith(key)), ())
