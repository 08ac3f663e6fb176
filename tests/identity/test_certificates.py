"""Which workload a certificate proves. X509-SVID; the attacks on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.captured_events import captured_events
from tests.clock import Clock
from tests.peers.workload_authority import Extension, Leaf, WorkloadAuthority, svid, uris, usage

from ostiary.identity import certificates
from ostiary.identity.certificates import Workload, WorkloadIdentifier
from ostiary.identity.deny_list import DenyListUnusable
from ostiary.identity.spiffe import SpiffeId
from ostiary.identity.svid import CertificateRefused, Reason
from ostiary.identity.trust_bundles import TrustBundleUnusable
from ostiary.identity.trust_domains import WorkloadIdentitySettings

GATEWAY = "spiffe://example.org/ns/zoo/mcpserver/gateway"
OTHER = "spiffe://example.org/ns/zoo/mcpserver/other"

Identifier = Callable[..., WorkloadIdentifier]


@pytest.fixture
def authority(clock: Clock, tmp_path: Path) -> WorkloadAuthority:
    made = WorkloadAuthority("Authority", clock.now)
    made.write(tmp_path / "bundle.pem")
    return made


@pytest.fixture
def identifier(authority: WorkloadAuthority, clock: Clock, tmp_path: Path) -> Identifier:
    """Makes one that knows example.org. words: of its configuration."""

    def make(**words: Any) -> WorkloadIdentifier:
        domain = {"trust_domain": "example.org", "trust_bundle": tmp_path / "bundle.pem"}
        deny = words.pop("deny", None)
        settings = WorkloadIdentitySettings.model_validate({"trust_domains": [domain | words], "deny": deny})
        return WorkloadIdentifier.from_settings(settings, lambda _: None, clock=clock)

    return make


def refused(identifier: WorkloadIdentifier, leaf: Leaf | None, *chain: Leaf) -> Reason:
    with pytest.raises(CertificateRefused) as raised:
        identifier.identify(None if leaf is None else leaf.der, [other.der for other in chain])
    return raised.value.reason


def test_a_certificate_names_its_owner(
    identifier: Identifier, authority: WorkloadAuthority, clock: Clock
) -> None:
    leaf = authority.issue(GATEWAY)
    assert identifier().identify(leaf.der) == Workload(
        owner="zoo/gateway",
        spiffe_id=SpiffeId.parse(GATEWAY),
        serial=leaf.certificate.serial_number,
        not_after=clock.now + 3600,
    )


def test_the_shape_is_as_configured(identifier: Identifier, authority: WorkloadAuthority) -> None:
    known = identifier(spiffe_id="spiffe://{trust_domain}/ns/{namespace}/sa/{name}")
    by_account = authority.issue("spiffe://example.org/ns/zoo/sa/gateway")
    assert known.identify(by_account.der).owner == "zoo/gateway"
    assert refused(known, authority.issue(GATEWAY)) is Reason.WRONG_SHAPE
    assert refused(identifier(), by_account) is Reason.WRONG_SHAPE


@pytest.mark.parametrize(
    "names",
    [
        (GATEWAY, OTHER),
        (OTHER, GATEWAY),
        (GATEWAY, GATEWAY),
        (GATEWAY, "https://example.org/"),
        ("https://example.org/", GATEWAY),
        (GATEWAY, "urn:x"),
        ("urn:x", GATEWAY),
    ],
)
def test_two_uri_sans_refused(
    identifier: Identifier, authority: WorkloadAuthority, names: Sequence[str]
) -> None:
    assert refused(identifier(), authority.issue("", names=(uris(*names), False))) is Reason.TWO_IDENTITIES


NONE: Sequence[x509.GeneralName] = ()


@pytest.mark.parametrize(
    "names",
    [
        NONE,
        [x509.DNSName(GATEWAY)],
        [x509.DNSName("gateway.zoo.svc")],
        [x509.RFC822Name("gateway@zoo")],
        [x509.UniformResourceIdentifier("https://example.org/ns/zoo/mcpserver/gateway")],
        [x509.UniformResourceIdentifier(f"x-{GATEWAY}")],
    ],
)
def test_neither_subject_nor_host_name_is_an_identity(
    identifier: Identifier, authority: WorkloadAuthority, names: Sequence[x509.GeneralName]
) -> None:
    san: Extension | None = (x509.SubjectAlternativeName(names), False) if names else None
    leaf = authority.issue("", names=san, subject=GATEWAY)
    assert refused(identifier(), leaf) is Reason.NO_IDENTITY


def test_the_issuers_alternative_name_is_no_identity(
    identifier: Identifier, authority: WorkloadAuthority
) -> None:
    issuer: Extension = (x509.IssuerAlternativeName([x509.UniformResourceIdentifier(GATEWAY)]), False)
    assert refused(identifier(), authority.issue("", names=issuer)) is Reason.NO_IDENTITY


def test_names_of_hosts_beside_the_identity_change_nothing(
    identifier: Identifier, authority: WorkloadAuthority
) -> None:
    names = [x509.DNSName("other.zoo"), x509.UniformResourceIdentifier(GATEWAY), x509.DNSName("evil")]
    leaf = authority.issue("", names=(x509.SubjectAlternativeName(names), False))
    assert identifier().identify(leaf.der).owner == "zoo/gateway"


@pytest.mark.parametrize(
    "raw",
    [
        "SPIFFE://example.org/ns/zoo/mcpserver/gateway",
        "spiffe://EXAMPLE.org/ns/zoo/mcpserver/gateway",
        f"{GATEWAY}\n",
        "spiffe://example.org\n/ns/zoo/mcpserver/gateway",
        f"{GATEWAY}/",
        f"{GATEWAY}\0",
        f"{GATEWAY}?x",
        f"{GATEWAY}#x",
        "spiffe://example.org:443/ns/zoo/mcpserver/gateway",
        "spiffe://user@example.org/ns/zoo/mcpserver/gateway",
        "spiffe://example.org/ns/zoo/mcpserver/%67ateway",
        "spiffe://example.org/ns//zoo/mcpserver/gateway",
        "spiffe://example.org/ns/x/../zoo/mcpserver/gateway",
        f"{GATEWAY}/{'a' * 3000}",
    ],
)
def test_noncanonical_spiffe_ids(identifier: Identifier, authority: WorkloadAuthority, raw: str) -> None:
    assert refused(identifier(), authority.issue(raw)) is Reason.NOT_CANONICAL


UNFIT: dict[str, dict[str, Extension | None]] = {
    "an authority": {"constraints": (x509.BasicConstraints(ca=True, path_length=None), True)},
    "no key usage": {"usage": None},
    "key usage that nobody has to heed": {"usage": (usage(digital_signature=True), False)},
    "no digitalSignature": {"usage": (usage(key_encipherment=True), True)},
    "keyCertSign": {"usage": (usage(digital_signature=True, key_cert_sign=True), True)},
    "cRLSign": {"usage": (usage(digital_signature=True, crl_sign=True), True)},
    "clients alone": {"extended": (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)},
    "servers alone": {"extended": (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)},
    "any": {"extended": (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]), False)},
}


@pytest.mark.parametrize("changes", UNFIT.values(), ids=UNFIT.keys())
def test_what_is_no_svid_names_nobody(
    identifier: Identifier, authority: WorkloadAuthority, changes: dict[str, Extension | None]
) -> None:
    assert refused(identifier(), authority.issue(GATEWAY, **changes)) is Reason.NOT_AN_SVID


def test_a_trust_domain_is_no_workload(identifier: Identifier, authority: WorkloadAuthority) -> None:
    assert refused(identifier(), authority.issue("spiffe://example.org")) is Reason.NOT_AN_SVID


def test_without_extended_key_usage_or_constraints_it_is_an_svid(
    identifier: Identifier, authority: WorkloadAuthority
) -> None:
    leaf = authority.issue(GATEWAY, extended=None, constraints=None)
    assert identifier().identify(leaf.der).owner == "zoo/gateway"


def test_what_cannot_be_read_is_refused(identifier: Identifier, authority: WorkloadAuthority) -> None:
    der = authority.issue(GATEWAY).der
    for garbled in (b"", b"\x30\x80", der[:-1], der + b"\0", der.replace(b"spiffe:", b"sp\xffffe:")):
        with pytest.raises(CertificateRefused) as raised:
            identifier().identify(garbled)
        assert raised.value.reason in {Reason.NOT_AN_SVID, Reason.NO_IDENTITY}
    assert refused(identifier(), None) is Reason.NO_CERTIFICATE


def test_foreign_root_cannot_speak(
    identifier: Identifier, authority: WorkloadAuthority, clock: Clock, tmp_path: Path
) -> None:
    """Each domain's authority speaks for it alone, though a handshake takes both."""
    foreign = WorkloadAuthority("Authority", clock.now)
    domains = [
        {
            "trust_domain": "example.org",
            "trust_bundle": tmp_path / "bundle.pem",
            "allowed_namespaces": ["zoo"],
        },
        {
            "trust_domain": "example.com",
            "trust_bundle": foreign.write(tmp_path / "foreign.pem"),
            "allowed_namespaces": ["farm"],
        },
    ]
    settings = WorkloadIdentitySettings.model_validate({"trust_domains": domains})
    known = WorkloadIdentifier.from_settings(settings, lambda _: None, clock=clock)
    abroad = "spiffe://example.com/ns/farm/mcpserver/gateway"
    assert known.identify(authority.issue(GATEWAY).der).owner == "zoo/gateway"
    assert known.identify(foreign.issue(abroad).der).owner == "farm/gateway"
    assert refused(known, foreign.issue(GATEWAY)) is Reason.FOREIGN_ROOT
    assert refused(known, foreign.issue(GATEWAY), authority.own) is Reason.FOREIGN_ROOT
    assert refused(known, authority.issue(abroad)) is Reason.FOREIGN_ROOT
    elsewhere = "spiffe://example.net/ns/zoo/mcpserver/gateway"
    assert refused(known, authority.issue(elsewhere)) is Reason.WRONG_TRUST_DOMAIN
    taken = "spiffe://example.com/ns/zoo/mcpserver/gateway"
    assert refused(known, foreign.issue(taken)) is Reason.NAMESPACE_NOT_ALLOWED


