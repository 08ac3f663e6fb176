"""WWW-Authenticate, RFC 6750 section 3 and RFC 9728 section 5.1."""

import pytest

from ostiary.oauth.challenge import Challenge, bearer_challenge, read_challenges

METADATA = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp"


def test_a_request_without_a_token_is_told_where_to_look_and_no_error() -> None:
    assert bearer_challenge(resource_metadata=METADATA) == f'Bearer resource_metadata="{METADATA}"'


def test_a_refused_token_is_told_the_error_and_why() -> None:
    challenge = bearer_challenge(
        resource_metadata=METADATA, error="invalid_token", description="the token has expired"
    )
    assert challenge == (
        'Bearer error="invalid_token", error_description="the token has expired", '
        f'resource_metadata="{METADATA}"'
    )


def test_too_little_scope_is_told_what_is_needed() -> None:
    challenge = bearer_challenge(error="insufficient_scope", scopes=("a", "b"))
    assert challenge == 'Bearer error="insufficient_scope", scope="a b"'


def test_a_description_alone_is_not_said() -> None:
    assert bearer_challenge(description="secret thoughts") == "Bearer"


def test_a_value_can_end_neither_the_quotes_nor_the_line() -> None:
    challenge = bearer_challenge(error="invalid_token", description='a", realm="x\r\nSet-Cookie: a=b\\')
    assert challenge == 'Bearer error="invalid_token", error_description="a , realm= x  Set-Cookie: a=b "'


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("", []),
        ("Bearer", [Challenge("bearer", {})]),
        ('Bearer realm="a, b", scope=read', [Challenge("bearer", {"realm": "a, b", "scope": "read"})]),
        (
            'Bearer error="insufficient_scope", scope="a b", DPoP algs="ES256"',
            [
                Challenge("bearer", {"error": "insufficient_scope", "scope": "a b"}),
                Challenge("dpop", {"algs": "ES256"}),
            ],
        ),
        (
            "Negotiate, Basic dGVzdA==, BEARER",
            [Challenge(name, {}) for name in ("negotiate", "basic", "bearer")],
        ),
        (
            r'Bearer realm="say \"hi\"" , ,error = "x"',
            [Challenge("bearer", {"realm": 'say "hi"', "error": "x"})],
        ),
        ('Bearer scope="a", scope="b"', [Challenge("bearer", {"scope": "a"})]),
        ('Bearer scope="a", "loose" error="b"', [Challenge("bearer", {"scope": "a"})]),
        ('"', []),
        (
            "Bearer error=invalid_token, resource_metadata=https://a.example/x?a=b, scope=a",
            [
                Challenge(
                    "bearer",
                    {
                        "error": "invalid_token",
                        "resource_metadata": "https://a.example/x?a=b",
                        "scope": "a",
                    },
                )
            ],
        ),
    ],
)
def test_a_challenge_is_read_as_far_as_it_is_one(value: str, read: list[Challenge]) -> None:
    assert read_challenges(value) == read


def test_what_we_write_we_can_read() -> None:
    written = bearer_challenge(
        resource_metadata="https://a.example/x", scopes=("a", "b"), error="invalid_token"
    )
    [challenge] = read_challenges(written)
    assert challenge.error == "invalid_token"
    assert challenge.scopes == ("a", "b")
    assert challenge.parameters["resource_metadata"] == "https://a.example/x"


def test_a_challenge_without_an_end_is_read_in_time() -> None:
    assert len(read_challenges("a " * 1_000_000)) <= 4096
    assert read_challenges('Bearer x="' + '\\"' * 1_000_000) == [Challenge("bearer", {})]
