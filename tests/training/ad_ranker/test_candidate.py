"""A candidate from a folder of picks: what it learns, what is held out, and what is too little."""

import numpy as np
import pytest

from catalog.errors import SelvedgeError
from evaluation.gate import decide, rests_on_simulation
from evaluation.scores import means
from orchestration.families.ad_ranker.declaration import AD_RANKER
from orchestration.runtime.settings import Settings
from tests.training.ad_ranker.picks_for_tests import picked, picks_folder
from training.ad_ranker.candidate import RANKER_FILE, AdRankerSettings, train_ranker
from training.ad_ranker.picks import PICKS_FILE, pairs_of, read_picks, write_picks
from training.ad_ranker.ranker import AdRanker
from training.ad_ranker.scoring import score_rankers

FAMILY = AD_RANKER.name


def scores_rule(settings):
    """The rule as the first gate asks it; people's verdict is the second's."""
    return AD_RANKER.rule(settings).of_scores()


def scored(folder, ranker, champion=None, simulated=False):
    return score_rankers(ranker, champion, read_picks(folder, simulated=simulated), family=FAMILY, name="c")


def test_a_taste_is_learnt_and_beats_the_untrained_order_and_chance_on_products_it_never_saw(tmp_path):
    folder = picks_folder(tmp_path / "picks")
    trained = train_ranker(folder, AdRankerSettings(), tmp_path / "run")
    assert (trained.picks + trained.held_out, trained.none_of_these, trained.simulated) == (144, 16, False)
    ranker = AdRanker.load(trained.artefact / RANKER_FILE)
    assert ranker.pairs == trained.pairs == 2 * trained.picks
    evaluation = scored(folder, ranker)
    pairs = means(evaluation.scores, "pair_accuracy")
    assert pairs["floor:random"] == 0.5
    assert pairs["candidate"] > 0.75 > 0.6 > pairs["base"]
    assert means(evaluation.scores, "accuracy")["floor:random"] == pytest.approx(1 / 3)
    assert means(evaluation.scores, "calibration_error")["candidate"] < 0.2
    decision = decide(scores_rule(Settings(home=tmp_path)), evaluation.evidence, None)
    assert decision.promote, decision.reasons


def test_a_product_is_in_one_part_and_in_the_same_one_whatever_else_was_picked(tmp_path):
    few = read_picks(picks_folder(tmp_path / "few", requests=60), simulated=False)
    many = read_picks(picks_folder(tmp_path / "many", requests=160, seed=3), simulated=False)
    part = {pick.group: pick.held_out for pick in many.picks}
    assert all(part[pick.group] == pick.held_out for pick in few.picks if pick.group in part)
    learnt, held_out = ({pick.group for pick in many.part(held_out=held)} for held in (False, True))
    assert not learnt & held_out and learnt and held_out


def test_picks_without_a_taste_promote_nothing(tmp_path):
    folder = picks_folder(tmp_path / "picks", taste=0.0)
    trained = train_ranker(folder, AdRankerSettings(), tmp_path / "run")
    evaluation = scored(folder, AdRanker.load(trained.artefact / RANKER_FILE))
    decision = decide(scores_rule(Settings(home=tmp_path)), evaluation.evidence, None)
    assert not decision.promote and any("not " in reason for reason in decision.reasons)


def test_a_champion_that_knows_the_taste_is_not_replaced_by_one_that_does_not(tmp_path):
    folder = picks_folder(tmp_path / "picks")
    ranker = AdRanker.load(train_ranker(folder, AdRankerSettings(), tmp_path / "run").artefact / RANKER_FILE)
    evaluation = scored(folder, AdRanker(-ranker.weights, ranker.spread, 1.0, 10), ("3", ranker))
    decision = decide(scores_rule(Settings(home=tmp_path)), evaluation.evidence, "3")
    assert not decision.promote and "the champion's" in " ".join(decision.reasons)


def test_the_same_picks_give_the_same_ranker_after_a_kill(tmp_path):
    folder = picks_folder(tmp_path / "picks")
    first = train_ranker(folder, AdRankerSettings(), tmp_path / "run")
    (first.artefact / RANKER_FILE).write_text("{")  # half-written
    assert train_ranker(folder, AdRankerSettings(), tmp_path / "run").digest == first.digest


def test_scripted_picks_are_left_out_and_where_they_are_learnt_from_it_says_so(tmp_path):
    folder = picks_folder(tmp_path / "picks", simulated=True)
    with pytest.raises(SelvedgeError, match="0 picks of people chose a picture and 80 are needed; let people pick"):
        train_ranker(folder, AdRankerSettings(), tmp_path / "run")
    rehearsed = train_ranker(folder, AdRankerSettings(simulated_picks=True), tmp_path / "run")
    ranker = AdRanker.load(rehearsed.artefact / RANKER_FILE)
    assert rehearsed.simulated and "SIMULATED" in ranker.note and "nobody's preference" in ranker.note
    evaluation = scored(folder, ranker, simulated=True)
    assert rests_on_simulation(evaluation.evidence)
    for demo in (False, True):
        decision = decide(scores_rule(Settings(home=tmp_path, simulated_ballots=demo)), evaluation.evidence, None)
        assert decision.promote is demo
        assert demo or "rest on scripted annotators' picks" in decision.reasons[-1]


@pytest.mark.parametrize(
    ("requests", "least", "sentence"), [(20, 80, "18 picks"), (30, 80, "27 picks of people chose a picture")]
)
def test_too_few_picks_are_one_sentence(tmp_path, requests, least, sentence):
    with pytest.raises(SelvedgeError, match=sentence):
        train_ranker(
            picks_folder(tmp_path / "picks", requests=requests), AdRankerSettings(least_picks=least), tmp_path / "run"
        )
    assert not (tmp_path / "run").exists()


def test_picks_of_one_product_hold_nothing_out(tmp_path):
    answers, shown = picked(requests=60)
    answers["product_id"] = 5
    (tmp_path / "picks").mkdir()
    write_picks(answers, shown, tmp_path / "picks")
    with pytest.raises(SelvedgeError, match="of too few products to hold any out"):
        train_ranker(tmp_path / "picks", AdRankerSettings(least_picks=20), tmp_path / "run")


def test_a_pick_of_a_picture_that_was_not_shown_is_refused(tmp_path):
    answers, shown = picked(requests=30)
    answers.loc[3, "picked_sha256"] = "elsewhere"
    (tmp_path / "picks").mkdir()
    write_picks(answers, shown, tmp_path / "picks")
    with pytest.raises(SelvedgeError, match="pick of request r3 names a picture that was not shown"):
        read_picks(tmp_path / "picks", simulated=False)
    (tmp_path / "picks" / PICKS_FILE).unlink()
    with pytest.raises(SelvedgeError, match=PICKS_FILE):
        read_picks(tmp_path / "picks", simulated=False)


def test_who_was_shown_one_picture_teaches_nothing(tmp_path):
    answers, shown = picked(requests=30, none_of=0)
    alone = shown["request"] == "r1"
    shown = shown[~alone | (shown["picture_sha256"] == answers.loc[1, "picked_sha256"])]
    (tmp_path / "picks").mkdir()
    write_picks(answers, shown, tmp_path / "picks")
    picks = read_picks(tmp_path / "picks", simulated=False)
    assert len(picks.picks) == 29
    first, second, groups = pairs_of(picks.picks)
    assert first.shape == second.shape == (58, first.shape[1]) and len(groups) == 58
    assert np.isfinite(first).all()
