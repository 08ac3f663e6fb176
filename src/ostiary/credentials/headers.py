"""What one server wants to see on each request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ostiary.identity.principal import Principal

Headers = tuple[tuple[str, str], ...]


class CredentialHeaders(Protocol):
    """A credential attached to a server. `principal`: the caller we act for, None when for ourselves."""

    def ready(self, principal: Principal | None) -> Headers | None:
        """What is at hand now, or None when `get` must be awaited.

        Called for every request, in the event loop. The same tuple object while the token is the same.
        """

    async def get(self, principal: Principal | None) -> Headers:
        """Fetch what is needed, once for however many wait. Raises CredentialError."""

    def refused(self, headers: Headers) -> bool:
        """Hear that the server answered 401 to these headers.

        What made them is dropped, unless it has been renewed since. True when a second try makes sense.
        """
