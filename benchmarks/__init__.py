"""How fast we are, beside peers, in one run on one machine.

    python -m benchmarks             run all, and rewrite benchmarks/README.md
    python -m benchmarks start_up    run that one, and rewrite its section; or instructions, authserver, eras
    python -m benchmarks --quick     see that it works: short runs, without the peer that must be installed

    gateway             a tool call through our gateway, nginx and FastMCP's proxy
    eras                a call of clients and servers of either era, through vMCP as well
    mcp_client          begins their sessions
    vmcp_peer           ToolHive's gateway, built from what Go's module proxy has
    instructions        how many instructions a call takes, and where they go
    tool_calls          who calls then
    callgrind           who counts them
    session_memory      what a legacy client's session costs at rest
    credentials         a cached token on a request, ours and those of the SDK, FastMCP and ADK
    token_trap_table    how often they ask for a token, and whom they make wait
    token_callers       each of them as a client
    counting_servers    what they call, and who gives them tokens
    authserver          tokens of our authorization server, of oidc-provider and of dex
    authserver_peers    the first two, and codes to redeem
    dex_peer            the third, built from `dex/`
    authserver_requests what they are asked
    signatures          what no authorization server can beat
    start_up            what our commands and servers take to start, and FastMCP's and mcp-remote
    starts              how that is measured
    metered             runs a command, and tells what it used
    peers               the programs that are compared, each started on one core
    load                what wrk measures
    report              medians and ratios, as a table

Ratios are what to trust; absolute figures move with the machine. Everything stays on loopback.
"""
