"""PKCE, RFC 7636."""

from __future__ import annotations

import pytest

from ostiary.oauth.client.pkce import PkceUnsupported, code_verifier, require_s256, s256
from ostiary.oauth.server.errors import InvalidGrant, InvalidRequest
from ostiary.oauth.server.pkce import check_verifier, read_challenge

ENTROPY = bytes.fromhex("7418dfb4971bf2ffaea4b6a37c4ca11f1ab0ddf5a5b9add6a5bfb7f4ad34b5b9")
VERIFIER = code_verifier(ENTROPY)
CHALLENGE = s256(VERIFIER)


def test_the_challenge_is_that_of_the_rfc_s_own_example() -> None:
    assert (
        s256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )


def test_a_verifier_has_43_characters_that_no_url_escapes() -> None:
    assert len(code_verifier(ENTROPY)) == 43
    assert code_verifier(ENTROPY) != code_verifier(bytes(32))


def test_a_verifier_of_little_entropy_is_refused() -> None:
    with pytest.raises(ValueError, match="a code verifier is made of 32 to 96 random bytes"):
        code_verifier(bytes(16))


def test_a_server_that_lists_s256_is_trusted_to_check_it() -> None:
    require_s256({"code_challenge_methods_supported": ["plain", "S256"]})


@pytest.mark.parametrize(
    "metadata",
    [{}, {"code_challenge_methods_supported": ["plain"]}, {"code_challenge_methods_supported": "S256"}],
)
def test_a_server_that_does_not_say_so_is_refused(metadata: dict[str, object]) -> None:
    with pytest.raises(PkceUnsupported) as refused:
        require_s256(metadata)
    assert str(refused.value) == (
        "its metadata does not list S256 in code_challenge_methods_supported "
        "(if it checks S256 all the same, write code_challenge_methods_supported: [S256] here)"
    )
    require_s256(metadata, known=["S256"])


def test_a_challenge_of_s256_is_taken() -> None:
    assert read_challenge(CHALLENGE, "S256") == CHALLENGE


@pytest.mark.parametrize(
    ("challenge", "method", "why"),
    [
        (None, None, "code_challenge is missing: PKCE with S256 is needed here"),
        (None, "S256", "code_challenge is missing: PKCE with S256 is needed here"),
        (
            CHALLENGE,
            None,
            "code_challenge_method is missing, which means plain: only S256 is taken here",
        ),
        (VERIFIER, "plain", "code_challenge_method is not S256, the only one that is taken here"),
        (CHALLENGE, "s256", "code_challenge_method is not S256, the only one that is taken here"),
    ],
)
def test_pkce_absent_or_plain(challenge: str | None, method: str | None, why: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_challenge(challenge, method)
    assert refused.value.description == why


@pytest.mark.parametrize(
    "challenge", ["a" * 42, "a" * 44, CHALLENGE + "=", "a" * 42 + ".", "a" * 42 + "\n", "a" * 129]
)
def test_a_challenge_that_is_no_digest_is_refused(challenge: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_challenge(challenge, "S256")
    assert refused.value.description == (
        "code_challenge is not a SHA-256 digest in base64url: 43 characters, no padding"
    )


@pytest.mark.parametrize("verifier", [VERIFIER, "~" * 43, "a" * 128])
def test_the_verifier_of_the_challenge_is_taken(verifier: str) -> None:
    check_verifier(verifier, challenge=s256(verifier))


@pytest.mark.parametrize(
    ("verifier", "why"),
    [
        (None, "code_verifier is missing"),
        ("", "code_verifier is not 43 to 128 letters, digits, or any of - . _ ~"),
        ("a" * 42, "code_verifier is not 43 to 128 letters, digits, or any of - . _ ~"),
        ("a" * 129, "code_verifier is not 43 to 128 letters, digits, or any of - . _ ~"),
        ("a" * 42 + "é", "code_verifier is not 43 to 128 letters, digits, or any of - . _ ~"),
        (VERIFIER + "\n", "code_verifier is not 43 to 128 letters, digits, or any of - . _ ~"),
        ("a" * 43, "code_verifier does not match"),
        (CHALLENGE, "code_verifier does not match"),
    ],
)
def test_pkce_verifier_wrong(verifier: str | None, why: str) -> None:
    with pytest.raises(InvalidGrant) as refused:
        check_verifier(verifier, challenge=CHALLENGE)
    assert refused.value.description == why


@pytest.mark.parametrize("verifier", ["a" * 42, "a" * 129])
def test_pkce_short_and_129_characters_are_refused_though_they_match(verifier: str) -> None:
    with pytest.raises(InvalidGrant):
        check_verifier(verifier, challenge=s256(verifier))
