"""Every fault of a file at once: file, line, place, what is wrong, and the nearest right name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from ostiary.cloudrun.emulator import EmulatorSettings
from ostiary.config import OstiaryFile
from ostiary.config.patterns import IN_WORDS
from ostiary.config.schema import file_schema
from ostiary.settings import Settings

Faults = Callable[[str], list[str]]


def test_an_unknown_setting_is_shown_with_its_line_and_the_nearest_right_name(faults: Faults) -> None:
    assert faults("""\
        gateway:
          allow_unauthenticated: true
          servers:
            zoo:
              url: http://127.0.0.1:9000/mcp
              credental: {type: none}
        """) == [
        "ostiary.yaml:6: gateway.servers.zoo.credental is not a setting of a server; did you mean credential?"
    ]


def test_an_unknown_part_of_the_file_is_shown_with_the_nearest_one(faults: Faults) -> None:
    assert faults("gatway: {}\n") == [
        "ostiary.yaml:1: gatway is not a setting of this file; did you mean gateway?"
    ]


def test_a_setting_unlike_any_other_is_shown_with_all_there_are(faults: Faults) -> None:
    assert faults("x: 1\n") == [
        (
            "ostiary.yaml:1: x is not a setting of this file; "
            "there is authserver, gateway, insecure_inline_secrets, proxy, storage, telemetry"
        )
    ]


AUTHSERVER = """\
authserver:
  issuer: http://127.0.0.1:9000
  resources: [{resource: "https://mcp.example.com/mcp", owner: default/gateway}]
  mtls:
    certificates: {%s}
