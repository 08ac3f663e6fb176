"""What a gateway makes of its settings: doors, documents, servers. It never changes; a reload makes another.

Connections belong to the listener, and tokens and keys to the runtime: they live on when the plan is another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ostiary.credentials.headers.overheard import OverheardCredential, SentSecrets
from ostiary.credentials.runtime import Runtime
from ostiary.gateway.catalog.endpoints import FEDERATED, Endpoints, make_endpoints
from ostiary.gateway.catalog.live_routes import LiveRoutes
from ostiary.gateway.catalog.routes import Routes
from ostiary.gateway.config import GatewaySettings, LimitSettings, ServerSettings
from ostiary.gateway.endpoint import AnsweredElsewhere, Endpoint, Entry, SseEndpoint
from ostiary.gateway.rate_limits import RateLimits
from ostiary.gateway.rate_settings import ServerRateSettings
from ostiary.gateway.seals import Seals
from ostiary.gateway.sessions.http_sse import SUFFIX, HttpSse
from ostiary.gateway.sessions.legacy_door import LegacyDoor
from ostiary.gateway.sessions.live_sessions import LiveSessions
from ostiary.gateway.sessions.session_ids import SessionIds
from ostiary.gateway.upstreams.era import EitherEra
from ostiary.gateway.upstreams.health import Health
from ostiary.gateway.upstreams.legacy.pool import SESSIONS_OF_ONE, LegacySessions, Ways
from ostiary.gateway.upstreams.legacy.sse import SseChannel
from ostiary.gateway.upstreams.legacy.streamable_http import StreamableHttpChannel
from ostiary.gateway.upstreams.rated_server import RatedServer
from ostiary.gateway.upstreams.server import Server
from ostiary.gateway.upstreams.streamable_http import StreamableHttp
from ostiary.identity.inbound_settings import IntrospectionInbound, OidcInbound
from ostiary.mcp.merging import ListBudget
from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.oauth.client.protected_resource import metadata_path
from ostiary.oauth.resource_server.protected_resource import metadata_url, protected_resource
from ostiary.transport.inline_http import Door, Doors
from ostiary.transport.limits import CONNECTIONS, TLS_CONNECTIONS, Limits
from ostiary.transport.proxies import Proxies
from ostiary.transport.upstream import Upstream, UpstreamLimits

if TYPE_CHECKING:
    from ostiary.gateway.handover import Handover
    from ostiary.gateway.inbound.authentication import InboundAuth
    from ostiary.gateway.inbound.verification import Verification
    from ostiary.gateway.observation.observer import Observer
    from ostiary.gateway.policy.authorizer import Authorizer
    from ostiary.gateway.policy.live_policies import LivePolicies
    from ostiary.gateway.upstreams.legacy.channel import OpenChannel
    from ostiary.gateway.upstreams.session import UpstreamSession
    from ostiary.transport.child_process import Children
    from ostiary.transport.workers import Worker

NO_RATES = ServerRateSettings()
MOST_LISTENING = 1024
"""How many streams of what one server says unasked are open at once."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One gateway, made ready."""

    doors: Doors
    documents: Mapping[str, Mapping[str, Any]]
    """Well-known path → resource metadata (RFC 9728)."""
    made: Mapping[str, MadeServer]
    endpoints: Endpoints
    sessions: Mapping[str, SessionDoors]
    """By the paths of endpoints."""
    auths: Mapping[str, InboundAuth | None]
    limits: Limits
    settings: GatewaySettings
    generation: int
    """Which it is of those that this process had, from 1 on."""
    loaded_at: float
    """When it was made, in seconds since the epoch."""
    policies: LivePolicies | None
    """By which callers may do what; None where everybody may do all."""
    authorizer: Callable[[str], Authorizer] | None
    """By these policies, at the endpoint of a path."""
    rates: RateLimits | None
    """How often callers may ask at all; None for as often as they like."""

    @property
    def servers(self) -> Mapping[str, Server]:
        """By name."""
        return {name: made.server for name, made in self.made.items()}

    @property
    def checked(self) -> Mapping[Server, float]:
        """Servers that are asked now and then whether they are there → once in how many seconds."""
        asked = {name: one.health for name, one in self.settings.servers.items() if one.health is not None}
        return {self.made[name].server: health.every.total_seconds() for name, health in asked.items()}

    def take_the_place_of(self, before: Plan) -> list[Server]:
        """Have those go on here who listen there: the servers that nobody calls from now on.

        What is under way goes on as it began.
        """
        self.endpoints.take_limits(self.settings)
        are_trusted_still = self.settings.inbound == before.settings.inbound
        for path, doors in before.sessions.items():
            if path not in self.sessions or not are_trusted_still:
                doors.end_streams()
            elif doors.sse is not None and self.sessions[path].sse is None:
                doors.sse.end_streams()
        for path, made in self.endpoints.made.items():
            self.sessions[path].routes.replace(made.routes)
        kept = set(self.servers.values())
        gone = [server for server in before.servers.values() if server not in kept]
        for server in gone:
            self.endpoints.memory.last.forget_server(server)
        return gone

    def close(self) -> None:
        """Drop the connections to all servers."""
        self.endpoints.close()
        for server in self.servers.values():
            server.close()


