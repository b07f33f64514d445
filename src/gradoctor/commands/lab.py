"""``gradoctor lab``: put claims to the test, on this machine."""

from __future__ import annotations

import difflib
import json
import math
import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from gradoctor.commands._config import Configured
from gradoctor.commands._judge import check_folders, language, write
from gradoctor.commands._progress import Progress
from gradoctor.commands._screen import Screen, say, written
from gradoctor.errors import GradoctorError
from gradoctor.knowledge.claims import CLAIMS
from gradoctor.knowledge.language import Translator
from gradoctor.lab import EXPERIMENTS
from gradoctor.lab.keeping import Book, Kept, fingerprint
from gradoctor.lab.running import run

PAGE = Path("lab.html")
Found = tuple[dict[int, Kept], dict[int, str]]  # results, and why others failed


@click.command(
    cls=Configured,
    epilog="""\b
Examples:
  gradoctor lab                  # all claims, and the verdicts so far
  gradoctor lab 3                # test one, or show what came of it
  gradoctor lab 3 --again        # test it anew
  gradoctor lab dropout          # the claims that speak of it
  gradoctor lab --all            # test them all, then write lab.html""",
)
@click.argument("claims", nargs=-1, metavar="[CLAIM]...")
@click.option("--all", "every", is_flag=True, help="Test all claims and write one HTML page.")
@click.option("--html", "page", type=click.Path(path_type=Path, dir_okay=False),
              help="Write the page to this file (with --all: lab.html by default).")  # fmt: skip
@click.option("--json", "data", type=click.Path(path_type=Path, dir_okay=False),
              help="Write the results to this file.")  # fmt: skip
@click.option("--again", is_flag=True, help="Test again what has a result already.")
@click.option("--jobs", type=click.IntRange(min=1), help="How many run at a time: all cores.")
@click.option("--lang", help="Language: en or zh.")
def lab(
    claims: tuple[str, ...], every: bool, page: Path | None, data: Path | None, again: bool,
    jobs: int | None, **view: Any,
) -> int:  # fmt: skip
    """Test CLAIM: a number, a topic, or a word of its text. None: list them all.

    Results are kept in .gradoctor/lab, and a run that was stopped goes on where it was.
    """
    lang = language(view)
    book = Book()
    check_folders(page, data)
    numbers = list(CLAIMS) if every or not claims else find(claims)
    if not (claims or every):
        found: Found = ({n: k for n in numbers if (k := book.read(n))}, {})
        if page is None and data is None:
            say(listed(found[0], book, lang))
    else:
        missing = [n for n in numbers if n not in EXPERIMENTS]
        if missing and not every:
            raise GradoctorError(
                f"Claim {missing[0]} has no experiment.", "`gradoctor lab` lists all."
            )
        stopped, found = carry_out(
            [n for n in numbers if n in EXPERIMENTS], book, again, jobs, lang
        )
        if stopped:
            return stopped
        say(told(numbers, found, lang, brief=every))
    if every or page is not None:
        write_page(page or PAGE, numbers, found, lang)
    if data is not None:
        write_data(data, found)
        written(data, lang)
    return 1 if found[1] else 0


# ---- which ---------------------------------------------------------------------------------------
def find(wanted: Sequence[str]) -> list[int]:
    """The claims that are meant, each once.

    Raises:
        GradoctorError: a number or a word that no claim has; the nearest is suggested.
    """
    return list(dict.fromkeys(number for name in wanted for number in _meant(name.strip())))


def _meant(name: str) -> list[int]:
    if name.isdecimal():
        if int(name) in CLAIMS:
            return [int(name)]
        nearest = min(CLAIMS, key=lambda number: abs(number - int(name)))
        raise GradoctorError(
            f"No claim {name}.", f"Did you mean {nearest}? `gradoctor lab` lists them all."
        )
    word = name.lower()
    topic = [n for n, claim in CLAIMS.items() if claim.topic == word]
    found = topic or [
        n for n, c in CLAIMS.items() if word in c.text.en.lower() or word in c.text.zh
    ]
    if word and found:
        return found
    words = {w for c in CLAIMS.values() for w in re.findall(r"[\w-]+", c.text.en.lower())}
    near = difflib.get_close_matches(word, sorted(words | {c.topic for c in CLAIMS.values()}), 1)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise GradoctorError(f"No claim speaks of {name!r}.", f"{hint}`gradoctor lab` lists them all.")


