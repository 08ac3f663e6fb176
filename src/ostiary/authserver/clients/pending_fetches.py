"""Fetches under way for strangers, and whose: nobody's slow ones take the room of the others.

A host answers as slowly as it likes, by any number of names and ports; who asks has any number of hosts. So
neither has more than a share: to fill all the room takes several of both.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.oauth.server.errors import Unavailable
from ostiary.oauth.server.registrable_host import registrable_host
from ostiary.transport.addresses import network_of

MOST = 64
"""All of them."""
MOST_OF_HOST = 16
"""Of one registered name, whatever stands before it and whichever its port."""
MOST_OF_ADDRESS = 8
"""That one address asked for (IPv6: its /64): fewer, so that alone it does not use up a host's either."""


class PendingFetches:
    """Those of one process."""

    def __init__(self) -> None:
        self._of: Counter[tuple[str, str]] = Counter()

    @property
    def count(self) -> int:
        """How many there are."""
        return self._of["all", ""]

    @contextlib.contextmanager
    def one(self, url: CanonicalUrl, asked_from: str | None) -> Iterator[None]:
        """One more, while the block runs. asked_from: the address that asks. Raises Unavailable."""
        host = registrable_host(url.host)
        shares = {("all", ""): MOST, ("of", host): MOST_OF_HOST}
        if asked_from is not None:
            shares["for", network_of(asked_from)] = MOST_OF_ADDRESS
        for (kind, whose), most in shares.items():
            if self._of[kind, whose] >= most:
                raise Unavailable(
                    "too much is being fetched for clients that nobody knows; try again in a moment",
                    detail=f"{most} fetches are under way {kind} {whose}".rstrip(),
                )
        self._of.update(shares.keys())
        try:
            yield
        finally:
            self._of.subtract(shares.keys())
            for share in shares:
                if not self._of[share]:
                    del self._of[share]
