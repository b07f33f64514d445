"""Which line of the user's code made each node of an autograd graph.

Deep looks see every operation and keep, for each backward of the script, the nodes of its graph
with the lines that made them. The graph of a later step, which nobody watched, has the same nodes
in the same order, or nearly: its nodes are laid beside the kept ones.
"""

from __future__ import annotations

import inspect
import weakref
from bisect import bisect_right
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import torch
from torch import nn

from gradoctor.capture.graph import Node, in_order
from gradoctor.capture.guard import quiet
from gradoctor.capture.places import NOWHERE, Place
from gradoctor.capture.source import USER, caller, rank

MOST = 4000
"""Nodes of a graph that are followed."""


@dataclass(frozen=True, slots=True)
class Made:
    """Where one node was made: a line, and the module whose forward was running."""

    place: Place = NOWHERE
    module: weakref.ref[nn.Module] | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """The nodes of one backward's graph, in order of execution."""

    names: list[str]
    made: list[Made]


class Lines:
    """Keeps, for each line that calls backward, which lines made the nodes of its graph."""

    def __init__(self) -> None:
        self.known: dict[Place, Kept] = {}
        self._ends: list[int] = []
        self._spans: list[tuple[int, Made]] = []

    def observe(self, before: int, stack: list[nn.Module]) -> None:
        """An operation has run in a deep look; its nodes are numbered from ``before`` on."""
        end = sequence()
        if end > before:
            module = weakref.ref(stack[-1]) if stack else None
            self._ends.append(end)
            self._spans.append((before, Made(caller(), module)))

    def keep(self, place: Place, nodes: list[Node]) -> None:
        """A backward begins at ``place`` in a deep look: keep what its graph is made of."""
        made = [self._seen(node) for node in nodes]
        self.known[place] = Kept([str(node.name()) for node in nodes], made)
        self._ends, self._spans = [], []

    def _seen(self, node: Node) -> Made:
        number = node._sequence_nr()
        at = bisect_right(self._ends, number)
        if at < len(self._spans) and self._spans[at][0] <= number:
            return self._spans[at][1]
        return Made(of_function(node))

    def of(self, place: Place, nodes: list[Node]) -> list[Made]:
        """Where each of these nodes was made, as far as an earlier graph of this line tells."""
        kept = self.known.get(place)
        found = [Made(of_function(node)) for node in nodes]
        if kept is None:
            return found
        names = [str(node.name()) for node in nodes]
        if names == kept.names:
            return kept.made
        match = SequenceMatcher(None, kept.names, names, autojunk=False)
        for old, new, size in match.get_matching_blocks():
            found[new : new + size] = kept.made[old : old + size]
        return found

    def close_step(self) -> None:
        """Forget operations that no backward followed."""
        self._ends, self._spans = [], []


def sequence() -> int:
    """The number that the next autograd node of this thread will have."""
    return int(torch._C._autograd._get_sequence_nr())


def executed(root: Node) -> list[Node]:
    """The nodes behind ``root`` in the order in which the forward made them, leaves left out."""
    nodes = [n for n in in_order(root, MOST) if not hasattr(n, "variable")]
    nodes.sort(key=lambda n: n._sequence_nr())
    return nodes


def of_function(node: Node) -> Place:
    """The ``forward`` of a user's own autograd function."""
    kind = getattr(node, "_forward_cls", None)
    code = getattr(getattr(kind, "forward", None), "__code__", None)
    if code is None or rank(code.co_filename) != USER:
        return NOWHERE
    return code.co_filename, code.co_firstlineno


def of_backward(node: Node) -> Place:
    """The ``backward`` of a user's own autograd function."""
    kind = getattr(node, "_forward_cls", None)
    method = inspect.getattr_static(kind, "backward", None) if kind is not None else None
    code = quiet(lambda: method.__func__.__code__ if method is not None else None)
    if code is None or rank(code.co_filename) != USER:
        return NOWHERE
    return code.co_filename, code.co_firstlineno


def is_function(node: Any) -> bool:
    """The node belongs to an autograd function written in Python."""
    return getattr(node, "_forward_cls", None) is not None
