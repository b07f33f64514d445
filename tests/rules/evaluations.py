"""Evaluations beside a run of plain data, for the rules that read them."""

from __future__ import annotations

import math
from collections.abc import Callable

from builders import LOSSFN, Net
from rules.structural.made import fact

EPOCH = 20
PER_STEP = math.nan


def evaluated(
    net: Net,
    loss: Callable[[int], float],
    accuracy: Callable[[int], float] | None = None,
    *,
    every: int = EPOCH,
    function: str = "cross_entropy",
    line: int = 50,
) -> int:
    """Evaluate at every epoch; functions of the step."""
    site = net._add("lossfn", function, function, function=function, evaluation=True)

    def at(value: Callable[[int], float]) -> Callable[[int], float]:
        return lambda t: value(t) if t % every == 0 and t else PER_STEP

    net.each_step("eval.loss", site, at(loss))
    net.each_step("eval.samples", site, at(lambda t: 500.0))
    if accuracy is not None:
        net.each_step("eval.accuracy", site, at(accuracy))
    fact(net, "evaluation", site, line=line, function=function, passes=net.steps // every,
         batches=4, train_mode=0, norms_moved=0, modules=[], eval_called=True)  # fmt: skip
    fact(net, "loss_call", LOSSFN, factor=1.0)
    return site


def batch_norm(net: Net, **data: object) -> int:
    """A batch norm behind the second layer whose statistics agree with the data."""
    site = net._add(
        "module", "norm", "BatchNorm1d", order=2, role="norm", model="Net", params=[]
    )  # fmt: skip
    told = {"train": 300, "eval": 0, "usual_samples": 64, "fewest_samples": 64, "momentum": 0.1,
            "tracks": True}  # fmt: skip
    fact(net, "mode", site, **{**told, **data})
    for name in ("mean_gap", "var_gap", "var_ratio", "eval_mean_gap", "eval_var_gap",
                 "eval_var_ratio"):  # fmt: skip
        net.set(f"norm.{name}", site, 0.05)
    return site
