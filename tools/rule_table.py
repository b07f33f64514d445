"""Write docs/rules.md and docs/rules/: all rules by family and the page of each, in both languages.

python tools/rule_table.py
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gradoctor.knowledge.causes import EDGES
from gradoctor.knowledge.language import LANGUAGES, Translator, Words
from gradoctor.knowledge.pages import HEADINGS, one_line, page
from gradoctor.remedies import remedies_for, text
from gradoctor.reporters.pages import FAMILIES
from gradoctor.rules import RULES

DOCS = Path(__file__).parents[1] / "docs"
HEAD = """# Rules · 规则

Made by `tools/rule_table.py`; `gradoctor explain CODE` shows a page in the terminal.
A *structural* or *numerical* rule proves its finding from one or two observations; a *statistical*
one needs a mechanism that persists, harm, and no benign explanation."""
PROOFS = {
    "structural": Words(
        "Structural: proven from the state of the program.", "结构性：由程序状态即可证明。"
    ),
    "numerical": Words(
        "Numerical: proven from the bits of the numbers.", "数值性：由数值的比特即可证明。"
    ),
    "statistical": Words(
        "Statistical: `sick` needs a mechanism that persists, harm, and no benign explanation.",
        "统计性：只有机制持续、训练受害且无良性解释时才判为 `sick`。",
    ),
}
CAUSES = Words("Can come from", "可能的上游原因")
EFFECTS = Words("Can lead to", "可能导致")
GRAPH = Words("Cause and effect", "因果")


def table() -> str:
    """The whole of docs/rules.md."""
    zh = Translator("zh")
    parts = [HEAD]
    for family, heading in FAMILIES.items():
        rows = [
            f"| [{code}](rules/en/{code}.md) | `{rule.name}` | {rule.proof} | {page(code).title} "
            f"| [{page(code, 'zh').title}](rules/zh_CN/{code}.md) |"
            for code, rule in RULES.items()
            if code.startswith(family)
        ]
        if rows:
            title = f"\n## {heading.capitalize()} · {zh(heading)}\n"
            parts += [
                title,
                "| code | name | proof | what is wrong | 病情 |",
                "|---|---|---|---|---|",
            ]
            parts += rows
    return "\n".join(parts) + "\n"


def rule_page(code: str, lang: str) -> str:
    """One rule's page: its text, its remedies with their code, its place in the causal graph."""
    known, headings = page(code, lang), HEADINGS[lang]
    other = next(name for name in LANGUAGES if name != lang)
    switch = {"en": "English", "zh_CN": "中文"}[other]
    parts = [
        f"# {code} {known.name}",
        known.title,
        f"{PROOFS[RULES[code].proof].told(lang)} [{switch}](../{other}/{code}.md)",
    ]
    for key, body in known.sections.items():
        if key == "references":
            parts += _remedies(code, lang) + _graph(code, lang)
        parts += [f"## {headings[key]}", body]
    if "references" not in known.sections:
        parts += _remedies(code, lang) + _graph(code, lang)
    return "\n\n".join(parts) + "\n"


def _remedies(code: str, lang: str) -> list[str]:
    parts = [f"## {Translator(lang)('What to do')}"]
    for number, remedy in enumerate(remedies_for(code), 1):
        said = one_line(text(remedy.name, lang))
        parts += [f"{number}. `{remedy.name}`: {said}", f"```python\n{remedy.code}\n```"]
    return parts if len(parts) > 1 else []


def _graph(code: str, lang: str) -> list[str]:
    causes = [cause for cause, effects in EDGES.items() if code in effects]
    rows = [
        f"- {words.told(lang)}: {_links(codes, lang)}"
        for words, codes in ((CAUSES, causes), (EFFECTS, EDGES.get(code, ())))
        if any(c in RULES for c in codes)
    ]
    return [f"## {GRAPH.told(lang)}", "\n".join(rows)] if rows else []


def _links(codes: Iterable[str], lang: str) -> str:
    return ", ".join(f"[{c} {page(c, lang).title}]({c}.md)" for c in codes if c in RULES)


def files() -> dict[Path, str]:
    """Every file that this tool makes, with its text."""
    made = {DOCS / "rules.md": table()}
    for lang in LANGUAGES:
        made |= {DOCS / "rules" / lang / f"{code}.md": rule_page(code, lang) for code in RULES}
    return made


def main() -> None:
    """Write them all, and drop the pages of rules that are gone."""
    made = files()
    for old in (DOCS / "rules").rglob("GD*.md"):
        if old not in made:
            old.unlink()
    for path, said in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(said, encoding="utf-8")


if __name__ == "__main__":
    main()
