"""Values that must not be seen.

A `Secret` shows itself only to whoever calls `reveal()`. Its `repr`, `str`, format and pickled form
never hold the value, so that neither a traceback nor a log line can.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn


class SecretUnavailable(Exception):
    """The place a secret should come from does not have it. The message names the place, never a value."""


class Secret:
    """A value and where it comes from: given outright, an environment variable, or a file.

    The environment and files are read when the secret is revealed, so a rotated file is seen.
    """

    __slots__ = ("_environment_variable", "_file", "_value")

    def __init__(self, value: str) -> None:
        self._value: str | None = value
        self._environment_variable: str | None = None
        self._file: Path | None = None

    @classmethod
    def from_env(cls, name: str) -> Secret:
        """The value of an environment variable, read at each use."""
        secret = cls("")
        secret._value, secret._environment_variable = None, name
        return secret

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Secret:
        """The content of a UTF-8 file without its final line break, read at each use."""
        secret = cls("")
        secret._value, secret._file = None, Path(path)
        return secret

    def reveal(self) -> str:
        """The value itself. Raises SecretUnavailable when its place does not have it, or has it empty."""
        value = self._read()
        if not value:
            raise SecretUnavailable(f"{self.place} is empty")
        return value

    @property
    def file(self) -> Path | None:
        """The file that it comes from, if it does."""
        return self._file

    @property
    def place(self) -> str:
        """Where the value comes from, in words that may be shown."""
        if self._environment_variable is not None:
            return f"environment variable {self._environment_variable}"
        if self._file is not None:
            return f"file {self._file}"
        return "an inline value"

    def _read(self) -> str:
        if self._environment_variable is not None:
            try:
                return os.environ[self._environment_variable]
            except KeyError:
                raise SecretUnavailable(f"{self.place} is not set") from None
        if self._file is not None:
            try:
                return self._file.read_text("utf-8").removesuffix("\n").removesuffix("\r")
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
                raise SecretUnavailable(f"{self.place} cannot be read: {reason}") from None
        return self._value or ""

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine = (self._value, self._environment_variable, self._file)
        return mine == (other._value, other._environment_variable, other._file)

    def __hash__(self) -> int:
        return hash((self._value, self._environment_variable, self._file))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret does not leave the process")