def test_two_domains_share_no_authority(clock: Clock, authority: WorkloadAuthority, tmp_path: Path) -> None:
    (tmp_path / "both.pem").write_text(WorkloadAuthority("B", clock.now).own.pem + authority.own.pem)
    domains = [
        {"trust_domain": "a", "trust_bundle": tmp_path / "bundle.pem", "allowed_namespaces": ["x"]},
        {"trust_domain": "b", "trust_bundle": tmp_path / "both.pem", "allowed_namespaces": ["y"]},
    ]
    settings = WorkloadIdentitySettings.model_validate({"trust_domains": domains})
    with pytest.raises(TrustBundleUnusable, match="trust domains a and b have an authority in common"):
        WorkloadIdentifier.from_settings(settings, lambda _: None, clock=clock)


def test_a_chain_leads_through_the_authorities_that_were_shown(
    identifier: Identifier, authority: WorkloadAuthority
) -> None:
    below = authority.below("Below").below("Further below")
    middle = authority.below("Middle")
    leaf = middle.issue(GATEWAY)
    known = identifier()
    assert refused(known, leaf) is Reason.FOREIGN_ROOT
    assert known.identify(leaf.der, [leaf.der, middle.own.der]).owner == "zoo/gateway"
    assert known.identify(leaf.der, [middle.own.der, authority.own.der]).owner == "zoo/gateway"
    assert refused(known, leaf) is Reason.FOREIGN_ROOT
    assert refused(known, below.issue(GATEWAY), middle.own) is Reason.FOREIGN_ROOT


