from __future__ import annotations

import pytest

from gradoctor.errors import UnknownRuleError
from gradoctor.knowledge import pages as knowledge
from gradoctor.remedies import Remedy
from gradoctor.reporters import pages
from gradoctor.reporters._layout import cells
from gradoctor.rules import RULES

TEXT = """# GD101 vanishing-gradient
Early layers receive almost no gradient

## Summary
It shrinks {ratio}.

## What it is
The gradient **shrinks** from layer to layer, by `log2` of the factor, which
goes on for a while.

- first: one
  and a half
- second, see [the paper](https://example.org/a)

## Evidence
| what | limit |
|---|---|
| span | -10 bits |

```python
for layer in layers:
    nn.init.xavier_normal_(layer.weight)
```
### Later
After it.

## References
1. Somebody 2010.
"""
CHINESE = """# GD101 vanishing-gradient
前面几层几乎得不到梯度

## 概要
缩小到 {ratio}。

## 是什么
反向传播的梯度在经过每一层时都乘上一个小于一的因子，因此到达前面几层时已经所剩无几，
这些层的权重也就几乎不动。

## 参考
- 某人 2010。
"""


@pytest.fixture
def own_page(monkeypatch):
    def page(code, lang="en"):
        chosen = pages.Translator(lang).lang
        return knowledge.parse({"en": TEXT, "zh_CN": CHINESE}[chosen], chosen)

    monkeypatch.setattr(pages, "page", page)
    remedy = Remedy("scale", ("GD101",), "if True:\n    scale()")
    monkeypatch.setattr(pages, "remedies_for", lambda code: (remedy,))
    monkeypatch.setattr(pages, "text", lambda name, lang: "Scale `it`.")


@pytest.mark.usefixtures("own_page")
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_page_reads_as_approved(lang, snapshot):
    assert pages.render_page("GD101", lang, 60, color=False) == snapshot


@pytest.mark.usefixtures("own_page")
@pytest.mark.parametrize("width", [40, 60, 80, 100])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_page_keeps_to_the_width(lang, width):
    page = pages.render_page("GD101", lang, width)
    assert max(cells(row) for row in page.splitlines()) <= width


def test_unknown_code_is_an_error_with_a_cure():
    with pytest.raises(UnknownRuleError, match=r"GD999.*gradoctor rules"):
        pages.render_page("GD999")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_rules_table_has_each_rule_once_and_keeps_to_the_width(lang):
    table = pages.render_rules(lang, 80)
    rows = table.splitlines()
    assert max(cells(row) for row in rows) <= 80
    for code, rule in RULES.items():
        (row,) = (r for r in rows if r.startswith(f"  {code}  "))
        assert rule.name in row
    assert str(len(RULES)) in rows[-1]


def test_every_rule_belongs_to_a_family():
    assert all(code[:3] in pages.FAMILIES for code in RULES)
