"""What a development provider answers, as OpenID Connect has it. RFC 6749, RFC 7636, OIDC Core 3.1."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ostiary.authserver.development.memory import Given
from ostiary.authserver.development.people import PEOPLE, Person
from ostiary.authserver.signing.signing_key import SigningKey, new_key
from ostiary.oauth.client.pkce import S256
from ostiary.oauth.errors import InvalidRequest, InvalidToken, OAuthError
from ostiary.oauth.refusal import Refusal
from ostiary.oauth.server.authorization_response import code_answer, error_answer
from ostiary.oauth.server.client import AUTHORIZATION_CODE, REFRESH_TOKEN
from ostiary.oauth.server.client_authentication import PresentedSecret, read_presented
from ostiary.oauth.server.endpoint_url import endpoint
from ostiary.oauth.server.errors import (
    InvalidClient,
    InvalidGrant,
    LoginRequired,
    UnsupportedGrantType,
    UnsupportedResponseType,
)
from ostiary.oauth.server.id_token import id_token_claims
from ostiary.oauth.server.parameters import Parameters
from ostiary.oauth.server.pkce import check_verifier, read_challenge
from ostiary.oauth.server.scope import read_scope, write_scope
from ostiary.oauth.server.signing_schedule import KeyTimes

ALGORITHM = "ES256"
REQUEST_LIFETIME = 600.0
CODE_LIFETIME = 60.0
ACCESS_LIFETIME = 300.0
"""Short, so that a demo shows how tokens are renewed."""
REFRESH_LIFETIME = 86_400.0


@dataclass(frozen=True, slots=True)
class OnlyClient:
    """The one client that it has: an authorization server of ours."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sign-in that was asked for, and by whom it was answered."""

    scopes: tuple[str, ...]
    code_challenge: str
    state: str | None
    nonce: str | None
    person: Person | None = None
    auth_time: float = 0.0


