"""The commands: one file a group, each a thin shell around a part.

    app                       the list of commands; what becomes of their errors
    up, check, config         run, check and describe an ostiary.yaml
    running                   the parts of a file on their listeners
    telemetry_listener        what operators see of them
    reloading                 the same by what the file says now
    status, status_table      how it stands with what runs
    call, tools, token        talk to one MCP server
    login, logout             sign a person in at a server, forget it again
    doctor, explain           why a call is refused; what a token says
    keys, sessions, clients   administer the authorization server of a file
    pki                       certificates of workloads, by an authority of one's own
    policy                    the gateway's policies: cases, and why
    bridge                    stdio ⇄ HTTP
    client_config             how clients start the bridge
    client_settings           what is said of a client at the command line
    zoo, cloudrun             the example server; the local Google
    demo                      what `up` runs without a file: the secured zoo
    demo_sign_in              its authorization server, and who signs in there
    demo_context              how other commands find the running demo

Behind the commands that talk to a server:
    target           which server, and which credential for it
    sign_in_target   for which server, and by which credential, a person signs in
    challenge        a refusal, in a sentence
    listing          what servers list, as tables
    options          options that several commands have
    session          a conversation with it, and what a refusal says
    gateway_session  one with a program, or over HTTP+SSE, as the gateway has it
    gateway_within   the gateway in this process that has it
    server_words     what a server says wrong, as far as it is shown
    program_examination   what is wrong with a server that is a program
    mcp_client/      our own client of MCP
    arguments        k=v → JSON, by the tool's input schema
    console          tables, text and JSON; safe to print whatever a server sent
    workers          several processes, and the one that looks after them
    overview         a file at a glance
    administration   the authorization server of a file, reached through its store
    failure          one sentence, and the exit code
    bridging/        what bridge carries, and how

Modules are imported when a command needs them, so that `ostiary --help` is quick.
"""

import gc
import sys
from io import TextIOWrapper


def main() -> None:
    """The command `ostiary`."""
    gc.disable()  # what is loaded stays; whoever runs for long looks for garbage afterwards (`has_started`)
    from ostiary.cli.app import run  # noqa: PLC0415 - importing the package should cost nothing

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that lacks a letter shows its number
            stream.reconfigure(errors="backslashreplace")
    try:
        sys.exit(run(sys.argv[1:]))
    finally:
        gc.freeze()  # nor is anything looked through at the end, which took a third of it all
