"""Follows one forward pass, call by call, and keeps it as a graph of moments."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.utils.weak import WeakIdKeyDictionary

from gradoctor.statistics import tensors_in
from gradoctor.theory.graph import Node
from gradoctor.theory.signal import Add, Local, Multiply, Rule, Scale, Weights
from gradoctor.tracing import rules
from gradoctor.tracing.functions import Function, for_theory, is_elementwise, replayed
from gradoctor.tracing.local import jacobian
from gradoctor.tracing.moments import levels, measure, sample_size

Where = Callable[[], tuple[str, str, str | None, int | None]]
MOST = 5000
"""Operations followed in one forward: a rollout may have any number of them."""


class Tracer:
    """Observes calls of torch functions; tells what theory needs of them.

    Attributes:
        nodes: the tensors, in the order they were made.
        weights: of each layer, by its node: the weight, and the bias or None.

    Args:
        where: name and class of the module that runs now, and the line that it comes from.
    """

    def __init__(self, where: Where | None = None) -> None:
        self.nodes: list[Node] = []
        self.weights: dict[int, tuple[torch.Tensor, Any]] = {}
        self._where = where or (lambda: ("", "", None, None))
        self._known: Any = WeakIdKeyDictionary()
        self._sources: dict[int, tuple[int, Function]] = {}

    def observe(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """A call has returned."""
        if len(self.nodes) >= MOST:
            return
        results = [t for t in tensors_in(out) if t.requires_grad and t.is_floating_point()]
        if not results or all(t.dim() == 0 for t in results):
            return
        every = {id(t): t for t in tensors_in((args, kwargs)) if t.is_floating_point()}
        given = list(every.values())  # each once, however often it is passed
        inputs = [t for t in given if t in self._known]
        with torch.no_grad():
            for result in results:
                self._add(func, args, kwargs, result, inputs, given)

    # ---- nodes -------------------------------------------------------------------------------
    def _add(self, func: Any, args: Any, kwargs: Any, out: torch.Tensor,
             inputs: list[torch.Tensor], given: list[torch.Tensor]) -> None:  # fmt: skip
        conv = func in rules.CONVOLUTION
        rule, used = self._rule(func, args, kwargs, out, inputs, given)
        ids = tuple(self._id_of(t, conv) for t in used)
        function: tuple[int, Function] | None = None
        if rule is None:
            function = self._function(func, args, kwargs, out, inputs)
            if function is not None:
                ids, rule = (function[0],), for_theory(function[1])
            else:
                rule = self._local(func, args, kwargs, out, inputs)
                ids = tuple(self._id_of(t, conv) for t in inputs)
        name, kind, file, line = self._where()
        # a mask writes -inf where nothing is to be seen; in a layer it would be an overflow
        shown = out if isinstance(rule, Weights) else out.masked_fill(out == -torch.inf, 0.0)
        node = Node(
            len(self.nodes), getattr(func, "__name__", str(func)).strip("_"), rule, ids,
            sample_size(out), measure(shown, conv), module=name, kind=kind, file=file, line=line,
            layer=isinstance(rule, Weights),
        )  # fmt: skip
        for tensor in inputs:
            self.nodes[self._known[tensor]].consumed = True
        self.nodes.append(node)
        self._known[out] = node.id
        if node.layer:
            self.weights[node.id] = rules.weight_of(func, args, kwargs)
        if function is not None:
            self._sources[node.id] = function
        if out.grad_fn is not None:
            out.grad_fn.register_prehook(partial(self._arrive, node, out.output_nr, conv))

    def _arrive(self, node: Node, number: int, conv: bool, gradients: tuple[Any, ...]) -> None:
        gradient = gradients[number] if number < len(gradients) else None
        if gradient is not None and node.gradient is None:
            with torch.no_grad():
                node.gradient = measure(gradient, conv)

    def _id_of(self, tensor: torch.Tensor, conv: bool = False) -> int:
        """The node of a tensor; one that nothing has made is an input."""
        if tensor not in self._known:
            self.nodes.append(
                Node(
                    len(self.nodes), "input", None, (), sample_size(tensor),
                    measure(tensor, conv), levels=levels(tensor),
                )
            )  # fmt: skip
            self._known[tensor] = len(self.nodes) - 1
        found: int = self._known[tensor]
        return found

    # ---- rules -------------------------------------------------------------------------------
    def _rule(self, func: Any, args: Any, kwargs: Any, out: torch.Tensor,
              inputs: list[torch.Tensor], given: list[torch.Tensor],
              ) -> tuple[Rule | None, list[torch.Tensor]]:  # fmt: skip
        """The rule of a call and the tensors it speaks of; None when theory has none."""
        if func in rules.LINEAR or func in rules.CONVOLUTION or func in rules.NORMS:
            call = rules.named(func, args, kwargs)
            return rules.of_layer(func, call, out), [call["input"]]
        if func in rules.PRODUCT:
            return self._product(func, args, kwargs)
        if inputs and func in rules.DROPOUT | rules.RESHAPE:
            return rules.of_one(func, rules.named(func, args, kwargs), inputs[0], out), inputs[:1]
        return self._arithmetic(func, args, out, inputs, given)

    def _product(self, func: Any, args: Any, kwargs: Any) -> tuple[Rule | None, list[torch.Tensor]]:
        """``x @ W`` and ``addmm(b, x, W)`` with a weight of two dimensions."""
        x = args[-2] if len(args) > 1 else None
        w, bias = rules.weight_of(func, args, kwargs)
        if not (isinstance(x, torch.Tensor) and isinstance(w, torch.Tensor)):
            return None, []
        if w.dim() != 2 or w in self._known or not w.requires_grad:
            return None, []
        return rules.weights(w, bias, w.shape[0], w.shape[1]), [x]

    def _arithmetic(
        self, func: Any, args: Any, out: torch.Tensor, inputs: list[torch.Tensor],
        given: list[torch.Tensor],
    ) -> tuple[Rule | None, list[torch.Tensor]]:  # fmt: skip
        if func not in rules.ADD and func not in rules.MULTIPLY:
            return None, []
        sources = {self._source(t)[0] for t in inputs}
        numbers = [a for a in args[:2] if isinstance(a, int | float)]
        if len(given) == 1 and numbers:
            if func in rules.MULTIPLY:
                return Scale(float(numbers[0]) ** 2), given
            return None, []
        if len(sources) < len(inputs) or any(t.shape != out.shape for t in inputs):
            return None, []  # parts of one signal, or one spread over the other
        if func in rules.ADD:
            return Add(), given
        return (Multiply(), given) if len(given) == 2 else (None, [])

    # ---- functions of one element --------------------------------------------------------------
    def _source(self, tensor: torch.Tensor) -> tuple[int, Function]:
        """The node that a tensor is a function of, and the function."""
        node = self._id_of(tensor)
        return self._sources.get(node, (node, _same))

    def _function(self, func: Any, args: Any, kwargs: Any, out: torch.Tensor,
                  inputs: list[torch.Tensor]) -> tuple[int, Function] | None:  # fmt: skip
        if not inputs or any(t.shape != out.shape for t in inputs):
            return None
        found = [self._source(t) for t in inputs]
        if len({source for source, _ in found}) != 1:
            return None
        parts = {id(t): function for t, (_, function) in zip(inputs, found, strict=True)}
        function = replayed(func, args, kwargs, parts)
        with torch.random.fork_rng(devices=[]):
            return (found[0][0], function) if is_elementwise(function) else None

    def _local(self, func: Any, args: Any, kwargs: Any, out: torch.Tensor,
               inputs: list[torch.Tensor]) -> Rule:  # fmt: skip
        if getattr(func, "__name__", "").rstrip("_") != getattr(func, "__name__", ""):
            return Local(tuple(1.0 for _ in inputs), 0.0)  # in place: what went in is gone
        try:
            return jacobian(func, args, kwargs, out, inputs)
        except Exception:  # it cannot be repeated: theory goes on as if it kept the size
            return Local(tuple(1.0 for _ in inputs), 0.0)


def _same(z: torch.Tensor) -> torch.Tensor:
    return z
