"""Logs: one line an event, in which no secret and no forged line can stand."""

from __future__ import annotations

import ast
import asyncio
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ostiary
from ostiary.event_log import EventLog, event_log
from ostiary.secrets import Secret
from ostiary.telemetry import counting_handler
from ostiary.telemetry.logs import set_up_logs
from ostiary.telemetry.redaction import one_line, redacted, without_tokens

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ2aXNpdG9yIn0.c2lnbmF0dXJl"


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("ostiary")
    before = (root.handlers[:], root.level, ours.level)
    yield
    root.handlers[:], root.level, ours.level = before


def broken(why: str) -> None:
    raise ValueError(why)


def lines_of(write: Any) -> list[dict[str, Any]]:
    stream = io.StringIO()
    set_up_logs(stream)
    write(event_log("ostiary.test"))
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json_when_nobody_watches() -> None:
    [line] = lines_of(lambda log: log.warning("call refused", server="zoo", status=401))
    del line["timestamp"]
    assert line == {
        "event": "call refused",
        "level": "warning",
        "logger": "ostiary.test",
        "server": "zoo",
        "status": 401,
    }


def test_a_program_that_set_up_its_own_logs_reads_events_there(caplog: pytest.LogCaptureFixture) -> None:
    event_log("ostiary.test").warning("server_failed", server="zoo", code=502)
    assert caplog.record_tuples == [("ostiary.test", logging.WARNING, "server_failed server=zoo code=502")]


def test_an_event_is_readable_on_a_terminal() -> None:
    stream = io.StringIO()
    set_up_logs(stream, readable=True)
    event_log("ostiary.test").info("call served", server="zoo")
    assert stream.getvalue().partition("Z ")[2] == "[info     ] call served [ostiary.test] server=zoo\n"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Secret("hunter2"), "***"),
        (JWT, "***"),
        (f"token {JWT} was refused", "token *** was refused"),
        (f"Authorization: Bearer {JWT}", "Authorization: Bearer ***"),
        ("bearer abc123", "bearer ***"),
        ("credential bearer for https://a: gone", "credential bearer for https://a: gone"),
        ("Basic dXNlcjpwYXNz", "Basic ***"),
        ("lets credential bearer in.", "lets credential bearer in."),
        ("Bearer in.a-token", "Bearer ***"),
        ("bearer in.a-token", "bearer ***"),
        ("Bearer tokens-of-mine", "Bearer ***"),
        ("DPoP proof", "DPoP proof"),
        ("ya29.a0AfH6SMB", "***"),
        (f"Bearer {JWT}".encode(), "Bearer ***"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "***"),
        (
            {"headers": {"Authorization": "x", "Accept": "y"}},
            {"headers": {"Authorization": "***", "Accept": "y"}},
        ),
        ([{"client_secret": "x"}, JWT], [{"client_secret": "***"}, "***"]),
        (ValueError(f"Bearer {JWT}"), "Bearer ***"),
    ],
)
def test_no_secret_is_written_wherever_it_hides(value: object, shown: object) -> None:
    [line] = lines_of(lambda log: log.info("seen", value=value))
    assert line["value"] == shown


def test_a_challenge_is_not_taken_for_a_token() -> None:
    challenge = 'Bearer error="invalid_token", resource_metadata="https://mcp.example.com/x"'
    assert redacted(challenge) == challenge


def test_sentences_of_our_own_are_shown_as_they_are() -> None:
    sentences = [text for file in Path(ostiary.__file__).parent.rglob("*.py") for text in spoken_in(file)]
    assert len(sentences) > 3000
    assert [text for text in sentences if text.count(" ") > 1 and without_tokens(text) != text] == []


def spoken_in(file: Path) -> Iterator[str]:
    """Every text in the code but its docstrings, without what is filled in."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        match node:
            case ast.JoinedStr(values=parts):
                yield "".join(str(part.value) for part in parts if isinstance(part, ast.Constant))
            case ast.Constant(value=str(text)) if "\n\n" not in text:
                yield text


@pytest.mark.parametrize("words", ["eyJ.", "Bearer x ", "\x01", "x"])
def test_what_a_server_says_without_end_is_cut_before_it_is_looked_at(words: str) -> None:
    """A stranger's method of 16 MB took the event loop for ten seconds, and a disk with it."""
    said = words * 4_000_000
    [line] = lines_of(lambda log: log.warning("server_request_dropped", method=said))
    assert len(json.dumps(line)) < 20_000
    [line] = lines_of(lambda log: log.error("crashed", exception=f"Traceback\n  ValueError: {said}"))
    assert len(json.dumps(line)) < 20_000


