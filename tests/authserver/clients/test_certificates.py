"""Clients with certificates, on a listener of their own, RFC 8705."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import KeySet
from tests.authserver.clients.conftest import audit
from tests.authserver.clients.signing import form, new_key, public, signed, statement
from tests.authserver.conftest import SECRET, Clock, Start, basic_settings
from tests.peers.certificates import CertificateAuthority

from ostiary.certificates.error import CertificateUnusable
from ostiary.settings import Listen
from ostiary.transport.serving import address_of, bind

FORM = {"grant_type": "client_credentials", "client_id": "robot"}
SPIFFE_ID = "spiffe://example.com/ns/ci/sa/robot"
UNPROVEN = "the client is unknown or did not prove who it is"


@dataclass
class Apart:
    """Where the second listener is, and what its server shows."""

    authority: CertificateAuthority
    port: int
    certificate: Path
    private_key: Path

    @property
    def url(self) -> str:
        """Its token endpoint."""
        return f"https://127.0.0.1:{self.port}/oauth/token"

    def settings(self, **client: Any) -> dict[str, Any]:
        """A configuration with a client that has a certificate, and one with a secret."""
        robot = {
            "client_id": "robot",
            "grant_types": ["client_credentials"],
            "token_endpoint_auth_method": "tls_client_auth",
        }
        named = robot | (client or {"tls_client_auth_subject_dn": "CN=robot"})
        secret = {"client_id": "ci", "client_secret": SECRET, "grant_types": ["client_credentials"]}
        certificates = {
            "certificate": str(self.certificate),
            "private_key": str(self.private_key),
            "trust_bundle": str(self.authority.file),
        }
        mtls = {"listen": f"127.0.0.1:{self.port}", "certificates": certificates}
        return basic_settings(clients=[named, secret], mtls=mtls)

    async def ask(
        self, files: tuple[Path, Path] | None, fields: dict[str, str] = FORM, **options: Any
    ) -> httpx2.Response:
        """A token request with a certificate. Raises what httpx2 does when the handshake fails."""
        context = ssl.create_default_context(cafile=self.authority.file)
        if files is not None:
            context.load_cert_chain(*files)
        async with httpx2.AsyncClient(trust_env=False, verify=context) as http:
            return await http.post(options.pop("url", self.url), data=fields, **options)


@pytest.fixture
def apart(authority: CertificateAuthority) -> Apart:
    with bind(Listen("127.0.0.1", 0)) as sock:
        port = address_of(sock).port
    return Apart(authority, port, *authority.issue("server"))


async def test_a_certificate_with_the_clients_name_is_enough(start: Start, apart: Apart) -> None:
    async with start(apart.settings()) as server:
        answered = await apart.ask(apart.authority.issue("robot"))
        metadata = (await server.http.get(f"{server.issuer}/.well-known/openid-configuration")).json()
        claims = await claims_of(server, answered)
    assert answered.status_code == 200
    assert answered.headers["connection"] == "close"
    assert claims["sub"] == "robot"
    assert "cnf" not in claims
    assert metadata["mtls_endpoint_aliases"]["token_endpoint"] == apart.url
    assert "tls_client_auth" in metadata["token_endpoint_auth_methods_supported"]


async def claims_of(server: Any, answered: httpx2.Response) -> dict[str, Any]:
    keys = (await server.http.get(f"{server.issuer}/.well-known/jwks.json")).json()
    token = jwt.decode(answered.json()["access_token"], KeySet.import_key_set(keys), algorithms=["ES256"])
    return token.claims


async def test_a_token_is_bound_to_the_certificate_of_a_client_that_asks_for_it(
    start: Start, apart: Apart
) -> None:
    bound: dict[str, Any] = {
        "tls_client_auth_subject_dn": "CN=robot",
        "tls_client_certificate_bound_access_tokens": True,
    }
    files = apart.authority.issue("robot")
    async with start(apart.settings(**bound)) as server:
        claims = await claims_of(server, await apart.ask(files))
        elsewhere = await server.token(FORM)
    der = ssl.PEM_cert_to_DER_cert(files[0].read_text())
    thumbprint = base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
    assert claims["cnf"] == {"x5t#S256": thumbprint}
    assert elsewhere.status_code == 401


async def test_a_client_with_a_secret_has_its_tokens_bound_to_its_certificate(
    start: Start, apart: Apart
) -> None:
    settings = apart.settings()
    settings["clients"][1]["tls_client_certificate_bound_access_tokens"] = True
    plain = {"grant_type": "client_credentials"}
    async with start(settings) as server:
        answered = await apart.ask(apart.authority.issue("anything"), plain, auth=("ci", SECRET))
        claims = await claims_of(server, answered)
        elsewhere = await server.token(plain, auth=("ci", SECRET))
    assert claims["cnf"].keys() == {"x5t#S256"}
    assert elsewhere.json() == {
        "error": "invalid_request",
        "error_description": "this client's tokens are bound to its certificate: ask where one is asked for, "
        "as mtls_endpoint_aliases in the server's metadata says",
    }


def dn(*services: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in services])


CN = NameOID.COMMON_NAME
URI, EMAIL = x509.UniformResourceIdentifier, x509.RFC822Name
LONG = dn((NameOID.COUNTRY_NAME, "SE"), (NameOID.ORGANIZATION_NAME, "Zoo, Inc."), (CN, "robot"))


@pytest.mark.parametrize(
    ("registered", "subject", "names", "status"),
    [
        ({"tls_client_auth_subject_dn": r"CN=robot,O=Zoo\, Inc.,C=SE"}, LONG, [], 200),
        ({"tls_client_auth_subject_dn": r"2.5.4.3=robot,O=Zoo\2C Inc.,C=SE"}, LONG, [], 200),
        ({"tls_client_auth_subject_dn": r"C=SE,O=Zoo\, Inc.,CN=robot"}, LONG, [], 401),
        ({"tls_client_auth_subject_dn": "CN=robot"}, LONG, [], 401),
        ({"tls_client_auth_subject_dn": "CN=robot"}, dn((CN, "Robot")), [], 401),
        ({"tls_client_auth_subject_dn": "CN=robot"}, dn((CN, "other")), [], 401),
        ({"tls_client_auth_san_uri": SPIFFE_ID}, None, [URI(SPIFFE_ID)], 200),
        (
            {"tls_client_auth_san_uri": SPIFFE_ID},
            None,
            [URI(SPIFFE_ID + "2")],
            401,
        ),
        ({"tls_client_auth_san_uri": SPIFFE_ID}, None, [], 401),
        ({"tls_client_auth_san_dns": "robot.example.com"}, None, [x509.DNSName("Robot.example.com")], 200),
        ({"tls_client_auth_san_dns": "robot.example.com"}, None, [x509.DNSName("*.example.com")], 401),
        ({"tls_client_auth_san_dns": "robot"}, dn((CN, "robot")), [], 401),
        ({"tls_client_auth_san_ip": "127.0.0.1"}, None, [], 200),
        ({"tls_client_auth_san_ip": "127.0.0.2"}, None, [], 401),
        (
            {"tls_client_auth_san_email": "robot@example.com"},
            None,
            [EMAIL("robot@example.com")],
            200,
        ),
    ],
)
async def test_one_registered_name_decides(
    start: Start,
    apart: Apart,
    registered: dict[str, str],
    subject: x509.Name | None,
    names: Sequence[x509.GeneralName],
    status: int,
) -> None:
    files = apart.authority.issue("leaf", subject=subject, names=names)
    async with start(apart.settings(**registered)):
        assert (await apart.ask(files)).status_code == status


async def test_a_certificate_of_another_name_is_refused_and_written_down(start: Start, apart: Apart) -> None:
    async with start(apart.settings()) as server:
        refused = await apart.ask(apart.authority.issue("other"))
        events = audit(server)
    assert refused.json() == {"error": "invalid_client", "error_description": UNPROVEN}
    assert events == [
        {
            "event": "client_refused",
            "client": "robot",
            "method": "tls_client_auth",
            "reason": "the certificate has another name than the client's",
        }
    ]


async def test_foreign_expired_and_missing_certificates_end_the_handshake(
    start: Start, apart: Apart, tmp_path: Path
) -> None:
    directory = tmp_path / "foreign"
    directory.mkdir()
    foreign = CertificateAuthority(directory).issue("robot")
    expired = apart.authority.issue("robot", ends=-dt.timedelta(minutes=1))
    async with start(apart.settings()):
        for files in (foreign, expired, None):
            with pytest.raises(httpx2.TransportError):
                await apart.ask(files)


async def test_a_certificate_on_the_public_listener_is_asked_of_nobody(start: Start, apart: Apart) -> None:
    async with start(apart.settings()) as server:
        refused = await server.token(FORM)
        events = audit(server)
    assert refused.json() == {"error": "invalid_client", "error_description": UNPROVEN}
    assert events[0]["reason"] == "there is no certificate on this listener: see authserver.mtls"


@pytest.mark.parametrize(
    "header", ["x-forwarded-client-cert", "x-ssl-client-cert", "ssl-client-cert", "client-cert"]
)
async def test_xfcc_ignored(start: Start, apart: Apart, header: str) -> None:
    pem = apart.authority.issue("robot")[0].read_text().replace("\n", "%0A")
    forged = {header: f'Subject="CN=robot";Cert="{pem}"' if header.startswith("x-f") else pem}
    async with start(apart.settings()) as server:
        outside = await server.token(FORM, headers=forged)
        apart_too = await apart.ask(apart.authority.issue("other"), headers=forged)
    assert (outside.status_code, apart_too.status_code) == (401, 401)


async def test_listeners_share_no_route(start: Start, apart: Apart) -> None:
    """What is for browsers and for everybody is not where a certificate is asked for."""
    files = apart.authority.issue("robot")
    base = apart.url.removesuffix("/oauth/token")
    async with start(apart.settings()) as server:
        metadata = (await server.http.get(f"{server.issuer}/.well-known/openid-configuration")).json()
        aliases = metadata["mtls_endpoint_aliases"]
        paths = [
            "/.well-known/jwks.json",
            "/oauth/authorize",
            "/oauth/register",
            "/connections",
            "/internal/x",
        ]
        statuses = [(await apart.ask(files, url=base + path)).status_code for path in paths]
    assert statuses == [404] * len(paths)
    assert set(aliases) == {
        "token_endpoint",
        "revocation_endpoint",
        "introspection_endpoint",
        "device_authorization_endpoint",
        "pushed_authorization_request_endpoint",
    }
    assert all(url.startswith(base) for url in aliases.values())


async def test_a_request_for_another_host_is_refused(start: Start, apart: Apart) -> None:
    async with start(apart.settings()):
        refused = await apart.ask(apart.authority.issue("robot"), headers={"host": "evil.example"})
    assert refused.status_code == 400


async def test_a_statement_may_name_this_address_as_its_audience(
    start: Start, apart: Apart, clock: Clock
) -> None:
    key = new_key()
    client: dict[str, Any] = {"token_endpoint_auth_method": "private_key_jwt", "jwks": public(key)}
    async with start(apart.settings(**client)) as server:
        token = signed(key, statement("robot", apart.url, clock()))
        elsewhere = await server.token(form(token))
        here = await apart.ask(apart.authority.issue("anything"), form(token))
    assert (elsewhere.status_code, here.status_code) == (401, 200)


async def test_certificates_and_authorities_are_exchanged_while_it_listens(
    start: Start, apart: Apart, tmp_path: Path
) -> None:
    before = apart.authority.issue("robot")
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(apart.authority.file.read_bytes())
    (tmp_path / "next").mkdir()
    following = CertificateAuthority(tmp_path / "next")
    after = following.issue("robot")
    settings = apart.settings()
    settings["mtls"]["certificates"]["trust_bundle"] = str(bundle)
    async with start(settings):
        assert (await apart.ask(before)).status_code == 200
        with pytest.raises(httpx2.TransportError):
            await apart.ask(after)
        bundle.write_bytes(following.file.read_bytes())
        assert (await apart.ask(after)).status_code == 200
        with pytest.raises(httpx2.TransportError):
            await apart.ask(before)
        bundle.write_text("half a fi")
        assert (await apart.ask(after)).status_code == 200
        certificate, key = following.issue("server")
        bundle.write_bytes(following.file.read_bytes())
        apart.certificate.write_bytes(certificate.read_bytes())
        apart.private_key.write_bytes(key.read_bytes())
        apart.authority.file = following.file
        assert (await apart.ask(after)).status_code == 200


async def test_a_certificate_is_good_for_one_request_on_its_connection(start: Start, apart: Apart) -> None:
    """So nobody goes on after the end of a certificate, or of its authority."""
    context = ssl.create_default_context(cafile=apart.authority.file)
    context.load_cert_chain(*apart.authority.issue("robot"))
    sessions = []
    async with start(apart.settings()), httpx2.AsyncClient(trust_env=False, verify=context) as http:
        for _ in range(2):
            answered = await http.post(apart.url, data=FORM)
            sessions.append(answered.headers["connection"])
    assert sessions == ["close", "close"]


async def test_files_that_are_no_certificates_are_named_at_the_start(
    start: Start, apart: Apart, tmp_path: Path
) -> None:
    for name in ("certificate", "trust_bundle"):
        empty = tmp_path / "empty.pem"
        empty.touch()
        settings = apart.settings()
        settings["mtls"]["certificates"][name] = str(empty)
        with pytest.raises(CertificateUnusable) as refused:
            async with start(settings):
                pass
        assert str(empty) in str(refused.value)
        assert "in PEM)" in str(refused.value)
