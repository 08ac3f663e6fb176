"""Released steps, one file each.

    shared_tokens_0001          tokens that one replica fetched for all
    authorization_server_0002   what the authorization server keeps
    unused_clients_0003         when a registered client was last used
    sealed_rows_0004            every row that decides something has a seal

Ordered by `down_revision`. A step that was released is never changed.
"""
