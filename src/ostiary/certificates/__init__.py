"""Our own certificate, and whom we believe beside it: settings of one shape, wherever it comes from.

    settings        configuration: `certificates:`, with its `source`
    opening         settings in, a source out
    host_names      what a server's certificate is for
    source          what every source gives
    files           a certificate that somebody else renews
    internal_ca     one that the process makes itself, from the authority in a folder
    workload_api    one that an agent gives, by the SPIFFE Workload API
    authority       that authority: made, read, and what it signs
    issued_files    what it signs for a process that has it not
    explanation     what a certificate is, and what is odd about it
    material        a certificate, its key and its authorities, as they go into TLS
    tls             contexts for listeners and for clients, which follow what changes
    listener_tls    https on one listener, and how long its certificate is good for
    named_server    one that is known by its SPIFFE ID, and by no host name
    error           what cannot be used

Its one rule: nothing that breaks later ends what works. A source gives at the start or raises; what it cannot
renew leaves what was, and the log says so.
"""