# ---- the run -------------------------------------------------------------------------------------
def carry_out(
    numbers: Sequence[int], book: Book, again: bool, jobs: int | None, lang: str
) -> tuple[int, Found]:
    """Run what has no result yet; the exit code when it was stopped, and what was found."""
    _ = Translator(lang)
    results: dict[int, Kept] = {}
    failed: dict[int, str] = {}
    if again or not all(book.current(n, fingerprint(n)) for n in numbers):
        check_packages()
    try:
        with stoppable(), closing(run(numbers, book, jobs=jobs, again=again)) as events, \
                Progress(len(numbers), lang) as progress:  # fmt: skip
            for event in events:
                if event.kept is not None:
                    results[event.number] = event.kept
                elif event.kind == "failed":
                    failed[event.number] = event.why
                progress.tell(event)
    except KeyboardInterrupt:
        done = _.plural(
            "stopped: {n} result is kept", "stopped: {n} results are kept", len(results)
        )
        click.echo(done + _("; ") + _("the same command goes on from there"), err=True)
        return 130, (results, failed)
    return 0, (results, failed)


def check_packages() -> None:
    """Say what to install when no experiment could run.

    Raises:
        GradoctorError: torch or scikit-learn is missing.
    """
    for module, name in (("torch", "PyTorch"), ("sklearn", "scikit-learn")):
        if find_spec(module) is None:
            raise GradoctorError(
                f"The experiments need {name}, which is not installed.",
                "Install it: pip install torch 'gradoctor[lab]'",
            )


@contextmanager
def stoppable() -> Iterator[None]:
    """A signal that asks us to end does what Ctrl-C does: the children are ended too."""

    def stop(number: int, _: Any) -> None:
        raise KeyboardInterrupt(number)

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    old = {getattr(signal, name): signal.signal(getattr(signal, name), stop) for name in names}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


# ---- what is shown -------------------------------------------------------------------------------
def listed(results: dict[int, Kept], book: Book, lang: str) -> str:
    """All claims with the verdicts so far."""
    from gradoctor.reporters.lab import render_list

    screen = Screen.of_stdout()
    current = [
        n for n in results if n in EXPERIMENTS and book.current(n, fingerprint(n)) is not None
    ]
    return render_list(CLAIMS.values(), results, current, lang, screen.width, screen.color)


def told(numbers: Sequence[int], found: Found, lang: str, *, brief: bool) -> str:
    """What came of each claim, or of all of them in a line."""
    from gradoctor.reporters.lab import counted, digest, render_claim

    results, failed = found
    digests = [digest(CLAIMS[n], results.get(n), lang, failed.get(n, "")) for n in numbers]
    if brief:
        return counted(digests, lang) + "\n"
    screen = Screen.of_stdout()
    return "\n".join(
        render_claim(said, lang, screen.width, screen.color, screen.plain) for said in digests
    )


def write_page(file: Path, numbers: Sequence[int], found: Found, lang: str) -> None:
    """Write the HTML page."""
    from gradoctor.reporters.lab_page import render_page

    text = render_page([CLAIMS[n] for n in numbers], *found, lang)
    write(file, text, "The results are kept: name another file with --html.")
    written(file, lang)


def write_data(file: Path, found: Found) -> None:
    """Write the results as JSON."""
    results, failed = found
    data = {
        "results": [
            {**kept.to_data(), "expected": CLAIMS[number].expected}
            for number, kept in sorted(results.items())
        ],
        "failed": [{"number": number, "why": why} for number, why in sorted(failed.items())],
    }
    text = json.dumps(finite(data), ensure_ascii=False, indent=1, allow_nan=False)
    write(file, text + "\n", "The results are kept: name another file with --json.")


def finite(data: Any) -> Any:
    """The data with null for NaN and infinity, which JSON has not."""
    if isinstance(data, dict):
        return {key: finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
