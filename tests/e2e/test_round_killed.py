"""A round that is killed at any step of its life, and taken up again at once, ends as an undisturbed one does.

Belongs here: opening, pulling and closing as processes that end themselves (round_process.py), on a real Label Studio.
Not here: the killed moves of a champion (tests/orchestration/registry/test_promotion.py).

Pulling and closing only read Label Studio. So the votes are cast once, and every moment is tried on a copy of the home
of that round: its ledger must become equal to the undisturbed one's in every row, moments of writing left out.
"""

import json
import secrets
import shutil
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import ServiceUnavailable
from evaluation.preference_plan import PreferencePlan
from labeling.review.label_studio import LabelStudio, tasks
from labeling.review.ledger.tables import METADATA
from labeling.review.pairs.blinding import public_title
from labeling.review.pairs.kinds import AttributeCards
from labeling.review.rounds import opening
from labeling.review.rounds.annotators import ScriptedAnnotator
from labeling.review.rounds.judging import sync_round
from labeling.review.rounds.scripted import vote
from orchestration.families.blip2_attributes.contest import AnswerContest
from orchestration.registry.ledger import open_ledger
from orchestration.runtime.label_studio import account_of
from orchestration.runtime.settings import Settings
from tests.e2e.forked import Forks
from tests.e2e.label_studio_home import LabelStudioHome
from tests.e2e.round_process import (
    BATCH,
    CANDIDATE,
    FAMILY,
    ITEMS,
    OVERLAP,
    PAGE,
    PRODUCTS,
    ROUND,
    TASKS,
    contest,
)
from tests.orchestration.drawn_round import compared

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.xdist_group("label-studio"),
    pytest.mark.timeout(900),
]

OPENING = [
    "making the ledger",
    "compared",
    "registering",
    "registered",
    "keeping",
    "kept",
    "project asked for",
    "project made",
    "bound",
    "uploading",
    "batch sent",
    "uploaded",
]
STEPS = Forks(
    "tests.e2e.round_process",
    *("alembic.command", "evaluation.review_plots", "httpcore", "jinja2", "matplotlib.pyplot", "pyarrow.dataset"),
    *("label_studio_sdk.tokens.client", "label_studio_sdk.users.client"),
)
UNREGISTERED = {"making the ledger", "compared", "registering"}
PULLING = ["fetching", "fetched", "storing the pull", "storing its ballots", "stored"]
CLOSING = ["decided", "closing", "closed", "excluding", "excluded", "judging", "judged", "reporting"]
UNJUDGED = set(CLOSING) - {"judged", "reporting"}
WRITTEN_AT = {"at", "opened_at"}


def run(home: Path, port: int, step: str, moment: str = "") -> dict[str, Any]:
    """Take a step, or be killed at a moment of it; its last line of JSON."""
    arguments = [str(home), str(port), step, *([moment] if moment else [])]
    done = STEPS.run(*arguments, output=home.parent / home.name)
    assert done.returncode == (-signal.SIGKILL if moment else 0), done.stderr[-3000:]
    return {} if moment else dict(json.loads(done.stdout.splitlines()[-1]))


def new_home(label_studio: LabelStudioHome, home: Path) -> Path:
    """An empty home of the administrator of this Label Studio."""
    (home / "secrets").mkdir(parents=True)
    shutil.copy2(label_studio.secrets / "label-studio.json", home / "secrets")
    return home


def copy_home(source: Path, home: Path) -> Path:
    """The same round once more: its ledger, its tables, its secrets."""
    shutil.copytree(source, home, ignore=shutil.ignore_patterns("ledger.db*", "reports"))
    with closing(sqlite3.connect(source / "ledger.db")) as ledger, closing(sqlite3.connect(home / "ledger.db")) as own:
        ledger.backup(own)
    return home


