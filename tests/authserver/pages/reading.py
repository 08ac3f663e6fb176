"""Read a page as strictly as no browser does: whatever is not well-formed is an error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset({"meta", "link", "input", "br", "hr", "img"})
EMPTY_IN_SVG = frozenset({"path", "circle", "rect"})


@dataclass
class Element:
    """An element, its attributes, and what is in it."""

    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    def all(self, *tags: str) -> Iterator[Element]:
        """This element and those inside it, in the page's order; with tags, only those."""
        if not tags or self.tag in tags:
            yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.all(*tags)

    @property
    def text(self) -> str:
        """What is read aloud of it, white space collapsed."""
        return " ".join(self.raw.split())

    @property
    def texts(self) -> Iterator[str]:
        """The pieces of text in it, each as it is."""
        for child in self.children:
            yield from [child] if isinstance(child, str) else child.texts

    @property
    def raw(self) -> str:
        """All characters in it."""
        return "".join(self.texts)


def read(page: bytes) -> Element:
    """The page's <html>. Raises AssertionError where a tag is not closed, or an attribute comes twice."""
    reader = _Reader()
    reader.feed(page.decode())
    reader.close()
    assert reader.open == [reader.root], f"never closed: {reader.open[-1].tag}"
    (html,) = reader.root.all("html")
    return html


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute twice in {self.get_starttag_text()}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in EMPTY_IN_SVG, f"<{tag}/> does not close itself in HTML"
        self.open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")
