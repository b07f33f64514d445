"""The lab's books, without torch: what an experiment gives, and which there are."""

from __future__ import annotations

from gradoctor.lab._outcome import Outcome as Outcome
from gradoctor.lab._outcome import Spread as Spread

EXPERIMENTS: dict[int, str] = {
    # depth
    # initialisation
    # losses
    # activations
    # normalisation
    # optimisation
}
"""The ledger: the number of a claim, and the function in ``gradoctor.experiments`` that tests it
(``module:function``)."""
