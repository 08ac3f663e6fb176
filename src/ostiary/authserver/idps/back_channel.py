"""What we ask a provider ourselves, as our client: tokens, and their end. RFC 6749 3.2 and 6, RFC 7009."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from ostiary.authserver.idps.idp import IdpAnswerRefused, IdpUnavailable
from ostiary.authserver.idps.idp_client import IdpClient
from ostiary.authserver.upstream_account import UpstreamTokens
from ostiary.event_log import event_log
from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.oauth.client.echoed_secrets import secrets_of
from ostiary.oauth.client.token_mapping import AS_THE_RFC_HAS_IT, TokenMapping
from ostiary.oauth.client.token_response import (
    NOT_WITH_SCOPES,
    TokenRequestRefused,
    TokenResponse,
    TokenResponseUnreadable,
    read_token_response,
)
from ostiary.secrets import SecretUnavailable
from ostiary.transport.fetch import FetchedDocument, Fetcher, FetchError
from ostiary.transport.reach import Reach
from ostiary.transport.retry_after import retry_after

log = event_log("ostiary.authserver")


@dataclass(frozen=True, slots=True)
class BackChannel:
    """One client of ours at one endpoint of a provider.

    metadata: the provider's, empty for one that has none; reach: how far the request may go.
    """

    idp: str
    fetcher: Fetcher
    url: CanonicalUrl
    client: IdpClient
    metadata: Mapping[str, Any]
    reach: Reach

    async def tokens(
        self, form: Mapping[str, str], *, now: float, mapping: TokenMapping = AS_THE_RFC_HAS_IT
    ) -> TokenResponse:
        """Raises TokenRequestRefused, TokenResponseUnreadable, FetchError, SecretUnavailable, or
        IdpUnavailable when it answers that it is.
        """
        document, sent = await self._post(form)
        if document.status == 429 or document.status >= 500:
            raise IdpUnavailable(
                f"identity provider {self.idp}: {self.url} answered {document.status}",
                retry_after=retry_after(document.headers.get("retry-after"), now=now),
                may_have_spent=document.status not in {429, 503},
            )
        kind = document.headers.get("content-type", "")
        return read_token_response(document.status, kind, document.body, mapping=mapping, sent=sent)

    async def renewed(
        self,
        old: UpstreamTokens,
        *,
        now: float,
        further: Mapping[str, str] = {},
        scopes: bool = True,
        mapping: TokenMapping = AS_THE_RFC_HAS_IT,
    ) -> UpstreamTokens:
        """New tokens for a refresh token, with an ID token only if there is a new one (RFC 6749 section 6).

        further: of the form; scopes: whether to name them. Raises as `tokens`; IdpAnswerRefused, with what is
        left of the old tokens, for an answer that is of no use and has replaced the refresh token.
        """
        form = {"grant_type": "refresh_token", "refresh_token": old.refresh_token or "", **further}
        named = {"scope": " ".join(old.scopes)} if scopes and old.scopes else {}
        try:
            answer = await self._renewal(form, named, now=now, mapping=mapping)
        except TokenResponseUnreadable as unreadable:
            if not unreadable.is_rotated:
                raise
            raise IdpAnswerRefused(
                f"identity provider {self.idp}: {unreadable.reason}",
                left=msgspec.structs.replace(old, refresh_token=unreadable.refresh_token),
            ) from None
        new = as_tokens(answer, asked=old.scopes, now=now)
        return new if answer.is_rotated else msgspec.structs.replace(new, refresh_token=old.refresh_token)

    async def _renewal(
        self, form: Mapping[str, str], named: Mapping[str, str], *, now: float, mapping: TokenMapping
    ) -> TokenResponse:
        """Entra ID wants to have scopes named again, Salesforce and Anthropic refuse to hear them."""
        try:
            return await self.tokens({**form, **named}, now=now, mapping=mapping)
        except TokenRequestRefused as refused:
            if not named or refused.error not in NOT_WITH_SCOPES:
                raise
        return await self.tokens(form, now=now, mapping=mapping)

    async def end(self, tokens: UpstreamTokens) -> None:
        """End each of them. What the provider answers, and whether it does, is for the log alone."""
        for hint in ("refresh_token", "access_token"):
            token = getattr(tokens, hint)
            if token is None:
                continue
            try:
                document, _ = await self._post({"token": token, "token_type_hint": hint})
            except (FetchError, SecretUnavailable) as error:
                log.warning("upstream_not_revoked", idp=self.idp, reason=str(error))
                return
            if not 200 <= document.status < 300:
                log.warning("upstream_not_revoked", idp=self.idp, hint=hint, status=document.status)

    async def _post(self, form: Mapping[str, str]) -> tuple[FetchedDocument, tuple[str, ...]]:
        """The answer, and the secrets that were sent for it."""
        proof = await self.client.prove(self.metadata)
        whole = {**form, **proof.form}
        document = await self.fetcher.post_form(self.url, whole, headers=proof.headers, reach=self.reach)
        return document, secrets_of(whole, proof.headers)


def as_tokens(answer: TokenResponse, *, asked: tuple[str, ...], now: float) -> UpstreamTokens:
    """What is kept of an answer. asked: the scopes, for a provider that does not say what it gave."""
    return UpstreamTokens(
        access_token=answer.access_token,
        refresh_token=answer.refresh_token,
        id_token=answer.id_token,
        expires_at=None if answer.expires_in is None else now + answer.expires_in,
        scopes=asked if answer.scopes is None else answer.scopes,
    )


def completed(new: UpstreamTokens, old: UpstreamTokens) -> UpstreamTokens:
    """New tokens, with those of the old that a sign-in did not bring again."""
    return UpstreamTokens(
        access_token=new.access_token,
        refresh_token=new.refresh_token or old.refresh_token,
        id_token=new.id_token or old.id_token,
        expires_at=new.expires_at,
        scopes=new.scopes,
    )
