"""AWS by web identity: a JWT opens a role, whose keys sign each request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from joserfc.errors import JoseError
from pydantic import ValidationError
from tests.clock import Clock
from tests.credentials.signed import Signer
from tests.credentials.token_server import TokenServer

from ostiary.credentials import AwsSigV4, CredentialError, WorkloadJwt
from ostiary.credentials.aws.sigv4 import AwsKeys, signed_headers
from ostiary.credentials.headers.headers import Headers, OutgoingRequest, ServerRefusal
from ostiary.credentials.runtime import Runtime
from ostiary.oauth.canonical_url import canonical_url

SERVER = canonical_url("https://tools.aws.example/mcp")
READER = "arn:aws:iam::123456789012:role/reader"
ADMIN = "arn:aws:iam::123456789012:role/admin"
XML = "https://sts.amazonaws.com/doc/2011-06-15/"


class Sts(TokenServer):
    """Gives numbered sessions for JWTs of one issuer."""

    def __init__(self, trusted: Signer, clock: Clock) -> None:
        super().__init__(self.assume)
        self.trusted = trusted
        self.clock = clock

    def assume(self, request: web.Request, form: dict[str, str]) -> web.Response:
        try:
            self.trusted.read(form["WebIdentityToken"])
        except JoseError:
            return sts_error("InvalidIdentityToken", "No OpenIDConnect provider found")
        self.issued += 1
        until = datetime.fromtimestamp(self.clock.now + int(form["DurationSeconds"]), UTC)
        return web.Response(
            text=f"""<AssumeRoleWithWebIdentityResponse xmlns="{XML}"><AssumeRoleWithWebIdentityResult>
            <Credentials><AccessKeyId>ASIA{self.issued}</AccessKeyId>
            <SecretAccessKey>secret-{self.issued}</SecretAccessKey>
            <SessionToken>session-{self.issued}</SessionToken>
            <Expiration>{until:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials>
            </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>""",
            content_type="text/xml",
        )

    def without_token(self) -> list[dict[str, str]]:
        return [{name: form[name] for name in form if name != "WebIdentityToken"} for form in self.forms]


def sts_error(code: str, message: str, status: int = 400) -> web.Response:
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    body = f'<ErrorResponse xmlns="{XML}">{error}</ErrorResponse>'
    return web.Response(text=body, status=status, content_type="text/xml")


@pytest.fixture
def idp() -> Signer:
    return Signer("https://sso.example.com")


@pytest.fixture
async def sts(idp: Signer, clock: Clock) -> AsyncIterator[Sts]:
    sts = Sts(idp, clock)
    async with sts.running():
        yield sts


@pytest.fixture
async def runtime(clock: Clock) -> AsyncIterator[Runtime]:
    async with Runtime(clock=clock) as runtime:
        yield runtime


def credential(sts: Sts, **settings: Any) -> AwsSigV4:
    return AwsSigV4(region="eu-central-1", sts_url=sts.token_url, **({"role": READER} | settings))


def signed(number: int, request: OutgoingRequest, clock: Clock) -> Headers:
    keys = AwsKeys(f"ASIA{number}", f"secret-{number}", f"session-{number}")
    return signed_headers(
        request.method,
        request.url,
        request.body,
        keys=keys,
        region="eu-central-1",
        service="aws-mcp",
        now=clock.now,
    )


async def test_each_request_is_signed_with_the_callers_own_session(
    sts: Sts, runtime: Runtime, idp: Signer, clock: Clock
) -> None:
    headers = credential(sts).attach(SERVER, runtime=runtime)
    ada, bob = (idp.principal(clock.now, name) for name in ("ada", "bob"))
    one = OutgoingRequest("POST", SERVER, b"{}", ada)
    another = OutgoingRequest("POST", SERVER, b"[]", ada)
    assert headers.ready(one) is None
    assert await headers.get(one) == signed(1, one, clock)
    assert headers.ready(another) == signed(1, another, clock)
    of_bob = OutgoingRequest("POST", SERVER, b"{}", bob)
    assert await headers.get(of_bob) == signed(2, of_bob, clock)
    assert sts.without_token() == [
        {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": READER,
            "RoleSessionName": name,
            "DurationSeconds": "3600",
        }
        for name in ("ada", "bob")
    ]
    assert "secret-1" not in str(headers.ready(one))


async def test_a_role_goes_by_a_claim_and_the_first_that_fits_is_taken(
    sts: Sts, runtime: Runtime, idp: Signer, clock: Clock
) -> None:
    by_group = credential(sts, roles={"admins": ADMIN, "staff": READER}, role=None)
    headers = by_group.attach(SERVER, runtime=runtime)
    for subject, groups in (("ada", ["staff", "admins"]), ("bob", "staff")):
        principal = idp.principal(clock.now, subject, groups=groups)
        await headers.get(OutgoingRequest("POST", SERVER, principal=principal))
    assert [form["RoleArn"] for form in sts.forms] == [ADMIN, READER]
    with pytest.raises(CredentialError) as refused:
        await headers.get(OutgoingRequest("POST", SERVER, principal=idp.principal(clock.now, "eve")))
    assert str(refused.value) == (
        "credential aws_sigv4 for https://tools.aws.example: "
        "no role is for what the JWT's claim groups says; add one to roles, or set role for all others"
    )


async def test_the_jwt_may_be_another_credentials(
    sts: Sts, runtime: Runtime, idp: Signer, clock: Clock, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(idp.sign(clock.now, sub="system:serviceaccount:ci:runner"))
    headers = credential(sts, subject=WorkloadJwt(file=file)).attach(SERVER, runtime=runtime)
    request = OutgoingRequest("GET", SERVER)
    assert await headers.get(request) == signed(1, request, clock)
    assert sts.forms[0]["RoleSessionName"] == "system-serviceaccount-ci-runner"


async def test_keys_that_aws_knows_no_more_are_dropped_once(
    sts: Sts, runtime: Runtime, idp: Signer, clock: Clock
) -> None:
    headers = credential(sts).attach(SERVER, runtime=runtime)
    request = OutgoingRequest("POST", SERVER, b"{}", idp.principal(clock.now))
    sent = await headers.get(request)
    assert not headers.refused(request, sent, ServerRefusal(500))
    assert headers.refused(request, sent, ServerRefusal(403))
    assert await headers.get(request) == signed(2, request, clock)
    assert headers.refused(request, sent, ServerRefusal(403))  # of a call that was under way
    assert headers.ready(request) == signed(2, request, clock)
    assert not headers.refused(request, signed(2, request, clock), ServerRefusal(403))
    assert sts.issued == 2


@pytest.mark.parametrize(
    ("answer", "problem", "fix"),
    [
        (
            sts_error("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403),
            "it refused with AccessDenied (Not authorized to perform sts:AssumeRoleWithWebIdentity)",
            f"let {READER} trust the JWT's issuer, audience and subject",
        ),
        (
            sts_error("ExpiredTokenException", "Token expired"),
            "it refused with ExpiredTokenException (Token expired)",
            f"see what AWS says about that for {READER}",
        ),
        (
            web.Response(text="<html><p>hello", content_type="text/html"),
            "it answered 200 with something that is not XML",
            "see whether sts_url is right",
        ),
        (
            web.Response(text='<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'),
            "it answered 200 with something that is not from STS",
            "see whether sts_url is right",
        ),
        (
            web.Response(text="<a><AccessKeyId>A</AccessKeyId></a>"),
            "its answer has no SecretAccessKey",
            "see whether sts_url is right",
        ),
    ],
)
async def test_what_sts_says_is_told(
    sts: Sts, runtime: Runtime, idp: Signer, clock: Clock, answer: web.Response, problem: str, fix: str
) -> None:
    sts.answer = lambda request, form: answer
    headers = credential(sts).attach(SERVER, runtime=runtime)
    with pytest.raises(CredentialError) as refused:
        await headers.get(OutgoingRequest("POST", SERVER, principal=idp.principal(clock.now)))
    assert str(refused.value) == (
        f"credential aws_sigv4 for https://tools.aws.example: STS at {sts.token_url}: {problem}; {fix}"
    )


async def test_a_refusal_that_repeats_the_jwt_does_not_show_it(
    sts: Sts, runtime: Runtime, idp: Signer, clock: Clock
) -> None:
    eve = idp.principal(clock.now, "eve", groups=["g" * 400])
    sts.answer = lambda request, form: sts_error("InvalidIdentityToken", f"bad {form['WebIdentityToken']}")
    with pytest.raises(CredentialError) as refused:
        await (
            credential(sts)
            .attach(SERVER, runtime=runtime)
            .get(OutgoingRequest("POST", SERVER, principal=eve))
        )
    assert str(refused.value) == (
        f"credential aws_sigv4 for https://tools.aws.example: STS at {sts.token_url}: it refused with "
        f"InvalidIdentityToken (bad ***); let {READER} trust the JWT's issuer, audience and subject"
    )


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({}, "no role could be taken: set role, or roles by claim"),
        ({"role": "admin"}, "String should match pattern"),
        ({"role": READER, "session_duration": "5m"}, "AWS gives sessions of 15m to 12h"),
    ],
)
def test_settings_that_could_not_work_are_refused(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        AwsSigV4.model_validate({"region": "eu-central-1", **settings})


def test_sts_is_the_regions_own_unless_said_otherwise() -> None:
    assert str(AwsSigV4(region="eu-central-1", role=READER).sts) == "https://sts.eu-central-1.amazonaws.com"
    assert str(AwsSigV4(region="cn-north-1", role=READER).sts) == "https://sts.cn-north-1.amazonaws.com.cn"
