"""A replay capsule: one training step to run again, kept as a safetensors file.

The format is simple and needs no library: eight bytes with the header's length, a JSON header of
names, types, shapes and offsets, then the data. https://github.com/huggingface/safetensors
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradoctor.errors import GradoctorError

SUFFIX = ".capsule"
VERSION = 1
KEY = "gradoctor"
_HEADER_MOST = 64 << 20


@dataclass(frozen=True, slots=True)
class Raw:
    """A tensor as bytes.

    Attributes:
        dtype: as safetensors calls it: ``F32``, ``BF16``, ``I64``, ``BOOL``, ...
        shape: its sizes.
        data: its elements in row-major order, little-endian.
    """

    dtype: str
    shape: tuple[int, ...]
    data: bytes | memoryview

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.data)


def capsule_of(run_file: Path) -> Path:
    """Where the capsule of a run is kept: beside its run file."""
    return run_file.with_suffix(SUFFIX)


def write(path: Path, tensors: Mapping[str, Raw], meta: Mapping[str, Any]) -> None:
    """Write a capsule whole or not at all.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    header: dict[str, Any] = {"__metadata__": {KEY: json.dumps({"version": VERSION, **meta})}}
    end = 0
    for name, raw in tensors.items():
        begin, end = end, end + raw.size
        header[name] = {
            "dtype": raw.dtype, "shape": list(raw.shape), "data_offsets": [begin, end],
        }  # fmt: skip
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            for raw in tensors.values():
                file.write(raw.data)
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def read(path: Path) -> tuple[dict[str, Any], dict[str, Raw]]:
    """What a capsule says of its step, and its tensors.

    Raises:
        GradoctorError: it cannot be read, is cut short, or is no capsule.
    """
    try:
        content = path.read_bytes()
    except OSError as fault:
        raise GradoctorError(
            f"{path} cannot be read ({fault.strerror}).",
            "Give a capsule: `gradoctor show` names the one of the latest run.",
        ) from None
    try:
        (length,) = struct.unpack("<Q", content[:8])
        if length > min(len(content), _HEADER_MOST):
            raise ValueError("cut short")
        header = json.loads(content[8 : 8 + length])
        meta = json.loads(header.pop("__metadata__")[KEY])
        if meta["version"] != VERSION:
            raise ValueError(f"version {meta['version']}")
        data = memoryview(content)[8 + length :]
        tensors = {name: _raw(told, data) for name, told in header.items()}
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as fault:
        raise GradoctorError(
            f"{path} is no replay capsule ({fault}).",
            "Give the .capsule file that lies beside a run file.",
        ) from None
    return meta, tensors


def _raw(told: Mapping[str, Any], data: memoryview) -> Raw:
    begin, end = told["data_offsets"]
    if not 0 <= begin <= end <= len(data):
        raise ValueError("cut short")
    return Raw(told["dtype"], tuple(told["shape"]), data[begin:end])
