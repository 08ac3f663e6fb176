"""A key that tokens are bound to, and that is kept with them: a refresh token may outlive the process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from joserfc.jwk import ECKey

from ostiary.credentials.tokens.dpop_key import DpopKey

if TYPE_CHECKING:
    from collections.abc import Callable


class KeptDpopKey(DpopKey):
    """A fresh key, or the one that was kept. clock: seconds since the epoch."""

    def __init__(self, clock: Callable[[], float], kept: str | None = None) -> None:
        super().__init__(clock)
        if kept is not None:
            self._key = ECKey.import_key(json.loads(kept))

    def kept(self) -> str:
        """The private key as a JWK, for the vault."""
        return json.dumps(self._key.as_dict(private=True))
