"""The causal graph of diseases as data: which explains which, and how likely each is to be first.

``EDGES[cause]`` are the symptoms it leads to. A cause explains all that can be reached from it,
also through diseases that were not found (they may have no rule, or no statistic in this run).
"""

from __future__ import annotations

from functools import cache

# Outcomes and look-alikes that many diseases end in.
_STALL = ("GD211", "GD417", "GD509")

EDGES: dict[str, tuple[str, ...]] = {
    # ---- gradients
    "GD101": ("GD104", "GD204", "GD403", "GD404", "GD407", *_STALL),
    "GD102": ("GD109", "GD401", "GD418", "GD701"),
    "GD103": ("GD104", "GD204", "GD403", *_STALL),
    "GD104": _STALL,
    "GD106": ("GD102", "GD401", "GD418", *_STALL),
    "GD108": ("GD101", "GD102", "GD204", "GD401", "GD403", *_STALL),
    "GD109": ("GD201", "GD410", "GD418"),
    # ---- activations
    "GD201": ("GD203", "GD101", "GD103", "GD104", "GD204", "GD419", *_STALL),
    "GD202": ("GD101", "GD103", "GD104", "GD204", "GD403", *_STALL),
    "GD203": ("GD419", *_STALL),
    "GD204": ("GD103", "GD104", "GD807", *_STALL),
    "GD205": ("GD102", "GD309", "GD401", "GD703", *_STALL),
    "GD206": ("GD703",),
    "GD207": ("GD103", "GD418", *_STALL),
    "GD208": ("GD207", "GD418"),
    "GD209": _STALL,
    "GD211": ("GD417", "GD509"),
    "GD215": _STALL,
    # ---- initialisation
    "GD301": ("GD101", "GD103", "GD104", "GD201", "GD204", "GD302", "GD303", "GD403", *_STALL),
    "GD302": ("GD204", *_STALL),
    "GD303": ("GD306", "GD101", "GD103", "GD104", "GD201", "GD204", "GD403", *_STALL),
    "GD304": ("GD102", "GD201", "GD202", "GD205", "GD306", "GD309", "GD401", "GD416", "GD418"),
    "GD305": ("GD101", "GD204", "GD303", "GD304", "GD306"),
    "GD306": ("GD101", "GD102", "GD204", "GD401", *_STALL),
    "GD308": ("GD102", "GD205", "GD304", "GD309", "GD401", *_STALL),
    "GD309": ("GD109", "GD401"),
    "GD311": ("GD109", "GD309", "GD401", *_STALL),
    "GD312": ("GD108",),
    # ---- optimisation
    "GD401": ("GD102", "GD109", "GD201", "GD202", "GD203", "GD207", "GD208", "GD402", "GD418", "GD701", *_STALL),
    "GD402": ("GD109", "GD201", "GD202", "GD418", *_STALL),
    "GD403": _STALL,
    "GD405": ("GD401", "GD403", "GD416", "GD417", "GD418", "GD509"),
    "GD406": ("GD207", "GD208", "GD401"),
    "GD407": ("GD403", "GD404", *_STALL),
    "GD408": ("GD109", "GD401", "GD418"),
    "GD410": ("GD403", *_STALL),
    "GD411": ("GD102", "GD401", "GD403", "GD418", "GD701"),
    "GD412": ("GD401", "GD402", "GD416"),
    "GD413": ("GD211", "GD303", "GD806", *_STALL),
    "GD416": ("GD401", "GD402", "GD418"),
    "GD419": _STALL,
    "GD420": ("GD403", *_STALL),
    "GD421": ("GD402", *_STALL),
    "GD422": ("GD109", "GD406", "GD418"),
    # ---- losses
    "GD501": ("GD101", "GD103", "GD309", "GD403", *_STALL),
    "GD502": ("GD102", "GD309", "GD401", "GD416", "GD418", "GD701", *_STALL),
    "GD503": ("GD309", "GD401", "GD403", "GD701", *_STALL),
    "GD504": ("GD309", "GD403", *_STALL),
    "GD505": ("GD204", "GD309", *_STALL),
    "GD506": ("GD101", "GD103", "GD104", "GD202", "GD403", *_STALL),
    "GD507": ("GD109", "GD201", "GD202", "GD309", "GD401", "GD410", "GD418", *_STALL),
    "GD508": ("GD101", "GD104", "GD201", "GD202", "GD204", "GD309", "GD403", *_STALL),
    "GD509": ("GD417",),
    "GD510": ("GD701",),
    "GD512": ("GD701", *_STALL),
    "GD513": ("GD102", "GD109", "GD309", "GD401", "GD402", "GD403", "GD416", "GD418", "GD701", *_STALL),
    "GD515": ("GD204", *_STALL),
    "GD516": ("GD101", "GD103", "GD104", "GD202", "GD203", "GD204", "GD403", "GD418", *_STALL),
    "GD517": ("GD204", *_STALL),
    "GD519": _STALL,
    # ---- data
    "GD601": (
        "GD102", "GD103", "GD201", "GD202", "GD205", "GD303", "GD304", "GD309", "GD401", "GD416",
        "GD703",
    ),
    "GD602": ("GD204", "GD701", *_STALL),
    "GD603": ("GD201", "GD401", "GD402", "GD418", "GD419", *_STALL),
    "GD605": ("GD417", "GD610", "GD611"),
    "GD606": ("GD402", "GD417", "GD418"),
    "GD608": ("GD403", "GD417", "GD603"),
    "GD609": ("GD109", "GD418"),
    "GD612": ("GD418",),
    "GD613": _STALL,
    "GD615": ("GD610", "GD802"),
    "GD616": _STALL,
    # ---- numerics
    "GD701": ("GD711", "GD706", "GD418"),
    "GD702": ("GD101", "GD103", "GD104", "GD204", "GD403", *_STALL),
    "GD703": ("GD708", "GD701", "GD706"),
    "GD704": ("GD403", "GD417"),
    "GD705": ("GD102", "GD401", "GD403", "GD410", "GD411", "GD701"),
    "GD706": ("GD403", "GD702", *_STALL),
    "GD708": ("GD701",),
    "GD710": ("GD401", "GD701", "GD417"),
    "GD711": ("GD701", "GD417"),
    # ---- architecture
    "GD801": ("GD403", "GD610", "GD802", *_STALL),
    "GD802": ("GD610",),
    "GD803": ("GD802",),
    "GD804": ("GD417", "GD509"),
    "GD805": ("GD104",),
    "GD806": ("GD103", "GD211"),
    "GD807": _STALL,
    "GD808": ("GD208", "GD401", *_STALL),
    "GD809": ("GD101", "GD102", "GD204"),
    "GD810": ("GD611", "GD806", *_STALL),
    "GD811": ("GD204", "GD611"),
    "GD814": ("GD309", "GD314"),
    "GD815": ("GD802",),
    # ---- wiring
    "GD901": ("GD102", "GD109", "GD401", "GD402", "GD403", "GD418", "GD509"),
    "GD902": ("GD103", "GD204", "GD403", *_STALL),
    "GD903": ("GD103", "GD104", "GD204", "GD902", "GD403", *_STALL),
    "GD904": ("GD103", "GD104", "GD902", "GD403", *_STALL),
    "GD905": ("GD403", "GD411", "GD901", *_STALL),
    "GD906": ("GD802", "GD417"),
    "GD907": ("GD802",),
    "GD908": ("GD109", "GD401", "GD410", "GD416"),
    "GD909": ("GD902", "GD903"),
    "GD910": ("GD902", "GD903", "GD905", "GD403", *_STALL),
    "GD911": ("GD109", "GD401", "GD402", "GD416", "GD418", "GD509"),
    "GD913": ("GD401", "GD403", "GD404", "GD418", *_STALL),
    "GD921": ("GD902", "GD903", "GD910", "GD403", *_STALL),
}  # fmt: skip

