"""Every block of the README and the manual is run by a test, or is held to the parser and says why it is not run.

Belongs here: which test runs which block, and what can be known of a command without running it. Not here: running
(tests/e2e/), links, files and targets that a page names (test_docs.py).

A block of the language `console` on a page of a day is run by tests/e2e/test_tutorials.py. A new block fails here until
a test runs it, with `command_block(page, beginning)`, or it is entered below with the reason.
"""

import re
import shlex
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.console import BLOCK, ROOT, blocks, command_block, refused
from tests.e2e.test_tutorials import DAYS

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
E2E = ROOT / "tests" / "e2e"
PICTURE = "text"  # language of a block that holds no command
CONTROL = set(";|&<>()\n")
KEYWORDS = {"until", "do", "done"}
PROGRAMS = {
    *("selvedge", "python", "mlflow", "curl", "make", "git", "base64", "aws", "docker", "npx"),
    *("cat", "cd", "cp", "du", "echo", "export", "grep", "mkdir", "mv", "printf", "rm", "sleep", "test"),
}

# Page and beginning of the block → the test that asks for it by these two, and runs it.
RUN = {
    ("ads.md", "selvedge infer ads"): "test_ads_page.py",
    ("cli.md", "selvedge trace"): "test_demo_round.py",
    ("cli.md", "export MLFLOW"): "test_restgan_serving.py",
    ("cli.md", "curl"): "test_restgan_serving.py",
    ("cli.md", "selvedge up"): "test_review_round.py",
    ("day-operator.md", "export MLFLOW"): "test_model_serving.py",
    ("how-it-works.md", "export MLFLOW"): "test_model_serving.py",
    ("how-it-works.md", "printf"): "test_model_serving.py",
    ("new-candidate.md", "export MLFLOW"): "test_model_serving.py",
    ("new-candidate.md", "printf"): "test_model_serving.py",
    ("serve.md", "selvedge catalog draw"): "test_ad_studio.py",
    ("serve.md", "selvedge serve"): "test_ad_studio.py",
    ("serve.md", "curl -sX PUT http://127.0.0.1:8090/ads/summer-1"): "test_ad_studio.py",
    ("serve.md", "curl -sX PUT http://127.0.0.1:8090/ads/summer-2"): "test_ad_studio.py",
    ("serve.md", "curl -sf"): "test_ad_studio.py",
}


class Parsed(NamedTuple):
    """Why a block is not run as it stands, and where its commands run: a page of a day, or tests by their files."""

    reason: str
    day: str = ""
    tests: tuple[str, ...] = ()


ACCOUNT = "needs an AWS account"
NOT_RUN = {
    ("README.md", "make demo"): Parsed(
        "makes a virtual environment, and a demo of full size takes a quarter of an hour",
        tests=("e2e/test_demo_round.py", "e2e/test_up.py"),
    ),
    ("first-hour.md", "git clone"): Parsed(
        "fetches the repository itself, and the same demo", tests=("e2e/test_demo_round.py",)
    ),
    ("first-hour.md", ".venv/bin/selvedge up"): Parsed("names the virtual environment of `make`", day="day-annotator"),
    ("cli.md", "selvedge catalog draw shop --products 600"): Parsed(
        "trains to the end, for six minutes", day="day-ml-engineer"
    ),
    ("cli.md", "selvedge catalog draw shop --products 1200"): Parsed(
        "trains to the end", tests=("orchestration/cli/test_cli_restgan.py",)
    ),
    ("cli.md", "selvedge handsoff ask"): Parsed(
        "waits for people between its lines",
        tests=("e2e/test_drawn_labels.py", "orchestration/cli/test_handsoff_commands.py"),
    ),
    ("cli.md", "selvedge handsoff invert"): Parsed(
        "needs pictures that people labelled", tests=("orchestration/cli/test_handsoff_commands.py",)
    ),
    ("cli.md", "selvedge train garment-segmenter"): Parsed(
        "needs pictures that people labelled",
        tests=("orchestration/families/garment_segmenter/test_segmenter_road.py",),
    ),
    ("ads.md", "selvedge review picks open"): Parsed(
        "waits for people between its lines", tests=("orchestration/cli/test_pick_commands.py",)
    ),
    ("day-operator.md", "export SELVEDGE_POSTGRES_FILE"): Parsed(
        "needs a PostgreSQL server", tests=("orchestration/jobs/test_migrate.py",)
    ),
    ("ads.md", "selvedge train ad-ranker"): Parsed(
        "needs picks of people", tests=("orchestration/families/ad_ranker/test_ad_ranker_road.py",)
    ),
    ("aws.md", "selvedge deploy plan"): Parsed("has other figures there", tests=("orchestration/aws/test_plan.py",)),
    ("aws.md", "make check-aws"): Parsed("installs for minutes", tests=("infra/aws/test_ad_request.py",)),
    ("aws.md", "aws ecr"): Parsed(ACCOUNT, tests=("infra/aws/test_ad_request.py",)),
    ("aws.md", "selvedge deploy train"): Parsed(ACCOUNT, tests=("orchestration/aws/test_deploy_commands.py",)),
    ("aws.md", "selvedge deploy champion"): Parsed(ACCOUNT, tests=("orchestration/aws/test_deploy_commands.py",)),
    ("aws.md", "export SELVEDGE_BEDROCK"): Parsed(ACCOUNT, tests=("orchestration/aws/test_description_batch.py",)),
    ("aws.md", "selvedge models mirror"): Parsed(ACCOUNT, tests=("orchestration/aws/test_mirror.py",)),
}  # fmt: skip


