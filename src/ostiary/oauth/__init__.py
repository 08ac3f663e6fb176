"""The rules of the OAuth RFCs: values in, a value or an error out.

    canonical_url        one reading of a URL                                  RFC 3986 6.2, RFC 8707 2
    errors               the error codes                                       RFC 6749, RFC 6750
    refusal              why a caller was turned away, in one word for the log
    challenge            WWW-Authenticate, written and read                    RFC 6750 3, RFC 9728 5.1
    protected_resource   what a resource says of itself, and where             RFC 9728
    issuer_metadata      where an issuer describes itself, and if it's true    RFC 8414, OIDC Discovery 4
    jwt_parts            a JWT taken apart without its key                     RFC 7515 7.1
    token_kind           what kind of token it is, by its looks
    token_explanation    what a token says, and what is odd about it
    time_in_words        a span and a moment, for people
    pkce                 proof that who redeems a code asked for it            RFC 7636
    authorization_request   ask a person for a code                            RFC 6749 4.1.1, RFC 8707
    authorization_response  the code, or why there is none                     RFC 6749 4.1.2
    issuer_identification   which issuer answered                              RFC 9207
    client_registration  make ourselves known to an issuer                     RFC 7591
    redirect_uri         where the answer comes back to                        RFC 8252
    person               who signed in, to be shown
    jwt_bearer           a JWT as a grant, and as a client's proof             RFC 7523
    token_exchange       a token for another one                               RFC 8693
    id_jag               a company's IdP vouches at a server's issuer          RFC 8693, RFC 7523
    client_authentication  how a client proves who it is                       RFC 6749 2.3, RFC 7523 2.2
    token_response       what a token endpoint answers                         RFC 6749 5, RFC 8693 2.2
    token_mapping        where an odd one has what                             RFC 6749 5.1
    dpop                 proof that a token is ours                            RFC 9449
    jwt_claims           what a verified token must claim                      RFC 7519 4.1, RFC 9068 4

The authorization server's side, in the order of a request:

    parameters           a request's parameters, each once                     RFC 6749 3.1
    scope                what a token may be used for                          RFC 6749 3.3
    resource             what a token is for                                   RFC 8707 2
    presented_client     what a client presents to prove who it is             RFC 6749 2.3, RFC 7521 4.2
    client_metadata      what a client says of itself                          RFC 7591 2
    client_document      a client that describes itself at its own URL         draft-ietf-oauth-client-id-...
    registered_redirect  where a client may have its codes sent                RFC 8252 7, OAuth 2.1 2.3
    requested_authorization  what a client asks a person for                   RFC 6749 4.1.1, OIDC Core 3.1
    authorization_answer  what the browser carries back                        RFC 6749 4.1.2, RFC 9207
    server_metadata      what an authorization server says of itself           RFC 8414 2, OIDC Discovery 3
    endpoint_url         where an issuer's endpoints are                       RFC 8414 3.1
    signing_schedule     which signing key does what, and when                 RFC 7517
    refresh_rotation     a refresh token is used once                          RFC 9700 4.14
    access_token         what our access tokens say                            RFC 9068
    id_token             who signed in, told and heard                         OIDC Core 2, 3.1.3
    confirmation         whose key a token is bound to                         RFC 7800, RFC 8705, RFC 9449
    dpop_proof           a proof, as the server that gets it sees it           RFC 9449 4.3, 8
    client_assertion_claims  what a client must say of itself                  RFC 7523 3
    delegation           who acts for whom, and who may                        RFC 8693 4
    exchange_request     what is asked of us for a token                       RFC 8693 2.1
    trusted_subject      tokens of other issuers                               RFC 8693 2.1, RFC 8725 3
    id_jag_claims        an ID-JAG at the issuer that it is for                RFC 7523 3
    introspection        what a token is worth now                             RFC 7662
    dotted_path          one value inside a JSON document
    half_characters      what JSON can write and UTF-8 cannot                  RFC 8259 8.2
    userinfo             who somebody is, as an upstream says it               OIDC Core 5.3.2
    personal_name        what people are called, kept as they write it
    device_code          signing in at another device                          RFC 8628
    revalidation         when an identity provider is asked again              OIDC Core 12

No network, no web, no clock: whoever asks brings the time.
"""
