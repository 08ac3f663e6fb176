"""How bytes come and go.

    event_loop   the loop of a process, and how it is told to end

In:
    listeners      listeners as values
    serving        uvicorn inside our own event loop, one listener a socket
    listener       what every listener refuses: framing tricks, floods, slow senders
    inline_http    requests answered inside the protocol, without ASGI: the gateway's calls
    inline_protocol  a connection on which they come
    access_records  what was answered to whom, for who keeps a log of it
    limits         how much one caller may make us hold
    address_shares  how many of the connections one address has
    byte_budget    bytes held for many, bounded all together
    handshakes     connections accepted that begin with TLS or a proxy's header, so many at once
    proxy_protocol  that header
    shown_certificates  what the other end showed
    forwarded      who is at the other end when proxies stand between
    same_origin    which hosts are ours, and whether a browser's page may ask
    request_head   what the head of a request must be
    workers        other processes that answer at the same addresses
    asked_ahead    pages that nobody looks at yet
    free_memory    what was freed is given back to the system
    write_batch    writes of one turn of the loop, made together
    application    ASGI applications whose paths are exact

Out:
    upstream           connections to one MCP server: pooled, bounded, streamed
    child_process      child processes that are spoken to in lines
    fetch              small documents: metadata, key sets, answers to forms
    exchange           one question over a connection of its own
    fetched_document   what is asked and answered; why it could not be had
    retry_after        when a server wants to be asked again
    content_coding     an answer that comes compressed all the same
    unpacking          compressed content, in pieces of a bounded length
    moved              when a server sends callers elsewhere
    road               an HTTP client for one MCP server
    reach              how far one edge may go, from its entry in the configuration
    proxies            what goes by a proxy
    addresses          where an outgoing connection may lead
    trust              whom TLS trusts, one context per set; why somebody is not trusted
"""
