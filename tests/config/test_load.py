"""Loading ostiary.yaml."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from ostiary.config import ConfigurationError, OstiaryFile, load, read
from ostiary.config.secret_presence import absent
from ostiary.credentials import Bearer, GoogleIdToken
from ostiary.secrets import Secret

Load = Callable[[str], OstiaryFile]
Write = Callable[[str], Path]


def test_a_file_becomes_the_models_of_the_parts(loaded: Load) -> None:
    gateway = loaded("""\
        gateway:
          inbound:
            - issuer: https://auth.example.com
          servers:
            zoo:
              url: https://zoo-123456.europe-west1.run.app/mcp
              credential: {type: google_id_token}
              timeout: 90s
        """).gateway
    assert gateway is not None
    assert gateway.servers["zoo"].credential == GoogleIdToken()
    assert gateway.servers["zoo"].timeout == timedelta(seconds=90)


def test_an_empty_file_runs_nothing(loaded: Load) -> None:
    assert loaded("") == OstiaryFile()


def test_a_relative_file_is_found_beside_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "conf" / "ostiary.yaml"
    file.parent.mkdir()
    file.write_text(
        "gateway: {allow_unauthenticated: true, servers: {zoo: {url: 'http://127.0.0.1:1/mcp', "
        "credential: {type: google_id_token, key_file: keys/me.json}}}}"
    )
    gateway = load(file).gateway
    assert gateway is not None
    assert gateway.servers["zoo"].credential == GoogleIdToken(key_file=tmp_path / "conf" / "keys" / "me.json")


def test_an_inline_secret_is_taken_when_the_file_says_so(loaded: Load) -> None:
    gateway = loaded("""\
        insecure_inline_secrets: true
        gateway:
          allow_unauthenticated: true
          servers:
            zoo: {url: "http://127.0.0.1:9000/mcp", credential: {type: bearer, token: hunter2}}
        """).gateway
    assert gateway is not None
    assert gateway.servers["zoo"].credential == Bearer(token=Secret("hunter2"))


def test_an_anchor_saves_writing_twice(loaded: Load) -> None:
    gateway = loaded("""\
        gateway:
          allow_unauthenticated: true
          servers:
            zoo: {url: "http://127.0.0.1:9000/mcp", credential: &google {type: google_id_token}}
            farm: {url: "http://127.0.0.1:9001/mcp", credential: *google}
        """).gateway
    assert gateway is not None
    assert gateway.servers["zoo"].credential == gateway.servers["farm"].credential


def test_a_missing_file_is_told_with_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError) as refused:
        load(Path("ostiary.yaml"))
    assert str(refused.value) == (
        "ostiary.yaml: there is no such file; name another with -c FILE, or begin one with: "
        "gateway: {allow_unauthenticated: true, servers: {zoo: {url: http://127.0.0.1:9000/mcp}}}"
    )
    Path("ostiary.yaml").write_text(str(refused.value).partition("begin one with: ")[2])
    assert load(Path("ostiary.yaml")).gateway is not None


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(tmp_path)
    assert str(refused.value) == f"{tmp_path}: it cannot be read: Is a directory"


def test_secrets_and_files_that_are_not_there_are_told_by_their_place(
    write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("THERE", "hunter2")
    monkeypatch.delenv("NOT_THERE", raising=False)
    file = write("""\
        gateway:
          allow_unauthenticated: true
          servers:
            zoo: {url: "http://127.0.0.1:9000/mcp", credential: {type: bearer, token: {env: THERE}}}
            farm:
              url: http://127.0.0.1:9001/mcp
              credential:
                type: bearer
                token: {env: NOT_THERE}
            lake:
              url: http://127.0.0.1:9002/mcp
              ca_file: ca.pem
        """)
    assert [str(fault) for fault in absent(read(file, OstiaryFile))] == [
        "ostiary.yaml:9: gateway.servers.farm.credential.token: environment variable NOT_THERE is not set",
        f"ostiary.yaml:12: gateway.servers.lake.ca_file: file {tmp_path}/ca.pem is not there",
    ]


def test_a_secret_with_a_line_break_inside_is_told_by_its_place(
    write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TWO_LINES", "hunter2\nhunter3")
    file = write("""\
        gateway:
          allow_unauthenticated: true
          servers:
            zoo:
              url: http://127.0.0.1:9000/mcp
              credential: {type: bearer, token: {env: TWO_LINES}}
        """)
    [fault] = absent(read(file, OstiaryFile))
    assert str(fault) == (
        "ostiary.yaml:6: gateway.servers.zoo.credential.token: environment variable TWO_LINES has a line "
        "break, a control character or a space at an end"
    )
