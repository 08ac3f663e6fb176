"""Who somebody is, as an upstream says it: two people are never one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ostiary.oauth.client.userinfo import (
    UpstreamIdentity,
    UserinfoMapping,
    UserinfoRefused,
    identity_of,
    read_userinfo,
)

BY_ID = UserinfoMapping(subject=("id",), name=("login",))


def read(body: str, mapping: UserinfoMapping = BY_ID) -> UpstreamIdentity:
    return read_userinfo(body.encode(), mapping)


def refusal(body: str | bytes, mapping: UserinfoMapping = BY_ID) -> str:
    with pytest.raises(UserinfoRefused) as refused:
        read_userinfo(body if isinstance(body, bytes) else body.encode(), mapping)
    return str(refused.value)


@pytest.mark.parametrize(
    ("written", "subject"),
    [
        ("9007199254740992", "9007199254740992"),
        ("9007199254740993", "9007199254740993"),
        ("18446744073709551617", "18446744073709551617"),
        ("9" * 255, "9" * 255),
        ("0", "0"),
        ("-7", "-7"),
        ('"ada"', "ada"),
        ('"00123"', "00123"),
        ('"1e3"', "1e3"),
        (f'"{"ä" * 127}"', "ä" * 127),
    ],
)
def test_userinfo_subject_table(written: str, subject: str) -> None:
    assert read(f'{{"id": {written}}}').subject == subject


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("1.0", "the subject at id is not a whole number, or not written as one"),
        ("1e3", "the subject at id is not a whole number, or not written as one"),
        ("1e400", "the subject at id is not a whole number, or not written as one"),
        ("9007199254740993.0", "the subject at id is not a whole number, or not written as one"),
        ("true", "the subject at id is true or false, which names nobody"),
        ("false", "the subject at id is true or false, which names nobody"),
        ("null", "the subject at id is null"),
        ("[7]", "the subject at id is a list or an object, not text or a number"),
        ('{"id": 7}', "the subject at id is a list or an object, not text or a number"),
        ('""', "the subject at id is empty"),
        ('" "', "the subject at id has characters around or in it that nobody sees"),
        ('"ada "', "the subject at id has characters around or in it that nobody sees"),
        ('"ad\\u0000a"', "the subject at id has characters around or in it that nobody sees"),
        ('"ad\\u200ba"', "the subject at id has characters around or in it that nobody sees"),
        ('"\\ud800"', "the userinfo answer is not JSON in UTF-8"),
        (f'"{"a" * 256}"', "the subject at id is longer than 255 bytes"),
        (f'"{"ä" * 128}"', "the subject at id is longer than 255 bytes"),
        ("9" * 256, "the subject at id is longer than 255 bytes"),
        ("9" * 4000, "the subject at id is longer than 255 bytes"),
    ],
)
def test_userinfo_subject_table_of_what_names_nobody(written: str, sentence: str) -> None:
    assert refusal(f'{{"id": {written}}}') == sentence


def test_a_subject_that_is_not_there_is_asked_for() -> None:
    either = UserinfoMapping(subject=("id", "data.viewer.id"))
    assert refusal("{}", either) == (
        "there is no subject at id or data.viewer.id; say where this provider has it"
    )


def test_the_first_place_that_is_there_has_the_subject() -> None:
    either = UserinfoMapping(subject=("id", "data.viewer.id"))
    assert read('{"data": {"viewer": {"id": 7}}}', either).subject == "7"
    assert read('{"id": 8, "data": {"viewer": {"id": 7}}}', either).subject == "8"
    assert refusal('{"id": null, "data": {"viewer": {"id": 7}}}', either) == (
        "the subject at id or data.viewer.id is null"
    )


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "the userinfo answer is not JSON in UTF-8"),
        (b"<html>", "the userinfo answer is not JSON in UTF-8"),
        (b'{"id": 7} {}', "the userinfo answer is not JSON in UTF-8"),
        (b'{"id": "\xff"}', "the userinfo answer is not JSON in UTF-8"),
        (b'{"id": 7, "groups": ["\\ud800"]}', "the userinfo answer is not JSON in UTF-8"),
        (b"[" * 60_000, "the userinfo answer is not JSON in UTF-8"),
        (b'{"id": ' + b"9" * 5000 + b"}", "the userinfo answer is not JSON in UTF-8"),
        (b"[]", "the userinfo answer is not a JSON object"),
        (b"7", "the userinfo answer is not a JSON object"),
        (b'{"id": NaN}', "the userinfo answer has NaN, which is no JSON"),
        (b'{"id": 7, "x": -Infinity}', "the userinfo answer has -Infinity, which is no JSON"),
        (b'{"id": 7, "id": 8}', "the userinfo answer has the same name twice"),
        (b'{"id": 7, "x": {"a": 1, "a": 1}}', "the userinfo answer has the same name twice"),
        (b'{"id": 7}' + b" " * 65536, "the userinfo answer has more than 64 KiB"),
    ],
)
def test_odd_userinfo_is_refused(body: bytes, sentence: str) -> None:
    assert refusal(body) == sentence


@pytest.mark.parametrize("nothing", ["null", '""', '" "', "7", '"\\u202e"'])
def test_who_has_no_name_to_show_is_called_by_the_next(nothing: str) -> None:
    """GitHub has null for whoever gave none."""
    github = UserinfoMapping(subject=("id",), name=("name", "login"))
    assert read(f'{{"id": 7, "login": "ada", "name": {nothing}}}', github).name == "ada"


def test_an_address_that_is_null_is_looked_for_in_the_next_place() -> None:
    either = UserinfoMapping(subject=("id",), email=("mail", "upn"))
    assert read('{"id": 7, "mail": null, "upn": "a@example.com"}', either).email == "a@example.com"


def test_a_mark_of_the_order_of_bytes_before_it_does_no_harm() -> None:
    assert read_userinfo(b'\xef\xbb\xbf{"sub": "7"}', UserinfoMapping()).subject == "7"


def test_a_github_answer_is_read() -> None:
    answer: dict[str, Any] = {"login": "octocat", "id": 583231, "email": None, "name": "The Octocat"}
    identity = read(json.dumps(answer))
    assert identity == UpstreamIdentity("583231", "octocat", None, False, answer)


def test_claims_of_an_id_token_are_read_alike() -> None:
    claims = {
        "sub": "pairwise",
        "oid": "o-1",
        "name": "Ada",
        "email": "a@example.org",
        "email_verified": True,
    }
    mapping = UserinfoMapping(subject=("oid",))
    assert identity_of(claims, mapping) == UpstreamIdentity("o-1", "Ada", "a@example.org", True, claims)


@pytest.mark.parametrize(
    ("said", "verified"),
    [
        (True, True),
        ("true", True),
        (False, False),
        ("false", False),
        (1, False),
        (None, False),
        ("yes", False),
    ],
)
def test_an_address_is_verified_only_when_it_says_so(said: object, verified: bool) -> None:
    claims = {"sub": "a", "email": "a@example.org", "email_verified": said}
    assert identity_of(claims, UserinfoMapping()).email_verified is verified


@pytest.mark.parametrize(
    "odd", [7, ["a"], "", "a\nb", "a" * 321, "\u202eevil", "a\u2066b", "\ud800", "\u2028"]
)
def test_a_name_that_can_t_be_shown_is_none(odd: object) -> None:
    identity = identity_of({"sub": "a", "name": odd, "email": odd}, UserinfoMapping())
    assert (identity.name, identity.email) == (None, None)


@pytest.mark.parametrize(
    "name",
    [
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\u0d15\u0d4d\u200d",
        "Jean\u00a0Dupont",
        "Ada \U0001f469\u200d\U0001f52c",
        "\u5c71\u7530\u3000\u592a\u90ce",
        "M.\u202fX",
    ],
    ids=ascii,
)
def test_a_name_is_kept_as_people_write_it(name: str) -> None:
    """With zero-width joiners and with all kinds of blanks; an address has none of them."""
    identity = identity_of({"sub": "a", "name": name, "email": f"{name}@example.org"}, UserinfoMapping())
    assert identity.name == name
    assert identity.email is None or name.isprintable()


def test_claims_do_not_show() -> None:
    assert "tiger" not in repr(read('{"id": 7, "secret": "tiger"}'))
