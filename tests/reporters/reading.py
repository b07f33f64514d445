"""Reads a page as a browser would, and fails on what is not closed."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"br", "img", "hr", "meta", "link", "input"}


class Reader(HTMLParser):
    """Collects elements, ids, links and text.

    Attributes:
        loaded: addresses that a browser would fetch.
    """

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        given = dict(attrs)
        if "id" in given:
            self.ids.append(given["id"])
        if tag in ("a", "use"):
            self.links.append(given["href"])
        self.loaded += [given[key] for key in ("src", "srcset", "data") if key in given]
        if tag == "link":
            self.loaded.append(given.get("href", ""))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def stands_alone(page: str) -> Reader:
    """The page read; ids differ, links lead to some of them, and nothing is fetched."""
    reader = Reader(page)
    assert len(reader.ids) == len(set(reader.ids))
    assert reader.links
    assert {link.removeprefix("#") for link in reader.links} <= set(reader.ids)
    assert reader.loaded == []
    assert "url(http" not in page
    assert "@import" not in page
    return reader
