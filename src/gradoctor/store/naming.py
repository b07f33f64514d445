"""Where a run is recorded by default: a new file in ``.gradoctor``, else in a temporary folder."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradoctor.errors import RunFileError
from gradoctor.store.files import SUFFIX, create_run

FOLDER = Path(".gradoctor")


def new_run(stem: str, meta: Mapping[str, Any], folder: Path = FOLDER) -> Path:
    """Make a run file of a name that is not taken; where the folder cannot be written, elsewhere.

    Args:
        stem: what the name begins with, such as the script's.
        meta: the first properties of the run.
    """
    try:
        folder.mkdir(exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
        return create_run(_free(folder, stem), meta)
    except (OSError, RunFileError):
        return create_run(_free(Path(tempfile.mkdtemp(prefix="gradoctor-")), stem), meta)


def _free(folder: Path, stem: str) -> Path:
    name = f"{stem.replace('.', '-')}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    path, number = folder / f"{name}{SUFFIX}", 2
    while path.exists():  # several checkups in one second of one process
        path, number = folder / f"{name}-{number}{SUFFIX}", number + 1
    return path
