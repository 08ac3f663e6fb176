"""`ostiary up` without a file: the secured zoo, as a person meets it."""

from __future__ import annotations

import contextlib
import json
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.conftest import BROWSING

from ostiary.cli.demo import GATEWAY
from ostiary.cli.demo_sign_in import AUTHSERVER
from ostiary.transport.serving import PortTaken, bind

NewDemo = Callable[[Path], Any]

PENGUINS = """
 species   name      age   enclosure            trail
 ─────────────────────────────────────────────────────────
 penguin   Waddles     2   The Arctic Exhibit   Polar Path
 penguin   Pip         4   The Arctic Exhibit   Polar Path
 penguin   Skipper     5   The Arctic Exhibit   Polar Path
 penguin   Chilly      3   The Arctic Exhibit   Polar Path
 penguin   Pingu       6   The Arctic Exhibit   Polar Path
 penguin   Noot        1   The Arctic Exhibit   Polar Path
"""


def lines_to_paste(demo: Any) -> list[str]:
    return [line.strip() for line in demo.told.splitlines() if " call http" in line]


def test_the_pasted_line_prints_the_six_penguins(demo: Any) -> None:
    called = demo.pasted(lines_to_paste(demo)[0])
    assert (called.returncode, called.stdout, called.stderr) == (0, PENGUINS, "")


def test_the_same_without_a_credential_prints_the_refusal_and_why(demo: Any) -> None:
    line = lines_to_paste(demo)[1]
    assert line == lines_to_paste(demo)[0] + " --no-credential"
    called = demo.pasted(line)
    metadata = demo.gateway.replace("/mcp", "/.well-known/oauth-protected-resource/mcp")
    assert (called.returncode, called.stdout, called.stderr) == (
        1,
        "",
        (
            f"{demo.gateway} refused the call: 401 Unauthorized; no token was sent. "
            f"Which tokens it takes, it says at {metadata}. "
            f"`ostiary doctor {demo.gateway}` finds out which credential it wants; "
            "name it with --credential TYPE, or --server NAME from an ostiary.yaml.\n"
        ),
    )


def test_alice_signs_in_with_a_browser_and_calls(tmp_path: Path, demo: Any) -> None:
    state = {"OSTIARY_STATE_DIR": str(tmp_path)}
    login, call, _ = (
        line.strip() for line in demo.told.splitlines() if " login http" in line or "oauth_user" in line
    )
    signed_in = demo.pasted(login, **state)
    assert (signed_in.returncode, signed_in.stdout.splitlines()[:2]) == (
        0,
        [
            f"Signed in at {demo.authserver} as alice@example.com, for {demo.gateway}.",
            "  scopes: mcp",
        ],
    )
    called = demo.pasted(call, **state)
    assert (called.returncode, called.stdout, called.stderr) == (0, PENGUINS, "")
    assert demo.ostiary("logout", demo.gateway, **state).stdout.splitlines() == [
        f"Signed out of {demo.gateway}.",
        f"{demo.authserver} has revoked the tokens.",
    ]


def test_each_person_sees_their_own_account_and_never_the_others(tmp_path: Path, demo: Any) -> None:
    login, _, whoami = (
        line.strip() for line in demo.told.splitlines() if " login http" in line or "oauth_user" in line
    )
    for name in ("alice", "bob"):
        assert demo.pasted(login, **as_person(name, tmp_path)).returncode == 0
    for name in ("alice", "bob", "alice", "bob"):  # each with what the gateway keeps of the other's
        called = demo.pasted(whoami, **as_person(name, tmp_path))
        assert (called.returncode, called.stderr) == (0, "")
        assert json.loads(called.stdout) == {"name": name.title(), "email": f"{name}@example.com"}


def as_person(name: str, directory: Path) -> dict[str, str]:
    """The environment of somebody with a browser, and a state directory, of their own."""
    browser = f"{shlex.quote(sys.executable)} {shlex.quote(str(BROWSING))} {name} %s"
    return {"BROWSER": browser, "OSTIARY_STATE_DIR": str(directory / name)}


def test_the_visitor_has_no_account(demo: Any) -> None:
    door = demo.gateway.replace("/mcp", "/servers/account/mcp")
    key = json.dumps(
        {
            "type": "google_id_token",
            "key_file": str(demo.visitor_key),
            "audience": demo.gateway.removesuffix("/mcp"),
        }
    )
    called = demo.ostiary("call", door, "whoami", "--credential", key)
    assert (called.returncode, called.stdout) == (1, "")
    assert "the caller is a program by itself; call with the token of somebody who signed in" in called.stderr


def test_a_token_for_the_gateway_is_nobody_at_the_account_server(tmp_path: Path, demo: Any) -> None:
    """Passing it through would not do: the provider never made it."""
    alice = as_person("alice", tmp_path)
    assert demo.ostiary("login", demo.gateway, **alice).returncode == 0
    shown = demo.ostiary("token", demo.gateway, "--credential", "oauth_user", "--reveal", "--json", **alice)
    token = json.loads(shown.stdout)["headers"]["authorization"].removeprefix("Bearer ")
    bearer = json.dumps({"type": "bearer", "token": {"env": "TOKEN"}})
    called = demo.ostiary("call", demo.account, "whoami", "--credential", bearer, TOKEN=token)
    assert called.returncode == 1
    assert "the provider knows nobody by the token that came with the call" in called.stdout + called.stderr


