"""Who asks. One model (`oauth/client.py`), three ways to become known, one place to be found.

registry         a client by its id, however it became known
configured       those of ostiary.yaml
authentication   does the request come from it?      RFC 6749 2.3, RFC 7523, RFC 8705
"""
