"""The house keeps its shape: who imports whom, how long things are, and what stays unloaded."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import gradoctor

SOURCE = Path(gradoctor.__file__).parent
DEMOS = SOURCE / "demo" / "scripts"  # programs that users read, not ours to import
FILES = sorted(f for f in SOURCE.rglob("*.py") if DEMOS not in f.parents)

# The table of docs/architecture.md: room -> storey. A room imports lower storeys only.
STOREYS = {
    "records": 0, "errors": 0, "_version": 0,
    "recording": 1, "knowledge": 1, "statistics": 1, "theory": 1, "capsules": 1,
    "capture": 2, "store": 2, "rules": 2, "remedies": 2, "tracing": 2, "lab": 2,
    "trials": 2,
    "diagnosis": 3, "nn": 3, "prognosis": 3, "probes": 3,
    "reporters": 4, "experiments": 4, "forecast": 4,
    "interventions": 4,
    "checkup": 5, "bootstrap": 5,
    "demo": 6,
    "commands": 7,
}  # fmt: skip
TORCH_ROOMS = {
    "statistics", "capture", "tracing", "forecast", "checkup", "nn", "experiments", "interventions",
}  # fmt: skip
NO_TORCH_ROOMS_BELOW = {
    "store", "rules", "remedies", "diagnosis", "reporters", "commands", "lab", "trials",
    "probes",
}  # fmt: skip
# besides the standard library and lower rooms
MAY_IMPORT = {
    "recording": {"numpy"}, "theory": {"numpy"}, "nn": {"torch", "numpy"},
    "tracing": {"torch", "numpy"}, "forecast": {"torch", "numpy"}, "prognosis": {"numpy"},
    "experiments": {"torch", "numpy", "sklearn"}, "statistics": {"torch", "numpy"},
    "capture": {"torch", "numpy"}, "interventions": {"torch", "numpy"},
    "probes": {"numpy"},
    "store": {"numpy"}, "rules": {"numpy"}, "diagnosis": {"numpy"},
    "reporters": {"numpy", "rich", "babel", "matplotlib"}, "checkup": {"torch", "numpy"},
    "commands": {"click", "rich"},
}  # fmt: skip
# The only rooms that speak to a person; the others return what is to be said.
MAY_PRINT = {"capture", "bootstrap", "checkup"}
LONG_FILE, LONG_FUNCTION = 400, 50
# Tables of data: one entry after another, as long as there are entries.
TABLES = (
    "knowledge/formulary/",
    "knowledge/claims",
    "knowledge/facts.py",
    "knowledge/statistics.py",
    "reporters/_probe_words.py",
    "reporters/_words.py",
)


def room_of(file: Path) -> str:
    part = file.relative_to(SOURCE).parts[0]
    return part.removesuffix(".py")


def name_of(file: Path) -> str:
    return str(file.relative_to(SOURCE))


def imports(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, int]]:
    """Every module that is imported anywhere in there, but for type checkers only."""
    for node in nodes:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            yield from imports(node.orelse)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "absolute imports only"
            assert node.module is not None
            if node.module == "gradoctor":
                yield from ((f"gradoctor.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield node.module, node.lineno
        else:
            yield from imports(ast.iter_child_nodes(node))


def imported_rooms(file: Path) -> Iterator[tuple[str, int]]:
    """Rooms of ours, ``gradoctor`` itself left out."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for module, line in imports([tree]):
        top, _, rest = module.partition(".")
        if top == "gradoctor" and rest:
            yield rest.split(".")[0], line


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_a_room_imports_lower_storeys_only(file):
    room = room_of(file)
    if room in ("__init__", "__main__"):
        return
    wrong = [
        f"{file}:{line} imports {other}"
        for other, line in imported_rooms(file)
        if other != room
        and STOREYS[other] >= STOREYS[room]
        # what a watched process begins with hands over to the rooms that need torch
        and (room, other) != ("bootstrap", "checkup")
    ]
    assert not wrong, "\n".join(wrong)


