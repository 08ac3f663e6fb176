"""An identity provider for demos: two people who do not exist, and no password.

    people      alice and bob
    memory      what it gave, until the process ends
    provider    its answers, as OpenID Connect has them
    endpoints   its pages and documents, on this machine alone

It is an OpenID provider like any other: the authorization server meets it over HTTP, and would notice a
wrong answer. Whoever can reach it can be anybody, so it listens on loopback and refuses to listen elsewhere.
"""

from ostiary.authserver.development.endpoints import DevelopmentIdp, OnlyOnThisMachine
from ostiary.authserver.development.provider import OnlyClient

__all__ = ["DevelopmentIdp", "OnlyClient", "OnlyOnThisMachine"]
