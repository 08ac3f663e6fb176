"""What tokens are for: which configured entry a resource belongs to, and what may be asked for it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ostiary.authserver.config.resources import ResourceSettings
from ostiary.oauth.canonical_url import CanonicalUrl, UrlRefused, canonical_url
from ostiary.oauth.server.client import Client
from ostiary.oauth.server.errors import InvalidTarget
from ostiary.oauth.server.resource import ResourcePattern, choose_resource, longest
from ostiary.oauth.server.scope import allowed_scopes


class Target(msgspec.Struct, frozen=True):
    """One resource, and the entry that it belongs to."""

    resource: CanonicalUrl
    settings: ResourceSettings
    all_scopes: frozenset[str]
    for_strangers: frozenset[str]
    """What a client that nobody vouches for may have of it."""

    def ceiling(self, client: Client, *, common: frozenset[str]) -> frozenset[str]:
        """The most that a client may have. common: scopes that are not of a resource.

        What strangers named when they came is no bound. They name what they know by then, learn of more from
        our metadata or a challenge, and have no way to change what they said (RFC 7591).
        """
        if not client.is_preregistered:
            return self.for_strangers | common
        most = self.all_scopes | common
        return most if client.scopes is None else most & client.scopes

    def scopes(self, requested: Sequence[str], client: Client, *, common: frozenset[str]) -> tuple[str, ...]:
        """The scopes that a client gets. common: those that are not of a resource. Raises InvalidScope."""
        most = self.ceiling(client, common=common)
        named = most if client.scopes is None else most & client.scopes or most
        default = (
            self.settings.scopes if self.settings.default_scopes is None else self.settings.default_scopes
        )
        return allowed_scopes(requested, allowed=most, default=[scope for scope in default if scope in named])


class Resources:
    """All of them. for_strangers: `registration.scopes`."""

    def __init__(
        self, entries: Sequence[ResourceSettings], *, for_strangers: Sequence[str] | None = None
    ) -> None:
        self._entries = {
            entry.pattern: (entry, frozenset(entry.scopes), frozenset(entry.for_strangers(for_strangers)))
            for entry in entries
        }

    def choose(self, requested: Sequence[str], client: Client) -> Target:
        """What a new authorization is for. Raises InvalidTarget."""
        return self.target(choose_resource(requested, self._patterns(client)))

    def choose_for_people(self, requested: Sequence[str], client: Client) -> Target:
        """The same for what somebody signs in for. Raises InvalidTarget."""
        target = self.choose(requested, client)
        if not target.settings.identity:
            raise InvalidTarget(f"nobody signs in for {target.resource}: it is for programs alone")
        return target

    def target(self, resource: CanonicalUrl) -> Target:
        """The entry of a resource that one of them covers. Raises LookupError when none does any more."""
        entry = longest(self._entries, resource)
        if entry is None:
            raise LookupError(f"no entry of resources covers {resource}")
        return Target(resource, *entry)

    def find(self, resource: str) -> Target | None:
        """The entry of a resource of a record or a token; None when the configuration has it no more."""
        try:
            return self.target(canonical_url(resource))
        except (LookupError, UrlRefused):
            return None

    def may_have(self, client: Client, target: Target) -> bool:
        """Whether the operator, who may have changed their mind, lets this client have it."""
        return any(pattern.covers(target.resource) for pattern in self._patterns(client))

    @property
    def entries(self) -> list[ResourceSettings]:
        """As configured."""
        return [settings for settings, *_ in self._entries.values()]

    def _patterns(self, client: Client) -> list[ResourcePattern]:
        if client.allowed_resources is None:
            return list(self._entries)
        allowed = [ResourcePattern(canonical_url(one), is_prefix=False) for one in client.allowed_resources]
        return [one for one in allowed if longest(self._entries, one.url) is not None]
