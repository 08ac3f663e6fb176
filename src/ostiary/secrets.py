"""Values that must not be seen.

A `Secret` shows itself only to whoever calls `reveal()`. Its `repr`, `str`, format and pickled form
never hold the value, so that neither a traceback nor a log line can.
"""

from __future__ import annotations

import os
from copy import copy
from pathlib import Path
from typing import NoReturn

NOT_TEXT = "it is not UTF-8 text"


class SecretUnavailable(Exception):
    """The place a secret should come from does not have it. The message names the place, never a value."""


class SecretMalformed(SecretUnavailable):
    """The place has it, together with what is no part of it."""


class Secret:
    """A value and where it comes from: given outright, an environment variable, or a file.

    The environment and files are read when the secret is revealed, so a rotated file is seen. What editors,
    `echo` and mounts put around a value is no part of it: a byte order mark, and one line break at its end.
    """

    __slots__ = ("_environment_variable", "_file", "_is_one_line", "_value")

    def __init__(self, value: str) -> None:
        self._value: str | None = value
        self._environment_variable: str | None = None
        self._file: Path | None = None
        self._is_one_line = False

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

    def on_one_line(self) -> Secret:
        """The same, which is no secret with anything but one line of printable text (RFC 6749 appendix A).

        Letters of any alphabet are taken, for there are servers that give them.
        """
        secret = copy(self)
        secret._is_one_line = True
        return secret

    def reveal(self) -> str:
        """The value itself. Raises SecretUnavailable when its place does not have it, or has it empty, and
        SecretMalformed when something else is around it or in it.
        """
        value = self._read()
        if not value:
            raise SecretUnavailable(f"{self.place} is empty")
        if "\0" in value:
            raise SecretMalformed(f"{self.place} has a NUL character")
        if self._is_one_line and not (value.isprintable() and value == value.strip()):
            raise SecretMalformed(f"{self.place} has a line break, a control character or a space at an end")
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
                return _bare(os.environ[self._environment_variable])
            except (KeyError, UnicodeEncodeError):
                raise SecretUnavailable(f"{self.place} is not set") from None
        if self._file is not None:
            try:
                return _bare(self._file.read_bytes().decode("utf-8"))
            except (OSError, ValueError) as error:
                is_text = not isinstance(error, UnicodeDecodeError)
                reason = getattr(error, "strerror", None) or ("no file is called so" if is_text else NOT_TEXT)
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

    def __copy__(self) -> Secret:
        secret = Secret("")
        for name in self.__slots__:
            setattr(secret, name, getattr(self, name))
        return secret

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret does not leave the process")


def _bare(text: str) -> str:
    return text.removeprefix("\ufeff").removesuffix("\n").removesuffix("\r")
