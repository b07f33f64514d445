"""Finds what the user named: ``module:factory`` or ``file.py:factory``, and makes the model."""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from gradoctor.capture.places import Places
from gradoctor.capture.source import creator
from gradoctor.errors import GradoctorError


@contextmanager
def remembered(places: Places) -> Iterator[None]:
    """Keep the line of every module that is made meanwhile."""
    original: Any = nn.Module.__init__

    @functools.wraps(original)
    def init(module: nn.Module, *args: Any, **kwargs: Any) -> None:
        places.remember(module, creator(module, 2))
        original(module, *args, **kwargs)

    setattr(nn.Module, "__init__", init)  # noqa: B010
    try:
        yield
    finally:
        setattr(nn.Module, "__init__", original)  # noqa: B010


def load(target: str) -> Any:
    """The object that a target names.

    Raises:
        GradoctorError: the target is misspelt, or there is no such module or name in it.
    """
    place, _, name = target.rpartition(":")
    if not place or not name:
        raise GradoctorError(
            f"{target!r} names no factory.",
            "Write module:factory or file.py:factory, such as train.py:make_model.",
        )
    module = _from_file(place) if place.endswith(".py") else _from_name(place)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            near = difflib.get_close_matches(part, dir(found), 1)
            hint = f"Did you mean {near[0]}?" if near else f"It has: {_public(found)}."
            raise GradoctorError(f"{place} has no {part!r}.", hint)
        found = getattr(found, part)
    return found


def _from_file(place: str) -> Any:
    path = Path(place)
    if not path.is_file():
        raise GradoctorError(f"No such file: {place}.", "Check the path.")
    sys.path.insert(0, str(path.parent.resolve()))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _from_name(place: str) -> Any:
    sys.path.insert(0, "")
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as fault:
        if fault.name is None or not place.startswith(fault.name):
            raise  # the user's module is there and misses another one
        raise GradoctorError(
            f"No module named {place!r}.", "Run it from the project's folder, or name a file.py."
        ) from None


def _public(thing: Any) -> str:
    names = [n for n in dir(thing) if not n.startswith("_")]
    return ", ".join(names[:8])


def made(target: str, found: Any) -> tuple[nn.Module, Any, Any]:
    """The model, its inputs and its loss, each None where the factory gives none.

    Args:
        found: a model, a class of one, or a function without arguments that returns a model,
            ``(model, inputs)`` or ``(model, inputs, loss)``.

    Raises:
        GradoctorError: it needs arguments, or gives no model.
    """
    if not isinstance(found, nn.Module):
        if not callable(found):
            raise _no_model(target, found)
        needed = [p.name for p in _parameters(found) if p.default is p.empty]
        if needed:
            raise GradoctorError(
                f"{target} needs arguments: {', '.join(needed)}.",
                "Give them defaults, or write a function without arguments that makes the model.",
            )
        found = found()
    model, inputs, loss = (*found, None, None)[:3] if isinstance(found, tuple) else (
        found, None, None,
    )  # fmt: skip
    if not isinstance(model, nn.Module):
        raise _no_model(target, model)
    return model, inputs, loss


def _parameters(found: Any) -> list[inspect.Parameter]:
    try:
        known = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p for p in known if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD,
                                           p.KEYWORD_ONLY)]  # fmt: skip


def _no_model(target: str, found: Any) -> GradoctorError:
    return GradoctorError(
        f"{target} gives {type(found).__name__}, not an nn.Module.",
        "Name a model, its class, or a function that returns one.",
    )
