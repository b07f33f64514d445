"""Make the documents' pictures: real runs of the demo's sick script and their reports, as SVG.

python tools/picture.py             # writes docs/pictures/{diagnosis,slope}.{en,zh}.svg
"""

from __future__ import annotations

import html
import io
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from gradoctor.commands._forecast import of_run
from gradoctor.commands._judge import judge
from gradoctor.demo import DEFAULT, DEMOS
from gradoctor.reporters import REPORTERS
from gradoctor.reporters._layout import cells
from gradoctor.reporters.forecast import picture as slope
from gradoctor.reporters.plots import image

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
WIDTH = 84
CELL = 12.2  # of rich's picture
FONTS = 'Menlo, Consolas, "DejaVu Sans Mono", "Noto Sans Mono CJK SC", monospace'


def record(folder: Path) -> tuple[str, Path]:
    """Run the sick script as a user would; gives its name and the run file."""
    script = DEMOS[DEFAULT].sick
    shutil.copy(script, folder / script.name)
    command = [sys.executable, "-m", "gradoctor", "run", "--quiet", "--checkup", script.name]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (run_file,) = (folder / ".gradoctor").glob("*.db")
    return script.name, run_file


def draw(command: str, report: str) -> str:
    """A terminal with a command and the coloured report below it."""
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text(f"$ {command}", style="bold"))
    console.print(Text.from_ansi(report.strip("\n")))
    svg = console.export_svg(title="gradoctor", theme=MONOKAI, unique_id="report")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # nothing from elsewhere
    svg = svg.replace("Fira Code, monospace", FONTS)
    return re.sub(r'textLength="[\d.]+"([^>]*)>([^<]*)', _measured, svg)


def _measured(text: re.Match[str]) -> str:
    """A run of text with its true length: rich takes Chinese characters for one cell wide."""
    length = CELL * cells(html.unescape(text[2]))
    return f'textLength="{length:.1f}"{text[1]}>{text[2]}'


def main() -> None:
    """Draw the report and the forecast in each language."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        script, run_file = record(Path(name))
        found, forecast = judge(run_file, {}), of_run(run_file)
    assert forecast is not None
    for lang, option in (("en", ""), ("zh", "--lang zh ")):
        report = REPORTERS["terminal"].render(found, lang=lang, width=WIDTH, color=True)
        # the file is in a temporary folder of a long name; what is typed next is the same
        report = report.replace(str(run_file), f".gradoctor/{run_file.name}")
        svg = draw(f"gradoctor run {option}{script}", report)
        picture = PICTURES / f"diagnosis.{lang}.svg"
        picture.write_text(svg, encoding="utf-8")
        image.write([slope(forecast)], PICTURES / f"slope.{lang}.svg", lang)
        print(picture)


if __name__ == "__main__":
    main()
