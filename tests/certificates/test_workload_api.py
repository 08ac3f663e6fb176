"""Certificates from the SPIFFE Workload API, of an agent that serves it on a socket."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from pydantic import TypeAdapter
from spiffe._proto import workload_pb2
from tests.captured_events import captured_events
from tests.certificates.handshakes import handshake, is_refused
from tests.clock import Clock
from tests.peers.workload_api import Agent
from tests.peers.workload_authority import Leaf, WorkloadAuthority, uris

from ostiary.certificates import workload_api
from ostiary.certificates.error import CertificateUnusable
from ostiary.certificates.named_server import expect_server
from ostiary.certificates.opening import open_certificates
from ostiary.certificates.settings import LONGEST_PATH, AgentSocket, CertificateSettings, SpiffeCertificates
from ostiary.certificates.tls import ClientContexts, server_context
from ostiary.certificates.workload_api import MOST_AUTHORITIES, SOCKET_VARIABLE, WorkloadApiSource
from ostiary.event_log import Event
from ostiary.identity.certificates import WorkloadIdentifier
from ostiary.identity.spiffe import SpiffeId
from ostiary.identity.svid import CertificateRefused, Reason
from ostiary.identity.trust_bundles import TrustBundleUnusable
from ostiary.identity.trust_domains import WorkloadIdentitySettings

GATEWAY = "spiffe://example.org/ns/zoo/sa/gateway"
AUTHSERVER = "spiffe://example.org/ns/zoo/sa/authserver"
ABROAD = "spiffe://example.com/ns/farm/sa/gateway"


class Heard(logging.Handler):
    """What the source tells, so that a test can wait for it."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._news = threading.Condition()
        self._events: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(record.msg, Event):
            with self._news:
                self._events.append(record.msg["event"])
                self._news.notify_all()

    def wait(self, event: str, times: int = 1) -> None:
        """Until it was told so often."""
        with self._news:
            assert self._news.wait_for(lambda: self._events.count(event) >= times, 20), self._events


@pytest.fixture(autouse=True)
def _asks_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workload_api, "ASKED_AGAIN_AFTER", 0.02)


@pytest.fixture
def heard() -> Iterator[Heard]:
    handler, logger = Heard(), logging.getLogger("ostiary.certificates")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(before)


@pytest.fixture
def agent() -> Iterator[Agent]:
    with Agent() as running:
        yield running


@pytest.fixture
def ours(clock: Clock) -> WorkloadAuthority:
    return WorkloadAuthority("example.org", clock.now)


Open = Callable[..., WorkloadApiSource]


@pytest.fixture
def opened(agent: Agent, clock: Clock) -> Iterator[Open]:
    """Opens a source at the agent. settings: of it; patience: seconds."""
    sources: list[WorkloadApiSource] = []

    def open_it(*, patience: float = 20.0, **settings: Any) -> WorkloadApiSource:
        written = SpiffeCertificates.model_validate({"source": "spiffe", "socket": agent.socket, **settings})
        sources.append(WorkloadApiSource(written, clock=clock, patience=patience))
        return sources[-1]

    yield open_it
    for source in sources:
        source.close()


def test_what_the_agent_gives_is_shown_on_both_sides(
    agent: Agent, opened: Open, ours: WorkloadAuthority, foreign: WorkloadAuthority
) -> None:
    agent.give(*((name, ours.issue(name), ours) for name in (AUTHSERVER, GATEWAY)))
    server, client = opened(spiffe_id=AUTHSERVER), opened(spiffe_id=GATEWAY)
    outer = server_context(server)
    by_name = ClientContexts(client, check_hostname=False).current()
    expect_server(by_name, SpiffeId.parse(AUTHSERVER))
    ends = handshake(outer, by_name)
    shown = ends.server.getpeercert(binary_form=True)
    settings = WorkloadIdentitySettings.model_validate(
        {"trust_domain": "example.org", "spiffe_id": "spiffe://{trust_domain}/ns/{namespace}/sa/{name}"}
    )
    known = WorkloadIdentifier.from_settings(settings, server.bundle, clock=lambda: ours.now)
    assert known.identify(shown).owner == "zoo/gateway"
    with Agent() as elsewhere:
        elsewhere.give((GATEWAY, foreign.issue(GATEWAY), foreign))
        stranger = opened(socket=elsewhere.socket)
        theirs = ClientContexts(stranger, lambda: [server.current().trust_bundle]).current()
        assert is_refused(outer, theirs)


