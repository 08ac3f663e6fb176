"""Find the token endpoint for one server: RFC 9728, RFC 8414, OpenID Connect Discovery.

    token_url   is it
    issuer      its metadata names it
    neither     the server's own metadata names its issuer: at its well-known addresses, else where the
                challenge says that it gives to one request without a credential

What was found is kept for an hour; what could not be found is looked for again when a token is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ostiary.credentials.error import CredentialMisconfigured, CredentialUnreachable
from ostiary.oauth.canonical_url import CanonicalUrl, UrlRefused, canonical_url
from ostiary.oauth.challenge import read_challenges
from ostiary.oauth.issuer_metadata import (
    MetadataRefused,
    metadata_urls,
    read_issuer_metadata,
    token_endpoint,
)
from ostiary.oauth.protected_resource import ProtectedResource, read_protected_resource, well_known_urls
from ostiary.transport.fetch import Fetcher, FetchError, NotTrusted, Reach

if TYPE_CHECKING:
    from ostiary.credentials.runtime import Runtime

KEPT = 3600.0
"""Seconds for which a server's and an issuer's metadata are not asked for again."""
MOST_KEPT = 10_000
PROBE = b'{"jsonrpc":"2.0","id":1,"method":"server/discover"}'
"""A request of no consequence, to be challenged for."""


@dataclass(frozen=True, slots=True)
class FoundEndpoint:
    """Where to ask for tokens, and what is known about who answers there."""

    url: CanonicalUrl
    issuer: str | None
    metadata: Mapping[str, Any] = field(repr=False)
    """The issuer's own (RFC 8414); empty when the endpoint was configured."""
    reach: Reach
    """How far requests to the endpoint may go."""
    server: ProtectedResource | None = None
    """What the server says of itself; None when nobody had to ask it."""
    challenge_scopes: tuple[str, ...] = ()
    """The scopes that the server named when it was asked without a credential."""

    @property
    def methods_supported(self) -> tuple[str, ...]:
        """How clients may prove who they are there, as far as the issuer says."""
        listed = self.metadata.get("token_endpoint_auth_methods_supported")
        return tuple(map(str, listed)) if isinstance(listed, list) else ()


async def find_token_endpoint(  # noqa: PLR0913 - each says one thing about where to look
    *,
    token_url: CanonicalUrl | None,
    issuer: str | None,
    server_url: CanonicalUrl,
    runtime: Runtime,
    reach: Reach,
    credential: str,
    endpoint: str | None = None,
    mutual_tls: bool = False,
) -> FoundEndpoint:
    """The endpoint. Raises CredentialMisconfigured or CredentialUnreachable.

    credential, endpoint: for errors, as everywhere; mutual_tls: whether the client shows a certificate there.
    """
    if token_url is not None:
        return FoundEndpoint(token_url, issuer, {}, reach)
    try:
        found = await runtime.discoveries.find(issuer, server_url, reach)
        return found.endpoint(mutual_tls=mutual_tls)
    except NotFound as error:
        kind = CredentialUnreachable if error.may_pass else CredentialMisconfigured
        raise kind(
            str(error), credential=credential, endpoint=endpoint or server_url.origin, fix=error.fix
        ) from None
    except MetadataRefused as error:
        raise CredentialMisconfigured(
            str(error),
            credential=credential,
            endpoint=endpoint or server_url.origin,
            fix="set token_url to where the issuer answers",
        ) from None


class NotFound(Exception):
    """Metadata could not be had. may_pass: whether it is worth asking again without a change here."""

    def __init__(self, problem: str, *, fix: str, may_pass: bool) -> None:
        super().__init__(problem)
        self.fix = fix
        self.may_pass = may_pass


@dataclass(frozen=True, slots=True)
class FoundIssuer:
    """An issuer's metadata, and what led there."""

    issuer: str
    metadata: Mapping[str, Any] = field(repr=False)
    reach: Reach
    server: ProtectedResource | None = None
    challenge_scopes: tuple[str, ...] = ()

    def endpoint(self, *, mutual_tls: bool = False) -> FoundEndpoint:
        """Its token endpoint. Raises MetadataRefused."""
        try:
            url = token_endpoint(self.metadata, mutual_tls=mutual_tls)
        except MetadataRefused as refused:
            raise MetadataRefused(f"issuer {self.issuer}: {refused}") from None
        return FoundEndpoint(url, self.issuer, self.metadata, self.reach, self.server, self.challenge_scopes)


@dataclass(frozen=True, slots=True)
class _Asked:
    task: asyncio.Task[FoundIssuer]
    asked_at: float


