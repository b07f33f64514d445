"""Finding the places of a training script: its layers, loops, losses, optimizers and rates."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterable

from corpus.edits import Script, called, integer, number

LAYERS = {"Linear", "Conv1d", "Conv2d", "LSTM", "GRU", "RNN", "Embedding"}
OPTIMIZERS = {"SGD", "Adam", "AdamW", "NAdam", "RMSprop", "RAdam", "Adagrad"}
LOSSES = {
    "cross_entropy": "classes", "CrossEntropyLoss": "classes",
    "mse_loss": "numbers", "MSELoss": "numbers",
    "smooth_l1_loss": "numbers", "SmoothL1Loss": "numbers",
    "binary_cross_entropy_with_logits": "binary", "BCEWithLogitsLoss": "binary",
}  # fmt: skip
"""What a loss function is given."""


def calls(script: Script, names: Iterable[str]) -> list[ast.Call]:
    """The calls of some names, in the order of the text."""
    wanted = set(names)
    return [n for n in script.nodes if isinstance(n, ast.Call) and called(n) in wanted]


def layers(script: Script) -> tuple[ast.Call, ...]:
    """Where layers with weights are made."""
    return tuple(calls(script, LAYERS))


def optimizers(script: Script) -> tuple[ast.Call, ...]:
    """Where optimizers are made."""
    return tuple(calls(script, OPTIMIZERS))


def names_of(script: Script, made: ast.AST) -> list[str]:
    """The names that what a call makes is assigned to."""
    statement = script.parents.get(made)
    if not isinstance(statement, ast.Assign):
        return []
    return [script.source(t) for t in statement.targets]


def models(script: Script) -> list[tuple[ast.Assign, str]]:
    """Assignments of a whole model to a name whose ``parameters()`` are trained."""
    trained = {owner(script, c) for c in calls(script, ["parameters"])}
    return [
        (node, name)
        for node in script.nodes
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for name in map(script.source, node.targets)
        if name in trained
    ]


def rate_of(optimizer: ast.Call) -> ast.expr | None:
    """The literal learning rate that an optimizer is given."""
    given = [k.value for k in optimizer.keywords if k.arg == "lr"] + optimizer.args[1:2]
    return given[0] if given and number(given[0]) else None


def loops_around(script: Script, node: ast.AST) -> list[ast.For]:
    """The ``for`` loops around a node, the outermost first; those of its own function only."""
    found: list[ast.For] = []
    outer = script.parents.get(node)
    while outer is not None and not isinstance(outer, ast.FunctionDef | ast.ClassDef):
        if isinstance(outer, ast.For):
            found.append(outer)
        outer = script.parents.get(outer)
    return found[::-1]


def training_calls(script: Script, name: str) -> list[ast.Call]:
    """Statements ``x.name(...)`` in a loop that also goes backward."""
    return [
        call
        for call in calls(script, [name])
        if isinstance(script.parents[call], ast.Expr) and trained_in(script, call)
    ]


def owner(script: Script, call: ast.Call) -> str:
    """``x`` of a call ``x.name(...)``; '' for any other."""
    return script.source(call.func.value) if isinstance(call.func, ast.Attribute) else ""


def trains(script: Script, node: ast.AST) -> bool:
    """Whether a node may be part of training: in a function or class, or in a training loop."""
    outer = script.parents.get(node)
    while outer is not None:
        if isinstance(outer, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            return True
        outer = script.parents.get(outer)
    return trained_in(script, node)


def trained_in(script: Script, node: ast.AST) -> bool:
    """Whether a node is in a loop that also goes backward."""
    return any(
        called(inner) == "backward"
        for loop in loops_around(script, node)[-1:]
        for inner in ast.walk(loop)
    )


def steps_an_optimizer(script: Script, call: ast.Call) -> bool:
    """Whether ``x.step()`` is an optimizer's: ``x`` also clears gradients, or is made as one."""
    name = owner(script, call)
    clears = {owner(script, c) for c in calls(script, ["zero_grad"])} - {""}
    return name in clears or any(name in names_of(script, o) for o in optimizers(script))


def loss_calls(script: Script) -> list[tuple[ast.Call, str]]:
    """Calls of a loss with outputs and targets in the training loop, and what it is given."""
    kinds = dict(LOSSES)
    for maker in calls(script, LOSSES):
        kinds |= dict.fromkeys(names_of(script, maker), LOSSES[called(maker)])
    return [
        (call, kinds[called(call)])
        for call in calls(script, kinds)
        if len(call.args) == 2 and trained_in(script, call)
    ]


def block_of(script: Script, statement: ast.AST) -> list[ast.stmt]:
    """The statements among which one stands."""
    parent = script.parents[statement]
    for field in ("body", "orelse", "finalbody"):
        block = getattr(parent, field, None)
        if isinstance(block, list) and statement in block:
            return block
    return []


def time_drawn(script: Script, node: ast.AST, draw: random.Random, sign: str) -> str:
    """A condition such as ``epoch >= 4`` on the outermost counted loop; '' when none is counted."""
    share = draw.uniform(0.3, 0.7)
    for loop in loops_around(script, node):
        end = _end(script, loop)
        if isinstance(loop.target, ast.Name) and end and end >= 4:
            return f"{loop.target.id} {sign} {max(1, round(end * share))}"
    return ""


def _end(script: Script, loop: ast.For) -> int | None:
    """Where ``range(n)`` ends, ``n`` being a literal or a name given one."""
    counted = loop.iter
    if not isinstance(counted, ast.Call) or called(counted) != "range" or len(counted.args) != 1:
        return None
    end = counted.args[0]
    if isinstance(end, ast.Name):
        for node in script.nodes:
            if isinstance(node, ast.Assign) and end.id in map(script.source, node.targets):
                end = node.value
                break
    return integer(end)