def test_a_new_certificate_key_and_bundle_are_taken_as_they_are_pushed(
    agent: Agent, opened: Open, ours: WorkloadAuthority, clock: Clock, heard: Heard
) -> None:
    agent.give((GATEWAY, ours.issue(GATEWAY), ours))
    source = opened()
    first, bundle = source.current(), source.bundle("example.org")
    assert source.current() is first
    agent.give((GATEWAY, ours.issue(GATEWAY), ours))
    heard.wait("certificate_taken", 2)
    second = source.current()
    assert second.chain[0].serial_number != first.chain[0].serial_number
    assert source.bundle("example.org") is bundle, "so that what was verified need not be again"
    following = WorkloadAuthority("example.org", clock.now)
    agent.give((GATEWAY, following.issue(GATEWAY), following))
    heard.wait("certificate_taken", 3)
    assert source.bundle("example.org") == source.current().trust_bundle != bundle
    assert agent.streams == 1


def test_federated_domains_speak_for_themselves_and_can_be_taken_away(
    agent: Agent,
    opened: Open,
    ours: WorkloadAuthority,
    foreign: WorkloadAuthority,
    heard: Heard,
    clock: Clock,
) -> None:
    agent.give((GATEWAY, ours.issue(GATEWAY), ours), federated={"example.com": foreign})
    source = opened()
    shape = {"spiffe_id": "spiffe://{trust_domain}/ns/{namespace}/sa/{name}"}
    domains = [
        {"trust_domain": "example.org", "allowed_namespaces": ["zoo"], **shape},
        {"trust_domain": "example.com", "allowed_namespaces": ["farm"], **shape},
    ]
    settings = WorkloadIdentitySettings.model_validate({"trust_domains": domains})
    known = WorkloadIdentifier.from_settings(settings, source.bundle, clock=clock)
    theirs, usurped = foreign.issue(ABROAD), foreign.issue(GATEWAY)
    assert known.identify(theirs.der).owner == "farm/gateway"
    assert len(known.authorities()) == 2
    assert reason_of(known, usurped) is Reason.FOREIGN_ROOT
    agent.give((GATEWAY, ours.issue(GATEWAY), ours))
    heard.wait("certificate_taken", 2)
    assert source.bundle("example.com") is None
    assert reason_of(known, theirs) is Reason.FOREIGN_ROOT
    assert len(known.authorities()) == 1


def test_an_agent_of_another_trust_domain_is_told_at_the_start(
    agent: Agent, opened: Open, ours: WorkloadAuthority, clock: Clock
) -> None:
    """Nobody could ever be let in."""
    agent.give((GATEWAY, ours.issue(GATEWAY), ours))
    settings = WorkloadIdentitySettings.model_validate({"trust_domain": "ostiary.local"})
    with pytest.raises(TrustBundleUnusable, match="there are no authorities for trust domain ostiary"):
        WorkloadIdentifier.from_settings(settings, opened().bundle, clock=clock)


def reason_of(known: WorkloadIdentifier, leaf: Leaf) -> Reason:
    with pytest.raises(CertificateRefused) as refused:
        known.identify(leaf.der)
    return refused.value.reason


def test_one_of_several_certificates_is_chosen_by_its_name(
    agent: Agent, opened: Open, ours: WorkloadAuthority
) -> None:
    both = [(name, ours.issue(name), ours) for name in (GATEWAY, AUTHSERVER)]
    agent.give(*both)
    assert str(opened().current().spiffe_id) == GATEWAY
    assert str(opened(spiffe_id=AUTHSERVER).current().spiffe_id) == AUTHSERVER
    with pytest.raises(CertificateUnusable, match=f"there is no certificate for {GATEWAY}2, only for"):
        opened(spiffe_id=f"{GATEWAY}2", patience=0.5)


