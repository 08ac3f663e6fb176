"""Configuration files that a test writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from ostiary.config import ConfigurationError, OstiaryFile, load

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write an ostiary.yaml into the working directory; gives its relative path."""
    monkeypatch.chdir(tmp_path)

    def written(text: str) -> Path:
        Path("ostiary.yaml").write_text(dedent(text), "utf-8")
        return Path("ostiary.yaml")

    return written


@pytest.fixture
def loaded(write: Write) -> Callable[[str], OstiaryFile]:
    """Load a text as ostiary.yaml."""
    return lambda text: load(write(text))


@pytest.fixture
def faults(write: Write) -> Callable[[str], list[str]]:
    """The faults of a text, as they are shown."""

    def shown(text: str) -> list[str]:
        with pytest.raises(ConfigurationError) as refused:
            load(write(text))
        return str(refused.value).splitlines()

    return shown
