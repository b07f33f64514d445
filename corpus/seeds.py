"""The same script with other random numbers: its literal seeds shifted, every line in its place."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from corpus.edits import Script, called, integer

STRIDE = 1000
"""Between a script's own seeds and those of its next run: scripts use small ones side by side."""
SEEDING = {"manual_seed", "manual_seed_all", "seed", "default_rng", "RandomState", "PRNGKey"}
NAMES = {"seed", "random_state", "random_seed", "SEED", "RANDOM_STATE"}


def reseeded(text: str, seed: int) -> str:
    """The script as run number ``seed``; run 0 is the script itself.

    Raises:
        ValueError: the script sets no seed by a literal number.
    """
    if not seed:
        return text
    script = Script(text)
    found = dict(pair for n in script.nodes for pair in _literals(n))
    if not found:
        raise ValueError("no literal seed")
    return script.edited(
        (*script.span(literal), str(value + STRIDE * seed)) for literal, value in found.items()
    )


def _literals(node: ast.AST) -> Iterable[tuple[ast.Constant, int]]:
    for candidate in _candidates(node):
        value = integer(candidate)
        if isinstance(candidate, ast.Constant) and value is not None:
            yield candidate, value


def _candidates(node: ast.AST) -> Iterable[ast.AST | None]:
    """The values that make a seed: of a call, a keyword, a default, or an assignment."""
    if isinstance(node, ast.Call):
        if called(node) in SEEDING:
            yield from node.args[:1]
        option = node.args[0] if called(node) == "add_argument" and node.args else None
        if isinstance(option, ast.Constant) and str(option.value).lstrip("-") in NAMES:
            yield from (k.value for k in node.keywords if k.arg == "default")
    elif isinstance(node, ast.keyword) and node.arg in NAMES:
        yield node.value
    elif isinstance(node, ast.FunctionDef):
        names = [*node.args.posonlyargs, *node.args.args]
        pairs = zip(reversed(names), reversed(node.args.defaults), strict=False)
        yield from (default for arg, default in pairs if arg.arg in NAMES)
    elif isinstance(node, ast.Assign):
        if any(isinstance(t, ast.Name) and t.id in NAMES for t in node.targets):
            yield node.value
    elif isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") in NAMES:
        yield node.value
