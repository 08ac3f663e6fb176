"""Text of strangers, made fit to be read."""

from __future__ import annotations

import pytest

from ostiary.authserver.pages.display_text import display_host, display_name, display_text, mixes_alphabets


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Claude", "Claude"),
        ("  Claude\n\t Code\N{NO-BREAK SPACE}", "Claude Code"),
        ("a\N{LINE SEPARATOR}b\N{PARAGRAPH SEPARATOR}c\x85d", "a b c d"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}edualC", "\ufffdedualC"),
        ("a\N{LEFT-TO-RIGHT ISOLATE}\N{RIGHT-TO-LEFT EMBEDDING}b", "a\ufffdb"),
        ("pay\N{ZERO WIDTH SPACE}pal", "pay\ufffdpal"),
        ("\x1b[31mred\x00", "\ufffd[31mred\ufffd"),
        ("\ud800 \ue000 \U000e0041", "\ufffd \ufffd \ufffd"),
        ("\N{HANGUL FILLER}", "\ufffd"),
        ("Café Zoë", "Café Zoë"),
        ("e\N{COMBINING ACUTE ACCENT}", "é"),
        ("نم\N{ZERO WIDTH NON-JOINER}ش", "نمش"),
        ("עברית", "עברית"),
        ("<b>&amp;", "<b>&amp;"),
        ("", ""),
    ],
)
def test_what_hides_is_shown_and_never_obeyed(given: str, shown: str) -> None:
    assert display_text(given) == shown
    assert display_text(shown) == shown


def test_long_text_is_cut() -> None:
    assert display_text("word " * 2000, longest=12) == "word word w…"
    assert display_text("word " * 2000, longest=11) == "word word…"
    assert display_text("x" * 300) == "x" * 300
    assert display_text("x" * 10_000) == "x" * 299 + "…"


def test_towers_of_accents_are_cut_down() -> None:
    assert display_text("a" + "\N{COMBINING ENCLOSING CIRCLE}" * 50 + "b") == "a" + "\u20dd" * 3 + "b"


def test_a_name_is_short_and_never_nothing() -> None:
    assert display_name("Claude " * 20) == "Claude Claude Claude Claude Claude Claude Claude Claude Cla…"
    assert display_name(" \n") == "(no name)"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("claude.ai", "claude.ai"),
        ("CLAUDE.ai:8443", "claude.ai:8443"),
        ("[::1]:80", "[::1]:80"),
        ("cl\N{CYRILLIC SMALL LETTER A}ude.ai", "xn--clude-5ve.ai"),
        ("münchen。example", "xn--mnchen-3ya.example"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}ia.edualc", "xn--ia-f4t.edualc"),
        ("\N{FULLWIDTH LATIN SMALL LETTER C}laude.ai", "claude.ai"),
        ("claude.ai.login." + "x" * 100 + ".evil.example", "…" + "x" * 66 + ".evil.example"),
    ],
)
def test_a_host_is_shown_as_its_dns_name(given: str, shown: str) -> None:
    assert display_host(given) == shown


@pytest.mark.parametrize("name", ["Claude", "Клод", "Clôde ª", "Zoë の動物園", "123 !", "Αθήνα"])
def test_one_alphabet_is_no_reason_to_warn(name: str) -> None:
    assert not mixes_alphabets(name)


@pytest.mark.parametrize(
    "name",
    [
        "Cl\N{CYRILLIC SMALL LETTER A}ude",
        "\N{GREEK CAPITAL LETTER ALPHA}nthropic",
        "\N{FULLWIDTH LATIN CAPITAL LETTER C}laude",
    ],
)
def test_letters_that_look_alike_are_noticed(name: str) -> None:
    assert mixes_alphabets(name)