def test_a_chain_is_shown_whole(agent: Agent, opened: Open, ours: WorkloadAuthority) -> None:
    middle = ours.below("Middle")
    leaf = middle.issue(GATEWAY)
    whole = workload_pb2.X509SVIDResponse()
    agent.give((GATEWAY, leaf, ours))
    whole.CopyFrom(agent.said[-1])
    whole.svids[0].x509_svid = leaf.der + middle.own.der
    agent.say(whole)
    assert opened().current().chain == (leaf.certificate, middle.own.certificate)


UNFIT = {
    "a line feed at its end": uris(f"{GATEWAY}\n"),
    "capitals in its domain": uris("spiffe://Example.org/ns/zoo/sa/gateway"),
}


@pytest.mark.parametrize("names", UNFIT.values(), ids=UNFIT.keys())
def test_what_the_package_takes_and_we_do_not_is_never_shown(
    agent: Agent, opened: Open, ours: WorkloadAuthority, heard: Heard, names: Any
) -> None:
    """Its reading of SPIFFE IDs is more lenient than ours."""
    unfit = ours.issue("", names=(names, False))
    agent.give((GATEWAY, unfit, ours))
    with pytest.raises(CertificateUnusable, match="what the Workload API gave is no SVID"):
        opened(patience=0.5)
    agent.give((GATEWAY, ours.issue(GATEWAY), ours))
    source = opened()
    before = source.current()
    agent.give((GATEWAY, unfit, ours))
    heard.wait("certificate_not_taken", 2)
    assert source.current() is before


def test_a_key_of_another_certificate_is_never_shown(
    agent: Agent, opened: Open, ours: WorkloadAuthority
) -> None:
    leaf, other = ours.issue(GATEWAY), ours.issue(GATEWAY)
    agent.give((GATEWAY, Leaf(leaf.certificate, other.key), ours))
    with pytest.raises(CertificateUnusable, match="with the key of another one"):
        opened(patience=0.5)


def test_an_agent_that_tells_nonsense_leaves_what_was_and_is_asked_again(
    agent: Agent, opened: Open, ours: WorkloadAuthority, heard: Heard
) -> None:
    agent.give((GATEWAY, ours.issue(GATEWAY), ours))
    source = opened()
    before = source.current()
    garbled = workload_pb2.X509SVID(spiffe_id=GATEWAY, x509_svid=b"\x30\x80", x509_svid_key=b"", bundle=b"")
    agent.say(workload_pb2.X509SVIDResponse(svids=[garbled]))
    heard.wait("workload_api_lost")
    agent.say(workload_pb2.X509SVIDResponse())
    heard.wait("workload_api_lost", 2)
    assert source.current() is before
    agent.give((GATEWAY, ours.issue(GATEWAY), ours))
    heard.wait("certificate_taken", 2)
    assert source.current() is not before


def test_more_authorities_than_are_borne_leave_what_was(
    agent: Agent, opened: Open, ours: WorkloadAuthority, foreign: WorkloadAuthority, heard: Heard
) -> None:
    """Such as those of a domain that federates with ours, and grows without measure."""
    agent.give((GATEWAY, ours.issue(GATEWAY), ours), federated={"example.com": foreign})
    source = opened()
    before, theirs = source.current(), source.bundle("example.com")
    many, beyond_measure = (workload_pb2.X509SVIDResponse() for _ in range(2))
    many.CopyFrom(agent.said[-1])
    many.federated_bundles["spiffe://example.com"] = b"".join(
        foreign.below(f"authority {number}").own.der for number in range(MOST_AUTHORITIES)
    )
    agent.say(many)
    heard.wait("certificate_not_taken")
    beyond_measure.CopyFrom(many)
    beyond_measure.federated_bundles["spiffe://example.com"] = bytes(5 * 1024 * 1024)
    agent.say(beyond_measure)
    heard.wait("workload_api_lost")
    assert (source.current(), source.bundle("example.com")) == (before, theirs)
    agent.give((GATEWAY, ours.issue(GATEWAY), ours))
    heard.wait("certificate_taken", 2)
    assert source.bundle("example.com") is None


