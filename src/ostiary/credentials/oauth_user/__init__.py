"""A person signs in: authorization code with PKCE, by their own browser.

sign_in            the walk: discovery, registration, browser, code, tokens
client             which client to be at the issuer
loopback_redirect  where the browser comes back to
browser            how it is opened
source             the vault's token, else a refreshed one, else the person
sign_out           revoke, and forget
vault              what is kept, with vault_file and vault_keyring
dpop_key           the key that a person's tokens are bound to
file_turn          one process at a time
state_directory    where it is kept
errors             what a person can do about it
"""
