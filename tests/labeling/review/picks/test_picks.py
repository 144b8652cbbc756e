"""A round of picks: what its tasks show and hide, what a pull makes of picks, which pictures are published."""

import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import create_engine

from catalog.errors import SelvedgeError
from labeling.review.label_studio.records import Annotation, Task, annotation_of
from labeling.review.ledger.ledger import Ledger
from labeling.review.ledger.picks import ShownPicture
from labeling.review.picks.blinding import page_order, public_title
from labeling.review.picks.opening import PickRequest, PickUploads, open_picks
from labeling.review.picks.page import ANSWERS, SLOTS, pick_config, pick_result, pick_task
from labeling.review.picks.pulling import last_picks, published, sync_picks
from labeling.review.picks.scripted import pick_by_script
from tests.labeling.review.rounds.paper_studio import PaperStudio

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
ANN, BEN = "ann@shop.example", "ben@shop.example"
ACCOUNTS = {ANN: 1, BEN: 2, "robo@simulated.invalid": 77}


def picture(folder, number):
    """A picture of one grey, whose file says what nobody may see."""
    file = folder / f"rank-{number}-ranker-champion.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (24, 24), (10 * number,) * 3).save(file)
    return ShownPicture(hashlib.sha256(file.read_bytes()).hexdigest(), str(file))


def requests(folder, count=6, pictures=3):
    return [
        PickRequest(
            f"{number}-beach/ab", 100 + number,
            tuple(picture(folder / str(number), 1 + 3 * number % 20 + place) for place in range(pictures)),
        )
        for number in range(count)
    ]  # fmt: skip


@pytest.fixture
def ledger(tmp_path):
    made = Ledger(create_engine(f"sqlite:///{tmp_path}/ledger.db"))
    for email in (ANN, BEN):
        made.record.list_annotator(email, ACCOUNTS[email], "added")
    return made


@pytest.fixture
def studio():
    return PaperStudio()


def opened(ledger, studio, folder, **changes):
    return open_picks(ledger, studio, "may", requests(folder, **changes)).round.round_id


def annotation(number, key, answer, rater=ANN, comment="", minutes=0, **changes):
    at = NOON + timedelta(minutes=minutes)
    choices = (answer,) if answer else ()
    return replace(
        Annotation(number, number, key, ACCOUNTS.get(rater, 9), rater, None, choices, (), 4.0, at, at, False, comment),
        **changes,
    )


def pulled(ledger, studio, round_id, *annotations, route=lambda comment: {"stages": ["composition"], "sentence": "x"}):
    project = studio.find_project(public_title(ledger.picks.round(round_id).key, round_id))
    studio.held[project] = list(annotations)
    return sync_picks(ledger, studio, round_id, route)


def publications(ledger, round_id):
    return published(ledger.picks.tasks(round_id), ledger.picks.picks(round_id))


def test_a_task_shows_three_pictures_and_nothing_that_ranks_them(ledger, studio, tmp_path):
    round_id = opened(ledger, studio, tmp_path)
    for payload in PickUploads(ledger.picks.tasks(round_id)):
        assert set(payload) == {"key", *SLOTS}
        assert re.fullmatch("[0-9a-f]{32}", payload["key"])
        files = [base64.b64decode(payload[slot].partition(",")[2]) for slot in SLOTS]
        sizes = {(Image.open(io.BytesIO(file)).size, Image.open(io.BytesIO(file)).format) for file in files}
        assert len(sizes) == 1 and not any(Image.open(io.BytesIO(file)).getexif() for file in files)
        assert not re.search(r"rank|champion|beach|may|\.png", json.dumps(payload).replace("data:image", ""))
    (title,) = studio.projects.values()
    assert re.fullmatch("Picks [0-9a-f]{8}", title)


def test_the_best_picture_stands_anywhere_on_the_page():
    places = np.zeros(3)
    for number in range(900):
        order = page_order(bytes(32), "r", f"request {number}", ["best", "second", "third"])
        places[order.index("best")] += 1
    assert (np.abs(places / 900 - 1 / 3) < 0.05).all()
    assert page_order(bytes(32), "r", "a", ["x", "y"]) == page_order(bytes(32), "r", "a", ["y", "x"])


