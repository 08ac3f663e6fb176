"""The `gateway:` part of ostiary.yaml."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ostiary.certificates.settings import CertificateSettings, TlsSettings
from ostiary.credentials import Credential, NoCredential
from ostiary.credentials.credential import upstream_tokens, with_upstream_tokens
from ostiary.gateway.overrides import Overrides, VirtualServerSettings
from ostiary.gateway.rate_settings import RateSettings, ServerRateSettings
from ostiary.identity.inbound_settings import InboundSettings
from ostiary.mcp.names import clashing_prefixes, default_prefix
from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.settings import (
    ConfiguredFolder,
    Duration,
    Fault,
    Listen,
    ListenAddress,
    NetworkField,
    Settings,
    Switch,
    TextOrSecret,
    Url,
    refuse,
)
from ostiary.transport.forwarded import NO_PROXY_IS_NAMED
from ostiary.transport.reach import EdgeSettings

if TYPE_CHECKING:
    from ostiary.credentials.upstream_token.credential import UpstreamToken
    from ostiary.transport.child_process import Command

ServerName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)]
Prefix = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]*$", max_length=40)]
Method = Annotated[str, StringConstraints(pattern=r"^[a-z]+(/[a-zA-Z]+)+$", max_length=60)]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=200)]

_NEVER_FORWARDED = re.compile(
    r"authorization|proxy-.*|cookie|set-cookie|host|origin|connection|te|trailer|transfer-encoding|upgrade"
    r"|accept|accept-encoding|user-agent|expect|keep-alive|content-.*|mcp-.*|x-forwarded-.*|forwarded|x-goog-.*|x-amzn-oidc-.*|x-ms-client-.*|x-serverless-authorization"
)


def _may_be_forwarded(name: str) -> str:
    name = name.lower()
    if not re.fullmatch(r"[a-z0-9-]+", name):
        raise ValueError(f"{name!r} is not a header name")
    if _NEVER_FORWARDED.fullmatch(name):
        raise ValueError(f"{name} carries identity or framing and is never forwarded to a server")
    return name


def _can_be_run(command: list[str]) -> list[str]:
    if not command or not command[0]:
        raise ValueError("name a program, and its arguments: [npx, -y, some-server]")
    if any("\0" in word for word in command):
        raise ValueError("a program's arguments have no NUL character")
    return command


_OF_A_PROGRAM = ("env", "cwd", "processes")
_OF_A_URL = (
    *(
        "credential",
        "connect_timeout",
        "circuit_breaker",
        "health",
        "forward_headers",
        "compressed",
        "transport",
    ),
    *("ca_file", "private_network", "insecure_allow_http"),
)


class CircuitBreakerSettings(Settings):
    """A server that cannot be reached is left alone for a while, then tried by one call. What counts is that
    there is no connection, or no HTTP on it, or that its program does not start; never what one call does."""

    failures: Annotated[int, Field(ge=0)] = 5
    """After how many such failures in a row calls are answered 503 at once. 0 for never."""
    longest_pause: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(seconds=30)
    """How long it is left alone at most. The first pause is a second, and each one twice the one before."""


class HealthCheckSettings(Settings):
    """A question now and then whether a server is there."""

    every: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(seconds=30)
    """How often it is asked, with the credential that calls have."""


class ServerSettings(EdgeSettings, Overrides):
    """One MCP server behind the gateway: at a URL, or a program that is run here."""

    model_config = ConfigDict(
        json_schema_extra={"if": {"not": {"required": ["command"]}}, "then": {"required": ["url"]}},
    )

    url: Url | None = None
    """The server's MCP endpoint."""
    transport: Literal["auto", "streamable_http", "sse"] = "auto"
    """How it is spoken to there. `sse` is HTTP+SSE, the transport of MCP 2024-11-05; `auto` takes it for a
    server that answers neither revision of streamable HTTP."""
    command: Annotated[list[str], AfterValidator(_can_be_run)] | None = None
    """In place of `url`: a program and its arguments, which speaks MCP on its standard input and output. No
    shell reads them."""
    env: dict[VariableName, TextOrSecret] = {}
    """The program's environment: text, or secrets. Besides, it has `PATH`, `HOME`, `LANG` and the like, and
    nothing else of ours."""
    cwd: ConfiguredFolder | None = None
    """The folder in which the program runs. Default: ours."""
    processes: Literal["per_caller", "shared"] = "per_caller"
    """Who talks to one process of the program: one caller alone, or everybody."""
    prefix: Prefix | None = None
    """What its tools' and prompts' names begin with on /mcp. Default: its name and "_"; "" for none."""
    credential: Credential = NoCredential()
    """What the server wants to see on each request. Default: nothing."""
    timeout: Duration = timedelta(seconds=30)
    """How long one call may take until its answer begins, and an open stream may stay silent."""
    timeouts: dict[Method, Duration] = {}
    """The same for single methods, such as `tools/call: 2m`; for single tools, see `tools`."""
    connect_timeout: Duration = timedelta(seconds=5)
    """How long a new connection to the server may take, TLS included."""
    connections: Annotated[int, Field(gt=0)] | None = None
    """How many calls may be under way at it at once. Default: `limits.server_connections`."""
    caller_connections: Annotated[int, Field(gt=0)] | None = None
    """How many of them may be one caller's. Default: `limits.caller_connections`; where `connections` is set
    here, an eighth of that."""
    health: HealthCheckSettings | None = None
    """Ask it now and then whether it is there, so that lists and calls know before they try. Not where each
    caller has an account of their own there. Default: calls alone show it."""
    rates: ServerRateSettings = ServerRateSettings()
    """How often callers may ask it."""
    circuit_breaker: CircuitBreakerSettings = CircuitBreakerSettings()
    """When calls are answered at once, as it cannot be reached."""
    compressed: Switch | None = None
    """Whether its answers are asked for compressed, by gzip, deflate, br or zstd. Default: not on this
    machine, and not with `private_network`, as unpacking takes longer than what it saves on a short way."""
    forward_headers: list[Annotated[str, AfterValidator(_may_be_forwarded)]] = []
    """Further headers of the caller that go on to this server. Identity headers are refused."""

    def without_overrides(self) -> Self:
        """What is said of the server itself."""
        return self.model_copy(update={"prefix": None, "tools": {}, "prompts": {}, "resources": {}})

    @property
    def may_compress(self) -> bool:
        """Whether its answers are asked for compressed."""
        if self.compressed is not None:
            return self.compressed
        return self.url is not None and not self.url.is_loopback and not self.private_network

    @property
    def place(self) -> str:
        """Where it is, for people: a URL, or the name of a program, whose arguments may be secret."""
        return f"program {self.command[0]}" if self.command else str(self.url)

    @property
    def program(self) -> Command | None:
        """What is run, if anything is."""
        if self.command is None:
            return None
        from ostiary.transport.child_process.command import Command  # noqa: PLC0415 - few servers are programs

        return Command(tuple(self.command), self.env, None if self.cwd is None else self.cwd.path)

    def with_upstream_tokens(self, change: Callable[[UpstreamToken], UpstreamToken]) -> Self:
        """The same, with each upstream token that its credential has changed."""
        if not upstream_tokens(self.credential):
            return self
        return self.model_copy(update={"credential": with_upstream_tokens(self.credential, change)})

    @model_validator(mode="after")
    def _in_the_clear_only_at_home(self) -> Self:
        if self.url is not None:
            self.refuse_clear_text(self.url, "its credential would travel in the clear")
        return self

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        refuse(self._faults_of_kind())
        return self

    def _faults_of_kind(self) -> Iterator[Fault]:
        written = self.model_fields_set
        if self.url is None and self.command is None:
            yield (), "say where it is: url, or command for a program that is run here"
        elif self.url is not None and self.command is not None:
            yield (), "it has url and command, and is one of both: drop one"
        elif self.command is None:
            for name in sorted(written.intersection(_OF_A_PROGRAM)):
                yield (name,), "this is for a program, and there is no command"
        else:
            for name in sorted(written.intersection(_OF_A_URL)):
                if name != "credential":
                    yield (name,), "this is for a server with a url, and a command has no connection"
                elif not isinstance(self.credential, NoCredential):
                    yield (name,), "a program is sent no headers: give it what it needs in env"


