"""What is asked once, where a parameter is met: forget gates, and scripts that speak of tying."""

from __future__ import annotations

import linecache
import re

import torch

from gradoctor.capture.recorder import Recorder

_TYING = re.compile(r"(?i)(?<![a-z])(tie[ds]?|tying|share[ds]?|sharing)(?![a-z])")


def state_forget_gate(recorder: Recorder, site: int, parameter: torch.Tensor) -> None:
    """PyTorch orders an LSTM's gates input, forget, cell, output, and adds two biases."""
    known = recorder.get(site)
    leaf = str(known.meta.get("leaf") or "")
    if known.type.startswith("LSTM") and leaf.startswith("bias_") and not recorder.step:
        quarter = parameter.shape[0] // 4
        forget = float(parameter.detach()[quarter : 2 * quarter].mean())
        recorder.fact("forget_gate", site, mean=forget)


def speaks_of_tying(recorder: Recorder, site: int) -> bool:
    """The file that makes a weight's layer says that weights are tied or shared."""
    file = recorder.get(site).file
    return file is not None and any(_TYING.search(line) for line in linecache.getlines(file))
