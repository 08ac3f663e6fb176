"""What is known of identity providers that many use: where they are, and what is odd about them.

An entry with `preset: google` starts from these words; whatever it says itself goes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "google": {
        "type": "oidc",
        "issuer": "https://accounts.google.com",
        "scopes": ["openid", "email", "profile"],
        "authorization_params": {"access_type": "offline"},
        "label": "Google",
    },
    "github": {
        "type": "oauth2",
        "authorization_endpoint": "https://github.com/login/oauth/authorize",
        "token_endpoint": "https://github.com/login/oauth/access_token",
        "userinfo": {"url": "https://api.github.com/user", "subject": "id", "name": ["name", "login"]},
        "token_answer": {"scope_separator": ","},
        "label": "GitHub",
    },
    "entra": {"type": "oidc", "subject_claim": "oid", "label": "Microsoft"},
    "okta": {"type": "oidc", "label": "Okta"},
    "slack": {
        "type": "oauth2",
        "authorization_endpoint": "https://slack.com/oauth/v2/authorize",
        "token_endpoint": "https://slack.com/api/oauth.v2.access",
        "token_answer": {
            "access_token": "authed_user.access_token",
            "refresh_token": "authed_user.refresh_token",
            "expires_in": "authed_user.expires_in",
            "scope": "authed_user.scope",
            "scope_separator": ",",
        },
        "label": "Slack",
    },
    "atlassian": {
        "type": "oauth2",
        "authorization_endpoint": "https://auth.atlassian.com/authorize",
        "token_endpoint": "https://auth.atlassian.com/oauth/token",
        "userinfo": {"url": "https://api.atlassian.com/me", "subject": "account_id"},
        "authorization_params": {"audience": "api.atlassian.com", "prompt": "consent"},
        "label": "Atlassian",
    },
    "gitlab": {"type": "oidc", "issuer": "https://gitlab.com", "label": "GitLab"},
    "keycloak": {"type": "oidc", "label": "Keycloak"},
}

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
    return {"name": preset, **PRESETS[preset], **entry}
