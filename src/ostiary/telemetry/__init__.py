"""What happened.

    config             the `telemetry:` part of ostiary.yaml
    logs               one line an event, to standard error; readable on a terminal, JSON elsewhere
    access_log         who asked what, one line of JSON a request
    audit              what was granted, refused and ended: one line of JSON an event, kept
    queued_audit       the same of what happens many times a second
    counting_handler   where log lines go, and which of a flood of them
    floods             how many lines of one kind are told, and how many counted
    metrics            how much of it: counts
    merged_metrics     those of several processes, as one document
    endpoints          what operators ask: healthz, readyz, metrics, status
    operators          who may see more than counts
    shared_endpoints   the same of several processes together
    redaction          what no line may hold: secrets, tokens, characters that forge a second line

A part takes its logger by `event_log("ostiary.<part>")` and says what happened in a few fixed
words, with the particulars as keys: `log.warning("call refused", server=name, reason=detail)`.
"""
