"""Whoever repeats a secret that it was sent is not quoted, in whatever form it comes back."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from ostiary.oauth.client.echoed_secrets import HIDDEN, LONGEST, REPEATS, without_echoes

SECRET = 'tig"er:in/the+n\u00fcght&%'
PAIR = f"weather:{quote_plus(SECRET)}"


def basic(pair: str) -> str:
    return base64.b64encode(pair.encode()).decode()


def cleaned(text: str) -> str:
    """As we show what others say."""
    return re.sub(r"[^\x20-\x7e]+", " ", text)


@pytest.mark.parametrize("clean", [str, cleaned], ids=["raw", "cleaned"])
@pytest.mark.parametrize(
    "form",
    [
        str,
        quote,
        quote_plus,
        lambda secret: quote(secret, safe="").lower(),
        lambda secret: quote(quote(secret, safe=""), safe=""),
        json.dumps,
        lambda secret: json.dumps(json.dumps(secret)),
        lambda secret: json.dumps(secret).replace("/", "\\/"),
        lambda secret: "".join(f"\\u{ord(letter):04x}" for letter in secret),
        lambda secret: "".join(f"\\u{{{ord(letter):x}}}" for letter in secret),
        lambda secret: "".join(f"\\x{byte:02x}" for byte in secret.encode()),
        lambda secret: repr(secret.encode()),
        str.upper,
        lambda secret: quote(quote(quote(secret, safe=""), safe=""), safe=""),
        lambda secret: quote(quote(basic(secret), safe=""), safe=""),
        html.escape,
        basic,
        lambda secret: basic(f"weather:{secret}"),
        lambda secret: base64.urlsafe_b64encode(f"x:{secret}".encode()).decode().rstrip("="),
        lambda _: basic(PAIR),
        lambda _: quote(basic(PAIR), safe=""),
    ],
)
def test_a_secret_that_comes_back_in_any_form_is_not_shown(
    form: Callable[[str], str], clean: Callable[[str], str]
) -> None:
    said = clean(f"the client {form(SECRET)} is unknown")
    shown = without_echoes(said, [SECRET, basic(PAIR)])
    assert shown in {f"the client {HIDDEN} is unknown", f'the client "{HIDDEN}" is unknown', REPEATS}


@pytest.mark.parametrize(
    "said",
    [
        "client authentication failed (weather), see https://issuer.example/errors/AADSTS7000215?a=b%20c",
        "Invalid client secret provided. Trace ID: 0f8fad5b-d9cb-469f-a165-70867728950e",
        "",
    ],
)
def test_what_repeats_nothing_is_shown_as_it_is(said: str) -> None:
    assert without_echoes(said, [SECRET, basic(PAIR), "", "abc"]) == said


def test_a_secret_of_few_letters_is_hidden_as_a_word_and_mangles_no_other() -> None:
    assert without_echoes("invalid_client: s is no secret of its", ["s"]) == (
        "invalid_client: *** is no secret of its"
    )


def test_a_long_refusal_costs_no_more_than_a_short_one() -> None:
    said = "%25" * 300_000
    assert without_echoes(said, [SECRET]) == said[:LONGEST]


@pytest.mark.parametrize("encoded", [basic(SECRET), quote(quote(quote(SECRET, safe=""), safe=""), safe="")])
def test_a_secret_beyond_or_across_what_is_looked_at_is_not_shown(encoded: str) -> None:
    for before in (LONGEST - 40, LONGEST - 8, LONGEST - 1, LONGEST, 4 * LONGEST):
        shown = without_echoes(" " * before + encoded, [SECRET])
        assert shown == REPEATS or not shown.strip()
