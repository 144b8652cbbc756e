"""The gate gates: each lack refuses with its own sentence, and doing better never turns a yes into a no."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import SelvedgeError
from evaluation.evidence import BEST_FLOORS, Evidence, GateRule, Score, metrics_evidence
from evaluation.gate import decide
from evaluation.scores import ScoreSettings, score_subjects

from .rows import answered, labelled

FAMILY = "blip2-attributes"
RULE = GateRule(FAMILY)
BASE = {"fit": 0.10, "neck": 0.12, "pattern": 0.14}
CHAMPION = {"fit": 0.60, "neck": 0.70, "pattern": 0.80}


def evidence(
    candidate: dict[str, float], champion: dict[str, float] | None = None, half_width: float = 0.01, base=BASE
) -> Evidence:
    """Evidence with the given macro-F1 and paired intervals of the given half width."""
    subjects = {"candidate": candidate, "base": base} | ({"champion": champion} if champion else {})
    rows = []
    for subject, values in subjects.items():
        values = {**values, "mean": sum(values.values()) / max(len(values), 1)}
        rows += [Score(subject, name, "macro_f1", value, value, value, 100) for name, value in values.items()]
    means = {subject: sum(values.values()) / max(len(values), 1) for subject, values in subjects.items()}
    for rival in set(subjects) - {"candidate"}:
        gain = means["candidate"] - means[rival]
        rows.append(
            Score("candidate", "mean", f"macro_f1_minus_{rival}", gain, gain - half_width, gain + half_width, 100)
        )
    version = "3" if champion else None
    return Evidence(
        FAMILY, "blip2-attributes-20260101-abcdef", version, "d" * 64, "2026-01-01T00:00:00+00:00", tuple(rows)
    )


def shifted(values: dict[str, float], by: float) -> dict[str, float]:
    return {name: value + by for name, value in values.items()}


def only_refusal(rule: GateRule, presented: Evidence, champion_version: str | None) -> str:
    decision = decide(rule, presented, champion_version)
    assert not decision.promote
    assert len(decision.reasons) == 1, decision.reasons
    return decision.reasons[0]


def test_a_first_candidate_must_beat_the_base():
    assert decide(RULE, evidence(CHAMPION), None).promote
    refusal = only_refusal(RULE, evidence(shifted(BASE, -0.01)), None)
    assert refusal == "mean macro_f1 is not better than the base's (difference -0.010)."
    assert "not better than the base's" in only_refusal(RULE, evidence(BASE), None)


def test_a_challenger_must_be_better_on_the_mean():
    assert decide(RULE, evidence(shifted(CHAMPION, 0.02), CHAMPION), "3").promote
    assert "not better than the champion's" in only_refusal(RULE, evidence(CHAMPION, CHAMPION), "3")
    assert "by more than 0.03" in only_refusal(
        GateRule(FAMILY, minimum_gain=0.03), evidence(shifted(CHAMPION, 0.02), CHAMPION), "3"
    )


def test_a_gain_within_the_noise_is_refused_unless_the_rule_takes_the_point():
    noisy = evidence(shifted(CHAMPION, 0.02), CHAMPION, half_width=0.05)
    assert "not clearly better than the champion's: difference +0.020, 95 % interval from -0.030" in only_refusal(
        RULE, noisy, "3"
    )
    assert decide(GateRule(FAMILY, clear_gain=False), noisy, "3").promote


def test_a_rule_may_tolerate_a_loss_to_the_incumbent_but_never_an_unclear_one():
    tolerant = GateRule(FAMILY, tolerance=0.05, delta=0.1, beats=())
    assert decide(tolerant, evidence(shifted(CHAMPION, -0.02), CHAMPION), "3").promote
    noisy = evidence(shifted(CHAMPION, -0.02), CHAMPION, half_width=0.04)
    assert "95 % interval from -0.060 (at most 0.05 worse is allowed)" in only_refusal(tolerant, noisy, "3")
    worse = evidence(shifted(CHAMPION, -0.06), CHAMPION)
    assert "(difference -0.060) (at most 0.05 worse is allowed)" in only_refusal(tolerant, worse, "3")


def test_a_floor_is_beaten_clearly_and_without_tolerance():
    """What a model that ignores its words reaches by luck is no gain."""
    rule = GateRule(FAMILY, tolerance=0.05, delta=0.1, beats=("floor:majority",))
    floor = shifted(CHAMPION, -0.02)

    def beside_floor(low: float) -> Evidence:
        presented = evidence(CHAMPION, CHAMPION)
        rows = [Score("floor:majority", name, "macro_f1", v, v, v, 100) for name, v in floor.items()]
        rows.append(Score("floor:majority", "mean", "macro_f1", 0.68, 0.68, 0.68, 100))
        rows.append(Score("candidate", "mean", "macro_f1_minus_floor", 0.02, low, 0.04, 100))
        return replace(presented, scores=(*presented.scores, *rows))

    assert decide(rule, beside_floor(0.005), "3").promote
    assert "not clearly better than the floor:majority's" in only_refusal(rule, beside_floor(-0.005), "3")


def test_no_attribute_may_lose_more_than_delta_however_good_the_mean():
    rule = GateRule(FAMILY, delta=0.05)
    allowed = {"fit": 0.55, "neck": 0.90, "pattern": 0.90}
    assert decide(rule, evidence(allowed, CHAMPION), "3").promote
    lost = {**allowed, "fit": 0.549}
    refusal = only_refusal(rule, evidence(lost, CHAMPION), "3")
    assert refusal == "macro_f1 on fit is 0.051 worse than the champion's, and not by chance; at most 0.05 is allowed."
    assert decide(replace(rule, deltas={"fit": 0.06}), evidence(lost, CHAMPION), "3").promote
    assert decide(rule, evidence(lost), None).promote


@pytest.mark.parametrize(("high", "promoted"), [(-0.001, False), (0.0, True), (0.02, True), (math.nan, False)])
def test_a_loss_on_one_attribute_blocks_where_its_interval_excludes_chance(high, promoted):
    """Rare attributes lose or win some hundredths by the draw of twenty test rows."""
    presented = evidence({"fit": 0.50, "neck": 0.90, "pattern": 0.95}, CHAMPION)
    paired = Score("candidate", "fit", "macro_f1_minus_champion", -0.10, -0.3, high, 19)
    assert decide(RULE, replace(presented, scores=(*presented.scores, paired)), "3").promote == promoted


def test_the_best_floor_of_each_attribute_is_beaten_clearly():
    """A first candidate of 0.22 with a floor of 0.265 had been promoted, because it beat an untrained base."""
    rule = GateRule(FAMILY, beats=("base", BEST_FLOORS))

    def beside_floors(value: float, low: float) -> Evidence:
        presented = evidence(CHAMPION)
        paired = Score("candidate", "mean", "macro_f1_minus_floor", value, low, value + 0.02, 100)
        return replace(presented, scores=(*presented.scores, paired))

    assert decide(rule, beside_floors(0.1, 0.05), None).promote
    assert "is not better than the best floors' (difference -0.045)" in only_refusal(
        rule, beside_floors(-0.045, -0.06), None
    )
    assert "not clearly better than the best floors'" in only_refusal(rule, beside_floors(0.01, -0.01), None)
    assert not decide(rule, evidence(CHAMPION), None).promote


def test_too_few_test_rows_tell_nothing():
    """Said as such: the candidate did not lose."""
    rule = replace(RULE, minimum_rows=101)
    assert only_refusal(rule, evidence(CHAMPION), None).startswith("100 test rows are too few to tell a better")
    assert decide(replace(rule, minimum_rows=100), evidence(CHAMPION), None).promote


def test_a_challenger_must_also_beat_the_base():
    high_base = shifted(CHAMPION, 0.2)
    assert "not better than the base's" in only_refusal(
        RULE, evidence(shifted(CHAMPION, 0.1), CHAMPION, base=high_base), "3"
    )


@pytest.mark.parametrize(
    ("gathered", "now", "sentence"),
    [
        (CHAMPION, "4", "gathered against champion version 3, but now there is champion version 4"),
        (CHAMPION, None, "gathered against champion version 3, but now there is no champion"),
        (None, "1", "gathered against no champion, but now there is champion version 1"),
    ],
)
def test_evidence_against_another_champion_is_stale(gathered, now, sentence):
    presented = evidence(shifted(CHAMPION, 0.1), gathered)
    assert sentence in only_refusal(RULE, presented, now)


def test_missing_evidence_is_a_refusal():
    presented = evidence(CHAMPION)
    bare = replace(presented, scores=())
    assert only_refusal(RULE, bare, None) == (
        "evidence of kind metrics is missing; blip2-attributes may not be promoted without it."
    )
    both = GateRule(FAMILY, required=("metrics", "round"))
    assert "evidence of kind round is missing" in only_refusal(both, presented, None)
    assert "cannot judge evidence of kind round" in only_refusal(both, replace(presented, others={"round": {}}), None)
    with pytest.raises(SelvedgeError, match="requires no evidence"):
        GateRule(FAMILY, required=())


def test_evidence_of_another_family_or_unknown_rows_is_refused():
    presented = evidence(CHAMPION)
    assert "about family blip2-attributes, the rule about restgan" in only_refusal(GateRule("restgan"), presented, None)
    assert "which rows" in only_refusal(RULE, replace(presented, dataset_sha256=""), None)


@pytest.mark.parametrize("subject", ["candidate", "champion", "base"])
@pytest.mark.parametrize("attribute", ["fit", "mean"])
def test_a_figure_that_is_no_number_is_refused(subject, attribute):
    good = evidence(shifted(CHAMPION, 0.1), CHAMPION)
    scores = tuple(
        replace(s, value=math.nan) if (s.subject, s.attribute, s.metric) == (subject, attribute, "macro_f1") else s
        for s in good.scores
    )
    refusal = only_refusal(RULE, replace(good, scores=scores), "3")
    assert refusal == f"macro_f1 of the {subject} on {attribute} is not a number; score it again."


def test_a_figure_that_is_absent_is_refused():
    good = evidence(shifted(CHAMPION, 0.1), CHAMPION)

    def without(subject: str, attribute: str, metric: str = "macro_f1") -> Evidence:
        kept = [s for s in good.scores if (s.subject, s.attribute, s.metric) != (subject, attribute, metric)]
        return replace(good, scores=tuple(kept))

    assert "macro_f1 of the champion on neck is missing" in only_refusal(RULE, without("champion", "neck"), "3")
    assert not decide(RULE, without("candidate", "neck"), "3").promote
    assert "of the candidate on mean is not a number" in only_refusal(RULE, without("candidate", "mean"), "3")
    paired = without("candidate", "mean", "macro_f1_minus_champion")
    assert "interval of the difference to the champion on the mean is missing" in only_refusal(RULE, paired, "3")
    assert "no aurc of the candidate" in only_refusal(GateRule(FAMILY, metric="aurc"), good, "3")


VALUES = st.fixed_dictionaries({name: st.floats(0, 1) for name in CHAMPION})


@given(VALUES, st.sampled_from(sorted(CHAMPION)), st.floats(0, 1), st.floats(0, 0.1))
def test_a_better_figure_never_turns_a_promotion_into_a_refusal(values, attribute, rise, half_width):
    better = {**values, attribute: min(1.0, values[attribute] + rise)}
    for champion, version in ((CHAMPION, "3"), (None, None)):
        before = decide(RULE, evidence(values, champion, half_width), version).promote
        after = decide(RULE, evidence(better, champion, half_width), version).promote
        assert after or not before


@given(VALUES, st.floats(0, 0.1), st.floats(0, 0.1))
def test_more_noise_never_makes_a_promotion_easier(values, narrow, more):
    loose = decide(RULE, evidence(values, CHAMPION, narrow + more), "3").promote
    assert decide(RULE, evidence(values, CHAMPION, narrow), "3").promote or not loose


@given(VALUES, st.booleans())
def test_evidence_survives_a_trip_through_json(values, with_champion):
    presented = evidence({**values, "fit": math.nan}, CHAMPION if with_champion else None)
    again = Evidence.from_json(presented.to_json())
    assert again.to_json() == presented.to_json()
    assert again.sha256 == presented.sha256
    assert math.isnan(again.figure("candidate", "fit", "macro_f1").value)


def test_evidence_that_was_touched_is_refused():
    text = evidence(CHAMPION).to_json()
    with pytest.raises(SelvedgeError, match="changed after it was written"):
        Evidence.from_json(text.replace("0.6", "0.9"))
    with pytest.raises(SelvedgeError, match="no evidence"):
        Evidence.from_json("{}")
    with pytest.raises(SelvedgeError, match="no evidence"):
        Evidence.from_json("not json")
    document = json.loads(text)
    document["content"]["format"] = 99
    with pytest.raises(SelvedgeError):
        Evidence.from_json(json.dumps(document))


def test_evidence_is_made_from_real_scores_and_carries_the_decision_through():
    rows = labelled(400)
    predictions = {
        "base": answered(rows, 0.1, 1),
        "candidate": answered(rows, 0.8, 2),
        "champion": answered(rows, 0.6, 3),
    }
    scores = score_subjects(predictions, FAMILY, "c1", ScoreSettings(resamples=200))
    presented = metrics_evidence(scores, "3", "d" * 64)
    assert decide(RULE, Evidence.from_json(presented.to_json()), "3").promote
    swapped = {**predictions, "candidate": predictions["champion"], "champion": predictions["candidate"]}
    worse = metrics_evidence(score_subjects(swapped, FAMILY, "c2", ScoreSettings(resamples=200)), "3", "d" * 64)
    assert not decide(RULE, worse, "3").promote
    with pytest.raises(SelvedgeError, match="0 candidates"):
        metrics_evidence(scores.iloc[:0], "3", "d" * 64)
