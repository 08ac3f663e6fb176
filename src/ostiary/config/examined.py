"""A file, and whatever `up` would stumble over: all at once, before anything runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ostiary.config.authorities import without_authorities
from ostiary.config.document import NotYaml, YamlDocument
from ostiary.config.exposure import writable
from ostiary.config.faults import ConfigurationError, FileFault, dotted
from ostiary.config.file import OstiaryFile
from ostiary.config.load import Loaded, read
from ostiary.config.policies import unusable_policies
from ostiary.config.programs import without_program
from ostiary.config.secret_presence import absent
from ostiary.secrets import Secret, SecretUnavailable
from ostiary.settings import Place

_NEED_NOT_BE_THERE: tuple[Place, ...] = (("storage", "encryption_key"),)


Look = Callable[[Loaded[OstiaryFile]], Iterable[FileFault]]


def examined(file: Path, *looks: Look, elsewhere: Mapping[str, None] | None = None) -> Loaded[OstiaryFile]:
    """Read a file. Raises ConfigurationError with every fault of it, and of the secrets that it names.

    looks: what else to look at; elsewhere: parts that run on another machine, where their secrets are.
    """
    try:
        loaded = read(file, OstiaryFile)
    except ConfigurationError as invalid:
        raise ConfigurationError([*invalid.faults, *_absent_as_written(file, elsewhere or {})]) from None
    loaded = replace(loaded, settings=loaded.settings.model_copy(update=dict(elsewhere or {})))
    own: tuple[Look, ...] = (absent, without_authorities, without_program, unusable_policies, writable)
    if faults := [fault for look in (*own, *looks) for fault in look(loaded)]:
        raise ConfigurationError(faults)
    return loaded


def _absent_as_written(file: Path, elsewhere: Mapping[str, None]) -> Iterator[FileFault]:
    """Secrets that are not there, of a file that can be read but is at fault otherwise."""
    from ostiary.config.yaml_reader import read_document  # noqa: PLC0415 - as in `load`

    try:
        document = read_document(file.read_bytes())
    except (OSError, NotYaml):
        return
    for place, secret in _secrets(document.values, (), file.absolute().parent):
        if place not in _NEED_NOT_BE_THERE and place[0] not in elsewhere:
            try:
                secret.reveal()
            except SecretUnavailable as unavailable:
                yield _fault(file, document, place, str(unavailable))


def _secrets(value: Any, place: Place, directory: Path) -> Iterator[tuple[Place, Secret]]:
    """Each `{env: NAME}` and `{file: PATH}`."""
    match value:
        case {"env": str(name), **others} if not others:
            yield place, Secret.from_env(name)
        case {"file": str(name), **others} if not others:
            with contextlib.suppress(RuntimeError):  # it has no home, and that is a fault of its own
                yield place, Secret.from_file(directory / Path(name).expanduser())
        case dict():
            for name, inside in value.items():
                yield from _secrets(inside, (*place, name), directory)
        case list():
            for index, inside in enumerate(value):
                yield from _secrets(inside, (*place, index), directory)


def _fault(file: Path, document: YamlDocument, place: Place, what: str) -> FileFault:
    return FileFault(file, document.line_of(place), f"{dotted(place)}: {what}")
