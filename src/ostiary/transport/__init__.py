"""How bytes come and go.

in      serving     uvicorn inside our own event loop, one listener a socket
        listener    what every listener refuses: framing tricks, floods, slow senders
        direct      requests answered inside the protocol, without ASGI: the gateway's calls
        limits      how much one caller may make us hold
        byte_budget bytes held for many, bounded all together
        handshakes  TLS connections accepted, so many handshakes at once
        stepping    coroutines driven by the bytes themselves, without a task
        forwarded   who is at the other end when proxies stand between
        asked_ahead pages that nobody looks at yet
        free_memory what was freed is given back to the system
        outbox      writes of one turn of the loop, made together
        application ASGI applications whose paths are exact
out     upstream    connections to one MCP server: pooled, bounded, streamed
        fetch       small documents: metadata, key sets, answers to forms
        retry_after when a server wants to be asked again
        moved       when a server sends callers elsewhere
        road        an HTTP client for one MCP server
        reach       how far one edge may go, from its entry in the configuration
        proxies     what goes by a proxy
        addresses   where an outgoing connection may lead
        trust       whom TLS trusts, one context per set; why somebody is not trusted
"""
