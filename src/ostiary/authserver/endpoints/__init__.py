"""What programs ask.

token                 authenticate the client, choose the grant, answer      RFC 6749 3.2
registration          a client makes itself known                            RFC 7591
device_authorization  a device asks for its codes                            RFC 8628 3.1
introspection         what a token is worth now                              RFC 7662
revocation            a client gives a token back                            RFC 7009
userinfo              who signed in                                          OIDC Core 5.3
"""
