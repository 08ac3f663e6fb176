"""What a person gave an owner at an identity provider: kept once, however many sessions use it.

grant                the record, and how it is read
transitions          what becomes of it, one statement a change
upsert               what a sign-in brought
renewal              new tokens, by one replica at a time
grant_states         how many there are in each
session_grants       which grants a session may use
account_replacement  an account in place of another one
disconnect           by its person, or because nothing uses it any more
offline_access       a client may use it while its person is away

Sessions point to grants and never hold copies of tokens, so that a rotating token has one place.
"""
