"""Where a client may have its codes sent, RFC 8252 and OAuth 2.1 section 2.3."""

from __future__ import annotations

import pytest

from ostiary.oauth.server.client import ApplicationType
from ostiary.oauth.server.errors import InvalidRedirectUri, InvalidRequest
from ostiary.oauth.server.redirect_uri import (
    RedirectKind,
    check_registrable,
    inferred_type,
    match_redirect,
    redirect_kind,
)

WEB, NATIVE = ApplicationType.WEB, ApplicationType.NATIVE
NATIVE_ONLY = "a web application has redirect URIs with https alone: this one is for application_type native"
ONLY_LOOPBACK = "a redirect URI with http is on localhost, 127.0.0.1 or [::1]; elsewhere it is https"
HIDDEN = "its path hides a slash, a dot or a control character in percent-encoding"
NO_URI = "a redirect URI has a character that no URI has"


def refusal(uri: str, application_type: ApplicationType = NATIVE) -> str:
    with pytest.raises(InvalidRedirectUri) as refused:
        check_registrable(uri, application_type)
    return refused.value.description


@pytest.mark.parametrize(
    "uri",
    [
        "https://client.example/callback",
        "https://client.example",
        "https://client.example:8443/cb?tenant=a",
        "https://localhost:3000/cb",
    ],
)
def test_https_is_for_every_client(uri: str) -> None:
    check_registrable(uri, WEB)
    check_registrable(uri, NATIVE)


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost:6274/oauth/callback",
        "http://localhost/callback",
        "http://127.0.0.1/callback",
        "http://127.0.0.1:33418/",
        "http://[::1]:8000/callback",
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "cursor://anysphere.cursor-retrieval/oauth/user-0123456789abcdef/callback",
        "vscode://anysphere.cursor-mcp/oauth/callback",
        "vscode-insiders://saoudrizwan.claude-dev/mcp-auth/callback",
        "windsurf://codeium.windsurf/mcp",
        "myapp://callback",
        "myapp:/callback",
        "vscode://vscode.github-authentication/did-authenticate",
        "com.example.app:/oauth2redirect",
        "com.example.app://callback",
    ],
)
def test_what_is_on_a_persons_machine_is_for_native_applications(uri: str) -> None:
    check_registrable(uri, NATIVE)
    assert refusal(uri, WEB) == NATIVE_ONLY


@pytest.mark.parametrize(
    "scheme",
    [
        "javascript",
        "JavaScript",
        "data",
        "file",
        "about",
        "blob",
        "vbscript",
        "ftp",
        "mailto",
        "ms-msdt",
        "search-ms",
        "intent",
    ],
)
def test_dangerous_schemes_are_refused(scheme: str) -> None:
    assert refusal(f"{scheme}:alert(1)") == f"a redirect URI has not the scheme {scheme.lower()}"
    assert refusal(f"{scheme}://client.example/cb") == f"a redirect URI has not the scheme {scheme.lower()}"


STARTS = [
    (
        "ms-appinstaller:?source=https://evil.example/a.appx",
        "a redirect URI has not the scheme ms-appinstaller",
    ),
    ("itms-services://?action=download-manifest", "a redirect URI has not the scheme itms-services"),
    ("ms-settings:/privacy", "a redirect URI has not the scheme ms-settings"),
    ("MS-Officecmd:/x", "a redirect URI has not the scheme ms-officecmd"),
    ("ms-something-new://x/y", "a redirect URI has not the scheme ms-something-new"),
    ("microsoft-edge:https://evil.example/", "a redirect URI has not the scheme microsoft-edge"),
    ("search:query=password", "a redirect URI has not the scheme search"),
    ("search://x/y", "a redirect URI has not the scheme search"),
    ("steam://run/4711", "a redirect URI has not the scheme steam"),
    ("webdav://evil.example/share", "a redirect URI has not the scheme webdav"),
    ("appstream://org.example.evil", "a redirect URI has not the scheme appstream"),
    ("hammerspoon://run", "a redirect URI has not the scheme hammerspoon"),
    ("x-man-page://ls", "a redirect URI has not the scheme x-man-page"),
    ("x-apple.systempreferences:/x", "a redirect URI has not the scheme x-apple.systempreferences"),
    (
        "vscode://vscode.git/clone?url=https://evil.example/x.git",
        "a redirect URI with vscode: has no query: it could tell a program what to do",
    ),
    ("myapp:/cb?", "a redirect URI with myapp: has no query: it could tell a program what to do"),
    (
        "com.example.app:/cb?run=calc",
        "a redirect URI with com.example.app: has no query: it could tell a program what to do",
    ),
    (
        "vscode:extension/evil.extension",
        "a redirect URI with vscode: has a path after it, as com.example.app:/callback",
    ),
    (
        "newstarter:calc.exe",
        "a redirect URI with newstarter: has a path after it, as com.example.app:/callback",
    ),
    (
        "vscode://file/etc/passwd",
        "a redirect URI with vscode: leads to an extension: vscode://publisher.name/",
    ),
    (
        "Cursor://settings/x",
        "a redirect URI with cursor: leads to an extension: cursor://publisher.name/",
    ),
]