"""


def test_an_unknown_source_of_certificates_is_shown_with_the_nearest_one(faults: Faults) -> None:
    assert faults(AUTHSERVER % "source: internal_cq, directory: pki") == [
        (
            "ostiary.yaml:5: authserver.mtls.certificates.source 'internal_cq' does not exist; "
            "did you mean internal_ca?"
        )
    ]


@pytest.mark.parametrize("source", ["source: files, ", ""])
def test_certificates_are_from_files_unless_a_source_is_written(faults: Faults, source: str) -> None:
    files = "certificate: a, private_key: b, trust_bundel: c"
    assert faults(AUTHSERVER % (source + files)) == [
        "ostiary.yaml:5: authserver.mtls.certificates.trust_bundle is missing",
        (
            "ostiary.yaml:5: authserver.mtls.certificates.trust_bundel is not a setting of source files; "
            "did you mean trust_bundle?"
        ),
    ]


def test_an_unknown_credential_type_is_shown_with_the_nearest_one(faults: Faults) -> None:
    assert faults("""\
        gateway:
          allow_unauthenticated: true
          servers:
            zoo: {url: "http://127.0.0.1:9000/mcp", credential: {type: google_id_tokn}}
        """) == [
        (
            "ostiary.yaml:4: gateway.servers.zoo.credential.type 'google_id_tokn' does not exist; "
            "did you mean google_id_token?"
        )
    ]


def test_a_setting_of_another_credential_type_is_not_one_of_this(faults: Faults) -> None:
    assert faults("""\
        gateway:
          allow_unauthenticated: true
          servers:
            zoo:
              url: http://127.0.0.1:9000/mcp
              credential:
                type: google_id_token
                audnce: https://zoo.example.com
        """) == [
        (
            "ostiary.yaml:8: gateway.servers.zoo.credential.audnce is not a setting of type google_id_token; "
            "did you mean audience?"
        )
    ]


def test_all_faults_are_told_at_once_in_the_order_of_their_lines(faults: Faults) -> None:
    assert faults("""\
        gateway:
          listen: localhorst:8080
          inbound:
            - isuer: https://auth.example.com
          servers:
            zoo: {url: "http://127.0.0.1:9000/a/../mcp", timeout: 30}
            bird:
              url: 5
            Fish: {url: "https://fish.example.com/mcp"}
        """) == [
        (
            "ostiary.yaml:2: gateway.listen: an address to listen on is an IP address and a port, "
            "such as 127.0.0.1:8080"
        ),
        "ostiary.yaml:4: gateway.inbound[0].issuer is missing",
        "ostiary.yaml:4: gateway.inbound[0].isuer is not a setting of type oidc; did you mean issuer?",
        "ostiary.yaml:6: gateway.servers.zoo.url: its path has a dot segment",
        (
            "ostiary.yaml:6: gateway.servers.zoo.timeout: "
            "a duration is a number with its unit, such as 30s, 15m, 12h or 30d"
        ),
        "ostiary.yaml:8: gateway.servers.bird.url: a URL is a string",
        (
            "ostiary.yaml:9: gateway.servers.Fish should be small letters, digits and hyphens, "
            "with a letter first"
        ),
    ]


def test_a_setting_that_stands_twice_is_shown_with_both_lines(faults: Faults) -> None:
    assert faults("""\
        gateway:
          allow_unauthenticated: true
          listen: 127.0.0.1:8080
          listen: 127.0.0.1:8081
        """) == ["ostiary.yaml:4: gateway.listen stands here again; it is on line 3 already"]


def test_a_rule_about_several_settings_is_shown_where_they_stand(faults: Faults) -> None:
    assert faults("""\
        gateway:
          listen: 127.0.0.1:8080
        """) == [
        (
            "ostiary.yaml:1: gateway: nobody could call: name the issuers of accepted tokens under inbound, "
            "or say allow_unauthenticated: true"
        )
    ]


def test_a_secret_in_the_file_itself_is_refused_and_not_repeated(faults: Faults) -> None:
    [fault] = faults("""\
        gateway:
          allow_unauthenticated: true
          servers:
            zoo: {url: "http://127.0.0.1:9000/mcp", credential: {type: bearer, token: hunter2}}
        """)
    assert fault == (
        "ostiary.yaml:4: gateway.servers.zoo.credential.token: a secret does not stand in the file itself: "
        "write {env: NAME} or {file: PATH} (or allow it for a test with insecure_inline_secrets: true)"
    )


@pytest.mark.parametrize("content", ["- gateway", "gateway", "5"])
def test_a_file_that_holds_no_settings_is_refused(faults: Faults, content: str) -> None:
    assert faults(content) == ["ostiary.yaml:1: the file holds settings, one to a line, each `name: value`"]


@pytest.mark.parametrize("word", ['"true"', "yes", "on", "1", '"false"', "no", "0.0", "null", "[]"])
def test_a_switch_is_true_or_false_and_no_word_for_either(faults: Faults, word: str) -> None:
    assert faults(f"""\
        gateway:
          listen: 127.0.0.1:8080
          allow_unauthenticated: {word}
        """) == [
        (
            "ostiary.yaml:3: gateway.allow_unauthenticated: write true or false, without quotes: "
            "yes, on, 1 and text are neither"
        )
    ]


@pytest.mark.parametrize("model", [OstiaryFile, EmulatorSettings])
def test_every_switch_of_a_file_is_strict(model: type[Settings]) -> None:
    """`bool` alone would take "yes" for true."""
    lax = [
        f"{kind.__name__}.{name}"
        for kind in models(model, set())
        for name, field in kind.model_fields.items()
        if "bool" in str(field.annotation) and "_read_switch" not in f"{field.metadata}{field.annotation}"
    ]
    assert lax == []


@pytest.mark.parametrize("model", [OstiaryFile, EmulatorSettings])
def test_every_pattern_of_a_file_has_words(model: type[Settings]) -> None:
    written = json.dumps(file_schema(model))
    patterns = {json.loads(found) for found in re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', written)}
    keys = {json.loads(found) for found in re.findall(r'"patternProperties": \{("(?:[^"\\]|\\.)*")', written)}
    assert (patterns | keys) - IN_WORDS.keys() - READ_BY_RULES_OF_OURS == set()


READ_BY_RULES_OF_OURS = {
    "^[0-9]+(ms|s|m|h|d)$",
    "^(sqlite:///|postgresql://).",
    "^[1-9][0-9]*/(s|m|h)$",
}
"""For editors alone: what does not fit is told by whoever reads it, in words."""


def models(value: Any, seen: set[type]) -> set[type[BaseModel]]:
    """Every model that a file may hold."""
    for kind in (value, *get_args(value)):
        if kind is not value:
            models(kind, seen)
        elif isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in seen:
            seen.add(kind)
            for field in kind.model_fields.values():
                models(field.annotation, seen)
    return seen


def test_rules_about_several_settings_are_told_at_once_each_with_its_line(faults: Faults) -> None:
    assert faults("""\
        authserver:
          listen: 0.0.0.0:9000
          issuer: http://127.0.0.1:9000
          upstream_idps:
            - {preset: google, client_id: a}
            - {preset: google, client_id: b}
          resources:
            - resource: https://mcp.example.com/mcp
              owner: default/gateway
              scopes: [mcp, admin]
              idps: [googel]
          clients:
            - client_id: ci
              token_endpoint_auth_method: private_key_jwt
              grant_types: [client_credentials]
        gateway:
          listen: 0.0.0.0:8080
          servers:
            a: {url: "http://127.0.0.1:1/mcp", prefix: x}
            b: {url: "http://127.0.0.1:1/mcp", prefix: xy}
        """) == [
        (
            "ostiary.yaml:2: authserver.listen: 0.0.0.0:9000 can be reached from other machines "
            "and the issuer "
            "is plain http: use an https issuer, with TLS in front or a certificate in tls, or say "
            "insecure_public: true"
        ),
        "ostiary.yaml:6: authserver.upstream_idps[1]: identity provider google stands twice",
        (
            "ostiary.yaml:10: authserver.resources[0].scopes: resource "
            "https://mcp.example.com/mcp has several "
            "scopes, and clients that nobody vouches for could have them all: write its "
            "default_scopes, which "
            "bounds them, or registration.scopes"
        ),
        (
            "ostiary.yaml:11: authserver.resources[0].idps: resource https://mcp.example.com/mcp names idp "
            "googel; upstream_idps has google"
        ),
        (
            "ostiary.yaml:13: authserver.clients[0]: client ci needs jwks, jwks_uri, or a "
            "trusted issuer with "
            "subjects for it"
        ),
        (
            "ostiary.yaml:16: gateway: nobody could call: name the issuers of accepted tokens under inbound, "
            "or say allow_unauthenticated: true"
        ),
        (
            "ostiary.yaml:17: gateway.listen: listening on 0.0.0.0:8080, it cannot know its "
            "address as clients "
            "see it: set url, such as https://mcp.example.com"
        ),
        (
            "ostiary.yaml:20: gateway.servers.b: servers a and b have prefixes ('x', 'xy') of "
            "which one begins "
            "with the other, so a name could mean two tools: set prefix for one"
        ),
    ]
