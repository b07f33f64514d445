"""Pictures made by hand, and pictures that nobody would draw."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Bars, Curve, Grid, Plot

from .strategies import texts

X = tuple(i / 10 - 4 for i in range(81))
RELU = Plot(
    Words("ReLU and its derivative", "ReLU 及其导数"),
    Words.same("x"),
    Words("value", "值"),
    (
        Curve(Words.same("f(x)"), X, tuple(max(0.0, x) for x in X)),
        Curve(
            Words("derivative f′(x)", "导数 f′(x)"),
            X,
            tuple(float(x > 0) if abs(x) > 1e-9 else math.nan for x in X),
        ),
    ),
    y_range=(-0.5, 2.5),
)
DEPTH = Plot(
    Words("Gradient at each layer, three seeds", "各层的梯度（三个随机种子）"),
    Words("layer", "层"),
    Words("gradient RMS", "梯度均方根"),
    (
        Curve(
            Words("sigmoid", "S 形函数"),
            tuple(range(1, 21)),
            tuple(4.0**-i for i in range(20)),
            low=tuple(3.0**-i for i in range(20)),
            high=tuple(5.0**-i for i in range(20)),
        ),
        Curve(Words.same("ReLU, He"), (1.0, 5.0, 20.0), (1.0, 1.2, 0.8), points=True),
    ),
    log_y=True,
)
ACCURACY = Bars(
    Words("Accuracy", "准确率"),
    (Words("sigmoid", "S 形函数"), Words.same("ReLU"), Words.same("tanh")),
    (0.3, 0.94, 0.91),
    unit=Words("share of the test digits", "占测试数字的比例"),
    low=(0.2, 0.93, 0.91),
    high=(0.4, 0.95, 0.91),
)
SIGNED = Bars(
    Words("Slope of the gradient", "梯度的斜率"),
    (Words.same("sigmoid"), Words.same("ReLU")),
    (-2.0, 0.5),
)
TABLE = Grid(
    Words("Gradient by depth and gain", "不同深度与增益下的梯度"),
    tuple(Words(f"{n} layers", f"{n} 层") for n in (2, 8, 32)),
    tuple(Words(f"gain {n}", f"增益 {n}") for n in range(9)),
    tuple(
        tuple(math.nan if i == j == 1 else 10.0 ** (-i * j / 4) for j in range(9)) for i in range(3)
    ),
)
PICTURES = {"relu": RELU, "depth": DEPTH, "bars": ACCURACY, "signed": SIGNED, "table": TABLE}

numbers = st.floats() | st.floats(-10, 10) | st.sampled_from([0.0, 1.0, 1.0 + 2**-40])
words = st.builds(Words, texts, texts)


def rows(length: int):
    return st.lists(numbers, min_size=length, max_size=length).map(tuple)


def curve(length: int):
    return st.builds(Curve, words, rows(length), rows(length), st.booleans())


plots = st.builds(
    Plot,
    words,
    words,
    words,
    st.lists(st.integers(0, 8).flatmap(curve), max_size=4).map(tuple),
    log_x=st.booleans(),
    log_y=st.booleans(),
    # a range is chosen by hand, and matplotlib widens one that is too narrow past the largest float
    y_range=st.none() | st.tuples(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300)),
)
bars = st.integers(0, 6).flatmap(
    lambda n: st.builds(
        Bars,
        words,
        st.lists(words, min_size=n, max_size=n).map(tuple),
        rows(n),
        words,
        low=st.just(()) | rows(n),
        high=st.just(()) | rows(n),
        log=st.booleans(),
    )
)
grids = st.tuples(st.integers(1, 4), st.integers(1, 12)).flatmap(
    lambda n: st.builds(
        Grid,
        words,
        st.lists(words, min_size=n[0], max_size=n[0]).map(tuple),
        st.lists(words, min_size=n[1], max_size=n[1]).map(tuple),
        st.lists(rows(n[1]), min_size=n[0], max_size=n[0]).map(tuple),
        words,
    )
)
pictures = plots | bars | grids
