"""What is fetched from outside is named exactly: packages by version, the actions of the workflows by commit."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def pinned(file: Path) -> dict[str, str]:
    """Package to version; raises where a line names no exact one."""
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    versions = dict(line.split("==") for line in lines)
    assert len(versions) == len(lines), "a package is named twice"
    return {str(canonicalize_name(name)): version for name, version in versions.items()}


def test_actions_are_named_by_commit_with_their_tag() -> None:
    lines = [line.strip() for file in WORKFLOWS for line in file.read_text().splitlines() if "uses:" in line]
    assert lines
    commits: dict[str, set[str]] = {}
    for line in lines:
        match = re.fullmatch(r"(?:- )?uses: ([\w-]+/[\w-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+", line)
        assert match, line
        commits.setdefault(match[1], set()).add(match[2])
    assert all(len(versions) == 1 for versions in commits.values()), commits


def test_the_constraints_name_one_version_of_every_dependency_that_fits_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = [Requirement(line) for lines in (project["dependencies"], *extras) for line in lines]
    versions = pinned(ROOT / "constraints.txt") | {"setuptools": "77"}  # pip freeze leaves its own packages out
    amiss = [str(each) for each in wanted if versions.get(canonicalize_name(each.name), "") not in each.specifier]
    assert amiss == []


@pytest.mark.parametrize("file", ["constraints.txt", "infra/local/label-studio.txt"])
def test_every_version_is_exact(file: str) -> None:
    assert all(re.fullmatch(r"\d[\w.!+-]*", version) for version in pinned(ROOT / file).values())
