"""ostiary.yaml: one file, checked before anything runs.

    file              the whole file as one model, composed of the parts' own
    cross_checks      what the parts of one file have to agree on
    load              read, check, and give the model; or every fault at once
    document          what a text says: plain values, and the line on which each stands
    environment       what differs between machines, over what the file says
    yaml_reader       YAML → that
    faults            pydantic's errors → "ostiary.yaml:12: gateway.credental is not a setting ..."
    patterns          what a pattern asks for, in words
    secret_presence   are the secrets and files that it names there?
    exposure          who else may read or replace them?
    authorities       do the files that name authorities have any?
    key_pairs         does each certificate have its key?
    programs          are the programs there that servers behind the gateway are?
    policies          are the policies in order, by which callers may do what?
    ways_out          can the proxy be used by which requests leave?
    needs             the packages and folders that `up` wants besides
    examined          the file and what it names, for `check` and `up`
    proxied           is everybody one address, because a proxy is not trusted to say more?
    leaves            each value, and its place
    schema_walk       what a model expects at a place
    reference         the settings, as a page
    audit_reference   the audit's events, as a page
    metrics_reference  the metrics, as a page
    store_reference   what the seals of the store's rows cover, as a page
    schema            the JSON Schema, for editors

The loader knows no setting by name: `ostiary cloudrun emulate` reads its own file with it. Reading builds
nothing and changes nothing.
"""

from ostiary.config.faults import ConfigurationError, FileFault
from ostiary.config.file import OstiaryFile
from ostiary.config.load import Loaded, load, read

__all__ = ["ConfigurationError", "FileFault", "Loaded", "OstiaryFile", "load", "read"]
