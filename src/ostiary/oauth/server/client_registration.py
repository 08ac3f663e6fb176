"""What a client says of itself: read into a `Client`, or refused. RFC 7591 section 2.

Nothing here is believed: a name is shown beside the host that the code goes to, and no address but the keys'
is ever fetched. Members that we don't know are ignored, as the RFC has it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from typing import Any, cast

import msgspec

from ostiary.oauth.canonical_url import UrlRefused, canonical_url
from ostiary.oauth.client.client_authentication import AuthMethod
from ostiary.oauth.server.client import (
    AUTHORIZATION_CODE,
    DEVICE_CODE,
    JWT_BEARER,
    REFRESH_TOKEN,
    ApplicationType,
    Client,
    ClientKind,
)
from ostiary.oauth.server.errors import InvalidClientMetadata, InvalidRedirectUri, InvalidScope
from ostiary.oauth.server.redirect_uri import check_registrable, inferred_type
from ostiary.oauth.server.scope import read_scope, write_scope

OFFERED_METHODS: frozenset[AuthMethod] = frozenset(
    {"none", "client_secret_basic", "client_secret_post", "private_key_jwt"}
)
"""How strangers may authenticate."""
OFFERED_GRANTS = frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN, DEVICE_CODE})
"""Grants in which a person decides; the others are for clients that the operator registered."""
MAX_REDIRECT_URIS = 20
MAX_KEYS = 20
MAX_JWKS_BYTES = 32 * 1024
LONGEST_NAME = 1000
SHOWN_NAME = 200
"""Characters of a name that people get to see."""

_BY_STRENGTH = ("private_key_jwt", "client_secret_basic", "client_secret_post", "none")
_LONGEST_URL = 2000
_KEY_TYPES = ("RSA", "EC", "OKP")
"""The others are passed over (RFC 7517 section 5)."""
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})


def client_from_metadata(
    document: Any, *, client_id: str, kind: ClientKind, offered: Collection[AuthMethod] = OFFERED_METHODS
) -> Client:
    """The client that the metadata describes; a secret, where its method needs one, is the caller's to make.

    offered: the authentication methods that such clients may have. Raises InvalidRedirectUri and
    InvalidClientMetadata.
    """
    if not isinstance(document, Mapping):
        raise InvalidClientMetadata("the client's metadata is not a JSON object")
    if document.get("software_statement") is not None:
        raise InvalidClientMetadata("software statements are not taken here: say the same outside of one")
    method = _auth_method(document, kind, offered)
    grant_types = _grant_types(document, kind, method)
    _check_response_types(document, grant_types)
    redirect_uris, application_type = _redirects(document, grant_types)
    jwks, jwks_uri = _keys(document, method)
    return Client(
        client_id,
        kind,
        redirect_uris,
        grant_types,
        _scopes(document),
        method,
        jwks=jwks,
        jwks_uri=jwks_uri,
        application_type=application_type,
        name=_name(document),
        client_uri=_client_uri(document),
        dpop_bound=_flag(document, "dpop_bound_access_tokens"),
        certificate_bound=_flag(document, "tls_client_certificate_bound_access_tokens"),
        require_pushed_requests=_flag(document, "require_pushed_authorization_requests"),
    )


def registered_metadata(client: Client) -> dict[str, Any]:
    """What a client is told that it was registered as (RFC 7591 section 3.2.1), but for its secret."""
    has_code = client.may_use(AUTHORIZATION_CODE)
    said: dict[str, Any] = {
        "client_id": client.client_id,
        "client_name": client.name,
        "client_uri": client.client_uri,
        "redirect_uris": list(client.redirect_uris),
        "grant_types": sorted(client.grant_types),
        "response_types": ["code"] if has_code else [],
        "token_endpoint_auth_method": client.auth_method,
        "application_type": str(client.application_type),
        "scope": None if client.scopes is None else write_scope(sorted(client.scopes)),
        "jwks": None if client.jwks is None else dict(client.jwks),
        "jwks_uri": client.jwks_uri,
        "dpop_bound_access_tokens": client.dpop_bound,
        "tls_client_certificate_bound_access_tokens": client.certificate_bound,
        "require_pushed_authorization_requests": client.require_pushed_requests,
    }
    return {name: value for name, value in said.items() if value is not None}


def _auth_method(document: Mapping[str, Any], kind: ClientKind, offered: Collection[str]) -> AuthMethod:
    """The method that it names; else the best that we share with `token_endpoint_auth_methods_supported`.

    The list (OpenID Connect RP Metadata Choices) is what a document for many servers has. RFC 7591's default
    is a secret, which the author of a public document cannot keep.
    """
    named = _text(document, "token_endpoint_auth_method")
    choices = _texts(document, "token_endpoint_auth_methods_supported", limit=20) or []
    default = [] if named or choices else ["none" if kind is ClientKind.DOCUMENT else "client_secret_basic"]
    for method in (named, *sorted(choices, key=_weakness), *default):
        if method in offered:
            return cast("AuthMethod", method)
    raise InvalidClientMetadata(
        f"token_endpoint_auth_method is none of {', '.join(sorted(offered))}, which are taken here"
    )


def _weakness(method: str) -> int:
    return _BY_STRENGTH.index(method) if method in _BY_STRENGTH else len(_BY_STRENGTH)


def _grant_types(document: Mapping[str, Any], kind: ClientKind, method: AuthMethod) -> frozenset[str]:
    """What we have of those that it names: the rest is left out, and who registers is told what is left.

    Clients are written for all servers of the world (RFC 7591 section 3.2.1). A company's IdP may vouch
    (ID-JAG) for the client of a document, but for no public one: its assertion names the client, and only a
    key proves that this is it.
    """
    vouched_for = kind is ClientKind.DOCUMENT and method != "none"
    offered = OFFERED_GRANTS | ({JWT_BEARER} if vouched_for else frozenset())
    named = offered.intersection(_texts(document, "grant_types", limit=20) or [AUTHORIZATION_CODE])
    if not named - {REFRESH_TOKEN}:
        raise InvalidClientMetadata(
            "grant_types has no grant by which this client could get a token here: it may have "
            f"{', '.join(sorted(offered))}"
        )
    return named


def _check_response_types(document: Mapping[str, Any], grants: frozenset[str]) -> None:
    """Like grants, others than ours are left out."""
    named = _texts(document, "response_types", limit=20)
    if named is not None and AUTHORIZATION_CODE in grants and "code" not in named:
        raise InvalidClientMetadata("response_types has no code: nothing else is answered here")


def _redirects(
    document: Mapping[str, Any], grant_types: frozenset[str]
) -> tuple[tuple[str, ...], ApplicationType]:
    uris = document.get("redirect_uris") or []
    if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
        raise InvalidRedirectUri("redirect_uris is not a list of strings")
    if len(uris) > MAX_REDIRECT_URIS:
        raise InvalidRedirectUri(f"a client has at most {MAX_REDIRECT_URIS} redirect URIs")
    if not uris and AUTHORIZATION_CODE in grant_types:
        raise InvalidRedirectUri("redirect_uris is missing: a code has to be sent somewhere")
    named = _text(document, "application_type")
    if named not in {None, *ApplicationType}:
        raise InvalidClientMetadata("application_type is neither web nor native")
    application_type = inferred_type(uris) if named is None else ApplicationType(named)
    for uri in uris:
        check_registrable(uri, application_type)
    return tuple(dict.fromkeys(uris)), application_type


def _keys(document: Mapping[str, Any], method: AuthMethod) -> tuple[dict[str, Any] | None, str | None]:
    """RFC 7591 section 2: the keys themselves, or where they are, and not both."""
    jwks, jwks_uri = document.get("jwks"), _https(document, "jwks_uri")
    if jwks is not None and jwks_uri is not None:
        raise InvalidClientMetadata("jwks and jwks_uri exclude each other")
    if method == "private_key_jwt" and jwks is None and jwks_uri is None:
        raise InvalidClientMetadata("private_key_jwt needs jwks or jwks_uri")
    return None if jwks is None else _public_keys(jwks), jwks_uri


def _public_keys(jwks: object) -> dict[str, Any]:
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise InvalidClientMetadata("jwks is not a JSON Web Key Set")
    if not 1 <= len(keys) <= MAX_KEYS or len(msgspec.json.encode(keys)) > MAX_JWKS_BYTES:
        raise InvalidClientMetadata(f"jwks has 1 to {MAX_KEYS} keys, in {MAX_JWKS_BYTES // 1024} KiB")
    keys = [{name: value for name, value in key.items() if value is not None} for key in keys]
    if any(not _PRIVATE.isdisjoint(key) or key.get("kty") == "oct" for key in keys):
        raise InvalidClientMetadata("jwks has a private or a shared key: make a new one, this one is known")
    usable = [key for key in keys if key.get("kty") in _KEY_TYPES]
    if not usable:
        raise InvalidClientMetadata(f"jwks has no key of type {', '.join(_KEY_TYPES)}")
    return {"keys": usable}


def _name(document: Mapping[str, Any]) -> str | None:
    """What people see: no line breaks, nothing invisible, nothing that turns the reading direction."""
    named = _text(document, "client_name")
    if named is None:
        return None
    if len(named) > LONGEST_NAME:
        raise InvalidClientMetadata(f"client_name has more than {LONGEST_NAME} characters")
    spaced = " ".join(unicodedata.normalize("NFC", named).split())
    visible = (character for character in spaced if not unicodedata.category(character).startswith("C"))
    shown = " ".join("".join(visible).split())
    return (shown if len(shown) <= SHOWN_NAME else shown[: SHOWN_NAME - 1] + "…") or None


def _scopes(document: Mapping[str, Any]) -> frozenset[str] | None:
    try:
        named = read_scope(_text(document, "scope"))
    except InvalidScope as refused:
        raise InvalidClientMetadata(refused.description) from None
    return frozenset(named) or None


def _client_uri(document: Mapping[str, Any]) -> str | None:
    """Nothing rests on it, so one that nobody should follow is left out: many are http://localhost:3000."""
    try:
        return _https(document, "client_uri")
    except InvalidClientMetadata:
        return None


def _https(document: Mapping[str, Any], name: str) -> str | None:
    text = _text(document, name)
    if text is None:
        return None
    if len(text) > _LONGEST_URL:
        raise InvalidClientMetadata(f"{name} has more than {_LONGEST_URL} characters")
    try:
        url = canonical_url(text)
    except UrlRefused as refused:
        raise InvalidClientMetadata(f"{name} is refused: {refused}") from None
    if url.scheme != "https":
        raise InvalidClientMetadata(f"{name} is not https")
    return str(url)


def _text(document: Mapping[str, Any], name: str) -> str | None:
    """Some clients write null or nothing for what they don't have."""
    value = document.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidClientMetadata(f"{name} is not a string")
    return value


def _texts(document: Mapping[str, Any], name: str, *, limit: int) -> list[str] | None:
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > limit or not all(isinstance(one, str) for one in value):
        raise InvalidClientMetadata(f"{name} is not a short list of strings")
    return value


def _flag(document: Mapping[str, Any], name: str) -> bool:
    value = document.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise InvalidClientMetadata(f"{name} is neither true nor false")
    return value