def test_a_value_is_hidden_when_its_key_says_what_it_is() -> None:
    [line] = lines_of(
        lambda log: log.info("seen", access_token="opaque", token_uri="https://issuer.example.com")
    )
    assert (line["access_token"], line["token_uri"]) == ("***", "https://issuer.example.com")


def test_an_argument_cannot_forge_a_second_line() -> None:
    stream = io.StringIO()
    set_up_logs(stream, readable=True)
    event_log("ostiary.test").info("called", species="lion\n2026-01-01 [info] all is well\x1b[2J\u202e")
    [line] = stream.getvalue().splitlines()
    assert line.endswith(r"species='lion\\n2026-01-01 [info] all is well\\x1b[2J\\u202e'")


def test_what_is_printable_stays_as_it_is() -> None:
    assert one_line("Pingüin 🐧 at 5°") == "Pingüin 🐧 at 5°"


def test_a_traceback_shows_no_secret_and_forges_no_line() -> None:
    stream = io.StringIO()
    set_up_logs(stream, readable=True)
    try:
        broken(f"refused Bearer {JWT}\n2026-01-01 [info] all is well")
    except ValueError:
        logging.getLogger("ostiary.test").exception("broke")
    first, *rest = stream.getvalue().splitlines()
    assert first.endswith("broke [ostiary.test]")
    assert rest[-2:] == ["  | ValueError: refused Bearer ***", "  | 2026-01-01 [info] all is well"]


def test_a_flood_of_refused_strangers_is_few_lines_and_loses_nothing() -> None:
    """One reason has its share, the others theirs."""
    now, stream = [0.0], io.StringIO()
    set_up_logs(stream, clock=lambda: now[0])
    log = event_log("ostiary.gateway")
    for _ in range(1000):
        log.warning("caller_refused", reason="no_token", resource="https://mcp.example.com/mcp")
    log.warning("caller_refused", reason="expired", resource="https://mcp.example.com/mcp")
    now[0] = 60.0
    log.info("something_else")
    *lines, refused, summary, other = map(json.loads, stream.getvalue().splitlines())
    assert [line["reason"] for line in lines] == ["no_token"] * 20
    assert (refused["reason"], other["event"]) == ("expired", "something_else")
    del summary["timestamp"]
    assert summary == {
        "event": "caller_refused",
        "level": "warning",
        "logger": "ostiary.gateway",
        "of": "no_token",
        "more": 980,
        "seconds": 60,
    }


def test_what_was_counted_is_told_when_the_process_ends() -> None:
    stream = io.StringIO()
    set_up_logs(stream)
    for _ in range(25):
        event_log("ostiary.gateway").warning("server_failed", server="zoo")
    logging.getLogger().handlers[0].close()
    last = json.loads(stream.getvalue().splitlines()[-1])
    assert (last["event"], last["of"], last["more"]) == ("server_failed", "zoo", 5)


async def test_a_flood_that_ends_is_told_though_no_line_comes_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counting_handler, "SECONDS", 0.01)
    now, stream = [0.0], io.StringIO()
    set_up_logs(stream, clock=lambda: now[0])
    for _ in range(25):
        event_log("ostiary.gateway").warning("caller_refused", reason="no_token")
    now[0] = 60.0
    for _ in range(1000):
        await asyncio.sleep(0.01)
        if '"more"' in stream.getvalue():
            break
    assert json.loads(stream.getvalue().splitlines()[-1])["more"] == 5


def test_events_of_the_audit_are_all_told() -> None:
    def issue(_: EventLog) -> None:
        for number in range(500):
            event_log("ostiary.audit").info("token_issued", number=number)

    lines = lines_of(issue)
    assert len(lines) == 500


def test_the_libraries_below_are_held_to_the_same() -> None:
    [line] = lines_of(lambda _: logging.getLogger("aiohttp.client").warning("sent %s", f"Bearer {JWT}"))
    assert (line["event"], line["logger"]) == ("sent Bearer ***", "aiohttp.client")
