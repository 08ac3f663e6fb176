"""Who asks. One model (`oauth/client.py`), three ways to become known, one place to be found.

registry         a client by its id, however it became known
configured       those of ostiary.yaml
stored           those that registered themselves, or were registered by command
documents        those that describe themselves at their own URL      draft-ietf-oauth-client-id-...
registration     clients register themselves                          RFC 7591
authentication   does the request come from it?                       RFC 6749 2.3, RFC 7523, RFC 8705
"""
