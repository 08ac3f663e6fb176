"""Who asks. One model (`oauth/server/client.py`), three ways to become known, one place to be found.

registry            a client by its id, however it became known
configured_clients  those of ostiary.yaml
stored_clients      those that registered themselves, or were registered by command
metadata_documents  those that describe themselves at their own URL   draft-ietf-oauth-client-id-...

authentication       does the request come from it?                    RFC 6749 2.3
private_key_jwt      it says so itself, and signs it                   RFC 7523 2.2
keys                 with keys that were registered                    RFC 7591 2
workload_assertions  its platform says so                              RFC 7523 2.2

pending_fetches     documents and keys that are being fetched: so many at once, and a share for each asker
strangers_reach     how far a stranger's address may lead
registration_limit  how many may register themselves

assembly  puts these together
"""
