"""The command line and the environment of a child Python that loads our bootstrap first."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def environment(options: dict[str, Any]) -> dict[str, str]:
    """The child's environment: our bootstrap first on its path, and what it has to know."""
    here = str(Path(__file__).parents[1] / "bootstrap")
    given = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([here, *([given] if given else [])]),
        "GRADOCTOR_OPTIONS": json.dumps(options),
        "GRADOCTOR_CLAIM": "1",
    }


def interpreter_flags(command: Sequence[str]) -> list[str]:
    """The options of Python itself in a command line, such as ``-X dev``; the rest is ours."""
    flags: list[str] = []
    arguments = iter(command[1:])
    for argument in arguments:
        if not argument.startswith("-") or argument in ("-", "-m", "-c"):
            break
        flags.append(argument)
        if argument in ("-W", "-X", "--check-hash-based-pycs"):
            flags.append(next(arguments, ""))
    return flags


def command(target: Sequence[str]) -> list[str]:
    """This Python, with its own flags, on a script or ``-m`` and a module."""
    return [sys.executable, *interpreter_flags(sys.orig_argv), *target]
