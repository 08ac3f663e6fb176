"""Identity providers: where people sign in, and where they have accounts.

idp              what all kinds can do
oidc             discovered, ID tokens verified                 OpenID Connect Core
oauth2           endpoints named, userinfo mapped               RFC 6749
mcp              an MCP server's own authorization server       RFC 9728, RFC 8414
registered_issuers   an entry that was pointed elsewhere is an error until confirmed
"""
