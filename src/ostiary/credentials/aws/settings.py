"""AWS's signature on each request, with keys of a role that a JWT opens: web identity federation.

subject    whose JWT it is: the caller's own, or another credential's
roles      which role it opens, by a claim of the JWT; else `role`
STS        JWT and role → keys for an hour                             AssumeRoleWithWebIdentity
signing    each request on its own                                     Signature Version 4
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from ostiary.credentials.subject import Subject
from ostiary.oauth.canonical_url import canonical_url
from ostiary.settings import Duration, Url
from ostiary.transport.reach import NetworkEdge

if TYPE_CHECKING:
    from ostiary.oauth.canonical_url import CanonicalUrl

RoleArn = Annotated[str, StringConstraints(pattern=r"^arn:[a-z0-9-]+:iam::[0-9]{12}:role/[\x21-\x7e]+$")]


def _as_sts_allows(duration: timedelta) -> timedelta:
    if not timedelta(minutes=15) <= duration <= timedelta(hours=12):
        raise ValueError("AWS gives sessions of 15m to 12h")
    return duration


class AwsSigV4Settings(NetworkEdge):
    """Which role signs, for whom, and in whose name."""

    type: Literal["aws_sigv4"] = "aws_sigv4"
    """The kind of credential."""
    region: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")]
    """The server's region, such as eu-central-1."""
    service: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")] = "aws-mcp"
    """The name that the server signs as, such as bedrock-agentcore."""
    subject: Subject = "inbound"
    """Whose JWT opens the role: the caller's own (inbound), or that of a credential."""
    role: RoleArn | None = None
    """The role for every subject, or for those that `roles` has none for."""
    roles: Annotated[dict[str, RoleArn], Field(min_length=1)] | None = None
    """Roles by the value of `role_claim`; the first that fits is taken."""
    role_claim: str = "groups"
    """The claim of the subject's JWT that `roles` go by: a string or a list of them."""
    session_name_claim: str = "sub"
    """The claim that the session is called by in AWS's logs."""
    session_duration: Annotated[Duration, AfterValidator(_as_sts_allows)] = timedelta(hours=1)
    """How long keys are good for: 15m to 12h, and no longer than the role allows."""
    sts_url: Url | None = None
    """The Security Token Service. Default: the region's own."""

    @model_validator(mode="after")
    def _there_is_a_role(self) -> Self:
        if self.role is None and self.roles is None:
            raise ValueError("no role could be taken: set role, or roles by claim")
        return self

    @property
    def sts(self) -> CanonicalUrl:
        """Where sessions are asked for."""
        suffix = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        return self.sts_url or canonical_url(f"https://sts.{self.region}.{suffix}/")
