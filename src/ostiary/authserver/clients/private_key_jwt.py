"""A client says of itself who it is, and signs it: `private_key_jwt`. RFC 7523 section 2.2."""

from __future__ import annotations

from collections.abc import Collection
from typing import NoReturn

from joserfc.jwk import ECKey

from ostiary.authserver import replay_store
from ostiary.authserver.clients.keys import ClientKeys
from ostiary.authserver.trusted_jwts.error_mapping import map_invalid_token
from ostiary.identity.jwt_verifier import read_jwt, verify
from ostiary.identity.key_set import KeySet
from ostiary.oauth.jwt_claims import LEEWAY
from ostiary.oauth.server.client import Client
from ostiary.oauth.server.client_assertion import check_client_assertion
from ostiary.oauth.server.errors import InvalidClient
from ostiary.storage.store import Store

NAME = "the client assertion"

_NOBODYS = KeySet((ECKey.generate_key("P-256", private=False),))
"""A key that signed nothing."""


class ClientAssertions:
    """Checks them. audiences: our issuer, and the token endpoint by each of its names."""

    def __init__(self, keys: ClientKeys, store: Store, audiences: Collection[str]) -> None:
        self._keys = keys
        self._store = store
        self._audiences = frozenset(audiences)

    def refuse(self, assertion: str, why: InvalidClient) -> NoReturn:
        """Refuse it as a statement that its client did not sign is refused, after the same work. why: for
        the log. Raises InvalidClient."""
        try:
            with map_invalid_token(InvalidClient, NAME):
                verify(read_jwt(assertion), _NOBODYS)
        except InvalidClient as refused:
            raise InvalidClient(refused.description, detail=why.detail) from None
        raise why

    async def check(
        self, assertion: str, client: Client, *, endpoint: str, now: float, asked_from: str
    ) -> None:
        """Take the statement, once. endpoint: where it was sent. Raises InvalidClient, Unavailable,
        StorageError."""
        with map_invalid_token(InvalidClient, NAME):
            jwt = read_jwt(assertion)
            claims = verify(jwt, await self._keys.of(client, kid=jwt.kid, asked_from=asked_from))
        jti = check_client_assertion(
            claims,
            client_id=client.client_id,
            audiences=self._audiences | {endpoint},
            now=now,
            typ=jwt.typ,
        )
        name, expires_at = f"client assertion {client.client_id} {jti}", claims["exp"] + LEEWAY
        if not await self._store.transaction(
            lambda connection: replay_store.take(connection, name, expires_at=expires_at)
        ):
            raise InvalidClient(f"{NAME} was used before; sign a new one for each request")
