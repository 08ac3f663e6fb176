"""Every Google API on one listener: one app, made of the parts' own routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.cloudrun.emulator import admin, discovery, iam_credentials, metadata_server, token_endpoint
from ostiary.cloudrun.emulator.google_error import GoogleError, answer
from ostiary.transport.application import application

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from ostiary.cloudrun.emulator.google import Google

PARTS = (metadata_server, token_endpoint, iam_credentials, discovery, admin)


def google_api(google: Google) -> Starlette:
    """The app of the Google listener."""
    routes = [route for part in PARTS for route in part.routes(google)]
    return application(routes, exception_handlers={GoogleError: answer})
