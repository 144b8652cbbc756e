"""Environments: made once, whole or not at all, and told in one sentence when they cannot be made."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infra.errors import ServiceFailure
from infra.local.environments import NotInstalled, ensure_environment

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
MAKER = """
import sys
from pathlib import Path
from infra.local.environments import ensure_environment
folder, requirements = Path(sys.argv[1]), Path(sys.argv[2])
print(ensure_environment(folder, "small", requirements, folder / "log", lambda line: print(line, file=sys.stderr)))
"""


def wheel(folder: Path, version: str = "1.0") -> Path:
    """The smallest package there is."""
    path = folder / f"small_thing-{version}-py3-none-any.whl"
    information = f"small_thing-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("small_thing.py", f"version = {version!r}\n")
        archive.writestr(f"{information}/METADATA", f"Metadata-Version: 2.1\nName: small-thing\nVersion: {version}\n")
        archive.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{information}/RECORD", "")
    return path


@pytest.fixture
def requirements(tmp_path):
    wheel(tmp_path)
    path = tmp_path / "small.txt"
    path.write_text(f"--no-index\n--find-links {tmp_path}\nsmall-thing==1.0\n")
    return path


def made(tmp_path, requirements, progress=lambda line: None) -> Path:
    return ensure_environment(tmp_path / "environments", "small", requirements, tmp_path / "log", progress)


def version_in(python: Path) -> str:
    command = (str(python), "-I", "-c", "import small_thing; print(small_thing.version)")
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_it_is_made_once_and_again_when_it_was_cut_short(tmp_path, requirements):
    lines = []
    python = made(tmp_path, requirements, lines.append)
    assert version_in(python) == "1.0" and lines[0].startswith("small: installing it into")
    assert (
        made(tmp_path, requirements, lines.append) == python
        and len([line for line in lines if "installing" in line]) == 1
    )
    # As a kill leaves it: no stamp, and a part of the packages.
    (python.parents[1] / "selvedge-ready").unlink()
    next(python.parents[1].rglob("small_thing.py")).unlink()
    assert made(tmp_path, requirements, lines.append) == python
    assert "small: removing an installation that was interrupted" in lines and version_in(python) == "1.0"


def test_other_requirements_get_an_environment_of_their_own(tmp_path, requirements):
    old = made(tmp_path, requirements)
    wheel(tmp_path, "2.0")
    requirements.write_text(requirements.read_text().replace("1.0", "2.0"))
    new = made(tmp_path, requirements)
    assert (version_in(old), version_in(new)) == ("1.0", "2.0")


def test_two_that_ask_together_make_one(tmp_path, requirements):
    command = [sys.executable, "-c", MAKER, str(tmp_path / "environments"), str(requirements)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
    askers = [subprocess.Popen(command, **pipes) for _ in range(2)]
    answers = [asker.communicate(timeout=120) for asker in askers]
    assert [asker.returncode for asker in askers] == [0, 0], answers
    assert len({out for out, _ in answers}) == 1
    assert sum("installing it into" in said for _, said in answers) == 1


def test_no_index_is_one_sentence_and_leaves_nothing(tmp_path, monkeypatch):
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "small.txt"
    path.write_text("--index-url http://127.0.0.1:9/simple\nno-such-package-of-selvedge==1.0\n")
    with pytest.raises(NotInstalled, match=r"^small could not be installed because pip cannot reach a package index"):
        made(tmp_path, path)
    assert not list((tmp_path / "environments").glob("small-*"))
    assert "no-such-package-of-selvedge" in (tmp_path / "log").read_text()


def test_a_refusal_of_pip_is_told_in_its_words(tmp_path, requirements):
    requirements.write_text(requirements.read_text().replace("1.0", "3.0"))
    with pytest.raises(ServiceFailure, match=r"small could not be installed: .*small-thing==3\.0") as refusal:
        made(tmp_path, requirements)
    assert not isinstance(refusal.value, NotInstalled) and "\n" not in str(refusal.value)
