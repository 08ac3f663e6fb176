"""One page of each kind and turn, with texts that a test may exchange for worse ones."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from ostiary.authserver.pages import (
    AccountAsked,
    AccountProgress,
    App,
    Client,
    ClientAccess,
    ConfirmConnection,
    ConnectAccounts,
    ConnectedAccount,
    Connections,
    Consent,
    DevelopmentAccount,
    DevelopmentSignIn,
    DeviceCode,
    DeviceConfirm,
    DeviceDone,
    Done,
    ErrorPage,
    Form,
    LocalProgram,
    OfflineAccessOffer,
    OfflineAccessPermission,
    Onward,
    Page,
    Provider,
    ReplaceAccount,
    ResourceConnections,
    Scope,
    SignInChoice,
    WayBack,
    Website,
)

Say = Callable[[str], str]
MOMENT = datetime(2026, 11, 24, 13, 40, tzinfo=UTC)


def specimens(say: Say = str) -> dict[str, Page]:
    """Every page. say: what is shown in place of each text that comes from outside."""
    return _consents(say) | _walks(say) | _sign_ins(say) | _devices(say) | _outcomes(say) | _connections(say)


def form(say: Say, action: str) -> Form:
    return Form(action, say("csrf-token"), {"transaction": say("f3a9"), "other": say("value")})


def metadata_client(say: Say) -> Client:
    return Client(say("Claude"), "document", say("claude.ai"))


def scopes(say: Say) -> list[Scope]:
    return [
        Scope(say("mcp"), say("Use the tools, prompts and resources of this server")),
        Scope(say("offline_access"), say("Stay signed in until you end it")),
    ]


def _consents(say: Say) -> dict[str, Page]:
    resource = say("https://mcp.example.com/mcp")
    accounts = [
        AccountAsked(say("Google"), [say("openid"), say("email")], "identity"),
        AccountAsked(say("GitHub"), [say("repo"), say("read:org")], "required"),
        AccountAsked(
            say("Slack"), [say("https://www.googleapis.com/auth/calendar.events.readonly")], "optional"
        ),
    ]
    asked = form(say, "/oauth/consent")
    known = Client(say("Weather Desk"), "operator")
    stranger = Client(say("Cursor"), "registration")
    return {
        "consent-document": Consent(
            metadata_client(say),
            Website("https://" + say("claude.ai")),
            resource,
            scopes(say),
            accounts,
            asked,
            say("alice@example.com"),
            "https://claude.ai/" + say("api/mcp/auth_callback"),
        ),
        "consent-elsewhere": Consent(
            metadata_client(say), Website("https://" + say("clawde.example:8443")), resource, [], [], asked
        ),
        "consent-operator": Consent(
            known, Website("https://" + say("desk.example.com")), resource, scopes(say), [], asked
        ),
        "consent-loopback": Consent(
            Client(say("Cl\N{CYRILLIC SMALL LETTER A}ude Code"), "registration"),
            LocalProgram("127.0.0.1", 53682),
            resource,
            scopes(say),
            accounts[:1],
            asked,
        ),
        "consent-app": Consent(
            stranger, App(say("cursor")), resource, scopes(say), accounts[:1], asked, say("bob@example.com")
        ),
    }


def _walks(say: Say) -> dict[str, Page]:
    asked = form(say, "/oauth/walk")
    google = AccountProgress(say("Google"), "done", account=say("alice@example.com"))
    failed = AccountProgress(say("GitHub"), "failed", reason=say("GitHub did not answer in time."))
    return {
        "walk-required": ConnectAccounts(
            say("Claude"),
            [
                google,
                AccountProgress(say("GitHub"), "now"),
                AccountProgress(say("Slack"), "later", is_optional=True),
            ],
            asked,
        ),
        "walk-optional": ConnectAccounts(
            say("Claude"),
            [
                google,
                AccountProgress(say("GitHub"), "skipped", is_optional=True),
                AccountProgress(say("Slack"), "now", is_optional=True),
            ],
            asked,
        ),
        "walk-failed": ConnectAccounts(say("Claude"), [google, failed], asked),
        "walk-done": ConnectAccounts(say("Claude"), [google], asked),
        "replace-account": ReplaceAccount(
            say("GitHub"), say("alice-at-work"), say("wonderland-bot"), form(say, "/oauth/replace")
        ),
    }


def _sign_ins(say: Say) -> dict[str, Page]:
    return {
        "sign-in-choice": SignInChoice(
            [Provider(say("google"), say("Google")), Provider(say("github"), say("GitHub"))],
            form(say, "/connections/sign-in"),
            say("to see and end what is connected"),
        ),
        "sign-in-none": SignInChoice([], form(say, "/connections/sign-in")),
        "development-sign-in": DevelopmentSignIn(
            [
                DevelopmentAccount(say("alice"), say("Alice Liddell"), say("alice@example.com")),
                DevelopmentAccount(say("bob"), say("Bob Baker"), say("bob@example.com")),
            ],
            form(say, "/development/sign-in"),
        ),
    }


def _devices(say: Say) -> dict[str, Page]:
    asked = form(say, "/device")
    return {
        "device-code": DeviceCode(asked),
        "device-code-fault": DeviceCode(
            asked,
            say("WDJB-MJHT"),
            say("No device waits for this code. Look at the device again: codes last ten minutes."),
        ),
        "device-confirm": DeviceConfirm(
            say("WDJB-MJHT"),
            Client(say("Ostiary command line"), "registration"),
            say("https://mcp.example.com/mcp"),
            scopes(say),
            asked,
            say("alice@example.com"),
        ),
        "device-allowed": DeviceDone(say("Ostiary command line"), is_allowed=True),
        "device-denied": DeviceDone(say("Ostiary command line"), is_allowed=False),
    }


def _outcomes(say: Say) -> dict[str, Page]:
    return {
        "error": ErrorPage(
            say("This sign-in has expired"),
            say("It was started more than ten minutes ago, or was finished in another tab."),
            say("Go back to the program that you came from and start again."),
            say("01JD9Z5T8W"),
        ),
        "error-down": ErrorPage(
            say("We cannot sign you in right now"),
            say("Our storage does not answer."),
            say("Try again in a minute."),
            say("01JD9Z5T8X"),
            503,
        ),
        "done": Done(say("You are signed out"), say("You can close this window.")),
        "onward": Onward(
            "https://accounts.google.com/o/oauth2/v2/auth?client_id=a&state=%22%3E", say("Google")
        ),
        "onward-app": Onward("cursor://anysphere.cursor/callback?code=a&state=b", say("Cursor")),
        "way-back": WayBack(
            Client(say("Stranger"), "registration"),
            say("the scope everything is unknown here, or not for this client"),
            "https://stranger.example.com/callback?error=invalid_scope",
        ),
        "way-back-app": WayBack(
            Client(say("Cursor"), "registration"), say("no"), "cursor://callback?error=x"
        ),
        "onward-local": Onward("http://127.0.0.1:53682/callback?code=a", say("Claude Code")),
    }


def _connections(say: Say) -> dict[str, Page]:
    quiet = form(say, "/connections/do")
    offer = OfflineAccessOffer(
        [(say("https://claude.ai/client"), say("Claude")), (say("ci"), say("Nightly"))], quiet
    )
    accounts = [
        ConnectedAccount(
            say("Google"),
            "connected",
            say("alice@example.com"),
            [say("openid"), say("email")],
            MOMENT,
            disconnect=quiet,
            offline_access=[OfflineAccessPermission(metadata_client(say), MOMENT, quiet)],
            offline_access_offer=offer,
        ),
        ConnectedAccount(say("GitHub"), "needs_reconnect", say("alice-at-work"), [], MOMENT, quiet, quiet),
        ConnectedAccount(say("Slack"), "skipped", since=MOMENT, connect=quiet),
        ConnectedAccount(
            say("GitLab"), "refused", since=MOMENT, reason=say("GitLab refused."), connect=quiet
        ),
        ConnectedAccount(say("Notion"), "absent", connect=quiet),
    ]
    clients = [
        ClientAccess(metadata_client(say), scopes(say), MOMENT, MOMENT, quiet),
        ClientAccess(Client(say("Nightly"), "operator"), [], MOMENT, None, quiet),
    ]
    return {
        "connections": Connections(
            say("alice@example.com"),
            [
                ResourceConnections(
                    say("default/gateway"), say("https://mcp.example.com/mcp"), accounts, clients
                ),
                ResourceConnections(say("zoo/keeper"), say("https://zoo.example.com/mcp"), [], []),
            ],
            quiet,
            say("GitHub was disconnected."),
        ),
        "connections-none": Connections(say("alice@example.com"), [], quiet),
        "connect-account": ConfirmConnection(
            say("GitHub"),
            say("https://mcp.example.com/mcp"),
            say("default/gateway"),
            [say("repo"), say("read:org")],
            say("alice@example.com"),
            quiet,
            quiet,
            say("alice-at-work"),
        ),
        "connect-account-first": ConfirmConnection(
            say("Notion"),
            say("https://mcp.example.com/mcp"),
            say("default/gateway"),
            [],
            say("alice@example.com"),
            quiet,
            quiet,
        ),
    }
