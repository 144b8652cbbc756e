"""The wheel carries what the packages read, and nothing else; what is installed from it finds it."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CARRIED = ("catalog", "evaluation", "training", "labeling", "inference", "orchestration", "infra", "models")
READ_BY_THE_BUILD = ("pyproject.toml", "README.md", "LICENSE")
LEFT_BY_PYTHON = shutil.ignore_patterns("__pycache__", ".*", "*.egg-info")


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the wheel is built from, so that a build folder left in the checkout adds nothing."""
    copy = tmp_path_factory.mktemp("tree")
    for name in CARRIED:
        shutil.copytree(ROOT / name, copy / name, ignore=LEFT_BY_PYTHON)
    for name in READ_BY_THE_BUILD:
        shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def expected(tree: Path) -> set[str]:
    """Every file of the packages in the checkout."""
    return {f"{name}/{file}" for name in CARRIED for file in files_below(tree / name)}


@pytest.fixture(scope="module")
def built(tree: Path, expected: set[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the source archive, and with the wheel that is built from it."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(tree)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    return out


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's files as pip puts them into an environment."""
    (wheel,) = built.glob("*.whl")
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.mark.slow
def test_the_wheel_carries_every_file_of_the_packages_and_no_other(installed, expected):
    carried = {file for file in files_below(installed) if ".dist-info/" not in file}
    assert sorted(expected - carried) == [], "pyproject.toml's package-data does not name these"
    assert sorted(carried - expected) == []


@pytest.mark.slow
def test_the_wheel_carries_the_bases_the_pages_and_the_migrations(installed):
    for base in ("blip2-tiny", "restgan-tiny", "handsoff-tiny/64", "handsoff-tiny/128"):
        assert (installed / "models" / base / "selvedge.json").is_file()
        assert list((installed / "models" / base).glob("*.safetensors"))
    suffixes = {Path(file).suffix for file in files_below(installed)}
    assert {".yaml", ".jinja", ".css", ".js", ".mako"} <= suffixes


@pytest.mark.slow
def test_the_wheel_carries_neither_tests_nor_photographs(installed):
    names = files_below(installed)
    assert not [name for name in names if name.startswith("tests/") or "/test_" in name or name.endswith("conftest.py")]
    assert not [name for name in names if name.lower().endswith((".jpg", ".jpeg", ".png", ".webp"))]


@pytest.mark.slow
def test_the_source_archive_builds_the_same_wheel(built, expected):
    """`python -m build` makes the wheel from the archive; what the archive lacks, a packager elsewhere would lack."""
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    assert sorted(expected - names) == []


def run_from(folder: Path, cwd: Path, *arguments: str) -> str:
    """What a Python prints that finds Selvedge in this folder."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    environment.pop("SELVEDGE_MODELS", None)
    command = [sys.executable, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=cwd, env=environment)
    return result.stdout.strip()


@pytest.mark.slow
def test_what_is_installed_finds_its_bases_and_its_command(installed, tmp_path):
    program = "from training.folders import models_folder; print(models_folder())"
    assert Path(run_from(installed, tmp_path, "-c", program)) == installed / "models"
    assert "Usage: selvedge" in run_from(installed, tmp_path, "-m", "orchestration.cli", "--help")


@pytest.mark.slow
def test_the_hash_of_the_code_is_the_same_in_a_checkout_and_from_a_wheel_and_changes_with_it(tree, installed, tmp_path):
    command = ("-m", "orchestration.runtime.installed_code")
    from_wheel = json.loads(run_from(installed, tmp_path, *command))
    assert json.loads(run_from(tree, tmp_path, *command)) == from_wheel
    changed = tmp_path / "changed"
    shutil.copytree(tree, changed, ignore=shutil.ignore_patterns("models"))
    (changed / "catalog" / "attributes.yaml").open("a").write("# another\n")
    assert json.loads(run_from(changed, tmp_path, *command))["sha256"] != from_wheel["sha256"]


def test_the_code_says_where_it_comes_from_and_cannot_be_uploaded_where_its_name_is_taken():
    """PyPI has a `selvedge` of somebody else."""
    from orchestration.runtime.installed_code import installed_code

    code = installed_code()
    assert "commit abc and run `make wheel`" in code.origin("abc") and code.sha256 in code.origin("abc")
    assert "commit" not in code.origin("unknown")
    assert "Private :: Do Not Upload" in (ROOT / "pyproject.toml").read_text()
