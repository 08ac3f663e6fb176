"""What is wrong with the token that was sent, when the server refused it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.diagnosis.advice import takes
from ostiary.diagnosis.diagnosis import Cause, Diagnosis
from ostiary.diagnosis.wanted_credential import WantedCredential
from ostiary.oauth.canonical_url import UrlRefused, canonical_url
from ostiary.oauth.inspection.humanize import relative, span_in_words
from ostiary.oauth.inspection.token_explanation import LEEWAY, SIGNATURE_REMOVED, is_a_persons
from ostiary.oauth.inspection.token_kind import TokenKind
from ostiary.oauth.jwt_claims import scopes_of
from ostiary.oauth.resource_server.access_token import GOOGLE

if TYPE_CHECKING:
    from ostiary.diagnosis.evidence import Evidence, Sent
    from ostiary.diagnosis.server_answer import ServerAnswer
    from ostiary.oauth.jwt_parts import JwtParts

_ACCESS_TOKENS = {TokenKind.GOOGLE_ACCESS_TOKEN, TokenKind.ACCESS_TOKEN, TokenKind.JWT_ACCESS_TOKEN}
_ID_TOKENS = {TokenKind.ID_TOKEN, TokenKind.GOOGLE_ID_TOKEN}
_GOOGLES = {WantedCredential.GOOGLE_ID_TOKEN, WantedCredential.IAP}


def scope_is_missing(evidence: Evidence) -> Diagnosis | None:
    """RFC 6750 section 3.1."""
    if (refused := _refused(evidence)) is None or refused[0].challenge.get("error") != "insufficient_scope":
        return None
    answer, _ = refused
    jwt = _jwt(evidence)
    had = " ".join(sorted(scopes_of(jwt.claims))) if jwt else ""
    wish = answer.challenge.get("scope", "")
    return Diagnosis(
        Cause.MISSING_SCOPE,
        f"The token is good and has not the scope for this: {evidence.url} wants "
        f"{wish or 'a scope that it does not name'}, and the token has {had or 'none that can be read'}.",
        f"Ask for it: scopes: [{', '.join(wish.split()) or '...'}] in the credential; its "
        "issuer has to allow it."
        if takes(evidence.credential, "scopes")
        else "Get a token with that scope from its issuer, or use a credential that fetches its own.",
    )


def it_is_in_the_wrong_header(evidence: Evidence) -> Diagnosis | None:
    """An API key, where the server reads bearer tokens."""
    if (refused := _refused(evidence)) is None or refused[1].carries_a_bearer_token:
        return None
    if evidence.wanted not in {WantedCredential.BEARER, WantedCredential.OAUTH, *_GOOGLES}:
        return None
    return Diagnosis(
        Cause.WRONG_HEADER,
        f"{evidence.url} reads {evidence.wanted} from the Authorization header; credential "
        f"{evidence.credential} sends {', '.join(refused[1].headers)}.",
        "Use a credential of the kind that it wants: bearer for a fixed token, or one that fetches it.",
    )


def server_reads_no_bearer_token(evidence: Evidence) -> Diagnosis | None:
    """Such as Basic."""
    if (refused := _refused(evidence)) is None or evidence.wanted is not WantedCredential.OTHER_SCHEME:
        return None
    return Diagnosis(
        Cause.NOT_A_BEARER_SERVER,
        f"{evidence.url} asks for the scheme {refused[0].scheme}, and credential {evidence.credential} "
        "sends something else.",
        "Use a credential header with name: Authorization and the value that it takes.",
    )


def its_signature_was_removed(evidence: Evidence) -> Diagnosis | None:
    """A token that Cloud Run handed to a service can't be used again."""
    token = evidence.sent.token if _refused(evidence) and evidence.sent else None
    if token is None or not any("signature was removed" in oddity for oddity in token.oddities):
        return None
    return Diagnosis(
        Cause.SIGNATURE_REMOVED,
        f"The token was taken from a request to a Cloud Run service: it ends in {SIGNATURE_REMOVED}, "
        "so that it opens nothing else.",
        "A service calls others with a token of its own: use a credential google_id_token there.",
    )


def it_is_not_signed(evidence: Evidence) -> Diagnosis | None:
    """alg none."""
    jwt = _jwt(evidence)
    if jwt is None or str(jwt.header.get("alg", "none")).lower() != "none":
        return None
    return Diagnosis(
        Cause.UNSIGNED,
        "The token is not signed (alg none), so no server can believe it.",
        "Get one from the issuer that the server trusts.",
    )


