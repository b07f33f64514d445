"""The formulary: what the field uses, as data, and how to find an entry. Standard library only."""

from __future__ import annotations

import difflib
from functools import cache
from importlib import import_module

from gradoctor.errors import GradoctorError
from gradoctor.knowledge.formulary._activation import Activation as Activation
from gradoctor.knowledge.formulary._entry import Entry as Entry
from gradoctor.knowledge.language import Words

KINDS: dict[str, Words] = {
    "activations": Words("activations", "激活函数"),
    "losses": Words("losses", "损失函数"),
    "optimizers": Words("optimizers", "优化器"),
    "schedules": Words("learning-rate schedules", "学习率策略"),
    "normalisers": Words("normalisers", "归一化"),
    "initialisers": Words("initialisers", "初始化"),
    "regularisers": Words("regularisers", "正则化"),
    "paths": Words("gradient paths", "梯度通路"),
}
"""The kinds, in the order they are listed; the entries of each stand in the module of its name,
in a tuple ``ENTRIES``."""


class UnknownEntryError(GradoctorError):
    """A name that the formulary does not have."""


@cache
def entries(kind: str | None = None) -> tuple[Entry, ...]:
    """The entries of one kind, or all of them."""
    if kind is None:
        return tuple(entry for name in KINDS for entry in entries(name))
    found: tuple[Entry, ...] = import_module(f"{__name__}.{kind}").ENTRIES
    return found


@cache
def _names() -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for entry in entries():
        for name in (entry.name, entry.torch.rpartition(".")[2], entry.torch, *entry.aliases):
            found.setdefault(_plain(name), entry)
    found.pop("", None)
    return found


def _plain(name: str) -> str:
    return "".join(c for c in name.strip().lower() if c not in " -_")


def find(name: str) -> Entry:
    """The entry of a name, an alias or a PyTorch name, however it is spelt.

    Raises:
        UnknownEntryError: there is none; the nearest is suggested.
    """
    if (entry := _names().get(_plain(name))) is not None:
        return entry
    near = difflib.get_close_matches(_plain(name), [*_names(), *KINDS], 3, 0.5)
    names = dict.fromkeys(_names()[n].name if n in _names() else n for n in near)
    hint = f"Did you mean {' or '.join(names)}? " if names else ""
    raise UnknownEntryError(
        f"The formulary has no {name!r}.", f"{hint}`gradoctor formulary` lists all."
    )
