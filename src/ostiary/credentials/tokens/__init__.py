"""Tokens: what they are, whose, and how they are kept.

token             a value and how long it is good for; what can fetch one
cache             one fetch however many wait; renewed ahead of expiry
dpop_key          the key that a token is bound to
held_token        one of its tokens, and when the next is due
settings_key      what names a token in the cache
shared_tokens     what asks other replicas before a token is fetched
shared_cache_key  what names a token for all of them
stored_tokens     tokens shared in the store: one replica fetches, sealed for the others
"""
