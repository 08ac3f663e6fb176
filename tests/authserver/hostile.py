"""What nobody honest sends: odd bytes, odd JSON, and JWTs that are signed well and say odd things. Seeded."""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_from_bytes

NAMES = [
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "assertion",
    "code",
    "code_verifier",
    "redirect_uri",
    "refresh_token",
    "device_code",
    "scope",
    "resource",
    "audience",
    "subject_token",
    "subject_token_type",
    "actor_token",
    "actor_token_type",
    "requested_token_type",
    "token",
    "token_type_hint",
    "response_type",
    "response_mode",
    "state",
    "nonce",
    "prompt",
    "max_age",
    "code_challenge",
    "code_challenge_method",
    "login_hint",
    "ui_locales",
    "dpop_jkt",
    "request",
    "request_uri",
    "csrf",
    "walk",
    "version",
    "decision",
    "step",
    "user_code",
    "account",
    "client",
    "days",
    "offer",
    "session",
    "idp",
    "iss",
    "error",
    "done",
]
TEXTS = [
    *(
        "",
        "a",
        "0",
        "-1",
        "null",
        "true",
        "[]",
        "{}",
        "..",
        "/",
        "//",
        "\\",
        "*",
        "%",
        "%25",
        "a b",
        "a\r\nb: c",
    ),
    *(
        "\U0001f980",
        "\u202eevil",
        "\ufeff",
        "\u0130",
        "\0",
        "\x7f",
        "\u2028",
        "\ud800",
        "'\"<script>alert(1)",
    ),
    *("9" * 400, "1e999", "NaN", "9007199254740993", "a" * 300, "a" * 5000, "\u00fc" * 2100, "scope " * 600),
    *(
        "none",
        "consent login",
        "S256",
        "plain",
        "allow",
        "deny",
        "keep",
        "replace",
        "connect",
        "skip",
        "continue",
    ),
    *("urn:ietf:params:oauth:request_uri:a", "https://xn--a-.example/x", "https://[::ffff:127.0.0.1]/x"),
    *(
        "https://127.1/x",
        "https://a@b/x",
        "https://localhost/x",
        "https://\u24e8.example/x",
        "javascript:alert(1)",
    ),
    *("http://127.0.0.1/callback", "https://mcp.example.com/mcp?a=b", "https://mcp.example.com/mcp/../x"),
    *("BCDF-GHJK", "....", "a.b", "a.b.c", "a.b.c.d.e"),
]
RAW = [b"%", b"%zz", b"%ff", b"%ed%a0%80", b"%00", b"\xff\xfe", b"%c0%ae", b"+", b"="]
VALUES: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        2**70,
        1e300,
        float("nan"),
        "",
        "a",
        "\ud800",
        "a\0b",
        "\u202e",
        "a" * 3000,
    ),
    *(
        [],
        {},
        [[]],
        [None],
        {"a": {}},
        ["a", 1],
        [{}],
        "none",
        "private_key_jwt",
        "authorization_code",
        "web",
    ),
    *("https://a.example/x", "http://127.0.0.1/cb", "cursor://cb", "data:,x", "https://xn--a-.example/cb"),
]
TYPES = ["JWT", "at+jwt", "oauth-id-jag+jwt", "client-authentication+jwt", "dpop+jwt", None]
CLAIMS = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "client_id",
    "scope",
    "resource",
    "htm",
    "htu",
    "ath",
    "cnf",
    "act",
    "may_act",
    "name",
    "email",
    "groups",
]
METADATA = [
    "client_name",
    "redirect_uris",
    "grant_types",
    "response_types",
    "token_endpoint_auth_method",
    "scope",
    "jwks",
    "jwks_uri",
    "client_uri",
    "logo_uri",
    "application_type",
    "dpop_bound_access_tokens",
    "client_id",
    "software_statement",
    "token_endpoint_auth_methods_supported",
]
NO_JSON = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"a"',
    b"\xff",
    b'{"a":1,"a":2}',
    b"[" * 5000,
    b'{"client_name":"\\ud800"}',
]


