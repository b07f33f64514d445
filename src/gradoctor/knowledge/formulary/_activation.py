"""What the entries of activations have besides, and how their pictures are drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gradoctor.knowledge.formulary._entry import Entry, Row
from gradoctor.knowledge.formulary._signal import Function, gradient
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Curve, Picture, Plot

Interval = tuple[float, float]
INFINITY = math.inf
ORIGIN: tuple[Interval, ...] = ((0.0, 0.0),)
UNSUPPORTED = Words(
    "none: `nn.init.calculate_gain` raises ValueError",
    "无：`nn.init.calculate_gain` 抛出 ValueError",
)
SAME = Words("the same", "相同")
DEPTH = 30
DEFAULT = 1 / math.sqrt(3)
"""The gain of ``nn.Linear``'s own initialisation: variance 1 / (3 fan_in)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation(Entry):
    """An activation that acts on one number at a time.

    Attributes:
        value, slope: f and f′ of a float; at a kink the slope that PyTorch's autograd gives, and
            at ±∞ what PyTorch gives, NaN included.
        low, high: what f tends to at -∞ and +∞; slope_low and slope_high the same of f′.
        steepest: the largest |f′|.
        gain: 1 / sqrt(E[f(z)²]) for z ~ N(0, 1); weights of variance gain² / fan_in keep E[x²].
        mean: E[f(z)].
        chi: gain² E[f′(z)²]: what one layer does to the mean square of the gradient at that gain.
        torch_gain: PyTorch's ``calculate_gain``, or None; ``gain_note`` says why it differs.
        fixed_points: where f(x) = x, as intervals (a point has no length); ``fixed`` says what
            that means.
        dead: where |f′| is under a thousandth of ``steepest``.
        smooth: f′ has no jump.
    """

    kind: str = "activations"
    value: Function
    slope: Function
    low: float
    high: float
    slope_low: float
    slope_high: float
    steepest: float
    gain: float
    mean: float
    chi: float
    torch_gain: float | None = None
    gain_note: Words = SAME
    fixed_points: tuple[Interval, ...] = ORIGIN
    fixed: Words
    dead: tuple[Interval, ...] = ()
    monotone: bool = True
    smooth: bool = True

    @property
    def bits(self) -> float:
        """What a layer adds to the logarithm (base 2) of the gradient's RMS."""
        return math.log2(self.chi) / 2

    @property
    def zero_centred(self) -> bool:
        """The outputs average 0 where the inputs are N(0, 1)."""
        return abs(self.mean) < 1e-6

    def details(self) -> tuple[Row, ...]:
        """Gains, fixed points, dead regions, shape."""
        gain = f"{self.gain:.4f}"
        torch_gain = UNSUPPORTED
        if self.torch_gain is not None:
            note = Words(
                f"{self.torch_gain:.4f}: {self.gain_note.en}",
                f"{self.torch_gain:.4f}：{self.gain_note.zh}",
            )
            torch_gain = note
        points = _intervals(self.fixed_points)
        return (
            (Words("gain", "增益"), Words.same(f"{gain} = 1 / √E[f(z)²], z ~ N(0, 1)")),
            (Words("gain in PyTorch", "PyTorch 的增益"), torch_gain),
            (Words("mean output", "输出均值"), Words.same(f"E[f(z)] = {self.mean:.4f}")),
            (
                Words("gradient per layer at this gain", "此增益下每层的梯度"),
                Words(
                    f"χ = gain² E[f′(z)²] = {self.chi:.4f}: {self.bits:+.2f} bits, × {math.sqrt(self.chi):.3f}",
                    f"χ = 增益² E[f′(z)²] = {self.chi:.4f}：{self.bits:+.2f} 比特，即 × {math.sqrt(self.chi):.3f}",
                ),
            ),
            (Words("largest slope", "最大斜率"), Words.same(f"{self.steepest:.6g}")),
            (
                Words("slope at −∞, +∞", "−∞、+∞ 处的斜率"),
                Words.same(f"{_number(self.slope_low)}, {_number(self.slope_high)}"),
            ),
            (
                Words("fixed points f(x) = x", "不动点 f(x) = x"),
                Words(f"{points.en}: {self.fixed.en}", f"{points.zh}：{self.fixed.zh}"),
            ),
            (
                Words("slope under 1/1000 of the largest", "斜率不到最大值的 1/1000"),
                _intervals(self.dead),
            ),
            (Words("shape", "形状"), self._shape()),
        )

    def _shape(self) -> Words:
        said = (
            Words("monotone", "单调") if self.monotone else Words("not monotone", "不单调"),
            Words("smooth", "光滑") if self.smooth else Words("kinked", "有折点"),
            Words("zero mean", "零均值") if self.zero_centred else Words("mean not zero", "均值不为零"),
        )  # fmt: skip
        return Words(", ".join(w.en for w in said), "，".join(w.zh for w in said))


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorActivation(Entry):
    """An activation whose outputs depend on several inputs.

    Attributes:
        value: outputs of a list of inputs.
        jacobian: a row for each output, a column for each input.
        gain, chi: as of an ``Activation``, for independent N(0, 1) inputs, where the entry stands
            between layers; None where it does not.
        shape: how many outputs a number of inputs gives, and what they mean.
    """

    kind: str = "activations"
    value: Callable[[Sequence[float]], list[float]]
    jacobian: Callable[[Sequence[float]], list[list[float]]]
    gain: float | None = None
    chi: float | None = None
    shape: Words

    def details(self) -> tuple[Row, ...]:
        """The shape, and the gain where there is one."""
        rows: list[Row] = [(Words("inputs and outputs", "输入与输出"), self.shape)]
        if self.gain is not None and self.chi is not None:
            bits = math.log2(self.chi) / 2
            rows += [
                (Words("gain", "增益"), Words.same(f"{self.gain:.4f}")),
                (Words("gain in PyTorch", "PyTorch 的增益"), UNSUPPORTED),
                (
                    Words("gradient per layer at this gain", "此增益下每层的梯度"),
                    Words(
                        f"χ = {self.chi:.4f}: {bits:+.2f} bits, × {math.sqrt(self.chi):.3f}",
                        f"χ = {self.chi:.4f}：{bits:+.2f} 比特，即 × {math.sqrt(self.chi):.3f}",
                    ),
                ),
            ]
        return tuple(rows)