def test_an_agent_that_hangs_up_is_asked_again_and_what_is_the_same_stays_the_same(
    agent: Agent, opened: Open, ours: WorkloadAuthority, foreign: WorkloadAuthority
) -> None:
    """So that nothing that was fetched with a certificate is fetched anew for nothing."""
    leaf = ours.issue(GATEWAY)
    agent.give((GATEWAY, leaf, ours))
    source = opened()
    before = source.current()
    agent.hang_up()
    agent.wait_for_streams(2)
    agent.give((GATEWAY, leaf, ours), federated={"example.com": foreign})
    wait_until(lambda: source.bundle("example.com") is not None)
    assert source.current() is before


def test_an_agent_that_is_away_for_long_leaves_what_was_and_is_asked_again(
    agent: Agent, opened: Open, ours: WorkloadAuthority, heard: Heard
) -> None:
    agent.give((GATEWAY, ours.issue(GATEWAY), ours))
    source = opened()
    before = source.current()
    agent.stop()
    heard.wait("workload_api_lost")
    assert source.current() is before
    agent.start()
    agent.give((GATEWAY, ours.issue(GATEWAY), ours))
    heard.wait("certificate_taken", 2)
    assert source.current() is not before
    assert source.bundle("example.org") is before.trust_bundle


def test_a_workload_that_is_registered_no_more_shows_what_it_has_and_is_told_once(
    agent: Agent, opened: Open, ours: WorkloadAuthority
) -> None:
    agent.give((GATEWAY, ours.issue(GATEWAY), ours))
    source = opened()
    before = source.current()
    with captured_events() as events:
        agent.refuse_with = grpc.StatusCode.PERMISSION_DENIED
        agent.hang_up()
        agent.wait_for_streams(6)
    assert source.current() is before
    assert [event["reason"] for event in events] == [
        "Workload API stream ended unexpectedly",
        "gRPC error: StatusCode.PERMISSION_DENIED",
    ]


@pytest.mark.parametrize("status", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.INVALID_ARGUMENT])
def test_a_workload_that_is_not_registered_is_told_at_the_start(
    agent: Agent, opened: Open, status: grpc.StatusCode
) -> None:
    agent.refuse_with = status
    with pytest.raises(CertificateUnusable) as told:
        opened(patience=1.0)
    assert str(told.value) == (
        f"the Workload API at {agent.socket} gave no certificate within 1 seconds (gRPC error: {status}): "
        "see whether its agent runs, and whether this workload is registered there"
    )


def test_a_workload_that_is_registered_late_is_waited_for(
    agent: Agent, opened: Open, ours: WorkloadAuthority
) -> None:
    agent.refuse_with = grpc.StatusCode.PERMISSION_DENIED

    def register() -> None:
        agent.wait_for_streams(2)
        agent.refuse_with = None
        agent.give((GATEWAY, ours.issue(GATEWAY), ours))

    registering = threading.Thread(target=register)
    registering.start()
    assert str(opened().current().spiffe_id) == GATEWAY
    registering.join()


def test_an_agent_that_starts_after_us_is_waited_for(
    agent: Agent, opened: Open, ours: WorkloadAuthority
) -> None:
    agent.give((GATEWAY, ours.issue(GATEWAY), ours))
    agent.stop()
    assert not Path(agent.socket.removeprefix("unix://")).exists()
    starting = threading.Timer(0.2, agent.start)
    starting.start()
    assert str(opened().current().spiffe_id) == GATEWAY
    starting.join()


def test_a_socket_that_is_not_there_is_told_at_the_start(opened: Open) -> None:
    with pytest.raises(CertificateUnusable, match=r"within 0\.1 seconds \(its socket is not there\): see"):
        opened(socket="unix:///nowhere/agent.sock", patience=0.1)


