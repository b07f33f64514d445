"""Thirty ways to train, each a few steps long: what people really write.

Every function trains from a fixed seed; what it returns must not differ by a bit when watched.
"""

from . import loops, networks
from ._kind import KINDS

__all__ = ["KINDS", "loops", "networks"]