@pytest.mark.parametrize(("uri", "why"), STARTS)
def test_a_stranger_starts_no_program_with_an_answer(uri: str, why: str) -> None:
    assert refusal(uri) == why


@pytest.mark.parametrize("uri", [uri for uri, _ in STARTS])
def test_the_operator_knows_better_what_their_programs_are(uri: str) -> None:
    check_registrable(uri, NATIVE, is_vouched_for=True)


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("", "a redirect URI is absolute: it begins with its scheme"),
        ("/callback", "a redirect URI is absolute: it begins with its scheme"),
        ("//client.example/callback", "a redirect URI is absolute: it begins with its scheme"),
        ("client.example/callback", "a redirect URI is absolute: it begins with its scheme"),
        ("myapp:", "a redirect URI has more than its scheme"),
        ("urn:ietf:wg:oauth:2.0:oob", "a redirect URI has not the scheme urn"),
        ("http://client.example/callback", ONLY_LOOPBACK),
        ("http://127.0.0.2/callback", ONLY_LOOPBACK),
        ("http://localhost.evil.example/callback", ONLY_LOOPBACK),
        ("http://10.0.0.1/callback", ONLY_LOOPBACK),
        ("https://client.example/callback#fragment", "a redirect URI has no fragment"),
        ("https://client.example/callback#", "a redirect URI has no fragment"),
        ("myapp://callback#x", "a redirect URI has no fragment"),
        ("https://client.example/*", "a redirect URI has no wildcard: it is compared letter for letter"),
        ("https://*.client.example/", "a redirect URI has no wildcard: it is compared letter for letter"),
        (
            "https://user:password@client.example/",
            "a redirect URI is refused: it has a user name or password in it",
        ),
        ("http://127.0.0.1@evil.example/", "a redirect URI is refused: it has a user name or password in it"),
        ("myapp://user@callback", "a redirect URI has no user name or password in it"),
        ("https://client.example/a/../b", "a redirect URI is refused: its path has a dot segment"),
        (
            "https://client.example/a%2Fb",
            f"a redirect URI is refused: {HIDDEN}",
        ),
        (
            "http://2130706433/callback",
            "a redirect URI is refused: its host is a number that is not a plain IPv4 address",
        ),
        ("https://evil.example\\@client.example/", NO_URI),
        ("https://client.example/call back", NO_URI),
        ("https://client.example/\r\nSet-Cookie:a", NO_URI),
        ("https://client.example/\n", NO_URI),
        ("https://client.example/\x00", NO_URI),
        ("https://clíent.example/", NO_URI),
        ("myapp://call\tback", NO_URI),
        ("myapp://<script>", NO_URI),
        ("https://client.example/cb?code=1", "a redirect URI has no code of its own: the answer brings it"),
        ("myapp://cb?a=b&iss=x", "a redirect URI has no iss of its own: the answer brings it"),
        ("https://client.example/cb?st%61te", "a redirect URI has no state of its own: the answer brings it"),
        ("https://client.example/" + "a" * 2000, "a redirect URI has at most 2000 characters"),
    ],
)
def test_a_place_that_no_code_may_be_sent_to_is_refused(uri: str, why: str) -> None:
    assert refusal(uri) == why


@pytest.mark.parametrize(
    ("uris", "application_type"),
    [
        (["https://client.example/cb"], WEB),
        ([], WEB),
        (["http://localhost/callback", "http://127.0.0.1/callback"], NATIVE),
        (["http://127.0.0.1:33418/", "https://vscode.dev/redirect"], NATIVE),
        (["cursor://anysphere.cursor-mcp/oauth/callback"], NATIVE),
    ],
)
def test_a_client_that_does_not_say_what_it_is_is_known_by_its_redirect_uris(
    uris: list[str], application_type: ApplicationType
) -> None:
    assert inferred_type(uris) is application_type


REGISTERED = (
    "https://client.example/callback?a=b",
    "http://127.0.0.1/callback",
    "http://localhost:3000/callback",
    "http://[::1]:1/cb?a=b",
    "com.example.app:/cb",
)


