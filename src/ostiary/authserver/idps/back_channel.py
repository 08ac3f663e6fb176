"""What we ask a provider ourselves, as our client: tokens, and their end. RFC 6749 3.2, RFC 7009."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from ostiary.authserver.connected import UpstreamTokens
from ostiary.authserver.idps.idp import IdpUnavailable
from ostiary.authserver.idps.our_client import OurClient
from ostiary.oauth import upstream_token
from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.oauth.upstream_token import TokenMapping, read_upstream_tokens
from ostiary.secrets import SecretUnavailable
from ostiary.transport.fetch import Document, Fetcher, FetchError, Reach
from ostiary.transport.retry_after import retry_after

log = structlog.get_logger("ostiary.authserver")


@dataclass(frozen=True, slots=True)
class BackChannel:
    """One client of ours at one endpoint of a provider.

    metadata: the provider's, empty for one that has none; reach: how far the request may go.
    """

    idp: str
    fetcher: Fetcher
    url: CanonicalUrl
    client: OurClient
    metadata: Mapping[str, Any]
    reach: Reach

    async def tokens(
        self, form: Mapping[str, str], *, now: float, mapping: TokenMapping | None = None
    ) -> upstream_token.UpstreamTokens:
        """Raises TokenRequestRefused, TokenResponseUnreadable, FetchError, SecretUnavailable, or
        IdpUnavailable when it answers that it is.
        """
        document = await self._post(form)
        if document.status == 429 or document.status >= 500:
            raise IdpUnavailable(
                f"identity provider {self.idp}: {self.url} answered {document.status}",
                retry_after=retry_after(document.headers.get("retry-after"), now=now),
                may_have_spent=document.status not in {429, 503},
            )
        kind = document.headers.get("content-type", "")
        return read_upstream_tokens(document.status, kind, document.body, mapping)

    async def end(self, tokens: UpstreamTokens) -> None:
        """End each of them. What the provider answers, and whether it does, is for the log alone."""
        for hint in ("refresh_token", "access_token"):
            token = getattr(tokens, hint)
            if token is None:
                continue
            try:
                document = await self._post({"token": token, "token_type_hint": hint})
            except (FetchError, SecretUnavailable) as error:
                log.warning("upstream_not_revoked", idp=self.idp, reason=str(error))
                return
            if document.status != 200:
                log.warning("upstream_not_revoked", idp=self.idp, hint=hint, status=document.status)

    async def _post(self, form: Mapping[str, str]) -> Document:
        proof = await self.client.prove(self.metadata)
        return await self.fetcher.post_form(
            self.url, {**form, **proof.form}, headers=proof.headers, reach=self.reach
        )


def as_tokens(answer: upstream_token.UpstreamTokens, *, asked: tuple[str, ...], now: float) -> UpstreamTokens:
    """What is kept of an answer. asked: the scopes, for a provider that does not say what it gave."""
    return UpstreamTokens(
        access_token=answer.access_token,
        refresh_token=answer.refresh_token,
        id_token=answer.id_token,
        expires_at=None if answer.expires_in is None else now + answer.expires_in,
        scopes=asked if answer.scopes is None else answer.scopes,
    )


def renewed(old: UpstreamTokens, new: UpstreamTokens) -> UpstreamTokens:
    """New tokens, with what the provider left as it was (RFC 6749 section 6)."""
    return UpstreamTokens(
        access_token=new.access_token,
        refresh_token=new.refresh_token or old.refresh_token,
        id_token=new.id_token or old.id_token,
        expires_at=new.expires_at,
        scopes=new.scopes,
    )