def test_a_workload_is_no_authority(identifier: Identifier, authority: WorkloadAuthority) -> None:
    leaf = authority.issue(OTHER)
    usurper = WorkloadAuthority("workload", authority.now)
    usurper.own = leaf
    assert refused(identifier(), usurper.issue(GATEWAY), leaf) is Reason.FOREIGN_ROOT


@pytest.mark.parametrize(
    "unfit",
    [
        [(x509.BasicConstraints(ca=True, path_length=None), True), (usage(crl_sign=True), True)],
        [(x509.BasicConstraints(ca=False, path_length=None), True), (usage(key_cert_sign=True), True)],
        [(usage(key_cert_sign=True), True)],
    ],
)
def test_an_authority_that_may_not_sign_certificates_does_not(
    identifier: Identifier, authority: WorkloadAuthority, unfit: list[Extension]
) -> None:
    middle = WorkloadAuthority("Middle", authority.now)
    middle.own = authority.sign(unfit, subject="Middle")
    assert refused(identifier(), middle.issue(GATEWAY), middle.own) is Reason.FOREIGN_ROOT


def test_the_end_of_a_certificate_is_looked_at_each_time(
    identifier: Identifier, authority: WorkloadAuthority, clock: Clock
) -> None:
    known, leaf = identifier(), authority.issue(GATEWAY, begins=60, ends=120)
    assert refused(known, leaf) is Reason.NOT_YET_VALID
    clock.advance(60)
    assert known.identify(leaf.der).owner == "zoo/gateway"
    clock.advance(60)
    assert known.identify(leaf.der).owner == "zoo/gateway"
    clock.advance(1)
    assert refused(known, leaf) is Reason.EXPIRED
    clock.advance(-62)
    assert refused(known, leaf) is Reason.NOT_YET_VALID