def test_opening_again_finds_the_same_round_and_uploads_nothing_twice(ledger, studio, tmp_path):
    asked = requests(tmp_path)
    first, second = (open_picks(ledger, studio, "may", asked) for _ in range(2))
    assert (first.resumed, second.resumed) == (False, True)
    assert first.round == second.round and len(studio.projects) == 1 and len(studio.tasks[1]) == 6 == second.tasks
    studio.tasks[1] = studio.tasks[1][:2]  # killed while it uploaded
    open_picks(ledger, studio, "may", asked)
    assert len(studio.tasks[1]) == 6
    other = open_picks(ledger, studio, "may", asked[:3])
    assert other.round.round_id != first.round.round_id and len(studio.projects) == 2


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [(lambda file: file.unlink(), "is gone"), (lambda file: file.write_bytes(b"x"), "was changed since it was made")],
)
def test_a_picture_that_is_not_what_was_made_is_refused_before_anything_is_written(
    ledger, studio, tmp_path, spoil, sentence
):
    from pathlib import Path

    asked = requests(tmp_path)
    spoil(Path(asked[4].pictures[1].uri))
    with pytest.raises(SelvedgeError, match=sentence):
        open_picks(ledger, studio, "may", asked)
    assert ledger.picks.rounds() == [] and studio.projects == {}
    with pytest.raises(SelvedgeError, match="drop may has no ads to pick from"):
        open_picks(ledger, studio, "may", [])


def test_a_pick_publishes_its_picture_and_its_comment_becomes_an_order(ledger, studio, tmp_path):
    round_id = opened(ledger, studio, tmp_path)
    first, second, third, *_ = ledger.picks.tasks(round_id).values()
    brought = pulled(
        ledger, studio, round_id,
        annotation(1, first.task_key, "2", comment="too small"),
        annotation(2, second.task_key, "none"),
        annotation(3, third.task_key, "1", comment="  "),
    )  # fmt: skip
    assert (brought.new, brought.rework, brought.void) == (3, 1, ())
    assert {p.request: p.picture for p in publications(ledger, round_id)} == {
        first.request: first.shown[1],
        third.request: third.shown[0],
    }
    (order,) = [pick for pick in ledger.picks.picks(round_id) if pick.judgement.rework]
    assert order.judgement.rework == {"stages": ["composition"], "sentence": "x"} and order.pick.comment == "too small"
    again = pulled(ledger, studio, round_id, *studio.held[1])
    assert (again.new, again.corrected) == (0, 0) and ledger.record.problems() == []


def test_the_last_word_of_each_annotator_counts_and_a_tie_publishes_nothing(ledger, studio, tmp_path):
    round_id = opened(ledger, studio, tmp_path)
    (task, *_) = ledger.picks.tasks(round_id).values()
    first = annotation(1, task.task_key, "1")
    pulled(ledger, studio, round_id, first)
    changed = annotation(1, task.task_key, "3", minutes=5)
    assert pulled(ledger, studio, round_id, changed).corrected == 1
    assert publications(ledger, round_id)[0].picture == task.shown[2]
    other = annotation(2, task.task_key, "2", rater=BEN)
    pulled(ledger, studio, round_id, changed, other)
    assert publications(ledger, round_id) == []
    taken_back = annotation(1, task.task_key, "", minutes=9, cancelled=True)
    pulled(ledger, studio, round_id, taken_back, other)
    assert publications(ledger, round_id)[0].picture == task.shown[1]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"rater": "eve@elsewhere.example"}, "an account that `selvedge review annotator add` did not make"),
        ({"rater_id": 5}, "an account that `selvedge review annotator add` did not make"),
        ({"rater": ""}, "an account that was deleted"),
        ({"updated_by": 9}, "was changed by account 9"),
        ({"choices": ("1", "2")}, "holds no choice of a picture"),
        ({"choices": ("4",)}, "holds no choice of a picture"),
        ({"task_key": "ff"}, "is of a task that is not this round's"),
    ],
)
def test_what_does_not_count_is_kept_with_its_reason_and_publishes_nothing(ledger, studio, tmp_path, changes, sentence):
    round_id = opened(ledger, studio, tmp_path)
    (task, *_) = ledger.picks.tasks(round_id).values()
    brought = pulled(ledger, studio, round_id, annotation(1, task.task_key, "1", comment="too small", **changes))
    assert brought.new == 0 and brought.rework == 0 and sentence in brought.void[0]
    assert publications(ledger, round_id) == [] and len(ledger.picks.picks(round_id)) == 1


