"""AWS Signature Version 4, against the vectors that AWS published (aws4_testsuite)."""

from __future__ import annotations

import pytest

from ostiary.credentials.aws.sigv4 import AwsKeys, canonical_request, signed_headers
from ostiary.oauth.canonical_url import CanonicalUrl

KEYS = AwsKeys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
AT = 1440938160.0  # 20150830T123600Z


def signature(method: str, path: str, query: str | None = None, body: bytes = b"") -> str:
    url = CanonicalUrl("https", "example.amazonaws.com", 443, path, query)
    headers = dict(
        signed_headers(method, url, body, keys=KEYS, region="us-east-1", service="service", now=AT)
    )
    assert headers.pop("x-amz-date") == "20150830T123600Z"
    credential, signed, value = headers.pop("authorization").split(", ")
    assert credential == "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"
    assert signed == "SignedHeaders=host;x-amz-date"
    assert headers == {}
    return value.removeprefix("Signature=")


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", "", None, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (
            "GET",
            "",
            "Param2=value2&Param1=value1",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        ("POST", "", None, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "POST",
            "",
            "Param1=value1",
            "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
        ),
    ],
    ids=["get-vanilla", "get-vanilla-query-order-key-case", "post-vanilla", "post-vanilla-query"],
)
def test_the_published_vectors(method: str, path: str, query: str | None, expected: str) -> None:
    assert signature(method, path, query) == expected


def test_the_body_and_the_path_are_covered() -> None:
    assert len({signature("POST", path, None, body) for path in ("", "/mcp") for body in (b"", b"{}")}) == 4


def test_a_path_is_encoded_once_more_than_it_is_sent() -> None:
    url = CanonicalUrl("https", "example.amazonaws.com", 443, "/a%20b/c:d", "q=a%20b&q=%2B&flag")
    assert canonical_request("GET", url, b"", {"host": "example.amazonaws.com"}).splitlines()[:4] == [
        "GET",
        "/a%2520b/c%3Ad",
        "flag=&q=%2B&q=a%20b",
        "host:example.amazonaws.com",
    ]


def test_keys_of_a_session_send_and_sign_its_token() -> None:
    url = CanonicalUrl("https", "example.amazonaws.com", 443, "/mcp")
    keys = AwsKeys("AKID", "secret", "session")
    headers = dict(signed_headers("POST", url, b"", keys=keys, region="r", service="s", now=AT))
    assert headers["x-amz-security-token"] == "session"
    assert "SignedHeaders=host;x-amz-date;x-amz-security-token" in headers["authorization"]


def test_keys_do_not_show() -> None:
    assert repr(AwsKeys("AKID", "hunter2", "hunter3")) == "AwsKeys(access_key_id='AKID')"
