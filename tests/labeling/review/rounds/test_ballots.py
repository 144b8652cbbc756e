"""Ballots: the author's last word in time counts, whoever else touches it, in whatever order it is pulled."""

import random
import tempfile
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import SelvedgeError
from labeling.review.label_studio.records import Annotation
from labeling.review.ledger.ledger import Ledger
from labeling.review.ledger.records import PulledAnnotation
from labeling.review.rounds.annotators import ScriptedAnnotator
from labeling.review.rounds.ballots import as_pulled, ballots_sha256, counted_ballots, rests_on_simulation, sync
from tests.labeling.review.rounds_for_tests import NOON, annotation, listed, new_ledger, pair, plan

PAIRS = [
    pair(1),
    pair(2, left="champion"),
    pair(3, "gold", sound="right"),
    pair(4, "aa"),
    pair(1, "repeat", left="champion"),
]
HOUR = timedelta(hours=1)
LATER = NOON + HOUR


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return opened(tmp_path)


def opened(folder: Path) -> Ledger:
    ledger = new_ledger(folder)
    ledger.open_round(plan(), bytes(32), PAIRS)
    return listed(ledger)


def counted(ledger: Ledger) -> pd.DataFrame:
    return counted_ballots(ledger.ballots("may-one"), ledger.pairs("may-one"))


def test_sides_become_choices(ledger: Ledger) -> None:
    votes = [("plain-1", "left"), ("plain-2", "left"), ("gold-3", "left"), ("aa-4", "right"), ("repeat-1", "right")]
    sync(ledger, "may-one", [annotation(i, key, side=side) for i, (key, side) in enumerate(votes)], LATER)
    table = counted(ledger)
    assert table["kind"].tolist() == ["plain", "plain", "gold", "aa", "repeat"]
    choices = table["choice"].astype(object).where(table["choice"].notna(), None).tolist()
    assert choices == ["candidate", "champion", None, None, "candidate"]
    assert table["correct"].tolist()[2] is False and table["correct"].isna().sum() == 4
    assert table["item"].tolist() == ["1", "2", "3", "4", "1"]
    assert table["words"].tolist() == [20.0] * 5
    assert table["at"].is_monotonic_increasing and str(table["at"].dt.tz) == "UTC"


def test_no_ballots_are_an_empty_table(ledger: Ledger) -> None:
    assert sync(ledger, "may-one", [], LATER).new == 0
    assert counted(ledger).empty


def test_syncing_twice_is_syncing_once(ledger: Ledger) -> None:
    votes = [annotation(1, "plain-1"), annotation(2, "plain-2", side="tie")]
    first, second = sync(ledger, "may-one", votes, LATER), sync(ledger, "may-one", votes, LATER + HOUR)
    assert (first.new, second.new, second.corrected, second.void) == (2, 0, 0, ())
    assert len(ledger.ballots("may-one")) == 2 and len(ledger.pulls("may-one")) == 1


def test_an_author_may_correct(ledger: Ledger) -> None:
    sync(ledger, "may-one", [annotation(1, "plain-1")], LATER)
    report = sync(ledger, "may-one", [annotation(1, "plain-1", side="tie", updated_at=LATER)], LATER)
    assert (report.new, report.corrected) == (0, 1)
    assert [ballot.revision for ballot in ledger.ballots("may-one")] == [1, 2]
    assert counted(ledger)["side"].tolist() == ["tie"]


def test_somebody_elses_change_is_void_and_told(ledger: Ledger) -> None:
    sync(ledger, "may-one", [annotation(1, "plain-1")], LATER)
    forged = annotation(1, "plain-1", side="right", updated_by="eve@shop.example", updated_at=LATER)
    report = sync(ledger, "may-one", [forged], LATER)
    assert report.void == (
        "annotation 1 of ann@shop.example does not count: it was changed by eve@shop.example, who did not make it.",
    )
    assert counted(ledger)["side"].tolist() == ["left"]  # the author's own ballot stands
    sync(ledger, "may-one", [forged, annotation(2, "plain-2", updated_by="eve@shop.example")], LATER)
    assert len(counted(ledger)) == 1  # one that was never seen untouched does not count at all


def test_nothing_counts_after_the_close(ledger: Ledger) -> None:
    sync(ledger, "may-one", [annotation(1, "plain-1")], LATER)
    before = counted(ledger)
    ledger.close_round("may-one")
    late = [annotation(1, "plain-1", side="right", updated_at=LATER), annotation(2, "plain-2")]
    report = sync(ledger, "may-one", late, LATER)
    assert len(report.void) == 2 and all("after the round was closed" in fault for fault in report.void)
    pd.testing.assert_frame_equal(counted(ledger), before)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"task_key": "nobody's"}, "a task that is not this round's"),
        ({"task_key": ""}, "a task that is not this round's"),
        ({"task_key": "x" * 500 + "\0"}, "a task that is not this round's"),
        ({"side": ""}, "no choice"),
        ({"side": "candidate"}, "no choice"),
        ({"seconds": None}, "no time of voting"),
        ({"seconds": -3.0}, "no time of voting"),
        ({"seconds": float("nan")}, "no time of voting"),
        ({"rater": ""}, "account that was deleted"),
    ],
)
def test_what_cannot_count_is_told_once(ledger: Ledger, changes: dict[str, object], sentence: str) -> None:
    vote = annotation(1, **{"task_key": "plain-1", **changes})
    assert sentence in sync(ledger, "may-one", [vote], LATER).void[0]
    assert sync(ledger, "may-one", [vote], LATER).void == ()
    assert counted(ledger).empty and len(ledger.ballots("may-one")) == 1


