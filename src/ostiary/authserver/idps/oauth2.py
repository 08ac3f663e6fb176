"""A provider without OpenID Connect: endpoints named, answers mapped, userinfo asked. RFC 6749 section 4.1.

GitHub says its errors with status 200 and its scopes with commas; Slack has the person's token inside
`authed_user`. Where things stand is configuration; how they are read, `oauth/token_response` and
`oauth/userinfo` say.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from ostiary.authserver.config.idps import OAuth2Idp, UserinfoSettings
from ostiary.authserver.idps.authorization_url import authorization_url, new_verifier
from ostiary.authserver.idps.back_channel import BackChannel, as_tokens
from ostiary.authserver.idps.claim_mapping import as_paths, map_claims
from ostiary.authserver.idps.failures import as_idp_errors
from ostiary.authserver.idps.idp import (
    GrantDead,
    IdpAnswerRefused,
    IdpError,
    LoginMemory,
    LoginOptions,
    LoginStart,
)
from ostiary.authserver.idps.idp_client import IdpClient
from ostiary.authserver.idps.tools import Tools
from ostiary.authserver.upstream_account import Identity, UpstreamAccount, UpstreamTokens
from ostiary.event_log import event_log
from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.oauth.client.authorization_response import answer_of, code_of
from ostiary.oauth.client.token_response import TokenRequestRefused
from ostiary.oauth.client.userinfo import UpstreamIdentity, UserinfoMapping, read_userinfo
from ostiary.oauth.dotted_path import values
from ostiary.oauth.personal_name import first_name
from ostiary.transport.fetch import FetchError

log = event_log("ostiary.authserver")

ENDED = "invalid_grant"


class AccessTokenRefused(IdpAnswerRefused):
    """Userinfo does not take the access token."""


class OAuth2Provider:
    """One entry of type oauth2."""

    def __init__(self, settings: OAuth2Idp, tools: Tools) -> None:
        self.name = settings.name
        self.display_name = settings.display_name
        self.can_identify = settings.userinfo is not None
        self.issuer = settings.issuer or str(settings.token_endpoint)
        self._settings = settings
        self._tools = tools
        self._client = IdpClient(settings.client_id, settings.client_secret, settings.auth_method)
        self._reach = settings.reach
        self._ended = frozenset({ENDED, *settings.ended_errors})

    async def begin(self, *, state: str, redirect_uri: str, options: LoginOptions) -> LoginStart:
        """Begin a login. It may not know `prompt` and `login_hint`, and then ignores them."""
        settings = self._settings
        memory = LoginMemory(
            issuer=self.issuer,
            client_id=self._client.client_id,
            redirect_uri=redirect_uri,
            code_verifier=new_verifier() if settings.pkce else None,
            scopes=tuple(settings.scopes),
        )
        parameters = {
            "client_id": memory.client_id,
            "redirect_uri": redirect_uri,
            settings.scope_parameter: settings.scope_separator.join(settings.scopes),
            "state": state,
            "prompt": " ".join(options.prompt),
            "login_hint": options.login_hint,
        }
        url = authorization_url(
            settings.authorization_endpoint,
            parameters,
            verifier=memory.code_verifier,
            extra=settings.authorization_params,
        )
        return LoginStart(url, memory)

    async def complete(self, query: bytes, memory: LoginMemory, *, now: float) -> UpstreamAccount:
        """Finish it."""
        with as_idp_errors(self.name):
            form = {
                "grant_type": "authorization_code",
                "code": self._code(query),
                "redirect_uri": memory.redirect_uri,
            }
            if memory.code_verifier is not None:
                form["code_verifier"] = memory.code_verifier
            mapping = self._settings.token_answer.mapping
            answer = await self._channel(self._settings.token_endpoint).tokens(form, now=now, mapping=mapping)
            tokens = as_tokens(answer, asked=memory.scopes, now=now)
            told = await self._told(tokens)
        return UpstreamAccount(
            idp=self.name,
            issuer=self.issuer,
            account="" if told is None else told.subject,
            client_id=memory.client_id,
            tokens=tokens,
            label=None if told is None else self._label(told),
            identity=None if told is None else self._identity(told),
        )

    async def renew(
        self, tokens: UpstreamTokens, *, issuer: str, client_id: str, now: float
    ) -> UpstreamTokens:
        """New tokens for a refresh token."""
        self._refuse_others(issuer, client_id)
        mapping = (self._settings.renewal_answer or self._settings.token_answer).mapping
        with as_idp_errors(self.name):
            try:
                new = await self._channel(self._settings.token_endpoint).renewed(
                    tokens, now=now, scopes=False, mapping=mapping
                )
            except TokenRequestRefused as refused:
                if refused.error in self._ended:
                    raise GrantDead(f"identity provider {self.name} says {refused.error}") from None
                raise
        return msgspec.structs.replace(new, id_token=new.id_token or tokens.id_token)

    async def revoke(self, tokens: UpstreamTokens, *, issuer: str, client_id: str) -> None:
        """End them there."""
        endpoint = self._settings.revocation_endpoint
        if endpoint is None:
            return
        try:
            self._refuse_others(issuer, client_id)
            with as_idp_errors(self.name):
                await self._channel(endpoint).end(tokens)
        except IdpError as error:
            log.warning("upstream_not_revoked", idp=self.name, reason=str(error))

    async def still_knows(self, tokens: UpstreamTokens, *, issuer: str, account: str) -> None:
        """Whether userinfo still says that the access token is that person's: GitHub's tokens never end."""
        self._refuse_others(issuer, self._client.client_id)
        try:
            with as_idp_errors(self.name):
                told = await self._told(tokens)
        except AccessTokenRefused as refused:
            raise GrantDead(str(refused)) from None
        if told is not None and told.subject != account:
            raise GrantDead(f"identity provider {self.name} says that the tokens are somebody else's")

    def _channel(self, endpoint: CanonicalUrl) -> BackChannel:
        return BackChannel(self.name, self._tools.fetcher, endpoint, self._client, {}, self._reach)

    def _code(self, query: bytes) -> str:
        """Without a known issuer, that the answer came to this entry's own callback has to do."""
        answer = answer_of(query)
        if self._settings.issuer is None:
            answer.pop("iss", None)
        return code_of(answer, issuer=self.issuer, metadata={})

    async def _told(self, tokens: UpstreamTokens) -> UpstreamIdentity | None:
        """Who userinfo says that it is. Raises FetchError, UserinfoRefused."""
        settings = self._settings.userinfo
        if settings is None:
            return None
        headers = {**settings.headers, "authorization": f"Bearer {tokens.access_token}"}
        fetcher = self._tools.fetcher
        if settings.method == "POST":
            document = await fetcher.post_form(settings.url, {}, headers=headers, reach=self._reach)
        else:
            document = await fetcher.get(settings.url, headers=headers, reach=self._reach)
        if document.status == 401:
            raise AccessTokenRefused(f"identity provider {self.name}: {settings.url} takes the token no more")
        if document.status != 200:
            raise FetchError(settings.url, f"it answered {document.status}, not 200")
        return read_userinfo(document.body, _mapping(settings))

    def _identity(self, told: UpstreamIdentity) -> Identity:
        claims = self._settings.claims
        taken = map_claims(claims, {"userinfo": told.claims}, default="userinfo", idp=self.name)
        return Identity(
            issuer=self.issuer,
            subject=told.subject,
            name=told.name,
            email=told.email,
            email_verified=told.email_verified,
            claims=taken,
        )

    def _label(self, told: UpstreamIdentity) -> str | None:
        assert self._settings.userinfo is not None  # noqa: S101 - for the type checker: it was asked
        label = first_name(values(told.claims, as_paths(self._settings.userinfo.label)))
        return label or told.email or told.name

    def _refuse_others(self, issuer: str, client_id: str) -> None:
        """A refresh token goes to whoever gave it, from whom it was given to, and to nobody else."""
        if issuer != self.issuer:
            raise GrantDead(f"identity provider {self.name} is not {issuer} any more")
        if client_id != self._client.client_id:
            raise GrantDead(f"we are not client {client_id} at identity provider {self.name} any more")


def _mapping(settings: UserinfoSettings) -> UserinfoMapping:
    names = ("subject", "name", "email", "email_verified")
    return replace(UserinfoMapping(), **{name: as_paths(getattr(settings, name)) for name in names})
