"""Loaded by Python's own start-up in every process of a watched run.

Leaves no trace in ``sys.path`` or ``sys.modules``, runs the sitecustomize that would have run
without us, and waits for the script to import torch.
"""

import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec


def _step_aside() -> bool:
    """Take our folder off the path, and load the next sitecustomize as Python would have.

    Returns:
        True when there is one.
    """
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [p for p in sys.path if p == "" or os.path.abspath(p) != here]
    spec = PathFinder.find_spec("sitecustomize")
    if spec is None or spec.loader is None:
        return False
    following = module_from_spec(spec)
    sys.modules["sitecustomize"] = following
    spec.loader.exec_module(following)
    return True


def _main() -> None:
    options = os.environ.get("GRADOCTOR_OPTIONS")
    followed = _step_aside()
    if options:
        try:
            from gradoctor.bootstrap.waiting import wait_for_torch
        except ImportError:
            pass  # a Python that has no gradoctor: nothing to watch with
        else:
            wait_for_torch(options)
    if not followed:
        # what Python expects when there is none: it goes on in silence and keeps no module
        raise ImportError("no sitecustomize", name="sitecustomize")


_main()