def test_the_socket_is_where_the_environment_says(
    agent: Agent, ours: WorkloadAuthority, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SOCKET_VARIABLE, agent.socket)
    agent.give((GATEWAY, ours.issue(GATEWAY), ours))
    settings = TypeAdapter(CertificateSettings).validate_python({"source": "spiffe"})
    source = open_certificates(settings, owner="default/gateway", clock=clock)
    assert str(source.current().spiffe_id) == GATEWAY
    source.close()


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (None, "nothing says where the Workload API is: name its socket, or set SPIFFE_ENDPOINT_SOCKET"),
        ("tcp://127.0.0.1:8081", "SPIFFE_ENDPOINT_SOCKET names no socket: the Workload API is at unix:///"),
    ],
)
def test_what_the_environment_says_has_to_be_a_socket(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, address: str | None, told: str
) -> None:
    monkeypatch.delenv(SOCKET_VARIABLE, raising=False)
    if address is not None:
        monkeypatch.setenv(SOCKET_VARIABLE, address)
    with pytest.raises(CertificateUnusable, match=told):
        open_certificates(SpiffeCertificates(source="spiffe"), owner="default/gateway", clock=clock)


def test_a_source_that_was_closed_asks_nobody(agent: Agent, opened: Open, ours: WorkloadAuthority) -> None:
    agent.give((GATEWAY, ours.issue(GATEWAY), ours))
    source = opened()
    agent.refuse_with = grpc.StatusCode.UNAVAILABLE
    agent.hang_up()
    agent.wait_for_streams(3)
    source.close()
    asked = agent.streams
    with Agent() as another:
        another.refuse_with = grpc.StatusCode.UNAVAILABLE
        with pytest.raises(CertificateUnusable):
            opened(socket=another.socket, patience=0.5)
        assert another.streams > 5, "who is not closed asks again and again"
    assert agent.streams <= asked + 1, "one may have been under way"


def test_a_certificate_that_the_agent_does_not_renew_is_told(
    agent: Agent, opened: Open, ours: WorkloadAuthority, clock: Clock
) -> None:
    agent.give((GATEWAY, ours.issue(GATEWAY, begins=0, ends=1000), ours))
    source = opened()
    with captured_events() as events:
        clock.advance(799)
        source.current()
        assert events == []
        clock.advance(1)
        source.current()
        source.current()
        clock.advance(300)
        source.current()
    assert [event["event"] for event in events] == ["certificate_not_renewed"] * 2


def test_without_its_package_the_extra_is_named(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spiffe", None)
    with pytest.raises(CertificateUnusable, match=r"pip install 'ostiary\[spiffe\]'"):
        WorkloadApiSource(SpiffeCertificates(source="spiffe"), clock=clock)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "/run/agent.sock",
        "unix:agent.sock",
        "unix://agent.sock",
        "tcp://127.0.0.1:8081",
        "unix:///a?b",
        "unix:///a\n",
        "http://127.0.0.1",
        "unix:///",
        "unix:////run/agent.sock",
        f"unix:///{'a' * LONGEST_PATH}",
    ],
)
def test_what_is_no_socket_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="the Workload API is at unix:/// and a path"):
        SpiffeCertificates(source="spiffe", socket=address)


def test_what_is_one_is_kept_as_it_is() -> None:
    longest = f"unix:///{'a' * (LONGEST_PATH - 1)}"
    settings = SpiffeCertificates.model_validate({"source": "spiffe", "socket": longest})
    assert str(settings.socket) == settings.model_dump()["socket"] == longest
    assert settings.socket == AgentSocket.parse(longest)


def test_who_uses_no_workload_api_loads_nothing_of_it() -> None:
    parts = "ostiary.cli.app, ostiary.certificates.opening, ostiary.credentials.upstream_token.credential"
    program = f"import sys, {parts}; sys.exit('grpc' in sys.modules or 'spiffe' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def wait_until(happened: Callable[[], bool]) -> None:
    """What nobody tells of."""
    for _ in range(2000):
        if happened():
            return
        time.sleep(0.01)
    pytest.fail("it did not happen")
