"""We ask: what a client sends to an authorization server, and how it reads the answers.

server_metadata         where an issuer describes itself, and if it's true     RFC 8414, OIDC Discovery 4
protected_resource      what a resource says of itself, read                   RFC 9728 3
client_registration     make ourselves known                                   RFC 7591
client_authentication   prove who we are                                       RFC 6749 2.3, RFC 7523 2.2
client_assertion        by a statement signed with our key                     RFC 7523 3
jwt_bearer              by a JWT, as a grant or as proof                       RFC 7523
authorization_request   ask a person for a code                                RFC 6749 4.1.1, RFC 8707
authorization_response  the code, or why there is none                         RFC 6749 4.1.2
redirect_uri            where the answer comes back to                         RFC 8252
pkce                    proof that who redeems a code asked for it             RFC 7636
token_exchange          a token for another one                                RFC 8693
upstream_exchange       a token of the caller's account upstream, for the caller's own
id_jag                  a company's IdP vouches at a server's issuer           RFC 8693, RFC 7523
token_response          what a token endpoint answers                          RFC 6749 5, RFC 8693 2.2
token_mapping           where an odd one has what                              RFC 6749 5.1
id_token                who signed in, heard                                   OIDC Core 3.1.3.7
userinfo                who somebody is, as an upstream says it                OIDC Core 5.3.2
dpop_proof              proof that a token is ours                             RFC 9449 4
echoed_secrets          what others repeat of our secrets, hidden
"""
