"""The pages for providers that many use: `ostiary check` accepts each file, and has nothing to warn of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.docs.test_samples import PAGES, ROOT, samples, secrets_of

from ostiary.cli.app import run
from ostiary.config import OstiaryFile, read
from ostiary.config.proxied import hidden_addresses

FOLDER = ROOT / "docs" / "how-to" / "providers"
PROVIDERS = [
    *("atlassian", "auth0", "entra", "github", "google", "keycloak", "notion", "okta", "salesforce", "slack")
]


def test_there_is_a_page_for_each() -> None:
    assert sorted(page.stem for page in FOLDER.glob("*.md")) == PROVIDERS


@pytest.mark.parametrize("provider", PROVIDERS)
def test_check_accepts_the_file_of_a_provider(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = FOLDER / f"{provider}.md"
    for name in secrets_of(page):
        monkeypatch.setenv(name, "correct-horse-battery-staple-4711")
    [sample] = [sample for sample in samples(page) if sample.language == "yaml"]
    monkeypatch.chdir(tmp_path)
    Path("ostiary.yaml").write_text(sample.text, "utf-8")
    assert run(["check"]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert f"https://auth.example.com/oauth/callback/{provider}" in told.out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_page_with_a_proxy_in_front_trusts_it(page: Path, tmp_path: Path) -> None:
    for sample in samples(page):
        if sample.language == "yaml" and re.search(r"^authserver:", sample.text, re.MULTILINE):
            (tmp_path / "ostiary.yaml").write_text(sample.text, "utf-8")
            assert list(hidden_addresses(read(tmp_path / "ostiary.yaml", OstiaryFile))) == []


@pytest.mark.parametrize("file", sorted((ROOT / "examples").glob("*/*.yaml")), ids=lambda file: file.name)
def test_every_example_with_a_proxy_in_front_trusts_it(file: Path) -> None:
    assert list(hidden_addresses(read(file, OstiaryFile))) == []
