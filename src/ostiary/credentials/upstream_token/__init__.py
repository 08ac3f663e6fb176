"""The caller's own token at an identity provider, such as GitHub, from the authorization server. RFC 8693.

settings          whose account, for which MCP server, and who is asked
credential        the kind
headers           of each caller, served from memory only as long as their session is known to live
source            one exchange: what is asked, and what each answer means
internal_port     its port for workloads, over mutual TLS
circuit           who may ask while it does not answer
revocation_feed   sessions that ended, as it tells them
"""
