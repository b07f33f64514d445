"""The mutation operators: each finds its places in a script and says what would be right there.

An operator gives one ``Change`` a place; the injector draws one of them. ``accept`` lists the codes
whose illness the change is or directly makes, not what happens to be found in it.
"""

from __future__ import annotations

import ast
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from corpus.edits import Edit, Placed, Script, called, integer, number
from corpus.mutation import places
from corpus.mutation.places import calls

ACTIVATIONS = {"ReLU", "GELU", "SiLU", "ELU", "Tanh", "LeakyReLU"}
FUNCTIONS = {"relu", "gelu", "silu", "elu", "tanh", "leaky_relu"}
NORMS = {"BatchNorm1d", "BatchNorm2d", "LayerNorm", "GroupNorm"}
TOO_FAST = ("GD401", "GD402", "GD201", "GD418", "GD109")
TOO_SLOW = ("GD403",)
STALLED = (
    "GD101", "GD103", "GD104", "GD203", "GD204", "GD211", "GD303", "GD403", "GD417", "GD509",
)  # fmt: skip
UNSTABLE = (
    "GD102", "GD104", "GD109", "GD201", "GD202", "GD204", "GD205", "GD309", "GD401", "GD402",
    "GD417", "GD418", "GD509", "GD701",
)  # fmt: skip
ANY = tuple(sorted({*STALLED, *UNSTABLE}))


@dataclass(frozen=True)
class Change:
    """One way to change a script.

    Attributes:
        line: where the fault then is.
        accept: codes that are right as the root; the first is the nearest.
        also: codes of its effects, which may be found besides.
        anchors: nodes whose lines are right as the place besides the changed line.
        when: the condition under which the fault holds; '' from the start.
    """

    line: int
    edits: tuple[Edit, ...]
    accept: tuple[str, ...]
    also: tuple[str, ...] = ()
    anchors: tuple[Placed, ...] = ()
    when: str = ""


Operator = Callable[[Script, random.Random], list[Change]]


def activation_removed(script: Script, draw: random.Random) -> list[Change]:
    """The non-linearities of one line become the identity."""
    del draw
    found = _activations(script, "Identity", lambda inner: f"({inner})")
    codes = ("GD209", "GD102", "GD304", "GD401")
    return [Change(line, edits, codes, UNSTABLE, places.layers(script)) for line, edits in found]


def activation_changed(script: Script, draw: random.Random) -> list[Change]:
    """The non-linearities of one line become sigmoids."""
    del draw
    found = _activations(script, "Sigmoid", lambda inner: f"torch.sigmoid({inner})")
    codes = ("GD101", "GD202", "GD103", "GD204", "GD303", "GD305")
    return [Change(line, edits, codes, STALLED, places.layers(script)) for line, edits in found]


def weights_drawn_anew(script: Script, draw: random.Random) -> list[Change]:
    """The weights of a finished model are filled: much too large, too small, or all equal."""
    fill, codes, also = draw.choice([
        ("normal_(p, 0, 1.0)", ("GD304", "GD102", "GD202", "GD309"), UNSTABLE),
        ("normal_(p, 0, 1e-4)", ("GD303", "GD101", "GD103", "GD204"), STALLED),
        ("constant_(p, 0.05)", ("GD302", "GD301"), ANY),
        ("zeros_(p)", ("GD301", "GD302"), STALLED),
    ])  # fmt: skip
    changes = []
    for made, name in places.models(script):
        end = script.span(made)[1]
        new = f"; [torch.nn.init.{fill} for p in {name}.parameters()]"
        changes.append(
            Change(made.end_lineno or made.lineno, ((end, end, new),), codes, also,
                   (made, *places.layers(script)))
        )  # fmt: skip
    return changes


def learning_rate(script: Script, draw: random.Random) -> list[Change]:
    """The rate is some decades too high or too low."""
    factor = draw.choice([1e-4, 1e-3, 1e2, 1e3])
    codes, also = (TOO_FAST, UNSTABLE) if factor > 1 else (TOO_SLOW, STALLED)
    return [
        Change(optimizer.lineno, (_times(script, rate, factor),), codes, also, (optimizer,))
        for optimizer in places.optimizers(script)
        if (rate := places.rate_of(optimizer))
    ]


