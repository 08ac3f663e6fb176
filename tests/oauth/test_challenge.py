"""WWW-Authenticate, RFC 6750 section 3 and RFC 9728 section 5.1."""

from ostiary.oauth.challenge import bearer_challenge

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
