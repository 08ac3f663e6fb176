"""The page of connected accounts as a person uses it: its forms by where they post to, what it lists."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urljoin

from sqlalchemy import Table, func, select
from tests.authserver.conftest import RESOURCE, Server
from tests.authserver.pages.reading import Element
from tests.authserver.person import Person, Seen, where_to


async def page(person: Person) -> Seen:
    """Go there; whoever is not signed in is on the way."""
    return await person.open(f"{person.server.issuer}/connections")


def connect_url(server: Server, idp: str = "hub", resource: str | None = RESOURCE) -> str:
    """The link that a program gives."""
    query = "" if resource is None else "?" + urlencode({"resource": resource})
    return f"{server.issuer}/connect/{idp}{query}"


async def connected(person: Person, idp: str = "hub") -> Seen:
    """With one account more."""
    return await person.press(await person.open(connect_url(person.server, idp)))


def forms(seen: Seen, path: str) -> list[Element]:
    """Those that post there."""
    return [form for form in seen.html.all("form") if form.attributes["action"] == path]


def hidden(form: Element) -> dict[str, str]:
    """What a form brings along."""
    inputs = (element.attributes for element in form.all("input"))
    return {said["name"]: said["value"] for said in inputs if said.get("type") == "hidden"}


async def press(person: Person, seen: Seen, path: str, **said: str) -> Seen:
    """Send the page's first form that posts there."""
    return await post(person, path, hidden(forms(seen, path)[0]) | said)


async def post(person: Person, path: str, form: dict[str, str]) -> Seen:
    """Send any form."""
    url = urljoin(person.server.issuer, path)
    response = await person.ask("POST", url, form)
    onward = where_to(response)
    return Seen(url, response) if onward is None else await person.open(urljoin(url, onward))


def rows(seen: Seen) -> list[str]:
    """Each row of the lists, read aloud, without its buttons."""
    lists = [element for element in seen.html.all("ul") if element.attributes.get("class") == "rows"]
    return [_without_buttons(row) for one in lists for row in one.children if isinstance(row, Element)]


def notice(seen: Seen) -> str:
    """What was just done."""
    said = [one.text for one in seen.html.all("p") if one.attributes.get("role") == "status"]
    return said[0] if said else ""


async def count(server: Server, table: Table) -> int:
    """Rows."""
    services = server.server.services
    query = select(func.count()).select_from(table)
    return int(await services.store.read(lambda connection: connection.execute(query).scalar_one()))


async def everything(server: Server, table: Table) -> list[dict[str, Any]]:
    """All rows of a table."""
    read = server.server.services.store.read
    return await read(lambda connection: [dict(row) for row in connection.execute(select(table)).mappings()])


def _without_buttons(row: Element) -> str:
    def pieces(element: Element) -> list[str]:
        if element.tag in {"form", "details"}:
            return []
        return [
            piece
            for child in element.children
            for piece in ([child] if isinstance(child, str) else pieces(child))
        ]

    return " ".join("".join(pieces(row)).split())
