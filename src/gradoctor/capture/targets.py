"""Targets beside what they belong to: the ids that went in, the classes said, the range."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch

from gradoctor import statistics as kernels
from gradoctor.capture.guard import Guard
from gradoctor.capture.recorder import Recorder

RANGES: dict[str, tuple[float, float]] = {
    "relu": (0.0, math.inf), "softplus": (0.0, math.inf), "sigmoid": (0.0, 1.0),
    "hardsigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "tanh": (-1.0, 1.0),
    "log_sigmoid": (-math.inf, 0.0), "log_softmax": (-math.inf, 0.0),
}  # fmt: skip
"""The range of what an activation gives, by the name of its node in the graph."""

REGRESSION = frozenset({"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"})
TWO_CLASSES = {"binary_cross_entropy": 0.5, "binary_cross_entropy_with_logits": 0.0}
"""The prediction from which on a sample belongs to the second class."""
MANY_CLASSES = 1024
FEW_CLASSES, SEVERAL_CLASSES = 4, 64
"""Classes between which labels that are wrong at random can be told from hard samples."""
CANDIDATES = 4
"""Tensors of ids that are kept in a step: source, target and positions of a translation."""


class Targets:
    """Measures targets against the step's ids, the predicted classes and the output's range."""

    def __init__(self, recorder: Recorder, guard: Guard) -> None:
        self.recorder = recorder
        self.guard = guard
        self._given: list[torch.Tensor] = []
        self._embedded: list[torch.Tensor] = []
        self._shares: dict[int, torch.Tensor] = {}
        self._tallies: dict[int, kernels.ClassTally] = {}
        self._doubts: dict[int, kernels.DoubtTally] = {}

    def see_given(self, x: Any) -> None:
        """An argument of a model in training, which may be ids ``[batch, time]``."""
        self._see(x, self._given)

    def see_embedded(self, x: Any) -> None:
        """Ids went into an embedding in training."""
        self._see(x, self._embedded)

    def _see(self, x: Any, seen: list[torch.Tensor]) -> None:
        if (
            isinstance(x, torch.Tensor)
            and x.dim() == 2
            and not x.is_floating_point()
            and len(seen) < CANDIDATES
        ):
            seen.append(x.detach())

    def reach(self, site: int, function: str, producer: str, target: torch.Tensor) -> None:
        """How much of the target the activation behind the prediction cannot reach."""
        if function in REGRESSION and producer in RANGES and target.numel():
            values = kernels.summarise_reach(target, *RANGES[producer])
            self.recorder.put(site, kernels.REACH, values)

    def labels(self, site: int, target: torch.Tensor, ignore: int) -> None:
        """The labels of a classifier, ``[batch, ...]``."""
        ignored = (target == ignore).float().mean().reshape(1)
        self.recorder.put(site, ("target.ignored",), ignored)
        # a model may be given its labels, too: what was embedded is the input for certain
        ids = self._embedded or self._given
        if ids:
            shares = kernels.compare_with_ids(ids, target, ignore)
            if shares is not None:
                # several calls on one line (a head for each token ahead): the best share counts
                known = self._shares.get(site)
                shares = shares if known is None else torch.maximum(shares, known)
                self._shares[site] = shares
                self.recorder.put(site, kernels.OFFSETS, shares)

    def classes(self, site: int, count: int, predicted: torch.Tensor, target: torch.Tensor) -> None:
        """Which of ``count`` classes were said, for single labels ``[n]``."""
        if count <= MANY_CLASSES:
            tally = self._tallies.setdefault(site, kernels.ClassTally(count))
            tally.add(predicted, target)
            self.recorder.put(site, kernels.CLASSES, tally.summary())

    def doubts(self, site: int, scores: torch.Tensor, target: torch.Tensor) -> None:
        """How firmly single labels ``[n]`` are contradicted by the scores ``[n, K]``."""
        classes = scores.shape[1]
        if FEW_CLASSES <= classes <= SEVERAL_CLASSES and not target.is_floating_point():
            tally = self._doubts.setdefault(site, kernels.DoubtTally(classes))
            tally.add(scores, target)
            self.recorder.put(site, kernels.DOUBTS, tally.summary())

    def two_classes(
        self, site: int, function: str, prediction: torch.Tensor, target: torch.Tensor
    ) -> None:
        """The same for one yes or no a sample, ``[n]`` or ``[n, 1]``; soft targets are none."""
        middle = TWO_CLASSES.get(function)
        if middle is None or prediction.numel() != prediction.shape[0]:
            return
        if target.shape == prediction.shape and bool(((target == 0) | (target == 1)).all()):
            said = prediction.reshape(-1) > middle
            self.classes(site, 2, said, target.reshape(-1).long())

    def weigh(self, site: int, out: torch.Tensor, terms: Any, scale: Any) -> None:
        """Wait for the gradient of a loss function's value: its weight in the root of backward.

        Args:
            terms: terms that the value is a sum over, 1 for a mean.
            scale: gives the gradient scaler's factor at the time of backward.
        """
        if out.grad_fn is not None:
            arrive = partial(self._arrive, site, terms, scale, out.output_nr)
            out.grad_fn.register_prehook(arrive)

    def _arrive(
        self, site: int, terms: Any, scale: Any, number: int, gradients: tuple[Any, ...]
    ) -> None:
        gradient = gradients[number] if number < len(gradients) else None
        if gradient is not None:
            self.guard.call("losses", self._put_weight, site, gradient, terms, scale())

    def _put_weight(self, site: int, gradient: torch.Tensor, terms: Any, scale: float) -> None:
        with torch.no_grad(), torch._C.DisableTorchFunction():
            weight = gradient.detach().float().sum() * terms / scale
            self.recorder.put(site, ("lossfn.coefficient",), weight.reshape(1))

    def close_step(self) -> None:
        """Forget the ids of this step."""
        self._given.clear()
        self._embedded.clear()
        self._shares.clear()
