"""Containers all of whose entries are one and the same layer."""

from __future__ import annotations

import ast
import functools
import linecache

from torch import nn

from gradoctor.capture.models import Models, walk
from gradoctor.capture.places import NOWHERE, of_attribute
from gradoctor.capture.recorder import Recorder

_CONTAINERS = (nn.Sequential, nn.ModuleList)


def look_for_repeated(root: nn.Module, models: Models, recorder: Recorder) -> None:
    """State each container of ``root`` that holds one layer with weights several times over."""
    for path, module, parent in walk(root):
        entries = list(module._modules.values()) if isinstance(module, _CONTAINERS) else []
        first = entries[0] if len(entries) > 1 else None
        if first is None or any(e is not first for e in entries):
            continue
        if not any(p.dim() > 1 for p in first.parameters()):
            continue  # one activation, with or without a slope, may serve many layers
        place = of_attribute(parent, path.rsplit(".", 1)[-1]) if parent is not None else NOWHERE
        file, line = place if place != NOWHERE else models.place_of(first)
        info = models.info(first)
        recorder.fact(
            "repeated", info.site if info is not None else None, path, file=file, line=line,
            container=models.name_of(module), entries=len(entries), count=0,
            multiplied=_multiplies(file, line), **{"class": type(first).__name__},
        )  # fmt: skip


def _multiplies(file: str | None, line: int | None) -> bool:
    """The function around a line multiplies a list, or repeats a name in a comprehension.

    Outside of functions the line itself is read.
    """
    if file is None or line is None:
        return False
    around = [f for f in _functions(file) if f.lineno <= line <= (f.end_lineno or f.lineno)]
    inner: ast.AST | None = max(around, key=lambda f: f.lineno, default=None)
    if inner is None:
        try:
            inner = ast.parse(linecache.getline(file, line).strip())
        except SyntaxError:
            return False
    return any(_repeats(node) for node in ast.walk(inner))


def _repeats(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return isinstance(node.left, ast.List) or isinstance(node.right, ast.List)
    names = (ast.Name, ast.Attribute)
    return isinstance(node, ast.ListComp | ast.GeneratorExp) and isinstance(node.elt, names)


@functools.lru_cache(maxsize=64)
def _functions(file: str) -> tuple[ast.FunctionDef, ...]:
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return ()
    return tuple(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef))
