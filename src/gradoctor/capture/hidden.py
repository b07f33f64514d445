"""Modules and parameters that a model keeps where ``parameters()`` does not find them."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from gradoctor.capture.models import Models, walk
from gradoctor.capture.places import of_attribute
from gradoctor.capture.recorder import Recorder

_OWN = frozenset({"_modules", "_parameters", "_buffers"})


@dataclass(slots=True)
class Hidden:
    """One attribute that holds trainable tensors outside the model's parameters."""

    owner: str
    attribute: str
    container: str
    tensors: list[weakref.ref[torch.Tensor]]
    file: str | None
    line: int | None


class HiddenParameters:
    """Finds plain lists, tuples and dicts of modules or parameters in a model's attributes."""

    def __init__(self, recorder: Recorder, models: Models) -> None:
        self.recorder = recorder
        self.models = models
        self._found: dict[tuple[str, str], Hidden] = {}

    def look(self, root: nn.Module) -> None:
        """Search a model; a few attributes of each module, no tensor is touched."""
        registered = {id(p) for p in root.parameters()}
        for _, module, _ in walk(root):
            for attribute, value in list(vars(module).items()):
                if attribute in _OWN or not isinstance(value, list | tuple | dict):
                    continue
                held = [p for p in trainable(value) if id(p) not in registered]
                if held:
                    self._add(module, attribute, type(value).__name__, held)

    def _add(
        self, module: nn.Module, attribute: str, container: str, held: list[torch.Tensor]
    ) -> None:
        owner = self.models.name_of(module)
        file, line = of_attribute(module, attribute)
        if line is None:
            file, line = self.models.place_of(module)
        refs = [weakref.ref(p) for p in held]
        self._found[owner, attribute] = Hidden(owner, attribute, container, refs, file, line)

    def close_step(self, owners: dict[int, int]) -> None:
        """State what was found, with who uses it: a gradient proves that it took part."""
        for (owner, attribute), hidden in self._found.items():
            held = [p for ref in hidden.tensors if (p := ref()) is not None]
            self.recorder.fact(
                "unregistered", None, f"{owner}.{attribute}", file=hidden.file, line=hidden.line,
                owner=owner, attribute=attribute, container=hidden.container,
                parameters=sum(p.numel() for p in held),
                executed=any(p.grad is not None for p in held),
                in_optimizer=any(id(p) in owners for p in held),
            )  # fmt: skip


def trainable(value: Any, depth: int = 3) -> Iterator[torch.Tensor]:
    """Trainable leaf tensors in nested lists, tuples, dicts and the modules in them."""
    if isinstance(value, nn.Module):
        yield from (p for p in value.parameters() if p.requires_grad)
    elif isinstance(value, torch.Tensor):
        if value.requires_grad and value.is_leaf:
            yield value
    elif depth and isinstance(value, list | tuple | dict) and len(value) <= 4096:
        parts = list(value.values()) if isinstance(value, dict) else list(value)
        for part in parts:
            yield from trainable(part, depth - 1)