def test_a_request_with_two_pictures_has_an_empty_place_that_cannot_be_picked(ledger, studio, tmp_path):
    round_id = opened(ledger, studio, tmp_path, pictures=2)
    (task, *_) = ledger.picks.tasks(round_id).values()
    brought = pulled(ledger, studio, round_id, annotation(1, task.task_key, "3"))
    assert "chooses a place that shows no picture" in brought.void[0]
    with pytest.raises(SelvedgeError, match="a pick has one to 3"):
        pick_task("k", ["data:image/x"] * 4)
    with pytest.raises(SelvedgeError, match="an address would name something"):
        pick_task("k", ["http://shop/1.png"])


class ScriptedAccount:
    """An annotator's Label Studio: hands out every task once."""

    user_id = 77

    def __init__(self, keys):
        self.left, self.given = list(enumerate(keys, 1)), {}

    def next_task(self, project):
        return Task(*self.left[0], {}) if self.left else None

    def annotate(self, task_id, result, lead_time_seconds=None):
        self.given[self.left.pop(0)[1]] = result
        return task_id


def test_scripted_picks_are_stamped_and_give_way_to_a_persons(ledger, studio, tmp_path):
    round_id = opened(ledger, studio, tmp_path)
    tasks = ledger.picks.tasks(round_id)
    account = ScriptedAccount(tasks)
    assert pick_by_script({"robo": account}, ledger, round_id, 1, lambda task, name: 0) == {"robo": 6}
    scripted = [
        annotation(number, key, result[0]["value"]["choices"][0], rater="robo@simulated.invalid")
        for number, (key, result) in enumerate(account.given.items(), start=1)
    ]
    pulled(ledger, studio, round_id, *scripted)
    assert all(picture.simulated for picture in publications(ledger, round_id))
    assert all(pick.judgement.simulated for pick in last_picks(ledger.picks.picks()))
    key = next(key for key, result in account.given.items() if result[0]["value"]["choices"] == ["1"])
    pulled(ledger, studio, round_id, *scripted, annotation(90, key, "2"))
    persons = next(each for each in publications(ledger, round_id) if each.request == tasks[key].request)
    assert (persons.picture, persons.picks, persons.simulated) == (tasks[key].shown[1], 1, False)


def test_the_page_has_its_keys_and_its_result_is_read_back():
    page = ElementTree.fromstring(pick_config(23))
    assert "sv-pairs-23" in str(page.get("className"))  # annotator_page.js says how many of them are done
    keys = {choice.get("alias"): choice.get("hotkey") for choice in page.iter("Choice")}
    assert keys == {"1": "1", "2": "2", "3": "3", "none": "0"} and tuple(keys) == ANSWERS
    assert [image.get("value") for image in page.iter("Image")] == ["$one", "$two", "$three"]
    with pytest.raises(SelvedgeError, match="answer '4' is none of"):
        pick_result("4")
    moment = NOON.isoformat()
    row = {"id": 1, "result": pick_result("none", "too small"), "completed_by": 1, "updated_by": None,
           "lead_time": 2.0, "created_at": moment, "updated_at": moment, "was_cancelled": False}  # fmt: skip
    read = annotation_of(row, 1, "k", ANN)
    assert (read.choices, read.comment) == (("none",), "too small")
