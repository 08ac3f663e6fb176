"""What is run, where, and with which environment.

A child gets what programs need to run at all, and what it is given by name. Our own environment has secrets
of ours, of which no child has any.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ostiary.secrets import Secret, SecretUnavailable

INHERITED = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ"),
    *("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES"),
)
"""What a child has of our environment: where programs and files are, and how text is written."""


class ChildNotStarted(Exception):
    """It could not be started. The message says why, and may be shown."""


@dataclass(frozen=True, slots=True)
class Command:
    """A program and its arguments. environment: what it has besides `INHERITED`, by name."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str | Secret] = field(default_factory=dict)
    directory: Path | None = None

    def prepare(self) -> Prepared:
        """Read its secrets, and find its program. Raises ChildNotStarted."""
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        hidden = []
        for name, value in self.environment.items():
            try:
                environment[name] = value if isinstance(value, str) else value.reveal()
            except SecretUnavailable as error:
                raise ChildNotStarted(f"its environment lacks {name}: {error}") from None
            if not isinstance(value, str):
                hidden.append(environment[name])
        directory = self.directory or Path.cwd()
        if not directory.is_dir():
            raise ChildNotStarted(f"there is no folder {directory} for it to run in")
        return Prepared(self._program(environment, directory), environment, directory, tuple(hidden))

    def _program(self, environment: Mapping[str, str], directory: Path) -> tuple[str, ...]:
        name = self.arguments[0]
        is_path = os.sep in name
        where = str(directory / name) if is_path else name
        found = shutil.which(where, path=environment.get("PATH", os.defpath))
        if found is None:
            raise ChildNotStarted(f"there is no program {where}" + ("" if is_path else " on PATH"))
        return found, *self.arguments[1:]


@dataclass(frozen=True, slots=True)
class Prepared:
    """All of it as the system takes it. hidden: values that must not be seen."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    directory: Path
    hidden: tuple[str, ...] = field(repr=False)
