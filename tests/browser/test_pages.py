"""The formulary's and the lab's page as a browser shows them."""

from __future__ import annotations

import pytest

from gradoctor.reporters import formulary, lab_page
from reporters.entries import ENTRIES
from reporters.test_lab import CLAIMS, FAILED, RESULTS

pytest.importorskip("matplotlib")
SCHEMES = ["light", "dark"]


@pytest.fixture(scope="module")
def pages():
    return {
        lang: (
            formulary.render_page(ENTRIES, lang),
            lab_page.render_page(CLAIMS, RESULTS, FAILED, lang),
        )
        for lang in ("en", "zh")
    }


@pytest.fixture(params=["formulary", "lab"])
def kind(request):
    return ["formulary", "lab"].index(request.param)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [400, 900, 1400])
def test_nothing_is_wider_than_the_window(pages, show, kind, lang, width):
    page = show(pages[lang][kind], width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("h1").is_visible()
    assert page.locator("svg").first.bounding_box()["height"] > 40


# The luminance of a colour, and the contrast of two, as WCAG 2 defines them.
CONTRAST = """() => {
  const numbers = (c) => c.match(/[\\d.]+/g).map(Number);
  const part = (v) => v <= 0.04045 * 255 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4;
  const light = (c) => { const [r, g, b] = numbers(c).map(part);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const under = (e) => { for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor;
      if (numbers(c).length < 4 || numbers(c)[3] > 0) return c; }
    return "rgb(255, 255, 255)"; };
  const worst = {};
  for (const e of document.querySelectorAll("main *, nav *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || e.closest("svg") || !e.checkVisibility()) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(under(e))].sort((x, y) => y - x);
    worst[e.tagName + "." + e.className] = (a + 0.05) / (b + 0.05);
  }
  return worst;
}"""


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_text_stands_out_from_its_ground(pages, show, kind, scheme):
    found = show(pages["zh"][kind], scheme=scheme).evaluate(CONTRAST)
    assert len(found) > 8
    assert {name: ratio for name, ratio in found.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_pictures_take_the_colour_of_the_page(pages, show, kind, scheme):
    page = show(pages["en"][kind], scheme=scheme)
    ink = page.evaluate("getComputedStyle(document.body).color")
    text = page.locator("svg text").first
    assert text.evaluate("e => getComputedStyle(e).fill") == ink


def test_the_contents_lead_to_each_entry(pages, show):
    page = show(pages["en"][0])
    page.locator("nav li a", has_text="A loss").click()
    assert page.url.endswith("#a_loss_with_a_name_that_is_much_too_long")
    assert page.locator("article").nth(1).is_visible()


def shown(page) -> list[str]:
    return [a.get_attribute("id") for a in page.locator("article").all() if a.is_visible()]


def test_claims_are_filtered_by_verdict(pages, show):
    page = show(pages["en"][1])
    assert shown(page) == ["claim-2", "claim-7", "claim-19", "claim-20"]
    page.locator(".filter button", has_text="false").click()
    assert shown(page) == ["claim-7"]
    assert page.locator("#topic-losses").is_hidden()
    links = page.locator("nav li")
    assert [link.is_visible() for link in links.all()] == [False, True, False, False]
    pressed = page.locator(".filter button[aria-pressed=true]")
    assert pressed.all_inner_texts() == ["false 1"]
    page.locator(".filter button", has_text="failed").click()
    assert shown(page) == ["claim-19"]
    page.locator(".filter button", has_text="all").click()
    assert len(shown(page)) == 4
    assert page.locator("#topic-losses").is_visible()


def test_the_filter_works_from_the_keyboard(pages, show):
    page = show(pages["zh"][1])
    page.locator(".filter button", has_text="正确").first.focus()
    page.keyboard.press("Enter")
    assert shown(page) == ["claim-2"]


def test_a_link_to_a_claim_that_is_hidden_shows_it(pages, show):
    page = show(pages["en"][1])
    page.locator(".filter button", has_text="true").click()
    assert shown(page) == ["claim-2"]
    page.locator("main li a", has_text="7. ReLU").first.click()
    assert "claim-7" in shown(page)


def test_without_scripts_everything_is_shown(pages, browser, tmp_path):
    file = tmp_path / "page.html"
    file.write_text(pages["en"][1], encoding="utf-8")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert len(shown(page)) == 4
    context.close()


def test_print_leaves_the_contents_out(pages, show, kind):
    page = show(pages["en"][kind])
    page.emulate_media(media="print")
    assert page.locator("nav").is_hidden()
    assert page.locator("article").first.is_visible()
