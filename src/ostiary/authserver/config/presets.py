"""What is known of identity providers that many use: where they are, and what is odd about them.

An entry with `preset: google` starts from these words; whatever it says itself goes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PRESETS: Mapping[str, Mapping[str, Any]] = {
    # a refresh token only with access_type, and only the first time; an issuer that it writes in two ways
    "google": {
        "type": "oidc",
        "issuer": "https://accounts.google.com",
        "scopes": ["openid", "email", "profile"],
        "authorization_params": {"access_type": "offline"},
        "label": "Google",
    },
    # errors with status 200, scopes with commas, a number as subject, an error code of its own
    "github": {
        "type": "oauth2",
        "authorization_endpoint": "https://github.com/login/oauth/authorize",
        "token_endpoint": "https://github.com/login/oauth/access_token",
        "userinfo": {
            "url": "https://api.github.com/user",
            "subject": "id",
            "name": ["name", "login"],
            "label": "login",
        },
        "token_answer": {"scope_separator": ","},
        "ended_errors": ["bad_refresh_token"],
        "label": "GitHub",
    },
    # `sub` differs from application to application, `oid` does not, and needs the scope profile
    "entra": {
        "type": "oidc",
        "subject_claim": "oid",
        "scopes": ["openid", "profile", "email", "offline_access"],
        "label": "Microsoft",
    },
    # ID tokens that come with an access token leave out most claims: userinfo has them
    "okta": {
        "type": "oidc",
        "scopes": ["openid", "profile", "email", "offline_access"],
        "userinfo": True,
        "label": "Okta",
    },
    # `scope` would be a bot's; a person's token is inside `authed_user`, but not when it is renewed; the
    # secret goes into the form, for auth.revoke takes the Authorization header for a token
    "slack": {
        "type": "oauth2",
        "authorization_endpoint": "https://slack.com/oauth/v2/authorize",
        "token_endpoint": "https://slack.com/api/oauth.v2.access",
        "revocation_endpoint": "https://slack.com/api/auth.revoke",
        "auth_method": "client_secret_post",
        "scope_parameter": "user_scope",
        "scope_separator": ",",
        "userinfo": {
            "url": "https://slack.com/api/auth.test",
            "method": "POST",
            "subject": "user_id",
            "name": "user",
            "label": "user",
        },
        "token_answer": {
            "access_token": "authed_user.access_token",
            "refresh_token": "authed_user.refresh_token",
            "expires_in": "authed_user.expires_in",
            "scope": "authed_user.scope",
            "scope_separator": ",",
            "any_token_type": True,
        },
        "renewal_answer": {"scope_separator": ",", "any_token_type": True},
        "ended_errors": ["invalid_refresh_token", "token_expired", "token_revoked", "account_inactive"],
        "label": "Slack",
    },
    # an audience that is no resource, consent each time, its own words for a refresh token that has ended
    "atlassian": {
        "type": "oauth2",
        "authorization_endpoint": "https://auth.atlassian.com/authorize",
        "token_endpoint": "https://auth.atlassian.com/oauth/token",
        "scopes": ["read:me", "offline_access"],
        "userinfo": {"url": "https://api.atlassian.com/me", "subject": "account_id"},
        "token_answer": {"any_token_type": True},
        "ended_errors": ["unauthorized_client"],
        "authorization_params": {"audience": "api.atlassian.com", "prompt": "consent"},
        "label": "Atlassian",
    },
    # groups are in userinfo alone
    "gitlab": {"type": "oidc", "issuer": "https://gitlab.com", "label": "GitLab"},
    # usually inside: private_network and ca_file are for each entry to say
    "keycloak": {"type": "oidc", "label": "Keycloak"},
}
"""Each by its name, with what is odd about it."""

ISSUERS = {
    "entra": "https://login.microsoftonline.com/TENANT/v2.0, or with {tenantid} for accounts of any tenant",
    "okta": "https://COMPANY.okta.com, or that of one of its authorization servers",
    "keycloak": "https://HOST/realms/REALM",
}
"""Those whose issuer nobody can know, and how it looks."""

SHORTENED = {
    "type": "object",
    "properties": {"preset": {"enum": list(PRESETS)}},
    "required": ["preset"],
    "additionalProperties": True,
}
"""JSON Schema of an entry from which a preset's words may be missing."""


def with_preset(entry: Any) -> Any:
    """The entry, on top of its preset. Raises ValueError for a preset that does not exist."""
    if not isinstance(entry, Mapping) or "preset" not in entry:
        return entry
    preset = entry["preset"]
    if preset not in PRESETS:
        raise ValueError(f"preset {preset!r} does not exist; choose from {', '.join(sorted(PRESETS))}")
    if preset in ISSUERS and "issuer" not in entry:
        raise ValueError(f"preset {preset} needs an issuer: {ISSUERS[preset]}")
    known = {"name": preset, **PRESETS[preset]}
    return {**known, **{key: _on_top(known.get(key), value) for key, value in entry.items()}}


def _on_top(known: Any, said: Any) -> Any:
    """One more parameter does not take away those that the preset has."""
    both = isinstance(known, Mapping) and isinstance(said, Mapping)
    return {**known, **said} if both else said
