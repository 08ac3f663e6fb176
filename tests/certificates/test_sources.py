"""Where our own certificate comes from: files, or an authority in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from tests.captured_events import captured_events
from tests.clock import Clock
from tests.peers.workload_authority import Leaf, WorkloadAuthority

from ostiary.certificates.authority import Authority, make_authority
from ostiary.certificates.error import CertificateUnusable
from ostiary.certificates.host_names import host_names
from ostiary.certificates.opening import open_certificates
from ostiary.certificates.settings import (
    CaDirectory,
    CertificateSettings,
    FileCertificates,
    InternalCaCertificates,
    SpiffeCertificates,
)
from ostiary.certificates.source import CertificateSource
from ostiary.oauth.canonical_url import canonical_url
from ostiary.settings import read_listen

SETTINGS: TypeAdapter[FileCertificates | InternalCaCertificates | SpiffeCertificates] = TypeAdapter(
    CertificateSettings
)
HOUR = 3600.0
GATEWAY = "spiffe://example.org/ns/zoo/mcpserver/gateway"


def opened(clock: Clock, **written: Any) -> CertificateSource:
    settings = SETTINGS.validate_python(written)
    return open_certificates(settings, owner="default/gateway", names=["localhost"], clock=clock)


class Files:
    """Three files, written as somebody does who renews them."""

    def __init__(self, directory: Path) -> None:
        self.names = [directory / name for name in ("tls.crt", "tls.key", "ca.crt")]

    def write(self, leaf: Leaf, *above: Leaf) -> None:
        for name, text in zip(self.names, (leaf.pem, leaf.key_pem, above[-1].pem), strict=True):
            name.write_text(text)

    @property
    def settings(self) -> dict[str, Any]:
        certificate, private_key, trust_bundle = self.names
        return {"certificate": certificate, "private_key": private_key, "trust_bundle": trust_bundle}


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_files_are_read_again_when_all_of_them_fit(
    files: Files, foreign: WorkloadAuthority, clock: Clock
) -> None:
    before, after = foreign.issue(GATEWAY), foreign.issue(GATEWAY)
    files.write(before, foreign.own)
    source = opened(clock, **files.settings)
    first = source.current()
    assert first.chain == (before.certificate,)
    assert source.current() is first
    files.names[0].write_text(after.pem)
    with captured_events() as logs:
        assert source.current() is first
        assert source.current() is first
    assert [(line["event"], "it is another certificate's" in line["reason"]) for line in logs] == [
        ("file_not_reread", True)
    ]
    files.names[1].write_text(after.key_pem)
    assert source.current().chain == (after.certificate,)
    files.names[1].unlink()
    assert source.current().chain == (after.certificate,)


def test_files_have_authorities_of_their_own_domain_alone(
    files: Files, foreign: WorkloadAuthority, clock: Clock
) -> None:
    files.write(foreign.issue(GATEWAY), foreign.own)
    source = opened(clock, source="files", **files.settings)
    assert source.bundle("example.org") is source.current().trust_bundle
    assert source.bundle("ostiary.local") is None
    files.write(foreign.sign([]), foreign.own)
    assert source.bundle("ostiary.local") is source.current().trust_bundle


def test_files_that_cannot_be_used_are_named(files: Files, foreign: WorkloadAuthority, clock: Clock) -> None:
    leaf = foreign.issue(GATEWAY)
    for index, told in enumerate(("certificate .*tls.crt", "key .*tls.key", "trust bundle .*ca.crt")):
        files.write(leaf, foreign.own)
        files.names[index].write_text("nothing")
        with pytest.raises(CertificateUnusable, match=f"{told} cannot be used"):
            opened(clock, **files.settings)
        files.names[index].unlink()
        with pytest.raises(CertificateUnusable, match=rf"{told} cannot be used \(No such file"):
            opened(clock, **files.settings)


def test_a_chain_is_shown_whole(files: Files, foreign: WorkloadAuthority, clock: Clock) -> None:
    middle = foreign.below("Middle")
    leaf = middle.issue(GATEWAY)
    files.write(leaf, foreign.own)
    files.names[0].write_text(leaf.pem + middle.own.pem)
    assert opened(clock, **files.settings).current().chain == (leaf.certificate, middle.own.certificate)


@pytest.fixture
def internal(authority: Authority, directory: CaDirectory) -> dict[str, Any]:
    return {"source": "internal_ca", "directory": directory.path}


def test_an_internal_authority_makes_a_certificate_for_the_part(
    internal: dict[str, Any], clock: Clock
) -> None:
    default = opened(clock, **internal).current()
    named = opened(clock, **internal, owner="zoo/broker", names=["mcp.internal", "10.0.0.7"]).current()
    whole = "spiffe://ostiary.local/ns/zoo/sa/broker"
    assert str(default.spiffe_id) == "spiffe://ostiary.local/ns/default/mcpserver/gateway"
    assert str(named.spiffe_id) == "spiffe://ostiary.local/ns/zoo/mcpserver/broker"
    assert str(opened(clock, **internal, spiffe_id=whole).current().spiffe_id) == whole


def test_a_certificate_is_renewed_after_two_thirds_of_its_life(
    internal: dict[str, Any], clock: Clock
) -> None:
    source = opened(clock, **internal)
    first = source.current()
    clock.advance(16 * HOUR - 1)
    assert source.current() is first
    clock.advance(1)
    second = source.current()
    assert second is not first
    assert second.chain[0].serial_number != first.chain[0].serial_number
    assert second.private_key is not first.private_key
    assert round(second.chain[0].not_valid_after_utc.timestamp() - clock.now) == 24 * HOUR
    assert source.current() is second


@pytest.mark.parametrize("years", [1, 20])
def test_a_clock_that_was_wrong_for_a_moment_leaves_no_certificate_of_the_future(
    internal: dict[str, Any], clock: Clock, years: int
) -> None:
    """It ran ahead, past the authority's end or not, and was set right: the next certificate is of today."""
    source = opened(clock, **internal)
    clock.advance(years * 365 * 24 * HOUR)
    source.current()
    clock.advance(-years * 365 * 24 * HOUR)
    leaf = source.current().chain[0]
    assert leaf.not_valid_before_utc.timestamp() <= clock.now < leaf.not_valid_after_utc.timestamp()
    clock.advance(16 * HOUR)
    assert source.current().chain[0] != leaf


