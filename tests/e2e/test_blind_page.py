"""The annotator's page: a round voted in by keyboard in a real browser, which is told nothing that names a side.

Belongs here: rounds as `selvedge review open` makes them, as people meet them. Not here: what Label Studio does with
votes (test_label_studio.py), guessing sides from the tasks' own words (tests/labeling/review/pairs/test_blindness.py).
"""

import base64
import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from labeling.review.label_page import label_config
from labeling.review.pairs.kinds import AttributeCards, Descriptions
from labeling.review.pairs.masks import GarmentMasks
from labeling.review.pairs.rendering import picture_uri
from labeling.review.pairs.strips import PictureStrips
from labeling.review.rounds.judging import sync_round
from orchestration.cli.main import run
from orchestration.registry.ledger import open_ledger
from orchestration.runtime.label_studio import add_annotator, connect
from tests.e2e.annotator_browser import IN_SIGHT, SIDES, Visit, leaks, tasks_in
from tests.labeling.review.rounds_for_tests import photo
from tests.orchestration.drawn_strips import artefact_with_base, bottoms_catalogue, made_on
from tests.training.segmenter import squares
from training.blip2.artefact import read_about
from training.restgan.sampling import read_about as read_restgan

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.xdist_group("label-studio"),
    pytest.mark.timeout(900),
]

CHOICES = {"1": "left", "2": "right", "3": "tie", "4": "both_bad"}
REASONS = "qwe"
PRESSED = ("1", "2q", "3", "4we", "1", "2", "3", "4", "1", "2")


class Compared(NamedTuple):
    """A candidate's folder, the catalogue it is asked about, and every hash that would name a version."""

    family: str
    folder: Path
    catalog: Path
    digests: set[str]


@pytest.fixture
def answering(trained) -> Compared:
    about = read_about(trained.artefact)
    return Compared("blip2-attributes", trained.folder, trained.catalog, {about["digest"], about["base"]["digest"]})


@pytest.fixture
def drawing(tmp_path) -> Compared:
    shop = bottoms_catalogue(tmp_path / "shop")
    folder = made_on(artefact_with_base(tmp_path / "model"), shop)
    digests = {read_restgan(one)["digest"] for one in (folder, folder / "base")}
    return Compared("restgan", folder, shop, digests)


@pytest.fixture
def segmenting(tmp_path) -> Compared:
    labelled = squares.write(tmp_path / "labels" / "labelled", 5, seed=1)
    squares.write(tmp_path / "labels" / "test", 30, seed=2)
    trained = squares.train(labelled, tmp_path / "run", steps=30)
    return Compared("garment-segmenter", trained.artefact, tmp_path / "labels", {trained.digest})


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def annotator(home):
    """E-mail and password of a new account, as its file holds them."""
    made, place = add_annotator(home, f"anna-{secrets.token_hex(4)}@shop.example")
    open_ledger(home).record.list_annotator(made.email, made.user_id, "added")
    account = json.loads(place.read_text())
    return account["email"], account["password"]


def names_behind(home, name: str, digests: set[str]) -> set[str]:
    """Everything that would name a side of a round, or let one compute it."""
    found = open_ledger(home).round(name)
    plan = found.plan
    versions = {plan.family, plan.candidate, plan.candidate_version, plan.opponent_version, plan.round_id}
    digests = {*digests, plan.sha256, *plan.results.values()}
    key = {found.key.hex(), base64.b64encode(found.key).decode(), base64.urlsafe_b64encode(found.key).decode()}
    return versions | digests | key


@pytest.mark.parametrize(
    ("kind", "models", "first"),
    [
        (AttributeCards, "answering", "Look at the picture first."),
        (Descriptions, "answering", "Look at the picture first."),
        (PictureStrips, "drawing", "Read the words first"),
        (GarmentMasks, "segmenting", "Look at the photograph first."),
    ],
)
def test_ten_pairs_are_voted_by_keyboard_and_nothing_received_tells_a_side(
    kind, models, first, home, annotator, browser, capsys, tmp_path, request
):
    compared: Compared = request.getfixturevalue(models)
    # A random model is never right, so there is nothing to plant an error in.
    given = ("--model", str(compared.folder), "--catalog", str(compared.catalog), "--items", "8", "--gold", "0")
    assert run(["review", "open", compared.family, *given, "--kind", kind.name, "--json"]) == 0
    opened = json.loads(capsys.readouterr().out)
    name = opened["round"]
    assert opened["pairs"] == len(PRESSED)
    began, pressed = time.monotonic(), {}
    visit = Visit(browser, tmp_path)
    visit.open(opened["link"], *annotator)
    for number, keys in enumerate(PRESSED):
        if number:
            visit.wait_for_pair()
        left, right = visit.page.evaluate(SIDES)
        assert left == right
        assert visit.page.evaluate(IN_SIGHT)
        if number == 0:
            visit.look("first-pair")
            visit.look_at_guidelines(first)
        visit.choose(keys)
        if number == 3:
            visit.look("chosen")
        pressed[visit.submit()] = CHOICES[keys[0]], tuple(kind.reasons[REASONS.index(key)] for key in keys[1:])
    visit.page.get_by_text("All tasks in the queue have been completed").wait_for()
    visit.look("last-page")
    took = time.monotonic() - began
    received = visit.leave()
    ledger = open_ledger(home)
    searched = {task["key"] for piece in received for task in tasks_in(piece.text)}
    assert searched == ledger.pairs(name).keys()
    assert leaks(received, names_behind(home, name, compared.digests)) == {}

    pulled = sync_round(home.rounds(), ledger, connect(home), name)
    assert (pulled.new, pulled.corrected, pulled.void) == (10, 0, ())
    votes = [ballot.annotation for ballot in ledger.ballots(name)]
    assert {one.task_id: (one.side, one.reasons) for one in votes} == pressed
    assert {one.task_key for one in votes} == ledger.pairs(name).keys()
    assert {(one.rater, one.updated_by) for one in votes} == {(annotator[0], None)}
    assert min(one.seconds for one in votes) > 0 and sum(one.seconds for one in votes) < took


def test_the_search_finds_every_name_that_is_planted(home, annotator, browser, tmp_path):
    candidate, digest, run_id = "blip2-attributes-20260401-5eaf0d", secrets.token_hex(32), secrets.token_hex(16)
    server = connect(home)
    picture = base64.b64decode(picture_uri(photo(1), "product 1").partition(",")[2])
    marked = picture[:2] + b"\xff\xfe\x00\x0e" + digest[:12].encode() + picture[2:]  # a comment in the file
    task = {"key": secrets.token_hex(16), "photo": f"data:image/jpeg;base64,{base64.b64encode(marked).decode()}"}
    task |= {"left": "<p>A blue shirt.</p>", "right": f"<p>A <b>blue</b> shirt.</p><i class='{run_id}'></i>"}
    config = label_config("Which is better?", "<p>The challenger may be better.</p>")
    project = server.create_project(f"Review {candidate}", config, "", overlap=1)
    server.import_tasks(project, [task | {"source": "base"}])
    visit = Visit(browser, tmp_path)
    visit.open(server.project_url(project), *annotator)
    found = leaks(visit.leave(), {candidate, digest})
    server.delete_project(project)
    planted = {candidate, digest[:12], run_id, "challenger", "field source", "sides differ in kind"}
    assert found.keys() == planted
    assert any("/api/" in where for where in found[candidate])