def test_the_end_of_what_a_chain_leads_through_is_looked_at_each_time(
    identifier: Identifier, authority: WorkloadAuthority, clock: Clock
) -> None:
    middle = authority.below("Middle", ends=60)
    known, leaf = identifier(), middle.issue(GATEWAY)
    assert known.identify(leaf.der, [middle.own.der]).owner == "zoo/gateway"
    clock.advance(61)
    assert refused(known, leaf, middle.own) is Reason.FOREIGN_ROOT


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"allowed_namespaces": ["zoo"], "allowed_names": ["gateway"]}, None),
        ({"allowed_namespaces": ["farm", "zo"]}, Reason.NAMESPACE_NOT_ALLOWED),
        ({"allowed_names": ["zoo", "gateway2"]}, Reason.NAME_NOT_ALLOWED),
        ({"allowed_namespaces": ["zoo"], "allowed_names": ["other"]}, Reason.NAME_NOT_ALLOWED),
    ],
)
def test_who_is_not_listed_is_not_let_in(
    identifier: Identifier,
    authority: WorkloadAuthority,
    words: dict[str, list[str]],
    reason: Reason | None,
) -> None:
    known, leaf = identifier(**words), authority.issue(GATEWAY)
    if reason is None:
        assert known.identify(leaf.der).owner == "zoo/gateway"
    else:
        assert refused(known, leaf) is reason


def test_the_deny_list_is_live(identifier: Identifier, authority: WorkloadAuthority, tmp_path: Path) -> None:
    deny = tmp_path / "deny"
    deny.write_text("# nobody yet\n")
    known = identifier(deny=deny)
    leaf, other = authority.issue(GATEWAY), authority.issue(OTHER)
    serial = other.certificate.serial_number
    with_colons = ":".join(f"{byte:02X}" for byte in serial.to_bytes(20))
    assert known.identify(leaf.der).owner == "zoo/gateway"
    deny.write_text("zoo/gateway  # left on the train\n")
    assert refused(known, leaf) is Reason.DENIED
    assert known.identify(other.der).owner == "zoo/other"
    for written in (f"{serial:x}", f"{serial:#X}", with_colons):
        deny.write_text(f"\ufeff# one certificate of it\r\n\r\n{written}\r\n")
        assert refused(known, other) is Reason.DENIED
        assert known.identify(leaf.der).owner == "zoo/gateway"
        assert known.identify(authority.issue(OTHER).der).owner == "zoo/other"
        deny.write_text("")
        assert known.identify(other.der).owner == "zoo/other"


@pytest.mark.parametrize(
    "broken", ["zoo/gateway\nzoo\n", "a/b/c", "Zoo/gateway", "spiffe://example.org", "zoo/*", "12g"]
)
def test_a_broken_deny_list_leaves_what_was(
    identifier: Identifier, authority: WorkloadAuthority, tmp_path: Path, broken: str
) -> None:
    deny = tmp_path / "deny"
    deny.write_text("zoo/gateway\n")
    known, leaf = identifier(deny=deny), authority.issue(GATEWAY)
    deny.write_text(f"# changed\n{broken}")
    with captured_events() as logs:
        assert refused(known, leaf) is Reason.DENIED
        assert refused(known, leaf) is Reason.DENIED
        deny.unlink()
        assert refused(known, leaf) is Reason.DENIED
        deny.mkdir()
        assert refused(known, leaf) is Reason.DENIED
        deny.rmdir()
        deny.write_bytes(b"\xff\xfe")
        assert refused(known, leaf) is Reason.DENIED
    assert [(line["event"], line["file"]) for line in logs] == [("file_not_reread", str(deny))] * 4
    deny.unlink()
    with pytest.raises(DenyListUnusable, match="cannot be read"):
        identifier(deny=deny)
    deny.write_text(f"# changed\n{broken}")
    with pytest.raises(DenyListUnusable, match="is neither an owner"):
        identifier(deny=deny)


