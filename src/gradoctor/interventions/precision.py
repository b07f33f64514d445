"""Single precision wherever the script uses less."""

from __future__ import annotations

from typing import Any

import torch

from gradoctor.interventions._intervention import Call, Intervention
from gradoctor.interventions._values import mapped

HALF = (torch.float16, torch.bfloat16)


class Precision(Intervention):
    """Says which precision below float32 a script uses and, when asked, puts float32 in its place.

    States ``precision``: ``autocast`` (its dtype, None without), ``scaler`` (one is enabled),
    ``half`` (tensors of half precision that were made outside autocast).

    Args:
        single: autocast and gradient scalers are off, half precision becomes float32.
    """

    operations = True

    def __init__(self, single: bool) -> None:
        self._single = single
        self._seen: dict[str, Any] = {"autocast": None, "scaler": False, "half": 0}

    def begin(self, stage: Any) -> None:
        """Watch whatever chooses a precision."""
        super().begin(stage)
        stage.wrap(torch.amp.autocast_mode.autocast, "__init__", self._autocast)
        stage.wrap(torch.amp.GradScaler, "__init__", self._scaler)
        stage.wrap(torch, "set_default_dtype", self._default)
        for name in ("half", "bfloat16"):
            stage.wrap(torch.Tensor, name, self._halve)

    def _autocast(self, original: Any, mode: Any, *args: Any, **kwargs: Any) -> None:
        original(mode, *args, **kwargs)
        if mode._enabled:
            self._seen["autocast"] = str(mode.fast_dtype).removeprefix("torch.")
            mode._enabled = not self._single

    def _scaler(self, original: Any, scaler: Any, *args: Any, **kwargs: Any) -> None:
        original(scaler, *args, **kwargs)
        if scaler._enabled:
            self._seen["scaler"] = True
            scaler._enabled = not self._single

    def _default(self, original: Any, dtype: Any) -> None:
        self._seen["half"] += dtype in HALF
        original(torch.float32 if self._single and dtype in HALF else dtype)

    def _halve(self, original: Any, tensor: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        self._seen["half"] += 1
        return tensor.float() if self._single else original(tensor, *args, **kwargs)

    def call(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """Dtypes that are asked for."""
        if not any(a in HALF for a in (*args, *kwargs.values()) if isinstance(a, torch.dtype)):
            return args, kwargs
        self._seen["half"] += 1
        if not self._single:
            return args, kwargs
        return tuple(_single(a) for a in args), {k: _single(v) for k, v in kwargs.items()}

    def called(self, func: Any, call: Call, out: Any) -> Any:
        """What came in half precision from elsewhere (a data set, a checkpoint)."""
        if not self._single:
            return out
        return mapped(out, lambda t: t.float() if t.dtype in HALF else t)

    def end(self) -> None:
        """Say what was used."""
        self.stage.state(precision=self._seen)


def _single(value: Any) -> Any:
    return torch.float32 if isinstance(value, torch.dtype) and value in HALF else value
