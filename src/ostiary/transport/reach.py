"""How far the requests of one edge may go, and whom they trust there: one road from configuration.

Every entry with a `ca_file` is one of these models, and becomes a `Reach` here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ostiary.oauth.canonical_url import CanonicalUrl, UrlRefused, canonical_url
from ostiary.settings import ConfiguredPath, Settings, Switch
from ostiary.transport.trust import TrustSet


@dataclass(frozen=True, slots=True)
class Reach:
    """What the operator allows for one edge. Loopback URLs, being configured, may be plain http."""

    ca_file: Path | None = None
    """Authorities (PEM) that are trusted there alone. Default: the system's."""
    private_network: bool = False
    """Whether names may lead to private addresses."""
    insecure_allow_http: bool = False
    """Whether documents may come in the clear from another machine."""
    loopback: bool = True
    """Whether URLs may name this machine; not when it is a stranger who wrote them."""
    by_proxy: bool = True
    """Whether a proxy may take requests there; not when it is a stranger who wrote the URLs, since the proxy
    then chooses the address, and nobody holds it against the table of those that are public."""

    @property
    def trust(self) -> TrustSet:
        """Whom to trust."""
        return TrustSet(self.ca_file)


PUBLIC = Reach()
"""https to public addresses, with the system's authorities."""


class NetworkEdge(Settings):
    """An entry of the configuration, as far as its connections go."""

    ca_file: ConfiguredPath | None = None
    """PEM file of the authorities that are trusted there alone. Default: the system's."""
    private_network: Switch = False
    """Its addresses may be on a private network."""

    @property
    def reach(self) -> Reach:
        """For the addresses that the operator wrote there."""
        return Reach(self.ca_file, self.private_network)


class EdgeSettings(NetworkEdge):
    """An entry that may lead over plain http, too, when that is said."""

    insecure_allow_http: Switch = False
    """It may be reached in the clear although it is not on this machine."""

    @property
    def reach(self) -> Reach:
        """For the addresses that the operator wrote there."""
        return Reach(self.ca_file, self.private_network, self.insecure_allow_http)

    def refuse_clear_text(self, url: CanonicalUrl, danger: str) -> None:
        """Raise ValueError for plain http to another machine. danger: what could happen there."""
        if url.scheme == "http" and not url.is_loopback and not self.insecure_allow_http:
            raise ValueError(
                f"{url} is plain http to another machine, so {danger}: "
                "use https, or say insecure_allow_http: true"
            )


def reach_from(reach: Reach, place: CanonicalUrl) -> Reach:
    """For the addresses in a document that was had from `place`.

    It may lead to this machine only when it came from there: what is on the internet does not send us inside.
    """
    return replace(reach, loopback=reach.loopback and (place.is_loopback or reach.private_network))


def strangers(reach: Reach, named: str | CanonicalUrl, by: CanonicalUrl) -> Reach:
    """For an address that the server at `by` names, and the operator did not."""
    try:
        place = canonical_url(named) if isinstance(named, str) else named
    except UrlRefused:
        return reach  # nothing is fetched there
    return reach if place.origin == by.origin else replace(reach, by_proxy=False)
