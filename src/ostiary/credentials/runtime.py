"""What all credentials of a process share: tokens, one HTTP client for issuers, what these say, the clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TypeVar, cast

from ostiary.credentials.issuer.discovery import Discoveries
from ostiary.credentials.tokens.cache import MOST_TOKENS, TokenCache
from ostiary.credentials.vault.state_directory import state_directory
from ostiary.transport.fetch import Fetcher

if TYPE_CHECKING:
    from ostiary.credentials.browser import Browser
    from ostiary.credentials.tokens.shared_tokens import SharedTokens
    from ostiary.credentials.vault.vault import TokenVault
    from ostiary.oauth.canonical_url import CanonicalUrl
    from ostiary.transport.proxies import Proxies
    from ostiary.transport.reach import Reach


class Closing(Protocol):
    """Something that goes on until it is closed."""

    async def close(self) -> None:
        """Stop it."""


Common = TypeVar("Common", bound=Closing)


class Runtime:
    """Use as an async context manager, or close it. clock: seconds since the epoch, as `time.time`.

    browser: shows a page to the person who is at hand to sign in; None when nobody is;
    vault: keeps what a person's sign-ins give. Default: the user's own;
    fetcher: for issuers, with other bounds than the usual;
    proxies: by which requests go. Default: the fetcher's, else as the environment says;
    servers: how far the operator lets requests to MCP servers go, by their URLs;
    shared: where replicas find each other's tokens. It is closed by whoever made it;
    most_tokens: how many are kept, and of how many callers.
    """

    def __init__(  # noqa: PLR0913 - whatever a process has one of
        self,
        *,
        clock: Callable[[], float] = time.time,
        browser: Browser | None = None,
        vault: TokenVault | None = None,
        fetcher: Fetcher | None = None,
        proxies: Proxies | None = None,
        servers: Mapping[CanonicalUrl, Reach] = {},
        shared: SharedTokens | None = None,
        most_tokens: int = MOST_TOKENS,
    ) -> None:
        self.clock = clock
        self.browser = browser
        self._vault = vault
        self.most_tokens = most_tokens
        self.tokens = TokenCache(clock, limit=most_tokens, shared=shared)
        self.fetcher = fetcher or Fetcher(proxies=proxies)
        self.servers = servers
        self.discoveries = Discoveries(self.fetcher, clock, servers)
        self._in_common: dict[Hashable, Closing] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def vault(self) -> TokenVault:
        """Looked for when it is first wanted: most credentials never do."""
        if self._vault is None:
            from ostiary.credentials.vault.system_vault import system_vault  # noqa: PLC0415 - keyrings

            self._vault = system_vault(state_directory())
        return self._vault

    def in_common(self, key: Hashable, make: Callable[[], Common]) -> Common:
        """What several credentials of one kind share, made when it is first wanted. key: names it.

        It is closed with the runtime.
        """
        found = self._in_common.get(key)
        if found is None:
            found = self._in_common[key] = make()
        return cast("Common", found)

    async def close(self) -> None:
        """Stop fetches that are under way, and what credentials share."""
        for shared in self._in_common.values():
            await shared.close()
        await self.tokens.close()
        await self.discoveries.close()
