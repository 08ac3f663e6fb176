"""The caller's own token at an identity provider, attached to a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.credentials.error import CredentialMisconfigured
from ostiary.credentials.headers.subject_token_source import CallersToken
from ostiary.credentials.subject import headers_for
from ostiary.credentials.tokens.cache import TokenKey
from ostiary.credentials.tokens.settings_key import key_of
from ostiary.credentials.upstream_token.headers import NoPersonsHeaders, UpstreamTokenHeaders
from ostiary.credentials.upstream_token.internal_port import InternalPort, PortAddress
from ostiary.credentials.upstream_token.revocation_feed import RevocationFeed
from ostiary.credentials.upstream_token.settings import LONGEST_BOUND, UpstreamTokenSettings
from ostiary.credentials.upstream_token.source import KIND, UpstreamTokenSource
from ostiary.oauth.canonical_url import UrlRefused, canonical_url
from ostiary.oauth.client.upstream_exchange import speaks_for_a_person

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ostiary.credentials.headers.headers import CredentialHeaders
    from ostiary.credentials.headers.subject_token_source import SubjectTokenSource
    from ostiary.credentials.runtime import Runtime
    from ostiary.oauth.canonical_url import CanonicalUrl


class UpstreamToken(UpstreamTokenSettings):
    """Send the caller's own token at an identity provider, such as GitHub.

    The authorization server keeps it, and gives it to the workload that owns the caller's session.
    """

    def attach(self, server_url: CanonicalUrl, *, runtime: Runtime) -> CredentialHeaders:
        """What a server at this URL is sent. Raises CredentialMisconfigured or CertificateUnusable."""
        address = self._address(server_url)
        shared = runtime.in_common((_Port, key_of(address)), lambda: _Port(address, runtime))
        feed = shared.feed if self.revocations == "feed" else None
        key = TokenKey(server_url, key_of(self))

        def make(subject: SubjectTokenSource, whose: Hashable) -> CredentialHeaders:
            if isinstance(subject, CallersToken) and not speaks_for_a_person(subject.principal.claims):
                return NoPersonsHeaders(server_url.origin)
            source = UpstreamTokenSource(
                self, subject, shared.port, feed, self._bound, server_url.origin, runtime.clock
            )
            return UpstreamTokenHeaders(source, key=TokenKey(key, whose), cache=runtime.tokens)

        return headers_for(
            self.subject,
            make,
            token_type="access_token",  # noqa: S106 - a type's name
            shown_to=self._shown_to(server_url, address),
            credential=KIND,
            endpoint=server_url.origin,
            runtime=runtime,
        )

    @property
    def _bound(self) -> float:
        bound = LONGEST_BOUND if self.revocations == "feed" else self.revocations
        return bound.total_seconds()

    def _address(self, server_url: CanonicalUrl) -> PortAddress:
        missing = [name for name in ("token_url", "certificates") if getattr(self, name) is None]
        if self.token_url is None or self.certificates is None:
            raise CredentialMisconfigured(
                f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set",
                credential=KIND,
                endpoint=server_url.origin,
                fix="name where the authorization server's port for workloads is, and our certificate there",
            )
        return PortAddress(self.token_url, self.certificates, self.private_network, self.authserver_spiffe_id)

    def _shown_to(self, server_url: CanonicalUrl, address: PortAddress) -> CanonicalUrl:
        """What a person's token is for, which they sign in to; other tokens are for whoever is asked."""
        if self.subject == "inbound" or self.subject.type != "oauth_user":
            return address.token_url
        try:
            return canonical_url(self.subject.resource or "")
        except UrlRefused:
            return server_url


class _Port:
    """What all that ask one authorization server as one workload share."""

    def __init__(self, address: PortAddress, runtime: Runtime) -> None:
        self.port = InternalPort(address, runtime.fetcher.proxies, runtime.clock)
        self.feed = RevocationFeed(self.port, runtime.clock)

    async def close(self) -> None:
        """Listen to nothing any more."""
        await self.feed.close()
        self.port.close()
