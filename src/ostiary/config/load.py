"""Read a configuration: its model, or every fault at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError

from ostiary.config.document import MAX_BYTES, NotYaml, YamlDocument
from ostiary.config.environment import take_over
from ostiary.config.faults import ConfigurationError, FileFault, dotted, explained
from ostiary.config.file import OstiaryFile
from ostiary.config.schema_walk import Shape
from ostiary.settings import BASE_DIRECTORY, INLINE_SECRETS, UNNAMED_ISSUERS, Place, Settings

M = TypeVar("M", bound=Settings)

_SMALLEST = "gateway: {allow_unauthenticated: true, servers: {zoo: {url: http://127.0.0.1:9000/mcp}}}"


@dataclass(frozen=True, slots=True)
class Loaded(Generic[M]):
    """A configuration that was read, and where in its file everything stands."""

    file: Path
    settings: M
    document: YamlDocument

    def fault(self, place: Place, what: str) -> FileFault:
        """A fault at one place of this file."""
        return _fault(self.file, self.document, place, f"{dotted(place)}: {what}")


def load(file: Path, *, unnamed_issuers: bool = False) -> OstiaryFile:
    """Read an ostiary.yaml. Raises ConfigurationError. unnamed_issuers: as in `parse`."""
    directory = file.absolute().parent
    return parse(
        _content(file), OstiaryFile, file=file, directory=directory, unnamed_issuers=unnamed_issuers
    ).settings


def read(file: Path, model: type[M]) -> Loaded[M]:
    """Read a file as `model`, whichever it is. Raises ConfigurationError with every fault of the file."""
    return parse(_content(file), model, file=file, directory=file.absolute().parent)


def parse(
    content: bytes, model: type[M], *, file: Path, directory: Path, unnamed_issuers: bool = False
) -> Loaded[M]:
    """Read YAML (or JSON, which is YAML) as `model`. Raises ConfigurationError.

    file: what faults are said to be in; directory: where relative paths start; unnamed_issuers: whether an
    issuer may be missing that has to be named, for who finds out which it is.
    """
    from ostiary.config.yaml_reader import read_document  # noqa: PLC0415 - many commands read no file

    try:
        document = read_document(content)
    except NotYaml as refused:
        raise ConfigurationError([FileFault(file, refused.line, str(refused))]) from None
    faults = list(_repetitions(file, document))
    values = {} if document.values is None else document.values
    document.variables = take_over(values, model.variables, os.environ)
    inline = isinstance(values, dict) and values.get(INLINE_SECRETS) is True
    context = {BASE_DIRECTORY: directory, INLINE_SECRETS: inline, UNNAMED_ISSUERS: unnamed_issuers}
    try:
        settings = model.model_validate(values, context=context)
    except ValidationError as invalid:
        from ostiary.config.schema import file_schema  # noqa: PLC0415 - of every part, to say what was meant

        shape = Shape.of_file(file_schema(model))
        found = explained(invalid.errors(include_url=False, include_input=False), document, shape)
        faults += [_fault(file, document, place, what) for place, what in found]
    if faults:
        raise ConfigurationError(faults)
    return Loaded(file, settings, document)


def _fault(file: Path, document: YamlDocument, place: Place, what: str) -> FileFault:
    return FileFault(file, document.line_of(place), what + document.said_by(place))


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        what = f"there is no such file; name another with -c FILE, or begin one with: {_SMALLEST}"
    except OSError as error:
        what = f"it cannot be read: {error.strerror}"
    raise ConfigurationError([FileFault(file, None, what)])


def _repetitions(file: Path, document: YamlDocument) -> Iterator[FileFault]:
    for place, line in document.repeated:
        first = document.lines[place]
        yield FileFault(file, line, f"{dotted(place)} stands here again; it is on line {first} already")