def _number(value: float) -> str:
    if math.isinf(value):
        return "+∞" if value > 0 else "−∞"
    return f"{value:.6g}".replace("-", "−")


def _intervals(intervals: Sequence[Interval]) -> Words:
    if not intervals:
        return Words("nowhere", "没有")
    said = [
        _number(low)
        if low == high
        else f"x ≤ {_number(high)}"
        if math.isinf(low)
        else f"x ≥ {_number(low)}"
        if math.isinf(high)
        else f"{_number(low)} … {_number(high)}"
        for low, high in intervals
    ]
    if intervals == ((-INFINITY, INFINITY),):
        return Words("every x", "一切 x")
    return Words(" or ".join(said), " 或 ".join(said))


def sweep(low: float, high: float, count: int = 241) -> tuple[float, ...]:
    """Evenly spaced numbers, both ends included."""
    return tuple(low + (high - low) * k / (count - 1) for k in range(count))


def draw(
    value: Function, slope: Function, gain: float, low: float = -6.0, high: float = 6.0
) -> tuple[Picture, ...]:
    """The function with its slope, and what its gradient keeps in depth."""
    x = sweep(low, high)
    shape = Plot(
        Words("The function and its slope", "函数及其斜率"),
        Words("input x", "输入 x"),
        Words("value", "值"),
        (
            Curve(Words.same("f(x)"), x, tuple(map(value, x))),
            Curve(Words.same("f′(x)"), x, tuple(map(slope, x))),
        ),
    )
    layers = tuple(float(k) for k in range(1, DEPTH + 1))
    ways = (
        (Words(f"gain {gain:.4f}", f"增益 {gain:.4f}"), gain),
        (Words("nn.Linear's default (gain 0.5774)", "nn.Linear 的默认值（增益 0.5774）"), DEFAULT),
    )
    depth = Plot(
        Words("What the gradient keeps from the last layer to the first", "梯度从末层传到首层后的剩余"),
        Words("layers", "层数"),
        Words("gradient RMS, first layer / last", "梯度均方根，首层 / 末层"),
        tuple(Curve(said, layers, tuple(gradient(value, slope, g, DEPTH))) for said, g in ways),
        log_y=True,
    )  # fmt: skip
    return shape, depth
