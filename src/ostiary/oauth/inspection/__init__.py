"""A token read without its issuer's keys, for people: nothing in it is proven.

token_kind         what kind of token it is, by its looks
token_explanation  what a token says, and what is odd about it
person             who signed in, to be shown
humanize           a span and a moment, in words
"""
