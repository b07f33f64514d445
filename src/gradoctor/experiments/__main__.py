"""``python -m gradoctor.experiments NUMBER --out FILE``: run one experiment, write its outcome."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import torch

from gradoctor.lab import EXPERIMENTS, Outcome
from gradoctor.lab.keeping import write_json


def experiment(number: int) -> Callable[[], Outcome]:
    """The function that tests a claim."""
    module, _, name = EXPERIMENTS[number].partition(":")
    found: Callable[[], Outcome] = getattr(import_module(f"gradoctor.experiments.{module}"), name)
    return found


def main() -> None:
    """Run the experiment from the same seeds each time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("number", type=int, choices=EXPERIMENTS, metavar="NUMBER")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    torch.manual_seed(0)
    np.random.seed(0)
    write_json(given.out, experiment(given.number)().to_data())


if __name__ == "__main__":
    main()