class Fence(NamedTuple):
    """A block: its page (below docs/, or beside it), its language, its text."""

    page: str
    language: str
    text: str

    def entries(self) -> list[tuple[str, str]]:
        """Its entries above; there must be one, and only one."""
        return [(page, start) for page, start in (*RUN, *NOT_RUN) if page == self.page and self.text.startswith(start)]


def fences() -> list[Fence]:
    return [
        Fence(page.name if page.parent == ROOT else page.relative_to(ROOT / "docs").as_posix(), *found.group(1, 2))
        for page in PAGES
        for found in BLOCK.finditer(page.read_text(encoding="utf-8"))
    ]


def typed(fence: Fence) -> str:
    """What a reader types of a block."""
    if not fence.language.startswith("console"):
        return fence.text
    (shown,) = blocks(f"```{fence.language}\n{fence.text}```\n")
    return "\n".join(command.text for command in shown.commands if command.text != "^C")


def simple_commands(script: str) -> list[list[str]]:
    """The commands of a block, each without what joins, redirects and repeats them."""
    written = re.sub(r"(^|\s)#.*$", "", script.replace("\\\n", " "), flags=re.MULTILINE)
    lexer = shlex.shlex(written, posix=True, punctuation_chars=";|&<>()\n")
    lexer.whitespace, lexer.commenters, lexer.whitespace_split = " \t\r", "", True
    found: list[list[str]] = [[]]
    redirected = False
    for token in lexer:
        if set(token) <= CONTROL:
            redirected = set(token) <= {"<", ">"}
            found += [[]] if not redirected else []
        elif redirected:
            redirected = False
        elif found[-1] or token not in KEYWORDS:
            found[-1].append(token)
    return [words for words in found if words]


def selvedge_lines(script: str) -> list[list[str]]:
    """The arguments of every `selvedge` in it, also of one by its path."""
    return [words[1:] for words in simple_commands(script) if Path(words[0]).name == "selvedge"]


def options(words: list[str]) -> set[str]:
    return {word.partition("=")[0] for word in words if word.startswith("--")}


def run_by_a_day(fence: Fence) -> bool:
    return fence.language.startswith("console") and Path(fence.page).stem in DAYS


@pytest.mark.parametrize("fence", fences(), ids=lambda fence: f"{fence.page}-{fence.text[:30]!r}")
def test_a_block_is_run_by_a_test_or_says_why_not_and_its_commands_would_be_taken(fence):
    programs = [Path(words[0]).name for words in simple_commands(typed(fence))] if fence.language != PICTURE else []
    if fence.language == PICTURE:
        first = {line.split()[0] for line in fence.text.splitlines() if line.strip()}
        assert not first & PROGRAMS, "a block of commands is no picture"
        return
    assert set(programs) <= PROGRAMS, "a program that no check here knows"
    assert len(fence.entries()) == (not run_by_a_day(fence)), "run it in a test with `command_block`, or enter it here"
    checked = subprocess.run(["bash", "-n"], input=typed(fence), capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")
    lines = selvedge_lines(typed(fence))
    assert len(lines) == programs.count("selvedge")
    assert [(words, refused(words)) for words in lines if refused(words)] == []


@pytest.mark.parametrize(
    ("place", "file"), RUN.items(), ids=lambda one: "-".join(one) if isinstance(one, tuple) else ""
)
def test_the_test_of_a_block_asks_for_it(place, file):
    assert command_block(*place)
    page, beginning = place
    assert f'command_block("{page}", "{beginning}")' in (E2E / file).read_text(encoding="utf-8")


@pytest.mark.parametrize(("place", "entry"), NOT_RUN.items(), ids=lambda one: "-".join(one) if len(one) == 2 else "")
def test_the_commands_of_a_block_that_is_not_run_are_run_elsewhere(place, entry):
    """In a day with at least these options; else in tests of these names."""
    assert entry.reason and bool(entry.day) != bool(entry.tests)
    lines = selvedge_lines(command_block(*place))
    if entry.day:
        page = (ROOT / "docs" / f"{entry.day}.md").read_text(encoding="utf-8")
        run = [words for block in blocks(page) for line in block.commands for words in selvedge_lines(line.text)]
        for words in lines:
            name = [word for word in words[:3] if re.fullmatch("[a-z0-9-]+", word)][:2]
            assert [one for one in run if one[: len(name)] == name and options(words) <= options(one)], words
    for file in entry.tests:
        assert (ROOT / "tests" / file).is_file()


def test_commands_are_found_in_what_a_shell_reads():
    script = (
        'A=1\nselvedge status | grep "a; b"\nuntil selvedge x; do sleep 1; done\n'
        "selvedge up   # remark\nselvedge a \\\n  --b > c.yaml && .venv/bin/selvedge d"
    )
    assert selvedge_lines(script) == [["status"], ["x"], ["up"], ["a", "--b"], ["d"]]
    assert [words[0] for words in simple_commands(script)] == [
        *("A=1", "selvedge", "grep", "selvedge", "sleep", "selvedge", "selvedge", ".venv/bin/selvedge")
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("trace 10001", ""),
        ("trace", "Missing argument 'PRODUCT'"),
        ("trace ten", "valid integer"),
        ("trace 1 2", "unexpected extra argument"),
        ("review sink r", "No such command 'sink'"),
        ("train blip2-attributes --confg a", "No such option"),
        ("train blip2-attributes --config", "requires an argument"),
    ],
)
def test_a_command_line_is_held_to_the_parser_without_being_run(line, told):
    sentence = refused(line.split())
    assert told in sentence and bool(told) == bool(sentence)
