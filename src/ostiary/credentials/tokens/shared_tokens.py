"""What asks other replicas before a token is fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ostiary.credentials.tokens.token import Token, TokenSource


@runtime_checkable
class Shareable(Protocol):
    """A token source whose tokens may be another replica's.

    Only where key and secrets say all about whose token it is: never what a machine, a pod or a person is.
    """

    @property
    def shareable(self) -> bool:
        """Whether the next one may."""


class SharedTokens(Protocol):
    """Tokens that replicas have in common."""

    async def obtain(self, key: Hashable, source: TokenSource, *, refused: Token | None) -> Token:
        """A token that another replica fetched, or one fetched now for all.

        key: names the token in this process's cache; refused: the last one, which a server would not have.
        Raises what the source raises, and nothing else: without the others, we fetch for ourselves.
        """