def test_of_two_votes_on_one_pair_the_last_counts(ledger: Ledger) -> None:
    votes = [annotation(2, "plain-1", side="right"), annotation(1, "plain-1", side="left")]
    sync(ledger, "may-one", votes, LATER)
    assert counted(ledger)["side"].tolist() == ["right"]


def test_a_skip_takes_the_ballot_back(ledger: Ledger) -> None:
    sync(ledger, "may-one", [annotation(1, "plain-1")], LATER)
    sync(ledger, "may-one", [annotation(1, "plain-1", cancelled=True, updated_at=LATER)], LATER)
    assert counted(ledger).empty


def test_ballots_survive_a_server_that_lost_its_database(ledger: Ledger) -> None:
    sync(ledger, "may-one", [annotation(1, "plain-1"), annotation(2, "plain-2")], LATER)
    assert sync(ledger, "may-one", [], LATER).vanished == (1, 2)
    reborn = annotation(1, "gold-3", rater="bob@shop.example", side="right", created_at=LATER, updated_at=LATER)
    sync(ledger, "may-one", [reborn], LATER)
    assert counted(ledger)[["rater", "item"]].values.tolist() == [
        ["ann@shop.example", "1"],
        ["ann@shop.example", "2"],
        ["bob@shop.example", "3"],
    ]


def test_clocks_that_disagree_are_told_and_cost_nothing(ledger: Ledger) -> None:
    ahead = annotation(1, "plain-1", updated_at=NOON + 3 * HOUR)
    backwards = annotation(2, "plain-2", updated_at=NOON - HOUR)
    sentences = " ".join(sync(ledger, "may-one", [ahead, backwards], NOON).warnings)
    assert "180 minutes ahead" in sentences and "1 ballots were changed before they were made" in sentences
    assert len(counted(ledger)) == 2
    with pytest.raises(SelvedgeError, match="without a time zone"):
        annotation(1, "plain-1", created_at=NOON.replace(tzinfo=None))


def test_one_annotation_twice_in_a_pull_is_refused_whole(ledger: Ledger) -> None:
    with pytest.raises(SelvedgeError, match="annotation 1 was pulled twice"):
        sync(ledger, "may-one", [annotation(1, "plain-1"), annotation(1, "plain-1", side="tie")], LATER)
    assert ledger.pulls("may-one") == [] and ledger.ballots("may-one") == []


def test_simulated_ballots_are_marked(ledger: Ledger) -> None:
    sync(ledger, "may-one", [annotation(1, "plain-1")], LATER)
    assert not rests_on_simulation(ledger.ballots("may-one"))
    robot = ScriptedAnnotator("robot-1", seed=1).email
    listed(ledger, robot)
    sync(ledger, "may-one", [annotation(1, "plain-1"), annotation(2, "plain-1", rater=robot)], LATER)
    assert [ballot.simulated for ballot in ledger.ballots("may-one")] == [False, True]
    assert rests_on_simulation(ledger.ballots("may-one"))


def versions(number: int) -> list[PulledAnnotation]:
    """Every content that annotation `number` went through."""
    key, rater = ("plain-1", "plain-2", "gold-3")[number % 3], f"r{number % 2}@shop.example"
    contents = [
        {"side": "left"},
        {"side": "right", "updated_by": "eve@shop.example"},
        {"side": "tie"},
        {"side": "right", "cancelled": number % 5 == 0},
    ]
    return [
        annotation(number, key, rater, **{**content, "updated_at": NOON + timedelta(minutes=number + 7 * step)})
        for step, content in enumerate(contents)
    ]


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10**6))
def test_the_order_of_pulls_does_not_matter(seed: int) -> None:
    everything = [revision for number in range(1, 6) for revision in versions(number)]
    hashes, tables = set(), []
    for shuffled in (0, 1):
        pulls = [[revision] for revision in everything]
        if shuffled:
            random.Random(seed).shuffle(pulls)
        with tempfile.TemporaryDirectory() as folder:
            ledger = opened(Path(folder))
            for pulled in pulls:
                sync(ledger, "may-one", pulled, LATER)
            hashes.add(ballots_sha256(ledger.ballots("may-one")))
            tables.append(counted(ledger))
    assert len(hashes) == 1
    pd.testing.assert_frame_equal(*tables)


def test_what_label_studio_gives_is_taken_over() -> None:
    fields = {
        "annotation_id": 5,
        "task_id": 9,
        "task_key": None,
        "rater_id": 3,
        "rater": "ann@shop.example",
        "updated_by": 3,
        "choices": ("left",),
        "reasons": ("too vague",),
        "lead_time_seconds": 4.5,
        "created_at": NOON,
        "updated_at": LATER,
        "cancelled": False,
    }
    own = as_pulled(Annotation(**fields))
    assert (own.task_key, own.updated_by, own.side, own.seconds) == ("", None, "left", 4.5)
    forged = as_pulled(Annotation(**fields | {"updated_by": 4, "choices": ("left", "right")}))
    assert (forged.updated_by, forged.side) == ("account 4", "")
    assert PulledAnnotation.from_dict(own.to_dict()) == own
