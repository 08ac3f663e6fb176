"""How far a request to one identity provider may go.

What the operator wrote may lead to this machine, and with `private_network` to a private one. What a
document says may do so only when the document itself came from there: a provider on the internet does not
send us inside.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.settings import ConfiguredPath
from ostiary.transport.fetch import Reach
from ostiary.transport.trust import TrustSet


class Edge(Protocol):
    """An entry of `upstream_idps`, as far as its connections go."""

    @property
    def ca_file(self) -> ConfiguredPath | None: ...
    @property
    def private_network(self) -> bool: ...
    @property
    def insecure_allow_http(self) -> bool: ...


def reach_of(edge: Edge) -> Reach:
    """For the addresses that the operator wrote."""
    return Reach(TrustSet(edge.ca_file), edge.private_network, edge.insecure_allow_http)


def reach_from(reach: Reach, place: CanonicalUrl) -> Reach:
    """For the addresses in a document that was had from `place`."""
    return replace(reach, loopback=reach.loopback and (place.is_loopback or reach.private_network))
