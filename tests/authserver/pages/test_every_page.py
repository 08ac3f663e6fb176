"""What holds on every page, whatever strangers put into it."""

from __future__ import annotations

import itertools
import re
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from tests.authserver.pages.reading import Element, read
from tests.authserver.pages.specimens import specimens

from ostiary.authserver import pages
from ostiary.authserver.pages import Page, page_response, render
from ostiary.authserver.pages.assets import ICON, STYLE

HOSTILE = {
    "markup": '"><script>alert(1)</script><img src=x onerror=alert(1)>',
    "attribute": "' autofocus onfocus=alert(1) x='",
    "template": "{{ ''.__class__ }}{% raw %}",
    "right-to-left override": "Claude \N{RIGHT-TO-LEFT OVERRIDE}edoC\N{POP DIRECTIONAL FORMATTING}",
    "isolates": "\N{RIGHT-TO-LEFT ISOLATE}evil\N{POP DIRECTIONAL ISOLATE}\N{ARABIC LETTER MARK}",
    "invisible": "pay\N{ZERO WIDTH SPACE}\N{SOFT HYPHEN}\N{WORD JOINER}\N{ZERO WIDTH NO-BREAK SPACE}pal",
    "controls": "a\x00\x07\x1b[31m\x85\r\nb\N{LINE SEPARATOR}c\tok",
    "ten thousand characters": "W" * 10_000,
    "homograph": "Cl\N{CYRILLIC SMALL LETTER A}ude",
    "tower of accents": "a" + "\N{COMBINING ACUTE ACCENT}\N{COMBINING ENCLOSING CIRCLE}" * 40,
    "surrogate": "a\ud800b",
    "nothing": "",
    "blank letters": "\N{HANGUL FILLER}\N{BRAILLE PATTERN BLANK}",
    "end of attribute": '&quot; style="x" &#x202e;',
}
NEVER_SHOWN = re.compile(
    "[\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u00ad\x00-\x09\x0b-\x1f\x7f-\x9f]"
)
CALM = specimens()
STYLES_AND_SCRIPTS = re.compile(r"^(style|on.*|srcset|formaction|target|ping)$")
ELEMENTS = re.compile(
    "html|head|meta|title|link|body|header|main|section|svg|path|circle|h[123]|p|span|strong|small|bdi|code|time|"
    "div|dl|dt|dd|ul|ol|li|form|input|label|select|option|button|details|summary|a"
)


@pytest.fixture(params=sorted(CALM))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=sorted(HOSTILE))
def hostile(request: pytest.FixtureRequest) -> str:
    return HOSTILE[request.param]


def shape(page: Element) -> list[str]:
    return [element.tag for element in page.all()]


def test_every_view_has_a_specimen() -> None:
    views = {view for view in vars(pages).values() if isinstance(view, type) and issubclass(view, Page)}
    assert {type(page) for page in CALM.values()} == views - {Page}


def test_every_text_of_every_view_is_tried() -> None:
    mark = "\N{SNOWMAN}"
    told = specimens(lambda calm: calm + mark)
    missing = {
        f"{type(value).__name__}.{field.name}"
        for page in told.values()
        for value in _within(page)
        for field in fields(value)
        if isinstance(text := getattr(value, field.name), str) and text and mark not in text
    }
    assert missing == {"Form.action", "Onward.url", "WayBack.url", "AccountProgress.state",
                       "AccountAsked.use", "Client.known_by", "ConnectedAccount.state", "LocalProgram.host",
                       "SignInChoice.purpose"}  # fmt: skip


def test_hostile_text_changes_neither_the_elements_nor_the_attributes(name: str, hostile: str) -> None:
    calm = read(render(CALM[name]))
    told = read(render(specimens(lambda calm: calm + hostile)[name]))
    extra = {"p", "strong"}  # the notice about mixed alphabets
    assert set(shape(told)) <= set(shape(calm)) | extra
    assert {attribute for element in told.all() for attribute in element.attributes} <= {
        attribute for element in calm.all() for attribute in element.attributes
    }


def test_a_page_of_nothing_but_hostile_text_is_well_formed(name: str, hostile: str) -> None:
    page = read(render(specimens(lambda _: hostile)[name]))
    assert [element.tag for element in page.all() if not ELEMENTS.fullmatch(element.tag)] == []
    assert [attribute for element in page.all() for attribute in element.attributes
            if STYLES_AND_SCRIPTS.match(attribute)] == []  # fmt: skip


