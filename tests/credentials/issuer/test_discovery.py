"""Which issuer is a server's, and where it is found: RFC 9728, RFC 8414, MCP's authorization."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from tests.clock import Clock
from tests.credentials.describing_server import WELL_KNOWN, mcp_server
from tests.credentials.token_server import TokenServer

from ostiary.credentials import ClientCredentials, CredentialError
from ostiary.credentials.client_credentials.headers import ClientCredentialsHeaders
from ostiary.credentials.headers.headers import Headers, OutgoingRequest
from ostiary.credentials.issuer.discovery import NotFound
from ostiary.credentials.runtime import Runtime
from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.transport.reach import PUBLIC

NOBODY = "http://127.0.0.1:1"
"""An issuer that is away."""


@pytest.fixture
async def runtime(clock: Clock) -> AsyncIterator[Runtime]:
    async with Runtime(clock=clock) as runtime:
        yield runtime


@pytest.fixture
async def other() -> AsyncIterator[TokenServer]:
    async with TokenServer().running() as server:
        yield server


def attached(runtime: Runtime, server: CanonicalUrl) -> ClientCredentialsHeaders:
    return ClientCredentials(client_id="ostiary").attach(server, runtime=runtime)


def bearer(headers: Headers | None) -> str:
    return dict(headers or ())["authorization"]


async def issuer_of(url: CanonicalUrl, runtime: Runtime) -> str:
    return (await runtime.discoveries.find(None, url, PUBLIC)).issuer


async def failure(url: CanonicalUrl, runtime: Runtime) -> CredentialError:
    with pytest.raises(CredentialError) as raised:
        await attached(runtime, url).get(OutgoingRequest("POST", url))
    return raised.value


def names(*issuers: str) -> dict[str, Any]:
    return {"authorization_servers": list(issuers)}


# the order: challenge, path, root


async def test_the_challenge_goes_before_a_document_of_the_whole_origin(
    issuer: TokenServer, other: TokenServer, runtime: Runtime
) -> None:
    """A root document names server A; the 401 at /x/mcp leads to one that names B."""
    documents = {WELL_KNOWN: names(issuer.issuer), "/b": names(other.issuer)}
    async with mcp_server(documents, 'Bearer resource_metadata="{origin}/b"', path="/x/mcp") as (url, asked):
        documents[WELL_KNOWN]["resource"] = url.origin
        assert await issuer_of(url, runtime) == other.issuer
        assert asked == ["POST /x/mcp", "GET /b"]


async def test_without_one_the_path_goes_before_the_root(
    issuer: TokenServer, other: TokenServer, runtime: Runtime
) -> None:
    documents = {WELL_KNOWN: names(issuer.issuer), f"{WELL_KNOWN}/x/mcp": names(other.issuer)}
    async with mcp_server(documents, 'Bearer error="invalid_token"', path="/x/mcp") as (url, asked):
        assert await issuer_of(url, runtime) == other.issuer
        assert asked == ["POST /x/mcp", f"GET {WELL_KNOWN}/x/mcp"]


async def test_a_challenge_that_leads_to_nothing_hides_no_well_known_document(
    issuer: TokenServer, runtime: Runtime
) -> None:
    """Behind proxies challenges name hosts that only the inside knows."""
    documents = {WELL_KNOWN: names(issuer.issuer)}
    for leads in ("http://127.0.0.1:1/internal", "{origin}/gone", "http://10.0.0.1:8080/x", "elsewhere"):
        async with mcp_server(documents, f'Bearer resource_metadata="{leads}"') as (url, asked):
            documents[WELL_KNOWN]["resource"] = url.origin
            assert await issuer_of(url, runtime) == issuer.issuer
            assert asked[-2:] == [f"GET {WELL_KNOWN}/mcp", f"GET {WELL_KNOWN}"]


async def test_the_server_says_where_and_for_what(issuer: TokenServer, runtime: Runtime) -> None:
    document = {**names(issuer.issuer), "scopes_supported": ["a", "b"]}
    async with mcp_server({f"{WELL_KNOWN}/mcp": document}) as (url, asked):
        headers = attached(runtime, url)
        assert bearer(await headers.get(OutgoingRequest("POST", url))) == "Bearer token-1"
        assert asked == ["POST /mcp", f"GET {WELL_KNOWN}/mcp"]
        assert issuer.forms[0]["resource"] == str(url)
        assert issuer.forms[0]["scope"] == "a b"


async def test_what_was_found_is_kept_for_an_hour(
    issuer: TokenServer, runtime: Runtime, clock: Clock
) -> None:
    where = {"/elsewhere": {**names(issuer.issuer), "scopes_supported": ["a", "b"]}}
    challenge = 'Bearer scope="b c", resource_metadata="{origin}/elsewhere"'
    async with mcp_server(where, challenge) as (url, asked):
        headers = attached(runtime, url)
        await headers.get(OutgoingRequest("POST", url))
        assert asked == ["POST /mcp", "GET /elsewhere"]
        assert issuer.forms[0]["scope"] == "b c"
        clock.now += 3595
        assert bearer(await headers.get(OutgoingRequest("POST", url))) == "Bearer token-2"
        assert asked == ["POST /mcp", "GET /elsewhere"]


@pytest.mark.parametrize(
    "written",
    [
        "{origin}/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource/mcp",
        '"/.well-known/oauth-protected-resource/mcp"',
    ],
)
async def test_a_place_without_quotes_or_without_a_host_is_read(
    issuer: TokenServer, runtime: Runtime, written: str
) -> None:
    documents = {f"{WELL_KNOWN}/mcp": {**names(issuer.issuer), "scopes_supported": ["a"]}}
    challenge = f"Bearer error=invalid_token, resource_metadata={written}, scope=b"
    async with mcp_server(documents, challenge) as (url, asked):
        found = await runtime.discoveries.find(None, url, PUBLIC)
        assert (found.issuer, found.challenge_scopes) == (issuer.issuer, ("b",))
        assert asked == ["POST /mcp", f"GET {WELL_KNOWN}/mcp"]


async def test_a_place_that_cannot_be_read_is_told(runtime: Runtime) -> None:
    async with mcp_server({}, 'Bearer resource_metadata="metadata.json"') as (url, _):
        assert (await failure(url, runtime)).problem == (
            f"server {url}: its challenge's resource_metadata 'metadata.json' is refused: "
            "it is not an absolute http or https URL with a plain host name"
        )


@pytest.mark.parametrize("named", ["https://mcp.example.com/mcp", "{origin}/other", "{origin}/mcp/deeper"])
async def test_metadata_of_another_server_is_refused(
    issuer: TokenServer, runtime: Runtime, named: str
) -> None:
    document = names(issuer.issuer)
    async with mcp_server({WELL_KNOWN: document}) as (url, _):
        document["resource"] = named.format(origin=url.origin)
        refused = await failure(url, runtime)
        assert refused.problem == (
            f"server {url}: the metadata is of resource '{document['resource']}', not of {url}"
        )
    assert not issuer.forms


async def test_a_server_that_is_away_is_asked_once(runtime: Runtime) -> None:
    async with mcp_server({}) as (url, _):
        pass
    refused = await failure(url, runtime)
    assert refused.problem == (
        f"the metadata of server {url} can't be had: {url}: no connection (Connection refused)"
    )


async def test_a_server_elsewhere_cannot_send_us_to_this_machine(
    issuer: TokenServer, runtime: Runtime
) -> None:
    with pytest.raises(NotFound, match="it names this machine, and who wrote it is on another"):
        await runtime.discoveries._at_issuer(issuer.issuer, replace(PUBLIC, loopback=False))


# several issuers


async def test_a_dead_first_authorization_server_is_passed_over(
    issuer: TokenServer, runtime: Runtime
) -> None:
    async with mcp_server({WELL_KNOWN: names(NOBODY, issuer.issuer)}) as (url, _):
        assert bearer(await attached(runtime, url).get(OutgoingRequest("POST", url))) == "Bearer token-1"


async def test_one_that_was_away_is_looked_for_again_before_the_hour_is_over(
    issuer: TokenServer, other: TokenServer, runtime: Runtime, clock: Clock
) -> None:
    document = names(NOBODY, issuer.issuer)
    async with mcp_server({WELL_KNOWN: document}) as (url, _):
        assert await issuer_of(url, runtime) == issuer.issuer
        document["authorization_servers"][0] = other.issuer
        assert await issuer_of(url, runtime) == issuer.issuer
        clock.now += 300
        assert await issuer_of(url, runtime) == other.issuer


async def test_one_that_we_know_is_not_given_up_for_being_away(
    issuer: TokenServer, other: TokenServer, runtime: Runtime, clock: Clock
) -> None:
    """Our registration, and our tokens, are there."""
    async with mcp_server({WELL_KNOWN: names(issuer.issuer, other.issuer)}) as (url, _):
        assert await issuer_of(url, runtime) == issuer.issuer
        issuer.down = True
        clock.now += 3600
        assert await issuer_of(url, runtime) == issuer.issuer


async def test_of_a_long_list_only_the_first_few_are_tried(issuer: TokenServer, runtime: Runtime) -> None:
    async with mcp_server({WELL_KNOWN: names(NOBODY, NOBODY, NOBODY, issuer.issuer)}) as (url, _):
        assert f"issuer {NOBODY} can't be had" in (await failure(url, runtime)).problem
    assert not issuer.paths


# one slash


@pytest.mark.parametrize("slash", ["", "/"])
async def test_an_issuer_that_differs_by_one_slash_at_its_root_is_the_same(
    issuer: TokenServer, runtime: Runtime, slash: str
) -> None:
    named, itself = issuer.issuer + slash, issuer.issuer + ("" if slash else "/")
    issuer.metadata = {"issuer": itself}
    async with mcp_server({WELL_KNOWN: names(named)}) as (url, _):
        assert await issuer_of(url, runtime) == itself
    configured = ClientCredentials(client_id="ostiary", issuer=named).attach(url, runtime=runtime)
    with pytest.raises(CredentialError) as refused:
        await configured.get(OutgoingRequest("POST", url))
    assert refused.value.fix == f"if that is the one, write `issuer: {itself}`"
    mended = ClientCredentials(client_id="ostiary", issuer=itself).attach(url, runtime=runtime)
    assert bearer(await mended.get(OutgoingRequest("POST", url))) == "Bearer token-1"


# MCP 2025-03-26


async def test_a_server_of_2025_03_26_is_its_own_issuer(runtime: Runtime) -> None:
    metadata: dict[str, Any] = {}
    places = {"/.well-known/oauth-authorization-server": metadata}
    async with mcp_server(places, "Bearer", path="/v1/mcp") as (url, asked):
        metadata |= {"issuer": f"{url.origin}/", "token_endpoint": f"{url.origin}/token"}
        found = await runtime.discoveries.find(None, url, PUBLIC)
        assert (found.issuer, found.server, found.undescribed) == (f"{url.origin}/", None, None)
        assert asked == [
            "POST /v1/mcp",
            f"GET {WELL_KNOWN}/v1/mcp",
            f"GET {WELL_KNOWN}",
            "GET /.well-known/oauth-authorization-server",
        ]


async def test_metadata_there_of_another_issuer_is_refused_with_the_line(runtime: Runtime) -> None:
    document = {"issuer": "https://auth.example.com", "token_endpoint": "https://auth.example.com/token"}
    async with mcp_server({"/.well-known/oauth-authorization-server": document}) as (url, _):
        assert (await failure(url, runtime)).fix == (
            "if that is the one, write `issuer: https://auth.example.com`"
        )


async def test_a_server_without_any_metadata_is_asked_once_and_gives_no_machine_a_token(
    runtime: Runtime, clock: Clock
) -> None:
    """Only a person, who sees where they are, is sent to default addresses."""
    async with mcp_server({}) as (url, asked):
        for _ in range(2):
            clock.now += 100
            refused = await failure(url, runtime)
        assert asked.count("POST /mcp") == 1
        places = [
            f"{url.origin}{path}: it answered 404, not 200"
            for path in (
                f"{WELL_KNOWN}/mcp",
                WELL_KNOWN,
                "/.well-known/oauth-authorization-server",
                "/.well-known/openid-configuration",
            )
        ]
        assert str(refused) == (
            f"credential client_credentials for {url.origin}: the metadata of server {url} can't be had: "
            f"{'; '.join(places)}; set issuer or token_url"
        )


async def test_a_server_that_asks_for_no_token_has_no_default_addresses(runtime: Runtime) -> None:
    async with mcp_server({}, status=404) as (url, _):
        with pytest.raises(NotFound):
            await issuer_of(url, runtime)
