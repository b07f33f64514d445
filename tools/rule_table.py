"""Write docs/rules.md: all rules by family, in both languages, from the ledger and the pages.

python tools/rule_table.py
"""

from __future__ import annotations

from pathlib import Path

from gradoctor.knowledge.language import Translator
from gradoctor.knowledge.pages import page
from gradoctor.reporters.pages import FAMILIES
from gradoctor.rules import RULES

TARGET = Path(__file__).parents[1] / "docs" / "rules.md"
PAGES = "../src/gradoctor/knowledge/pages"
HEAD = """# Rules · 规则

Made by `tools/rule_table.py`; `gradoctor explain CODE` shows a page in the terminal.
A *structural* or *numerical* rule proves its finding from one or two observations; a *statistical*
one needs a mechanism that persists, harm, and no benign explanation."""
COLUMNS = "| code | name | proof | what is wrong | 病情 |\n|---|---|---|---|---|"


def table() -> str:
    """The whole file."""
    zh = Translator("zh")
    parts = [HEAD]
    for family, heading in FAMILIES.items():
        rows = [
            f"| [{code}]({PAGES}/en/{code}.md) | `{rule.name}` | {rule.proof} | {page(code).title} "
            f"| [{page(code, 'zh').title}]({PAGES}/zh_CN/{code}.md) |"
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


if __name__ == "__main__":
    TARGET.write_text(table(), encoding="utf-8")
