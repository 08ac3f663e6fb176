"""From an authorization request to a code: what a person's browser does here.

the way
    authorize               the request is read                                      RFC 6749 4.1.1
    pushed_requests         a request that was pushed before                         RFC 9126
    request_validation      whose it is, and where its answer goes
    authorization_request   what it asks for, once resource and scopes are chosen    RFC 8707
    start                   the interaction is made, and bound to the browser
    advance                 the next step is taken: a page, or another site
    step_page               the page of the step that is due
    consent                 the person agrees, or not
    upstream_login          the browser is sent off, and comes back                  RFC 6749 10.12
    upstream_error          what a client hears of a login that failed
    connect_accounts        connect, skip, cancel, continue
    replace_account         another account than the connected one: replace or keep
    finish                  a code, a device let in, or the reason why not           RFC 9207

what it is made of
    context             what all of it is given
    interaction_state   what is remembered of it, sealed
    interaction_store   where it is kept
    waiting_offer       an account that waits for its person's word
    interaction_view    all of it, looked at together
    change              one change, whatever other tabs do meanwhile
    known_accounts      what is known of the person from before
    skip_choices        what they skipped
    account_steps       where each account stands
    next_step           what comes next
    login_result        what a sign-in at a provider adds
    browser_request     one request
    browser             whose it is
    form_submission     what a form decided
    browser_redirect    sending a browser on
    audit               what the audit is told

Consent comes first, before any upstream flow: an identity provider that knows the person answers without a
word, and the person must have seen who gets the code before that (the confused deputy of MCP's security best
practices). It is asked for each time by a client that the operator did not register. For those that the
operator did, it is skipped, unless the client says `prompt=consent`, or is a public one that is answered on
the person's machine: any program there could have borrowed its name.

Until the redirect URI is proven, whatever goes wrong is told on a page; from then on it is told to the
client, so that none waits for ever. An interaction belongs to one browser, by its cookie, and so does each
login. Once somebody has signed in, it belongs to that person. Tokens got on the way are in its sealed state,
then in the code's, and are swept with it.
"""
