"""``[tool.gradoctor]`` in the nearest pyproject.toml: defaults for a command's options."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import click

from gradoctor.errors import GradoctorError

# Options as a user writes them, the type of each, and the parameter that click fills.
OPTIONS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "budget": ((str, int, float), "budget"),
    "capsule": ((str, int), "capsule"),
    "db": (str, "db"),
    "deep": (bool, "deep"),
    "deep-limit": ((int, float), "deep_limit"),
    "fail-on": (str, "fail_on"),
    "html": (str, "html_file"),
    "ignore": ((list, str), "ignore"),
    "json": (str, "json_file"),
    "lang": (str, "lang"),
    "quiet": (bool, "quiet"),
    "select": ((list, str), "select"),
}


class Configured(click.Command):
    """A command whose options have their defaults from the project's settings."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> click.Context:
        """The context, with the settings below what was typed."""
        extra.setdefault("default_map", settings(Path.cwd()))
        return super().make_context(info_name, args, parent, **extra)


def settings(folder: Path) -> dict[str, Any]:
    """The settings that hold in a folder, by parameter; from the nearest file that has any.

    Raises:
        GradoctorError: a setting is unknown or of the wrong type.
    """
    for home in (folder, *folder.parents):
        file = home / "pyproject.toml"
        table = _table(file) if file.is_file() else None
        if table is not None:
            return dict(_checked(file, key, value) for key, value in table.items())
    return {}


def _table(file: Path) -> dict[str, Any] | None:
    try:
        tools = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return None  # not ours to complain about: the tools that need the file will
    table = tools.get("gradoctor") if isinstance(tools, dict) else None
    return table if isinstance(table, dict) else None


def _checked(file: Path, key: str, value: Any) -> tuple[str, Any]:
    if key not in OPTIONS:
        known = ", ".join(OPTIONS)
        raise GradoctorError(f"{file}: [tool.gradoctor] has no option {key!r}.", f"Known: {known}.")
    types, parameter = OPTIONS[key]
    if not isinstance(value, types) or (isinstance(value, bool) and types is not bool):
        kind = type(value).__name__
        raise GradoctorError(
            f"{file}: [tool.gradoctor] {key} is of type {kind}.", "See `gradoctor run --help`."
        )
    if key in ("select", "ignore"):
        listed = value if isinstance(value, list) else [value]
        return parameter, [str(v) for v in listed]
    return parameter, str(value) if key in ("budget", "capsule") else value
