"""What lies between a program and torch while a step is looked at: the cost of being called at all.

    python benchmarks/between.py

Prints the microseconds that an operation and a module call take longer, when we then do nothing.
Capture books them as its own time (``OVERHEAD`` in ``capture/operations.py`` and ``hooks.py``),
because the clock of its guarded code does not see them.
"""

import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from gradoctor.capture.session import Session

COUNT, ROUNDS = 20_000, 9


class Nowhere:
    """A sink that keeps nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args: None


def microseconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    for _ in range(COUNT):
        call()
    return (time.perf_counter() - start) / COUNT * 1e6


def main() -> None:
    torch.set_num_threads(1)
    session = Session(Nowhere())
    x, module = torch.zeros(8), nn.Identity()
    pairs: dict[str, list[float]] = {"operation": [], "module call": []}
    for _ in range(ROUNDS):
        plain = microseconds(lambda: x.add(1))
        session.mode.enter()
        pairs["operation"].append(microseconds(lambda: x.add(1)) - plain)
        session.mode.leave()
        plain = microseconds(lambda: module(x))
        session.hooks.install()
        session.hooks.stack.append(nn.Identity())  # inside another module, outside any training
        pairs["module call"].append(microseconds(lambda: module(x)) - plain)
        session.hooks.remove()
    for what, seen in pairs.items():
        print(f"{what}: {statistics.median(seen):.1f} us more")


if __name__ == "__main__":
    main()
