"""Headers that differ from page to page, and the files that pages bring along."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from ostiary.authserver.pages import (
    Done,
    ErrorPage,
    Form,
    FormActionRefused,
    asset_routes,
    content_security_policy,
    page_response,
)
from ostiary.authserver.pages.assets import ICON, STYLE


def test_forms_may_lead_to_where_the_redirects_after_them_go() -> None:
    sources = [
        "https://claude.ai",
        "cursor:",
        "http://127.0.0.1:*",
        "https://idp.example.com:8443",
        "cursor:",
    ]
    assert page_response(Done(), form_action=sources).headers["content-security-policy"] == (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' cursor: http://127.0.0.1:* "
        "https://claude.ai https://idp.example.com:8443; frame-ancestors 'none'; base-uri 'none'"
    )


@pytest.mark.parametrize(
    "source",
    [
        "https://claude.ai; script-src *",
        "https://claude.ai, default-src *",
        "https://a.example\r\nset-cookie: a=b",
        "'unsafe-inline'",
        "*",
        "javascript:",
        "data:",
        "https://claude.ai/path",
        "https://*.example",
        "//claude.ai",
        "",
    ],
)
def test_a_source_that_could_say_more_is_refused(source: str) -> None:
    with pytest.raises(FormActionRefused) as refused:
        content_security_policy([source])
    assert str(refused.value) == f"not a source for form-action: {source!r}"


def test_an_error_is_answered_with_its_own_status() -> None:
    page = ErrorPage("Gone", "It is gone.", "Start again.", "r1", 410)
    assert page_response(page).status_code == 410
    assert page_response(page, status=400).status_code == 400
    assert page_response(Done()).status_code == 200


@pytest.mark.parametrize(
    "action", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x", ""]
)
def test_a_form_that_posts_elsewhere_is_refused(action: str) -> None:
    with pytest.raises(ValueError) as refused:
        Form(action, "csrf-token")
    assert str(refused.value) == f"a form posts to a path of this server, not to {action!r}"


@pytest.mark.parametrize(
    ("asset", "media_type"), [(STYLE, "text/css; charset=utf-8"), (ICON, "image/svg+xml")]
)
def test_files_are_served_for_ever_under_the_name_of_their_content(asset: object, media_type: str) -> None:
    assert isinstance(asset, type(STYLE))
    response = TestClient(Starlette(routes=asset_routes())).get(asset.path)
    assert (response.status_code, response.content) == (200, asset.content)
    assert dict(response.headers) == {
        "cache-control": "public, max-age=31536000, immutable",
        "content-length": str(len(asset.content)),
        "content-type": media_type,
        "cross-origin-resource-policy": "same-origin",
        "x-content-type-options": "nosniff",
    }


def test_the_stylesheet_loads_nothing() -> None:
    assert b"url(" not in STYLE.content
    assert b"@import" not in STYLE.content
