"""The days of the manual: every command that a page shows works, in its order, and prints what is shown."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.console import Command, Terminals, blocks, missing, selvedge_commands, understood
from tests.e2e.label_studio_home import ENVIRONMENTS
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
DAYS = (
    "day-ml-engineer",
    "day-annotator",
    "new-candidate",
    "day-operator",
)  # in this order: each goes on in the folder of the one before


@pytest.fixture(scope="module")
def terminals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminals]:
    """Terminals in a folder that has examples/ in it, with `selvedge` on their PATH."""
    folder = tmp_path_factory.mktemp("days")
    shutil.copytree(ROOT / "examples", folder / "examples")
    programs = tmp_path_factory.mktemp("bin")
    for name, arguments in (("selvedge", "-m tests.e2e.brisk_cli "), ("python", "")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
        program.chmod(0o755)
    names = ("MLFLOW", "DAGSTER", "LABEL_STUDIO")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SELVEDGE_")} | {
        **{f"SELVEDGE_{name}_PORT": str(free_port()) for name in names},
        "SELVEDGE_LABEL_STUDIO_ENVIRONMENTS": str(ENVIRONMENTS),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    opened = Terminals(folder, environment)
    yield opened
    opened.close()


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.xdist_group("tutorials")
@pytest.mark.parametrize("day", DAYS)
def test_every_command_of_a_day_works_as_its_page_says(terminals, day):
    terminals.follow(ROOT / "docs" / f"{day}.md")


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.stem)
def test_every_command_that_a_page_shows_is_one_that_there_is(page):
    """Also those that no test runs: a name or an option that is gone is found without running anything."""
    for words in selvedge_commands(page.read_text(encoding="utf-8")):
        assert understood(words) == "", words


def test_each_question_of_an_operator_has_a_command_that_a_test_runs():
    """What stands in the page's table is typed in a block of it; what needs two champions or PostgreSQL, elsewhere."""
    page = (ROOT / "docs" / "day-operator.md").read_text(encoding="utf-8")
    typed = [command.text for block in blocks(page) for command in block.commands]
    elsewhere = {
        "rollback": ("registry/test_registry.py", 'run(["rollback", family.name, "--reason"'),
        "migrate": ("jobs/test_migrate.py", 'run(["migrate", "--json"])'),
    }
    rows = [row for row in page.split("| question |")[1].split("\n\n")[0].splitlines() if row.endswith(") |")]
    assert len(rows) >= 9
    for _, _, command, more, _ in (row.split("|") for row in rows):
        words = command.replace("`", "").split(",")[0].split()
        anchors = [
            "-".join(re.findall(r"[a-z]+", line.lower())) for line in page.splitlines() if line.startswith("## ")
        ]
        assert all(link in anchors for link in re.findall(r"\(#([a-z-]+)\)", more)), more
        if words[1:2] and words[1] in elsewhere:
            file, call = elsewhere[words[1]]
            assert call in (ROOT / "tests" / "orchestration" / file).read_text(encoding="utf-8")
        else:
            line = "^C" if words == ["Ctrl-C"] else " ".join(words[:2])
            assert any(text.startswith(line) for text in typed), command


def test_a_stale_option_in_a_page_is_found():
    page = "```\nselvedge up   # a remark\nA=1 selvedge train X --confg FILE \\\n  --out D\n```\n`selvedge nonsense`\n"
    up, train, nonsense = selvedge_commands(page)
    assert understood(up) == "" and "--confg" in understood(train) and "nonsense" in understood(nonsense)


def test_a_page_is_read_as_a_reader_types_it():
    page = (
        'Text\n\n```console title="Two"\n$ up\nruns …\n^C\ngone\n```\n\n'
        "```\n$ not this\n```\n\n```console\n$ a \\\n> b\n```\n"
    )
    first, second = blocks(page)
    assert (first.terminal, second.terminal) == ("Two", "")
    assert first.commands == (Command("up", ("runs …",)), Command("^C", ("gone",)))
    assert second.commands == (Command("a \\\nb", ()),)


def test_shown_lines_must_be_printed_in_their_order():
    printed = ["rows      303\n", "products  294\n", "seconds   1.2\n"]
    assert missing(("rows 303", "…", "seconds …"), printed) is None
    assert missing(("products 294", "rows 303"), printed) == "rows 303"
    assert missing(("rows 30",), printed) == "rows 30"
