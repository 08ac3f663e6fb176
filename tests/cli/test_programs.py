"""Servers that are programs, as the commands see them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.conftest import Ostiary

FILE = """\
gateway:
  allow_unauthenticated: true
  servers:
    files: {command: [sh, -c, a-secret-word]}
"""


def test_a_check_names_the_program_and_not_its_arguments(ostiary: Ostiary) -> None:
    Path("ostiary.yaml").write_text(FILE)
    checked = ostiary("check")
    assert checked.code == 0
    assert "program sh" in checked.out
    assert "a-secret-word" not in checked.out


@pytest.mark.parametrize("words", [("call", "tool"), ("tools",), ("doctor",)], ids=lambda words: words[0])
def test_who_names_a_program_is_sent_to_the_gateway_that_runs_it(
    ostiary: Ostiary, words: tuple[str, ...]
) -> None:
    Path("ostiary.yaml").write_text(FILE)
    refused = ostiary(words[0], "--server", "files", *words[1:])
    assert refused.code == 2
    assert " ".join(refused.err.split()) == (
        "server files of ostiary.yaml is a program, which only `ostiary bridge` and the gateway run"
    )
