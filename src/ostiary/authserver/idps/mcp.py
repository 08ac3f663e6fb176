"""An MCP server with an authorization server of its own: discovered, registered at, connected on demand.

RFC 9728 leads from the server to its issuer, RFC 8414 to the issuer's endpoints. What it says of somebody is
never an identity here: anybody may run an MCP server.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from ostiary.authserver.config.idps import McpIdp
from ostiary.authserver.idps.authorization_url import authorization_url, new_verifier
from ostiary.authserver.idps.back_channel import BackChannel, as_tokens
from ostiary.authserver.idps.failures import as_idp_errors, nothing_spent
from ostiary.authserver.idps.idp import (
    GrantDead,
    IdpAnswerRefused,
    IdpError,
    IdpUnavailable,
    LoginMemory,
    LoginOptions,
    LoginStart,
)
from ostiary.authserver.idps.idp_client import IdpClient
from ostiary.authserver.idps.mcp_client import McpClients
from ostiary.authserver.idps.registrations import Registrations
from ostiary.authserver.idps.tools import Tools
from ostiary.authserver.upstream_account import UpstreamAccount, UpstreamTokens
from ostiary.credentials.issuer.discovery import Discoveries, FoundIssuer, NotFound
from ostiary.event_log import event_log
from ostiary.oauth.canonical_url import UrlRefused, canonical_url
from ostiary.oauth.client.authorization_request import authorization_endpoint, scopes_to_ask
from ostiary.oauth.client.authorization_response import answer_of, code_of
from ostiary.oauth.client.pkce import require_s256
from ostiary.oauth.client.server_metadata import same_issuer, token_endpoint
from ostiary.oauth.client.token_response import TokenRequestRefused
from ostiary.oauth.client.userinfo import UpstreamIdentity, UserinfoMapping, UserinfoRefused, read_userinfo
from ostiary.oauth.inspection.person import person_of
from ostiary.storage.errors import StorageError
from ostiary.transport.fetch import FetchError
from ostiary.transport.reach import reach_from, strangers

log = event_log("ostiary.authserver")

OPENID = "openid"


class McpProvider:
    """One entry of type mcp. document: our client_id where we describe ourselves; None when we can't."""

    can_identify = False

    def __init__(
        self, settings: McpIdp, tools: Tools, registrations: Registrations, *, document: str | None
    ) -> None:
        self.name = settings.name
        self.display_name = settings.display_name
        self.issuer = str(settings.url)
        self._settings = settings
        self._tools = tools
        self._registrations = registrations
        self._clients = McpClients(settings, registrations, document, tools.fetcher)
        self._discoveries = Discoveries(tools.fetcher, tools.clock)
        self._reach = settings.reach

    async def begin(self, *, state: str, redirect_uri: str, options: LoginOptions) -> LoginStart:
        """Begin a login. Raises StorageError, too."""
        with self._told():
            found = await self._server()
            require_s256(found.metadata, known=self._settings.code_challenge_methods_supported)
            at = authorization_endpoint(
                found.metadata, insecure_allow_http=self._settings.insecure_allow_http
            )
            redeemed_at = str(token_endpoint(found.metadata))
            now = self._tools.clock()
            client = await self._clients.for_sign_in(found, redirect_uri=redirect_uri, now=now)
        memory = LoginMemory(
            issuer=found.issuer,
            client_id=client.client_id,
            redirect_uri=redirect_uri,
            code_verifier=new_verifier(),
            token_endpoint=redeemed_at,
            scopes=self._scopes(found),
            resource=self._resource(found),
        )
        parameters = {
            "client_id": memory.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(memory.scopes),
            "state": state,
            "resource": memory.resource,
            "prompt": " ".join(options.prompt),
        }
        extra = self._settings.authorization_params
        return LoginStart(
            authorization_url(at, parameters, verifier=memory.code_verifier, extra=extra), memory
        )

    async def complete(self, query: bytes, memory: LoginMemory, *, now: float) -> UpstreamAccount:
        """Finish it. Raises StorageError, too."""
        self._clients.came_back(memory.client_id)
        with self._told():
            found = await self._issuer(memory.issuer)
            answer = answer_of(query)
            form = {
                "grant_type": "authorization_code",
                "code": code_of(answer, issuer=memory.issuer, metadata=found.metadata),
                "redirect_uri": memory.redirect_uri,
                "code_verifier": memory.code_verifier or "",
            }
            if memory.resource is not None:
                form["resource"] = memory.resource
            client = await self._named(memory.issuer, memory.client_id)
            channel = self._channel(memory.token_endpoint or "", client, found)
            try:
                given = await channel.tokens(form, now=now)
            except TokenRequestRefused as refused:
                await self._forgotten(refused, memory.issuer, memory.client_id, now)
                raise
            tokens = as_tokens(given, asked=memory.scopes, now=now)
            told = await self._told_of_person(tokens, found)
        said = person_of(tokens.id_token, tokens.access_token)
        return UpstreamAccount(
            idp=self.name,
            issuer=memory.issuer,
            account="" if told is None else told.subject,
            client_id=memory.client_id,
            tokens=tokens,
            label=said if told is None else told.email or told.name or said,
        )

    async def renew(
        self, tokens: UpstreamTokens, *, issuer: str, client_id: str, now: float
    ) -> UpstreamTokens:
        """New tokens for a refresh token: from whoever gave it, while the server still names them."""
        with nothing_spent(), self._told():
            server = await self._server()
            named = (server.issuer,) if server.server is None else server.server.authorization_servers
            if issuer != self._settings.issuer and not any(same_issuer(issuer, one) for one in named):
                raise GrantDead(f"MCP server {self.issuer} takes no tokens of {issuer} any more")
            found = await self._issuer(issuer)
            client = await self._named(issuer, client_id)
            channel = self._channel(str(token_endpoint(found.metadata)), client, found)
        resource = self._resource(server)
        further = {} if resource is None else {"resource": resource}
        with self._told():
            try:
                new = await channel.renewed(tokens, now=now, further=further)
            except TokenRequestRefused as refused:
                if refused.error == "invalid_grant" or await self._forgotten(refused, issuer, client_id, now):
                    raise GrantDead(f"identity provider {self.name} says {refused.error}") from None
                raise
        return msgspec.structs.replace(new, id_token=new.id_token or tokens.id_token)

    async def revoke(self, tokens: UpstreamTokens, *, issuer: str, client_id: str) -> None:
        """End them there."""
        try:
            with self._told():
                found = await self._issuer(issuer)
                endpoint = found.metadata.get("revocation_endpoint")
                if isinstance(endpoint, str):
                    client = await self._named(issuer, client_id)
                    await self._channel(endpoint, client, found).end(tokens)
        except (IdpError, StorageError) as error:
            log.warning("upstream_not_revoked", idp=self.name, reason=str(error))

    async def _server(self) -> FoundIssuer:
        """What the server says of itself, and its issuer, or ours for it. Raises NotFound."""
        found = await self._discoveries.find(None, self._settings.url, self._reach)
        configured = self._settings.issuer
        if configured is None or configured == found.issuer:
            return found
        return replace(
            await self._issuer(configured), server=found.server, challenge_scopes=found.challenge_scopes
        )

    async def _issuer(self, issuer: str) -> FoundIssuer:
        """The metadata of an issuer that the server or the configuration named. Raises NotFound."""
        reach = reach_from(self._reach, self._settings.url)
        if issuer != self._settings.issuer:
            reach = strangers(reach, issuer, self._settings.url)
        try:
            return await self._discoveries.find(issuer, self._settings.url, reach)
        except NotFound:
            server = await self._discoveries.find(None, self._settings.url, self._reach)
            if server.undescribed is None or server.issuer != issuer:
                raise
            return server

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        with as_idp_errors(self.name):
            try:
                yield
            except NotFound as error:
                problem = f"identity provider {self.name}: {error}"
                if error.may_pass:
                    raise IdpUnavailable(problem, may_have_spent=False) from None
                raise IdpAnswerRefused(problem, may_have_spent=False) from None

    async def _named(self, issuer: str, client_id: str) -> IdpClient:
        client = await self._clients.named(issuer, client_id)
        if client is None:
            raise GrantDead(f"we are not client {client_id} at identity provider {self.name} any more")
        return client

    async def _forgotten(self, refused: TokenRequestRefused, issuer: str, client_id: str, now: float) -> bool:
        """Whether the server knows us no more. A registration is given up then, for a new one."""
        if refused.error != "invalid_client" or client_id == self._settings.client_id:
            return False
        await self._registrations.give_up(self.name, issuer, client_id, now=now)
        return True

    def _channel(self, endpoint: str, client: IdpClient, found: FoundIssuer) -> BackChannel:
        url = canonical_url(endpoint)
        return BackChannel(self.name, self._tools.fetcher, url, client, found.metadata, found.reach)

    def _scopes(self, found: FoundIssuer) -> tuple[str, ...]:
        return scopes_to_ask(
            challenged=(*self._settings.scopes, *found.challenge_scopes),
            supported=() if found.server is None else found.server.scopes,
            offered_by_issuer=_texts(found.metadata, "scopes_supported"),
        )

    def _resource(self, found: FoundIssuer) -> str | None:
        """As configured, else as the server itself writes it (RFC 9728 section 2)."""
        configured = self._settings.resource
        if configured is False:
            return None
        return configured or (str(self._settings.url) if found.server is None else found.server.resource)

    async def _told_of_person(self, tokens: UpstreamTokens, found: FoundIssuer) -> UpstreamIdentity | None:
        """Who userinfo says that it is: to tell accounts apart, so nothing hangs on whether it answers."""
        endpoint = found.metadata.get("userinfo_endpoint")
        if OPENID not in tokens.scopes or not isinstance(endpoint, str):
            return None
        headers = {"authorization": f"Bearer {tokens.access_token}"}
        try:
            url = canonical_url(endpoint)
            document = await self._tools.fetcher.get(url, headers=headers, reach=found.reach)
            return read_userinfo(document.body, UserinfoMapping()) if document.status == 200 else None
        except (FetchError, UrlRefused, UserinfoRefused) as error:
            log.info("account_not_named", idp=self.name, reason=str(error))
            return None


def _texts(metadata: Mapping[str, Any], name: str) -> tuple[str, ...]:
    listed = metadata.get(name)
    return tuple(one for one in listed if isinstance(one, str)) if isinstance(listed, list) else ()
