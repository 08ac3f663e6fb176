"""Hostile input at every door and every page: whatever comes is answered in words, and nothing breaks.

`SEED` and `ROUNDS` of the environment make it look farther.
"""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import parse_qsl

from joserfc.jwk import ECKey
from tests.authserver.agreed import TV, VERIFIER, give_code, proof, redemption, sign_in
from tests.authserver.conftest import RESOURCE, SECRET, Clock, Start
from tests.authserver.connections.at_the_page import connect_url
from tests.authserver.endpoints.test_token import typed
from tests.authserver.foreign_issuer import ForeignIssuer
from tests.authserver.hostile import CLAIMS, Hostile
from tests.authserver.person import Person, World, authorize_url, world

from ostiary.authserver.connections.browser_session import session_cookie
from ostiary.authserver.interaction.browser import Browser, cookie_name
from ostiary.authserver.server.discovery import REGISTRATION_PATH
from ostiary.authserver.server.page_routes import PAGES
from ostiary.oauth.server.client import DEVICE_CODE, JWT_BEARER, TOKEN_EXCHANGE
from ostiary.storage.store import digest

SEED = int(os.environ.get("SEED", "4711"))
ROUNDS = int(os.environ.get("ROUNDS", "80"))
KEY = ECKey.generate_key("P-256")
FORM = b"application/x-www-form-urlencoded"
ASSERTION = {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
TRACE = re.compile(rb"Traceback|\.py\b|sqlalchemy|sqlite", re.IGNORECASE)
WEB = {"client_id": "web", "redirect_uri": "https://web.example.com/callback"}
SIGNER = {"client_id": "signer", "grant_types": ["client_credentials", "jwt_bearer", "token_exchange"]}


async def test_no_hostile_input_breaks_a_door_or_a_page(start: Start, clock: Clock) -> None:
    async with ForeignIssuer(clock).running() as issuer, world(start, clock, **settings(issuer)) as here:
        person = await here.person()
        hostile = Hostile(SEED, await things_of_worth(here, person), issuer.sign)
        broken = []
        for _ in range(ROUNDS):
            clock.advance(5)  # whoever guesses codes is slowed
            for request in [*to_doors(here, hostile, clock), *to_pages(here, hostile, person)]:
                answered = await typed(here.server, request)
                if answered.startswith(b"HTTP/1.1 50") or not answered or TRACE.search(answered):
                    broken.append((request, answered))
        assert not broken, "\n\n".join(f"{request!r}\n{answered!r}" for request, answered in broken[:5])


def settings(issuer: ForeignIssuer) -> dict[str, Any]:
    """Every grant, and nobody is slowed."""
    entry = issuer.settings | {"jwks_url": f"{issuer.url}/jwks"}
    keys = {"keys": [key.as_dict(private=False) for key in issuer.keys]}
    web = {"client_id": "web", "client_secret": SECRET, "redirect_uris": ["https://web.example.com/callback"]}
    web["token_endpoint_auth_method"] = "client_secret_post"
    app = {"client_id": "app", "redirect_uris": ["http://127.0.0.1/callback"]}
    return {
        "hub": "optional",
        "limits": dict.fromkeys(("authorize", "token", "register"), "100000/s"),
        "clients": [app, web, TV, SIGNER | {"jwks": keys}],
        "trusted_issuers": [
            entry
            | {
                "use": ["subject_token", "id_jag", "workload"],
                "subjects": {"runner": "signer"},
                "allowed_actors": ["signer"],
                "claims": {"groups": "groups"},
            }
        ],
    }


async def things_of_worth(here: World, person: Person) -> list[str]:
    """Tokens, codes and names that are good here."""
    tokens = await sign_in(here.server)
    stranger = await here.stranger()
    consent = await person.authorize(client_id=stranger)
    await person.open(connect_url(here.server))
    device = (await here.server.post("/oauth/device_authorization", {"client_id": "tv"})).json()
    return [
        *(
            "app",
            "web",
            "tv",
            "signer",
            "corp",
            "hub",
            SECRET,
            VERIFIER,
            RESOURCE,
            here.server.issuer,
            stranger,
        ),
        *(
            tokens["access_token"],
            tokens["refresh_token"],
            await give_code(here.server),
            consent.hidden["walk"],
        ),
        *(device["device_code"], device["user_code"], "http://127.0.0.1:7777/callback"),
    ]


def to_doors(here: World, hostile: Hostile, clock: Clock) -> list[bytes]:
    """One request to each, and one for each grant."""
    web = {"client_id": "web", "client_secret": SECRET}
    asked = dict(parse_qsl(authorize_url(here.server, **WEB).partition("?")[2]))
    likely: list[tuple[str, dict[str, str]]] = [
        *(
            ("/oauth/revoke", web | {"token": hostile.text()}),
            ("/oauth/introspect", web | {"token": hostile.text()}),
        ),
        ("/oauth/device_authorization", {"client_id": "tv", "scope": "mcp", "resource": RESOURCE}),
        *(("/oauth/par", asked | web), ("/oauth/userinfo", {})),
        *(("/oauth/token", signer(here, hostile) | form) for form in grants(hostile)),
        ("/oauth/token", {"grant_type": DEVICE_CODE, "client_id": "tv", "device_code": hostile.text()}),
        (
            "/oauth/token",
            {"grant_type": "refresh_token", "client_id": "app", "refresh_token": hostile.text()},
        ),
        ("/oauth/token", redemption(hostile.text())),
    ]
    good = proof(here.server, KEY, now=clock())["dpop"]
    return [
        *(posted(here, path, hostile.form(form), *hostile.headers(good)) for path, form in likely),
        posted(here, REGISTRATION_PATH, hostile.json(), content_type=b"application/json"),
        got(
            here,
            "/oauth/userinfo",
            b"",
            b"authorization: DPoP " + hostile.jwt().encode(),
            b"dpop: " + good.encode(),
        ),
    ]


def signer(here: World, hostile: Hostile) -> dict[str, str]:
    """A client that says who it is, and signs it; now and then something else besides."""
    said = {"iss": "signer", "sub": "signer", "aud": here.server.issuer, "jti": str(hostile.random.random())}
    if hostile.chance(0.2):
        said |= {hostile.random.choice(CLAIMS): hostile.value()}
    return ASSERTION | {"client_assertion": hostile.unsigned() if hostile.chance(0.4) else hostile.sign(said)}


def grants(hostile: Hostile) -> list[dict[str, str]]:
    """What it asks for."""
    exchange = {"subject_token": hostile.jwt(), "subject_token_type": ACCESS_TOKEN, "resource": RESOURCE}
    return [
        {"grant_type": "client_credentials", "scope": "mcp", "resource": RESOURCE},
        {"grant_type": JWT_BEARER, "assertion": hostile.jwt(), "scope": "mcp"},
        {"grant_type": TOKEN_EXCHANGE, "scope": "mcp", **exchange},
        {
            "grant_type": TOKEN_EXCHANGE,
            "actor_token": hostile.jwt(),
            "actor_token_type": ACCESS_TOKEN,
            **exchange,
        },
    ]


def to_pages(here: World, hostile: Hostile, person: Person) -> list[bytes]:
    """One request to each, from a browser that is known, with the form's token right."""
    cookies = dict(person.http.cookies)
    issuer = here.server.issuer
    browser = Browser(cookies[cookie_name(issuer)], is_new=False)
    session = digest(cookies[session_cookie(issuer)])
    jar = b"cookie: " + "; ".join(f"{name}={value}" for name, value in cookies.items()).encode()
    requests = []
    for method, path, _ in PAGES:
        if path == "/connections/sign-out":
            continue  # it would end what the others begin with
        where = path.replace(
            "{idp}", hostile.random.choice(["corp", "hub", "%ff", "a" * 300, "..%2f", "%00"])
        )
        walk, code = hostile.random.choice(hostile.worth), hostile.text().replace("\ud800", "a")
        about = {
            "/device": "/device",
            "/device/decide": f"/device/decide {code}",
            "/connections/sign-in": "/connections/sign-in",
        }.get(path, walk if path.startswith("/oauth") else f"{where} {session}")
        likely = {
            "csrf": browser.csrf(about),
            "walk": walk,
            "version": "1",
            "user_code": code,
            "resource": RESOURCE,
            "decision": "allow",
            "step": "connect",
            "account": "a",
            "client": "app",
            "days": "7",
            "session": "a",
            "offer": "a",
            "idp": "corp",
        }
        if path == "/oauth/authorize":
            likely = dict(parse_qsl(authorize_url(here.server).partition("?")[2]))
        said = hostile.form(likely)
        requests.append(got(here, where, said, jar) if method == "GET" else posted(here, where, said, jar))
    return requests


def posted(here: World, path: str, body: bytes, *headers: bytes, content_type: bytes = FORM) -> bytes:
    """A POST, byte for byte."""
    head = [
        b"POST %s HTTP/1.1" % path.encode(),
        b"content-type: " + content_type,
        b"content-length: %d" % len(body),
    ]
    return _request(here, head, headers) + body


def got(here: World, path: str, query: bytes, *headers: bytes) -> bytes:
    """A GET."""
    plain = bytes(byte for byte in query if byte > 0x20 and byte != 0x7F)
    return _request(here, [b"GET %s?%s HTTP/1.1" % (path.encode(), plain)], headers)


def _request(here: World, head: list[bytes], headers: tuple[bytes, ...]) -> bytes:
    host = here.server.issuer.removeprefix("http://").encode()
    return b"\r\n".join([*head, b"host: " + host, b"connection: close", *headers, b"", b""])
