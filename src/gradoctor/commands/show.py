"""``gradoctor show``, ``rules`` and ``explain``: look again, and read about rules."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import click

from gradoctor.commands._config import Configured
from gradoctor.commands._forecast import foretold
from gradoctor.commands._judge import judge, language, render
from gradoctor.commands._screen import Screen, say
from gradoctor.commands.run import FOLDER
from gradoctor.errors import RunFileError, UnknownRuleError


@click.command(
    cls=Configured,
    epilog="""\b
Examples:
  gradoctor show                 # the latest run in this folder
  gradoctor show run.db --json""",
)
@click.argument("run_file", type=click.Path(path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the JSON report.")
@click.option("--checkup", is_flag=True, help="Show what run --checkup foretold, instead.")
@click.option("--lang", help="Language of the report: en or zh.")
@click.option("--select", multiple=True, help="Only these rules (codes, prefixes, names).")
@click.option("--ignore", multiple=True, help="Not these rules.")
def show(run_file: Path | None, as_json: bool, checkup: bool, **view: Any) -> int:
    """Judge a recorded run again."""
    from gradoctor.store import latest_run

    path = run_file or latest_run(FOLDER)
    if path is None:
        raise RunFileError(
            "No run was recorded in this folder.", "Record one: gradoctor run SCRIPT."
        )
    if checkup:
        say(foretold(path, language(view), Screen.of_stdout()))
        return 0
    click.echo(
        render(judge(path, view), "json" if as_json else "terminal", language(view)), nl=False
    )
    return 0


@click.command()
@click.option("--lang", help="Language: en or zh.")
def rules(**view: Any) -> int:
    """List all rules."""
    from gradoctor.reporters import pages

    click.echo(pages.render_rules(language(view)), nl=False)
    return 0


@click.command(epilog="Example: gradoctor explain GD101")
@click.argument("code")
@click.option("--lang", help="Language: en or zh.")
def explain(code: str, **view: Any) -> int:
    """Print the page of a rule: GD101, 101 or vanishing-gradient."""
    from gradoctor.reporters import pages

    click.echo(pages.render_page(find_code(code), language(view)), nl=False)
    return 0


def find_code(text: str) -> str:
    """The code that a user means.

    Raises:
        UnknownRuleError: nothing has this code or name; the nearest is suggested.
    """
    from gradoctor.rules import RULES

    names = {rule.name: code for code, rule in RULES.items()}
    wanted = text.strip()
    for code in (wanted.upper(), f"GD{wanted}", names.get(wanted.lower(), "")):
        if code in RULES:
            return code
    near = difflib.get_close_matches(wanted, [*RULES, *names], 1, 0.4)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise UnknownRuleError(f"No rule {text!r}.", f"{hint}`gradoctor rules` lists them all.")
