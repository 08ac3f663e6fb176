"""A person signs in: authorization code with PKCE, by their own browser.

settings           which client asks the person, and for what
credential         the kind
headers            of one server, which may send the person to sign in
sign_in            the walk: discovery, registration, browser, code, tokens
client             which client to be at the issuer
loopback_redirect  where the browser comes back to
source             the vault's token, else a refreshed one, else the person
sign_out           revoke, and forget
dpop_key           the key that a person's tokens are bound to
errors             what a person can do about it
"""