def rows(home: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Everything in a ledger, by table, without the moments at which it was written and the hashes over them."""
    found = {}
    with closing(sqlite3.connect(home / "ledger.db")) as database:
        for table in METADATA.sorted_tables:
            names = [f'"{column.name}"' for column in table.columns if column.name not in WRITTEN_AT]
            if table.name == "links":
                names = names[:3]  # number, table and key of the row
            found[table.name] = sorted(database.execute(f"SELECT {', '.join(names)} FROM {table.name}"), key=repr)
    return found


def keys(home: Path) -> list[bytes]:
    """The blinding keys of the rounds there are; asked without the ledger, which would mend its own tables."""
    with closing(sqlite3.connect(home / "ledger.db")) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [key for (key,) in database.execute("SELECT blinding_key FROM rounds")] if "rounds" in tables else []


def project_titles(admin: LabelStudio) -> Counter[str]:
    return admin._connection.ask(
        lambda sdk, options: Counter(
            project.title
            for project in sdk.projects.list(include="id,title", page_size=1000, request_options=options).items
        ),
        repeatable=True,
    )


def opened(home: Path, admin: LabelStudio) -> dict[str, Any]:
    """What an opening has left, in terms that do not depend on the round's key; every task is there exactly once."""
    ledger = open_ledger(Settings(home=home))
    (found,) = ledger.rounds()
    pairs = ledger.pairs(ROUND)
    held = list(admin._tasks.all(found.project_id, "id,meta,data", lambda task: (task.meta["key"], task.data["key"])))
    assert sorted(meta for meta, _ in held) == sorted(data for _, data in held) == sorted(pairs)
    return {
        "round": (found.plan.round_id, found.plan.sha256, found.state),
        "pairs": sorted((pair.item, pair.slot, pair.words) for pair in pairs.values()),
        "tasks": len(held),
        "projects": project_titles(admin)[public_title(found.key, ROUND)],
        "events": [row[2] for row in rows(home)["round_events"]],
    }


@pytest.fixture(scope="module")
def undisturbed(label_studio: LabelStudioHome, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a round that was opened at one go."""
    home = new_home(label_studio, tmp_path_factory.mktemp("undisturbed") / "home")
    told = run(home, label_studio.port, "open")
    assert (told["round"], told["pairs"], told["resumed"]) == (ROUND, TASKS, False)
    return home


@pytest.fixture(scope="module")
def voted(label_studio: LabelStudioHome, undisturbed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same round after five careful annotators and one who does not look."""
    home = copy_home(undisturbed, tmp_path_factory.mktemp("voted") / "home")
    settings = Settings(home=home, label_studio_port=label_studio.port)
    # Accounts belong to the server, which other tests share.
    names = [f"{name}-{secrets.token_hex(3)}" for name in ("ada", "ben", "cleo", "dan", "eva", "lazy")]
    people = [ScriptedAnnotator(name, 1, preference=1.0, noise=0.0, ties=0.0, both_bad=0.0) for name in names[:5]]
    people.append(ScriptedAnnotator(names[5], 1, laziness=1.0))
    cast = vote(partial(account_of, settings, label_studio.administrator()), open_ledger(settings), ROUND, people)
    assert cast.total == TASKS * OVERLAP
    return home


@pytest.fixture(scope="module")
def pulled(label_studio: LabelStudioHome, voted: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The ledger after an undisturbed pull."""
    home = copy_home(voted, tmp_path_factory.mktemp("pulled") / "home")
    assert run(home, label_studio.port, "sync")["new"] == TASKS * OVERLAP
    return rows(home)


@pytest.fixture(scope="module")
def judged(label_studio: LabelStudioHome, voted: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The ledger after an undisturbed closing."""
    home = copy_home(voted, tmp_path_factory.mktemp("judged") / "home")
    run(home, label_studio.port, "close")
    found = rows(home)
    assert [row[1] for row in found["verdicts"]] == ["preferred"] and len(found["exclusions"]) == 1
    assert Settings(home=home).round_report(ROUND).stat().st_size > 10_000
    return found


@pytest.mark.parametrize("moment", OPENING)
def test_an_opening_that_was_killed_is_completed_and_nothing_comes_twice(
    label_studio: LabelStudioHome, undisturbed: Path, tmp_path: Path, moment: str
) -> None:
    admin = label_studio.administrator()
    home, before = new_home(label_studio, tmp_path / "home"), project_titles(admin).total()
    run(home, label_studio.port, "open", moment)
    registered = keys(home)
    assert len(registered) == (moment not in UNREGISTERED)
    told = run(home, label_studio.port, "open")
    assert (told["pairs"], told["resumed"]) == (TASKS, bool(registered))
    assert opened(home, admin) == opened(undisturbed, admin)
    assert not registered or keys(home) == registered, "another key would be other sides"
    assert project_titles(admin).total() == before + 1


@pytest.mark.parametrize("moment", PULLING)
def test_a_pull_that_was_killed_is_whole_at_the_next_one(
    label_studio: LabelStudioHome, voted: Path, pulled: dict[str, Any], tmp_path: Path, moment: str
) -> None:
    home = copy_home(voted, tmp_path / "home")
    run(home, label_studio.port, "sync", moment)
    stored = moment == "stored"
    assert rows(home) == (pulled if stored else rows(voted)), "whole or not at all"
    assert run(home, label_studio.port, "sync")["new"] == (0 if stored else TASKS * OVERLAP)
    assert rows(home) == pulled


@pytest.mark.parametrize(
    ("first", "moment", "then"),
    [*(("close", moment, "close") for moment in CLOSING), ("judge", "closed", "judge"), ("close", "excluded", "judge")],
)
def test_a_closing_that_was_killed_ends_in_the_same_verdict(
    label_studio: LabelStudioHome,
    voted: Path,
    judged: dict[str, Any],
    tmp_path: Path,
    first: str,
    moment: str,
    then: str,
) -> None:
    home = copy_home(voted, tmp_path / "home")
    run(home, label_studio.port, first, moment)
    settings = Settings(home=home)
    assert (open_ledger(settings).verdict(ROUND) is None) == (moment in UNJUDGED)
    assert not settings.round_report(ROUND).exists()
    run(home, label_studio.port, then)
    assert rows(home) == judged
    assert settings.round_report(ROUND).stat().st_size > 10_000


def test_a_pull_between_a_killed_closing_and_its_verdict_changes_nothing(
    label_studio: LabelStudioHome, voted: Path, judged: dict[str, Any], tmp_path: Path
) -> None:
    home = copy_home(voted, tmp_path / "home")
    run(home, label_studio.port, "close", "closed")
    assert run(home, label_studio.port, "sync")["new"] == 0
    run(home, label_studio.port, "close")
    assert rows(home) == judged


def test_an_opening_killed_at_one_step_after_another_is_completed_all_the_same(
    label_studio: LabelStudioHome, undisturbed: Path, tmp_path: Path
) -> None:
    admin, home = label_studio.administrator(), new_home(label_studio, tmp_path / "home")
    for moment in OPENING:
        if moment != "project made":  # the one that was asked for is found
            run(home, label_studio.port, "open", moment)
    assert run(home, label_studio.port, "open")["pairs"] == TASKS
    assert opened(home, admin) == opened(undisturbed, admin)


def test_a_label_studio_that_dies_during_a_pull_leaves_nothing_and_the_next_pull_is_whole(
    label_studio: LabelStudioHome,
    voted: Path,
    pulled: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = copy_home(voted, tmp_path / "home")
    settings, pages = Settings(home=home, label_studio_port=label_studio.port), []

    def dying(done: int, total: int, what: str) -> None:
        pages.append(done)
        label_studio.stop()

    monkeypatch.setattr(tasks, "PAGE_TASKS", PAGE)
    try:
        with pytest.raises(ServiceUnavailable, match=r"^Label Studio at 127\.0\.0\.1:\d+ does not answer"):
            sync_round(settings.rounds(), open_ledger(settings), label_studio.administrator(1.0), ROUND, dying)
    finally:
        label_studio.start()
    assert pages == [PAGE] and rows(home) == rows(voted)
    assert run(home, label_studio.port, "sync")["new"] == TASKS * OVERLAP
    assert rows(home) == pulled


def test_a_label_studio_that_dies_during_an_upload_is_given_the_rest_at_the_next_opening(
    label_studio: LabelStudioHome, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = new_home(label_studio, tmp_path / "home")
    settings, batches = Settings(home=home, label_studio_port=label_studio.port), []

    def dying(done: int, total: int, what: str) -> None:
        if what == "uploading":
            batches.append(done)
            label_studio.stop()

    monkeypatch.setattr(AnswerContest, "compare", lambda *_: compared(home / "pictures", products=PRODUCTS))
    monkeypatch.setattr(tasks, "BATCH_TASKS", BATCH)
    monkeypatch.setattr(tasks, "IMPORT_PAUSES_SECONDS", (0.1, None))
    request = opening.RoundRequest(FAMILY, CANDIDATE, AttributeCards(), ITEMS, OVERLAP, 7, PreferencePlan())
    try:
        with pytest.raises(ServiceUnavailable, match=r"^Label Studio at 127\.0\.0\.1:\d+ does not answer"):
            opening.open_round(
                settings.rounds(), open_ledger(settings), label_studio.administrator(1.0), request, contest, dying
            )
    finally:
        label_studio.start()
    admin = label_studio.administrator()
    project = open_ledger(settings).round(ROUND).project_id
    assert batches == [BATCH] and project is not None and admin.counter(project).tasks == BATCH
    assert run(home, label_studio.port, "open")["pairs"] == TASKS
    assert opened(home, admin) == opened(undisturbed, admin)
