"""Walks of the autograd graph: what lies behind a tensor, and what a loss was made of."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import torch

Node = Any
"""An autograd node (``torch.autograd.graph.Node``); its wrapper is one object while it is held."""


def parents(node: Node) -> list[Node]:
    """The nodes whose results went into this one."""
    return [n for n, _ in node.next_functions if n is not None]


def walk(root: Node, limit: int = 4000, depth: int = 1 << 30) -> Iterator[Node]:
    """Nodes behind ``root``, itself included, nearest first; ``limit`` bounds the work."""
    seen = {root}
    queue = deque([(root, 0)])
    while queue and limit:
        node, far = queue.popleft()
        limit -= 1
        yield node
        if far < depth:
            for parent in parents(node):
                if parent not in seen:
                    seen.add(parent)
                    queue.append((parent, far + 1))


def leaves(root: Node, limit: int = 4000) -> dict[int, torch.Tensor]:
    """Leaf tensors (parameters, above all) that ``root`` depends on, by ``id``."""
    found = (_variable(node) for node in walk(root, limit))
    return {id(leaf): leaf for leaf in found if leaf is not None}


def _variable(node: Node) -> Any:
    return getattr(node, "variable", None)


def in_order(root: Node, limit: int = 4000) -> list[Node]:
    """Nodes behind ``root`` in an order in which they may have run: each after its parents."""
    nodes = list(walk(root, limit))
    inside = set(nodes)
    missing = {node: sum(p in inside for p in parents(node)) for node in nodes}
    children: dict[Node, list[Node]] = {}
    for node in nodes:
        for parent in parents(node):
            if parent in inside:
                children.setdefault(parent, []).append(node)
    ready = deque(node for node in nodes if not missing[node])
    order = []
    while ready:
        node = ready.popleft()
        order.append(node)
        for child in children.get(node, ()):
            missing[child] -= 1
            if not missing[child]:
                ready.append(child)
    return order
