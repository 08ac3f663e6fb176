"""Policies that are wrong are told with file, line and what was meant; nothing runs without any."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.gateway.policy.conftest import policies

from ostiary.config.examined import examined
from ostiary.config.faults import ConfigurationError
from ostiary.gateway import Gateway, GatewaySettings
from ostiary.gateway.policy.faults import ATTRIBUTES, PoliciesUnusable
from ostiary.gateway.policy.loading import PolicyText, read_folder, read_policies, schema_text
from ostiary.gateway.policy.policy_set import engine_set

if TYPE_CHECKING:
    from ostiary.gateway.policy.policy_set import PolicySet

TOOL = 'permit(principal, action == Action::"call_tool", resource)'
TWICE = 'context.arguments has a && context.arguments.a == "x" && context.arguments.a > 3'


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (
            f'{TOOL}\nwhen {{ resource.nmae == "x" }};',
            2,
            "resource has no attribute nmae; did you mean name?",
        ),
        (
            f"{TOOL} when {{ principal has emial }};",
            1,
            (
                "principal has no attribute emial; did you mean email?"
                '; a claim of the token is principal.getTag("emial")'
            ),
        ),
        (
            'permit(principal,\n  action == Action::"call_tol", resource);',
            2,
            "there is no action call_tol; did you mean call_tool?",
        ),
        (
            'permit(principal in Grop::"x", action, resource);',
            1,
            "there is no entity type Grop; did you mean Group?",
        ),
        (
            f"{TOOL} when {{ principal is Prinzipal }};",
            1,
            "there is no entity type Prinzipal; did you mean Principal?",
        ),
        (
            f'{TOOL}\nwhen {{ context.arguments.path like "x" }};',
            2,
            "path is not always there: ask first, context.arguments has path && ...",
        ),
        (
            f'{TOOL} when {{ principal.email == "x" }};',
            1,
            "email is not always there: ask first, principal has email && ...",
        ),
        (
            f'{TOOL} when {{\n principal.getTag("dep").contains("x") }};',
            2,
            'not every token has claim dep: ask first, principal.hasTag("dep") && ...',
        ),
        (
            f"// first\n\n{TOOL}\nwhen {{ true ",
            4,
            "the policy ends too early: a bracket, or the semicolon, is missing",
        ),
        (f"{TOOL}\nwhn {{ true }};", 2, "this is no policy: invalid policy condition: whn"),
        (
            "permit(principal, action, resource)\nwhen { resource.readOnlyHint };",
            2,
            "only a Tool has readOnlyHint: say `resource is Tool` in the first line, or which action",
        ),
        (
            "permit(principal, action, resource) when { context.arguments has x };",
            1,
            "only call_tool and get_prompt have arguments: name one of them as the action",
        ),
        (
            "permit(principal == ?principal, action, resource);",
            1,
            "a policy with ?principal or ?resource is about nobody: write who, or what",
        ),
        (
            'permit(principal, action == Action::"call_tool", resource is Prompt);',
            1,
            (
                "it is about nothing: call_tool is of a Tool, get_prompt of a Prompt, read_resource of a "
                "Resource, complete of a Prompt or Resource, list of any of them or of a Server"
            ),
        ),
        (f"{TOOL} when {{ 1 }};", 1, "unexpected type: expected Bool but saw Long"),
        (
            f"{TOOL}\nwhen {{ {TWICE} }};",
            2,
            "argument a is read as a whole number, and as text: have one of them read it otherwise",
        ),
        (
            '@id("a") permit(principal, action, resource);\n@id("a") permit(principal, action, resource);',
            2,
            "the id a is that of a policy at p.cedar:1 already",
        ),
        (
            '@scopes("x") permit(principal, action, resource);',
            1,
            (
                'an annotation asks for no scopes: write `when { principal.scopes.contains("...") }`, '
                "and who lacks it is told so"
            ),
        ),
        (
            f"{TOOL} when {{ principal.hasTag(principal.subject) }};",
            1,
            "write the name of the claim in hasTag as text",
        ),
        (f"{TOOL} when {{ {'true && ' * 3000}true }};", 1, "it is too deep: make several policies of it"),
        (
            f"\n{TOOL} when {{ {'(' * 100}true{')' * 100} }};",
            2,
            "more than 64 brackets stand in one another: make it flatter",
        ),
        (
            f'{TOOL} when {{ "{"a" * 40_000}" == "" }};',
            1,
            "a policy is longer than 32768 characters: make several of it",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, line: int, what: str) -> None:
    with pytest.raises(PoliciesUnusable) as unusable:
        read_policies([PolicyText("folder/p.cedar", text)])
    assert str(unusable.value) == f"folder/p.cedar:{line}: {what}"
    assert unusable.value.exit_code == 2


def test_every_fault_of_every_file_is_told_at_once() -> None:
    with pytest.raises(PoliciesUnusable) as unusable:
        policies("permit(principal, action, resource)\n\n whn {};\npermit(principal);", "permit(")
    assert [(fault.file, fault.line) for fault in unusable.value.faults] == [
        ("0.cedar", 3),
        ("0.cedar", 4),
        ("1.cedar", 1),
    ]


@pytest.mark.parametrize("text", [None, "", "// nothing yet\n"])
def test_without_any_policy_nothing_runs(tmp_path: Path, text: str | None) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "notes.txt").write_text("permit(principal, action, resource);")
    if text is not None:
        (folder / "a.cedar").write_text(text)
    with pytest.raises(PoliciesUnusable, match="so nothing would be allowed; begin with: permit"):
        read_policies(read_folder(folder))


async def test_a_gateway_does_not_start_with_policies_that_are_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.cedar").write_text("permit")
    settings = GatewaySettings.model_validate({"allow_unauthenticated": True, "policy": str(tmp_path)})
    with pytest.raises(PoliciesUnusable):
        await Gateway(settings).__aenter__()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"permit(principal, action, resource);\n// caf\xe9", "a.cedar:2: it is not UTF-8"),
        (b"//" + b"a" * 1_100_000, "a.cedar: it has more than 1048576 bytes"),
    ],
)
def test_a_file_that_is_no_text_is_told(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.cedar").write_bytes(content)
    with pytest.raises(PoliciesUnusable) as unusable:
        read_policies(read_folder(tmp_path))
    assert str(unusable.value) == f"{tmp_path}/{said}"


def test_check_tells_it_beside_all_else(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "a.cedar").write_text(
        "permit(principal, action, resource) when { resource.nmae };"
    )
    file = tmp_path / "ostiary.yaml"
    file.write_text("gateway: {allow_unauthenticated: true, policy: policies}")
    with pytest.raises(ConfigurationError) as invalid:
        examined(file)
    where = tmp_path / "policies" / "a.cedar"
    assert str(invalid.value) == f"{where}:1: resource has no attribute nmae; did you mean name?"
    file.write_text("gateway:\n  allow_unauthenticated: true\n  policy: polices")
    with pytest.raises(ConfigurationError) as invalid:
        examined(file)
    assert str(invalid.value) == f"{file}:3: gateway.policy: there is no folder {tmp_path / 'polices'}"


@pytest.mark.parametrize(
    ("condition", "arguments"),
    [
        ('context.arguments has a && context.arguments.a like "x*"', {"a": "String"}),
        ("context.arguments has a && context.arguments.a < 3", {"a": "Long"}),
        ("context.arguments has a && context.arguments.a", {"a": "Bool"}),
        ("context.arguments has a", {"a": "any value"}),
        ('context.arguments has a && ["x", "y"].contains(context.arguments.a)', {"a": "String"}),
        ('context.arguments has a && context.arguments.a.contains("x")', {"a": "Set<String>"}),
        ("context.arguments has a && context.arguments.a.containsAny([1])", {"a": "Set<Long>"}),
        ("context.arguments has a && context.arguments.a == principal.subject", {"a": "String"}),
        ("context.arguments has a && principal.groups.contains(context.arguments.a)", {"a": "String"}),
        ("context.arguments has a.b && context.arguments.a.b > -1", {"a": {"b": "Long"}}),
        ('context.arguments has "a b" && context.arguments["a b"] == true', {"a b": "Bool"}),
        (
            (
                'principal.hasTag("t") && context.arguments has a '
                '&& principal.getTag("t").contains(context.arguments.a)'
            ),
            {"a": "String"},
        ),
    ],
)
def test_an_argument_is_read_as_what_it_is_compared_with(condition: str, arguments: object) -> None:
    assert policies(f"{TOOL} when {{ {condition} }};").arguments == arguments


def test_a_policy_is_known_by_its_id_or_its_place() -> None:
    made: PolicySet = policies(
        '// one\npermit(principal, action, resource);\n@id("two") forbid(principal, action, resource);'
    )
    assert [policy.id for policy in made.policies] == ["0.cedar:2", "two"]


def test_a_semicolon_in_a_text_or_a_comment_ends_no_policy() -> None:
    made = policies(
        'permit(principal, action, resource) // ; not here\nwhen { principal.subject == "a;\\";b" };'
    )
    assert [policy.line for policy in made.policies] == [1]


def test_faults_know_the_attributes_that_the_schema_has() -> None:
    shipped = schema_text({})
    for names in ATTRIBUTES.values():
        assert [name for name in names if f"  {name}: " not in shipped and f"  {name}?: " not in shipped] in (
            [],
            ["arguments"],
        )
    assert len(engine_set({})) == 0
