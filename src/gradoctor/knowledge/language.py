"""The language of the interface: which one, and what a message reads in it (gettext).

Messages are English in the sources, marked by ``_("...")``, ``.plural("...", "...", n)`` or
``N_("...")`` (marked only, translated later). The catalogues are ``locale/<lang>/LC_MESSAGES``.
"""

from __future__ import annotations

import gettext
import os
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from gradoctor.knowledge.figures import fill

LANGUAGES = ("en", "zh_CN")
DOMAIN = "gradoctor"
# In this order, as gettext has it; ours comes before all of them.
VARIABLES = ("GRADOCTOR_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


def normalise(lang: str | None) -> str:
    """The language we have for a name such as ``zh``, ``zh-Hans`` or ``zh_CN.UTF-8``."""
    return "zh_CN" if (lang or "").strip().lower().startswith("zh") else "en"


def choose(option: str | None = None, environ: Mapping[str, str] | None = None) -> str:
    """The language to speak: the option, else the environment, else English."""
    environ = os.environ if environ is None else environ
    chosen = option or next((environ[v] for v in VARIABLES if environ.get(v)), None)
    return normalise(chosen)


def N_(message: str) -> str:  # noqa: N802
    """Mark a message for the catalogue without translating it yet."""
    return message


class Words(NamedTuple):
    """A text of a catalogue entry: both languages side by side, where the entry is written.

    The interface's own messages go through gettext; texts that belong to one entry of a table
    (the formulary, the claims, the labels of their pictures) stand in that table.
    """

    en: str
    zh: str

    @classmethod
    def same(cls, text: str) -> Words:
        """A text that reads the same in every language: a symbol, a formula, a PyTorch name."""
        return cls(text, text)

    def told(self, lang: str | None) -> str:
        """The text in a language."""
        return self.zh if normalise(lang) == "zh_CN" else self.en


class Translator:
    """Says messages in one language: ``_ = Translator("zh"); _("skipped {n}", n=3)``."""

    def __init__(self, lang: str | None = None) -> None:
        self.lang = normalise(lang)
        self._catalogue = _catalogue(self.lang)

    def __call__(self, message: str, /, **values: Any) -> str:
        """The message in this language, its ``{placeholders}`` filled."""
        said = self._catalogue.gettext(message) if message else ""
        return fill(said, values) if values else said

    def plural(self, one: str, many: str, n: int, /, **values: Any) -> str:
        """The message for a number of things; ``{n}`` is the number."""
        return fill(self._catalogue.ngettext(one, many, n), {"n": n, **values})


def translate(message: str, lang: str | None = None, /, **values: Any) -> str:
    """One message in a language; English when it has no translation."""
    return Translator(lang)(message, **values)


@lru_cache(maxsize=8)
def _catalogue(lang: str) -> gettext.NullTranslations:
    home = files("gradoctor.knowledge") / "locale" / lang / "LC_MESSAGES" / f"{DOMAIN}.mo"
    if not home.is_file():  # English needs none
        return gettext.NullTranslations()
    with home.open("rb") as stream:
        return gettext.GNUTranslations(stream)
