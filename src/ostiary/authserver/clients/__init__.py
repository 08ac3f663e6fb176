"""Who asks. One model (`oauth/server/client.py`), three ways to become known, one place to be found.

registry           a client by its id, however it became known
configured         those of ostiary.yaml
stored             those that registered themselves, or were registered by command
documents          those that describe themselves at their own URL   draft-ietf-oauth-client-id-...
registration       clients register themselves                       RFC 7591
administration     the operator lists, registers and removes them

authentication     does the request come from it?                    RFC 6749 2.3
own_statement      it says so itself, and signs it                   RFC 7523 2.2
keys               with keys that were registered                    RFC 7591 2
workloads          its platform says so                              RFC 7523 2.2
certificate_names  its certificate says so                           RFC 8705 2.1

together           puts these together
"""
