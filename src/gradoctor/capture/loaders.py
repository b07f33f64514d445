"""Data loaders: how often they are iterated and how much is drawn."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch.utils.data import DataLoader, DistributedSampler, IterableDataset, dataloader

from gradoctor.capture.guard import Guard, quiet
from gradoctor.capture.places import Place
from gradoctor.capture.recorder import Recorder
from gradoctor.capture.source import caller

WAITING = 1024
"""Batches asked for and not given yet whose indices are kept."""


@dataclass(slots=True)
class LoaderInfo:
    """What is known of one loader."""

    key: str
    place: Place
    iterators: int = 0
    batches: int = 0
    drawn: int = 0
    max_drawn: int = 0
    epochs: set[int] = field(default_factory=set)
    """Epoch numbers that a shuffling distributed sampler was given."""
    waiting: deque[Any] = field(default_factory=deque)
    """Indices of the batches that were asked for and not given yet."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """The batch that was drawn last: of which loader, which one, and which samples."""

    loader: str
    epoch: int
    batch: int
    indices: list[int] | None


class Loaders:
    """Wraps ``DataLoader.__iter__`` and its iterators' ``__next__``."""

    def __init__(self, recorder: Recorder, guard: Guard) -> None:
        self.recorder = recorder
        self.guard = guard
        self._known: weakref.WeakKeyDictionary[Any, LoaderInfo] = weakref.WeakKeyDictionary()
        self._by_iterator: weakref.WeakKeyDictionary[Any, LoaderInfo] = weakref.WeakKeyDictionary()
        self._count = 0
        self.latest: Drawn | None = None
        self._early: deque[Any] = deque()

    def patch(self, wrap: Callable[..., None]) -> None:
        """Intercept iteration."""
        wrap(DataLoader, "__iter__", self._iter)
        wrap(dataloader._BaseDataLoaderIter, "__next__", self._next)
        wrap(dataloader._BaseDataLoaderIter, "_next_index", self._next_index)

    def _iter(self, original: Any, loader: Any) -> Any:
        early = self._early = deque()  # workers are given indices before the iterator is known
        iterator = original(loader)
        self.guard.call("loaders", self._begun, loader, iterator, caller(2), early)
        return iterator

    def _begun(self, loader: Any, iterator: Any, place: Place, early: deque[Any]) -> None:
        info = self._known.get(loader)
        if info is None:
            self._count += 1
            info = self._known[loader] = LoaderInfo(f"loader{self._count}", place)
        info.iterators += 1
        sampler = getattr(loader, "sampler", None)
        if isinstance(sampler, DistributedSampler) and sampler.shuffle:
            info.epochs.add(sampler.epoch)
        info.place = place
        info.drawn = 0
        info.waiting = early
        self._by_iterator[iterator] = info

    def _next(self, original: Any, iterator: Any) -> Any:
        batch = original(iterator)
        info = self._by_iterator.get(iterator)
        if info is not None:
            info.batches += 1
            info.drawn += 1
            info.max_drawn = max(info.max_drawn, info.drawn)
            indices = info.waiting.popleft() if info.waiting else None
            self.latest = Drawn(info.key, info.iterators - 1, info.drawn - 1, indices)
        return batch

    def _next_index(self, original: Any, iterator: Any) -> Any:
        """Which samples the next batch has; a batch is given in the order of asking."""
        indices = original(iterator)
        info = self._by_iterator.get(iterator)
        waiting = info.waiting if info is not None else self._early
        if len(waiting) < WAITING:
            waiting.append(indices if isinstance(indices, list) else None)
        return indices

    def state(self) -> None:
        """State the facts of every loader that lives."""
        for loader, info in list(self._known.items()):
            sampler = type(getattr(loader, "sampler", None)).__name__
            self.recorder.fact(
                "loader", None, info.key, file=info.place[0], line=info.place[1], count=0,
                sampler=sampler, shuffle="Random" in sampler, batch_size=loader.batch_size,
                drop_last=loader.drop_last, length=quiet(len, loader), iterators=info.iterators,
                batches=info.batches, max_drawn=info.max_drawn,
                last_batch=quiet(_last_batch, loader), sampler_epochs=len(info.epochs),
            )  # fmt: skip


def _last_batch(loader: Any) -> int | None:
    """Samples in the last batch of an epoch; None where batches are not cut in order."""
    if loader.drop_last or not loader.batch_size or isinstance(loader.dataset, IterableDataset):
        return None
    return len(loader.sampler) % loader.batch_size or int(loader.batch_size)
