"""Who may do what: Cedar policies, over who calls, what for, and with which arguments.

What they say is read without I/O; `loading` and `live_policies` know files, `authorizer` callers.

    authorizer     one endpoint: a call is let through, or told why not; what lists show
    live_policies  the policies at hand, read again when their files change
    decisions      what was decided, while the caller's token is known
    cases          what policies should decide, written down
    explanation    why they decide as they do
    loading        a folder → one validated set
    policy_set     one set, and what it decides
    loosening      what could be allowed, while not all is known
    reading        what a policy reads of callers and tools
    arguments      which arguments of a call are read, and as what
    entities       callers and things, as Cedar has them
    access         the question: which action, on what
    faults         what is wrong with a policy, where, and what was meant
    statements     a text → its policies, with their lines
    expressions    Cedar's JSON

`schema.cedarschema` says what policies may speak of.
"""
