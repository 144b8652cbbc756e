"""An opening that was cut short: completed as it was registered, or void where that cannot be; never two of anything.

Belongs here: what the ledger, the folder and the project of a round say to the next opening. Not here: real kills
(tests/e2e/test_round_killed.py), what is refused (tests/orchestration/cli/test_round_bad_input.py).
"""

from dataclasses import replace

import pytest

from catalog.errors import SelvedgeError
from evaluation.preference_plan import PreferencePlan
from labeling.review.label_studio import ProjectGone
from labeling.review.rounds import opening
from labeling.review.rounds.compared import Compared, is_whole, keep, read_compared
from labeling.review.rounds.judging import hold_to_plan, sync_round
from labeling.review.rounds.opening import RoundRequest, open_round
from labeling.review.rounds.tasks import round_tasks
from tests.labeling.review import rounds_for_tests as drawn
from tests.labeling.review.rounds.paper_studio import PaperContest, PaperStudio, paper_contest
from tests.labeling.review.rounds_for_tests import columns_of
from tests.orchestration.drawn_round import CARDS, RoundsHome, compared, votes
from tests.orchestration.paper_reviews import as_held

CANDIDATE = drawn.plan().candidate
FIRST, SECOND = f"{CANDIDATE}-r1", f"{CANDIDATE}-r2"
REQUEST = RoundRequest(drawn.plan().family, CANDIDATE, CARDS, 6, 2, 7, PreferencePlan())


class Cut(Exception):
    """Where this process would have been killed."""


@pytest.fixture
def settings(tmp_path):
    return RoundsHome.at(tmp_path / "home")


@pytest.fixture
def content(settings, monkeypatch) -> Compared:
    """What both versions say."""
    made = compared(settings.home / "pictures", products=12)
    monkeypatch.setattr(PaperContest, "compare", lambda *_: made)
    return made


def open_one(settings, server, **changes):
    return open_round(settings.rounds(), settings.ledger, server, replace(REQUEST, **changes), paper_contest)


def cut_before_keeping(settings, monkeypatch) -> None:
    """Plan and pairs are registered, and nothing else."""

    def cut(*_):
        raise Cut

    with monkeypatch.context() as patched:
        patched.setattr(opening, "keep", cut)
        with pytest.raises(Cut):
            open_one(settings, PaperStudio())
    assert settings.ledger.round(FIRST).project_id is None


def other_results(content: Compared) -> Compared:
    return replace(content, opponent=columns_of(drawn.attribute_table(9, 12), "attributes"))


def test_an_opening_that_was_cut_short_takes_no_folder_of_another_ledgers_round(settings, content, monkeypatch):
    keep(other_results(content), settings.rounds() / FIRST, drawn.plan(round_id=FIRST).to_json())
    cut_before_keeping(settings, monkeypatch)
    opened = open_one(settings, PaperStudio())
    kept = read_compared(settings.rounds() / FIRST, [CARDS])
    assert opened.resumed and kept.results() == content.results() == dict(opened.round.plan.results)


def test_the_same_results_complete_the_round_that_was_registered(settings, content, monkeypatch):
    cut_before_keeping(settings, monkeypatch)
    registered, server = settings.ledger.round(FIRST), PaperStudio()
    assert not is_whole(settings.rounds() / FIRST)
    opened = open_one(settings, server)
    assert opened.resumed and opened.round == replace(registered, project_id=1)
    assert sorted(server.tasks[1]) == sorted(settings.ledger.pairs(FIRST))


def test_other_results_void_the_round_that_nobody_saw_and_open_a_new_one(settings, content, monkeypatch):
    cut_before_keeping(settings, monkeypatch)
    monkeypatch.setattr(PaperContest, "compare", lambda *_: other_results(content))
    server = PaperStudio()
    opened = open_one(settings, server)
    ledger = settings.ledger
    assert (opened.round.plan.round_id, opened.resumed, opened.round.state) == (SECOND, False, "open")
    assert [entry.state for entry in ledger.rounds()] == ["void", "open"]
    assert "its opening was cut short" in ledger.round(FIRST).void
    assert open_one(settings, server).round == opened.round and len(server.projects) == 1
    with pytest.raises(SelvedgeError, match=f"round {FIRST} is void; open a new one under another name"):
        open_one(settings, server, round_id=FIRST)


def test_a_round_that_was_opened_meanwhile_is_not_voided(settings, content, monkeypatch):
    cut_before_keeping(settings, monkeypatch)
    server = PaperStudio()

    def slowly(*_):
        with monkeypatch.context() as patched:
            patched.setattr(PaperContest, "compare", lambda *_: content)
            open_one(settings, server)  # another process, while this one compares
        return other_results(content)

    monkeypatch.setattr(PaperContest, "compare", slowly)
    with pytest.raises(SelvedgeError, match=rf"round {FIRST} was opened with another plan \(different: results"):
        open_one(settings, server)
    assert settings.ledger.round(FIRST).state == "open" and list(server.projects) == [1]


def test_two_openings_at_once_share_one_project(settings, content):
    server = PaperStudio()
    server.rival = server.new_project  # the other one asks at the same moment, and is a little faster
    opened = open_one(settings, server)
    assert opened.round.project_id == 1 and list(server.projects) == [1]
    assert len(server.tasks[1]) == opened.pairs == len(settings.ledger.pairs(FIRST))


def test_a_project_deleted_before_the_first_ballot_was_pulled_is_made_again(settings, content):
    server = PaperStudio()
    first = open_one(settings, server)
    server.delete_project(1)
    again = open_one(settings, server)
    assert (again.round.project_id, again.pairs) == (2, first.pairs)
    assert again.round.key == first.round.key and list(server.projects) == [2]


def test_a_project_deleted_after_ballots_were_pulled_is_told_and_not_made_again(settings, content):
    server, ledger = PaperStudio(), settings.ledger
    open_one(settings, server)
    server.held[1] = [as_held(annotation) for annotation in votes(ledger, 0.8, raters=2, name=FIRST)]
    sync_round(settings.rounds(), ledger, server, FIRST)
    ballots = ledger.ballots(FIRST)
    server.delete_project(1)
    for ask in (lambda: open_one(settings, server), lambda: sync_round(settings.rounds(), ledger, server, FIRST)):
        with pytest.raises(ProjectGone, match="ballots already pulled are kept"):
            ask()
    assert server.projects == {} and ledger.round(FIRST).project_id == 1
    assert ledger.ballots(FIRST) == ballots != [] and hold_to_plan(settings.rounds(), ledger, FIRST).state == "open"


def test_a_folder_that_another_ledgers_round_left_is_replaced_whole(settings, content):
    keep(other_results(content), settings.rounds() / FIRST, drawn.plan(round_id=FIRST).to_json())
    open_one(settings, PaperStudio())
    ledger = settings.ledger
    assert hold_to_plan(settings.rounds(), ledger, FIRST).state == "open"
    material = content.material(REQUEST.seed)
    assert len(list(round_tasks(ledger, FIRST, material))) == len(ledger.pairs(FIRST))
