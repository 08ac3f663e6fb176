"""What an authorization server refuses with, as the RFCs name it.

    OAuthError
    ├── InvalidRequest              400  RFC 6749 5.2 (in `errors`)
    ├── InvalidClient               401  RFC 6749 5.2
    ├── InvalidGrant                400  RFC 6749 5.2
    ├── UnauthorizedClient          400  RFC 6749 5.2
    ├── UnsupportedGrantType        400  RFC 6749 5.2
    ├── InvalidScope                400  RFC 6749 5.2
    ├── InvalidTarget               400  RFC 8707 2
    ├── InvalidDpopProof            400  RFC 9449 5 (in `errors`)
    ├── DeviceFlowError                  RFC 8628 3.5
    │   ├── AuthorizationPending    400
    │   ├── SlowDown                400
    │   └── ExpiredToken            400
    ├── RegistrationError                RFC 7591 3.2.2
    │   ├── InvalidRedirectUri      400
    │   └── InvalidClientMetadata   400
    ├── AuthorizationError               RFC 6749 4.1.2.1: told to the client by a redirect
    │   ├── UnsupportedResponseType
    │   ├── RequestDenied                access_denied
    │   ├── LoginRequired                OpenID Connect Core 3.1.2.6, as the next two
    │   ├── ConsentRequired
    │   ├── InteractionRequired
    │   ├── RequestNotSupported          OpenID Connect Core 6
    │   ├── RequestUriNotSupported
    │   └── InvalidRequestUri            RFC 9126 4
    ├── TooManyRequests             429  RFC 6585 4, with Retry-After
    ├── Unavailable                 503  RFC 6749 4.1.2.1, with Retry-After
    └── ServerError                 500  RFC 6749 4.1.2.1

Raise where the rule breaks, render in one place.
"""

from __future__ import annotations

from ostiary.oauth.errors import InvalidDpopProof, InvalidRequest, OAuthError

__all__ = [
    "AuthorizationError",
    "AuthorizationPending",
    "ConsentRequired",
    "DeviceFlowError",
    "ExpiredToken",
    "InteractionRequired",
    "InvalidClient",
    "InvalidClientMetadata",
    "InvalidDpopProof",
    "InvalidGrant",
    "InvalidRedirectUri",
    "InvalidRequest",
    "InvalidRequestUri",
    "InvalidScope",
    "InvalidTarget",
    "LoginRequired",
    "OAuthError",
    "RegistrationError",
    "RequestDenied",
    "RequestNotSupported",
    "RequestUriNotSupported",
    "ServerError",
    "SlowDown",
    "TooManyRequests",
    "UnauthorizedClient",
    "Unavailable",
    "UnsupportedGrantType",
    "UnsupportedResponseType",
]


class InvalidClient(OAuthError):
    """The client is unknown, or did not prove that it is who it says. One answer for both."""

    error = "invalid_client"
    status = 401


class InvalidGrant(OAuthError):
    """The code, refresh token or assertion is no good: unknown, spent, expired, revoked, or another's."""

    error = "invalid_grant"


class UnauthorizedClient(OAuthError):
    """The client is who it says, and may not use this grant."""

    error = "unauthorized_client"


class UnsupportedGrantType(OAuthError):
    """A grant that this server does not have."""

    error = "unsupported_grant_type"


class InvalidScope(OAuthError):
    """A scope is malformed, unknown, or more than was granted."""

    error = "invalid_scope"


class InvalidTarget(OAuthError):
    """The resource is missing, malformed, unknown, or another than was authorized."""

    error = "invalid_target"


class DeviceFlowError(OAuthError):
    """What a device hears while its person has not decided yet."""


class AuthorizationPending(DeviceFlowError):
    """The person has not decided yet."""

    error = "authorization_pending"


class SlowDown(DeviceFlowError):
    """The same, and the device asks too often: five seconds more from now on."""

    error = "slow_down"


class ExpiredToken(DeviceFlowError):
    """The device code has ended; the device has to begin again."""

    error = "expired_token"


class RegistrationError(OAuthError):
    """Metadata with which nobody is registered."""


class InvalidRedirectUri(RegistrationError):
    """A redirect URI that codes may not be sent to."""

    error = "invalid_redirect_uri"


class InvalidClientMetadata(RegistrationError):
    """Some other value that cannot be, or that this server does not do."""

    error = "invalid_client_metadata"


class AuthorizationError(OAuthError):
    """An authorization request that ends without a code; its client is told by a redirect."""


class UnsupportedResponseType(AuthorizationError):
    """Anything but `code`."""

    error = "unsupported_response_type"


class RequestDenied(AuthorizationError):
    """The person, or the identity provider for them, said no."""

    error = "access_denied"


class LoginRequired(AuthorizationError):
    """`prompt=none`, and nobody is signed in."""

    error = "login_required"


class ConsentRequired(AuthorizationError):
    """`prompt=none`, and the person would have to agree."""

    error = "consent_required"


class InteractionRequired(AuthorizationError):
    """`prompt=none`, and the person would have to do something else."""

    error = "interaction_required"


class RequestNotSupported(AuthorizationError):
    """Request objects are not read here."""

    error = "request_not_supported"


class RequestUriNotSupported(AuthorizationError):
    """Request objects are not fetched; only our own pushed requests are taken."""

    error = "request_uri_not_supported"


class InvalidRequestUri(AuthorizationError):
    """A pushed request that is unknown, used, expired, or another client's."""

    error = "invalid_request_uri"


class TooManyRequests(OAuthError):
    """This caller asks more often than is allowed."""

    error = "temporarily_unavailable"
    status = 429

    def __init__(self, description: str, *, retry_after: int, detail: str = "") -> None:
        super().__init__(description, detail=detail)
        self.retry_after = retry_after
        """Seconds after which it is worth trying again."""


class Unavailable(OAuthError):
    """Something that we need is away; nothing was spent, and the same request may succeed later."""

    error = "temporarily_unavailable"
    status = 503

    def __init__(self, description: str, *, retry_after: int = 5, detail: str = "") -> None:
        super().__init__(description, detail=detail)
        self.retry_after = retry_after
        """Seconds after which it is worth trying again."""


class ServerError(OAuthError):
    """A bug of ours, or an upstream answer that makes no sense. The log says which."""

    error = "server_error"
    status = 500