class MadeServer(NamedTuple):
    """A server, and what it is made of: of the same, no other is made."""

    server: Server
    of: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class SessionDoors:
    """What clients of earlier revisions have at one endpoint. It outlives plans, as their sessions do."""

    routes: LiveRoutes
    legacy: LegacyDoor
    sse: HttpSse | None

    def end_streams(self) -> None:
        """Whoever listens has to come again, if they may."""
        self.routes.hand_over(None)
        self.legacy.end_streams()
        if self.sse is not None:
            self.sse.end_streams()


@dataclass(frozen=True)
class Means:
    """What plans are made with, and what outlives them. clock: seconds since the epoch."""

    runtime: Runtime
    proxies: Proxies
    seals: Seals
    sessions: LiveSessions
    clock: Callable[[], float]
    worker: Worker | None = None
    """Which of several processes this is."""
    observer: Observer | None = None
    """Hears of calls, where somebody wants to."""

    @cached_property
    def handover(self) -> Handover | None:
        """To the others."""
        if self.worker is None:
            return None
        from ostiary.gateway.handover import Handover  # noqa: PLC0415 - most are alone

        return Handover(self.worker)

    @cached_property
    def verification(self) -> Verification:
        """What callers' tokens are held against. One that lets everybody in loads no JOSE."""
        from ostiary.gateway.inbound.verification import Verification  # noqa: PLC0415

        return Verification(self.runtime.fetcher, self.clock, self.runtime.most_tokens)

    @cached_property
    def children(self) -> Children:
        """The processes of servers that are programs."""
        from ostiary.transport.child_process import Children  # noqa: PLC0415 - few servers are

        return Children()

    @property
    def processes(self) -> int:
        """How many of them run."""
        return len(self.children) if "children" in self.__dict__ else 0

    def forget_unused(self, settings: GatewaySettings) -> None:
        """What these settings name no more is not kept."""
        if "verification" in self.__dict__:
            self.verification.forget_all_but(settings.inbound)

    async def close(self) -> None:
        """Stop what runs."""
        if "children" in self.__dict__:
            await self.children.close()
        if self.handover is not None:
            self.handover.close()


def make_plan(settings: GatewaySettings, means: Means, before: Plan | None = None) -> Plan:
    """Connects to nobody yet. before: the one whose place it takes, of which it has what stays the same.

    Raises PoliciesUnusable.
    """
    return _Planning(settings, means, before).plan()