def test_a_clock_that_is_set_back_by_seconds_renews_nothing(internal: dict[str, Any], clock: Clock) -> None:
    source = opened(clock, **internal)
    first = source.current()
    clock.advance(-60)
    assert source.current() is first


def test_an_authority_is_replaced_in_two_steps(
    internal: dict[str, Any], authority: Authority, directory: CaDirectory, clock: Clock, tmp_path: Path
) -> None:
    source = opened(clock, **internal)
    old = source.current()
    following = CaDirectory(tmp_path / "following")
    new = make_authority(following, "ostiary.local", now=clock.now)
    directory.certificate.write_text(authority.trust_bundle.pem + new.trust_bundle.pem)
    both = source.current()
    assert len(both.trust_bundle.certificates) == 2
    assert both.chain[0].issuer == authority.certificate.subject
    directory.certificate.write_text(new.trust_bundle.pem + authority.trust_bundle.pem)
    assert source.current().chain[0].issuer == authority.certificate.subject
    directory.private_key.write_bytes(following.private_key.read_bytes())
    assert source.current().chain[0].issuer == new.certificate.subject
    assert source.bundle("ostiary.local") == both.trust_bundle
    assert source.bundle("example.org") is None
    assert old.trust_bundle != both.trust_bundle


def test_an_authority_that_cannot_sign_any_more_leaves_what_was(
    internal: dict[str, Any], authority: Authority, directory: CaDirectory, clock: Clock
) -> None:
    source = opened(clock, **internal)
    first = source.current()
    clock.now = authority.certificate.not_valid_after_utc.timestamp() + 1
    with captured_events() as logs:
        assert {source.current() for _ in range(3)} == {first}
        clock.advance(60)
        assert source.current() is first
    assert [line["event"] for line in logs] == ["certificate_not_renewed"] * 2
    with pytest.raises(CertificateUnusable, match="ended"):
        opened(clock, **internal)
    directory.private_key.unlink()
    assert source.current() is first
    with pytest.raises(CertificateUnusable, match=r"ca\.key cannot be used \(No such file"):
        opened(clock, **internal)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({"source": "internal_ca"}, "directory"),
        ({"source": "vault"}, "does not match any of the expected tags"),
        ({"source": "internal_ca", "directory": "pki", "trust_bundle": "x"}, "Extra inputs"),
        ({"directory": "pki"}, "Extra inputs"),
        ({"source": "internal_ca", "directory": "pki", "owner": "a/b/c"}, "should match pattern"),
        ({"source": "internal_ca", "directory": "pki", "spiffe_id": "spiffe://a"}, "is a trust domain's"),
        ({"source": "internal_ca", "directory": "pki", "spiffe_id": "spiffe://A/b"}, "a trust domain is"),
        (
            {"source": "internal_ca", "directory": "pki", "spiffe_id": "spiffe://a/b", "owner": "a/b"},
            "both say which workload",
        ),
        *(
            ({"source": "internal_ca", "directory": "pki", "names": [name]}, "for host names in lower case")
            for name in ("Host", "host:443", "https://host", "1.2.3", "a b", "", "-a", "*.example.org", "a\n")
        ),
    ],
)
def test_settings_that_make_no_certificate_are_refused(written: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        SETTINGS.validate_python(written)


@pytest.mark.parametrize(
    ("listen", "url", "names"),
    [
        ("127.0.0.1:9443", None, ("localhost", "127.0.0.1", "::1")),
        ("10.0.0.7:9443", "https://auth.internal:9443", ("auth.internal", "10.0.0.7")),
        ("0.0.0.0:9443", "https://[fd00::7]", ("fd00::7", "localhost", "127.0.0.1", "::1")),
        ("[fd00::7]:9443", None, ("fd00::7",)),
    ],
)
def test_a_server_s_certificate_is_for_where_it_listens(
    listen: str, url: str | None, names: Sequence[str]
) -> None:
    told = None if url is None else canonical_url(url)
    assert host_names(read_listen(listen), told) == names
