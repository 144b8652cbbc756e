"""Drift: statistics held to scipy and to a plain implementation, and a rate of false alarms that is kept."""

import numpy as np
import pytest
from scipy.stats import chi2_contingency, energy_distance

from catalog.errors import SelvedgeError
from evaluation.drift import (
    ABSTENTION,
    ATTRIBUTES,
    CONTRADICTION,
    FEATURES,
    QUALITY,
    Delivery,
    chi_square,
    drops_needed,
    energy_distances,
    judge,
)
from evaluation.drift_plots import drift_plot

TYPES = np.array(["Shirts", "Jeans", "Shoes", "Watches", "Tops"])


def delivery(rng: np.random.Generator, products: int = 40, shift: float = 0.0, clumped: float = 2.0) -> Delivery:
    """Drops of one shop: each has a mixture of types of its own, and its pictures go with the types.

    Of a share `shift` of the products everything is another collection's.
    """
    kinds = rng.choice(len(TYPES), products, p=rng.dirichlet(np.full(len(TYPES), clumped)))
    other = rng.random(products) < shift
    values = np.where(other, "Sarees", TYPES[kinds])
    features = rng.normal(size=(products, 4)) + kinds[:, None] + 3.0 * other[:, None]
    hard = rng.random(products * 3) < rng.beta(2, 18) + 0.4 * shift
    colours = rng.choice(["Red", "Blue"], products).tolist()
    return Delivery({"Article Type": values.tolist(), "Colour": colours}, features, {ABSTENTION: hard})


def drops(seed: int, count: int, **of: float) -> list[Delivery]:
    rng = np.random.default_rng(seed)
    return [delivery(rng, **of) for _ in range(count)]


def test_chi_square_is_that_of_scipy() -> None:
    counts = np.random.default_rng(1).integers(1, 30, size=(5, 4))
    for row, value in enumerate(chi_square(counts)):
        table = np.stack([counts[row], counts.sum(0) - counts[row]])
        assert value == pytest.approx(chi2_contingency(table, correction=False).statistic)


def test_the_energy_distance_is_that_of_scipy_and_of_the_definition() -> None:
    rng = np.random.default_rng(2)
    parts = [rng.normal(number, 1, size=(20 + number, 1)) for number in range(4)]
    for number, value in enumerate(energy_distances(parts)):
        rest = np.concatenate(parts[:number] + parts[number + 1 :])
        assert value == pytest.approx(energy_distance(parts[number][:, 0], rest[:, 0]) ** 2)
    wide = [rng.normal(size=(7, 3)), rng.normal(1, 1, size=(5, 3))]
    x, y = wide
    mean = {(i, j): np.mean([np.linalg.norm(a - b) for a in wide[i] for b in wide[j]]) for i in (0, 1) for j in (0, 1)}
    assert energy_distances([x, y]) == pytest.approx([2 * mean[0, 1] - mean[0, 0] - mean[1, 1]] * 2)


def test_false_alarms_keep_to_the_stated_rate_where_drops_are_unlike_each_other() -> None:
    shop = drops(3, 120, products=20)
    rng = np.random.default_rng(4)
    alarms = [
        judge(shop[picked[0]], [shop[i] for i in picked[1:]]).alarm
        for picked in (rng.choice(len(shop), 20, replace=False) for _ in range(100))
    ]
    assert None not in alarms and np.sum(alarms) <= 11  # 5 expected; more than 11 happen in 1 of 100 seeds


def test_a_random_sample_of_everything_is_no_drift_and_a_new_collection_is() -> None:
    earlier = drops(5, 30)
    rng = np.random.default_rng(6)
    shifted = [judge(delivery(rng, shift=0.5), earlier) for _ in range(10)]
    assert all(judgement.alarm for judgement in shifted)
    assert {s.name for s in shifted[0].statistics} == {ATTRIBUTES, FEATURES, ABSTENTION}
    assert all((s.value > s.limit) <= (judgement.alarm or False) for judgement in shifted for s in judgement.statistics)
    new, usual = shifted[0].by_attribute["Article Type"]
    assert new > 2 * usual
    assert "differs in" in shifted[0].sentence and "30 earlier drops" in shifted[0].sentence


def test_an_alarm_is_a_statistic_above_its_limit_and_nothing_else() -> None:
    shop = drops(7, 60, products=25)
    for number in range(12):
        judgement = judge(shop[number], [*shop[:number], *shop[number + 1 :]], false_alarms=0.2)
        assert judgement.alarm == any(s.value > s.limit for s in judgement.statistics)
        assert judgement.alarm == (judgement.p is not None and judgement.p <= 0.2)


def test_with_too_few_drops_it_says_so_and_gives_no_p() -> None:
    judgement = judge(delivery(np.random.default_rng(8), shift=1.0), drops(9, 18))
    assert (judgement.alarm, judgement.p, judgement.statistics) == (None, None, ())
    assert "attributes: not enough drops: 18 of 19" in judgement.sentence
    assert (drops_needed(0.05), drops_needed(0.01), drops_needed(0.1), drops_needed(0.5)) == (19, 99, 9, 1)
    for rate in (0.0, 0.6, -0.1):
        with pytest.raises(SelvedgeError, match="a rate of false alarms is above 0"):
            judge(drops(9, 1)[0], [], false_alarms=rate)


