"""Who is calling: tokens verified, and what they say believed.

    inbound_settings     configuration: whose tokens are accepted
    authenticator        a token in, a principal out; remembers the verdict for a moment
    known_callers        who came with which token a moment ago
    verified_tokens      what was found about tokens a moment ago
    principal            who that is
    introspection        opaque tokens: their issuer is asked                     RFC 7662
    possession           whether who sends a bound token holds its key
    memory_replay_store  which proofs came already
    jwt_verifier         signatures: which are accepted, how they are checked
    key_set              one issuer's keys
    key_sets             where they come from, and how long they are believed
    google_id_token      what Google's tokens need besides

Workloads, by their certificates:
    trust_domains     configuration: which trust domains' workloads are known, and let in
    certificates      a certificate in, a workload and its owner out
    spiffe            names of workloads, and their owners
    svid              what a certificate must be to name one
    trust_bundles     whose signature counts
    deny_list         who is let in no more

Its one rule: a key set that can't be had verifies nothing.
"""
