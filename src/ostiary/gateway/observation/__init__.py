"""What operators see of calls: how many, how long, what became of them, and of whom.

    observer       is told of each call that ended, and of whoever was turned away; the others hear it there
    outcome        what became of a call, in one word
    call_metrics   counted, for Prometheus: labels are of the configuration and the code, never of a caller
    call_audit     written down: who did what, and what became of it
    audit_events   the words of that

Nobody is watched where no telemetry is configured: then there is no observer, and a call costs nothing more.
"""
