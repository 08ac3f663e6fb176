"""The internal authority, and what it signs."""

from __future__ import annotations

import datetime as dt
import itertools
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.captured_events import captured_events
from tests.clock import Clock

from ostiary.certificates.authority import LIFETIME_OF_AUTHORITY, Authority, make_authority, read_authority
from ostiary.certificates.error import CertificateUnusable
from ostiary.certificates.issued_files import IssuedFiles
from ostiary.certificates.material import read_material
from ostiary.certificates.settings import CaDirectory
from ostiary.identity.certificates import Domain, WorkloadIdentifier
from ostiary.identity.spiffe import DEFAULT_TEMPLATE, SpiffeId, SpiffeIdRefused
from ostiary.identity.svid import faults

GATEWAY = SpiffeId.parse("spiffe://ostiary.local/ns/default/mcpserver/gateway")


def test_what_it_signs_is_an_svid_of_its_domain(authority: Authority, clock: Clock) -> None:
    material = authority.issue(GATEWAY, ["localhost", "127.0.0.1"], now=clock.now)
    leaf = material.chain[0]
    domain = Domain("ostiary.local", DEFAULT_TEMPLATE, lambda: material.trust_bundle)
    workload = WorkloadIdentifier([domain], clock=clock).identify(leaf.public_bytes(Encoding.DER))
    assert list(faults(leaf)) == []
    assert (workload.owner, workload.spiffe_id) == ("default/gateway", GATEWAY)
    assert round(workload.not_after - clock.now) == 24 * 3600
    assert isinstance(leaf.public_key(), ec.EllipticCurvePublicKey)


def test_a_certificate_says_all_that_others_look_for(authority: Authority, clock: Clock) -> None:
    leaf = authority.issue(GATEWAY, ["localhost", "::1", "localhost"], now=clock.now).chain[0]
    said = {extension.oid._name: (extension.critical, extension.value) for extension in leaf.extensions}
    names = said["subjectAltName"][1]
    both = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert isinstance(names, x509.SubjectAlternativeName)
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [str(GATEWAY)]
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert list(map(str, names.get_values_for_type(x509.IPAddress))) == ["::1"]
    assert {name: critical for name, (critical, _) in said.items()} == {
        "basicConstraints": True,
        "keyUsage": True,
        "extendedKeyUsage": False,
        "subjectAltName": True,
        "subjectKeyIdentifier": False,
        "authorityKeyIdentifier": False,
    }
    assert set(said["extendedKeyUsage"][1]) == both
    assert (leaf.not_valid_after_utc - leaf.not_valid_before_utc) == dt.timedelta(hours=24, minutes=5)


def test_it_speaks_for_its_own_domain_alone(authority: Authority, clock: Clock) -> None:
    with pytest.raises(CertificateUnusable, match=r"is not of trust domain ostiary\.local"):
        authority.issue(SpiffeId.parse("spiffe://example.org/ns/a/mcpserver/b"), [], now=clock.now)


def test_no_certificate_outlives_its_authority(authority: Authority, clock: Clock) -> None:
    end = authority.certificate.not_valid_after_utc
    late = authority.issue(GATEWAY, [], now=end.timestamp() - 60)
    assert late.chain[0].not_valid_after_utc == end
    with pytest.raises(CertificateUnusable, match=r"the authority of ostiary\.local ended"):
        authority.issue(GATEWAY, [], now=end.timestamp())


def test_it_is_read_as_it_was_made(authority: Authority, directory: CaDirectory) -> None:
    read = read_authority(directory)
    assert (read.trust_domain, read.certificate) == ("ostiary.local", authority.certificate)
    assert read.trust_bundle == authority.trust_bundle
    assert authority.certificate.not_valid_after_utc - authority.certificate.not_valid_before_utc == (
        LIFETIME_OF_AUTHORITY + dt.timedelta(minutes=5)
    )


def test_its_key_is_for_us_alone(authority: Authority, directory: CaDirectory) -> None:
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (directory.path, directory.private_key)]
    assert modes == [0o700, 0o600]
    assert "_key=" not in repr(authority)
    assert "private_key=" not in repr(authority.issue(GATEWAY, [], now=1_800_000_000.0))


