"""Tokens of ours.

access_tokens          made for one resource                                  RFC 9068
session_tokens         those of a session, and an ID token with them          OIDC Core 3.1.3.3
access_token_verifier  our access tokens, read back
revoked_tokens         those that were revoked before their time              RFC 7009
binding                to what tokens are bound                               RFC 9449, RFC 8705
"""
