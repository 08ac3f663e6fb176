"""What is installed is what was locked: `requirements/`, kept by `make lock`."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
import tomllib
import zipfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from requirements import audit
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
LOCKS = ("dev.txt", "runtime.txt", "tools.txt")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
INSTALLED: Mapping[str, Sequence[str]] = {
    "dev.txt": [
        *PROJECT["build-system"]["requires"],
        *PROJECT["project"]["dependencies"],
        *(line for extra in EXTRAS.values() for line in extra),
    ],
    "runtime.txt": [
        *PROJECT["project"]["dependencies"],
        *(line for extra in ("keyring", "postgresql", "spiffe") for line in EXTRAS[extra]),
    ],
    "tools.txt": PROJECT["dependency-groups"]["tools"],
}


def text(lock: str) -> str:
    return (ROOT / "requirements" / lock).read_text("utf-8")


def pins(lock: str) -> dict[str, list[Requirement]]:
    """By name; a package may stand twice, for different versions of Python."""
    found: defaultdict[str, list[Requirement]] = defaultdict(list)
    for line in re.findall(r"^\w[^\\\n]*", text(lock), re.MULTILINE):
        pin = Requirement(line)
        found[canonicalize_name(pin.name)].append(pin)
    return found


def version(pin: Requirement) -> str:
    (only,) = pin.specifier
    assert only.operator == "=="
    return only.version


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", LOCKS)
def test_each_dependency_is_locked_once_within_what_pyproject_allows(lock: str, python: str) -> None:
    locked = pins(lock)
    here = {"python_version": python, "python_full_version": f"{python}.0"}
    for wanted in map(Requirement, INSTALLED[lock]):
        if wanted.marker is not None and not wanted.marker.evaluate(here):
            continue
        pinned = [
            pin
            for pin in locked[canonicalize_name(wanted.name)]
            if pin.marker is None or pin.marker.evaluate(here)
        ]
        assert len(pinned) == 1, f"{wanted}: run `make lock`"
        assert wanted.specifier.contains(version(pinned[0])), f"{wanted}: run `make lock`"


@pytest.mark.parametrize("lock", LOCKS)
def test_each_locked_package_has_its_hashes_and_no_line_says_where_to_get_it(lock: str) -> None:
    entries = re.split(r"\n(?=\w)", re.sub(r"^ *#.*\n", "", text(lock), flags=re.MULTILINE).strip())
    for entry in entries:
        first, *hashes = entry.split(" \\\n    ")
        assert re.fullmatch(r"[\w.-]+==[\w.]+( ; [^\\]+)?", first), first
        assert hashes
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", one) for one in hashes), first
    assert "://" not in text(lock)


def test_an_image_gets_what_the_tests_ran_with() -> None:
    tested = pins("dev.txt")
    assert {name: tested[name] for name in pins("runtime.txt")} == pins("runtime.txt")


def test_each_installation_of_make_is_locked() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert "\nLOCKED := install --quiet --no-compile --require-hashes --requirement\n" in makefile
    assert re.findall(r"-m pip (.*)", makefile) == [
        "$(LOCKED) requirements/dev.txt",
        "install --quiet --no-deps --no-build-isolation --editable .",
        "$(LOCKED) requirements/tools.txt",
    ]


def test_a_package_exchanged_after_it_was_locked_is_not_installed(tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    locked = tmp_path / "locked.txt"
    before = wheel(shelf, "")
    locked.write_text(f"animals==1.0 --hash=sha256:{before}\n")
    assert installed(locked, shelf, tmp_path / "before").returncode == 0
    wheel(shelf, "import os  # and what a thief does\n")
    refused = installed(locked, shelf, tmp_path / "after")
    assert refused.returncode != 0
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in refused.stderr
    assert not (tmp_path / "after").exists()


def wheel(shelf: Path, code: str) -> str:
    """One at the same name and version, whatever is in it; its SHA-256."""
    members = {
        "animals.py": code,
        "animals-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: animals\nVersion: 1.0\n",
        "animals-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {
        name: base64.urlsafe_b64encode(hashlib.sha256(member.encode()).digest()).rstrip(b"=").decode()
        for name, member in members.items()
    }
    file = shelf / "animals-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
        record = "".join(f"{name},sha256={digest},\n" for name, digest in digests.items())
        archive.writestr("animals-1.0.dist-info/RECORD", f"{record}animals-1.0.dist-info/RECORD,,\n")
    return hashlib.sha256(file.read_bytes()).hexdigest()


def installed(locked: Path, shelf: Path, target: Path) -> subprocess.CompletedProcess[str]:
    pip = (sys.executable, "-m", "pip", "--isolated", "install", "--no-index", "--require-hashes")
    where = ("--find-links", str(shelf), "--target", str(target), "--requirement", str(locked))
    return subprocess.run([*pip, *where], capture_output=True, text=True, timeout=300, check=False)


SAFE: dict[str, Any] = {"name": "safe", "version": "1.0", "vulns": []}
HURT: dict[str, Any] = {
    "name": "hurt",
    "version": "1.0",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"], "aliases": []}],
}
UNKNOWN = {"name": "unknown", "skip_reason": "nobody knows it"}


@pytest.mark.parametrize(
    ("packages", "sentences", "fails"),
    [
        ([SAFE], ["1 packages, no known advisory"], False),
        ([SAFE, HURT], ["hurt 1.0: PYSEC-1, mended in 1.1"], True),
        (
            [SAFE, UNKNOWN],
            ["1 packages, no known advisory", "not audited, because nobody knows them there: unknown"],
            False,
        ),
        ([UNKNOWN], ["not audited: whom this network lets us ask knows none of the packages"], False),
    ],
)
def test_the_audit_fails_for_an_advisory_and_for_nothing_else(
    packages: list[Any], sentences: list[str], fails: bool
) -> None:
    assert audit.told({"dependencies": packages, "fixes": []}) == (sentences, fails)


def test_the_audit_skips_with_a_reason_where_nobody_can_be_asked_and_fails_when_it_is_broken() -> None:
    assert audit.unanswered("Traceback...\nrequests.exceptions.ConnectionError: no route") == (
        ["not audited: nobody who knows advisories can be reached from here (ConnectionError)"],
        False,
    )
    assert audit.unanswered("No module named pip_audit\n") == (
        ["pip-audit failed: No module named pip_audit"],
        True,
    )


def test_every_dependency_has_a_floor_to_audit() -> None:
    oldest = dict(audit.floors(PROJECT["project"]))
    assert set(oldest) == {Requirement(line).name for line in INSTALLED["runtime.txt"]}


def test_updates_are_asked_for_wherever_something_is_locked() -> None:
    settings = YAML(typ="safe").load(ROOT / ".github" / "dependabot.yml")
    (python,) = settings["updates"]
    assert all((ROOT / folder.strip("/")).is_dir() for folder in python["directories"])
    assert python["directories"] == ["/", "/requirements"]
