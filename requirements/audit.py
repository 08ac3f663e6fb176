"""`make audit`: known advisories against what is locked, and the oldest versions that pyproject.toml allows.

An advisory ends it with 1. Where nobody can be asked it says so and ends with 0: who is offline did no wrong.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

HERE = Path(__file__).parent
LOCKS = ("dev.txt", "tools.txt")
"""What is in runtime.txt is in dev.txt."""
PIP_AUDIT = (sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--progress-spinner=off")
REPORT = ("--format=json", "--desc=off")
NO_LINE = re.compile(r"(?<=requests\.exceptions\.)\w+|Could not connect")


def floors(project: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each package that a user's installation may ask for, and the oldest version that it may get."""
    extras = [lines for name, lines in project["optional-dependencies"].items() if name != "dev"]
    for line in chain(project["dependencies"], *extras):
        wanted = Requirement(line)
        (floor,) = (one.version for one in wanted.specifier if one.operator == ">=")
        yield wanted.name, floor


def told(report: Mapping[str, Any]) -> tuple[list[str], bool]:
    """What pip-audit found, in sentences, and whether there is an advisory among it."""
    packages: Sequence[Mapping[str, Any]] = report["dependencies"]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    advisories = [
        f"{package['name']} {package['version']}: {known['id']}, "
        f"mended in {', '.join(known['fix_versions']) or 'no version yet'}"
        for package in packages
        for known in package.get("vulns", ())
    ]
    if len(skipped) == len(packages):
        return ["not audited: whom this network lets us ask knows none of the packages"], False
    sentences = advisories or [f"{len(packages) - len(skipped)} packages, no known advisory"]
    if skipped:
        sentences.append(f"not audited, because nobody knows them there: {', '.join(skipped)}")
    return sentences, bool(advisories)


def unanswered(errors: str) -> tuple[list[str], bool]:
    """The same when it gave no report: without a line to anybody it need not, else it is broken."""
    offline = NO_LINE.search(errors)
    if offline is not None:
        return [f"not audited: nobody who knows advisories can be reached from here ({offline[0]})"], False
    return [f"pip-audit failed: {errors.strip()[-500:]}"], True


def audit(requirements: Path) -> tuple[list[str], bool]:
    """The same of a file of pinned requirements."""
    done = subprocess.run(
        [*PIP_AUDIT, *REPORT, f"--requirement={requirements}"], capture_output=True, text=True, check=False
    )
    if done.stdout.strip():
        return told(json.loads(done.stdout))
    return unanswered(done.stderr)


def main() -> int:
    """Tell everything, on standard output."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text("utf-8"))["project"]
    with tempfile.TemporaryDirectory() as folder:
        oldest = Path(folder) / "the oldest versions that pyproject.toml allows"
        oldest.write_text("".join(f"{name}=={floor}\n" for name, floor in floors(project)))
        files = [*(HERE / lock for lock in LOCKS), oldest]
        with ThreadPoolExecutor() as together:
            audits = list(together.map(audit, files))
    for file, (sentences, _) in zip(files, audits, strict=True):
        sys.stdout.writelines(f"{file.name}: {sentence}\n" for sentence in sentences)
    return int(any(found for _, found in audits))


if __name__ == "__main__":
    sys.exit(main())
