"""What the documents say is so: links, commands, figures, snippets, and generated files."""

import re
import runpy
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import torch
from torch import nn

from corpus import quoted
from gradoctor.commands import COMMANDS
from gradoctor.demo import DEMOS
from gradoctor.knowledge.claims import CLAIMS, VERDICTS
from gradoctor.knowledge.formulary import entries
from gradoctor.rules import RULES

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    ROOT / name
    for name in ("README.md", "README.zh-CN.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/rules.md",
                 "docs/checkup.md", "docs/corpus.md", "docs/probes.md")
]  # fmt: skip
READMES = DOCUMENTS[:2]
LAB = (ROOT / "docs" / "lab.md").read_text(encoding="utf-8")
ids = {"ids": lambda path: path.name}


def blocks(document: Path, language: str = "") -> list[str]:
    text = document.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("document", DOCUMENTS, **ids)
def test_every_link_leads_somewhere(document):
    links = re.findall(r"\]\(([^)]+)\)", document.read_text(encoding="utf-8"))
    assert links
    for link in links:
        path, _, anchor = link.partition("#")
        if link.startswith("https://"):
            continue
        target = document.parent / path if path else document
        assert target.exists(), link
        if anchor:
            heads = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {head.lower().replace(" ", "-") for head in heads}, link


@pytest.mark.parametrize("document", READMES, **ids)
def test_every_command_exists(document):
    typed = re.findall(r"^gradoctor (\S+)", "\n".join(blocks(document)), re.MULTILINE)
    assert {"run", "show", "explain", "rules", "demo"} <= set(typed) <= set(COMMANDS)


@pytest.mark.parametrize("document", READMES, **ids)
def test_the_snippet_runs(document, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def train(model: nn.Module) -> None:
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.ones(8, 4)).square().mean().backward()
            optimizer.step()

    (code,) = blocks(document, "python")
    known = {"model": model, "optimizer": optimizer, "train": train}
    exec(code, known)
    assert known["checkup"].diagnosis().steps == 3


@pytest.mark.parametrize("name", quoted.ROWS)
def test_figures_of_the_corpus_are_those_of_its_results(name):
    kept = (ROOT / name).read_text(encoding="utf-8")
    assert kept == quoted.quoted(name), "run `python -m corpus.quoted`"


def test_the_demos_are_counted_right():
    assert "seven" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(DEMOS) == 7


COUNTS = runpy.run_path(str(ROOT / "tools" / "counts.py"))


@pytest.mark.parametrize("name", COUNTS["PATTERNS"])
def test_counts_are_fresh(name):
    kept = (ROOT / name).read_text(encoding="utf-8")
    assert kept == COUNTS["counted"](name), "run `python tools/counts.py`"


def test_the_formulary_and_the_lab_are_counted_right():
    count = len(entries())
    assert f"has {count} entries" in READMES[0].read_text(encoding="utf-8")
    assert f"收有 {count} 个条目" in READMES[1].read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"`gradoctor formulary`: {count} activations" in changes
    assert f"`gradoctor lab`: {len(CLAIMS)} claims" in changes


def test_the_table_of_the_lab_has_every_claim_with_a_verdict():
    rows = re.findall(r"^\| (\d+) \|.*?\| \*\*(.*?)\*\* (.*?) \|", LAB, re.MULTILINE)
    said = {int(number): verdict for number, verdict, _ in rows}
    assert sorted(said) == sorted(CLAIMS)
    unexpected = {int(number) for number, _, mark in rows if "(!)" in mark}
    for number, claim in CLAIMS.items():
        expected = VERDICTS[claim.expected].en
        assert (said[number] != expected) == (number in unexpected), number


def test_every_rule_has_a_fresh_page_in_both_languages():
    made = runpy.run_path(str(ROOT / "tools" / "rule_table.py"))["files"]()
    assert len(made) == 1 + 2 * len(RULES)
    kept = set((ROOT / "docs" / "rules").rglob("*.md")) | {ROOT / "docs" / "rules.md"}
    assert kept == set(made), "run `python tools/rule_table.py`"
    for path, text in made.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run tools/rule_table.py"


@pytest.mark.parametrize("name", ["diagnosis.en.svg", "diagnosis.zh.svg"])
def test_the_pictures_are_whole_and_load_nothing(name):
    text = (ROOT / "docs" / "pictures" / name).read_text(encoding="utf-8")
    ET.fromstring(text)
    assert "GD101" in text
    assert not re.search(r"url\(['\"]?http|href=", text)
    assert tempfile.gettempdir() not in text