@dataclass
class Hostile:
    """seed: the same gives the same; worth: what is good here, such as a code; sign: makes good JWTs."""

    seed: int
    worth: list[str]
    sign: Callable[..., str]
    random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def chance(self, share: float) -> bool:
        """Whether this time."""
        return self.random.random() < share

    def text(self) -> str:
        """A value."""
        match self.random.randrange(8):
            case 0 | 1:
                return self.random.choice(self.worth)
            case 2:
                return self.jwt()
            case 3:
                return "".join(self.random.choices(string.printable, k=self.random.randrange(40)))
        return self.random.choice(TEXTS)

    def form(self, likely: dict[str, str]) -> bytes:
        """What is likely there, now and then with something else in its place; and seldom what is no form."""
        said = {name: self.text() if self.chance(0.1) else value for name, value in likely.items()}
        pairs = [(name.encode(), _quoted(value)) for name, value in said.items() if not self.chance(0.03)]
        if self.chance(0.2):
            pairs.append((self.random.choice(NAMES).encode(), _quoted(self.text())))
        if self.chance(0.05):
            pairs.append((self.random.choice(NAMES).encode(), self.random.choice(RAW)))
        if self.chance(0.01):
            pairs += [(b"a", b"a")] * 120
        return b"&".join(b"%s=%s" % pair for pair in pairs)

    def json(self) -> bytes:
        """What should be JSON."""
        if self.chance(0.2):
            return self.random.choice(NO_JSON)
        said: dict[str, Any] = {"client_name": "a", "redirect_uris": ["https://a.example/cb"]}
        return json.dumps(
            said | {self.random.choice(METADATA): self.value() for _ in range(self.random.randrange(3))}
        ).encode()

    def value(self) -> Any:
        """A value of any type."""
        return self._jwk() if self.chance(0.2) else self.random.choice(VALUES)

    def jwt(self) -> str:
        """Signed well or not, and of any kind."""
        if self.chance(0.4):
            return self.unsigned()
        claims = {"sub": "alice", "jti": str(self.random.random()), "aud": self.random.choice(self.worth)}
        odd = {self.random.choice(CLAIMS): self.value() for _ in range(self.random.randrange(4))}
        return self.sign(claims | odd, typ=self.random.choice(TYPES))

    def unsigned(self) -> str:
        """Nobody's signature, under whatever may stand in a header."""
        who = self.random.choice([*VALUES, *self.worth])
        claims = {"iss": who, "sub": who, "exp": 1_800_000_060, "iat": 1_800_000_000, "jti": "a"}
        header: dict[str, Any] = {"alg": "ES256", "typ": self.random.choice(TYPES), "jwk": self._jwk()}
        header |= {self.random.choice(["kid", "crit", "b64", "jku", "typ", "alg", "x5c"]): self.value()}
        payload = "[" * 3000 if self.chance(0.05) else json.dumps(claims)
        return f"{_base64url(json.dumps(header))}.{_base64url(payload)}.{'A' * 86}"

    def headers(self, proof: str) -> list[bytes]:
        """What a program says beside its form. proof: a good one, for DPoP."""
        said: list[bytes] = []
        if self.chance(0.1):
            pair = self.random.choice([b"", b":", b"\xff:\xff", b"a:%zz", b"%ff:a", b"web", b"web:wrong"])
            basic = base64.b64encode(pair)
            values = [
                b"Basic " + basic,
                b"Basic !",
                b"Bearer ",
                b"DPoP a",
                b"\xff",
                b"Bearer " + self.jwt().encode(),
            ]
            said.append(b"authorization: " + self.random.choice(values))
        if self.chance(0.2):
            values = [self.jwt().encode(), proof.encode(), b"\xe9", b"", b"a.b.c", b"," * 100]
            said.append(b"dpop: " + self.random.choice(values))
        return said

    def _jwk(self) -> dict[str, Any]:
        odd = ["AQ", "AQAB", "", "A" * 43, "\ud800", None, 1]
        kinds = {
            "kty": self.random.choice(["EC", "OKP", "RSA", "oct", 1]),
            "crv": self.random.choice(["P-256", 1]),
        }
        return kinds | {name: self.random.choice(odd) for name in "xyne"}


def _quoted(text: str) -> bytes:
    return quote_from_bytes(text.encode("utf-8", "surrogatepass")).encode()


def _base64url(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
