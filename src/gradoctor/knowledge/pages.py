"""The pages: what each illness is, in each language, as text files ``pages/<lang>/<code>.md``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from gradoctor.errors import UnknownRuleError
from gradoctor.knowledge.figures import fill
from gradoctor.knowledge.language import normalise

SECTIONS = ("what", "why", "evidence", "not", "references")
"""The sections of every page, in the order they are told; the summary stands apart."""

HEADINGS: dict[str, dict[str, str]] = {
    "en": {
        "summary": "Summary",
        "what": "What it is",
        "why": "Why it matters",
        "evidence": "Evidence",
        "not": "Looks like it and is not",
        "references": "References",
    },
    "zh_CN": {
        "summary": "概要",
        "what": "是什么",
        "why": "为什么要紧",
        "evidence": "证据",
        "not": "貌似而不是",
        "references": "参考",
    },
}
"""The heading of each section in each language, as the files have it."""

_CODE = re.compile(r"GD\d{3}")


@dataclass(frozen=True, slots=True)
class Page:
    """What is known of one illness, in one language.

    Attributes:
        lang: the language it is written in; ``en`` when a translation was asked for in vain.
        title: one line, what the user reads in a list.
        summary: one or two sentences with ``{placeholders}`` for a finding's values.
        variants: summaries that replace it for a finding with that value of ``kind``; in the file
            they stand below the summary, each under ``### kind``.
        sections: markdown by the keys of ``SECTIONS``, in that order.
    """

    code: str
    name: str
    title: str
    summary: str
    sections: Mapping[str, str] = field(default_factory=dict)
    lang: str = "en"
    variants: Mapping[str, str] = field(default_factory=dict)

    def tell(self, values: Mapping[str, Any]) -> str:
        """The summary for one finding, in one line; an unknown value reads ``?``."""
        return fill(self.variants.get(str(values.get("kind")), self.summary), values)


@lru_cache(maxsize=256)
def page(code: str, lang: str = "en") -> Page:
    """The page of a code, in English when it has no translation.

    Raises:
        UnknownRuleError: no page has this code.
    """
    if _CODE.fullmatch(code):
        for chosen in dict.fromkeys((normalise(lang), "en")):
            source = _folder(chosen) / f"{code}.md"
            if source.is_file():
                return parse(source.read_text(encoding="utf-8"), chosen)
    raise UnknownRuleError(
        f"There is no page for the code {code!r}.", "`gradoctor rules` lists all."
    )


def codes(lang: str = "en") -> tuple[str, ...]:
    """The codes that have a page in a language, sorted."""
    folder = _folder(normalise(lang))
    if not folder.is_dir():
        return ()
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(n[:-3] for n in names if n.endswith(".md") and _CODE.fullmatch(n[:-3])))


def parse(text: str, lang: str = "en") -> Page:
    """Read a page: ``# CODE name``, the title, then the sections under their headings."""
    keys = {heading: key for key, heading in HEADINGS[lang].items()}
    head, *parts = re.split(r"^## +", text, flags=re.MULTILINE)
    first, _, rest = head.strip().partition("\n")
    code, _, name = first.removeprefix("#").strip().partition(" ")
    found: dict[str, str] = {}
    for part in parts:
        heading, _, body = part.partition("\n")
        found[keys.get(heading.strip(), heading.strip())] = body.strip()
    summary, variants = _summaries(found.get("summary", ""))
    return Page(
        code=code,
        name=name.strip(),
        title=" ".join(rest.split()),
        summary=summary,
        sections={key: found[key] for key in SECTIONS if key in found},
        lang=lang,
        variants=variants,
    )


def _summaries(body: str) -> tuple[str, dict[str, str]]:
    """The summary that serves any finding, and those for a ``kind`` of finding."""
    summary, *parts = re.split(r"^### +", body, flags=re.MULTILINE)
    split = (part.partition("\n") for part in parts)
    return one_line(summary), {kind.strip(): one_line(text) for kind, _, text in split}


def one_line(text: str) -> str:
    """Lines joined: with a space between Latin letters, with nothing inside Chinese text."""
    joined = re.sub(r"(?<=[⺀-￯])\s*\n\s*(?=[⺀-￯])", "", text)
    return " ".join(joined.split())


def _folder(lang: str) -> Traversable:
    return files("gradoctor.knowledge") / "pages" / lang
