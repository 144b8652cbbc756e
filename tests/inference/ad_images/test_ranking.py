"""The ranker: what it learns, what it says of itself, and the three that are shown."""

import json
from dataclasses import replace

import numpy as np
import pytest

from catalog.errors import SelvedgeError
from inference.ad_images.finding import Finding, Strictness
from inference.ad_images.quality.brand import Brand, read_brand
from inference.ad_images.quality.control import judge
from inference.ad_images.ranking import UNITS, features, top_three
from tests.inference.ad_images.quality.pictures import SIDE, ground, picture, placed
from training.ad_ranker.features import FEATURES
from training.ad_ranker.ranker import AdRanker, pairs_of_pick


def planted(pairs=400, seed=0):
    """Pairs chosen by a known taste: high contrast, and little clutter."""
    rng = np.random.default_rng(seed)
    spread = 10.0 ** np.random.default_rng(99).uniform(-1, 2, len(FEATURES))  # units, the same in every draw
    taste = np.zeros(len(FEATURES))
    taste[FEATURES.index("contrast")], taste[FEATURES.index("clutter")] = 1.5, -1.5
    first, second = (rng.normal(0, 1, (pairs, len(FEATURES))) for _ in range(2))
    prefers = rng.random(pairs) < 1 / (1 + np.exp(-(first - second) @ taste))
    picked, others = np.where(prefers[:, None], first, second), np.where(prefers[:, None], second, first)
    return picked * spread, others * spread, [f"request {number // 2}" for number in range(pairs)]


def test_a_planted_taste_is_recovered_whatever_the_units():
    ranker = AdRanker.fit(*planted())
    heaviest = np.argsort(-np.abs(ranker.weights))[:2]
    assert {FEATURES[at] for at in heaviest} == {"contrast", "clutter"}
    assert ranker.weights[FEATURES.index("contrast")] > 0 > ranker.weights[FEATURES.index("clutter")]
    picked, others, _ = planted(seed=1)
    assert np.mean(ranker.scores(picked) > ranker.scores(others)) > 0.75


def test_probabilities_are_calibrated_on_pairs_that_it_did_not_see():
    ranker = AdRanker.fit(*planted())
    picked, others, _ = planted(2000, seed=2)
    swap = np.random.default_rng(3).random(len(picked)) < 0.5
    first, second = np.where(swap[:, None], others, picked), np.where(swap[:, None], picked, others)
    said = ranker.probability(first, second)
    for low in (0.1, 0.5, 0.7):
        near = (said >= low) & (said < low + 0.2)
        assert np.mean(~swap[near]) == pytest.approx(said[near].mean(), abs=0.08)


def test_picks_without_any_taste_give_no_confidence():
    rng = np.random.default_rng(5)
    rows = rng.normal(0, 1, (2, 120, len(FEATURES)))
    ranker = AdRanker.fit(rows[0], rows[1], [str(number) for number in range(120)])
    said = ranker.probability(rows[0], rows[1])
    assert np.abs(said - 0.5).mean() < 0.15


def test_it_is_untrained_until_picks_exist_and_says_so():
    ranker = AdRanker.untrained()
    assert not ranker.trained
    assert "untrained" in ranker.note
    assert (ranker.scores(np.ones((3, len(FEATURES)))) == 0).all()
    assert (ranker.probability(np.ones((1, len(FEATURES))), np.zeros((1, len(FEATURES)))) == 0.5).all()


def test_a_ranker_is_read_back_as_it_was_written_and_not_if_it_was_changed(tmp_path):
    ranker, file = AdRanker.fit(*planted(60)), tmp_path / "ranker.json"
    assert ranker.save(file) == ranker.digest == AdRanker.load(file).digest
    body = json.loads(file.read_text())
    for change, sentence in (
        ({"temperature": 9.0}, "was changed after it was written"),
        ({"features": ["one"]}, "was changed after it was written"),
        ({"kind": "other"}, "was changed"),
    ):
        file.write_text(json.dumps(body | change))
        with pytest.raises(SelvedgeError, match=sentence):
            AdRanker.load(file)
    for text in ("", "[]", "{}", "not JSON"):
        file.write_text(text)
        with pytest.raises(SelvedgeError, match="cannot be read"):
            AdRanker.load(file)


