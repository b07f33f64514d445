from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
from gradoctor.reporters import REPORTERS
from gradoctor.records import Diagnosis
nothing = Diagnosis("train.py", "healthy", 3, (), (), ())
REPORTERS["json"].render(nothing), REPORTERS["html"].render(nothing)
print(sorted({"rich", "click", "torch", "babel"} & set(sys.modules)))
"""


def test_reporters_load_no_terminal_library_until_one_is_needed():
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
