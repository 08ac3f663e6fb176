"""Why is a call refused? What was seen, and what it means.

    examination         ask, step by step, and tell each step as it is done
    target              one server, and what it is sent
    connect             the way there: name, connection, TLS
    http_probe          one request and its answer, as they travel
    server_answer       what a server said
    resource            what it says of itself                                   RFC 9728
    evidence            everything that was seen, as values
    wanted_credential   what kind of credential a server's refusal asks for
    diagnosis           cause, sentence, fix
    causes              the rules from evidence to diagnosis, in the order in which they are tried
    advice              the lines to add

Rules are pure: evidence in, a diagnosis or nothing out. The first that fits is the cause.
"""
