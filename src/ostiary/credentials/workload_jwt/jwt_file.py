"""A JWT in a file that somebody else renews, such as a projected Kubernetes service account token.

The file is looked at once a second at most, and read again when it is another one: by modification time, size
or inode, since Kubernetes swaps a link. Both take microseconds, so they happen where they are needed.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostiary.credentials.error import CredentialMisconfigured, CredentialUnreachable
from ostiary.credentials.issuer.token_endpoint import expiry_of_jwt
from ostiary.credentials.tokens.token import Token
from ostiary.oauth.jwt_parts import is_jwt
from ostiary.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from pathlib import Path

LOOKED_AT_EVERY = 1.0
"""Seconds."""
LONGEST = 64 * 1024
"""Bytes; a token has one or two thousand."""


@dataclass(frozen=True, slots=True)
class Whose:
    """For errors: the credential's type, and what it is for."""

    credential: str
    endpoint: str


class JwtFile:
    """The token in the file, as it is now."""

    def __init__(self, path: Path, *, clock: Callable[[], float], whose: Whose) -> None:
        self._path = path
        self._clock = clock
        self._whose = whose
        self._looked_at = float("-inf")
        self._state: Hashable = None
        self._token: Token | None = None

    def token(self) -> Token:
        """The same object until the file changes. Raises CredentialMisconfigured or CredentialUnreachable."""
        now = self._clock()
        if self._token is None or not 0 <= now - self._looked_at < LOOKED_AT_EVERY:
            self._look()
            self._looked_at = now
        assert self._token is not None  # noqa: S101 - for the type checker: _look has set it, or raised
        if self._token.expires_at is not None and now >= self._token.expires_at:
            ended = now - self._token.expires_at
            raise CredentialUnreachable(
                f"the token in {self._path} ended {ended:.0f} seconds ago by our clock",
                credential=self._whose.credential,
                endpoint=self._whose.endpoint,
                fix="see whether what renews that file still runs",
            )
        return self._token

    def newest(self) -> Token:
        """The same, looked at now, however long ago it was last. Raises as `token` does."""
        self._looked_at = float("-inf")
        return self.token()

    def has_changed(self) -> bool:
        """Look now; whether there is another token, and a good one."""
        before = self._token
        try:
            return self.newest() is not before
        except (CredentialMisconfigured, CredentialUnreachable):
            return False

    def version(self) -> Hashable:
        """Another value when the file is another one."""
        try:
            return _state(self._path)
        except OSError:
            return None

    def _look(self) -> None:
        try:
            state = _state(self._path)
            if self._token is None or state != self._state:
                self._token = self._read()
                self._state = state
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise self._no_token(f"file {self._path} cannot be read: {reason}") from None

    def _read(self) -> Token:
        with self._path.open("rb") as file:
            text = file.read(LONGEST + 1).removeprefix(codecs.BOM_UTF8).decode("ascii").strip()
        if len(text) > LONGEST or not is_jwt(text):
            raise self._no_token(f"file {self._path} holds no JWT")
        return Token(Secret(text), expiry_of_jwt(text))

    def _no_token(self, problem: str) -> CredentialMisconfigured:
        return CredentialMisconfigured(
            problem,
            credential=self._whose.credential,
            endpoint=self._whose.endpoint,
            fix="mount the token there, or set file to where it is",
        )


def _state(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino
