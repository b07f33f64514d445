"""gradoctor: a doctor for PyTorch training runs.

Public names load lazily (PEP 562): importing the package costs no torch, click, rich or numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradoctor._version import __version__ as __version__

if TYPE_CHECKING:
    from gradoctor.checkup import Checkup as Checkup
    from gradoctor.checkup import watch as watch
    from gradoctor.diagnosis import diagnose as diagnose

_HOMES = {
    "Checkup": "gradoctor.checkup",
    "diagnose": "gradoctor.diagnosis",
    "watch": "gradoctor.checkup",
}
__all__ = ["Checkup", "__version__", "diagnose", "watch"]


def __getattr__(name: str) -> Any:
    """Load a public name from its room when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'gradoctor' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
