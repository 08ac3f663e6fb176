"""What a back-channel endpoint is asked: a form (or JSON), and who is at the other end."""

from __future__ import annotations

from ostiary.identity.possession import Sender
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.errors import InvalidRequest
from ostiary.oauth.server.parameters import Parameters, read_parameters
from ostiary.transport.inline_http import Request
from ostiary.unseen import Unseen

FORM = b"application/x-www-form-urlencoded"
JSON = b"application/json"


class FormRequest(Unseen, frozen=True):
    """One request. Secrets in it never show in a `repr`."""

    url: str
    """The endpoint's address as clients see it: what a proof of possession names."""
    peer: str
    """The address at the other end of the connection."""
    parameters: Parameters
    authorization: str | None = None
    dpop: str | None = None
    certificate: bytes | None = None
    """The client's certificate in DER, on the listener that asks for one."""
    certificate_chain: tuple[bytes, ...] = ()
    """What it showed beside it."""
    json: bytes = b""
    """The body of a JSON endpoint, whose `parameters` are empty."""

    def sender(self, method: str) -> Sender:
        """What it shows of whoever sends it."""
        return Sender(method, canonical_url(self.url), self.dpop, self.certificate)


def read_form_request(request: Request, body: bytes, *, url: str) -> FormRequest:
    """Read a form. Raises InvalidRequest."""
    _refuse_repeated(request)
    _require(request, FORM, "application/x-www-form-urlencoded")
    return FormRequest(
        url,
        request.peer,
        read_parameters(body),
        _text(request, b"authorization"),
        _text(request, b"dpop"),
        request.certificate,
        request.certificate_chain,
    )


def read_json_request(request: Request, body: bytes, *, url: str) -> FormRequest:
    """Read what is not a form: the body is left as it came. Raises InvalidRequest."""
    _refuse_repeated(request)
    _require(request, JSON, "application/json")
    return FormRequest(url, request.peer, Parameters(), _text(request, b"authorization"), json=body)


def read_bare_request(request: Request, _body: bytes, *, url: str) -> FormRequest:
    """Read what is asked with a head alone. Raises InvalidRequest."""
    _refuse_repeated(request)
    return FormRequest(
        url,
        request.peer,
        Parameters(),
        _text(request, b"authorization"),
        _text(request, b"dpop"),
        request.certificate,
        request.certificate_chain,
    )


def read_query_request(request: Request, _body: bytes, *, url: str) -> FormRequest:
    """Read what is asked with GET. Raises InvalidRequest."""
    _refuse_repeated(request)
    return FormRequest(
        url,
        request.peer,
        read_parameters(request.query),
        _text(request, b"authorization"),
        _text(request, b"dpop"),
        request.certificate,
        request.certificate_chain,
    )


def _refuse_repeated(request: Request) -> None:
    if request.repeated and (repeated := request.repeated & {b"authorization", b"dpop", b"content-type"}):
        raise InvalidRequest(f"the request has more than one {min(repeated).decode()} header")


def _require(request: Request, kind: bytes, words: str) -> None:
    said = request.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if said != kind:
        raise InvalidRequest(f"the body must be {words}")


def _text(request: Request, name: bytes) -> str | None:
    value = request.headers.get(name)
    return None if value is None else value.decode("latin-1")
