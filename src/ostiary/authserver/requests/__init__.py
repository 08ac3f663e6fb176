"""A request of a client that proved who it is.

client_request  at an endpoint
grant_request   for a token
"""
