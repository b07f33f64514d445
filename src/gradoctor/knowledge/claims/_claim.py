"""One claim, and the verdicts there are."""

from __future__ import annotations

from dataclasses import dataclass

from gradoctor.knowledge.language import Words

VERDICTS: dict[str, Words] = {
    "true": Words("true", "正确"),
    "partly": Words("partly true", "部分正确"),
    "false": Words("false", "错误"),
    "depends": Words("it depends", "视情况而定"),
}


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim.

    Attributes:
        number: what is typed: ``gradoctor lab 3``.
        topic: one word or two for lists, lower case.
        text: what is claimed, in our own words, as one sentence.
        expected: the verdict that is expected of its experiment; a key of ``VERDICTS``.
        why: the explanation that goes with the verdict: what is right, what is wrong, and what to
            say instead; where our verdict differs from the notes' survey, why it does.
    """

    number: int
    topic: str
    text: Words
    expected: str
    why: Words