def test_what_only_some_drops_have_is_judged_where_enough_have_it() -> None:
    earlier = drops(10, 25)
    bare = [Delivery(drop.values, None, drop.answers if number < 20 else {}) for number, drop in enumerate(earlier)]
    judgement = judge(earlier[0], bare[1:])
    assert [s.name for s in judgement.statistics] == [ATTRIBUTES, ABSTENTION] and judgement.drops == 19
    assert judgement.left_out == {FEATURES: "not enough drops: 0 of 19"}
    empty = judge(Delivery({}), earlier)
    assert empty.alarm is None and empty.left_out[FEATURES] == "the drop has none"


def test_a_larger_drop_is_compared_by_as_many_products_as_the_new_one_has() -> None:
    """One drop of thousands beside small ones: what random samples of one shop differ by is no drift."""
    rng = np.random.default_rng(11)
    earlier = [delivery(rng, products=size, clumped=1e6) for size in [600] * 10 + [30] * 15]
    alarms = [judge(delivery(rng, products=10, clumped=1e6), earlier).alarm for _ in range(20)]
    assert sum(map(bool, alarms)) <= 4


def test_a_value_that_is_seen_once_decides_nothing_and_a_constant_one_neither() -> None:
    earlier = [Delivery({"Colour": ["Red"] * 20}, None, {ABSTENTION: np.zeros(20, bool)}) for _ in range(20)]
    same = judge(Delivery({"Colour": ["Red"] * 20}, None, {ABSTENTION: np.zeros(20, bool)}), earlier)
    assert same.alarm is False and same.p == 1.0
    all_hard = judge(Delivery({"Colour": ["Red"] * 20}, None, {ABSTENTION: np.ones(20, bool)}), earlier)
    assert all_hard.alarm is True


GARMENTS = [f"garment {number}" for number in range(12)]  # each states an attribute of its own; two share one


def small_drop(rng: np.random.Generator, garments: list[int]) -> Delivery:
    """Eight products, each of which states its type and the attribute that its type has."""
    kinds = rng.choice(garments, 8)
    own = {
        f"attribute {max(number, 1)}": [
            f"{rng.integers(3)}" if max(kind, 1) == max(number, 1) else "" for kind in kinds
        ]
        for number in range(12)
    }
    return Delivery({"Article Type": [GARMENTS[kind] for kind in kinds], **own})


def test_small_drops_of_two_types_are_noticed_by_what_they_state() -> None:
    rng = np.random.default_rng(16)
    earlier = [small_drop(rng, list(range(12))) for _ in range(60)]
    assert sum(bool(judge(small_drop(rng, [0, 1]), earlier).alarm) for _ in range(20)) >= 18
    assert sum(bool(judge(small_drop(rng, list(range(12))), earlier).alarm) for _ in range(20)) <= 4


def test_shares_of_a_few_answers_hide_no_other_collection() -> None:
    """A champion's test products of a small drop give five answers: 0 or 5 abstentions are no measure of anything."""
    rng = np.random.default_rng(17)
    few = [Delivery(drop.values, drop.features, {ABSTENTION: rng.random(5) < 0.5}) for drop in drops(18, 30)]
    judgement = judge(delivery(rng, shift=0.5), few)
    assert judgement.alarm and judgement.left_out == {ABSTENTION: "not enough drops: 0 of 19"}
    new = Delivery(few[0].values, few[0].features, {ABSTENTION: np.zeros(6, bool)})
    assert judge(new, few).left_out == {ABSTENTION: "the drop has 6 of 20 answers"}


def test_only_more_contradictions_are_bad_news() -> None:
    rng = np.random.default_rng(12)
    earlier = [Delivery({}, None, {CONTRADICTION: rng.random(100) < 0.2}) for _ in range(20)]
    none = Delivery({}, None, {CONTRADICTION: np.zeros(100, bool)})
    many = Delivery({}, None, {CONTRADICTION: rng.random(100) < 0.7})
    assert judge(none, earlier, QUALITY).alarm is False and judge(many, earlier, QUALITY).alarm is True


def test_features_that_are_not_finite_are_refused() -> None:
    earlier = drops(13, 20)
    broken = Delivery(earlier[0].values, np.full((40, 4), np.nan), {})
    with pytest.raises(SelvedgeError, match="an image feature is not finite"):
        judge(broken, earlier)


def test_the_plot_shows_the_drop_beside_the_earlier_ones() -> None:
    earlier = drops(14, 20)
    usual = drift_plot(judge(delivery(np.random.default_rng(15)), earlier), "june")
    odd = drift_plot(judge(delivery(np.random.default_rng(15), shift=1.0), earlier), "june")
    assert usual.startswith(b"\x89PNG") and odd.startswith(b"\x89PNG") and usual != odd
