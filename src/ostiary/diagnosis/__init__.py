"""Why is a call refused? What was seen, and what it means.

    examination   ask, step by step, and tell each step as it is done
    wire          one request and its answer, as they travel
    evidence      everything that was seen, as values
    wanted        what kind of credential a server's refusal asks for
    diagnosis     cause, sentence, fix
    causes        the list of rules from evidence to diagnosis, in the order in which they are tried
        reach         no answer at all
        first_look    the answer says that it is something else
        no_token      the credential could not be had
        token         what is wrong with the token that was sent
        refusal       what the server, or Google before it, has against its holder
        answer        let in, and it still does not work

Rules are pure: evidence in, a diagnosis or nothing out. The first that fits is the cause.
"""
