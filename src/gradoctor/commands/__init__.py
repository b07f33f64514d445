"""The command line: a ledger of commands, loaded when they are asked for."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

COMMANDS: dict[str, str] = {
    "run": "gradoctor.commands.run:run",
    "replay": "gradoctor.commands.replay:replay",
    "show": "gradoctor.commands.show:show",
    "rules": "gradoctor.commands.show:rules",
    "explain": "gradoctor.commands.show:explain",
    "demo": "gradoctor.commands.demo:demo",
    "probe": "gradoctor.commands.probe:probe",
    "checkup": "gradoctor.commands.checkup:checkup",
    "formulary": "gradoctor.commands.formulary:formulary",
    "lab": "gradoctor.commands.lab:lab",
}


def main(argv: list[str] | None = None) -> None:
    """Run a command; our own errors become one line and an exit code."""
    import click

    from gradoctor._version import __version__
    from gradoctor.errors import GradoctorError

    class Lazy(click.Group):
        def list_commands(self, ctx: click.Context) -> list[str]:
            return list(COMMANDS)

        def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
            if name not in COMMANDS:
                return None
            module, attribute = COMMANDS[name].split(":")
            command: click.Command = getattr(import_module(module), attribute)
            return command

    @click.group(cls=Lazy, help="A doctor for PyTorch training runs.")
    @click.version_option(__version__, prog_name="gradoctor")
    def cli() -> None:
        pass

    try:
        code: Any = cli.main(args=argv, prog_name="gradoctor", standalone_mode=False)
    except click.ClickException as fault:
        fault.show()
        sys.exit(fault.exit_code)
    except click.exceptions.Abort:
        sys.exit(130)
    except GradoctorError as fault:
        click.echo(f"error: {fault}", err=True)
        sys.exit(fault.exit_code)
    sys.exit(code if isinstance(code, int) else 0)
