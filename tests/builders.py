"""Fake recordings: a healthy multilayer perceptron, of which tests change what they are about."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from gradoctor.recording import Recording, Table, from_rows
from gradoctor.records import Fact, Site

Values = float | Sequence[float] | Callable[[int], float]
RUN, LOSS, LOSSFN, OPTIMIZER, INPUT = 0, 1, 2, 3, 4


def cadence(steps: int) -> list[int]:
    """The steps of the full looks: all of the first 50, then some 50 each time the run doubles."""
    out, at = [], 0
    while at < steps:
        out.append(at)
        at += max(1, at // 50)
    return out


class Net:
    """A net of ``depth`` linear layers and a head, with everything that capture would have seen.

    Layers are modules ``2 * i`` steps apart in execution order, each followed by its activation.
    """

    def __init__(
        self,
        depth: int = 6,
        steps: int = 300,
        *,
        activation: str = "relu",
        optimizer: str = "SGD",
        classes: int = 10,
        model: str = "Net",
    ) -> None:
        self.depth, self.steps, self.looks = depth, steps, cadence(steps)
        self.rows: dict[str, dict[int, list[float]]] = {}
        self.light: dict[str, dict[int, list[float]]] = {}
        self.facts: list[Fact] = []
        self.meta: dict[str, object] = {"script": "train.py"}
        self.noise = np.random.default_rng(7)
        adaptive = optimizer != "SGD"
        self.sites = [
            Site(RUN, "run", "run"),
            Site(LOSS, "loss", "loss", meta={"optimizers": [OPTIMIZER]}),
            Site(
                LOSSFN, "lossfn", "loss", "cross_entropy",
                meta={"function": "cross_entropy", "reduction": "mean", "loss": LOSS},
            ),
            Site(
                OPTIMIZER, "optimizer", optimizer, optimizer,
                meta={"adaptive": adaptive, "betas": [0.9, 0.999] if adaptive else None,
                      "eps": 1e-8 if adaptive else None},
            ),
            Site(INPUT, "input", "input", meta={"model": model, "kind": "float"}),
        ]  # fmt: skip
        self.layers, self.activations, self.weights = [], [], []
        for i in range(depth + 1):
            head = i == depth
            layer, weight = self._layer(i, head=head, model=model)
            self.layers.append(layer)
            self.weights.append(weight)
            if not head:
                self.activations.append(
                    self._add(
                        "module", f"acts.{i}", activation, order=2 * i + 1,
                        role="activation", activation=activation, model=model,
                    )
                )  # fmt: skip
        self.sites[INPUT] = replace(
            self.sites[INPUT],
            meta={
                **self.sites[INPUT].meta, "first_layer": self.layers[0], "first_role": "matmul"
            },
        )  # fmt: skip
        self._healthy(classes)

    def _layer(self, i: int, *, head: bool, model: str) -> tuple[int, int]:
        layer = self._add(
            "module", f"layers.{i}", "Linear", order=2 * i, role="matmul", head=head, model=model,
            out_shape=[64, 64], params=[len(self.sites) + 1], path=["Net"],
        )  # fmt: skip
        weight = self._add(
            "parameter", f"layers.{i}.weight", "Parameter", shape=[64, 64], numel=4096,
            module=layer, role="matmul", leaf="weight", model=model,
        )  # fmt: skip
        return layer, weight

    def _add(self, kind: str, name: str, kind_of: str, *, order: int = -1, **meta: object) -> int:
        made = Site(len(self.sites), kind, name, kind_of, "train.py", 10, order, meta)  # type: ignore[arg-type]
        self.sites.append(made)
        return made.id

    def _healthy(self, classes: int) -> None:
        base = math.log(classes)
        self.each_step("loss.value", LOSS, lambda t: base * (0.2 + 0.8 * math.exp(-t / 80)))
        self.each_step("loss.nonfinite", LOSS, 0.0)
        self.each_step("lr", OPTIMIZER, 0.1)
        self.set("lossfn.value", LOSSFN, lambda t: base * (0.2 + 0.8 * math.exp(-t / 80)))
        self.set("lossfn.baseline", LOSSFN, base)
        self.set("lossfn.kl", LOSSFN, 0.01)
        self.set("prediction.centred_ratio", LOSSFN, lambda t: 0.9 - 0.7 * math.exp(-t / 60))
        self.set("prediction.rms", LOSSFN, 1.0)
        self.set("label.entropy", LOSSFN, 2.1, spread=0.03)
        self.set("label.expected_entropy", LOSSFN, 2.1)
        self.set("grad.norm", RUN, 1.0, spread=0.1)
        self.set("grad.cosine", RUN, 0.1, spread=0.1)
        self.set("grad.snr", RUN, 1.1, spread=0.1)
        self.set("input.feature_mean", INPUT, 0.4)
        self.set("input.feature_std", INPUT, 1.1)
        self.set("input.feature_spread", INPUT, 3.0)
        self.set("input.samples", INPUT, lambda t: 64.0 * (t + 1))
        for site in self.layers:
            self.set("act.rms", site, 1.0, spread=0.02)
            self.set("act.centred_ratio", site, lambda t: 0.6 - 0.5 * math.exp(-t / 40))
            self.set("actgrad.rms", site, 1e-3, spread=0.1)
        for site in self.activations:
            self.set("act.rms", site, 0.7, spread=0.02)
            self.set("act.zero_fraction", site, 0.6, spread=0.01)
            self.set("act.dead_fraction", site, lambda t: 0.05 if t >= 20 else math.nan)
            self.set("act.saturated_fraction", site, 0.02)
            self.set("act.gain_loss", site, 0.3)
            self.set("actgrad.rms", site, 1e-3, spread=0.1)
            self.set("actgrad.zero_fraction", site, 0.5)
        for site in self.weights:
            self.set("weight.rms", site, 0.1)
            self.set("weight.movement", site, lambda t: 0.3 * (t + 1) / self.steps)
            self.set("grad.rms", site, 1e-3, spread=0.1)
            self.set("grad.absmax", site, 1e-2, spread=0.1)
            self.set("grad.zero_fraction", site, 0.1)
            self.set("update.ratio", site, 1e-3, spread=0.1)
            self.set("update.progress", site, 1.0 / len(self.weights))
            self.facts.append(
                Fact("init", site, data={"zero": False, "constant": False, "std": 0.1})
            )
        self.facts.append(Fact("optimizer", OPTIMIZER, data={"steps": self.steps}))

    def set(self, statistic: str, site: int, values: Values, *, spread: float = 0.0) -> Net:
        """Give a full-look statistic; ``spread`` is relative noise."""
        self.rows.setdefault(statistic, {})[site] = self._values(values, self.looks, spread)
        return self

    def each_step(self, statistic: str, site: int, values: Values, *, spread: float = 0.0) -> Net:
        """Give a statistic of every step."""
        self.light.setdefault(statistic, {})[site] = self._values(values, range(self.steps), spread)
        return self

    def _values(self, values: Values, steps: Sequence[int], spread: float) -> list[float]:
        if callable(values):
            out = [float(values(t)) for t in steps]
        elif isinstance(values, int | float):
            out = [float(values)] * len(steps)
        else:
            out = [float(v) for v in values]
        return [v * (1.0 + spread * float(self.noise.standard_normal())) for v in out]

    # ---- common changes ------------------------------------------------------------------------
    def loss(self, value: Callable[[int], float], *, spread: float = 0.0) -> Net:
        """The loss and the loss function's value."""
        self.each_step("loss.value", LOSS, value, spread=spread)
        return self.set("lossfn.value", LOSSFN, value, spread=spread)

    def stuck(self) -> Net:
        """At the trivial baseline with a constant output."""
        self.loss(lambda t: math.log(10) * 1.003, spread=0.002)
        return self.set("prediction.centred_ratio", LOSSFN, 1e-4)

    def gradient_slope(self, bits: float | Callable[[int], float]) -> Net:
        """The backward signal loses ``bits`` a layer towards the input, updates likewise."""
        of = bits if callable(bits) else lambda t: bits
        for i, (layer, weight) in enumerate(zip(self.layers, self.weights, strict=True)):
            away = self.depth - i
            self.set("actgrad.rms", layer, lambda t, a=away: 1e-3 * 2.0 ** (-of(t) * a))
            self.set("update.ratio", weight, lambda t, a=away: 1e-2 * 2.0 ** (-of(t) * a))
            self.set("weight.movement", weight, lambda t, a=away: 0.3 * 2.0 ** (-of(t) * a))
            self.set("grad.rms", weight, lambda t, a=away: 1e-2 * 2.0 ** (-of(t) * a))
        return self

    def change(self, site: int, **meta: object) -> Net:
        """Change a site's meta."""
        self.sites[site] = replace(self.sites[site], meta={**self.sites[site].meta, **meta})
        return self

    def build(self) -> Recording:
        """The recording."""
        full = from_rows(self.rows, self.sites, steps=self.looks, facts=self.facts)
        light = from_rows(self.light, self.sites)

        def load(statistic: str) -> Table:
            return (full if statistic in full.statistics else light).table(statistic)

        return Recording(
            meta=self.meta,
            sites=full.sites,
            load=load,
            statistics=full.statistics | light.statistics,
            facts=tuple(self.facts),
            steps=self.steps,
        )
