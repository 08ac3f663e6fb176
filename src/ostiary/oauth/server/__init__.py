"""We issue: the authorization server's side, in the order of a request.

server_metadata         what an authorization server says of itself            RFC 8414 2, OIDC Discovery 3
endpoint_url            where an issuer's endpoints are                        RFC 8414 3.1
errors                  what it refuses with                                   RFC 6749 5.2 and others
parameters              a request's parameters, each once                      RFC 6749 3.1
form_encoding           a name or value of them, decoded                       RFC 6749 B
client                  a client, however it became known
client_registration     what a client says of itself                           RFC 7591 2
client_document         a client that describes itself at its own URL          draft-ietf-oauth-client-id-...
client_authentication   what a client presents to prove who it is              RFC 6749 2.3, RFC 7521 4.2
client_assertion        what it must say of itself                             RFC 7523 3
authorization_request   what a client asks a person for                        RFC 6749 4.1.1, OIDC Core 3.1
authorization_response  what the browser carries back                          RFC 6749 4.1.2, RFC 9207
redirect_uri            where a client may have its codes sent                 RFC 8252 7, OAuth 2.1 2.3
registrable_host        whose host it is
pkce                    whether who redeems a code asked for it                RFC 7636 4.6
resource                what a token is for                                    RFC 8707 2
scope                   what a token may be used for                           RFC 6749 3.3
device_code             signing in at another device                           RFC 8628
refresh_rotation        a refresh token is used once                           RFC 9700 4.14
token_exchange          what is asked of us for a token                        RFC 8693 2.1
upstream_exchange       a workload asks for its caller's upstream token       RFC 8693 2.1
entitlement             which workload may have it
delegation              who acts for whom, and who may                         RFC 8693 4
trusted_subject         tokens of other issuers                                RFC 8693 2.1, RFC 8725 3
id_jag                  an ID-JAG at the issuer that it is for                 RFC 7523 3
access_token            what our access tokens say                             RFC 9068
id_token                who signed in, told                                    OIDC Core 2
introspection           what a token is worth now                              RFC 7662
revalidation            when an identity provider is asked again               OIDC Core 12
signing_schedule        which signing key does what, and when                  RFC 7517
"""
