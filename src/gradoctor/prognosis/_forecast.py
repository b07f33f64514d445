"""The records of a checkup before training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gradoctor.rules.evidence.robust import theil_sen


@dataclass(frozen=True, slots=True)
class Layer:
    """One matrix product or convolution, in the order they ran.

    Attributes:
        activation: what its output goes through next, '' for nothing.
        measured: log2 of the norm a sample of the gradient with respect to its output.
        predicted: the same by theory, from the weights and the input alone.
        signal: log2 of the rms of its output.
        similarity: correlation between the outputs for two inputs.
        constant: all its weights are equal (``zero`` when they are 0), or ''.
    """

    name: str
    op: str
    activation: str
    file: str | None
    line: int | None
    measured: float
    predicted: float
    signal: float
    similarity: float
    constant: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a network before its first step.

    Attributes:
        code: the rule's; its page tells more.
        level: ``note``, ``suspect`` or ``sick``.
        layer: position of the layer that it is about, or of the first of them; -1 for a recurrent
            layer, which ``values`` names.
        values: what the sentence about it names.
    """

    code: str
    level: str
    layer: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cure:
    """A change, and the slope that theory predicts after it.

    Attributes:
        measured: the slope of a backward pass after it, where it could be tried; else None.
    """

    name: str
    slope: float
    span: float
    measured: float | None = None


@dataclass(frozen=True, slots=True)
class Recurrence:
    """How the gradient changes on its way back in time through a recurrent layer, measured.

    Attributes:
        kind: ``RNN``, ``LSTM`` or ``GRU``.
        steps: time steps of the input.
        slope: bits a step towards the past; negative: it vanishes.
        mended: the slope after the change that ``REMEMBER`` is; None where none was tried.
    """

    name: str
    kind: str
    steps: int
    slope: float
    mended: float | None = None

    @property
    def horizon(self) -> float:
        """Steps back after which a thousandth of the gradient is left; infinite if never."""
        return -10 / self.slope if self.slope < 0 else math.inf


@dataclass(frozen=True, slots=True)
class Forecast:
    """A network before its first step.

    Attributes:
        inputs: what it was given, in words: ``noise [32, 64]`` or ``real [64, 1, 28, 28]``.
        layers: those that the slope goes by: the last one, the head, is left out.
        unknown: operations that theory has no rule for; their Jacobian was measured.
        normed: the normalisations there are: ``batch``, ``features``, ``rms``.
        recurrences: recurrent layers, where the forward could be listened to.
    """

    model: str
    inputs: str
    layers: tuple[Layer, ...]
    faults: tuple[Fault, ...] = ()
    cures: tuple[Cure, ...] = ()
    unknown: tuple[str, ...] = ()
    normed: tuple[str, ...] = ()
    recurrences: tuple[Recurrence, ...] = ()

    @property
    def verdict(self) -> str:
        """``healthy``, ``suspect`` or ``sick``."""
        levels = {fault.level for fault in self.faults}
        return "sick" if "sick" in levels else "suspect" if "suspect" in levels else "healthy"

    @property
    def measured(self) -> float:
        """Bits a layer that the gradient gains towards the input; negative: it vanishes."""
        return slope([layer.measured for layer in self.layers])

    @property
    def predicted(self) -> float:
        """The same by theory."""
        return slope([layer.predicted for layer in self.layers])

    @property
    def span(self) -> float:
        """Bits between the last layer and the first."""
        return self.measured * (len(self.layers) - 1)

    @property
    def depth_scale(self) -> float:
        """Layers over which the mean square of the gradient changes by a factor e.

        ``1 / |ln chi_1|`` of Schoenholz et al. 2017; infinite at the edge of chaos.
        """
        rate = abs(2 * self.predicted * math.log(2))
        return 1 / rate if rate else math.inf

    def to_data(self) -> dict[str, Any]:
        """As JSON can hold it; ``from_data`` reads it again."""
        return {
            "model": self.model, "inputs": self.inputs, "verdict": self.verdict,
            "slope": {"measured": self.measured, "predicted": self.predicted, "unit": "bits/layer"},
            "span": self.span, "depth_scale": _plain(self.depth_scale),
            "layers": [_finite(asdict(layer)) for layer in self.layers],
            "findings": [asdict(fault) for fault in self.faults],
            "cures": [_finite(asdict(cure)) for cure in self.cures],
            "unknown": list(self.unknown), "normed": list(self.normed),
            "recurrences": [asdict(recurrence) for recurrence in self.recurrences],
        }  # fmt: skip

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Forecast:
        """A forecast that ``to_data`` wrote."""
        return cls(
            data["model"],
            data["inputs"],
            tuple(Layer(**_known(layer)) for layer in data["layers"]),
            tuple(Fault(**fault) for fault in data["findings"]),
            tuple(Cure(**cure) for cure in data["cures"]),
            tuple(data["unknown"]),
            tuple(data["normed"]),
            tuple(Recurrence(**recurrence) for recurrence in data["recurrences"]),
        )


def slope(bits: Sequence[float]) -> float:
    """Bits a layer towards the input, robust against single layers that differ."""
    return -theil_sen(np.arange(len(bits)), bits).slope if len(bits) > 1 else 0.0


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _finite(data: dict[str, Any]) -> dict[str, Any]:
    return {key: _plain(value) for key, value in data.items()}


def _known(layer: Mapping[str, Any]) -> dict[str, Any]:
    numbers = ("measured", "predicted", "signal", "similarity")
    return {k: math.nan if v is None and k in numbers else v for k, v in layer.items()}
