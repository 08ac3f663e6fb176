"""A request's headers with a credential on: whoever reads them sees it, and a copy of them does not have it.

`httpx2` and `httpx` build redirects of a copy, and take nothing off it but `Authorization`, which another
port keeps too; no transport can be relied on to say when it has read the request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostiary.credentials.headers.headers import Headers


class WornHeaders:
    """Stands before a library's own `Headers`, and says to every reader what `dressed` says.

    The library copies what is inside, which is as it was before; `copy()` is a reader's, and has all.
    """

    kind: type[Any]
    """The library's own."""

    def __init__(self, bare: Any, worn: Headers) -> None:
        super().__init__(bare)  # type: ignore[call-arg]  # of the library's headers
        self._worn = {name.lower(): (name, value) for name, value in worn}

    def bare(self) -> Any:
        """Without the credential; with whatever was set since it was put on."""
        return self.kind(self)

    def dressed(self) -> Any:
        """As they are sent."""
        headers = self.bare()
        for name, value in self._worn.values():
            headers[name] = value
        return headers

    copy = dressed

    @property
    def raw(self) -> Any:
        """As transports read them."""
        return self.dressed().raw

    def keys(self) -> Any:
        """Names."""
        return self.dressed().keys()

    def values(self) -> Any:
        """Values."""
        return self.dressed().values()

    def items(self) -> Any:
        """Both."""
        return self.dressed().items()

    def multi_items(self) -> Any:
        """Both, one by one."""
        return self.dressed().multi_items()

    def get_list(self, key: str, split_commas: bool = False) -> Any:
        """One name's."""
        return self.dressed().get_list(key, split_commas)

    def __getitem__(self, key: str) -> Any:
        return self.dressed()[key]

    def __setitem__(self, key: str, value: str) -> None:
        self._worn.pop(key.lower(), None)
        super().__setitem__(key, value)  # type: ignore[misc]  # as above

    def __delitem__(self, key: str) -> None:
        if self._worn.pop(key.lower(), None) is None or key in self.bare():
            super().__delitem__(key)  # type: ignore[misc]  # as above

    def __contains__(self, key: object) -> bool:
        return key in self.dressed()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.dressed())

    def __len__(self) -> int:
        return len(self.dressed())

    def __repr__(self) -> str:
        return repr(self.bare())