# How common a cause is and how cheap its cure: the first wins a tie.
_FAMILIES: tuple[tuple[str, ...], ...] = (
    ("GD9", "GD405", "GD411"),  # wiring
    ("GD6", "GD507"),  # data and its scale
    ("GD5",),  # loss form
    ("GD4",),  # learning rate
    ("GD3",),  # initialisation
    ("GD1", "GD2", "GD8"),  # architecture
    ("GD7",),  # numerics
    ("GD611", "GD616"),  # what is left when all else is in health
)
OUTCOMES = frozenset({"GD211", "GD417", "GD418", "GD509"})


@cache
def descendants(code: str) -> frozenset[str]:
    """All that a disease can lead to, itself left out."""
    seen: set[str] = set()
    todo = [code]
    while todo:
        for symptom in EDGES.get(todo.pop(), ()):
            if symptom not in seen and symptom != code:
                seen.add(symptom)
                todo.append(symptom)
    return frozenset(seen)


def leads_to(cause: str, symptom: str) -> bool:
    """True when the graph has a way from the cause to the symptom."""
    return symptom in descendants(cause)


def prior(code: str) -> tuple[int, str]:
    """Rank by prior frequency and cost of the cure; small comes first. Outcomes come last."""
    if code in OUTCOMES:
        return len(_FAMILIES), code
    exact = [i for i, family in enumerate(_FAMILIES) if code in family]
    for i, family in enumerate(_FAMILIES):
        if any(code.startswith(head) for head in family):
            return (exact or [i])[0], code
    return len(_FAMILIES), code
