"""What the authorization servers are asked."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.authserver_peers import CLIENT_ID, CLIENT_SECRET, RESOURCE, AuthServerPeer, redemption

CREDENTIALS = f"Basic {base64.b64encode(f'{CLIENT_ID}:{CLIENT_SECRET}'.encode()).decode()}"
INTROSPECTED = 100
"""Tokens that are asked about in turn."""

Form = dict[str, str]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of request."""

    name: str
    url: Callable[[AuthServerPeer], str | None]
    """None for a peer that does not answer this."""
    forms: Callable[[AuthServerPeer, int], Sequence[Form]] | None
    """What is posted in turn, in at most so many requests; None for what is gotten."""
    signs: bool = False
    """Whether each answer has a signature in it."""
    stores: bool = False
    """Whether it matters what a server keeps things in."""


def _for_itself(peer: AuthServerPeer, _: int) -> list[Form]:
    asked = {} if peer.scope is None else {"scope": peer.scope}
    return [{"grant_type": "client_credentials", **asked, "resource": RESOURCE}]


def _for_a_person(peer: AuthServerPeer, most: int) -> list[Form]:
    return [redemption(code) for code in peer.new_codes(most)]


def _about_a_token(peer: AuthServerPeer, _: int) -> list[Form]:
    assert peer.new_tokens is not None
    return [{"token": token} for token in peer.new_tokens(INTROSPECTED)]


CLIENT_CREDENTIALS = Kind("client credentials", lambda peer: peer.token_url, _for_itself, signs=True)
CODE = Kind("code → tokens", lambda peer: peer.token_url, _for_a_person, signs=True, stores=True)
INTROSPECTION = Kind("introspection", lambda peer: peer.introspection_url, _about_a_token, stores=True)
JWKS = Kind("JWKS", lambda peer: peer.jwks_url, None)
KINDS = (CLIENT_CREDENTIALS, CODE, INTROSPECTION, JWKS)
