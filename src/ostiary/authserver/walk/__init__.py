"""From an authorization request to a code: what a person's browser does here.

    authorize       the request is read, its client and redirect URI are proven, resource and scopes chosen
    pushed          a request that was pushed before                                     RFC 9126
    asked           what is asked, once all of that is settled
    start           the walk is made, and bound to the browser
    consent         the person agrees, or not
    callback        what comes back from identity providers
    leg_state       one leg: the browser is sent off, and comes back                     RFC 6749 10.12
    steps           next leg, skip, cancel, continue
    replace         another account than the connected one: replace it, or keep it
    finish          a code for the client, a device let in, or the reason why not        RFC 9207

    record          what is remembered of a walk, sealed
    walks           where it is kept; two tabs never overwrite each other
    legs            where each leg stands (pure)
    next_step       what comes next (pure)
    choices         legs that were skipped, or refused, are remembered
    browser         which browser it is, and whether a form comes from a page of ours
    onward          sending a browser on

Consent comes first, before any upstream flow: an identity provider that knows the person answers without a
word, and the person must have seen who gets the code before that (the confused deputy of MCP's security best
practices). It is asked for at every walk of a client that the operator did not register. For those that the
operator did, it is skipped, unless the client itself says `prompt=consent`.

Until the redirect URI is proven, whatever goes wrong is told on a page; from then on it is told to the
client, so that none waits for ever. A walk belongs to one browser, by its cookie, and so does each leg. Once
somebody has signed in, it belongs to that person. Tokens got on the way are in the walk's sealed record, then
in the code's, and are swept with it.
"""
