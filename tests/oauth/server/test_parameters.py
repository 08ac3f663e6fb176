"""The parameters of a request, RFC 6749 sections 3.1 and 3.2."""

from __future__ import annotations

import pytest

from ostiary.oauth.errors import InvalidRequest
from ostiary.oauth.server.parameters import Parameters, read_parameters


def refusal(encoded: bytes) -> str:
    with pytest.raises(InvalidRequest) as refused:
        read_parameters(encoded)
    return refused.value.description


def test_a_form_is_read_as_browsers_write_it() -> None:
    read = read_parameters(b"scope=a+b%20c&state=%C3%A4%26&redirect_uri=http%3a%2F%2Flocalhost%2F%3Fa%3Db=c")
    assert read.get("scope") == "a b c"
    assert read.get("state") == "ä&"
    assert read.get("redirect_uri") == "http://localhost/?a=b=c"
    assert read.get("nonce") is None


def test_a_parameter_without_a_value_is_omitted() -> None:
    read = read_parameters(b"state=&nonce&resource=&resource=https://mcp.example.com&&")
    assert "state" not in read
    assert "nonce" not in read
    assert read.all("resource") == ("https://mcp.example.com",)
    assert read_parameters(b"") == Parameters()


def test_a_missing_parameter_is_named() -> None:
    assert read_parameters(b"code=c").require("code") == "c"
    with pytest.raises(InvalidRequest) as refused:
        read_parameters(b"code=").require("code")
    assert refused.value.description == "the parameter code is missing"


@pytest.mark.parametrize(
    "encoded", [b"state=a&state=a", b"state=a&state=", b"st%61te=a&state=b", b"state&state"]
)
def test_a_duplicate_parameter_is_refused(encoded: bytes) -> None:
    assert refusal(encoded) == "the parameter state stands more than once"


def test_a_duplicate_whose_name_is_no_name_is_not_quoted() -> None:
    assert refusal(b"%3Cscript%3E=1&%3Cscript%3E=2") == "a parameter stands more than once"


def test_resource_and_audience_may_repeat() -> None:
    read = read_parameters(b"resource=a&audience=x&resource=b&audience=y")
    assert (read.all("resource"), read.all("audience")) == (("a", "b"), ("x", "y"))
    assert read.all("scope") == ()


def test_several_are_never_taken_for_one() -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_parameters(b"resource=a&resource=b").get("resource")
    assert refused.value.description == "the parameter resource stands more than once"


@pytest.mark.parametrize(
    ("encoded", "why"),
    [
        (b"state=%ff", "the request is not in UTF-8"),
        (b"state=\xff", "the request is not in UTF-8"),
        (b"%c3=x", "the request is not in UTF-8"),
        (b"state=%ed%a0%80", "the request is not in UTF-8"),
        (b"state=%c0%af", "the request is not in UTF-8"),
        (b"state=a%00b", "the request has a NUL character"),
        (b"st\0ate=a", "the request has a NUL character"),
        (b"state=%zz", "the request has a percent sign that encodes nothing"),
        (b"state=100%", "the request has a percent sign that encodes nothing"),
        (b"state=%4", "the request has a percent sign that encodes nothing"),
        (b"&".join(b"p%d=1" % number for number in range(101)), "the request has more than 100 parameters"),
        (b"&" * 100, "the request has more than 100 parameters"),
    ],
)
def test_what_parsers_read_differently_is_refused(encoded: bytes, why: str) -> None:
    assert refusal(encoded) == why


def test_a_hundred_parameters_are_read() -> None:
    assert read_parameters(b"&".join(b"p%d=1" % number for number in range(100))).get("p99") == "1"


def test_a_semicolon_parts_nothing() -> None:
    assert read_parameters(b"a=1;b=2").get("a") == "1;b=2"


def test_a_value_is_not_seen() -> None:
    assert repr(read_parameters(b"client_secret=hunter2&code=c")) == "Parameters(client_secret, code)"


def test_a_request_is_changed_in_a_copy() -> None:
    first = read_parameters(b"client_id=a&request_uri=urn:x&resource=r")
    second = first.with_(client_id="b", request_uri=None, state="s")
    assert second == read_parameters(b"client_id=b&resource=r&state=s")
    assert first.get("client_id") == "a"


def test_a_kept_request_is_read_back_the_same() -> None:
    read = read_parameters("state=%26+%3D&resource=a&resource=b&login_hint=ä%2Bb".encode())
    assert read_parameters(read.encoded()) == read
