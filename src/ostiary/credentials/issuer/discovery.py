"""Find the token endpoint for one server: RFC 9728, RFC 8414, OpenID Connect Discovery.

    token_url   is it
    issuer      its metadata names it
    neither     the server's own metadata names its issuers (`server_description`): the first that can be had;
                a server of MCP 2025-03-26, which has none, is its issuer's origin

What was found is kept for an hour; what could not be found is looked for again when a token is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ostiary.credentials.error import CredentialMisconfigured, CredentialUnreachable
from ostiary.credentials.issuer.server_description import KEPT, NotDescribed, ServerDescriptions
from ostiary.oauth.canonical_url import CanonicalUrl, UrlRefused
from ostiary.oauth.client.protected_resource import ProtectedResource
from ostiary.oauth.client.server_metadata import (
    AnotherIssuer,
    MetadataRefused,
    default_metadata,
    metadata_urls,
    read_issuer_metadata,
    same_issuer,
    token_endpoint,
)
from ostiary.transport.fetch import Fetcher, FetchError, NotTrusted
from ostiary.transport.reach import Reach, reach_from, strangers

if TYPE_CHECKING:
    from ostiary.oauth.challenge import Challenge

SECOND_CHOICE_KEPT = 300.0
"""Seconds for which an issuer is not looked for again that was found only because a better one was away."""
MOST_KEPT = 10_000
SERVER_S_OTHERS = "issuer or token_url"
MOST_ISSUERS = 3
"""How many of those that a server names are tried."""


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
    discoveries: Discoveries,
    reach: Reach,
    credential: str,
    endpoint: str | None = None,
    mutual_tls: bool = False,
    by_default_rule: bool = False,
) -> FoundEndpoint:
    """The endpoint. Raises CredentialMisconfigured or CredentialUnreachable.

    credential, endpoint: for errors, as everywhere; mutual_tls: whether the client shows a certificate there;
    by_default_rule: whether an issuer without any metadata will do.
    """
    if token_url is not None:
        return FoundEndpoint(token_url, issuer, {}, reach)
    try:
        found = await discoveries.find(issuer, server_url, reach)
        if found.undescribed is not None and not by_default_rule:
            raise found.undescribed
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
    second_choice: bool = False
    """Whether one that the server would rather have was away."""
    undescribed: NotFound | None = None
    """Why its metadata is that of the default rule; None when it has some."""

    @property
    def kept(self) -> float:
        """Seconds for which to believe it."""
        return SECOND_CHOICE_KEPT if self.second_choice or self.undescribed is not None else KEPT

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

    @property
    def kept(self) -> float:
        """Seconds for which to believe what was found."""
        return self.task.result().kept if self.task.done() else KEPT


class Discoveries:
    """What servers and issuers say of themselves, asked for once however many wait.

    servers: how far requests to a server itself may go, where that is not as to its issuer.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        clock: Callable[[], float],
        servers: Mapping[CanonicalUrl, Reach] = {},
    ) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._servers = ServerDescriptions(fetcher, clock, servers)
        self._found: dict[tuple[str | CanonicalUrl, bool, Reach], _Asked] = {}

    async def find(self, issuer: str | None, server_url: CanonicalUrl, reach: Reach) -> FoundIssuer:
        """The issuer's metadata; without an issuer, that of the one the server names. Raises NotFound."""
        key = (issuer or server_url, issuer is None, reach)
        known = self._found.get(key)
        if known is not None and not _failed(known.task) and self._clock() - known.asked_at < known.kept:
            return await asyncio.shield(known.task)
        looking = self._at_issuer(issuer, reach) if issuer else self._at_server(server_url, reach)
        latest = self._found[key] = _Asked(asyncio.create_task(looking), self._clock())
        latest.task.add_done_callback(_failed)  # so that a failure nobody waited for is not reported
        if len(self._found) > MOST_KEPT:
            del self._found[next(iter(self._found))]
        try:
            found = await asyncio.shield(latest.task)
        except NotFound:
            if known is None or _failed(known.task):
                raise
        else:
            if known is None or _failed(known.task) or not _is_worse(found, known.task.result()):
                return found
        self._found[key] = known  # what an issuer said before is better than nothing
        return known.task.result()

    async def challenges(self, server_url: CanonicalUrl, reach: Reach) -> tuple[Challenge, ...] | None:
        """How the server answers who shows no credential; None when it asks for none. Raises FetchError."""
        return await self._servers.challenges(server_url, reach)

    def heard(self, server_url: CanonicalUrl, challenges: tuple[Challenge, ...]) -> None:
        """Take a challenge that the server gave to somebody's request: it need not be asked for."""
        self._servers.heard(server_url, challenges)

    def forget(self, server_url: CanonicalUrl) -> None:
        """Look anew when it is next wanted: the server refuses tokens, maybe for another issuer's."""
        for key in [key for key in self._found if server_url in key]:
            del self._found[key]

    async def close(self) -> None:
        """Stop what is under way."""
        tasks = [known.task for known in self._found.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._found.clear()

    async def _at_issuer(self, issuer: str, reach: Reach, *, named_by_resource: bool = False) -> FoundIssuer:
        try:
            places = metadata_urls(issuer)
        except UrlRefused as refused:
            raise NotFound(f"issuer {issuer!r:.200}: {refused}", fix="set issuer", may_pass=False) from None
        within = reach_from(reach, places[0])
        reasons: list[FetchError | MetadataRefused] = []
        for place in places:
            try:
                document = await self._fetcher.get_json(place, reach=reach)
                metadata = read_issuer_metadata(document, issuer=issuer, named_by_resource=named_by_resource)
                return FoundIssuer(metadata["issuer"], metadata, within)
            except (FetchError, MetadataRefused) as error:
                reasons.append(error)
        raise _no_metadata(f"issuer {issuer}", reasons, others="token_url")

    async def _at_server(self, server_url: CanonicalUrl, reach: Reach) -> FoundIssuer:
        try:
            server, scopes = await self._servers.describe(server_url, reach)
        except NotDescribed as error:
            if not error.may_be_of_2025_03_26:
                raise _no_metadata(f"server {server_url}", error.reasons, others=SERVER_S_OTHERS) from None
            return await self._at_origin(server_url, reach, error)
        if not server.authorization_servers:
            raise NotFound(
                f"{server_url} names no authorization server in its metadata",
                fix=f"set {SERVER_S_OTHERS}",
                may_pass=False,
            )
        found = await self._first_of(
            server.authorization_servers[:MOST_ISSUERS], server_url, _reach_of(server_url, reach)
        )
        return replace(found, server=server, challenge_scopes=scopes)

    async def _first_of(self, issuers: Sequence[str], server_url: CanonicalUrl, reach: Reach) -> FoundIssuer:
        """The first that can be had: its operator would rather have an earlier one."""
        failures: list[NotFound] = []
        for issuer in issuers:
            try:
                within = strangers(reach, issuer, server_url)
                found = await self._at_issuer(issuer, within, named_by_resource=True)
                return replace(found, second_choice=any(failure.may_pass for failure in failures))
            except NotFound as failure:
                failures.append(failure)
        raise NotFound(
            "; ".join(map(str, failures)),
            fix=failures[0].fix,
            may_pass=any(failure.may_pass for failure in failures),
        )

    async def _at_origin(
        self, server_url: CanonicalUrl, reach: Reach, undescribed: NotDescribed
    ) -> FoundIssuer:
        """MCP 2025-03-26: whoever serves the origin is its issuer, at default addresses without metadata."""
        origin, local = server_url.origin, _reach_of(server_url, reach)
        reasons = list(undescribed.reasons)
        for place in metadata_urls(origin):
            try:
                document = await self._fetcher.get_json(place, reach=local)
                metadata = read_issuer_metadata(document, issuer=origin, named_by_resource=True)
                return FoundIssuer(
                    metadata["issuer"], metadata, local, challenge_scopes=undescribed.challenge_scopes
                )
            except (FetchError, MetadataRefused) as error:
                reasons.append(error)
        failure = _no_metadata(f"server {server_url}", reasons, others=SERVER_S_OTHERS)
        if not undescribed.was_challenged or any(not _is_absent(reason) for reason in reasons):
            raise failure
        return FoundIssuer(
            origin,
            default_metadata(origin),
            local,
            challenge_scopes=undescribed.challenge_scopes,
            undescribed=failure,
        )


def _reach_of(server_url: CanonicalUrl, reach: Reach) -> Reach:
    """How far what a server names may lead: to this machine only when the server is here."""
    return replace(reach, loopback=server_url.is_loopback or reach.private_network)


def _is_absent(reason: Exception) -> bool:
    return isinstance(reason, FetchError) and reason.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}


def _is_worse(found: FoundIssuer, known: FoundIssuer) -> bool:
    """Whether it was found only because what was known is away for now."""
    if known.server is None:
        return False
    if found.server is None:
        return True
    return found.second_choice and any(
        same_issuer(known.issuer, named) for named in found.server.authorization_servers
    )


def _no_metadata(whose: str, reasons: Sequence[FetchError | MetadataRefused], *, others: str) -> NotFound:
    """A document that is refused says more than an address without one."""
    for reason in reasons:
        if isinstance(reason, AnotherIssuer) and reason.fix is not None:
            return NotFound(f"{whose}: {reason.problem}", fix=reason.fix, may_pass=False)
        if isinstance(reason, MetadataRefused):
            return NotFound(f"{whose}: {reason}", fix=f"set {others}", may_pass=False)
    said = "; ".join(str(reason) for reason in reasons)
    for reason in reasons:
        if isinstance(reason, NotTrusted):
            return NotFound(f"{whose}: {said}", fix=reason.fix, may_pass=True)
    return NotFound(f"the metadata of {whose} can't be had: {said}", fix=f"set {others}", may_pass=True)


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
