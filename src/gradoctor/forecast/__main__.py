"""``python -m gradoctor.forecast TARGET --out FILE``: the part of ``checkup`` that needs torch."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from pathlib import Path
from typing import Any

from gradoctor.capture.places import Places
from gradoctor.errors import GradoctorError
from gradoctor.forecast.examine import examine
from gradoctor.forecast.inputs import guessed, parsed
from gradoctor.forecast.loading import load, made, remembered
from gradoctor.prognosis import Forecast


def forecast(target: str, shapes: list[str]) -> Forecast:
    """The forecast of what a target names.

    Args:
        shapes: of noise to feed it with; what the factory gives, or a guess, when empty.
    """
    places = Places()
    with remembered(places):
        model, inputs, loss = made(target, load(target))
    if inputs is None or shapes:
        args = tuple(parsed(text, model) for text in shapes) or (guessed(model),)
        return examine(model, args, {}, kind="noise", places=places)
    if isinstance(inputs, dict):
        return examine(model, (), inputs, loss=loss, places=places)
    args = tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)
    return examine(model, args, {}, loss=loss, places=places)


def main() -> int:
    """Write the forecast, or what went wrong, as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--input", action="append", default=[])
    options = parser.parse_args()
    try:
        found: dict[str, Any] = forecast(options.target, options.input).to_data()
    except GradoctorError as fault:
        found = {"error": [fault.what, fault.cure]}
    except Exception as fault:  # the user's own code
        traceback.print_exc(file=sys.stderr)
        found = {"error": [f"{options.target} failed ({type(fault).__name__}: {fault}).",
                           "The traceback above is from your own code."]}  # fmt: skip
    options.out.write_text(json.dumps(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
