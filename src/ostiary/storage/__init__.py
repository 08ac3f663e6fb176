"""What must survive a process, or be known to more than one.

    config            the `storage:` part of ostiary.yaml
    sealing           AES-256-GCM under a key ring: nothing secret stands in the store in the clear
    covered_columns   what a row's seal covers, so that whoever changes it by hand is found out
    keys_in_use       under which keys a store is sealed: a start without one of them is refused
    first_seals       what an earlier version left is sealed as rows are now, once
    store             transactions and seals together: what rooms with tables are given
    resealing         all of it under the newest key, while servers go on
    group_commit      many transactions, one flush
    database          SQLite or PostgreSQL, brought up to date before its first use
    inserts           inserts that may meet a row that is there
    prepared          statements that are made once and executed often
    schema            the tables as they are now
    expiry            rows whose time is over
    migrations/       how they came to be so (Alembic)
    shared_tokens     tokens that one replica fetched for all
    errors            what can be wrong with a store

Time is a parameter: whoever calls says what time it is.
"""
