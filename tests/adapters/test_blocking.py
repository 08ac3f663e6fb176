"""BlockingCredential: tokens for threads."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.queues import SimpleQueue
from typing import Literal

import pytest

from ostiary.credentials.blocking import BlockingCredential
from ostiary.credentials.error import CredentialUnreachable
from ostiary.credentials.headers.headers import ServerRefusal
from ostiary.credentials.headers.token_headers import TokenHeaders
from ostiary.credentials.runtime import Runtime
from ostiary.credentials.tokens.token import Token
from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.secrets import Secret
from ostiary.settings import Settings

SERVER = "https://mcp.example.com/mcp"


class Issuer:
    """Numbers its tokens, each good for an hour; answers when it is let."""

    credential = "counted"
    endpoint = "https://mcp.example.com"

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.fetches = 0
        self.threads: set[int] = set()
        self.down = False

    async def fetch(self) -> Token:
        self.fetches += 1
        self.threads.add(threading.get_ident())
        if self.down:
            raise CredentialUnreachable("it is down", credential="counted", endpoint="here", fix="wait")
        return Token(Secret(f"token-{self.fetches}"), time.time() + 3600)


class Counted(Settings):
    """A credential of the issuer above."""

    type: Literal["counted"] = "counted"

    def attach(self, server_url: CanonicalUrl, *, runtime: Runtime) -> TokenHeaders:
        return TokenHeaders(issuer, key="counted", cache=runtime.tokens)


issuer = Issuer()


@pytest.fixture(autouse=True)
def new_issuer() -> None:
    issuer.begin()


def credential() -> BlockingCredential:
    return BlockingCredential(Counted(), server_url=SERVER)  # type: ignore[arg-type]  # a kind of this test's


def test_many_threads_wait_for_one_fetch() -> None:
    with credential() as blocking, ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(lambda _: blocking.headers(), range(500)))
    assert set(answers) == {(("authorization", "Bearer token-1"),)}
    assert issuer.fetches == 1
    assert threading.get_ident() not in issuer.threads


def test_a_burst_of_refusals_fetches_one() -> None:
    with credential() as blocking, ThreadPoolExecutor(20) as threads:
        headers = blocking.headers()
        refused = list(threads.map(lambda _: blocking.refused(headers, ServerRefusal(401)), range(20)))
        assert refused == [True] * 20
        assert {*threads.map(lambda _: blocking.headers(), range(20))} == {
            (("authorization", "Bearer token-2"),)
        }
    assert issuer.fetches == 2


def test_a_failed_fetch_is_raised_in_the_thread_that_asked() -> None:
    issuer.down = True
    with (
        credential() as blocking,
        pytest.raises(CredentialUnreachable, match=r"^credential counted for here"),
    ):
        blocking.headers()


def test_a_closed_one_fetches_anew_when_it_is_used_again() -> None:
    blocking = credential()
    assert blocking.headers() == (("authorization", "Bearer token-1"),)
    blocking.close()
    assert blocking.headers() == (("authorization", "Bearer token-2"),)
    blocking.close()


def test_those_that_share_a_runtime_share_their_tokens() -> None:
    runtime = Runtime()
    two = [
        BlockingCredential(Counted(), server_url=SERVER, runtime=runtime)  # type: ignore[arg-type]
        for _ in range(2)
    ]
    assert {one.headers() for one in two} == {(("authorization", "Bearer token-1"),)}


def in_a_child(blocking: BlockingCredential, answers: SimpleQueue[object]) -> None:
    answers.put(blocking.headers())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_has_a_background_thread_of_its_own() -> None:
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    with credential() as blocking:
        blocking.headers()
        child = context.Process(target=in_a_child, args=(blocking, answers))
        child.start()
        child.join(timeout=20)
        assert child.exitcode == 0
        assert answers.get() == (("authorization", "Bearer token-2"),)
        assert blocking.headers() == (("authorization", "Bearer token-1"),)


PROGRAM = """
from ostiary.credentials import Bearer
from ostiary.credentials.blocking import BlockingCredential
from ostiary.secrets import Secret

left_open = BlockingCredential(Bearer(token=Secret("abc")), server_url="https://mcp.example.com")
print(left_open.headers())
"""


def test_a_process_that_closes_nothing_ends_in_silence() -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (
        0,
        "(('authorization', 'Bearer abc'),)\n",
        "",
    )


def test_the_credentials_need_no_library_that_they_are_not_used_with() -> None:
    program = (
        "import sys, ostiary.credentials, ostiary.credentials.blocking\n"
        "print({'mcp', 'httpx', 'httpx2', 'requests', 'google.auth', 'fastmcp'} & sys.modules.keys())"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "set()\n"