def learning_rate_later(script: Script, draw: random.Random) -> list[Change]:
    """From a random time of training on the rate is far too high."""
    factor = draw.choice([100, 1000])
    changes = []
    for clear in places.training_calls(script, "zero_grad"):
        name = places.owner(script, clear)
        when = places.time_drawn(script, clear, draw, ">=")
        for optimizer in places.optimizers(script):
            rate = places.rate_of(optimizer)
            if when and rate and name in places.names_of(script, optimizer):
                first, _, high = _times(script, rate, factor)
                first = script.span(clear)[0]
                new = f"{name}.param_groups[0].update(lr={high}) if {when} else None; "
                edit = (first, first, new)
                changes.append(
                    Change(clear.lineno, (edit,), TOO_FAST, UNSTABLE, (optimizer,), when)
                )
    return changes


def batch_size(script: Script, draw: random.Random) -> list[Change]:
    """Batches of one or two examples."""
    small = str(draw.choice([1, 2]))
    codes = ("GD606", "GD801", "GD612", "GD402")
    return [
        Change(size.lineno, ((*script.span(size), small),), codes, ANY)
        for node in script.nodes
        if (size := _batch_size(node)) and (integer(size) or 0) > 2
    ]


def loss_changed(script: Script, draw: random.Random) -> list[Change]:
    """The loss is given what it does not expect: probabilities, raw scores, or another shape."""
    del draw
    changes = []
    for call, kind in places.loss_calls(script):
        span, given = script.span(call.args[0]), script.source(call.args[0])
        if kind == "classes":
            edit = (*span, f"torch.softmax({given}, 1)")
            changes.append(Change(call.lineno, (edit,), ("GD501",), STALLED))
        if kind == "binary":
            edit = (*span, f"torch.sigmoid({given})")
            changes.append(Change(call.lineno, (edit,), ("GD503",), STALLED))
        if kind == "numbers":
            edit = (*span, f"({given}).reshape(-1, 1)")
            changes.append(Change(call.lineno, (edit,), ("GD505",), STALLED))
        if called(call) == "cross_entropy":
            edit = (*script.span(call.func), "torch.nn.functional.nll_loss")
            changes.append(Change(call.lineno, (edit,), ("GD502",), UNSTABLE))
    return changes


def normalisation_removed(script: Script, draw: random.Random) -> list[Change]:
    """A normaliser becomes the identity, or the inputs are no longer scaled."""
    del draw
    codes = ("GD809", "GD102", "GD304", "GD401", "GD205", "GD101", "GD303")
    changes = [
        Change(call.lineno, ((*script.span(call), "torch.nn.Identity()"),), codes, ANY)
        for call in calls(script, NORMS)
    ]
    for node in script.nodes:
        if not (
            isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and number(node.right)
        ):
            continue
        if script.source(node.left).endswith((".data", ".images")):
            edit = (*script.span(node), f"{script.source(node.left)} * 100")
            readers = [*places.layers(script), *(call for call, _ in places.loss_calls(script))]
            unscaled = ("GD601", "GD309", "GD102")
            changes.append(Change(node.lineno, (edit,), unscaled, ANY, tuple(readers)))
    return changes


def labels_corrupted(script: Script, draw: random.Random) -> list[Change]:
    """The labels of a batch are those of other examples, from the start or from a random time."""
    changes = []
    codes = ("GD616", "GD605", "GD519")
    for call, _ in places.loss_calls(script):
        span, given = script.span(call.args[1]), script.source(call.args[1])
        when = places.time_drawn(script, call, draw, ">=") if draw.random() < 0.5 else ""
        rolled = f"({given}).roll(1, 0)"
        new = f"({rolled} if {when} else {given})" if when else rolled
        also = (*STALLED, "GD418", "GD610")
        changes.append(Change(call.lineno, ((*span, new),), codes, also, (), when))
    return changes


def optimizer_changed(script: Script, draw: random.Random) -> list[Change]:
    """Another optimizer with the rate that was right for the first: too high, or too low."""
    del draw
    changes = []
    for optimizer in places.optimizers(script):
        rate = places.rate_of(optimizer)
        if rate is None or not optimizer.args:
            continue
        fast = called(optimizer) == "SGD"
        new = f"torch.optim.{'Adam' if fast else 'SGD'}({script.source(optimizer.args[0])}, "
        edit = (*script.span(optimizer), f"{new}lr={script.source(rate)})")
        codes, also = (TOO_FAST, UNSTABLE) if fast else (TOO_SLOW, STALLED)
        changes.append(Change(optimizer.lineno, (edit,), codes, also))
    return changes


