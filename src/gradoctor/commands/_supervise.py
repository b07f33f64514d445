"""Runs the script as a child Python that is watched, and passes signals on."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

FORWARDED = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGQUIT")


def environment(options: dict[str, Any]) -> dict[str, str]:
    """The child's environment: our bootstrap first on its path, and what it has to know."""
    import gradoctor

    here = str(Path(gradoctor.__file__).parent / "bootstrap")
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


def supervise(
    target: Sequence[str], options: dict[str, Any], tick: Callable[[], None] | None = None
) -> int:
    """Run ``python <flags> *target`` under watch until it ends.

    Args:
        target: the script and its arguments, or ``-m``, the module and its arguments.
        tick: called about twice a second while the child runs.

    Returns:
        The child's return code as ``subprocess`` gives it: negative for a signal.
    """
    command = [sys.executable, *interpreter_flags(sys.orig_argv), *target]
    child = subprocess.Popen(command, env=environment(options))

    def forward(number: int, _: Any) -> None:
        child.send_signal(number)

    # Ctrl-C reaches the child through the terminal's process group: we only wait for it to end
    old = {signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN)}
    for name in FORWARDED:
        if hasattr(signal, name):
            old[getattr(signal, name)] = signal.signal(getattr(signal, name), forward)
    try:
        while True:
            try:
                return child.wait(0.5)
            except subprocess.TimeoutExpired:
                if tick is not None:
                    tick()
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def end_like(code: int) -> int:
    """The exit code to leave with; a child that died by a signal is followed by the same signal."""
    if code >= 0:
        return code
    sys.stdout.flush()
    sys.stderr.flush()
    with contextlib.suppress(OSError):  # SIGKILL takes no handler
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
    return 128 - code