def test_every_room_has_its_storey():
    rooms = {room_of(f) for f in FILES} - {"__init__", "__main__"}
    assert rooms == set(STOREYS)
    text = (SOURCE.parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
    for room, storey in STOREYS.items():
        assert any(
            line.startswith(f"| {storey} |") and f"`{room}" in line.split("|")[2]
            for line in text.splitlines()
        ), f"docs/architecture.md does not put {room} on storey {storey}"


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_torch_stops_at_the_rooms_that_need_it(file):
    room = room_of(file)
    tree = ast.parse(file.read_text(encoding="utf-8"))
    tops = {(module.split(".")[0], line) for module, line in imports([tree])}
    if room not in TORCH_ROOMS:
        assert not [line for top, line in tops if top == "torch"]
    if room in NO_TORCH_ROOMS_BELOW:
        torch_rooms = [r for r, _ in imported_rooms(file) if r in TORCH_ROOMS]
        assert not torch_rooms
    foreign = {top for top, _ in tops} - set(sys.stdlib_module_names) - {"gradoctor"}
    assert foreign <= MAY_IMPORT.get(room, set())


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_files_and_functions_stay_short(file):
    text = file.read_text(encoding="utf-8")
    lines = len(text.splitlines())
    is_table = file.relative_to(SOURCE).as_posix().startswith(TABLES)
    assert is_table or lines <= LONG_FILE, f"{file} has {lines} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= LONG_FUNCTION, f"{file}:{node.lineno} {node.name} has {length} lines"


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_libraries_do_not_print(file):
    if room_of(file) in MAY_PRINT:
        return
    tree = ast.parse(file.read_text(encoding="utf-8"))
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
    printed = [c.lineno for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"]
    assert not printed, f"{file}:{printed} prints"


def test_what_capture_prints_goes_to_stderr():
    for file in FILES:
        if room_of(file) not in MAY_PRINT:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
                targets = [ast.unparse(k.value) for k in node.keywords if k.arg == "file"]
                assert targets == ["sys.stderr"], f"{file}:{node.lineno}"


def test_the_checks_see_what_they_forbid():
    source = "def f():\n    from gradoctor.rules import RULES\n"
    source += "if TYPE_CHECKING:\n    import torch\nelse:\n    import click\n"
    assert [m for m, _ in imports([ast.parse(source)])] == ["gradoctor.rules", "click"]


# ---- what is loaded ------------------------------------------------------------------------------
TERMINAL_AND_WEB = {"click", "rich", "starlette", "uvicorn", "jinja2"}


def loaded(*args: str, cwd: Path) -> set[str]:
    """The top-level modules that a process names on its last line of stdout."""
    done = subprocess.run(
        [sys.executable, *args], cwd=cwd, capture_output=True, text=True, check=True, timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    return set(done.stdout.splitlines()[-1].split())


SAY = "import sys; print(*sorted({m.split('.')[0] for m in sys.modules}))"


@pytest.mark.parametrize(
    ("code", "unloaded"),
    [
        ("import gradoctor", TERMINAL_AND_WEB | {"torch", "numpy", "sqlite3"}),
        ("import gradoctor.commands", TERMINAL_AND_WEB | {"torch"}),
        ("import gradoctor.store, gradoctor.diagnosis", TERMINAL_AND_WEB | {"torch"}),
        (
            "from gradoctor.reporters import REPORTERS\n"
            "from gradoctor.records import Diagnosis\n"
            "nothing = Diagnosis('train.py', 'healthy', 3, (), (), ())\n"
            "REPORTERS['json'].render(nothing), REPORTERS['html'].render(nothing)",
            TERMINAL_AND_WEB | {"torch", "babel"},
        ),
        ("import torch, gradoctor", TERMINAL_AND_WEB),
    ],
    ids=["gradoctor", "commands", "reading", "reports", "beside torch"],
)
def test_nothing_is_loaded_before_it_is_needed(tmp_path, code, unloaded):
    assert not loaded("-c", f"{code}\n{SAY}", cwd=tmp_path) & unloaded


def test_a_training_process_loads_no_terminal_or_web_library(tmp_path):
    script = "import torch\nmodel = torch.nn.Linear(2, 1)\n"
    script += "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\nfor _ in range(60):\n"
    script += "    model(torch.ones(3, 2)).sum().backward()\n    optimizer.step()\n"
    (tmp_path / "train.py").write_text(f"{script}{SAY}\n")
    seen = loaded("-m", "gradoctor", "run", "--quiet", "train.py", cwd=tmp_path)
    assert {"torch", "gradoctor", "sqlite3"} <= seen, "it was watched"
    assert not seen & TERMINAL_AND_WEB
