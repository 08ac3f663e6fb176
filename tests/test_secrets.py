"""Secrets are shown to nobody but whoever asks for them by name."""

from __future__ import annotations

import pickle
import traceback
from pathlib import Path

import pytest

from ostiary.secrets import Secret, SecretMalformed, SecretUnavailable

VALUE = "hunter2"


def test_a_secret_is_revealed_on_request() -> None:
    assert Secret(VALUE).reveal() == VALUE


def test_no_way_of_printing_shows_it() -> None:
    secret = Secret(VALUE)
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", repr([secret])):
        assert VALUE not in shown
    assert repr(secret) == "Secret(***)"


def test_it_does_not_leave_the_process() -> None:
    with pytest.raises(TypeError, match=r"^a Secret does not leave the process$"):
        pickle.dumps(Secret(VALUE))


def test_a_file_is_read_at_each_use_without_its_final_line_break(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    secret = Secret.from_file(file)
    for content, value in (("one\n", "one"), ("two\r\n", "two"), (" three \n\n", " three \n")):
        file.write_bytes(content.encode())
        assert secret.reveal() == value


@pytest.mark.parametrize("around", ["{}", "{}\n", "{}\r\n", "\ufeff{}", "\ufeff{}\r\n"])
@pytest.mark.parametrize("value", [VALUE, "geh\u00e4im 2"])
def test_what_editors_echo_and_mounts_put_around_a_secret_is_no_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, around: str, value: str
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(around.format(value).encode())
    monkeypatch.setenv("OSTIARY_TEST_SECRET", around.format(value))
    for secret in (Secret.from_file(file), Secret.from_env("OSTIARY_TEST_SECRET")):
        assert secret.reveal() == secret.on_one_line().reveal() == value


@pytest.mark.parametrize(
    "content",
    [
        f"{VALUE}\n\n",
        f" {VALUE}",
        f"{VALUE} \n",
        f"{VALUE}\nmore",
        f"{VALUE}\t",
        f"{VALUE}\u200b\n",
        f"{VALUE}\xa0",
    ],
)
def test_a_secret_with_anything_else_around_it_is_refused_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content.encode())
    monkeypatch.setenv("OSTIARY_TEST_SECRET", content)
    for secret in (Secret.from_file(file), Secret.from_env("OSTIARY_TEST_SECRET"), Secret(content)):
        with pytest.raises(SecretMalformed) as refused:
            secret.on_one_line().reveal()
        assert str(refused.value) == (
            f"{secret.place} has a line break, a control character or a space at an end"
        )
        assert VALUE in secret.reveal()  # a key may have several lines


def test_no_secret_has_a_nul(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(VALUE.encode() + b"\0")
    for secret in (Secret.from_file(file), Secret.from_file(file).on_one_line()):
        with pytest.raises(SecretMalformed) as refused:
            secret.reveal()
        assert str(refused.value) == f"file {file} has a NUL character"


def test_an_environment_variable_is_read_at_each_use(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = Secret.from_env("OSTIARY_TEST_SECRET")
    for value in ("one", "two"):
        monkeypatch.setenv("OSTIARY_TEST_SECRET", value)
        assert secret.reveal() == value


def test_what_is_missing_is_named_by_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OSTIARY_TEST_SECRET", raising=False)
    absent, empty, binary = (tmp_path / name for name in ("absent", "empty", "binary"))
    empty.touch()
    binary.write_bytes(b"\xff\xfe")
    for secret, message in (
        (Secret.from_env("OSTIARY_TEST_SECRET"), "environment variable OSTIARY_TEST_SECRET is not set"),
        (Secret.from_file(absent), f"file {absent} cannot be read: No such file or directory"),
        (Secret.from_file(empty), f"file {empty} is empty"),
        (Secret.from_file(binary), f"file {binary} cannot be read: it is not UTF-8 text"),
        (Secret(""), "an inline value is empty"),
    ):
        with pytest.raises(SecretUnavailable) as missing:
            secret.reveal()
        assert str(missing.value) == message


def test_a_traceback_does_not_show_it(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(VALUE.encode() + b"\xff")
    with pytest.raises(SecretUnavailable) as missing:
        Secret.from_file(file).reveal()
    assert VALUE not in "".join(traceback.format_exception(missing.value))


def test_secrets_are_equal_when_they_come_from_the_same_place() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret.from_env("A") != Secret.from_file("A")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret.from_env("A")}) == 2