def our_clock_is_behind(evidence: Evidence) -> Diagnosis | None:
    """A token that was issued just now shows its issuer's clock."""
    jwt, sent = _jwt(evidence), evidence.sent
    if jwt is None or sent is None or not sent.fetched:
        return None
    issued = jwt.moment("iat")
    if issued is None or issued <= sent.at + LEEWAY:
        return None
    return Diagnosis(
        Cause.OUR_CLOCK,
        "The clocks differ: the token was issued just now, and by our clock that is "
        f"{relative(issued, sent.at)}.",
        f"Set this machine's clock (NTP): it is {span_in_words(issued - sent.at)} behind the issuer's.",
    )


def it_has_expired(evidence: Evidence) -> Diagnosis | None:
    """By our clock."""
    jwt, sent = _jwt(evidence), evidence.sent
    expires = jwt.moment("exp") if jwt else None
    if sent is None or expires is None or expires > sent.at:
        return None
    return Diagnosis(
        Cause.EXPIRED,
        f"The token expired {relative(expires, sent.at)}.",
        "A fixed token dies: use a credential that fetches its own, such as "
        f"{'google_id_token' if evidence.wanted in _GOOGLES else 'client_credentials'}."
        if not sent.fetched
        else "Set this machine's clock (NTP): the token was issued just now.",
    )


def it_is_not_valid_yet(evidence: Evidence) -> Diagnosis | None:
    """By our clock."""
    jwt, sent = _jwt(evidence), evidence.sent
    if jwt is None or sent is None:
        return None
    begins = max((moment for claim in ("nbf", "iat") if (moment := jwt.moment(claim)) is not None), default=0)
    if begins <= sent.at + LEEWAY:
        return None
    return Diagnosis(
        Cause.NOT_YET_VALID,
        f"The token is from the future: its time begins {relative(begins, sent.at)}.",
        "Set the clock (NTP) of this machine, or of the one where the token was made.",
    )


def it_is_an_access_token(evidence: Evidence) -> Diagnosis | None:
    """The mistake that most people make with Cloud Run."""
    if not _refused(evidence) or evidence.wanted not in _GOOGLES or _kind(evidence) not in _ACCESS_TOKENS:
        return None
    return Diagnosis(
        Cause.ACCESS_TOKEN,
        f"The token that credential {evidence.credential} sends is an access token ({_kind(evidence)}); "
        f"{evidence.url.origin} wants an ID token, whose audience it is.",
        f"Use a credential google_id_token (audience: {evidence.url.origin}); by hand, "
        f"gcloud auth print-identity-token and not print-access-token.",
    )


def it_is_an_id_token(evidence: Evidence) -> Diagnosis | None:
    """The other way round: an OAuth-protected server takes access tokens."""
    if (
        not _refused(evidence)
        or evidence.wanted is not WantedCredential.OAUTH
        or _kind(evidence) not in _ID_TOKENS
    ):
        return None
    issuers = evidence.metadata.issuers if evidence.metadata else ()
    return Diagnosis(
        Cause.ID_TOKEN,
        f"The token is an ID token ({_kind(evidence)}), which says who somebody is; {evidence.url} wants "
        f"an access token{_of(issuers)}.",
        "Use a credential client_credentials, which gets an access token from that issuer.",
    )


def it_is_a_persons(evidence: Evidence) -> Diagnosis | None:
    """gcloud's ID token of a person has gcloud as its audience."""
    jwt = _jwt(evidence)
    if jwt is None or jwt.issuer not in GOOGLE or not is_a_persons(jwt):
        return None
    if evidence.wanted is WantedCredential.IAP:
        return None
    return Diagnosis(
        Cause.USER_TOKEN,
        f"The token is a person's: its audience is the OAuth client {', '.join(jwt.audiences)}, where "
        f"{evidence.url.origin} is due, and a person's Google login cannot choose another.",
        "Let the person act as a service account: a credential google_id_token with impersonate: ACCOUNT "
        "(by hand, gcloud auth print-identity-token --impersonate-service-account=ACCOUNT --audiences="
        f"{evidence.url.origin}).",
    )


