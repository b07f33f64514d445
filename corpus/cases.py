"""The corpus of training scripts: what each is, and what its diagnosis should be."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from corpus.mutation import inject
from corpus.seeds import reseeded

HERE = Path(__file__).parent
ARCHITECTURES = HERE / "healthy" / "architectures.toml"
MUTANTS = HERE / "mutants.toml"

Kind = Literal["sick", "mutant", "mended", "healthy"]
Half = Literal["tuning", "reporting"]


@dataclass(frozen=True)
class Case:
    """One script and what is expected of its diagnosis.

    Attributes:
        kind: ``sick`` was written so, ``mutant`` is a healthy script with one injected fault.
        program: what it is a version of; twins and mutants of one program share it.
        accept: codes that are right as the root; the first is the one that the case is about.
        also: codes that may be found besides.
        lines: the root must point to a line of the script that contains one of these texts.
        module: the root must be in it.
        deep: it is run with ``--deep``, since only a probe can decide it.
        level: ``suspect`` where the rule may say no more than that.
        begins: the step at which the fault first shows; nothing can be said of it before.
        operator, mutation: a mutant's operator and the seed of its place.
        seed: the number of the run; 0 is the script with its own seeds.
    """

    name: str
    kind: Kind
    script: Path
    program: str
    architecture: str
    accept: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    module: str | None = None
    level: Literal["suspect", "sick"] = "sick"
    begins: int = 0
    deep: bool = False
    operator: str = ""
    mutation: int = 0
    seed: int = 0

    @property
    def label(self) -> str:
        """Unique in the corpus."""
        return f"{self.name}-{self.kind}" + (f"-seed{self.seed}" if self.seed else "")

    @property
    def ill(self) -> bool:
        return self.kind in ("sick", "mutant")

    @property
    def half(self) -> Half:
        return half_of(self.program)

    def text(self) -> str:
        """The script that is run: with its fault, where one is injected, and its run's seeds.

        Raises:
            ValueError: another run is asked of a script that sets no seed.
        """
        text = self.script.read_text(encoding="utf-8")
        if self.operator:
            text = inject(text, self.operator, self.mutation).text
        return reseeded(text, self.seed)


def half_of(program: str) -> Half:
    """Thresholds are tuned on one half and reported on the other; a program never changes side."""
    even = hashlib.sha256(program.encode()).digest()[0] % 2 == 0
    return "tuning" if even else "reporting"


@cache
def load_cases() -> tuple[Case, ...]:
    """Every script of the corpus, by name."""
    plain = (*_pairs(), *_healthy())
    return (*plain, *_mutants({(c.name, c.kind): c for c in plain}))


def with_seeds(cases: Iterable[Case], seeds: int) -> list[Case]:
    """The healthy scripts ``seeds`` times, the others once."""
    runs = []
    for case in cases:
        runs += [replace(case, seed=n) for n in range(seeds if case.kind == "healthy" else 1)]
    return runs


def _pairs() -> Iterable[Case]:
    for folder in sorted((HERE / "sick").iterdir()):
        if not (folder / "case.toml").exists():
            continue
        facts = tomllib.loads((folder / "case.toml").read_text(encoding="utf-8"))
        lines = facts["line_contains"]
        sick = Case(
            folder.name,
            "sick",
            folder / "sick.py",
            program=folder.name,
            architecture=facts.get("architecture", ""),
            accept=tuple(facts.get("accept_root") or [facts["code"]]),
            also=tuple(facts.get("also", ())),
            lines=tuple([lines] if isinstance(lines, str) else lines),
            module=facts.get("module"),
            level=facts.get("level", "sick"),
            begins=facts.get("begins", 0),
            deep=facts.get("deep", False),
        )
        yield sick
        yield Case(
            folder.name, "mended", folder / "mended.py", sick.program, sick.architecture,
            deep=sick.deep,
        )  # fmt: skip


def _healthy() -> Iterable[Case]:
    known = tomllib.loads(ARCHITECTURES.read_text(encoding="utf-8"))
    for script in sorted((HERE / "healthy").glob("*.py")):
        name = script.stem
        yield Case(name, "healthy", script, name, known.get(name, ""))


def _mutants(plain: dict[tuple[str, str], Case]) -> Iterable[Case]:
    for row in vetted():
        origin = plain[row["program"], row["version"]]
        mutant = inject(origin.script.read_text(encoding="utf-8"), row["operator"], row["seed"])
        yield Case(
            f"{origin.name}-{row['operator']}-{row['seed']}",
            "mutant",
            origin.script,
            origin.program,
            origin.architecture,
            accept=mutant.accept,
            also=mutant.also,
            lines=mutant.lines,
            operator=row["operator"],
            mutation=row["seed"],
        )


def vetted() -> list[dict[str, Any]]:
    """The mutants that were measured to be harmed, as ``corpus.mutation.vet`` wrote them."""
    if not MUTANTS.exists():
        return []
    rows: list[dict[str, Any]] = tomllib.loads(MUTANTS.read_text(encoding="utf-8"))["mutant"]
    return rows