def test_nothing_shown_is_invisible_or_turns_the_text_around(name: str, hostile: str) -> None:
    page = read(render(specimens(lambda calm: calm + hostile)[name]))
    shown = [page.raw] + [
        value
        for element in page.all()
        for attribute, value in element.attributes.items()
        if attribute != "value" or element.attributes.get("type") == "text"
    ]
    assert [text for text in shown if NEVER_SHOWN.search(text)] == []


def test_no_text_is_longer_than_a_person_reads(name: str) -> None:
    page = read(render(specimens(lambda _: "W" * 10_000)[name]))
    assert max(len(word) for text in page.texts for word in text.split()) <= 300


def test_a_page_has_one_heading_a_language_and_a_title(name: str) -> None:
    page = read(render(CALM[name]))
    assert page.attributes == {"lang": "en", "dir": "ltr"}
    (title,) = page.all("title")
    assert title.text.endswith(" \N{EN DASH} Ostiary")
    assert len(list(page.all("h1"))) == 1
    assert len(list(page.all("main"))) == 1
    levels = [int(heading.tag[1]) for heading in page.all("h1", "h2", "h3")]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_every_input_has_a_label_and_every_button_a_text(name: str) -> None:
    page = read(render(CALM[name]))
    seen = [field for field in page.all("input", "select") if field.attributes.get("type") != "hidden"]
    labels = {label.attributes["for"]: label.text for label in page.all("label")}
    assert {field.attributes["id"] for field in seen} == set(labels)
    assert all(labels.values())
    assert all(button.text for button in page.all("button", "a", "summary"))


def test_ids_are_unique_and_references_lead_somewhere(name: str) -> None:
    page = read(render(CALM[name]))
    ids = [element.attributes["id"] for element in page.all() if "id" in element.attributes]
    assert len(set(ids)) == len(ids)
    referred = {
        reference
        for element in page.all()
        for attribute in ("for", "aria-describedby", "aria-labelledby")
        for reference in element.attributes.get(attribute, "").split()
    }
    assert referred <= set(ids)


def test_buttons_in_one_page_can_be_told_apart_by_their_text(name: str) -> None:
    texts = [button.text for button in read(render(CALM[name])).all("button")]
    assert len(set(texts)) == len(texts)


def test_every_form_posts_to_us_with_its_csrf_token(name: str) -> None:
    for form in read(render(CALM[name])).all("form"):
        assert form.attributes["method"] == "post"
        assert re.fullmatch(r"/[a-z/-]+", form.attributes["action"])
        hidden = [
            (field.attributes["name"], field.attributes["value"])
            for field in form.all("input")
            if field.attributes["type"] == "hidden"
        ]
        assert hidden == [("csrf", "csrf-token"), ("transaction", "f3a9"), ("other", "value")]


def test_hidden_fields_come_back_exactly_as_given() -> None:
    odd = '"<&>\N{RIGHT-TO-LEFT OVERRIDE}' + "x" * 5000
    page = read(
        render(specimens(lambda calm: odd if calm in {"f3a9", "csrf-token"} else calm)["consent-app"])
    )
    assert [field.attributes["value"] for field in page.all("input")] == [odd, odd, "value"]


def test_a_page_loads_our_stylesheet_and_icon_and_nothing_else(name: str) -> None:
    page = read(render(CALM[name]))
    assert [link.attributes["href"] for link in page.all("link")] == [ICON.path, STYLE.path]
    sources = [element.attributes["src"] for element in page.all() if "src" in element.attributes]
    assert sources == []
    assert [element.tag for element in page.all("script", "style", "img", "iframe", "object", "base")] == []


def test_only_steps_to_other_sites_have_their_url(name: str) -> None:
    links = [link.attributes["href"] for link in read(render(CALM[name])).all("a")]
    assert links == ([CALM[name].url] if name.startswith(("onward", "way-back")) else [])  # type: ignore[attr-defined]  # Onward


def test_secrets_of_a_form_are_not_in_its_repr(name: str) -> None:
    assert "csrf-token" not in repr(CALM[name])
    assert "f3a9" not in repr(CALM[name])


async def test_every_page_has_every_header(name: str) -> None:
    response = page_response(CALM[name])
    assert dict(response.headers) == {
        "cache-control": "no-store",
        "content-length": str(len(response.body)),
        "content-security-policy": (
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
            "frame-ancestors 'none'; base-uri 'none'"
        ),
        "content-type": "text/html; charset=utf-8",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": (
            "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"
        ),
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
    }


def _within(value: Any) -> list[Any]:
    """The value and all dataclasses in it."""
    if is_dataclass(value):
        return [value, *(inner for field in fields(value) for inner in _within(getattr(value, field.name)))]
    if isinstance(value, list):
        return [inner for item in value for inner in _within(item)]
    return []
