"""How many of a listener's connections one address has. A household of IPv6 is one; proxies are none."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from ostiary.transport.addresses import network_of
from ostiary.transport.forwarded import TrustedProxies


class AddressShares:
    """Of one listener."""

    def __init__(self, most: int, proxies: TrustedProxies) -> None:
        """most: of one address; proxies: whose connections are many people's."""
        self.most = most
        self._proxies = proxies
        self._open: dict[str, set[object]] = {}

    def join(self, address: str, connection: object) -> AbstractSet[object]:
        """All that its address has now; none for a proxy's."""
        if self._proxies.has(address):
            return frozenset()
        found = self._open.setdefault(network_of(address), set())
        found.add(connection)
        return found

    def leave(self, address: str, connection: object) -> None:
        """It is closed."""
        network = network_of(address)
        found = self._open.get(network)
        if found is not None:
            found.discard(connection)
            if not found:
                del self._open[network]
