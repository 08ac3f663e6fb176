"""PKCE, RFC 7636."""

from __future__ import annotations

import pytest

from ostiary.oauth.pkce import PkceUnsupported, code_verifier, require_s256, s256

ENTROPY = bytes.fromhex("7418dfb4971bf2ffaea4b6a37c4ca11f1ab0ddf5a5b9add6a5bfb7f4ad34b5b9")


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
    assert str(refused.value) == "its metadata does not list S256 in code_challenge_methods_supported"
