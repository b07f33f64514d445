"""``gradoctor checkup``: a network before its first step."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from gradoctor.commands._config import Configured
from gradoctor.commands._judge import GRAVITY, language, write
from gradoctor.commands._screen import Screen, say
from gradoctor.errors import GradoctorError
from gradoctor.prognosis import Forecast


@click.command(
    cls=Configured,
    epilog="""\b
Examples:
  gradoctor checkup train.py:make_model
  gradoctor checkup package.models:ResNet --input 16,3,32,32
  gradoctor checkup train.py:GPT --input 32,64:long --picture slope.svg
  gradoctor run --checkup train.py       # on the script's own model and first batch""",
)
@click.argument("target", metavar="MODULE:FACTORY")
@click.option("--input", "inputs", multiple=True, metavar="SHAPE",
              help="Shape of noise to feed it with: 32,3,64,64, or 64,16:long for ids; once for "
                   "each argument. A guess by its first layer when not given.")  # fmt: skip
@click.option("--json", "json_file", type=click.Path(path_type=Path),
              help="Write the forecast as JSON; - for stdout.")  # fmt: skip
@click.option("--picture", type=click.Path(path_type=Path, dir_okay=False),
              help="Write predicted and measured slope to a .svg or .png file.")  # fmt: skip
@click.option("--lang", help="Language: en or zh.")
@click.option("--fail-on", type=click.Choice(["never", "suspect", "sick"]), default="never",
              show_default=True, help="Exit with 3 when the verdict is this bad.")  # fmt: skip
def checkup(target: str, inputs: tuple[str, ...], json_file: Path | None,
            picture: Path | None, **view: Any) -> int:  # fmt: skip
    """Look at a network before training: what will vanish or explode, and what mends it.

    FACTORY is a model, its class, or a function without arguments that returns a model,
    (model, inputs), or (model, inputs, loss). One forward and backward; nothing is trained.
    """
    from gradoctor.reporters import forecast as reporter

    found = forecast(target, inputs)
    lang, screen = language(view), Screen.of_stdout()
    text = json.dumps({"schema": 1, **found.to_data()}, indent=2) + "\n"
    if json_file is not None and str(json_file) != "-":
        write(json_file, text, "Choose another file.")
    say(text if str(json_file) == "-" else
        reporter.render(found, lang, screen.width, screen.color, screen.plain))  # fmt: skip
    if picture is not None:
        from gradoctor.reporters.plots import image

        image.write([reporter.picture(found)], picture, lang)
    limit = view["fail_on"]
    bad = limit != "never" and GRAVITY.index(found.verdict) >= GRAVITY.index(limit)
    return 3 if bad else 0


def forecast(target: str, inputs: tuple[str, ...]) -> Forecast:
    """The forecast, made by a Python of its own: what the user's code prints goes to stderr.

    Raises:
        GradoctorError: torch is missing, or the factory cannot be found, called, or fed.
    """
    if find_spec("torch") is None:
        raise GradoctorError("PyTorch is not installed.", "Install it: pip install torch")
    with tempfile.TemporaryDirectory(prefix="gradoctor-") as folder:
        out = Path(folder) / "forecast.json"
        command = [sys.executable, "-m", "gradoctor.forecast", target, "--out", str(out)]
        for shape in inputs:
            command += ["--input", shape]
        code = subprocess.run(command, stdout=2, check=False, env={**os.environ}).returncode
        if not out.exists():
            raise GradoctorError(
                f"{target} ended before it was looked at (exit code {code}).",
                "Name a file that only defines the model, or guard its training with "
                'if __name__ == "__main__".',
                exit_code=code if code > 0 else 1,
            )
        data = json.loads(out.read_text(encoding="utf-8"))
    if "error" in data:
        raise GradoctorError(*data["error"])
    return Forecast.from_data(data)