def test_a_fit_needs_pairs():
    with pytest.raises(ValueError, match="pairs of one shape"):
        AdRanker.fit(np.zeros((0, 3)), np.zeros((0, 3)), [])


def test_a_pick_beats_each_of_the_others_that_were_shown():
    rows = np.arange(6.0).reshape(3, 2)
    picked, others = pairs_of_pick(rows, 1)
    assert picked.tolist() == [[2, 3], [2, 3]]
    assert others.tolist() == [[0, 1], [4, 5]]


def test_features_are_the_findings_values_with_the_rest_measured():
    shown = picture()
    findings = judge(shown, read_brand("lifestyle"))
    row = dict(zip(FEATURES, features(shown, findings), strict=True))
    assert np.isfinite(list(row.values())).all()
    assert row == dict(zip(FEATURES, features(shown, []), strict=True))
    assert row["frame_share"] == pytest.approx(100 * 100 / 256)
    assert (row["off_center"], row["turned"]) == (0, 0)
    assert tuple(UNITS) == FEATURES and all(UNITS.values())


def nine():
    """Three sections, three scenes, all different to look at."""
    pictures = []
    for number in range(9):
        left = 20 + 70 * (number // 3)
        product = placed(left, 100, left + 60, 200, section=number // 3, number=number, scene_seed=number % 3)
        tone = 110 + 40 * (number % 3)
        pictures.append(picture(product, ground(wall=(tone, tone, 200))))
    return pictures


def passing(*failed_weighted):
    return [
        [Finding("thirds", number not in failed_weighted, Strictness.WEIGHTED, 1, 1, "", "")] for number in range(9)
    ]


def test_the_three_lie_in_three_sections_and_the_order_repeats():
    pictures = nine()
    top = top_three(pictures, passing(), AdRanker.untrained())
    assert sorted(pictures[at].placed.plan.section for at in top) == [0, 1, 2]
    assert top == top_three(pictures, passing(), AdRanker.untrained())


def test_untrained_a_picture_that_fails_a_weighted_guideline_comes_after_those_that_pass():
    best = top_three(nine(), passing(*[number for number in range(9) if number != 4]), AdRanker.untrained())
    assert best[0] == 4


def test_a_trained_ranker_decides_the_order():
    pictures = nine()
    weights = np.zeros(len(FEATURES))
    weights[FEATURES.index("off_center")] = -1.0
    pictures[3] = replace(
        pictures[3], placed=replace(pictures[3].placed, plan=replace(pictures[3].placed.plan, center_x=0.5))
    )
    for other in (0, 1, 2, 4, 5, 6, 7, 8):
        plan = replace(pictures[other].placed.plan, center_x=0.2)
        pictures[other] = replace(pictures[other], placed=replace(pictures[other].placed, plan=plan))
    ranker = AdRanker(weights, np.ones(len(FEATURES)), 1.0, 10)
    assert top_three(pictures, passing(), ranker)[0] == 3


def test_what_fails_is_not_shown_and_what_was_let_go_is():
    findings = [[Finding("contrast", False, Strictness.FLEXIBLE, 1, 8, "", "")] for _ in range(9)]
    assert top_three(nine(), findings, AdRanker.untrained()) == []
    assert len(top_three(nine(), findings, AdRanker.untrained(), ("contrast",))) == 3


def test_two_that_look_alike_are_never_both_shown():
    pictures = [nine()[0]] * 9
    assert len(top_three(pictures, passing(), AdRanker.untrained())) == 1
    background = np.full((SIDE, SIDE, 3), 180, np.uint8)
    alike = [
        picture(placed(96, 100, 160, 200, section=number % 3, number=number, scene_seed=number), background)
        for number in range(9)
    ]
    assert len(top_three(alike, passing(), AdRanker.untrained())) == 1


def test_a_brand_without_guidelines_has_no_findings():
    assert judge(picture(), Brand("empty")) == []
