"""Every fault of a file at once: file, line, place, what is wrong, and the nearest right name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

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
            "there is authserver, gateway, insecure_inline_secrets, storage, telemetry"
        )
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
        "ostiary.yaml:9: gateway.servers.Fish should match pattern '^[a-z][a-z0-9-]*$'",
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
