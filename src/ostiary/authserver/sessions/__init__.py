"""Token sessions: what a client may do for a person at one resource, from a code to their end.

    users              who somebody is here: issuer and subject there, a UUID here
    session            one of them, as it is stored
    creation           what was agreed to becomes a session, with its grants and its refresh token
    refresh_tokens     each used once, each with its successor
    renewal            a session is used on
    ending             for a reason, with all that hangs on it
    stale_sessions     those that the configuration has no place for any more
    vouched_session    what goes on between two assertions
    expired_sessions   those whose time is over
    ended_sessions     those that ended, for whoever keeps something of theirs
    revalidation       whether the person still exists there
    listing            as people and operators see them

Functions that take a connection are part of somebody's transaction. A session never changes its user,
client, owner or resource: it ends. Its `tsid` is in its tokens and, sealed, in its row; its hash is its name
elsewhere.
"""
