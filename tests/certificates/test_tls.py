"""TLS with certificates on both sides, while all of them are exchanged."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.responses import Response
from tests.captured_events import captured_events
from tests.certificates.handshakes import HOST, handshake, is_refused
from tests.clock import Clock
from tests.peers.workload_authority import WorkloadAuthority

from ostiary.certificates.authority import Authority, make_authority
from ostiary.certificates.error import CertificateUnusable
from ostiary.certificates.files import FileSource
from ostiary.certificates.internal_ca import InternalCaSource
from ostiary.certificates.material import Material
from ostiary.certificates.settings import CaDirectory, FileCertificates, InternalCaCertificates
from ostiary.certificates.source import CertificateSource
from ostiary.certificates.tls import ClientContexts, server_context
from ostiary.identity.spiffe import SpiffeId
from ostiary.identity.svid import read_certificate, spiffe_id
from ostiary.identity.trust_bundles import TrustBundle
from ostiary.settings import Listen
from ostiary.transport.listeners import Listener, answering
from ostiary.transport.serving import address_of, bind

HOUR = 3600.0


class Files:
    """A certificate in files, written by somebody who renews it."""

    def __init__(self, directory: Path, name: str, clock: Clock) -> None:
        self.name, self.clock = name, clock
        self.certificate, self.key, self.bundle = (
            directory / f"{name}.{kind}" for kind in ("crt", "key", "pem")
        )

    def renew(self, by: Authority, *believed: Authority) -> None:
        """A new one over the old one, in place, file by file. believed: in the bundle."""
        named = SpiffeId.parse(f"spiffe://ostiary.local/ns/default/mcpserver/{self.name}")
        material = by.issue(named, [HOST, "127.0.0.1"], now=self.clock.now)
        key = material.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.bundle.write_text("".join(one.trust_bundle.pem for one in believed or (by,)))
        self.certificate.write_bytes(material.pem)
        self.key.write_bytes(key)

    def source(self) -> FileSource:
        return FileSource(
            FileCertificates(certificate=self.certificate, private_key=self.key, trust_bundle=self.bundle)
        )


def internal(directory: CaDirectory, clock: Clock, owner: str) -> CertificateSource:
    settings = InternalCaCertificates(source="internal_ca", directory=directory, names=[HOST])
    return InternalCaSource(settings, owner=owner, names=["127.0.0.1"], clock=clock)


@pytest.fixture
def server(authority: Authority, directory: CaDirectory, clock: Clock) -> CertificateSource:
    return internal(directory, clock, "default/authserver")


@pytest.fixture
def client(authority: Authority, directory: CaDirectory, clock: Clock) -> CertificateSource:
    return internal(directory, clock, "default/gateway")


def named_by(end: ssl.SSLObject) -> str:
    """The SPIFFE ID that one end sees of the other."""
    der = end.getpeercert(binary_form=True)
    assert der is not None
    return str(spiffe_id(read_certificate(der)))


def test_each_side_sees_who_the_other_is(server: CertificateSource, client: CertificateSource) -> None:
    ends = handshake(server_context(server), ClientContexts(client).current())
    assert named_by(ends.server) == "spiffe://ostiary.local/ns/default/mcpserver/gateway"
    assert named_by(ends.client) == "spiffe://ostiary.local/ns/default/mcpserver/authserver"
    assert ends.client.version() == "TLSv1.3"


def test_nobody_is_let_in_without_a_certificate_of_our_authorities(
    server: CertificateSource, foreign: WorkloadAuthority, tmp_path: Path
) -> None:
    context = server_context(server)
    bare = ssl.create_default_context(cadata=server.current().trust_bundle.pem)
    assert is_refused(context, bare)
    leaf = foreign.issue("spiffe://ostiary.local/ns/default/mcpserver/gateway")
    stranger = Material((leaf.certificate,), leaf.key, server.current().trust_bundle)
    stranger.load_into(bare)
    assert is_refused(context, bare)


def test_a_client_believes_nobody_but_its_authorities_and_the_host_s_name(
    server: CertificateSource, client: CertificateSource, foreign: WorkloadAuthority
) -> None:
    context = server_context(server)
    assert is_refused(context, ClientContexts(client).current(), host="other.example.org")
    by_name = ClientContexts(client, check_hostname=False)
    assert not is_refused(context, by_name.current(), host="other.example.org")
    other = TrustBundle.of([foreign.own.certificate])
    assert is_refused(context, ClientContexts(client, lambda: [other], check_hostname=False).current())


def test_older_versions_of_tls_are_not_spoken(server: CertificateSource, client: CertificateSource) -> None:
    old = ClientContexts(client).current()
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
    assert is_refused(server_context(server), old)


def test_a_session_is_never_resumed(server: CertificateSource, client: CertificateSource) -> None:
    """Or a client would keep an identity that has ended."""
    outer, context = server_context(server), ClientContexts(client).current()
    first = handshake(outer, context)
    assert first.client.session is not None
    assert not first.client.session.has_ticket
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    again = context.wrap_bio(up, down, server_hostname=HOST, session=first.client.session)
    with pytest.raises(ssl.SSLWantReadError):
        again.do_handshake()
    assert not again.session_reused


def test_rotation_of_leaf_key_and_bundle_needs_no_restart(
    authority: Authority, clock: Clock, tmp_path: Path
) -> None:
    following = make_authority(CaDirectory(tmp_path / "following"), "ostiary.local", now=clock.now)
    at_server, at_client = Files(tmp_path, "authserver", clock), Files(tmp_path, "gateway", clock)
    at_server.renew(authority)
    at_client.renew(authority)
    outer, inner = server_context(at_server.source()), ClientContexts(at_client.source())
    assert not is_refused(outer, inner.current())
    at_client.renew(following, authority)
    assert is_refused(outer, inner.current())
    at_server.renew(authority, authority, following)
    assert not is_refused(outer, inner.current())
    at_client.renew(authority, authority, following)
    at_server.renew(following)
    assert is_refused(outer, inner.current()), "what the old authority signed is not believed any more"
    at_client.renew(following)
    assert not is_refused(outer, inner.current())


def test_a_client_has_the_same_context_until_something_changes(
    authority: Authority, clock: Clock, tmp_path: Path
) -> None:
    files = Files(tmp_path, "gateway", clock)
    files.renew(authority)
    contexts = ClientContexts(files.source())
    first = contexts.current()
    assert contexts.current() is first
    files.renew(authority)
    second = contexts.current()
    assert second is not first
    files.key.write_text("half a ke")
    assert contexts.current() is second


def test_a_certificate_renewed_by_the_clock_is_shown_at_once(
    authority: Authority, directory: CaDirectory, clock: Clock
) -> None:
    clock.advance(-16 * HOUR)
    server = internal(directory, clock, "default/authserver")
    outer, inner = server_context(server), ClientContexts(internal(directory, clock, "default/gateway"))
    before = handshake(outer, inner.current()).client.getpeercert()
    clock.advance(16 * HOUR)
    ends = handshake(outer, inner.current())
    after, seen = ends.client.getpeercert(), ends.server.getpeercert()
    assert before is not None
    assert after is not None
    assert seen is not None
    assert before["serialNumber"] != after["serialNumber"]
    assert ssl.cert_time_to_seconds(str(after["notAfter"])) == int(clock.now + 24 * HOUR)


def test_a_listener_believes_the_authorities_that_it_is_told(
    server: CertificateSource, client: CertificateSource, foreign: WorkloadAuthority
) -> None:
    """Such as those of several trust domains, which come and go."""
    leaf = foreign.issue("spiffe://example.org/ns/zoo/mcpserver/gateway")
    abroad = Material((leaf.certificate,), leaf.key, server.current().trust_bundle)
    ours, theirs = server.current().trust_bundle, TrustBundle.of([foreign.own.certificate])
    believed = [ours]
    outer = server_context(server, lambda: believed)
    guest = ssl.create_default_context(cadata=ours.pem)
    abroad.load_into(guest)
    assert is_refused(outer, guest)
    believed.append(theirs)
    assert not is_refused(outer, guest)
    assert not is_refused(outer, ClientContexts(client).current())
    believed.clear()
    assert is_refused(outer, guest)
    assert is_refused(outer, ClientContexts(client).current())


def test_an_authority_in_the_bundle_is_believed_without_the_one_above_it(
    server: CertificateSource, foreign: WorkloadAuthority
) -> None:
    middle = foreign.below("Middle")
    leaf = middle.issue("spiffe://example.org/ns/zoo/mcpserver/gateway")
    outer = server_context(server, lambda: [TrustBundle.of([middle.own.certificate])])
    guest = ssl.create_default_context(cadata=server.current().trust_bundle.pem)
    Material((leaf.certificate,), leaf.key, server.current().trust_bundle).load_into(guest)
    assert not is_refused(outer, guest)


def test_a_key_that_tls_refuses_is_told_and_leaves_what_was(
    authority: Authority, clock: Clock, tmp_path: Path
) -> None:
    files = Files(tmp_path, "gateway", clock)
    files.renew(authority)
    contexts = ClientContexts(files.source())
    before = contexts.current()
    weak, name = rsa.generate_private_key(65537, 1024), x509.Name([])
    moment = dt.datetime.fromtimestamp(clock.now, dt.UTC)
    builder = x509.CertificateBuilder(name, name, weak.public_key(), 1)
    builder = builder.not_valid_before(moment).not_valid_after(moment + dt.timedelta(days=1))
    files.certificate.write_bytes(builder.sign(weak, SHA256()).public_bytes(Encoding.PEM))
    files.key.write_bytes(weak.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with captured_events() as logs:
        assert contexts.current() is before
        assert contexts.current() is before
    assert [line["event"] for line in logs] == ["file_reread", "tls_not_renewed"]
    with pytest.raises(CertificateUnusable, match="TLS refuses the certificate"):
        server_context(files.source())


@contextlib.asynccontextmanager
async def listening(context: ssl.SSLContext) -> AsyncIterator[Listen]:
    with bind(Listen("127.0.0.1", 0)) as sock:
        where = address_of(sock)
        listener = Listener(name="test", app=Response(status_code=204), tls=context)
        async with answering([listener], {"test": sock}):
            yield where


async def test_no_handshake_is_refused_while_everything_rotates(
    authority: Authority, clock: Clock, tmp_path: Path
) -> None:
    """Clients come without a pause; certificates, keys and bundles are written over in place meanwhile."""
    at_server, at_client = Files(tmp_path, "authserver", clock), Files(tmp_path, "gateway", clock)
    following = make_authority(CaDirectory(tmp_path / "following"), "ostiary.local", now=clock.now)
    both = (authority, following)
    for files in (at_server, at_client):
        files.renew(authority, *both)
    inner = ClientContexts(at_client.source())
    seen: set[str] = set()
    is_over = False

    async def call(where: Listen) -> int:
        calls = 0
        while not is_over:
            reader, writer = await asyncio.open_connection(where.host, where.port, ssl=inner.current())
            seen.add(writer.get_extra_info("peercert")["serialNumber"])
            writer.write(f"GET / HTTP/1.1\r\nhost: {where}\r\nconnection: close\r\n\r\n".encode())
            assert (await reader.read()).startswith(b"HTTP/1.1 204")
            writer.close()
            calls += 1
        return calls

    async with listening(server_context(at_server.source())) as where:
        callers = [asyncio.create_task(call(where)) for _ in range(4)]
        for turn in range(20):
            for files in (at_server, at_client):
                await asyncio.to_thread(files.renew, both[turn % 2], *both)
        is_over = True
        calls = await asyncio.gather(*callers)
    assert min(calls) > 0
    assert len(seen) > 2