def it_is_from_another_issuer(evidence: Evidence) -> Diagnosis | None:
    """The server's metadata names those that it trusts."""
    jwt = _jwt(evidence)
    issuers = evidence.metadata.issuers if evidence.metadata else ()
    if evidence.wanted is WantedCredential.GOOGLE_ID_TOKEN:
        issuers = tuple(GOOGLE)
    if jwt is None or jwt.issuer is None or not issuers or jwt.issuer in issuers:
        return None
    trusted = ("https://accounts.google.com",) if GOOGLE.issuperset(issuers) else issuers
    return Diagnosis(
        Cause.WRONG_ISSUER,
        f"The token is from {jwt.issuer}, and {evidence.url} takes tokens of {' or '.join(trusted)}.",
        "Get the token there; issuers are compared letter for letter, a slash at the end included.",
    )


def it_is_for_another_audience(evidence: Evidence) -> Diagnosis | None:
    """Both are shown."""
    jwt = _jwt(evidence)
    if jwt is None or not jwt.audiences:
        return None
    if evidence.wanted is WantedCredential.IAP:
        return None
    due = _due(evidence)
    if not due or not due.isdisjoint(jwt.audiences):
        return None
    wish = (
        evidence.metadata.resource
        if evidence.metadata and evidence.metadata.resource
        else evidence.url.origin
    )
    with_path = any(_origin(audience) == wish for audience in jwt.audiences)
    return Diagnosis(
        Cause.AUDIENCE_MISMATCH,
        f"The token is for another audience: it says {', '.join(jwt.audiences)}, and {evidence.url} "
        f"takes {_audience_in_words(evidence, wish)}.",
        f"{_to_set_audience(evidence, wish)}{': leave the path out' if with_path else ''}.",
    )


def _to_set_audience(evidence: Evidence, wish: str) -> str:
    """What a credential calls it (RFC 8707 has resource); a fixed token has nothing to set."""
    for setting in ("audience", "resource"):
        if takes(evidence.credential, setting):
            return f"Set {setting}: {wish} in the credential"
    return f"Get a token for {wish} from its issuer, or use a credential that fetches its own"


def _origin(audience: str) -> str | None:
    try:
        return canonical_url(audience).origin
    except UrlRefused:
        return None


def it_is_opaque(evidence: Evidence) -> Diagnosis | None:
    """Google's front end reads JWTs only."""
    if not _refused(evidence) or evidence.wanted not in _GOOGLES:
        return None
    token = evidence.sent.token if evidence.sent else None
    if token is None or token.jwt is not None:
        return None
    return Diagnosis(
        Cause.OPAQUE_TOKEN,
        f"The token that credential {evidence.credential} sends is no JWT ({token.kind}), and "
        f"{evidence.url.origin} wants an ID token.",
        f"Use a credential google_id_token (audience: {evidence.url.origin}).",
    )


def _due(evidence: Evidence) -> set[str]:
    """The audiences that the server is known to take; for Cloud Run, custom ones can't be seen."""
    url = evidence.url
    if evidence.metadata and evidence.metadata.resource:
        resource = evidence.metadata.resource
        blamed = evidence.call is not None and "audience" in evidence.call.said.lower()
        return {resource} if blamed else {resource, resource.rstrip("/"), url.origin, str(url)}
    return {url.origin} if evidence.wanted is WantedCredential.GOOGLE_ID_TOKEN else set()


def _audience_in_words(evidence: Evidence, wish: str) -> str:
    custom = (
        ", or a custom audience of the service" if evidence.wanted is WantedCredential.GOOGLE_ID_TOKEN else ""
    )
    return f"{wish}{custom}"


def _refused(evidence: Evidence) -> tuple[ServerAnswer, Sent] | None:
    if evidence.call is None or evidence.sent is None or not evidence.call.is_refusal:
        return None
    return evidence.call, evidence.sent


def _jwt(evidence: Evidence) -> JwtParts | None:
    """The token's claims, when it was refused and can be read."""
    if _refused(evidence) is None or evidence.sent is None or evidence.sent.token is None:
        return None
    return evidence.sent.token.jwt


def _kind(evidence: Evidence) -> TokenKind | None:
    return evidence.sent.token.kind if evidence.sent and evidence.sent.token else None


def _of(issuers: tuple[str, ...]) -> str:
    return f" of {' or '.join(issuers)}" if issuers else ""