def dropout_rate(script: Script, draw: random.Random) -> list[Change]:
    """Nearly every unit is dropped, by a dropout that was there or a new one."""
    rate = draw.choice([0.9, 0.95, 0.98])
    codes = ("GD804", "GD810", "GD803")
    present = [c for c in calls(script, {"Dropout", "Dropout2d"}) if c.args and number(c.args[0])]
    edits = [(c, (*script.span(c.args[0]), str(rate))) for c in present] or [
        (c, (*script.span(c), f"torch.nn.Sequential({script.source(c)}, torch.nn.Dropout({rate}))"))
        for c in calls(script, ACTIVATIONS)
    ]
    return [Change(call.lineno, (edit,), codes, STALLED) for call, edit in edits]


DROPPED = {
    "zero_grad": ("GD901",),
    "step": ("GD905",),
    "backward": ("GD905", "GD903"),
    "train": ("GD906",),
    "clip_grad_norm_": ("GD401", "GD102", "GD418", "GD109"),
}


def call_dropped(script: Script, draw: random.Random) -> list[Change]:
    """A call of the training loop is gone, from the start or from a random time on."""
    changes = []
    around = [*places.optimizers(script)]
    around += [c for name in ("backward", "step") for c in places.training_calls(script, name)]
    for name, codes in DROPPED.items():
        for call in places.training_calls(script, name):
            if name == "step" and not places.steps_an_optimizer(script, call):
                continue
            when = places.time_drawn(script, call, draw, "<") if draw.random() < 0.5 else ""
            new = f"({script.source(call)} if {when} else None)" if when else "None"
            edit = (*script.span(call), new)
            changes.append(Change(call.lineno, (edit,), codes, ANY, tuple(around), when))
    return changes


def calls_swapped(script: Script, draw: random.Random) -> list[Change]:
    """The optimizer steps before the backward pass that follows it."""
    del draw
    changes = []
    for back in places.training_calls(script, "backward"):
        statement = script.parents[back]
        block = places.block_of(script, statement)
        if not isinstance(statement, ast.stmt):
            continue
        for after in block[block.index(statement) + 1 :][:1]:
            step = after.value if isinstance(after, ast.Expr) else None
            if not isinstance(step, ast.Call) or called(step) != "step":
                continue
            if places.steps_an_optimizer(script, step):
                texts = script.source(after), script.source(statement)
                edits = ((*script.span(statement), texts[0]), (*script.span(after), texts[1]))
                anchors = (back, step, *places.optimizers(script))
                codes = ("GD905", "GD901", "GD104")
                changes.append(Change(back.lineno, edits, codes, STALLED, anchors))
    return changes


OPERATORS: dict[str, Operator] = {
    operator.__name__.replace("_", "-"): operator
    for operator in (
        activation_removed, activation_changed, weights_drawn_anew, learning_rate,
        learning_rate_later, batch_size, loss_changed, normalisation_removed, labels_corrupted,
        optimizer_changed, dropout_rate, call_dropped, calls_swapped,
    )
}  # fmt: skip


def _activations(
    script: Script, module: str, function: Callable[[str], str]
) -> Iterable[tuple[int, tuple[Edit, ...]]]:
    """The edits of each line; those of one line go together, the outermost call only.

    A function that is called in the evaluation alone is no part of training: left as it is.
    """
    lines: dict[int, list[Edit]] = defaultdict(list)
    for call in calls(script, ACTIVATIONS | FUNCTIONS):
        if called(call) in ACTIVATIONS:
            new = f"torch.nn.{module}()"
        elif call.args and places.trains(script, call):
            new = function(script.source(call.args[0]))
        else:
            continue
        first, last = script.span(call)
        if not any(a <= first and last <= b for edits in lines.values() for a, b, _ in edits):
            lines[call.lineno].append((first, last, new))
    return [(line, tuple(edits)) for line, edits in lines.items()]


def _times(script: Script, literal: ast.expr, factor: float) -> Edit:
    return (*script.span(literal), f"{(number(literal) or 0) * factor:g}")


def _batch_size(node: ast.AST) -> ast.expr | None:
    """Where a batch's size stands: ``batch_size=``, ``randint(n, (size,))``, ``.split(size)``."""
    if isinstance(node, ast.keyword):
        return node.value if node.arg == "batch_size" else None
    if not isinstance(node, ast.Call) or not node.args:
        return None
    if called(node) == "split":
        return node.args[0]
    shapes = [a for a in node.args if isinstance(a, ast.Tuple) and len(a.elts) == 1]
    return shapes[0].elts[0] if shapes and called(node) == "randint" else None
