"""Workloads prove who they are by what their platform says of them, RFC 7523 section 2.2."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from tests.authserver.clients.conftest import audit
from tests.authserver.clients.signing import Key, form, new_key, public, signed
from tests.authserver.conftest import Clock, Server, Start, basic_settings

SUBJECT = "system:serviceaccount:ci:builder"
NOBODY = "the workload's assertion is of no workload that is this client"


@dataclass
class Cluster:
    """A Kubernetes API server, as far as its service accounts' tokens go."""

    issuer: str
    key: Key = field(default_factory=new_key)

    def token(self, audience: str | list[str], now: float, **claims: Any) -> str:
        """A projected token, in the shape that Kubernetes gives it."""
        said: dict[str, Any] = {
            "aud": [audience] if isinstance(audience, str) else audience,
            "exp": int(now) + 3600,
            "iat": int(now),
            "iss": self.issuer,
            "jti": "0c3a0ef0-7f0e-4c1c-8a3f-0f3e5a1f6a11",
            "kubernetes.io": {
                "namespace": "ci",
                "serviceaccount": {"name": "builder", "uid": "2b6e7f3c-6a0f-4f55-8f1f-2f0a3a0f1f11"},
            },
            "nbf": int(now),
            "sub": SUBJECT,
        }
        return signed(self.key, said | claims)


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    cluster = Cluster("")

    async def metadata(_: web.Request) -> web.Response:
        return web.json_response({"issuer": cluster.issuer, "jwks_uri": f"{cluster.issuer}/openid/v1/jwks"})

    async def keys(_: web.Request) -> web.Response:
        return web.json_response(public(cluster.key))

    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", metadata)
    app.router.add_get("/openid/v1/jwks", keys)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    cluster.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield cluster
    await runner.cleanup()


def settings(cluster: Cluster, subjects: dict[str, str] | None = None, **issuer: Any) -> dict[str, Any]:
    """A cluster whose workloads are clients."""
    names = sorted(set((subjects or {SUBJECT: "builder"}).values()))
    clients = [
        {
            "client_id": name,
            "grant_types": ["client_credentials"],
            "token_endpoint_auth_method": "private_key_jwt",
        }
        for name in names
    ]
    trusted = {"issuer": cluster.issuer, "use": ["workload"], "subjects": subjects or {SUBJECT: "builder"}}
    return basic_settings(clients=clients, trusted_issuers=[trusted | issuer])


async def ask(server: Server, token: str, **more: str) -> str:
    answered = await server.token(form(token, **more))
    return "ok" if answered.status_code == 200 else str(answered.json()["error_description"])


async def test_a_service_account_is_a_client_until_its_token_ends(
    start: Start, cluster: Cluster, clock: Clock
) -> None:
    """The kubelet writes a new token only every so often, so the same one comes again."""
    async with start(settings(cluster)) as server:
        token = cluster.token(server.issuer, clock())
        answers = [await ask(server, token), await ask(server, token)]
        clock.advance(3630)
        answers.append(await ask(server, token))
        events = audit(server)
    assert answers == ["ok", "ok", "the workload's assertion has expired"]
    assert [event.get("client") for event in events] == ["builder", "builder", None]
    assert events[-1]["method"] == "workload"


@pytest.mark.parametrize(
    ("pattern", "subject", "answer"),
    [
        ("system:serviceaccount:ci:*", SUBJECT, "ok"),
        ("system:serviceaccount:*:builder", SUBJECT, "ok"),
        ("system:serviceaccount:ci:*", "system:serviceaccount:ci2:builder", NOBODY),
        ("system:serviceaccount:ci:build*", "system:serviceaccount:ci:deploy", NOBODY),
        (SUBJECT, "system:serviceaccount:ci:builder2", NOBODY),
    ],
)
async def test_a_pattern_says_which_service_accounts(
    start: Start, cluster: Cluster, clock: Clock, pattern: str, subject: str, answer: str
) -> None:
    async with start(settings(cluster, {pattern: "builder"})) as server:
        assert await ask(server, cluster.token(server.issuer, clock(), sub=subject)) == answer


async def test_a_workload_says_which_of_several_clients_it_is(
    start: Start, cluster: Cluster, clock: Clock
) -> None:
    subjects = {"system:serviceaccount:ci:*": "any", "system:serviceaccount:*:builder": "builder"}
    async with start(settings(cluster, subjects)) as server:
        token = cluster.token(server.issuer, clock())
        unnamed = await ask(server, token)
        named = [await ask(server, token, client_id=name) for name in ("any", "builder", "ci")]
    assert unnamed == "the workload's assertion fits several clients: say which one with client_id"
    assert named == ["ok", "ok", NOBODY]


async def test_the_subject_itself_comes_before_patterns(start: Start, cluster: Cluster, clock: Clock) -> None:
    subjects = {"system:serviceaccount:ci:*": "any", SUBJECT: "builder"}
    async with start(settings(cluster, subjects)) as server:
        token = cluster.token(server.issuer, clock())
        assert await ask(server, token) == "ok"
        assert audit(server)[-1]["client"] == "builder"


@pytest.mark.parametrize(
    ("audience", "answer"),
    [
        (["https://kubernetes.default.svc"], "the workload's assertion is for another audience"),
        (["{issuer}", "https://other.example.com"], "the workload's assertion is for somebody else as well"),
    ],
)
async def test_a_token_for_somebody_else_is_refused(
    start: Start, cluster: Cluster, clock: Clock, audience: list[str], answer: str
) -> None:
    async with start(settings(cluster)) as server:
        named = [one.format(issuer=server.issuer) for one in audience]
        assert await ask(server, cluster.token(named, clock())) == answer


@pytest.mark.parametrize("cnf", [{"jkt": "k"}, {}, None])
async def test_a_token_that_is_bound_to_a_key_proves_nothing_without_it(
    start: Start, cluster: Cluster, clock: Clock, cnf: Any
) -> None:
    async with start(settings(cluster)) as server:
        answer = await ask(server, cluster.token(server.issuer, clock(), cnf=cnf))
    assert answer == "the workload's assertion is bound to a key, which nothing here proves"


async def test_an_audience_of_the_operators_choice(start: Start, cluster: Cluster, clock: Clock) -> None:
    async with start(settings(cluster, audience="ostiary")) as server:
        ours = await ask(server, cluster.token("ostiary", clock()))
        issuer = await ask(server, cluster.token(server.issuer, clock()))
    assert (ours, issuer) == ("ok", "the workload's assertion is for another audience")


async def test_a_foreign_key_signs_for_nobody(start: Start, cluster: Cluster, clock: Clock) -> None:
    async with start(settings(cluster)) as server:
        forged = Cluster(cluster.issuer).token(server.issuer, clock())
        assert await ask(server, forged) == "the workload's assertion's signature is wrong"


async def test_an_issuer_that_is_trusted_for_something_else_is_not_for_this(
    start: Start, cluster: Cluster, clock: Clock
) -> None:
    trusted = [{"issuer": cluster.issuer, "use": ["id_jag"]}]
    async with start(basic_settings(trusted_issuers=trusted)) as server:
        answer = await ask(server, cluster.token(server.issuer, clock()), client_id="ci")
    assert answer == "the workload's assertion is from an issuer that is not accepted here"