def test_the_visitor_may_not_go_round_the_gateway(demo: Any) -> None:
    key = json.dumps({"type": "google_id_token", "key_file": str(demo.visitor_key)})
    called = demo.ostiary(
        "call", f"{demo.zoo}/mcp", "get_animals_by_species", "species=penguin", "--credential", key
    )
    assert (called.returncode, called.stderr) == (
        1,
        (
            f"{demo.zoo}/mcp refused the call: 403 Forbidden; "
            "the token of credential google_id_token was sent.\n"
        ),
    )


def test_each_server_has_a_door_of_its_own_with_its_own_names(demo: Any) -> None:
    door = demo.gateway.replace("/mcp", "/servers/zoo/mcp")
    assert demo.ostiary("call", door, "get_animals_by_species", "species=penguin").stdout == PENGUINS


def test_json_is_the_result_as_the_server_gave_it(demo: Any) -> None:
    called = demo.ostiary("call", demo.gateway, "zoo_get_animal_details", "name=pingu", "--json")
    result = json.loads(called.stdout)
    assert result["isError"] is False
    assert result["structuredContent"]["result"]["name"] == "Pingu"


def test_an_empty_list_says_so(demo: Any) -> None:
    called = demo.ostiary("call", demo.gateway, "zoo_get_animals_by_species", "species=unicorn")
    assert (called.returncode, called.stdout) == (0, "nothing was found\n")


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["zoo_get_animals"], 1, "there is no tool zoo_get_animals; did you mean zoo_get_animal_details?\n"),
        (
            ["zoo_get_animal_details", "nme=Pingu"],
            2,
            "the tool takes no argument nme; did you mean name?\n",
        ),
        (["zoo_get_animal_details"], 2, "argument name is missing: add name=...\n"),
    ],
)
def test_a_call_that_cannot_be_meant_names_the_nearest_one(
    demo: Any, words: list[str], code: int, sentence: str
) -> None:
    called = demo.ostiary("call", demo.gateway, *words)
    assert (called.returncode, called.stderr) == (code, sentence)


def test_tools_lists_what_there_is_with_the_era_and_the_credential(demo: Any) -> None:
    listed = json.loads(demo.ostiary("tools", demo.gateway, "--json").stdout)
    assert (listed["era"], listed["protocolVersion"]) == ("modern", "2026-07-28")
    assert listed["credential"] == {"type": "google_id_token", "found": "the running demo"}
    assert [tool["name"] for tool in listed["tools"]] == [
        "zoo_get_animals_by_species",
        "zoo_get_animal_details",
    ]
    assert [prompt["name"] for prompt in listed["prompts"]] == ["zoo_find"]
    assert len(listed["resources"]) == 8


def test_a_token_is_masked_and_explained(demo: Any) -> None:
    told = demo.ostiary("token", demo.gateway).stdout
    assert "authorization: Bearer ***\n" in told
    assert f"  aud: {demo.gateway.removesuffix('/mcp')}\n" in told
    assert "  email: visitor@demo-project.iam.gserviceaccount.com\n" in told
    assert "eyJ" not in told


def test_a_token_is_shown_when_that_is_asked_for(demo: Any) -> None:
    told = demo.ostiary(
        "token", demo.gateway, "--reveal", "--audience", "https://other.example.com", "--json"
    )
    shown = json.loads(told.stdout)
    assert shown["headers"]["authorization"].startswith("Bearer eyJ")
    assert shown["claims"]["aud"] == "https://other.example.com"


def test_no_token_is_in_what_it_logs(demo: Any) -> None:
    demo.ostiary("call", demo.gateway, "zoo_get_animals_by_species", "species=lion")
    demo.ostiary("login", demo.gateway)
    token = demo.ostiary("token", demo.gateway, "--credential", "oauth_user", "--reveal").stdout
    assert token.split()[2].startswith("eyJ")
    log = (demo.directory / "log").read_text()
    audit = next(demo.directory.glob("state/demo-*/audit.jsonl")).read_text()
    assert "tool_called" in log
    assert "token_issued" in audit
    assert "eyJ" not in log + audit
    assert "PRIVATE KEY" not in log + audit


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_with_all_its_children_and_takes_its_context_away(
    tmp_path: Path, new_demo: NewDemo, number: signal.Signals
) -> None:
    demo = new_demo(tmp_path)
    children = _children(demo.process.pid)
    assert children
    assert demo.stop(number) == 0
    assert not list(tmp_path.glob("state/demo-*"))
    assert [child for child in children if Path(f"/proc/{child}").exists()] == []
    assert (tmp_path / "log").read_text() == ""


@pytest.fixture
def usual_ports() -> Iterator[None]:
    """Taken for as long as the test: by us, unless a demo has them."""
    with contextlib.ExitStack() as stack:
        for listen in (GATEWAY, AUTHSERVER):
            with contextlib.suppress(PortTaken):
                stack.enter_context(bind(listen))
        yield


@pytest.mark.usefixtures("usual_ports")
def test_a_taken_port_is_stepped_over_and_said(tmp_path: Path, new_demo: NewDemo, demo: Any) -> None:
    second = new_demo(tmp_path)
    port = urlsplit(second.gateway).port
    assert port != urlsplit(demo.gateway).port
    assert f"Port 8080 was taken, so the gateway is at {second.gateway}.\n" in second.told
    assert f"Port 9000 was taken, so the authserver is at {second.authserver}.\n" in second.told
    called = second.pasted(lines_to_paste(second)[0])
    assert (called.returncode, called.stdout, called.stderr) == (0, PENGUINS, "")
    assert second.stop(signal.SIGINT) == 0


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
