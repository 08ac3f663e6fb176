"""What others repeat of the secrets that they were sent: hidden before anybody reads it, in whatever form.

Whoever refuses a request may quote it: as it came, percent-encoded, in base64 as in a Basic header, with the
escapes of JSON or HTML; and by the time we show it, letters beyond ASCII may be blanks. What is recognized
at sight is hidden alone. What a secret only comes out of when it is decoded is not shown at all.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus, unquote, unquote_plus

SECRET_FIELDS = (
    *("client_secret", "client_assertion", "assertion", "subject_token", "actor_token", "refresh_token"),
    *("token", "code", "code_verifier"),
)
"""Fields of a form to a token endpoint whose values are secrets."""
HIDDEN = "***"
REPEATS = "*** (its words repeat what we sent)"
SHORTEST = 6
"""Characters; what is shorter stands in many words by chance, and is hidden only as a word of its own."""

_ROUNDS = 2
_MOST_UNQUOTED = 5
"""How often one reading takes out percent-encoding: each hop through a URL may add one."""
LONGEST = 4000
"""Characters of words that are looked at in every form, and no more is given back."""
_BEYOND = 10
"""How much longer the longest form of a secret may be: one that stands across the end is seen, too."""
_IN_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}")
_ESCAPED = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,5})\}|x([0-9A-Fa-f]{2})|(.))")
_NOT_VISIBLE = re.compile(r"[^\x21-\x7e]+")


def secrets_of(form: Mapping[str, str], headers: Mapping[str, str]) -> tuple[str, ...]:
    """What proves something in a request to a token endpoint."""
    scheme, _, proof = headers.get("authorization", "").partition(" ")
    sent = [form[name] for name in SECRET_FIELDS if name in form] + [proof]
    if scheme.lower() == "basic":
        sent += [_decoded(proof), unquote_plus(_decoded(proof).partition(":")[2])]
    return tuple(secret for secret in sent if secret)


def without_echoes(said: str, sent: Iterable[str]) -> str:
    """The words without what was sent, as far as LONGEST.

    sent: the secrets, as they were before they were encoded, or after.
    """
    secrets = {secret for secret in sent if secret}
    for form in sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True):
        said = said.replace(form, HIDDEN) if len(form) >= SHORTEST else _without_word(said, form)
    long = [secret for secret in secrets if len(secret) >= SHORTEST]
    read = said[: LONGEST + _BEYOND * max(map(len, long), default=0)]
    if any(_has(reading, secret) for reading in _readings(read) for secret in long):
        return REPEATS
    return said[:LONGEST]


def _without_word(said: str, word: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", lambda _: HIDDEN, said)


def _forms(secret: str) -> Iterator[str]:
    yield from (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1])


def _has(reading: str, secret: str) -> bool:
    """In capitals or not; also where everything beyond visible ASCII was taken out of the words."""
    reading, secret = reading.lower(), secret.lower()
    visible = _NOT_VISIBLE.sub("", secret)
    return secret in reading or (len(visible) >= SHORTEST and visible in _NOT_VISIBLE.sub("", reading))


def _readings(said: str) -> set[str]:
    """What the words say, also when they are decoded, and then decoded again."""
    found, newest = {said}, {said}
    for _ in range(_ROUNDS):
        newest = {decode(text) for text in newest for decode in _DECODINGS} - found
        found |= newest
    return found


def _unquoted(text: str) -> str:
    for _ in range(_MOST_UNQUOTED):
        text, before = unquote(text), text
        if text == before:
            break
    return text


def _unescaped(text: str) -> str:
    """The escapes of JSON, JavaScript and Python; what they stand for beyond ASCII may be half a letter."""

    def meant(found: re.Match[str]) -> str:
        code = found[1] or found[2] or found[3]
        return chr(int(code, 16)) if code else found[4]

    return _ESCAPED.sub(meant, text)


def _from_base64(text: str) -> str:
    return _IN_BASE64.sub(lambda found: _decoded(found[0]), text)


def _decoded(word: str) -> str:
    """Of either alphabet; what does not come out as a whole byte is cut."""
    word = word.translate(_ONE_ALPHABET)
    return base64.b64decode(word[: len(word) // 4 * 4] + _rest(word)).decode("utf-8", "replace")


def _rest(word: str) -> str:
    rest = word[len(word) // 4 * 4 :]
    return rest + "=" * (4 - len(rest)) if len(rest) > 1 else ""


_ONE_ALPHABET = str.maketrans("-_", "+/")
_DECODINGS: tuple[Callable[[str], str], ...] = (
    _unquoted,
    unquote_plus,
    _unescaped,
    html.unescape,
    _from_base64,
)