@pytest.mark.parametrize(
    "requested",
    [
        *REGISTERED,
        "http://127.0.0.1:54321/callback",
        "http://127.0.0.1:80/callback",
        "http://localhost/callback",
        "http://localhost:65535/callback",
        "http://[::1]:8080/cb?a=b",
    ],
)
def test_a_registered_redirect_uri_is_matched_letter_for_letter_but_for_a_loopback_port(
    requested: str,
) -> None:
    assert match_redirect(requested, REGISTERED) == requested


@pytest.mark.parametrize(
    "requested",
    [
        "https://client.example/other?a=b",
        "https://client.example/callback/",
        "https://client.example/callback",
        "https://client.example/callback?a=b&c=d",
        "https://client.example/callback?a=b#fragment",
        "https://client.example/Callback?a=b",
        "https://CLIENT.example/callback?a=b",
        "https://client.example/%63allback?a=b",
        "https://client.example%2Fcallback?a=b",
        "https://client.example/callback%2F?a=b",
        "https://client.example:443/callback?a=b",
        "https://client.example:8443/callback?a=b",
        "https://client.example./callback?a=b",
        "https://client.example.evil.example/callback?a=b",
        "https://evil.example/callback?a=b",
        "https://user@client.example/callback?a=b",
        "https://client.example/x/../callback?a=b",
        "http://client.example/callback?a=b",
        "//client.example/callback?a=b",
        "http://127.0.0.1/other",
        "http://127.0.0.1/callback/",
        "http://127.0.0.1/callback?a=b",
        "http://127.0.0.1:1/callback#x",
        "http://127.0.0.1:0/callback",
        "http://127.0.0.1:080/callback",
        "http://127.0.0.1:65536/callback",
        "http://127.0.0.1:123456/callback",
        "http://127.0.0.1:/callback",
        "http://127.0.0.1:1@evil.example/callback",
        "http://127.0.0.1:1\\@evil.example/callback",
        "http://127.0.0.1.evil.example/callback",
        "http://127.0.0.2/callback",
        "http://127.1/callback",
        "https://127.0.0.1/callback",
        "HTTP://127.0.0.1:1/callback",
        "http://localhost:3000/callback\n",
        "http://LOCALHOST/callback",
        "http://[0:0:0:0:0:0:0:1]:1/cb?a=b",
        "com.example.app:/cb2",
        "com.example.app://cb",
        "COM.example.app:/cb",
        "",
    ],
)
def test_any_other_redirect_uri_is_refused(requested: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        match_redirect(requested, REGISTERED)
    assert refused.value.description == "the redirect_uri is none that this client has registered"


def test_localhost_does_not_stand_for_127_0_0_1_nor_the_other_way_round() -> None:
    for requested, registered in [
        ("http://localhost:1/cb", "http://127.0.0.1:1/cb"),
        ("http://127.0.0.1:1/cb", "http://localhost:1/cb"),
        ("http://[::1]:1/cb", "http://127.0.0.1:1/cb"),
    ]:
        with pytest.raises(InvalidRequest):
            match_redirect(requested, [registered])


def test_the_port_of_https_is_not_free() -> None:
    with pytest.raises(InvalidRequest):
        match_redirect("https://localhost:2/cb", ["https://localhost:1/cb"])


def test_redirect_uri_absent_means_the_only_one() -> None:
    assert match_redirect(None, REGISTERED[:1]) == REGISTERED[0]


@pytest.mark.parametrize("registered", [(), REGISTERED])
def test_redirect_uri_absent_where_there_is_not_just_one(registered: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        match_redirect(None, registered)
    assert refused.value.description == (
        "the parameter redirect_uri is missing, and this client has not just one"
    )


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        ("https://client.example/callback", RedirectKind.HTTPS),
        ("https://client.example:8443/", RedirectKind.HTTPS),
        ("https://xn--pple-43d.example/", RedirectKind.HTTPS),
        ("http://127.0.0.1:54321/cb", RedirectKind.LOOPBACK),
        ("http://localhost/cb", RedirectKind.LOOPBACK),
        ("https://localhost:3000/cb", RedirectKind.LOOPBACK),
        ("cursor://anysphere.cursor-mcp/cb", RedirectKind.CUSTOM),
        ("com.example.app:/cb?a=https://bank.example", RedirectKind.CUSTOM),
    ],
)
def test_a_redirect_uri_says_what_kind_of_place_it_is(uri: str, kind: RedirectKind) -> None:
    assert redirect_kind(uri) is kind
