"""The sentence for a refused call."""

from __future__ import annotations

from ostiary.cli.challenge import refusal

URL = "https://mcp.example.com/mcp"


def test_without_a_token_the_sentence_says_how_to_send_one() -> None:
    challenge = 'Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"'
    assert refusal(URL, 401, "Unauthorized", challenge, sent=None) == (
        "https://mcp.example.com/mcp refused the call: 401 Unauthorized; no token was sent. "
        "Which tokens it takes, it says at https://mcp.example.com/.well-known/oauth-protected-resource/mcp. "
        "`ostiary doctor https://mcp.example.com/mcp` finds out which credential it wants; "
        "name it with --credential TYPE, or --server NAME from an ostiary.yaml."
    )


def test_with_a_token_the_sentence_says_what_the_server_said() -> None:
    challenge = 'Bearer error="invalid_token", error_description="the token has expired"'
    assert refusal(URL, 401, "Unauthorized", challenge, sent="bearer") == (
        "https://mcp.example.com/mcp refused the call: 401 Unauthorized; "
        "the token of credential bearer was sent, and the server says: the token has expired."
    )


def test_a_missing_scope_is_named() -> None:
    challenge = 'Bearer error="insufficient_scope", scope="animals.read"'
    assert refusal(URL, 403, "Forbidden", challenge, sent="bearer") == (
        "https://mcp.example.com/mcp refused the call: 403 Forbidden; "
        "the token of credential bearer was sent, and the server says: insufficient_scope. "
        "It wants the scope animals.read."
    )
