"""What an MCP server says of itself: RFC 9728, in the order of MCP's authorization specification.

    challenge    where the challenge leads that it gives to a request without a credential
    path         else its well-known address with the server's path
    root         else that of its origin

So a server that shares its origin with others says for itself whose tokens it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from ostiary.oauth.challenge import Challenge, read_challenges
from ostiary.oauth.client.protected_resource import (
    ProtectedResource,
    challenged_url,
    read_protected_resource,
    well_known_urls,
)
from ostiary.oauth.client.server_metadata import MetadataRefused
from ostiary.transport.fetch import Fetcher, FetchError, NotReached
from ostiary.transport.reach import Reach, strangers

if TYPE_CHECKING:
    from ostiary.oauth.canonical_url import CanonicalUrl

KEPT = 3600.0
"""Seconds for which a server is not asked again."""
MOST_KEPT = 10_000
PROBE = b'{"jsonrpc":"2.0","id":1,"method":"server/discover"}'
"""A request of no consequence, to be challenged for."""
AS_A_CLIENT = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
"""How a request to an MCP server looks."""

Challenges = tuple[Challenge, ...]


class NotDescribed(Exception):
    """It says nothing of itself that could be had, or believed. challenges: None when it gave none."""

    def __init__(
        self, reasons: Sequence[FetchError | MetadataRefused], challenges: Challenges | None
    ) -> None:
        super().__init__("; ".join(map(str, reasons)))
        self.reasons = reasons
        self.was_challenged = challenges is not None
        self.challenge_scopes = _scopes(challenges or ())

    @property
    def may_be_of_2025_03_26(self) -> bool:
        """Whether it may be from before servers described themselves: it was there, and had no document."""
        return not any(isinstance(reason, MetadataRefused | NotReached) for reason in self.reasons)


class ServerDescriptions:
    """Asked of servers; how each challenges is remembered.

    servers: how far requests to a server itself may go, where that is not as to its issuer.
    """

    def __init__(
        self, fetcher: Fetcher, clock: Callable[[], float], servers: Mapping[CanonicalUrl, Reach] = {}
    ) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._servers = servers
        self._challenges: dict[str, tuple[Challenges | None, float]] = {}

    async def describe(
        self, server_url: CanonicalUrl, reach: Reach
    ) -> tuple[ProtectedResource, tuple[str, ...]]:
        """The description, and the scopes that the challenge names. Raises NotDescribed."""
        reasons: list[FetchError | MetadataRefused] = []
        challenges: Challenges | None = None
        try:
            challenges = await self.challenges(server_url, reach)
        except NotReached as error:
            raise NotDescribed([error], None) from None  # nor would its well-known addresses be
        except FetchError as error:
            reasons.append(error)
        tried = set()
        for place, within in self._places(challenges or (), server_url, reach, reasons):
            if place in tried:
                continue
            tried.add(place)
            try:
                document = await self._fetcher.get_json(place, reach=within)
                return read_protected_resource(document, server=server_url), _scopes(challenges or ())
            except (FetchError, MetadataRefused) as error:
                reasons.append(error)
        raise NotDescribed(reasons, challenges)

    async def challenges(self, server_url: CanonicalUrl, reach: Reach) -> Challenges | None:
        """How it answers a request without a credential; None when it asks for none. Raises FetchError."""
        known, heard_at = self._challenges.get(str(server_url), (None, float("-inf")))
        if self._clock() - heard_at < KEPT:
            return known
        own = self._servers.get(server_url, reach)
        answer = await self._fetcher.post(server_url, PROBE, headers=AS_A_CLIENT, reach=own)
        said = None
        if answer.status == HTTPStatus.UNAUTHORIZED:
            said = tuple(read_challenges(answer.headers.get("www-authenticate", "")))
        self.heard(server_url, said)
        return said

    def heard(self, server_url: CanonicalUrl, challenges: Challenges | None) -> None:
        """Remember how it challenged."""
        self._challenges.pop(str(server_url), None)
        self._challenges[str(server_url)] = (challenges, self._clock())
        if len(self._challenges) > MOST_KEPT:
            del self._challenges[next(iter(self._challenges))]

    def _places(
        self,
        challenges: Challenges,
        server_url: CanonicalUrl,
        reach: Reach,
        reasons: list[FetchError | MetadataRefused],
    ) -> Iterator[tuple[CanonicalUrl, Reach]]:
        own = self._servers.get(server_url, reach)
        local = replace(reach, loopback=server_url.is_loopback or reach.private_network)
        for challenge in challenges:
            if "resource_metadata" not in challenge.parameters:
                continue
            try:
                place = challenged_url(challenge.parameters["resource_metadata"], server=server_url)
            except MetadataRefused as refused:
                reasons.append(refused)
            else:
                at_home = place.origin == server_url.origin
                yield place, own if at_home else strangers(local, place, server_url)
        for place in well_known_urls(server_url):
            yield place, own


def _scopes(challenges: Challenges) -> tuple[str, ...]:
    return next((challenge.scopes for challenge in challenges if challenge.scopes), ())
