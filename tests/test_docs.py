"""The manual: its links lead somewhere, its generated pages are those of the code, its site fetches nothing."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from infra.proxy.door import TOKEN_FILE
from orchestration.runtime.doors import TOKEN_VARIABLE
from orchestration.runtime.settings import Settings
from tests.e2e.console import ANY_FENCE
from tools import house, reference

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
WRITTEN = [*sorted(DOCS.rglob("*.md")), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md"))]
CODE = re.compile(r"`((?:\w+/)+\w+\.py)`")

# Pages whose commands begin in a fresh folder; the others go on in the folder of one of these.
FROM_NOTHING = ("cli", "day-ml-engineer", "first-hour", "README")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
FETCHED = re.compile(
    r"<(?:script|img|iframe)[^>]*\bsrc=[\"']?(https?:)?//|<link[^>]*\bhref=[\"']?https?://(?!127)|@import"
)


def navigation(entries: list) -> set[str]:
    pages: set[str] = set()
    for entry in entries:
        target = next(iter(entry.values())) if isinstance(entry, dict) else entry
        pages |= navigation(target) if isinstance(target, list) else {target}
    return pages


def test_generated_pages_are_those_of_the_code():
    # In a process of its own: tests declare tables, too.
    command = [sys.executable, "-m", "tools.reference", "--check"]
    ended = subprocess.run(command, cwd=Path(__file__).resolve().parents[1], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_an_outdated_page_is_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(reference.declared, "ROOT", tmp_path)
    monkeypatch.setattr(reference, "pages", lambda: {tmp_path / "page.md": "new"})
    (tmp_path / "page.md").write_text("old")
    assert reference.main(["--check"]) == 1 and (tmp_path / "page.md").read_text() == "old"
    assert "page.md is out of date; run `python -m tools.reference`" in capsys.readouterr().err
    assert reference.main([]) == 0 and (tmp_path / "page.md").read_text() == "new"


def test_no_page_holds_the_marks_of_a_merge():
    pages = [*WRITTEN, ROOT / "CHANGELOG.md", *(ROOT / "models").rglob("*.md")]
    marked = [page.name for page in pages if re.search(r"^(<{7}|>{7}) ", page.read_text(encoding="utf-8"), re.M)]
    assert marked == []


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_and_picture_of_a_page_is_there(page):
    targets = [target for target in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_file_of_code_that_a_page_names_is_there(page):
    assert [file for file in CODE.findall(page.read_text(encoding="utf-8")) if not (ROOT / file).exists()] == []


def fenced(page: Path) -> list[list[str]]:
    """The lines of every block of a page, as a shell takes them: continued ones joined, remarks left out."""
    blocks = [re.sub(r"\\\n(?:> )?\s*", " ", block) for block in ANY_FENCE.findall(page.read_text(encoding="utf-8"))]
    return [[line.removeprefix("$ ").partition(" #")[0] for line in block.splitlines()] for block in blocks]


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_command_of_a_page_reads_was_made_by_one_before_it(page):
    """In the order of the page, from a fresh folder that holds the examples; capitals stand for the reader's own."""
    made = {"champion"}
    for line in (line for block in fenced(page) for line in block if re.match(r"selvedge [a-z]", line)):
        words = shlex.split(line)
        given = dict(pairwise(words))
        reads = [given[name] for name in ("--catalog", "--model", "--champion", "--inferred") if name in given]
        reads += [words[3]] if words[1:3] in (["catalog", "read"], ["catalog", "sheet"]) else []
        reads += [words[2]] if words[1] == "register" else []
        if page.stem in FROM_NOTHING:
            assert [name for name in reads if name not in made and not name.isupper()] == [], line
        config = given.get("--config", "")
        assert not config.startswith("examples/") or (ROOT / config).is_file(), line
        made |= {given["--out"]} if "--out" in given else set()
        made |= {words[3]} if words[1:3] == ["catalog", "draw"] else set()


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_target_of_make_that_a_page_names_is_there(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"`make ([a-z-]+)", text) + [
        word for block in fenced(page) for line in block for word in re.findall(r"^make ([a-z-]+)", line)
    ]
    assert set(named) <= targets


def test_a_model_is_served_with_the_server_and_the_token_that_a_home_has():
    from mlflow.models.cli import commands

    options = {option for parameter in commands.commands["serve"].params for option in parameter.opts}
    address = f"export MLFLOW_TRACKING_URI={Settings(_env_file=None).mlflow_uri}"
    serving = [block for page in WRITTEN for block in fenced(page) if any("models serve" in line for line in block)]
    assert len(serving) >= 3
    for block in serving:
        assert block[:2] == [address, f"export {TOKEN_VARIABLE}=$(cat .selvedge/secrets/{TOKEN_FILE})"]
        assert {word for word in shlex.split(block[2]) if word.startswith("--")} <= options
    asked = [line for page in WRITTEN for block in fenced(page) for line in block if line.startswith("curl -s 127")]
    assert asked and all(json.loads(shlex.split(line)[-1])["dataframe_records"] for line in asked)


def test_every_page_is_in_the_navigation_and_the_other_way_round():
    configured = navigation(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    assert configured == {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}


def test_every_asset_and_every_command_is_on_its_page():
    assets = (DOCS / "reference" / "assets.md").read_text()
    keys = {spec.key.to_user_string() for spec in reference.declared.definitions().resolve_all_asset_specs()}
    assert [key for key in keys if f"| `{key}` |" not in assets] == []
    options = (DOCS / "reference" / "options.md").read_text()
    assert [words for words in reference.declared.commands() if f"## `selvedge {words}`" not in options] == []


def test_the_site_is_built_without_a_warning_and_fetches_nothing_from_elsewhere(tmp_path):
    shutil.copytree(DOCS, tmp_path / "docs")
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    result = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len(list(DOCS.rglob("*.md")))
    assert [page.name for page in pages if FETCHED.search(page.read_text(encoding="utf-8"))] == []


def test_the_picture_of_the_house_shows_rooms_folders_and_the_order_of_imports():
    graph = house.read()
    assert house.floors(graph.rooms)[0] == ["orchestration"] and house.floors(graph.rooms)[-1] == ["catalog"]
    assert house.circles(graph.rooms) == []
    picture = house.picture(graph)
    assert all(f">{room}/</text>" in picture for room in house.ROOMS) and ">drawn</text>" in picture


def test_folders_that_import_each_other_are_joined_in_red():
    from networkx import DiGraph

    round_trip = DiGraph([("a", "b"), ("b", "c"), ("c", "a"), ("a", "d")])
    assert house.circles(round_trip) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert house.floors(round_trip) == [["a", "b", "c"], ["d"]]
    assert house.circles(DiGraph([("a", "b"), ("b", "c")])) == []