def test_an_authority_is_never_made_over_something_and_leaves_no_draft(
    authority: Authority, directory: CaDirectory, clock: Clock, tmp_path: Path
) -> None:
    before = {file.name: file.read_bytes() for file in directory.path.iterdir()}
    with pytest.raises(CertificateUnusable, match="name a folder that is not there yet"):
        make_authority(directory, "ostiary.local", now=clock.now)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "ca.key").touch()
    (tmp_path / "file").touch()
    for name in ("full", "file", "nowhere/pki"):
        with pytest.raises(CertificateUnusable, match="name a folder that is not there yet"):
            make_authority(CaDirectory(tmp_path / name), "ostiary.local", now=clock.now)
    assert {file.name: file.read_bytes() for file in directory.path.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full", "pki"]


def test_the_root_of_a_file_system_is_no_authority_s(clock: Clock) -> None:
    with pytest.raises(CertificateUnusable, match="name one that is not there yet"):
        make_authority(CaDirectory(Path("/")), "ostiary.local", now=clock.now)


@pytest.mark.parametrize("now", [0.0, -1e12, 1e12, float("nan"), float("inf")])
def test_a_clock_that_is_far_off_signs_nothing_and_is_told(authority: Authority, now: float) -> None:
    """As that of a machine without a battery, which begins in 1970."""
    with pytest.raises(CertificateUnusable, match="clock"):
        authority.issue(GATEWAY, [], now=now)


def test_a_key_that_others_can_read_is_told(authority: Authority, directory: CaDirectory) -> None:
    with captured_events() as logs:
        read_authority(directory)
        directory.private_key.chmod(0o640)  # as Kubernetes has it for a group of the pod's own
        read_authority(directory)
        assert logs == []
        directory.private_key.chmod(0o644)
        read_authority(directory)
    assert [(line["event"], line["file"]) for line in logs] == [
        ("authority_key_open", str(directory.private_key))
    ]


@pytest.mark.parametrize("written", [1, 2])
def test_whoever_was_interrupted_while_files_were_issued_goes_on(
    authority: Authority, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """Killed between two of the three files, at first and when renewing."""
    files, material = IssuedFiles(tmp_path / "issued"), authority.issue(GATEWAY, [], now=clock.now)
    replace, replaced = Path.replace, itertools.count()

    def interrupted(self: Path, target: Path) -> Path:
        if next(replaced) == written:
            raise KeyboardInterrupt
        return replace(self, target)

    for _ in range(2):
        replaced = itertools.count()
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", interrupted)
            with pytest.raises(KeyboardInterrupt):
                files.write(material)
        files.write(authority.issue(GATEWAY, [], now=clock.now))
        whole = read_material(files.certificate, files.private_key, files.trust_bundle)
        assert whole.spiffe_id == GATEWAY
    assert sorted(file.name for file in files.directory.iterdir()) == ["ca.crt", "tls.crt", "tls.key"]


def test_an_authority_is_made_in_an_empty_folder(tmp_path: Path, clock: Clock) -> None:
    made = make_authority(CaDirectory(tmp_path), "ostiary.local", now=clock.now)
    assert read_authority(CaDirectory(tmp_path)).certificate == made.certificate
    assert sorted(file.name for file in tmp_path.iterdir()) == ["ca.crt", "ca.key"]


@pytest.mark.parametrize("name", ["Ostiary.local", "spiffe://ostiary.local", "ostiary.local:8443", ""])
def test_what_is_no_trust_domain_gets_no_authority(directory: CaDirectory, clock: Clock, name: str) -> None:
    with pytest.raises(SpiffeIdRefused):
        make_authority(directory, name, now=clock.now)
    assert not directory.path.exists()


def test_what_cannot_be_an_authority_is_named(
    authority: Authority, directory: CaDirectory, clock: Clock, tmp_path: Path
) -> None:
    other = CaDirectory(tmp_path / "other")
    make_authority(other, "ostiary.local", now=clock.now)
    leaf = authority.issue(GATEWAY, [], now=clock.now)
    rsa_key = rsa.generate_private_key(65537, 2048).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    key = leaf.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for certificate, private_key, told in [
        (b"", other.private_key.read_bytes(), "ca.crt cannot be used"),
        (other.certificate.read_bytes(), b"", "ca.key cannot be used"),
        (authority.trust_bundle.pem.encode(), other.private_key.read_bytes(), "put the one first that signs"),
        (other.certificate.read_bytes(), rsa_key, "is none of ECDSA"),
        (leaf.pem, key, "does not say for which trust domain it speaks"),
    ]:
        directory.certificate.write_bytes(certificate)
        directory.private_key.write_bytes(private_key)
        with pytest.raises(CertificateUnusable, match=told):
            read_authority(directory)
