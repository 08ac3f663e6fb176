"""How an OAuth issuer is asked for a token.

settings            which issuer, and as which client
client_settings     how we prove who we are, as settings
addressee           who may see that proof
client_proof        the proof itself: secrets read, assertions signed
discovery           where the token endpoint is
server_description  what a server says of itself
token_endpoint      one request there, and what may go wrong
context             what asking takes
"""
