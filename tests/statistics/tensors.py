"""Tensors, ordinary and nasty, that every kernel must take; and what no kernel may do to them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import torch
from hypothesis import strategies as st

NAN = float("nan")
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def made(shape: tuple[int, ...], seed: int, scale: float = 1.0, dtype=torch.float32):
    """Normal numbers of a magnitude; does not touch the global generator."""
    values = np.random.default_rng(seed).standard_normal(shape) * scale
    return torch.from_numpy(np.asarray(values)).to(dtype)


NASTY = {
    "ordinary": made((8, 5), 0),
    "big": made((64, 200), 1),
    "offset": made((16, 7), 2) + 1000,
    "image": made((4, 3, 6, 5), 3),
    "one element": torch.tensor([[3.5]]),
    "one row": made((1, 9), 4),
    "constant": torch.full((6, 4), -2.5),
    "equal rows": made((1, 9), 5).repeat(7, 1),
    "zeros": torch.zeros(5, 4),
    "some zeros": torch.relu(made((9, 11), 6)),
    "huge": made((12, 6), 7, 1e30),
    "tiny": made((12, 6), 8, 1e-30),
    "small": made((12, 6), 9, 1e-18),
    "mixed magnitudes": made((12, 6), 10) * torch.logspace(-30, 30, 6),
    "transposed": made((7, 9), 11).t(),
    "strided": made((9, 14), 12)[:, ::2],
    "expanded": made((1, 6), 13).expand(8, 6),
    "bf16": made((8, 9), 14, dtype=torch.bfloat16),
    "fp16": made((8, 9), 15, dtype=torch.float16),
    "fp64": made((8, 9), 16, dtype=torch.float64),
    "beyond float32": made((8, 9), 17, 1e100, torch.float64),
    "subnormal": torch.full((4, 4), 1e-42),
    "negative zero": torch.full((3, 3), -0.0),
}
BAD = {
    "nan": torch.tensor([[1.0, NAN], [2.0, 3.0]]),
    "inf": torch.tensor([[1.0, float("inf")], [2.0, 3.0]]),
    "minus inf": torch.tensor([[1.0, -float("inf")], [2.0, 3.0]]),
    "all nan": torch.full((4, 3), NAN),
    "late nan": torch.cat([torch.zeros(99, 99), torch.full((1, 99), NAN)]),
    "fp16 inf": torch.tensor([[1.0, 65504.0 * 2]], dtype=torch.float16),
}
EMPTY = {
    "no elements": torch.empty(0),
    "no rows": torch.empty(0, 4),
    "no columns": torch.empty(4, 0),
}
ANY = {**NASTY, **BAD, **EMPTY, "scalar": torch.tensor(2.0)}


def wide(x: torch.Tensor) -> np.ndarray:
    """The same values as float64."""
    return x.detach().to(torch.float64).numpy()


def float32(value: float) -> float:
    """As float32 would hold it, what is finite kept finite."""
    top = float(np.finfo(np.float32).max)
    return float(np.clip(value, -top, top)) if np.isfinite(value) else float(value)


def close(got: float, wanted: float, rel: float = 2e-5, floor: float = 1e-44) -> bool:
    """Equal to float32's precision; NaN equals NaN, and each infinity itself."""
    if np.isnan(wanted) or np.isnan(got):
        return bool(np.isnan(wanted) and np.isnan(got))
    wanted = float32(wanted)
    return got == wanted or abs(got - wanted) <= rel * abs(wanted) + floor


def rms(x: np.ndarray) -> float:
    if not x.size or np.isnan(x).any():
        return NAN
    top = np.abs(x).max()
    return float(top * np.sqrt(np.mean((x / top) ** 2))) if 0 < top < np.inf else float(top)


@st.composite
def tensors(draw, dims: tuple[int, int] = (1, 3), dtypes=DTYPES, side: int = 12):
    """Tensors of any size, magnitude and dtype, some of their elements zero."""
    shape = draw(st.lists(st.integers(1, side), min_size=dims[0], max_size=dims[1]))
    dtype = draw(st.sampled_from(dtypes))
    power = draw(st.integers(-3, 3) if dtype == torch.float16 else st.integers(-30, 30))
    offset = draw(st.sampled_from([0.0, 1.0, -30.0]))
    seed = draw(st.integers(0, 2**31))
    values = made(tuple(shape), seed, dtype=torch.float64) + offset
    if draw(st.booleans()):
        values = values * (made(tuple(shape), seed + 1) > 0)
    values = (values * 10.0**power).to(dtype)
    return values.transpose(0, -1) if draw(st.booleans()) else values


@contextlib.contextmanager
def untouched(*inputs: torch.Tensor | None) -> Iterator[None]:
    """Fails when a tensor has changed, in value or in version, or a random number was drawn."""
    given = [x for x in inputs if x is not None]
    copies = [x.detach().clone() for x in given]
    versions = [x._version for x in given]
    state = torch.random.get_rng_state()
    yield
    assert torch.equal(torch.random.get_rng_state(), state)
    for x, copy, version in zip(given, copies, versions, strict=True):
        assert x._version == version
        now, then = (
            torch.nan_to_num(v.coalesce().values() if v.is_sparse else v, 12345.0)
            for v in (x.detach(), copy)
        )
        assert torch.equal(now, then)
