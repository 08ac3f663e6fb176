"""Servers that are programs: what a check finds out of them before anybody calls."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.config.conftest import Write

from ostiary.config import ConfigurationError
from ostiary.config.examined import examined


def test_programs_folders_and_secrets_that_are_not_there_are_told_by_their_place(
    write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("NOT_THERE", raising=False)
    (tmp_path / "folder").mkdir()
    file = write("""\
        gateway:
          allow_unauthenticated: true
          servers:
            good: {command: [sh], cwd: folder, env: {WORD: text}}
            nowhere: {command: [no-such-program, -x]}
            beside: {command: [./no-such-program], cwd: folder}
            homeless: {command: [sh], cwd: no-folder}
            keyless: {command: [sh], env: {KEY: {env: NOT_THERE}}}
        """)
    with pytest.raises(ConfigurationError) as told:
        examined(file)
    assert [str(fault).removeprefix("ostiary.yaml:") for fault in told.value.faults] == [
        "5: gateway.servers.nowhere.command: there is no program no-such-program on PATH",
        f"6: gateway.servers.beside.command: there is no program {tmp_path}/folder/no-such-program",
        f"7: gateway.servers.homeless.cwd: there is no folder {tmp_path}/no-folder",
        "8: gateway.servers.keyless.env.KEY: environment variable NOT_THERE is not set",
    ]