class LimitSettings(Settings):
    """What one caller may make the gateway hold. The defaults suit tools that take documents."""

    body_bytes: Annotated[int, Field(gt=0)] = 4 * 1024 * 1024
    """The longest request body."""
    head_bytes: Annotated[int, Field(gt=0)] = 32 * 1024
    """The longest request head: request line and all headers."""
    header_count: Annotated[int, Field(gt=0)] = 100
    """How many headers a request may have."""
    head_timeout: Duration = timedelta(seconds=10)
    """How long a request head may take to arrive."""
    body_timeout: Duration = timedelta(seconds=30)
    """How long a request body may take to arrive."""
    write_timeout: Duration = timedelta(seconds=30)
    """How long a caller may take for the next 32 KiB of an answer; one that takes longer is cut off."""
    idle_timeout: Duration = timedelta(seconds=75)
    """How long a connection may stay open without a request."""
    connections: Annotated[int, Field(gt=0)] | None = None
    """How many connections may be open at once; for further ones, idle ones are closed. Default: 10,000; with
    `tls` 2,000, as each holds five times as much."""
    address_connections: Annotated[int, Field(gt=0)] | None = None
    """How many of them one address may have, or one IPv6 network of 64 bits; for further ones, idle ones of
    its own are closed. Connections of `trusted_proxies` are not counted, unless they say whose they are by
    `proxy_protocol`. Default: a quarter of `connections`."""
    unproven_bytes: Annotated[int, Field(gt=0)] = 64 * 1024 * 1024
    """How much is held of all requests together whose senders have not shown a good token yet. When there is
    more, those of whom most is held are told 503."""
    caller_bytes: Annotated[int, Field(gt=0)] = 128 * 1024 * 1024
    """How much is held of all requests of one caller, until they are answered."""
    memory_bytes: Annotated[int, Field(gt=0)] = 1024 * 1024 * 1024
    """How much is held of all requests of all callers together, until they are answered. When there is more,
    those of whom most is held are told 503."""
    answer_bytes: Annotated[int, Field(gt=0)] = 16 * 1024 * 1024
    """The longest answer, and the longest event of a stream, that a server may send."""
    held_answer_bytes: Annotated[int, Field(gt=0)] = 64 * 1024 * 1024
    """How much of a server's answers of more than 256 KiB is held at once; more wait until there is room."""
    list_bytes: Annotated[int, Field(gt=0)] = 2 * 1024 * 1024
    """The longest list, all its pages together, that a server may add to one of /mcp."""
    list_items: Annotated[int, Field(gt=0)] = 2000
    """How many items a server may add to a list of /mcp."""
    merged_list_bytes: Annotated[int, Field(gt=0)] = 8 * 1024 * 1024
    """The longest list of /mcp, of all servers together."""
    list_page_items: Annotated[int, Field(gt=0)] = 1000
    """How many items a page of a list of /mcp has. Shorter lists have one page."""
    kept_list_bytes: Annotated[int, Field(gt=0)] = 64 * 1024 * 1024
    """How much is kept of what servers last said they have, for the time in which they fail. What one caller
    gets with an own credential has an eighth of it at most."""
    remembered_tokens: Annotated[int, Field(gt=0)] = 10_000
    """How many callers' tokens an endpoint remembers as verified, and how many tokens for servers are kept.
    Each caller takes some 4 KiB; those of callers beyond are verified and fetched again and again."""
    server_processes: Annotated[int, Field(gt=0)] = 32
    """How many processes of one server's `command` run at once. For one more, that which has been idle for
    longest is stopped; where none is, the call is told 503."""
    server_connections: Annotated[int, Field(gt=0)] = 256
    """How many calls may be under way at one server at once; more wait their turn."""
    server_queue: Annotated[int, Field(gt=0)] = 8192
    """How many may wait at one server. Beyond, only who has none waiting may have one more, up to twice as
    many; who has is told 503."""
    caller_subscriptions: Annotated[int, Field(gt=0)] = 64
    """How many streams of change notices one caller may have open: `subscriptions/listen` on /mcp, and GET by
    clients of MCP 2025-11-25 and before."""
    caller_connections: Annotated[int, Field(gt=0)] | None = None
    """How many of them may be one caller's: a token's issuer, subject and client; without tokens, an address.
    1,024 more of theirs wait in a queue of their own, of `body_bytes` together; what is beyond is told 503.
    Default: an eighth of `server_connections`, which is 32."""


