"""Runs the script as a child Python that is watched, and passes signals on."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from gradoctor.trials.launching import command, environment

FORWARDED = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGQUIT")


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
    child = subprocess.Popen(command(target), env=environment(options))

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
