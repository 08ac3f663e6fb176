"""Every command, file and program of README and docs/ does what its page says.

```console   lines after "$ " are run beside the running demo; "..." in their output stands for anything;
             what the page's yaml takes from the environment is there
```yaml      begins with "# <file name>"; is written, and read by the loader
```cedar     begins with "// <file name>"; is written
```python    is run with the visitor's key as application default credentials
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ostiary.config import read
from ostiary.config.reference import FILES

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STAYS_UP = {("up",), ("zoo",), ("cloudrun", "emulate")}
"""Commands that do not end by themselves: their words are checked, and what they do is tested elsewhere."""


class Sample(NamedTuple):
    """One block of a page."""

    language: str
    text: str


def samples(page: Path) -> list[Sample]:
    return [Sample(*found) for found in BLOCK.findall(page.read_text("utf-8"))]


def secrets_of(page: Path) -> list[str]:
    return [
        name
        for sample in samples(page)
        if sample.language == "yaml"
        for name in re.findall(r"\{env: (\w+)\}", sample.text)
    ]


def with_samples() -> Iterator[Any]:
    for page in PAGES:
        if any(sample.language in {"console", "yaml", "python"} for sample in samples(page)):
            yield pytest.param(page, id=str(page.relative_to(ROOT)))


@pytest.mark.parametrize("page", [*with_samples()])
def test_the_samples_of_a_page_do_what_it_says(
    page: Path, demo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in secrets_of(page):
        monkeypatch.setitem(demo.environment, name, "correct-horse-battery-staple-4711")
    for sample in samples(page):
        text = beside(demo, sample.text)
        match sample.language:
            case "console":
                for command, output in commands(text):
                    check_command(shlex.split(command), output, demo, tmp_path)
            case "yaml":
                name = text.partition("\n")[0].removeprefix("# ")
                (tmp_path / name).write_text(text, "utf-8")
                read(tmp_path / name, FILES[name])
            case "cedar":
                file = tmp_path / text.partition("\n")[0].removeprefix("// ")
                file.parent.mkdir(exist_ok=True)
                file.write_text(text, "utf-8")
            case "python":
                check_program(text, demo, tmp_path)


def commands(text: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def check_command(words: list[str], output: str, demo: Any, directory: Path) -> None:
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert words[1] != "run" or not output or matches(output, as_pasted(demo.told))
        return
    assert words[0] in {"ostiary", ".venv/bin/ostiary"}
    if any(tuple(words[1:][: len(stays)]) == stays for stays in STAYS_UP):
        words, output = [*words, "--help"], ""
    ran = subprocess.run(
        [sys.executable, "-m", "ostiary", *words[1:]],
        cwd=directory,
        env=demo.environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "Traceback" not in ran.stderr
    assert not output or matches(output, ran.stdout + ran.stderr)


def check_program(text: str, demo: Any, directory: Path) -> None:
    environment = {"GOOGLE_APPLICATION_CREDENTIALS": str(demo.visitor_key), "WEATHER_TOKEN": "sunny"}
    subprocess.run(
        [sys.executable, "-W", "error", "-c", text],
        cwd=directory,
        env=os.environ | environment,
        capture_output=True,
        timeout=30,
        check=True,
    )


def beside(demo: Any, text: str) -> str:
    """The text with the ports that the demo has really got."""
    really = {
        "http://127.0.0.1:8080": demo.gateway.removesuffix("/mcp"),
        "http://127.0.0.1:8085": demo.google,
        "http://127.0.0.1:8087": demo.zoo,
        "http://127.0.0.1:8088": demo.account.removesuffix("/mcp"),
        "http://127.0.0.1:9000": demo.authserver,
        "http://127.0.0.1:9001": demo.people,
    }
    return re.sub("|".join(map(re.escape, really)), lambda place: really[place[0]], text)


def as_pasted(told: str) -> str:
    """What the demo printed, as if in a fresh clone on free ports."""
    told = re.sub(r"^Port .* was taken.*\n", "", told, flags=re.MULTILINE)
    return re.sub(r"\S+( -m)?\S*ostiary (call|login)", r".venv/bin/ostiary \2", told)


def matches(expected: str, actual: str) -> bool:
    """Whether output is as shown; "..." stands for anything, and widths of columns don't count."""
    pattern = r"\s+".join(map(re.escape, without_rules(expected).split())).replace(r"\.\.\.", r"[\s\S]*?")
    return re.fullmatch(rf"\s*{pattern}\s*", without_rules(actual)) is not None or pytest.fail(
        f"the page shows\n{expected}\nand it is\n{actual}"
    )


def without_rules(text: str) -> str:
    return text.replace("─", "")