def test_a_bundle_that_changes_is_read_again(
    identifier: Identifier, authority: WorkloadAuthority, clock: Clock, tmp_path: Path
) -> None:
    following = WorkloadAuthority("Following", clock.now)
    before, after, bundle = authority.issue(GATEWAY), following.issue(GATEWAY), tmp_path / "bundle.pem"
    known = identifier()
    assert known.identify(before.der).owner == "zoo/gateway"
    assert refused(known, after) is Reason.FOREIGN_ROOT
    bundle.write_text(authority.own.pem + following.own.pem)
    assert {known.identify(leaf.der).owner for leaf in (before, after)} == {"zoo/gateway"}
    following.write(bundle)
    assert refused(known, before) is Reason.FOREIGN_ROOT
    bundle.write_text("half a fi")
    assert known.identify(after.der).owner == "zoo/gateway"
    assert refused(known, before) is Reason.FOREIGN_ROOT
    with pytest.raises(TrustBundleUnusable, match="has no certificates in PEM"):
        identifier()
    bundle.unlink()
    assert known.identify(after.der).owner == "zoo/gateway"
    with pytest.raises(TrustBundleUnusable, match="No such file"):
        identifier()


def test_a_domain_that_nobody_has_authorities_for_is_told_at_the_start(
    authority: WorkloadAuthority, clock: Clock
) -> None:
    settings = WorkloadIdentitySettings(trust_domain="example.org")
    with pytest.raises(TrustBundleUnusable, match=r"no authorities for trust domain example\.org"):
        WorkloadIdentifier.from_settings(settings, lambda _: None, clock=clock)


def test_what_is_remembered_is_bounded(
    identifier: Identifier, authority: WorkloadAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "MOST_REMEMBERED", 2)
    known = identifier()
    leaves = [authority.issue(GATEWAY) for _ in range(4)]
    for leaf in [*leaves, *leaves, leaves[-1]]:
        assert known.identify(leaf.der).owner == "zoo/gateway"
    assert len(known._proven) == 2


def test_a_certificate_is_remembered_until_its_authorities_change(
    identifier: Identifier, authority: WorkloadAuthority, tmp_path: Path
) -> None:
    known, leaf = identifier(), authority.issue(GATEWAY)
    first = known.identify(leaf.der)
    assert known.identify(leaf.der) is first
    (tmp_path / "bundle.pem").write_text(f"# changed\n{authority.own.pem}")
    assert known.identify(leaf.der) is not first


def test_internal_needs_trust_domain() -> None:
    with pytest.raises(ValueError, match="write trust_domain, or trust_domains for several"):
        WorkloadIdentitySettings()


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({"trust_domain": "Example.org"}, "a trust domain is a name"),
        ({"trust_domain": "spiffe://example.org"}, "a trust domain is a name"),
        ({"trust_domain": "a", "trust_domains": [{"trust_domain": "b"}]}, "write trust_domain, or"),
        ({"trust_domain": "a", "spiffe_id": "spiffe://{trust_domain}/x"}, "has {namespace} once"),
        ({"trust_domain": "a", "allowed_namespaces": ["*"]}, "String should match pattern"),
        ({"trust_domains": [{"trust_domain": "a"}], "allowed_names": ["x"]}, "stands in each of them"),
        ({"trust_domains": [{"trust_domain": "a"}, {"trust_domain": "b"}]}, "a needs allowed_namespaces"),
        (
            {
                "trust_domains": [
                    {"trust_domain": "a", "allowed_namespaces": ["x", "y"]},
                    {"trust_domain": "b", "allowed_namespaces": ["z", "y"]},
                ]
            },
            "namespace y stands with a and with b: their workloads would be one owner",
        ),
        (
            {
                "trust_domains": [
                    {"trust_domain": "a", "allowed_namespaces": ["x"]},
                    {"trust_domain": "a", "allowed_namespaces": ["y"]},
                ]
            },
            "trust domain a stands twice",
        ),
    ],
)
def test_settings_that_could_take_one_workload_for_another_are_refused(
    written: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        WorkloadIdentitySettings.model_validate(written)


def test_what_svid_extensions_are_is_seen_to_matter() -> None:
    """The peer of these tests makes an SVID when nothing is changed, and what it is told to where it is."""
    assert len(svid(GATEWAY)) == 4
    assert len(svid(GATEWAY, usage=None)) == 3
