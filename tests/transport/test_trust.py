"""Why a certificate is not trusted: each cause has its own sentence."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from tests.peers.certificates import CertificateAuthority

from ostiary.transport.reach import Reach
from ostiary.transport.trust import Distrust, certificate_error, distrust, tls_failure

HOUR = dt.timedelta(hours=1)


def shaken(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    """A handshake in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    us = client.wrap_bio(to_client, to_server, server_hostname=name)
    them = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (us, them):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue


def presenting(files: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return context


@pytest.mark.parametrize(
    ("life", "name", "found"),
    [
        ({"ends": -HOUR}, "127.0.0.1", Distrust.EXPIRED),
        ({"begins": HOUR}, "127.0.0.1", Distrust.NOT_YET_VALID),
        ({}, "127.0.0.2", Distrust.OTHER_NAME),
        ({}, "localhost", Distrust.OTHER_NAME),
    ],
)
def test_an_authority_that_is_trusted_is_not_enough(
    tmp_path: Path, life: dict[str, dt.timedelta], name: str, found: Distrust
) -> None:
    authority = CertificateAuthority(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError) as refused:
        shaken(Reach(authority.file).trust.context, presenting(authority.issue("server", **life)), name)  # type: ignore[arg-type]  # no other option is given
    assert distrust(refused.value) is found
    assert tls_failure(refused.value) == f"{found}: {found.fix}"


def test_an_unknown_authority_is_not_a_self_signed_certificate(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    for reach in (Reach(), Reach(CertificateAuthority(other).file)):  # the second has the same name
        with pytest.raises(ssl.SSLCertVerificationError) as refused:
            shaken(reach.trust.context, presenting(authority.issue("server")), "127.0.0.1")
        assert distrust(refused.value) is Distrust.UNKNOWN_AUTHORITY


def test_the_cause_is_found_behind_what_a_library_makes_of_it(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    server = presenting(authority.issue("server", ends=-HOUR, names=[x509.DNSName("localhost")]))
    wrapped = OSError("no connection")
    try:
        shaken(Reach(authority.file).trust.context, server, "localhost")
    except ssl.SSLError as error:
        wrapped.__cause__ = error
    assert certificate_error(wrapped) is wrapped.__cause__
    assert tls_failure(wrapped) == f"{Distrust.EXPIRED}: {Distrust.EXPIRED.fix}"
    assert (tls_failure(OSError("no")), certificate_error(OSError("no"))) == (None, None)


def test_a_file_of_authorities_that_the_environment_names_and_nobody_has_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = Distrust.UNKNOWN_AUTHORITY.fix
    monkeypatch.setenv("SSL_CERT_FILE", f"{tmp_path}/not-mounted.pem")
    named = f"SSL_CERT_FILE names {tmp_path}/not-mounted.pem, and there is no such file"
    assert Distrust.UNKNOWN_AUTHORITY.fix == f"{named}; {usual}"
    assert Distrust.SELF_SIGNED.fix.startswith(named)
    assert "SSL_CERT_FILE" not in Distrust.EXPIRED.fix
    monkeypatch.setenv("SSL_CERT_FILE", str(CertificateAuthority(tmp_path).file))
    assert usual == Distrust.UNKNOWN_AUTHORITY.fix