class Discoveries:
    """What servers and issuers say of themselves, asked for once however many wait."""

    def __init__(self, fetcher: Fetcher, clock: Callable[[], float]) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._found: dict[tuple[str | CanonicalUrl, bool, Reach], _Asked] = {}
        self._challenges: dict[str, tuple[str, float]] = {}

    async def find(self, issuer: str | None, server_url: CanonicalUrl, reach: Reach) -> FoundIssuer:
        """The issuer's metadata; without an issuer, that of the one the server names. Raises NotFound."""
        key = (issuer or server_url, issuer is None, reach)
        known = self._found.get(key)
        if known is not None and not _failed(known.task) and self._clock() - known.asked_at < KEPT:
            return await asyncio.shield(known.task)
        looking = self._at_issuer(issuer, reach) if issuer else self._at_server(server_url, reach)
        latest = self._found[key] = _Asked(asyncio.create_task(looking), self._clock())
        latest.task.add_done_callback(_failed)  # so that a failure nobody waited for is not reported
        if len(self._found) > MOST_KEPT:
            del self._found[next(iter(self._found))]
        try:
            return await asyncio.shield(latest.task)
        except NotFound:
            if known is None or _failed(known.task):
                raise
            self._found[key] = known  # what an issuer said before is better than nothing
            return known.task.result()

    def forget(self, server_url: CanonicalUrl) -> None:
        """Ask the server anew when it is next wanted: it refuses tokens, maybe for another issuer's."""
        for key in [key for key in self._found if server_url in key]:
            del self._found[key]
        self._challenges.pop(str(server_url), None)

    async def close(self) -> None:
        """Stop what is under way."""
        tasks = [known.task for known in self._found.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._found.clear()

    async def _at_issuer(self, issuer: str, reach: Reach) -> FoundIssuer:
        try:
            places = metadata_urls(issuer)
        except UrlRefused as refused:
            raise NotFound(f"issuer {issuer!r:.200}: {refused}", fix="set issuer", may_pass=False) from None
        within = replace(reach, loopback=reach.loopback and (places[0].is_loopback or reach.private_network))
        reasons: list[Exception] = []
        for place in places:
            try:
                document = await self._fetcher.get_json(place, reach=reach)
                metadata = read_issuer_metadata(document, issuer=issuer)
                return FoundIssuer(issuer, metadata, within)
            except (FetchError, MetadataRefused) as error:
                reasons.append(error)
        raise _no_metadata(f"issuer {issuer}", reasons, others="token_url")

    async def _at_server(self, server_url: CanonicalUrl, reach: Reach) -> FoundIssuer:
        server, scopes = await self._describe(server_url, reach)
        if not server.authorization_servers:
            raise NotFound(
                f"{server_url} names no authorization server in its metadata",
                fix="set issuer or token_url",
                may_pass=False,
            )
        local = server_url.is_loopback or reach.private_network
        found = await self._at_issuer(server.authorization_servers[0], replace(reach, loopback=local))
        return replace(found, server=server, challenge_scopes=scopes)

    async def _describe(
        self, server_url: CanonicalUrl, reach: Reach
    ) -> tuple[ProtectedResource, tuple[str, ...]]:
        reasons: list[Exception] = []
        for place in well_known_urls(server_url):
            try:
                document = await self._fetcher.get_json(place, reach=reach)
                return read_protected_resource(document, server=server_url), ()
            except (FetchError, MetadataRefused) as error:
                reasons.append(error)
        return await self._describe_by_challenge(server_url, reach, reasons)

    async def _describe_by_challenge(
        self, server_url: CanonicalUrl, reach: Reach, reasons: list[Exception]
    ) -> tuple[ProtectedResource, tuple[str, ...]]:
        try:
            for challenge in read_challenges(await self._probe(server_url, reach)):
                if "resource_metadata" in challenge.parameters:
                    place = canonical_url(challenge.parameters["resource_metadata"])
                    local = replace(reach, loopback=server_url.is_loopback or reach.private_network)
                    document = await self._fetcher.get_json(place, reach=local)
                    return read_protected_resource(document, server=server_url), challenge.scopes
        except (FetchError, MetadataRefused, UrlRefused) as error:
            reasons.append(error)
        raise _no_metadata(f"server {server_url}", reasons, others="issuer or token_url")

    async def _probe(self, server_url: CanonicalUrl, reach: Reach) -> str:
        """The server's challenge to one request without a credential: asked for once, and remembered."""
        known, asked_at = self._challenges.get(str(server_url), ("", float("-inf")))
        if self._clock() - asked_at < KEPT:
            return known
        headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        answer = await self._fetcher.post(server_url, PROBE, headers=headers, reach=reach)
        challenge = answer.headers.get("www-authenticate", "")
        self._challenges[str(server_url)] = (challenge, self._clock())
        return challenge


def _no_metadata(whose: str, reasons: list[Exception], *, others: str) -> NotFound:
    """A document that is refused says more than an address without one."""
    refused = [reason for reason in reasons if isinstance(reason, MetadataRefused)]
    if refused:
        return NotFound(
            f"{whose}: {refused[0]}", fix=f"set issuer as it names itself, or {others}", may_pass=False
        )
    said = "; ".join(str(reason) for reason in reasons)
    if any(isinstance(reason, NotTrusted) for reason in reasons):
        return NotFound(
            f"{whose}: {said}", fix="set ca_file to the authority that vouches for it", may_pass=True
        )
    return NotFound(f"the metadata of {whose} can't be had: {said}", fix=f"set {others}", may_pass=True)


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
