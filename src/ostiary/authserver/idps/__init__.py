"""Identity providers: where people sign in, and where they have accounts.

    idp              what all kinds can do, and how it can fail
    factory          those of a configuration
    oidc             discovered, ID tokens verified                 OpenID Connect Core 3.1
    oauth2           endpoints named, answers mapped                RFC 6749 4.1
    mcp              an MCP server's own authorization server       RFC 9728, RFC 8414
    issuer_pinning   an entry that was pointed elsewhere is an error until confirmed

what they are made of
    authorization_url     where the browser is sent                      RFC 6749 4.1.1, RFC 7636
    back_channel          tokens, and their end                          RFC 6749 3.2, RFC 7009
    idp_client            how we prove who we are                        RFC 6749 2.3.1
    provider_metadata     what an OpenID provider says of itself         OpenID Connect Discovery 4
    id_token_verifier     signature, then claims                         OpenID Connect Core 3.1.3.7
    identity_resolution   who signed in, by all that was said
    tools                 what all kinds are made with
    claim_mapping         what of it policies get to know
    mcp_client            which client to be at an MCP server
    own_client_document   the one that describes itself here             draft-ietf-oauth-client-id-...
    registrations         those that were made for us                    RFC 7591
    failures              what went wrong, as an error of `idp`

A login ends with an account, never with a person of ours: who that is, `sessions/users` decides.
"""
