"""A public name for a provider of the test's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from ostiary.oauth.canonical_url import CanonicalUrl, canonical_url
from ostiary.transport.fetch import FetchedDocument, Fetcher
from ostiary.transport.reach import Reach


class Named(Protocol):
    """What knows its own address."""

    url: str


class NamingService(Fetcher):
    """What goes to that host reaches the little provider. All else is fetched as always."""

    def __init__(self, idp: Named, host: str) -> None:
        super().__init__(timeout=5)
        self._there = canonical_url(idp.url)
        self._host = host
        idp.url = f"https://{host}"

    async def _ask(self, url: CanonicalUrl, question: Any, reach: Reach) -> FetchedDocument:
        if url.host == self._host:
            url, reach = replace(self._there, path=url.path, query=url.query), Reach()
        return await super()._ask(url, question, reach)
