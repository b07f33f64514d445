"""The models of a run: names, roles and sites of their modules and parameters."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from gradoctor.capture.places import NOWHERE, Place, Places, name_in_frames, of_attribute
from gradoctor.capture.recorder import Recorder
from gradoctor.capture.roles import activation_of, is_watched_whole, role_of


@dataclass(slots=True)
class ModuleInfo:
    """What is known of one module that ran."""

    site: int
    name: str
    role: str
    activation: str
    model: str
    order: int = -1
    calls: int = 0
    params: tuple[int, ...] = ()
    dead: Any = None
    ref: weakref.ref[nn.Module] | None = None


@dataclass(slots=True)
class ParameterInfo:
    """What is known of one parameter (or other leaf tensor that training changes)."""

    site: int
    name: str
    ref: weakref.ref[torch.Tensor]
    module: int | None = None
    registered: bool = True
    wiring: dict[str, Any] = field(default_factory=dict)

    def tensor(self) -> torch.Tensor | None:
        """The parameter, None when it is gone."""
        return self.ref()


@dataclass(slots=True)
class Root:
    """A module that the training calls directly."""

    ref: weakref.ref[nn.Module]
    name: str
    number: int


class Models:
    """Finds models as they run, and names everything in them."""

    def __init__(self, recorder: Recorder, places: Places) -> None:
        self.recorder = recorder
        self.places = places
        self.roots: list[Root] = []
        self.modules: dict[int, ModuleInfo] = {}
        self.parameters: dict[int, ParameterInfo] = {}
        self._names: dict[int, tuple[weakref.ref[nn.Module], Root, str, int]] = {}
        self._order = 0

    # ---- roots -------------------------------------------------------------------------------
    def is_known(self, module: nn.Module) -> bool:
        """The module belongs to a model that was seen."""
        known = self._names.get(id(module))
        return known is not None and known[0]() is module

    def add_root(self, module: nn.Module, name: str = "") -> Root:
        """Take in a model and everything below it."""
        name = name or name_in_frames(module, 4) or type(module).__name__
        root = Root(weakref.ref(module), name, len(self.roots))
        self.roots.append(root)
        if root.number == 1:
            self._prefix_first_root()
        seen: dict[int, str] = {}
        for path, child, parent in walk(module):
            if not self.is_known(child):
                parent_id = id(parent) if parent is not None else 0
                self._names[id(child)] = (weakref.ref(child), root, path, parent_id)
            seen[id(child)] = path
        for path, parameter, owner in _parameters(module):
            self.add_parameter(parameter, self._full(root, path), owner)
        file, line = self.place_of(module)
        data: dict[str, Any] = {
            "name": root.name, "class": type(module).__name__, "modules": len(seen),
            "parameters": sum(p.numel() for p in module.parameters()),
        }  # fmt: skip
        self.recorder.fact("model", key=root.name, file=file, line=line, **data)
        return root

    def _full(self, root: Root, path: str) -> str:
        if len(self.roots) == 1:
            return path or root.name
        return f"{root.name}.{path}" if path else root.name

    def _prefix_first_root(self) -> None:
        """A second model came: the first one's names get its name in front, too."""
        first = self.roots[0]
        named: list[ModuleInfo | ParameterInfo] = [*self.modules.values()]
        for info in [*named, *self.parameters.values()]:
            if info.name != first.name and not info.name.startswith(first.name + "."):
                info.name = f"{first.name}.{info.name}"
                self.recorder.update_site(info.site, name=info.name)

    def refresh(self, module: nn.Module) -> None:
        """Take in modules and parameters that were added to a known model since."""
        for root in self.roots:
            if root.ref() is module:
                for path, child, parent in walk(module):
                    if not self.is_known(child):
                        parent_id = id(parent) if parent is not None else 0
                        self._names[id(child)] = (weakref.ref(child), root, path, parent_id)
                for path, parameter, owner in _parameters(module):
                    self.add_parameter(parameter, self._full(root, path), owner)

    # ---- modules -----------------------------------------------------------------------------
    def place_of(self, module: nn.Module) -> Place:
        """The line that made a module: as seen, else from its owner's class, else the owner's."""
        place = self.places.of(module)
        if place != NOWHERE:
            return place
        known = self._names.get(id(module))
        if known is None or not known[2]:
            return NOWHERE
        owner = self._owner(known[3])
        if owner is None:
            return NOWHERE
        place = of_attribute(owner, known[2].rsplit(".", 1)[-1])
        return place if place != NOWHERE else self.place_of(owner)

    def _owner(self, key: int) -> nn.Module | None:
        known = self._names.get(key)
        return known[0]() if known else None

    def name_of(self, module: nn.Module) -> str:
        """Dotted name of a module, its class name when it belongs to no model."""
        known = self._names.get(id(module))
        if known is None or known[0]() is not module:
            return type(module).__name__
        return self._full(known[1], known[2])

    def info(self, module: nn.Module) -> ModuleInfo | None:
        """What is known of a module that is watched; None for containers."""
        found = self.modules.get(id(module))
        if found is not None and found.ref is not None and found.ref() is module:
            return found
        if not is_watched_whole(module):
            return None
        return self._add_module(module)

    def _add_module(self, module: nn.Module) -> ModuleInfo:
        known = self._names.get(id(module))
        name, model = self.name_of(module), known[1].name if known else ""
        file, line = self.place_of(module)
        role, activation = role_of(module), activation_of(module)
        meta: dict[str, Any] = {"class": type(module).__name__, "role": role, "model": model}
        if activation:
            meta["activation"] = activation
        if isinstance(getattr(module, "p", None), float):
            meta["p"] = module.p
        if isinstance(module, nn.LocalResponseNorm):
            meta |= {"size": module.size, "alpha": module.alpha}
        meta["path"] = self._path(module)
        site = self.recorder.site(
            "module", name, key=(id(module), name), type=type(module).__name__, file=file,
            line=line, meta=meta,
        )  # fmt: skip
        info = ModuleInfo(site, name, role, activation, model, ref=weakref.ref(module))
        self.modules[id(module)] = info
        own = []
        for leaf, parameter in module._parameters.items():
            if parameter is not None:
                held = self.add_parameter(parameter, f"{name}.{leaf}", module)
                held.module = site
                own.append(held.site)
                self._describe(held, parameter.dim(), leaf, info)
        info.params = tuple(own)
        return info

    def _path(self, module: nn.Module) -> list[str]:
        path: list[str] = []
        known = self._names.get(id(module))
        while known is not None and len(path) < 20:
            owner = self._owner(known[3])
            if owner is None:
                break
            path.insert(0, type(owner).__name__)
            known = self._names.get(id(owner))
        return path

    def ran(self, info: ModuleInfo, output: torch.Tensor | None) -> None:
        """Note that a module ran in a training forward: order, shape, calls."""
        info.calls += 1
        if info.order < 0:
            info.order = self._order
            self._order += 1
            old = self.recorder.get(info.site)
            shape = list(output.shape) if output is not None else []
            meta = {**old.meta, "out_shape": shape, "params": list(info.params)}
            self.recorder.update_site(info.site, order=info.order, meta=meta)
            for held in self.parameters.values():
                if held.site in info.params:
                    self.recorder.update_site(held.site, order=info.order)

    def next_order(self) -> int:
        """The next free position in execution order (functional operations take one, too)."""
        self._order += 1
        return self._order - 1

    # ---- parameters --------------------------------------------------------------------------
    def add_parameter(
        self, parameter: torch.Tensor, name: str = "", owner: nn.Module | None = None
    ) -> ParameterInfo:
        """The record of a parameter; made at the first call."""
        held = self.parameters.get(id(parameter))
        if held is not None and held.tensor() is parameter:
            return held
        registered = owner is not None
        name = name or name_in_frames(parameter, 4) or f"parameter_{len(self.parameters)}"
        file, line = self.place_of(owner) if owner is not None else NOWHERE
        meta = {
            "shape": list(parameter.shape), "numel": parameter.numel(),
            "dtype": str(parameter.dtype).removeprefix("torch."), "leaf": name.rsplit(".", 1)[-1],
            "role": role_of(owner) if owner is not None else "matmul",
        }  # fmt: skip
        if parameter.dim() < 2:
            meta["role"] = "gain" if meta["role"] == "norm" and meta["leaf"] == "weight" else "bias"
        kind = type(owner).__name__ if owner is not None else ""
        site = self.recorder.site(
            "parameter", name, key=(id(parameter), name), type=kind, file=file,
            line=line, meta=meta,
        )  # fmt: skip
        held = ParameterInfo(site, name, weakref.ref(parameter), registered=registered)
        self.parameters[id(parameter)] = held
        return held

    def _describe(self, held: ParameterInfo, dim: int, leaf: str, info: ModuleInfo) -> None:
        old, module = self.recorder.get(held.site), self.recorder.get(info.site)
        role = info.role
        if dim < 2:
            role = "gain" if role == "norm" and leaf == "weight" else "bias"
        meta = {**old.meta, "module": info.site, "model": info.model, "role": role, "leaf": leaf}
        self.recorder.update_site(
            held.site, meta=meta, file=module.file, line=module.line, type=module.type
        )

    def current_parameters(self) -> set[int]:
        """``id`` of each parameter that a living model has now."""
        alive = [root.ref() for root in self.roots]
        return {id(p) for model in alive if model is not None for p in model.parameters()}

    def known_parameter(self, parameter: torch.Tensor) -> ParameterInfo | None:
        """The record of a parameter, None when it was never seen."""
        held = self.parameters.get(id(parameter))
        return held if held is not None and held.tensor() is parameter else None


def walk(
    module: nn.Module, path: str = "", parent: nn.Module | None = None, seen: set[int] | None = None
) -> Iterator[tuple[str, nn.Module, nn.Module | None]]:
    """``(path, module, parent)`` of a module and everything below it, each once."""
    seen = set() if seen is None else seen
    if id(module) in seen:
        return
    seen.add(id(module))
    yield path, module, parent
    for name, child in module._modules.items():
        if child is not None:
            yield from walk(child, f"{path}.{name}" if path else name, module, seen)


def _parameters(module: nn.Module) -> Iterator[tuple[str, torch.Tensor, nn.Module]]:
    seen: set[int] = set()
    for path, child, _ in walk(module):
        for leaf, parameter in child._parameters.items():
            if parameter is not None and id(parameter) not in seen:
                seen.add(id(parameter))
                yield (f"{path}.{leaf}" if path else leaf), parameter, child
