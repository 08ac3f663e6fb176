"""SPIFFE IDs and the templates of them. SPIFFE-ID 2."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostiary.identity.spiffe import (
    DEFAULT_TEMPLATE,
    OWNER_PART,
    SpiffeId,
    SpiffeIdRefused,
    SpiffeTemplate,
    TemplateRefused,
)

WORKLOAD = "spiffe://example.org/ns/zoo/mcpserver/gateway"
BY_ACCOUNT = SpiffeTemplate("spiffe://{trust_domain}/ns/{namespace}/sa/{name}")
PROPERTY = settings(deadline=None, database=None, derandomize=True)
LITERAL = st.from_regex(r"[A-Za-z0-9._-]{1,12}", fullmatch=True).filter(lambda text: text not in {".", ".."})


@st.composite
def templates(draw: st.DrawFn) -> SpiffeTemplate:
    segments = [*draw(st.lists(LITERAL, max_size=5)), "{namespace}", "{name}"]
    return SpiffeTemplate("spiffe://{trust_domain}/" + "/".join(draw(st.permutations(segments))))


DOMAINS = st.from_regex(r"[a-z0-9._-]{1,255}", fullmatch=True)
PARTS = st.from_regex(OWNER_PART, fullmatch=True).filter(lambda text: len(text) <= 127)


@PROPERTY
@given(templates(), DOMAINS, PARTS, PARTS)
def test_template_round_trip(template: SpiffeTemplate, domain: str, namespace: str, name: str) -> None:
    rendered = template.render(domain, namespace, name)
    assert SpiffeId.parse(str(rendered)) == rendered
    assert template.owner(rendered) == f"{namespace}/{name}"


@PROPERTY
@given(st.text() | st.text("spifeSPIFE:/.%-_09azAZ{}\n\0é").map("spiffe://".__add__))
def test_what_is_taken_is_what_was_written(raw: str) -> None:
    try:
        parsed = SpiffeId.parse(raw)
    except SpiffeIdRefused:
        return
    assert str(parsed) == raw
    assert re.fullmatch(r"spiffe://[a-z0-9._-]+(/[A-Za-z0-9._-]+)*", raw)


def test_an_id_of_a_workload_and_one_of_a_domain() -> None:
    assert SpiffeId.parse(WORKLOAD) == SpiffeId("example.org", "/ns/zoo/mcpserver/gateway")
    assert SpiffeId.parse("spiffe://example.org") == SpiffeId("example.org")
    assert SpiffeId.parse("spiffe://1.2_3-4/...") == SpiffeId("1.2_3-4", "/...")


NONCANONICAL = {
    "another scheme": "https://example.org/ns/zoo/mcpserver/gateway",
    "no scheme": "example.org/ns/zoo/mcpserver/gateway",
    "scheme in capitals": "SPIFFE://example.org/ns/zoo/mcpserver/gateway",
    "domain in capitals": "spiffe://Example.org/ns/zoo/mcpserver/gateway",
    "no domain": "spiffe:///ns/zoo/mcpserver/gateway",
    "nothing": "spiffe://",
    "user": "spiffe://user@example.org/ns/zoo/mcpserver/gateway",
    "port": "spiffe://example.org:443/ns/zoo/mcpserver/gateway",
    "query": f"{WORKLOAD}?a=b",
    "fragment": f"{WORKLOAD}#a",
    "trailing slash": f"{WORKLOAD}/",
    "domain with a slash alone": "spiffe://example.org/",
    "empty segment": "spiffe://example.org/ns//zoo/mcpserver/gateway",
    "dot segment": "spiffe://example.org/ns/./zoo/mcpserver/gateway",
    "two dots": "spiffe://example.org/ns/other/../zoo/mcpserver/gateway",
    "percent": "spiffe://example.org/ns/zo%6f/mcpserver/gateway",
    "percent in the domain": "spiffe://ex%61mple.org/ns/zoo/mcpserver/gateway",
    "line feed at the end": f"{WORKLOAD}\n",
    "line feed in the domain": "spiffe://example.org\n/ns/zoo/mcpserver/gateway",
    "line feed after the domain": "spiffe://example.org\n",
    "blank": "spiffe://example.org/ns/z oo/mcpserver/gateway",
    "blank before": f" {WORKLOAD}",
    "NUL": f"{WORKLOAD}\0",
    "backslash": "spiffe://example.org\\ns\\zoo",
    "letters that look alike": "spiffe://exаmple.org/ns/zoo/mcpserver/gateway",  # noqa: RUF001 - the attack
    "digits that look alike": "spiffe://example.org/ns/zoo/mcpserver/gateway\N{ARABIC-INDIC DIGIT ONE}",
    "domain of 256 bytes": f"spiffe://{'a' * 256}/ns/zoo/mcpserver/gateway",
    "3 kB": f"{WORKLOAD}/{'a' * 3000}",
    "2049 bytes": f"spiffe://example.org/{'a' * 2028}",
}


@pytest.mark.parametrize("raw", NONCANONICAL.values(), ids=NONCANONICAL.keys())
def test_noncanonical_spiffe_ids(raw: str) -> None:
    with pytest.raises(SpiffeIdRefused):
        SpiffeId.parse(raw)


def test_the_longest_that_may_be() -> None:
    assert len(str(SpiffeId.parse(f"spiffe://{'a' * 255}/{'b' * 1783}"))) == 2048


@pytest.mark.parametrize("path", ["ns/zoo", "/", "/a/", "/a\n", "?a", "/.."])
def test_an_id_is_not_made_but_in_its_form(path: str) -> None:
    with pytest.raises(SpiffeIdRefused):
        SpiffeId("example.org", path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{trust_domain}/ns/{namespace}/sa/{name}",
        "spiffe://example.org/ns/{namespace}/sa/{name}",
        "spiffe://{trust_domain}",
        "spiffe://{trust_domain}/",
        "spiffe://{trust_domain}/ns/{namespace}",
        "spiffe://{trust_domain}/sa/{name}",
        "spiffe://{trust_domain}/{namespace}{name}",
        "spiffe://{trust_domain}/{namespace}-{name}",
        "spiffe://{trust_domain}/{namespace}/{name}/{name}",
        "spiffe://{trust_domain}/{namespace}/{namespace}/{name}",
        "spiffe://{trust_domain}/{namespace}/{name}/",
        "spiffe://{trust_domain}//{namespace}/{name}",
        "spiffe://{trust_domain}/../{namespace}/{name}",
        "spiffe://{trust_domain}/{namespace}/{name}/{trust_domain}",
        "spiffe://{trust_domain}/{namespace}/{name}/{pod}",
        "spiffe://{trust_domain}/{namespace}/{name}?x",
        "spiffe://{trust_domain}/{namespace}/{name}\n",
        "spiffe://{trust_domain}/x-{namespace}/{name}",
        "spiffe://{trust_domain}.example/{namespace}/{name}",
        "spiffe://{trust_domain}/{namespace}/{name}/" + "a" * 1000,
    ],
)
def test_a_template_that_could_mean_two_owners_is_none(text: str) -> None:
    with pytest.raises(TemplateRefused):
        SpiffeTemplate(text)


@pytest.mark.parametrize("owner", ["a/b/c", "zoo", "zoo/", "/gateway", "Zoo/gateway", "zoo/ga te", "zoo/g\n"])
def test_what_is_no_owner_is_not_rendered(owner: str) -> None:
    namespace, _, name = owner.partition("/")
    with pytest.raises(TemplateRefused):
        DEFAULT_TEMPLATE.render("example.org", namespace, name)


@pytest.mark.parametrize(
    ("template", "path", "owner"),
    [
        (DEFAULT_TEMPLATE, "/ns/zoo/mcpserver/gateway", "zoo/gateway"),
        (BY_ACCOUNT, "/ns/zoo/sa/gateway", "zoo/gateway"),
        (BY_ACCOUNT, "/ns/zoo/mcpserver/gateway", None),
        (DEFAULT_TEMPLATE, "/ns/zoo/sa/gateway", None),
        (DEFAULT_TEMPLATE, "/ns/zoo/mcpserver/gateway/more", None),
        (DEFAULT_TEMPLATE, "/ns/zoo/mcpserver", None),
        (DEFAULT_TEMPLATE, "", None),
        (DEFAULT_TEMPLATE, "/NS/zoo/mcpserver/gateway", None),
        (DEFAULT_TEMPLATE, "/ns/Zoo/mcpserver/gateway", None),
        (DEFAULT_TEMPLATE, "/ns/zoo/mcpserver/_gateway", None),
        (DEFAULT_TEMPLATE, f"/ns/zoo/mcpserver/{'a' * 300}", None),
        (SpiffeTemplate("spiffe://{trust_domain}/x/{name}/x/{namespace}"), "/x/gateway/x/zoo", "zoo/gateway"),
        (SpiffeTemplate("spiffe://{trust_domain}/x/{name}/x/{namespace}"), "/y/gateway/x/zoo", None),
        (SpiffeTemplate("spiffe://{trust_domain}/x/{name}/x/{namespace}"), "/x/gateway/y/zoo", None),
    ],
)
def test_only_an_id_of_the_templates_shape_names_an_owner(
    template: SpiffeTemplate, path: str, owner: str | None
) -> None:
    assert template.owner(SpiffeId("example.org", path)) == owner
