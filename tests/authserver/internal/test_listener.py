"""The port for workloads: who gets in, with which certificate, and for how long."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import httpx2
import pytest
from pydantic import ValidationError
from tests.authserver.agreed import events
from tests.authserver.conftest import Clock, Start
from tests.authserver.internal.conftest import (
    DOMAIN,
    EARLY,
    GATEWAY,
    LATE,
    Inside,
    exchange_form,
    opened,
)
from tests.peers.workload_authority import WorkloadAuthority

from ostiary.authserver.config.internal import InternalSettings

EXCHANGE = "/internal/token-exchange"
FEED = "/internal/revocations"


def reasons(inside: Inside) -> list[str]:
    """Why certificates were refused."""
    return [line["reason"] for line in events(inside.world.server, "workload_refused")]


async def alices_token(inside: Inside) -> str:
    token: str = (await (await inside.world.person()).tokens())["access_token"]
    return token


async def test_listeners_share_no_route(inside: Inside) -> None:
    """Neither is the exchange on the public port, nor anything public on the workloads'."""
    server = inside.world.server
    for path in (EXCHANGE, FEED):
        for method in ("GET", "POST"):
            assert (await server.http.request(method, server.issuer + path)).status_code == 404
    async with inside.workload() as http:
        for path in (
            "/oauth/token",
            "/oauth/authorize",
            "/oauth/introspect",
            "/.well-known/oauth-authorization-server",
            "/.well-known/jwks.json",
            "/connections",
            "/",
        ):
            for method in ("GET", "POST"):
                assert (await http.request(method, path)).status_code == 404


async def test_no_certificate_no_connection(inside: Inside) -> None:
    context = ssl.create_default_context(cafile=inside.directory / "authority.pem")
    context.check_hostname = False
    async with httpx2.AsyncClient(trust_env=False, verify=context, base_url=inside.origin) as http:
        with pytest.raises(httpx2.TransportError):
            await http.post(EXCHANGE, data=exchange_form("token"))


async def test_a_certificate_of_another_authority_gets_no_connection(inside: Inside, clock: Clock) -> None:
    other = WorkloadAuthority("Another", clock(), begins=EARLY, ends=LATE)
    with pytest.raises(httpx2.TransportError):
        await inside.exchange("token", other.issue(GATEWAY, begins=EARLY, ends=LATE))


async def test_xfcc_ignored(inside: Inside, authority: WorkloadAuthority) -> None:
    """What a proxy would say of a client's certificate says nothing here."""
    token = await alices_token(inside)
    other = authority.issue(GATEWAY.replace("gateway", "other"), begins=EARLY, ends=LATE)
    forged = {
        "x-forwarded-client-cert": f"URI={GATEWAY}",
        "x-client-cert": "gateway",
        "ssl-client-verify": "SUCCESS",
        "x-ssl-client-s-dn": "CN=gateway",
        "client-cert": ":MIIB:",
        "x-forwarded-for": "127.0.0.1",
    }
    async with inside.workload(other, headers=forged) as http:
        answered = await http.post(EXCHANGE, data=exchange_form(token))
    assert (answered.status_code, answered.json()["error"]) == (400, "invalid_grant")


async def test_who_ended_tls_before_the_port_gets_no_answer(inside: Inside) -> None:
    """As a mesh's sidecar does, and says in a header whom it saw."""
    token, seen = await alices_token(inside), {"x-forwarded-client-cert": f"URI={GATEWAY}"}
    plain = inside.origin.replace("https:", "http:")
    async with httpx2.AsyncClient(trust_env=False, verify=inside.context(None), base_url=plain) as http:
        with pytest.raises(httpx2.TransportError):
            await http.post(EXCHANGE, data=exchange_form(token), headers=seen)


async def test_connection_dies_with_its_certificate(
    inside: Inside, clock: Clock, authority: WorkloadAuthority
) -> None:
    token = await alices_token(inside)
    leaf = authority.issue(GATEWAY, begins=EARLY, ends=100)
    async with inside.workload(leaf) as http:
        # OpenSSL takes it: by the real time it lives. Ours is the clock that is moved.
        assert (await http.post(EXCHANGE, data=exchange_form(token))).status_code == 200
        clock.advance(101)
        answered = await http.post(EXCHANGE, data=exchange_form(token))
    assert (answered.status_code, answered.json()["error"]) == (401, "invalid_client")
    assert reasons(inside) == ["expired"]


