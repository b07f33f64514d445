"""What the messages of other tools can mean, as codes of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["note", "suspect", "sick"]


@dataclass(frozen=True)
class Said:
    """One message of a tool.

    Attributes:
        severity: its own word for it, in ours.
        message: the beginning of what it printed.
        codes: illnesses that the message can be read as.
        module: the layer or parameter it names, or ''.
    """

    severity: Severity
    message: str
    codes: tuple[str, ...]
    module: str = ""


Meanings = dict[str, tuple[str, ...]]
"""For the beginning of a message (or a part of it): what it can mean."""

VANISHING = ("GD101", "GD103", "GD104", "GD108", "GD202", "GD301", "GD303", "GD305", "GD306")
EXPLODING = (
    "GD102", "GD106", "GD108", "GD109", "GD205", "GD304", "GD308", "GD401", "GD507", "GD601",
    "GD901",
)  # fmt: skip
STALLED = (*VANISHING, "GD201", "GD902", "GD903", "GD904", "GD905", "GD910")
DEAD = ("GD104", "GD201", "GD203", "GD301")
SATURATED = ("GD202", "GD304", "GD601")
RATE_TOO_HIGH = ("GD401", "GD402", "GD406")
RATE_TOO_LOW = ("GD403", "GD405")
PLATEAU = ("GD417", "GD509")
NOT_FINITE = ("GD602", "GD701", "GD703", "GD711")
SPIKE = ("GD109", "GD418")
DIVERGED = ("GD102", "GD401", "GD418")
RANK = ("GD204", "GD211", "GD517", "GD811")
UPDATES_TOO_SMALL = ("GD101", "GD403", "GD404", "GD704", "GD902", "GD904", "GD905")
UPDATES_TOO_LARGE = ("GD304", "GD401", "GD402", "GD404")
WEIGHTS_GROW = ("GD102", "GD401", "GD424")
WEIGHTS_STAND = ("GD403", "GD704", "GD902", "GD904", "GD905", "GD910")
WEIGHTS_UNEQUAL = ("GD304", "GD305", "GD404")
NOISE = ("GD402", "GD606")
BAD_START = ("GD301", "GD302", "GD303", "GD304", "GD305", "GD306", "GD308", "GD311")
ZEROS = ("GD104", "GD201", "GD301", "GD602", "GD903")
OVERFIT = ("GD610",)
RATE_JUMPED = ("GD405",)

TORCHMORTEM: Meanings = {
    "Vanishing gradients": VANISHING,
    "Exploding gradients": EXPLODING,
    "Gradient stalling": STALLED,
    "Update ratio too low": UPDATES_TOO_SMALL,
    "Update ratio too high": UPDATES_TOO_LARGE,
    "Activation saturation": SATURATED,
    "Dead units": DEAD,
    "High gradient noise": NOISE,
    "Weight norm explosion": WEIGHTS_GROW,
    "Stagnant weight": WEIGHTS_STAND,
    "Inter-layer weight": WEIGHTS_UNEQUAL,
    "Training divergence": DIVERGED,
    "Loss plateau": PLATEAU,
    "Rank collapse": RANK,
}
MODEL_CLINIC: Meanings = {
    "gradient_explosion": EXPLODING,
    "gradient_vanishing": VANISHING,
    "neuron_death": DEAD,
    "loss_spike": SPIKE,
    "weight_divergence": WEIGHTS_GROW,
    "layer_collapse": RANK,
}
TRAINING_DOCTOR: Meanings = {
    "Gradient instability": (*EXPLODING, *SPIKE, *NOT_FINITE),
    "Possible mixed precision": ("GD702", "GD703", "GD706", "GD708"),
    "Learning rate likely too high": RATE_TOO_HIGH,
    "Learning rate may be too low": RATE_TOO_LOW,
    "Overfitting": OVERFIT,
    "Training plateau": PLATEAU,
    "Early training plateau": PLATEAU,
}
TRAINPULSE: Meanings = {
    "NaN": NOT_FINITE,
    "Inf": NOT_FINITE,
    "Loss spike": SPIKE,
    "Gradient explosion": EXPLODING,
    "Vanishing gradient": VANISHING,
    "LR changed": RATE_JUMPED,
    "Loss plateau": PLATEAU,
}
TRAINTOOLS: Meanings = {
    "non-finite": NOT_FINITE,
    "vanished": VANISHING,
    "very large": EXPLODING,
    "ratio is high": UPDATES_TOO_LARGE,
    "ratio is tiny": UPDATES_TOO_SMALL,
    "no gradients": STALLED,
}
