"""The issuer of an authorization response, RFC 9207."""

from __future__ import annotations

import pytest

from ostiary.oauth.issuer_identification import WrongIssuer, check_issuer

ISSUER = "https://auth.example.com"
PROMISED = {"authorization_response_iss_parameter_supported": True}


@pytest.mark.parametrize(("iss", "metadata"), [(ISSUER, PROMISED), (ISSUER, {}), (None, {})])
def test_an_answer_of_the_issuer_that_was_asked_is_taken(
    iss: str | None, metadata: dict[str, object]
) -> None:
    check_issuer(iss, issuer=ISSUER, metadata=metadata)


@pytest.mark.parametrize("metadata", [{}, PROMISED])
@pytest.mark.parametrize(
    "iss", ["https://evil.example.com", f"{ISSUER}/", "https://AUTH.example.com", f"{ISSUER}:443", ""]
)
def test_any_other_issuer_is_refused_letter_for_letter(iss: str, metadata: dict[str, object]) -> None:
    with pytest.raises(WrongIssuer) as refused:
        check_issuer(iss, issuer=ISSUER, metadata=metadata)
    assert str(refused.value) == f"the answer is from another issuer than {ISSUER}, which was asked"


def test_an_answer_without_the_promised_issuer_is_refused() -> None:
    with pytest.raises(WrongIssuer) as refused:
        check_issuer(None, issuer=ISSUER, metadata=PROMISED)
    assert str(refused.value) == f"the answer does not say its issuer, which {ISSUER} promised to"