async def test_connection_age_is_bounded(
    start: Start, clock: Clock, authority: WorkloadAuthority, tmp_path: Path
) -> None:
    """The answer after its time is its last."""
    internal = {"connection_age": "1s"}
    async with (
        opened(start, clock, authority, tmp_path, internal=internal) as inside,
        inside.workload() as http,
    ):
        first = await http.post(EXCHANGE, data=exchange_form("token"))
        await asyncio.sleep(1.05)
        second = await http.post(EXCHANGE, data=exchange_form("token"))
    assert "close" not in first.headers.get("connection", "")
    assert second.headers["connection"] == "close"


async def test_a_workload_on_the_deny_list_is_refused_in_mid_connection(
    start: Start, clock: Clock, authority: WorkloadAuthority, tmp_path: Path
) -> None:
    """By its owner, or by the serial number of its certificate."""
    denied = tmp_path / "denied"
    denied.write_text("# nobody yet\n")
    async with (
        opened(start, clock, authority, tmp_path, internal={"deny": "denied"}) as inside,
        inside.workload() as http,
    ):
        token = await alices_token(inside)
        assert (await http.post(EXCHANGE, data=exchange_form(token))).status_code == 200
        denied.write_text("default/gateway\n")
        assert (await http.post(EXCHANGE, data=exchange_form(token))).status_code == 401
        denied.write_text(f"{inside.gateway.certificate.serial_number:x}  # its key was lost\n")
        assert (await http.post(EXCHANGE, data=exchange_form(token))).status_code == 401
        denied.write_text("default/another\n")
        assert (await http.post(EXCHANGE, data=exchange_form(token))).status_code == 200
    assert reasons(inside) == ["denied", "denied"]


async def test_foreign_root_cannot_speak(
    start: Start, clock: Clock, authority: WorkloadAuthority, tmp_path: Path
) -> None:
    """Two domains, each with an authority: the other one's certificate for our gateway is none."""
    other = WorkloadAuthority("Other", clock(), begins=EARLY, ends=LATE)
    other.write(tmp_path / "other.pem")
    both = (tmp_path / "authority.pem").read_text() + (tmp_path / "other.pem").read_text()
    domains = [
        {"trust_domain": DOMAIN, "trust_bundle": "own.pem", "allowed_namespaces": ["default"]},
        {"trust_domain": "other.local", "trust_bundle": "other.pem", "allowed_namespaces": ["elsewhere"]},
    ]
    (tmp_path / "own.pem").write_text((tmp_path / "authority.pem").read_text())
    (tmp_path / "authority.pem").write_text(both)
    internal = {"trust_domain": None, "trust_domains": domains}
    async with opened(start, clock, authority, tmp_path, internal=internal) as inside:
        token = await alices_token(inside)
        forged = other.issue(GATEWAY, begins=EARLY, ends=LATE)
        answered = await inside.exchange(token, forged)
        theirs = other.issue(GATEWAY.replace(DOMAIN, "other.local"), begins=EARLY, ends=LATE)
        same_name = await inside.exchange(token, theirs)
        ours = await inside.exchange(token)
    assert (answered.status_code, same_name.status_code) == (401, 401)
    assert reasons(inside) == ["foreign_root", "namespace_not_allowed"]
    assert ours.status_code == 200


async def test_an_authority_in_between_is_followed_to_the_domains_own(
    inside: Inside, authority: WorkloadAuthority
) -> None:
    """The chain that the client shows is read."""
    between = authority.below("Between", begins=EARLY, ends=LATE)
    leaf = between.issue(GATEWAY, begins=EARLY, ends=LATE)
    token = await alices_token(inside)
    files = inside.directory / "chain.pem", inside.directory / "chain.key"
    files[0].write_text(leaf.pem + between.own.pem)
    files[1].write_text(leaf.key_pem)
    context = inside.context(None)
    context.load_cert_chain(*files)
    async with httpx2.AsyncClient(trust_env=False, verify=context, base_url=inside.origin) as http:
        assert (await http.post(EXCHANGE, data=exchange_form(token))).status_code == 200


async def test_an_authority_that_is_withdrawn_is_believed_no_more(
    inside: Inside, clock: Clock, authority: WorkloadAuthority
) -> None:
    """Not even on a connection that is open."""
    token = await alices_token(inside)
    async with inside.workload() as http:
        assert (await http.post(EXCHANGE, data=exchange_form(token))).status_code == 200
        WorkloadAuthority("Next", clock(), begins=EARLY, ends=LATE).write(inside.directory / "authority.pem")
        answered = await http.post(EXCHANGE, data=exchange_form(token))
    assert (answered.status_code, reasons(inside)) == (401, ["foreign_root"])


def test_internal_needs_trust_domain() -> None:
    """No certificate is enough because some authority signed it."""
    certificates = {"certificate": "a", "private_key": "b", "trust_bundle": "c"}
    with pytest.raises(ValidationError, match="trust_domain"):
        InternalSettings.model_validate({"certificates": certificates})
