"""Is it the weights, or the scale of the inputs? What the probe init says of either."""

from __future__ import annotations

from gradoctor.recording import Recording
from gradoctor.records import Level
from gradoctor.rules.data.input_unnormalised import is_off_scale
from gradoctor.rules.evidence.exclusions import Exclusion
from gradoctor.rules.evidence.probes import at_fault, weighed


def unscaled_input(run: Recording) -> Exclusion:
    """Inputs off scale would explain it, unless the probe shows that noise fares no better."""
    return Exclusion("unscaled-input", is_off_scale(run) and at_fault(run) != "weights")


def tried(run: Recording, level: Level) -> Level:
    """The level of an ill initialisation after the probe: harm it must have had before."""
    fault = at_fault(run)
    confirmed = fault == "weights" and level >= Level.SICK
    return weighed(level, confirmed=confirmed, refuted=fault == "inputs")
