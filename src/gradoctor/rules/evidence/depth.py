"""The main path through a model and how the signal changes along it."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradoctor.recording import Recording, Series
from gradoctor.records import Site
from gradoctor.rules.evidence.persistence import FEWEST
from gradoctor.rules.evidence.robust import Array, Line, theil_sen
from gradoctor.rules.evidence.timing import start_step

SMALLEST = 2.0**-149  # smallest positive float32: what an exact zero counts as
FEWEST_LAYERS = 3


@dataclass(frozen=True)
class Path:
    """Matmul and convolution outputs of one model in execution order, from input to head.

    The gradient enters at the head: what is lost right behind it is part of what a path loses.

    Attributes:
        layers: the module sites.
        weights: for each layer the id of its weight's site, or None.
        size: for each layer log2 of the root of its output's elements a sample: with it, rms
            becomes a norm, which widths and strides leave unchanged.
    """

    model: str
    layers: tuple[Site, ...]
    weights: tuple[int | None, ...]
    size: Array

    @property
    def ids(self) -> tuple[int, ...]:
        """Ids of the layers."""
        return tuple(s.id for s in self.layers)


def paths(run: Recording) -> tuple[Path, ...]:
    """The main path of each model that has at least three layers with a gradient."""
    return run.derive("paths", _paths)


def _paths(run: Recording) -> tuple[Path, ...]:
    seen = _observed(run, "actgrad.rms")
    by_model: dict[str, list[Site]] = {}
    for site in run.of_kind("module"):
        if site.order < 0 or site.meta.get("role") not in ("matmul", "conv"):
            continue
        if site.id not in seen:
            continue
        by_model.setdefault(str(site.meta.get("model", "")), []).append(site)
    return tuple(
        Path(model, tuple(sites), tuple(weight_of(run, s) for s in sites), _sizes(sites))
        for model, sites in by_model.items()
        if len(sites) >= FEWEST_LAYERS
    )


def _observed(run: Recording, statistic: str) -> set[int]:
    table = run.table(statistic)
    if not len(table.sites):
        return set()
    empty = np.atleast_1d(np.isnan(table.values).all(axis=0))
    return {s for s, none in zip(table.sites, empty, strict=True) if not none}


def weight_of(run: Recording, module: Site) -> int | None:
    """The largest matrix that the module owns."""
    owned = [run.sites[p] for p in module.meta.get("params") or () if p in run.sites]
    matrices = [p for p in owned if len(p.meta.get("shape") or ()) > 1]
    best = max(matrices, key=lambda p: int(p.meta.get("numel", 0)), default=None)
    return None if best is None else best.id


def _sizes(sites: list[Site]) -> Array:
    sizes = []
    for site in sites:
        shape = [int(n) for n in site.meta.get("out_shape") or ()][1:]
        sizes.append(0.5 * math.log2(max(math.prod(shape), 1)) if shape else np.nan)
    whole = np.array(sizes, np.float64)
    return np.zeros(len(sites)) if np.isnan(whole).any() else whole


def columns(run: Recording, statistic: str, sites: tuple[int, ...]) -> NDArray[np.float32]:
    """``[T, len(sites)]`` of a statistic; NaN where a site has no column."""
    table = run.table(statistic)
    place = {s: i for i, s in enumerate(table.sites)}
    out = np.full((len(table.steps), len(sites)), np.nan, np.float32)
    for i, site in enumerate(sites):
        if site in place:
            out[:, i] = table.values[:, place[site]]
    return out


@dataclass(frozen=True)
class Profile:
    """The log2 norm of a signal along a path.

    Attributes:
        steps: looks at which both ends were observed.
        bits: ``[T, L]`` log2 norms.
        span: ``[T]`` first minus last, in bits.
        drop: ``[T]`` the largest rise between neighbours towards the loss (positive: the backward
            signal falls by that much in one place).
        rise: ``[T]`` likewise its largest growth towards the input.
    """

    steps: NDArray[np.int64]
    bits: Array
    span: Series
    drop: Series
    rise: Series

    def middle(self, run: Recording) -> Array:
        """The median profile over the window that counts."""
        rows = np.flatnonzero(self.steps >= start_step(run))
        return _nanmedian(self.bits[rows[-max(FEWEST, len(rows) // 3) :]])

    def onset(self, step: int) -> Array:
        """The median profile over the first looks from a step on."""
        rows = np.flatnonzero(self.steps >= step)
        return _nanmedian(self.bits[rows[:FEWEST]])


def backward_profile(run: Recording, path: Path) -> Profile:
    """Gradients with respect to the layers' outputs."""
    return run.derive(("profile", path.model), lambda r: _profile(r, path, "actgrad.rms"))


def _profile(run: Recording, path: Path, statistic: str) -> Profile:
    values = columns(run, statistic, path.ids).astype(np.float64)
    bits = np.log2(np.maximum(values, SMALLEST)) + path.size
    bits[np.isnan(values)] = np.nan
    keep = ~np.isnan(bits[:, 0]) & ~np.isnan(bits[:, -1])
    steps, bits = run.table(statistic).steps[keep], bits[keep]
    filled = _fill(bits)
    steps_between = np.diff(filled, axis=1)
    return Profile(
        steps,
        bits,
        _series(steps, bits[:, 0] - bits[:, -1]),
        _series(steps, steps_between.max(axis=1, initial=-np.inf)),
        _series(steps, (-steps_between).max(axis=1, initial=-np.inf)),
    )


def _fill(bits: Array) -> Array:
    """Carry the last seen layer over those that were not seen (branches that did not run)."""
    out = bits.copy()
    for column in range(1, out.shape[1]):
        missing = np.isnan(out[:, column])
        out[missing, column] = out[missing, column - 1]
    return out


def _series(steps: NDArray[np.int64], values: Array) -> Series:
    return Series(steps, values.astype(np.float32))


def _nanmedian(rows: Array) -> Array:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmedian(rows, axis=0)) if len(rows) else np.empty(0)


def slope(profile: Array) -> Line:
    """Bits a layer along a profile; negative backward slopes mean growth towards the input."""
    return theil_sen(np.arange(len(profile)), profile)


def initial(run: Recording, path: Path, statistic: str) -> Array:
    """The profile of a statistic at the first look within the first three steps, in log2."""
    values = columns(run, statistic, path.ids).astype(np.float64)
    steps = run.table(statistic).steps
    rows = [i for i in np.flatnonzero(steps < 3) if np.isfinite(values[i]).sum() >= FEWEST_LAYERS]
    if not rows:
        return np.empty(0)
    bits = np.log2(np.maximum(values[rows[0]], SMALLEST))
    bits[np.isnan(values[rows[0]])] = np.nan
    return np.asarray(bits + (path.size if statistic == "actgrad.rms" else 0.0))


def cliff(profile: Array) -> tuple[int, float]:
    """Index of the layer below the largest fall of the backward signal, and the fall in bits."""
    filled = _fill(profile[None, :])[0]
    falls = np.diff(filled)
    if not len(falls) or np.isnan(falls).all():
        return 0, 0.0
    at = int(np.nanargmax(falls))
    return at, float(falls[at])


FEW = 3


def is_cliff(profile: Array) -> bool:
    """True when more than half of the span is lost in one place (with few layers: three quarters,
    since of two falls one is always half).
    """
    _, fall = cliff(profile)
    span = abs(float(profile[-1] - profile[0]))
    return fall > (0.5 if len(profile) > FEW else 0.75) * span
