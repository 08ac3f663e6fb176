"""https on a listener, while its certificate is exchanged, is wrong, and ends."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from tests.captured_events import captured_events
from tests.certificates.handshakes import handshake, is_refused
from tests.clock import Clock
from tests.peers.certificates import LIFE, CertificateAuthority

from ostiary.certificates.authority import Authority
from ostiary.certificates.error import CertificateUnusable
from ostiary.certificates.listener_tls import ListenerTls
from ostiary.certificates.settings import CaDirectory, InternalCaCertificates, KeyPairFiles

HOST = "127.0.0.1"


class Site:
    """Files of a certificate, and whoever believes their authority."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self.authority = CertificateAuthority(directory)
        self.clock = clock
        self.certificate, self.key = self.authority.issue("site")

    def renew(self, begins: dt.timedelta = -2 * LIFE, ends: dt.timedelta = LIFE) -> None:
        """In place, file by file."""
        self.authority.issue("site", begins=begins, ends=ends)

    def tls(self) -> ListenerTls:
        settings = KeyPairFiles(certificate=self.certificate, private_key=self.key)
        return ListenerTls(
            settings, name="gateway.tls", owner="default/gateway", names=[HOST], clock=self.clock
        )

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.authority.file)

    def shown_to_a_client(self, tls: ListenerTls) -> int:
        """The serial number of the certificate."""
        shown = handshake(tls.context, self.client(), HOST).client.getpeercert(binary_form=True)
        assert shown is not None
        return x509.load_der_x509_certificate(shown).serial_number

    @property
    def serial(self) -> int:
        """Of the one in the file."""
        return x509.load_pem_x509_certificate(self.certificate.read_bytes()).serial_number


@pytest.fixture
def site(tmp_path: Path, clock: Clock) -> Site:
    return Site(tmp_path, clock)


def test_nobody_is_asked_for_a_certificate_and_http_1_is_agreed_on(site: Site) -> None:
    client = site.client()
    client.set_alpn_protocols(["h2", "http/1.1"])
    ends = handshake(site.tls().context, client, HOST)
    assert (ends.client.version(), ends.client.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_downgrade_to_a_broken_version_of_tls(site: Site) -> None:
    context = site.tls().context
    older = site.client()
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    assert handshake(context, older, HOST).client.version() == "TLSv1.2"
    broken = site.client()
    broken.set_ciphers("ALL:@SECLEVEL=0")
    broken.minimum_version = broken.maximum_version = ssl.TLSVersion.TLSv1_1
    assert is_refused(context, broken, HOST)


def test_a_new_certificate_is_shown_from_the_next_connection_on(site: Site) -> None:
    tls = site.tls()
    first = site.serial
    assert site.shown_to_a_client(tls) == first
    site.renew()
    assert site.shown_to_a_client(tls) == site.serial != first


@pytest.mark.parametrize("broken", ["another key", "no certificate", "one that is over"])
def test_a_bad_new_pair_is_told_and_the_old_one_is_shown(site: Site, broken: str) -> None:
    tls, first = site.tls(), site.serial
    assert site.shown_to_a_client(tls) == first
    if broken == "another key":
        site.key.write_bytes(site.authority.issue("other")[1].read_bytes())
    elif broken == "no certificate":
        site.certificate.write_text("half of a file")
    else:
        site.renew(ends=-LIFE)
    with captured_events() as told:
        assert site.shown_to_a_client(tls) == first
        assert site.shown_to_a_client(tls) == first
    assert [event["event"] for event in told] == ["file_not_reread"]
    site.renew()
    assert site.shown_to_a_client(tls) == site.serial


def test_at_the_start_a_bad_pair_is_refused(site: Site) -> None:
    site.key.write_bytes(site.authority.issue("other")[1].read_bytes())
    with pytest.raises(CertificateUnusable, match="it is another certificate's"):
        site.tls()


async def test_an_end_that_nobody_averts_is_told_ahead_and_then_not_ready(site: Site, clock: Clock) -> None:
    site.renew(begins=-2 * LIFE, ends=2 * LIFE)  # four days in all
    tls = site.tls()
    with captured_events() as told:
        clock.advance(1.1 * 86400)
        assert await tls.unusable() is None
        assert told == []
        clock.advance(0.2 * 86400)
        assert [await tls.unusable() for _ in range(3)] == [None] * 3
        assert [(event["event"], event["log_level"]) for event in told] == [("certificate_ends", "warning")]
        clock.advance(86400)
        reason = await tls.unusable()
    assert reason is not None
    assert reason.startswith("the certificate of gateway.tls ended at ")
    assert [(event["event"], event["log_level"]) for event in told[1:]] == [("certificate_unusable", "error")]


async def test_one_that_is_not_yet_good_is_told(site: Site) -> None:
    site.renew(begins=LIFE, ends=2 * LIFE)
    reason = await site.tls().unusable()
    assert reason is not None
    assert "see whether the clock is right" in reason


def test_an_internal_authority_gives_one(authority: Authority, directory: CaDirectory, clock: Clock) -> None:
    settings = InternalCaCertificates(source="internal_ca", directory=directory)
    tls = ListenerTls(settings, name="gateway.tls", owner="default/gateway", names=[HOST], clock=clock)
    ends = handshake(tls.context, ssl.create_default_context(cadata=authority.trust_bundle.pem), HOST)
    assert ends.client.version() == "TLSv1.3"
    tls.close()
