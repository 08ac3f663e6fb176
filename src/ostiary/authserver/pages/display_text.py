"""Text of strangers, made fit to be read by a person who decides. Unicode TR 36 and TR 39.

What is invisible, or turns the text around, is shown as U+FFFD and never obeyed. Markup is not our matter:
the templates escape it.
"""

from __future__ import annotations

import re
import unicodedata

SUSPECT = "\N{REPLACEMENT CHARACTER}"
LONGEST_NAME = 60
LONGEST_TEXT = 300
LONGEST_HOST = 80
MARKS_IN_A_ROW = 3
"""Accents a letter may carry. Living scripts need no more; towers of them cover the lines above."""

_NOT_TEXT = frozenset({"Cc", "Cf", "Cn", "Co", "Cs"})
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"  # good spelling in Persian, and in emoji
_BLANK_LETTERS = (
    "\N{COMBINING GRAPHEME JOINER}\N{HANGUL CHOSEONG FILLER}\N{HANGUL JUNGSEONG FILLER}\N{HANGUL FILLER}"
    "\N{HALFWIDTH HANGUL FILLER}\N{BRAILLE PATTERN BLANK}"
    "\N{KHMER VOWEL INHERENT AQ}\N{KHMER VOWEL INHERENT AA}"
)
_ALPHABETS_THAT_LOOK_ALIKE = frozenset(
    {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "FULLWIDTH"}
)
_MANY_SUSPECT = re.compile(f"{SUSPECT}{{2,}}")


def display_text(text: str, *, longest: int = LONGEST_TEXT) -> str:
    """The text on one line, with nothing hidden in it, cut with an ellipsis; shown again, it stays the same.

    longest: in characters, the ellipsis included.
    """
    text = text[: longest * 8]  # enough to cut from, so that a megabyte is not worth sending
    plain = unicodedata.normalize("NFC", "".join(map(_visible, text)))
    plain = " ".join(_MANY_SUSPECT.sub(SUSPECT, _without_towers(plain)).split())
    return plain if len(plain) <= longest else plain[: longest - 1].rstrip() + "…"


def display_sentence(text: str) -> str:
    """A description of an error as a sentence: they are written to stand after a code."""
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "!", "?")) else ".")


def display_name(name: str) -> str:
    """A name somebody gave to themselves: short, and never nothing."""
    return display_text(name, longest=LONGEST_NAME) or "(no name)"


def display_host(host: str) -> str:
    """A host in punycode where it is not ASCII; cut at the front, for its end says whose it is."""
    labels = re.split(
        "[.\N{IDEOGRAPHIC FULL STOP}\N{FULLWIDTH FULL STOP}]", host.strip()[-LONGEST_HOST * 4 :]
    )
    name = display_text(".".join(map(_ascii_label, labels)), longest=LONGEST_HOST * 64)
    return name if len(name) <= LONGEST_HOST else "…" + name[1 - LONGEST_HOST :]


def mixes_alphabets(text: str) -> bool:
    """Whether letters of several alphabets that look alike stand in one text: "Claude" with a Cyrillic a."""
    names = (
        unicodedata.name(letter, "")
        for letter in text[:LONGEST_TEXT]
        if letter.isalpha() and letter not in "ªº"
    )
    return len({name.split(" ", 1)[0] for name in names} & _ALPHABETS_THAT_LOOK_ALIKE) > 1


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    if character in _JOINERS:
        return ""
    if character in _BLANK_LETTERS or unicodedata.category(character) in _NOT_TEXT:
        return SUSPECT
    return character


def _without_towers(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in {"Mn", "Me"} else 0
        if marks <= MARKS_IN_A_ROW:
            kept.append(character)
    return "".join(kept)


def _ascii_label(label: str) -> str:
    if label.isascii():
        return label.lower()
    label = unicodedata.normalize("NFKC", label.casefold())
    return label if label.isascii() else "xn--" + label.encode("punycode", "replace").decode("ascii")