class _Planning:
    def __init__(self, settings: GatewaySettings, means: Means, before: Plan | None) -> None:
        self._settings = settings
        self._means = means
        self._before = before

    def plan(self) -> Plan:
        before = self._before
        making = ServerMaking(self._settings.limits, self._means)
        policies, authorizer = self._policies()
        rates = self._rates()
        known = {} if before is None else before.made
        made = {
            name: making.made(name, server, known.get(name))
            for name, server in self._settings.servers.items()
        }
        endpoints = make_endpoints(
            self._settings,
            {name: one.server for name, one in made.items()},
            self._means.clock,
            authorizer,
            rates,
            None if before is None else before.endpoints,
        )
        origins = frozenset(origin.encode() for origin in self._settings.origins)
        auths = {path: self._auth(path) for path in endpoints.made}
        sessions: dict[str, SessionDoors] = {}
        posted: dict[bytes, Door] = {}
        listened: dict[bytes, Door] = {}
        ended: dict[bytes, Door] = {}
        for path, routes in endpoints.routes.items():
            doors = sessions[path] = self._session_doors(path, routes)
            own = path.encode()
            entry = Entry(auths[path], origins, self._elsewhere(own), self._means.observer)
            endpoint = Endpoint(entry, routes, doors.legacy)
            posted[own], listened[own], ended[own] = endpoint, endpoint.listen, endpoint.end
            if doors.sse is not None:
                own += SUFFIX.encode()
                sse = SseEndpoint(entry._replace(elsewhere=self._elsewhere(own)), doors.sse)
                posted[own], listened[own] = sse, sse.listen
        return Plan(
            doors={
                b"POST": posted,
                b"GET": listened,
                b"DELETE": ended,
            },
            documents={
                metadata_path(self._resource(path)): self._metadata(path) for path in endpoints.routes
            },
            made=made,
            endpoints=endpoints,
            sessions=sessions,
            auths=auths,
            limits=listener_limits(self._settings),
            settings=self._settings,
            generation=1 if before is None else before.generation + 1,
            loaded_at=self._means.clock(),
            policies=policies,
            authorizer=authorizer,
            rates=rates,
        )

    def _policies(self) -> tuple[LivePolicies | None, Callable[[str], Authorizer] | None]:
        """The policies, and who decides by them at the endpoint of a path."""
        before, settings = self._before, self._settings
        if settings.policy is None:
            return None, None
        if before is not None and before.settings.policy == settings.policy:
            if before.settings.inbound == settings.inbound:
                return before.policies, before.authorizer
            policies = before.policies
        else:
            policies = None
        from ostiary.gateway.policy.live_policies import LivePolicies  # noqa: PLC0415 - Cedar is a large library

        policies = policies or LivePolicies(settings.policy.path)
        return policies, self._authorizers(policies)

    def _rates(self) -> RateLimits | None:
        before, settings = self._before, self._settings
        if before is not None and before.settings.rates == settings.rates:
            return before.rates  # who asked too often has still
        return RateLimits.of(settings.rates, "gateway.rates", self._means.clock) or None

    def _authorizers(self, policies: LivePolicies) -> Callable[[str], Authorizer]:
        """What is asked at the endpoint of a path."""
        from ostiary.gateway.policy.authorizer import Authorizer, Challenge  # noqa: PLC0415 - likewise
        from ostiary.gateway.policy.decisions import Decisions  # noqa: PLC0415 - likewise

        decisions = Decisions()

        @cache
        def authorizer(path: str) -> Authorizer:
            challenge = Challenge(metadata_url(self._resource(path)), self._scopes())
            return Authorizer(policies, decisions, challenge if self._settings.inbound else None)

        return authorizer

    def _session_doors(self, path: str, routes: Routes) -> SessionDoors:
        known = None if self._before is None else self._before.sessions.get(path)
        if known is None:
            live = LiveRoutes(routes, self._means.observer)
            ids = SessionIds(path, self._means.seals)
            known = SessionDoors(live, LegacyDoor(live, ids, self._means.sessions, self._means.clock), None)
        if not self._settings.http_sse:
            return replace(known, sse=None)
        if known.sse is not None:
            return known
        url = self._resource(path).path + SUFFIX
        return replace(known, sse=HttpSse(url, known.legacy, self._means.sessions, self._means.seals.homes))

    def _elsewhere(self, path: bytes) -> AnsweredElsewhere | None:
        handover = self._means.handover
        return None if handover is None else partial(handover.answer, path=path)

    def _auth(self, path: str) -> InboundAuth | None:
        before = self._before
        if before is not None and before.settings.inbound == self._settings.inbound and path in before.auths:
            return before.auths[path]
        if not self._settings.inbound:
            return None
        resource = self._resource(path)
        return self._means.verification.of(
            self._settings.inbound,
            resource=resource,
            audiences=tuple(dict.fromkeys([str(resource), str(self._resource(FEDERATED))])),
            scopes=self._scopes(),
        )

    def _metadata(self, path: str) -> dict[str, Any]:
        issuers = [
            entry.issuer
            for entry in self._settings.inbound
            if isinstance(entry, OidcInbound | IntrospectionInbound) and entry.issuer is not None
        ]
        return protected_resource(
            self._resource(path),
            authorization_servers=issuers,
            scopes=self._scopes(),
            dpop_algorithms=self._means.verification.dpop_algorithms if issuers else (),
        )

    def _scopes(self) -> tuple[str, ...]:
        kinds = OidcInbound | IntrospectionInbound
        entries = [entry for entry in self._settings.inbound if isinstance(entry, kinds)]
        return tuple(dict.fromkeys(scope for entry in entries for scope in entry.required_scopes))

    def _resource(self, path: str) -> CanonicalUrl:
        return replace(self._settings.public_url, path=self._settings.public_url.path + path)


