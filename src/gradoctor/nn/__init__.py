"""What PyTorch lacks for healthy training: modules, gains, and initialisation by activation."""

from __future__ import annotations

from gradoctor.nn.gains import gain as gain
from gradoctor.nn.initialisation import Initialised as Initialised
from gradoctor.nn.initialisation import initialise as initialise
from gradoctor.nn.lsuv import lsuv_ as lsuv_
from gradoctor.nn.modules import Maxout as Maxout
from gradoctor.nn.modules import RMSELoss as RMSELoss
from gradoctor.nn.modules import SwiGLU as SwiGLU

__all__ = ["Initialised", "Maxout", "RMSELoss", "SwiGLU", "gain", "initialise", "lsuv_"]