LISTEN = "gateway.listen"
"""The setting that says where there is a listener."""


class GatewaySettings(Settings):
    """The broker: one guarded endpoint in front of many MCP servers."""

    listen: ListenAddress = Listen("127.0.0.1", 8080)
    """Where it listens."""
    url: Url | None = None
    """Its address as clients see it. Tokens are made for this plus the path. Default: where it listens."""
    trusted_proxies: list[NetworkField] = []
    """Networks of the proxies in front, such as 10.0.0.0/8, whose X-Forwarded-For says who calls: limits go
    by it, and so does who is a caller without a token. Default: none, and whoever is at the other end of the
    connection calls."""
    proxy_protocol: Switch = False
    """Connections of those proxies begin with a header of the PROXY protocol, version 1 or 2, which says who
    calls; without it they are refused."""
    allowed_origins: list[str] = []
    """Browser origins that may call, beside its own. A request with another `Origin` gets 403; without one it
    may call."""
    inbound: list[InboundSettings] = []
    """Whose tokens open the door."""
    allow_unauthenticated: Switch = False
    """Let callers in without a token. Only ever on this machine, unless insecure_public is set as well."""
    insecure_public: Switch = False
    """Listen beyond this machine without inbound authentication, or without TLS (an https `url`)."""
    tls: TlsSettings | None = None
    """Our certificate, to speak https ourselves: TLS 1.2 and above. Default: TLS ends in front of us."""
    certificates: CertificateSettings | None = None
    """Our certificate at the authorization server that gives us our callers' upstream tokens. Default: as
    their credentials say."""
    http_sse: Switch = False
    """Let clients in that speak HTTP+SSE alone (MCP 2024-11-05): /sse is added to the path of an endpoint."""
    policy: ConfiguredFolder | None = None
    """The folder with the policies that say who may do what: all its files that end with `.cedar`, read again
    when they change. Default: every caller may do all."""
    servers: dict[ServerName, ServerSettings] = {}
    """The MCP servers, by name."""
    virtual_servers: dict[ServerName, VirtualServerSettings] = {}
    """Choices of what the servers have, each at /virtual/NAME/mcp."""
    list_grace: Duration = timedelta(minutes=5)
    """How long the last good list of a server that fails is shown in its place, and marked so. Default: 5
    minutes; 0s for never."""
    list_timeout: Duration = timedelta(seconds=5)
    """How long a list of many servers waits for one that never answered its caller yet. One that has is not
    waited for: its last list is shown, and asked for behind."""
    drain_timeout: Duration = timedelta(seconds=25)
    """How long calls and streams under way may go on when the process is told to stop, for which whatever
    stops it has to wait longer; and at a server that this file, when it has changed, says otherwise of."""
    limits: LimitSettings = LimitSettings()
    """What one caller may make the gateway hold."""
    rates: RateSettings = RateSettings()
    """How often callers may ask, at all its endpoints together."""

    @property
    def listens(self) -> dict[str, Listen]:
        """Where it listens, by the name of its listener."""
        return {LISTEN: self.listen}

    @property
    def public_url(self) -> CanonicalUrl:
        """The gateway's address as clients see it."""
        if self.url is not None:
            return self.url
        host = f"[{self.listen.host}]" if ":" in self.listen.host else self.listen.host
        return CanonicalUrl(self.scheme, host, self.listen.port, "")

    @property
    def scheme(self) -> str:
        """How the listener itself is spoken to."""
        return "http" if self.tls is None else "https"

    @property
    def origins(self) -> list[str]:
        """Whose pages may call: those that are allowed, and its own."""
        own = [self.public_url.origin]
        if self.listen.is_loopback:
            own += [f"{self.scheme}://{self.listen}", f"{self.scheme}://localhost:{self.listen.port}"]
        return list(dict.fromkeys([*self.allowed_origins, *own]))

    def prefix_of(self, name: str) -> str:
        """What names of this server begin with on /mcp."""
        prefix = self.servers[name].prefix
        return default_prefix(name) if prefix is None else prefix

    @field_validator("servers")
    @classmethod
    def _upstream_tokens_know_where_they_stand(
        cls, value: dict[str, ServerSettings], info: ValidationInfo
    ) -> dict[str, ServerSettings]:
        certificates = info.data.get("certificates")

        def here(name: str, server: ServerSettings) -> ServerSettings:
            return server.with_upstream_tokens(
                lambda token: token.completed(server=name, certificates=certificates)
            )

        return {name: here(name, server) for name, server in value.items()}

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        refuse(self._faults())
        return self

    def _faults(self) -> Iterator[Fault]:
        if not self.inbound and not self.allow_unauthenticated:
            yield (
                (),
                (
                    "nobody could call: name the issuers of accepted tokens under inbound, "
                    "or say allow_unauthenticated: true"
                ),
            )
        if self.proxy_protocol and not self.trusted_proxies:
            yield ("proxy_protocol",), NO_PROXY_IS_NAMED
        if self.tls is not None and self.url is not None and self.url.scheme != "https":
            yield ("url",), f"the listener speaks TLS, and clients are told {self.url}: say https"
        elif not self.listen.is_loopback:
            yield from ((("listen",), fault) for fault in self._unguarded())
        prefixes = {name: self.prefix_of(name) for name in self.servers}
        for one, other in clashing_prefixes(prefixes):
            yield (
                ("servers", other),
                (
                    f"servers {one} and {other} have prefixes ({prefixes[one]!r}, {prefixes[other]!r}) "
                    "of which one begins with the other, so a name could mean two tools: set prefix for one"
                ),
            )

        yield from self._virtual_faults()

    def _virtual_faults(self) -> Iterator[Fault]:
        """Servers that virtual ones name, and that are not there."""
        known = ", ".join(self.servers) or "none"
        for name, virtual in self.virtual_servers.items():
            place = ("virtual_servers", name)
            for number, one in enumerate(virtual.include):
                server, dot, pattern = one.partition(".")
                if dot and not pattern:
                    yield (*place, "include", number), f"{one} names nothing: say {server}, or {server}.get_*"
                if server not in self.servers:
                    yield (*place, "include", number), f"there is no server {server}: servers are {known}"
            for server in virtual.overrides.keys() - virtual.patterns().keys():
                yield (*place, "overrides", server), f"server {server} is not among what is included"

    def _unguarded(self) -> Iterator[str]:
        """What a door lacks that others than this machine reach."""
        if self.url is None:
            yield (
                f"listening on {self.listen}, it cannot know its address as clients see it: set url, "
                "such as https://mcp.example.com"
            )
        elif self.allow_unauthenticated and not self.insecure_public:
            yield (
                f"listening on {self.listen} without authentication lets every machine that reaches it in: "
                "listen on 127.0.0.1, drop allow_unauthenticated, or say insecure_public: true"
            )
        elif self.url.scheme != "https" and not self.insecure_public:
            yield (
                f"with {self.url} as its address, tokens would travel in the clear: "
                "say https, with TLS in front or a certificate in tls, or say insecure_public: true"
            )
