"""What people see of the authorization server: HTML and one stylesheet, without a script.

A page is a frozen dataclass with just the values it shows; its docstring says what its form posts.
`page_response` makes it an answer. Every form posts `csrf` and its hidden fields besides.

    Consent             who asks, for what, where the answer goes             RFC 6749 4.1.1
    ConnectAccounts     which accounts are connected, which is next
    ReplaceAccount      another account came back: replace or keep
    SignInChoice        which identity provider
    DevelopmentSignIn   alice or bob, not for real use
    Connections         what is connected, and how to end it
    ConfirmConnection   one more account: asked before it begins
    DeviceCode          which device; DeviceConfirm, DeviceDone: let it in   RFC 8628 3.3
    ErrorPage, Done     the last word
    Onward              the browser goes on to another site
    WayBack             back to a program that nobody vouches for

In these files:

    page               what all pages share
    consent            whether a client may
    connect_accounts   one account after the other
    sign_in            at which provider
    connections        what is connected
    device             the code of a device
    outcome            the last word
    display_text       text that would hide something, shown
    destination        where an answer goes, as people read it
    render             templates, escaping everything
    response           a page as an answer, with its headers
    assets             the stylesheet

One rule: all text is hostile. Templates escape it, and `display_text` shows what would hide in it. A name
is never trusted to say who somebody is; a host and a `Destination` are.
"""

from ostiary.authserver.pages.assets import asset_routes
from ostiary.authserver.pages.connect_accounts import AccountProgress, ConnectAccounts, ReplaceAccount
from ostiary.authserver.pages.connections import (
    ClientAccess,
    ConfirmConnection,
    ConnectedAccount,
    Connections,
    OfflineAccessOffer,
    OfflineAccessPermission,
    ResourceConnections,
)
from ostiary.authserver.pages.consent import AccountAsked, Consent, Scope
from ostiary.authserver.pages.destination import (
    App,
    Destination,
    DestinationRefused,
    LocalProgram,
    Website,
    destination,
)
from ostiary.authserver.pages.device import DeviceCode, DeviceConfirm, DeviceDone
from ostiary.authserver.pages.outcome import Done, ErrorPage, Onward, WayBack
from ostiary.authserver.pages.page import Client, Form, Page
from ostiary.authserver.pages.render import render
from ostiary.authserver.pages.response import FormActionRefused, content_security_policy, page_response
from ostiary.authserver.pages.sign_in import DevelopmentAccount, DevelopmentSignIn, Provider, SignInChoice

__all__ = [
    "AccountAsked",
    "AccountProgress",
    "App",
    "Client",
    "ClientAccess",
    "ConfirmConnection",
    "ConnectAccounts",
    "ConnectedAccount",
    "Connections",
    "Consent",
    "Destination",
    "DestinationRefused",
    "DevelopmentAccount",
    "DevelopmentSignIn",
    "DeviceCode",
    "DeviceConfirm",
    "DeviceDone",
    "Done",
    "ErrorPage",
    "Form",
    "FormActionRefused",
    "LocalProgram",
    "OfflineAccessOffer",
    "OfflineAccessPermission",
    "Onward",
    "Page",
    "Provider",
    "ReplaceAccount",
    "ResourceConnections",
    "Scope",
    "SignInChoice",
    "WayBack",
    "Website",
    "asset_routes",
    "content_security_policy",
    "destination",
    "page_response",
    "render",
]