class Provider:
    """One provider. clock: seconds since the epoch."""

    def __init__(self, issuer: str, client: OnlyClient, clock: Callable[[], float]) -> None:
        self.issuer = issuer
        self._client = client
        self._clock = clock
        kid, sealed = new_key(ALGORITHM)
        self._key = SigningKey(KeyTimes(0, 0, kid=kid), 1, ALGORITHM, sealed)
        self._asked = Given[SignIn](REQUEST_LIFETIME, clock)
        self._codes = Given[SignIn](CODE_LIFETIME, clock)
        self._access = Given[SignIn](ACCESS_LIFETIME, clock)
        self._refresh = Given[SignIn](REFRESH_LIFETIME, clock)

    def metadata(self) -> dict[str, Any]:
        """OpenID Connect Discovery section 3."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": endpoint(self.issuer, "/authorize"),
            "token_endpoint": endpoint(self.issuer, "/token"),
            "userinfo_endpoint": endpoint(self.issuer, "/userinfo"),
            "revocation_endpoint": endpoint(self.issuer, "/revoke"),
            "jwks_uri": endpoint(self.issuer, "/jwks"),
            "response_types_supported": ["code"],
            "grant_types_supported": [AUTHORIZATION_CODE, REFRESH_TOKEN],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": [S256],
            "scopes_supported": ["openid", "profile", "email", "groups", "offline_access"],
            "authorization_response_iss_parameter_supported": True,
        }

    def jwks(self) -> dict[str, Any]:
        """RFC 7517."""
        return {"keys": [self._key.public_jwk]}

    def ask(self, parameters: Parameters) -> str:
        """Begin a sign-in: what its page's form brings back. Raises OAuthError.

        The client and its redirect URI are checked by `require_client` before: errors go there.
        """
        if parameters.get("response_type") != "code":
            raise UnsupportedResponseType("response_type is code, and nothing else")
        if "none" in (parameters.get("prompt") or "").split():
            raise LoginRequired("nobody is signed in here for longer than a moment")
        asked = SignIn(
            scopes=read_scope(parameters.get("scope")),
            code_challenge=read_challenge(
                parameters.get("code_challenge"), parameters.get("code_challenge_method")
            ),
            state=parameters.get("state"),
            nonce=parameters.get("nonce"),
        )
        return self._asked.give(asked)

    def require_client(self, parameters: Parameters) -> None:
        """Raise InvalidRequest unless the one client asks, for an answer to its one address."""
        if parameters.get("client_id") != self._client.client_id:
            raise InvalidRequest("this provider has one client, and client_id is another one")
        if parameters.get("redirect_uri") != self._client.redirect_uri:
            raise InvalidRequest(f"redirect_uri is not {self._client.redirect_uri}")

    def answer(self, asked: str, account: str | None) -> str:
        """Where the browser goes, with a code for this person. Raises InvalidRequest."""
        sign_in = self._asked.take(asked)
        person = PEOPLE.get(account or "")
        if sign_in is None or person is None:
            raise InvalidRequest("this sign-in has ended, or nobody was chosen: begin again")
        code = self._codes.give(replace(sign_in, person=person, auth_time=self._clock()))
        return code_answer(self._client.redirect_uri, code=code, state=sign_in.state, issuer=self.issuer)

    def refuse(self, parameters: Parameters, error: OAuthError) -> str:
        """Where the browser goes without one."""
        state = parameters.get("state")
        return error_answer(self._client.redirect_uri, error, state=state, issuer=self.issuer)

    def token(self, parameters: Parameters, authorization: str | None) -> dict[str, Any]:
        """RFC 6749 sections 4.1.3 and 6. Raises OAuthError."""
        self._authenticate(parameters, authorization)
        match parameters.require("grant_type"):
            case "authorization_code":
                sign_in = self._redeemed(parameters)
                return self._tokens(sign_in, self._refresh.give(sign_in))
            case "refresh_token":
                known = self._refresh.find(parameters.require("refresh_token"))
                if known is None:
                    raise InvalidGrant("the refresh token has ended, or never was")
                return self._tokens(replace(known, nonce=None), None)
        raise UnsupportedGrantType("this provider has no such grant")

    def userinfo(self, authorization: str | None) -> dict[str, Any]:
        """OIDC Core section 5.3. Raises InvalidToken."""
        scheme, _, token = (authorization or "").partition(" ")
        sign_in = self._access.find(token) if scheme.lower() == "bearer" else None
        if sign_in is None or sign_in.person is None:
            raise InvalidToken("the access token has ended, or never was", reason=Refusal.EXPIRED)
        return {"sub": sign_in.person.name, **sign_in.person.claims}

    def revoke(self, parameters: Parameters, authorization: str | None) -> None:
        """RFC 7009. Raises OAuthError."""
        self._authenticate(parameters, authorization)
        token = parameters.require("token")
        self._access.take(token)
        self._refresh.take(token)

    def _redeemed(self, parameters: Parameters) -> SignIn:
        sign_in = self._codes.take(parameters.require("code"))
        if sign_in is None or parameters.get("redirect_uri") != self._client.redirect_uri:
            raise InvalidGrant("the code has ended, was redeemed, or is for another address")
        check_verifier(parameters.get("code_verifier"), challenge=sign_in.code_challenge)
        return sign_in

    def _tokens(self, sign_in: SignIn, refresh_token: str | None) -> dict[str, Any]:
        assert sign_in.person is not None  # noqa: S101 - a code is given to somebody
        access_token = self._access.give(sign_in)
        claims = id_token_claims(
            issuer=self.issuer,
            subject=sign_in.person.name,
            client_id=self._client.client_id,
            now=self._clock(),
            lifetime=ACCESS_LIFETIME,
            nonce=sign_in.nonce,
            auth_time=sign_in.auth_time,
            access_token=access_token,
            alg=ALGORITHM,
        )
        said: Mapping[str, Any] = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": int(ACCESS_LIFETIME),
            "scope": write_scope(sign_in.scopes),
            "id_token": self._key.signer.sign(sign_in.person.claims | claims, typ="JWT"),
            "refresh_token": refresh_token,
        }
        return {name: value for name, value in said.items() if value is not None}

    def _authenticate(self, parameters: Parameters, authorization: str | None) -> None:
        presented = read_presented(authorization, parameters)
        match presented:
            case PresentedSecret(client_id=self._client.client_id, secret=secret) if hmac.compare_digest(
                secret.encode(), self._client.client_secret.encode()
            ):
                return
        raise InvalidClient("the client is not the one that this provider has, or did not prove it")
