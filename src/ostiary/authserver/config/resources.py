"""What tokens are for: the entries of `resources:`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    GetJsonSchemaHandler,
    StringConstraints,
    model_validator,
)

from ostiary.authserver.config.idps import IdpName
from ostiary.identity.inbound_settings import ScopeToken
from ostiary.identity.spiffe import MOST_OWNER_BYTES
from ostiary.identity.trust_domains import Owner
from ostiary.oauth.server.resource import ResourcePattern
from ostiary.settings import Settings

ServerName = Annotated[str, StringConstraints(pattern=r"^[!-~]+$", max_length=255)]
"""An MCP server behind an owner, as the workload names it: a gateway's `servers` have such names."""


class Use(StrEnum):
    """What an identity provider is for a resource."""

    IDENTITY = "identity"
    """Says who somebody is. Exactly one; the first, unless another is named."""
    REQUIRED = "required"
    """Has to be connected before there is a token."""
    OPTIONAL = "optional"
    """Is offered at sign-in, and may be skipped."""
    ON_DEMAND = "on_demand"
    """Is connected later, at the page of connected accounts."""


class IdpUse(Settings):
    """One identity provider of a resource."""

    name: IdpName
    """The entry of `upstream_idps`."""
    use: Use | None = None
    """identity, required, optional or on_demand. Default: the first is the identity, the others required."""


def owner_name(owner_identity: str) -> str:
    """The owner as people and certificates name it, without what tells it from an earlier one."""
    return owner_identity.partition("#")[0]


def _is_a_pattern(text: str) -> str:
    ResourcePattern.parse(text)
    return text


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class _OrItsName:
    """What editors know of an entry that is written as a name alone."""

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, handler(schema)]}


class ResourceSettings(Settings):
    """One resource, or all that begin with a path."""

    resource: Annotated[str, AfterValidator(_is_a_pattern)]
    """The MCP server's address, exact, or a path prefix that ends in `/*`. The longest that fits wins."""
    owner: Owner
    """The workload that the upstream tokens belong to: namespace/name."""
    owner_uid: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]+$", max_length=64)] | None = None
    """What tells this owner from an earlier one of the same name, which was deleted: a Kubernetes uid. With
    another uid, all sessions of the earlier one end."""
    servers: dict[ServerName, list[IdpName]] = {}
    """The MCP servers behind the owner, and the identity providers whose tokens each may have. Default: the
    resource itself is the one server, and may have those of all its `idps`."""
    scopes: list[ScopeToken] = []
    """The scopes that its tokens may have."""
    default_scopes: list[ScopeToken] | None = None
    """What a client that asks for none gets, and the most that one has for which nobody vouches, unless
    `registration.scopes` says otherwise. Default: all of them."""
    scope_descriptions: dict[ScopeToken, Annotated[str, StringConstraints(max_length=200)]] = {}
    """What a scope allows, in words for the page that asks."""
    idps: list[Annotated[IdpUse, BeforeValidator(_named), _OrItsName()]] = []
    """Where its people sign in, and which accounts it needs. Default: it is for programs alone."""
    token_claims: list[Annotated[str, StringConstraints(min_length=1, max_length=100)]] = []
    """Claims taken at sign-in that go into its access tokens."""

    @property
    def pattern(self) -> ResourcePattern:
        """Which addresses it is."""
        return ResourcePattern.parse(self.resource)

    @property
    def uses(self) -> dict[str, Use]:
        """What each identity provider is for, in the order of the interaction: the identity first."""
        if not self.idps:
            return {}
        explicit = [entry for entry in self.idps if entry.use is Use.IDENTITY]
        identity = explicit[0].name if explicit else self.idps[0].name
        others = {entry.name: entry.use or Use.REQUIRED for entry in self.idps if entry.name != identity}
        return {identity: Use.IDENTITY, **others}

    @property
    def owner_identity(self) -> str:
        """The owner, as sessions and accounts name it: never the one that had its name before."""
        return self.owner if self.owner_uid is None else f"{self.owner}#{self.owner_uid}"

    @property
    def identity(self) -> str:
        """The name of the identity provider that says who somebody is; empty where nobody signs in."""
        return next(iter(self.uses), "")

    def for_strangers(self, named: Sequence[str] | None) -> list[str]:
        """What a client that nobody vouches for may have of it. named: `registration.scopes`."""
        most = self.default_scopes if named is None else named
        return [scope for scope in self.scopes if most is None or scope in most]

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        names = [entry.name for entry in self.idps]
        if len(set(names)) != len(names):
            raise ValueError("an identity provider stands twice in idps")
        explicit = [entry.name for entry in self.idps if entry.use is Use.IDENTITY]
        if len(explicit) > 1:
            raise ValueError(f"exactly one identity provider is the identity, not {' and '.join(explicit)}")
        if self.idps and not explicit and self.idps[0].use is not None:
            raise ValueError(
                "no identity provider is the identity: name it first without a use, or say use: identity"
            )
        if len(self.owner_identity) > MOST_OWNER_BYTES:
            raise ValueError(f"owner and owner_uid have more than {MOST_OWNER_BYTES} characters together")
        for server, allowed in self.servers.items():
            if strange := [name for name in allowed if name not in names]:
                raise ValueError(f"servers.{server} names idp {strange[0]}, which idps has not")
        if unknown := set(self.default_scopes or ()) - set(self.scopes):
            raise ValueError(f"default_scopes has {', '.join(sorted(unknown))}, which scopes has not")
        return self