class ServerMaking:
    """Makes servers as they are configured. limits: what one caller may make us hold."""

    def __init__(self, limits: LimitSettings, means: Means) -> None:
        self._limits = limits
        self._means = means

    def made(self, name: str, settings: ServerSettings, before: MadeServer | None) -> MadeServer:
        """The server, which is the one of before if that was made of the same."""
        limits = self._limits
        made_of = (
            settings.without_overrides(),
            self._upstream_limits(settings),
            *(limits.list_bytes, limits.list_items, limits.server_processes),
        )
        if before is not None and before.of == made_of:
            return before
        return MadeServer(self.server(name, settings), made_of)

    def server(self, name: str, settings: ServerSettings, sent: SentSecrets | None = None) -> Server:
        """Connected to nobody yet. sent: is told of what proves to it who we are."""
        session = self._session(name, settings)
        credential = settings.credential.attach(session.url, runtime=self._means.runtime)
        kind: Callable[..., Server] = Server
        if settings.rates != NO_RATES:
            kind = partial(RatedServer, rates=settings.rates, clock=self._means.clock)
        return kind(
            name,
            session,
            credential if sent is None else OverheardCredential(credential, sent),
            settings=settings,
            health=Health(
                name,
                self._means.clock,
                most_failures=settings.circuit_breaker.failures if settings.url else 0,
                longest_pause=settings.circuit_breaker.longest_pause.total_seconds(),
            ),
            list_budget=ListBudget(self._limits.list_bytes, self._limits.list_items),
            seals=self._means.seals,
        )

    def _session(self, name: str, settings: ServerSettings) -> UpstreamSession:
        if settings.url is None:
            return self._program(name, settings)
        limits = self._upstream_limits(settings)
        calls = self._pool(name, settings, settings.url, limits)
        many = replace(limits, connections=MOST_LISTENING, caller_connections=SESSIONS_OF_ONE)
        listening = self._pool(name, settings, settings.url, many)
        channels: dict[str, OpenChannel] = {
            "streamable_http": partial(StreamableHttpChannel, calls, listening),
            "sse": partial(SseChannel, calls, listening),
        }
        chosen = tuple(way for kind, way in channels.items() if settings.transport in {"auto", kind})
        ways = Ways(chosen, calls.held, (calls, listening))
        legacy = LegacySessions(name, settings.url, ways, limits=limits)
        return legacy if settings.transport == "sse" else EitherEra(name, StreamableHttp(calls), legacy)

    def _pool(
        self, name: str, settings: ServerSettings, url: CanonicalUrl, limits: UpstreamLimits
    ) -> Upstream:
        return Upstream(
            name,
            url,
            tls=settings.reach.trust.context if url.scheme == "https" else None,
            private_network=settings.private_network,
            asks_compressed=settings.may_compress,
            proxies=self._means.proxies,
            limits=limits,
        )

    def _program(self, name: str, settings: ServerSettings) -> UpstreamSession:
        from ostiary.gateway.upstreams.stdio.channel import StdioChannel  # noqa: PLC0415 - few servers are programs
        from ostiary.gateway.upstreams.stdio.program import Program  # noqa: PLC0415 - likewise
        from ostiary.gateway.upstreams.stdio.session import Stdio  # noqa: PLC0415 - likewise

        assert settings.program is not None  # noqa: S101 - the settings have one of both
        is_shared = settings.processes == "shared"
        limits = self._upstream_limits(settings)
        most = self._limits.server_processes
        program = Program(name, settings.program, self._means.children, limits, most)
        modern = Stdio(program, is_shared=is_shared)
        legacy = LegacySessions(
            name,
            modern.url,
            Ways((partial(StdioChannel, program),), program.held),
            limits=limits,
            is_shared=is_shared,
            sessions_of_one=max(1, most // 4),
        )
        program.make_room.append(legacy.close_idlest)
        return EitherEra(name, modern, legacy, silence_is_legacy=True)

    def _upstream_limits(self, settings: ServerSettings) -> UpstreamLimits:
        limits = self._limits
        connections = settings.connections or limits.server_connections
        of_all = None if settings.connections else limits.caller_connections
        return UpstreamLimits(
            timeout=settings.timeout.total_seconds(),
            connect_timeout=settings.connect_timeout.total_seconds(),
            connections=connections,
            caller_connections=settings.caller_connections or of_all or max(1, connections // 8),
            queue=limits.server_queue,
            waiting_bytes=limits.body_bytes,
            answer_bytes=limits.answer_bytes,
            held_bytes=limits.held_answer_bytes,
        )


def listener_limits(settings: GatewaySettings) -> Limits:
    """What one caller may make the listener hold."""
    limits = settings.limits
    connections = limits.connections or (CONNECTIONS if settings.tls is None else TLS_CONNECTIONS)
    return Limits(
        body_bytes=limits.body_bytes,
        head_bytes=limits.head_bytes,
        header_count=limits.header_count,
        head_timeout=limits.head_timeout.total_seconds(),
        body_timeout=limits.body_timeout.total_seconds(),
        write_timeout=limits.write_timeout.total_seconds(),
        idle_timeout=limits.idle_timeout.total_seconds(),
        connections=connections,
        address_connections=limits.address_connections or max(1, connections // 4),
        finish_timeout=settings.drain_timeout.total_seconds(),
        unproven_bytes=limits.unproven_bytes,
        caller_bytes=limits.caller_bytes,
        memory_bytes=limits.memory_bytes,
    )
